# SPDX-License-Identifier: MIT OR Apache-2.0
"""
source_judge.py: what hsltest says of mutants of source (source.py). Those of the library run on sim:, those of the driver in VMs.

The tests are those of requirements whose subject is the driver or the library. A mutant is killed when one of them fails that
passes without it; 'other' when nothing of that kind noticed but something did (the kernel complains, modules do not load, another
test); what lets all pass survives. A test that stands still is ended early here; two that do are enough.
"""
import os
import queue
import re
import signal
import subprocess
import threading

STILL = 8           # seconds without progress, on sim:
SLOW = ['events']  # tests that take as long as all others together
AT_ONCE = 12        # mutants for one VM


def parse_line(line, results):
    m = re.match(r'^(not )?ok \d+ - (HEP-[A-Z]+(?:-\d+)?) (\S+)(.*)$', line)
    if m:
        verdict = 'fail' if m[1] else 'skip' if '# SKIP' in m[4] else 'pass'
        results.append([m[2], m[3], verdict, ''])
    elif line.startswith('# ') and results and results[-1][2] == 'fail' and not results[-1][3]:
        results[-1][3] = line[2:]


def hung(results):
    return sum(r[3].startswith('timed out') for r in results)


class Library:
    def __init__(self, hsltest, tree, tests, fabric):
        self.command = [hsltest, 'run', '--tap', '--quick', '-f', fabric]
        self.lib = os.path.join(tree, 'lib')
        self.tests = tests
        self.good = set()

    def run(self, number, tests, still=STILL):
        env = {k: v for k, v in os.environ.items() if k != 'HSL_FABRIC'}
        env.update(LD_LIBRARY_PATH=self.lib, HSL_MUTANT=str(number))
        results = []
        with subprocess.Popen([*self.command, '--timeout', str(still), *tests], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, errors='replace', env=env) as p:
            for line in p.stdout:
                parse_line(line.rstrip('\n'), results)
                if hung(results) >= 2:
                    p.send_signal(signal.SIGTERM)
                    break
            p.stdout.read()
        return results

    def judge(self, m):
        results = self.run(m['number'], self.tests)
        killers = [r for r in results if r[2] == 'fail' and r[1] in self.good]
        if killers and all(r[3].startswith('timed out') for r in killers):      # or was the machine busy?
            killers = [r for r in self.run(m['number'], [killers[0][1]], 3 * STILL) if r[2] == 'fail']
        if killers:
            return 'killed', killers
        if not results:
            return 'other', [['', 'hsltest', 'fail', 'no fabric can be opened']]
        return 'survives', []


def judge_library(mutants, hsltest, tree, tests, fabric, jobs, done):
    """done(mutant, verdict, killers) for each."""
    library = Library(hsltest, tree, tests, fabric)
    library.good = {r[1] for r in library.run(0, tests) if r[2] == 'pass'}
    todo = queue.SimpleQueue()
    for m in mutants:
        todo.put(m)

    def work():
        while True:
            try:
                m = todo.get_nowait()
            except queue.Empty:
                return
            done(m, *library.judge(m))

    in_parallel(work, jobs)
    return library.good


def in_parallel(work, jobs):
    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


class Driver:
    def __init__(self, tree, tests):
        self.vm = os.path.join(tree, 'qemu/vm')
        self.tests = [t for t in tests if t not in SLOW]
        self.good = set()

    def boot(self, numbers, done=None):
        """{number: [results, complaint, it was done]} of the first ones, as far as one VM comes; done(number, that) of each."""
        env = {k: v for k, v in os.environ.items() if k not in ('HSL_FABRIC', 'HSL_BUILD', 'RUN')}
        command = ' '.join(["/hsl/tests/guest/driver_mutants.sh '", *map(str, numbers), "' '", *SLOW, "'", *self.tests])
        seen, now, last = {}, None, ''
        with subprocess.Popen([self.vm, 'CHIPS=2', 'MODULES=0', 'BOOT_TIMEOUT=300', f'TIMEOUT={400 * len(numbers)}',
                               f'RUN={command}'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors='replace', env=env) as p:
            for line in p.stdout:
                line = line.rstrip('\r\n')
                last = line or last
                m = re.match(r'^# (mutant|done) (\d+)$', line)
                if m and m[1] == 'mutant':
                    now = seen[int(m[2])] = [[], '', False]
                elif m and now:
                    now[2] = True
                    if done:
                        done(int(m[2]), now)
                    now = None
                elif now and line.startswith('# complaint '):
                    now[1] = line[12:]
                elif now:
                    parse_line(line, now[0])
        if now:
            now[1] = now[1] or 'the VM ended: ' + last
            if done:
                done(next(n for n, s in seen.items() if s is now), now)
        return seen

    def verdict(self, seen):
        results, complaint, _ = seen
        killers = [r for r in results if r[2] == 'fail' and r[1] in self.good]
        if killers:
            return 'killed', killers
        if complaint:
            return 'other', [['', 'kernel', 'fail', complaint]]
        load = [r for r in results if r[1] == 'load']
        if load or not results:
            return 'other', [['', 'load', 'fail', load[0][3] if load else 'hsltest ran nothing']]
        return 'survives', []


def judge_driver(mutants, tree, tests, jobs, done):
    driver = Driver(tree, tests)
    seen = driver.boot([0])
    driver.good = {r[1] for r in seen[0][0] if r[2] == 'pass'} if 0 in seen else set()
    if not driver.good or seen[0][1]:
        return None, seen[0][1] if 0 in seen else 'no VM'
    lock, left, lost = threading.Lock(), list(mutants), []

    def work():
        while True:
            with lock:
                mine = left[:max(1, min(AT_ONCE, len(left) // jobs))]
                del left[:len(mine)]
            if not mine:
                return
            by_number = {m['number']: m for m in mine}

            def one(number, seen):
                done(by_number[number], *driver.verdict(seen))

            seen = driver.boot(list(by_number), one) or driver.boot(list(by_number), one)
            if not seen:
                with lock:
                    lost.extend(mine)
                return
            with lock:
                left[:0] = [m for m in mine if m['number'] not in seen]

    in_parallel(work, jobs)
    lost += left
    return driver.good, f'a VM does not come up, twice: {len(lost)} mutants are not judged' if lost else ''
