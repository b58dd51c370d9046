# SPDX-License-Identifier: MIT OR Apache-2.0
"""
source_judge.py: what notices mutants of source (source.py). Those of the library run on sim:, those of the driver in VMs.

First every test runs without a mutant, and each mutant notes whether its line was reached. From then on a mutant is given only
to tests that pass and reach it, first those that noticed its neighbours, the shorter before the longer ones, until one fails:

  killed     a test of a requirement whose subject is the driver or the library
  other      another test of hsltest, or the kernel complains, modules do not load, no fabric can be opened
  elsewhere  hsltest passes, a unit test of the library does not
  unreached  no test comes there
  survives   nothing

One that was written by hand is given to all tests of the requirement that it breaks. A test that stands still is ended early; if nothing else fails it is asked
again, with more time.
"""
import collections
import concurrent.futures
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

STILL = 8           # seconds without progress, on sim:
STILL_VM = 15       # in a VM
PATIENT = 3         # times that, when what timed out is asked again
FIRST = 3           # tests that are asked before all others
LONG, FEW = 10, 10  # a test that takes a tenth of all time repeats what others do: it is asked about what few others reach
AT_ONCE = 6         # mutants for one VM


def parse_line(line, results):
    m = re.match(r'^(not )?ok \d+ - (HEP-[A-Z]+(?:-\d+)?) (\S+)(.*)$', line)
    if m:
        verdict = 'fail' if m[1] else 'skip' if '# SKIP' in m[4] else 'pass'
        results.append([m[2], m[3], verdict, ''])
    elif line.startswith('# ') and results and results[-1][2] == 'fail' and not results[-1][3]:
        results[-1][3] = line[2:]


def failed(results):
    return [r for r in results if r[2] == 'fail']


def all_timed_out(killers):
    return bool(killers) and all(r[3].startswith('timed out') for r in killers)


class Tests:
    """What is known of tests: which of them pass, how long they take, which mutants they reach, which they have noticed."""

    def __init__(self):
        self.seconds = {}
        self.reach = {}
        self.noticed = collections.defaultdict(list)
        self.lock = threading.Lock()

    def passed(self, name, seconds, reached):
        with self.lock:
            self.seconds[name] = seconds
            self.reach[name] = reached

    def reached(self, m):
        return any(m['number'] in r for r in self.reach.values())

    def has_noticed(self, name, m):
        with self.lock:
            self.noticed[name].append(m)

    def that_reach(self, m, names, long=False):
        """Those of names that reach m, most promising first. long: also those that take long."""
        def far(name):
            return min((abs(m['line'] - n['line']) for n in self.noticed[name] if n['file'] == m['file']), default=100000) // 50

        with self.lock:
            come = [n for n, reached in self.reach.items() if m['number'] in reached]
            most = sum(self.seconds.values()) / LONG if len(come) > FEW and not long else float('inf')
            return sorted((n for n in names if n in come and self.seconds[n] < most), key=lambda n: (far(n), self.seconds[n]))


def reached_of(data):
    return {i for i, b in enumerate(data) if b}


class Library:
    def __init__(self, hsltest, tree, own, rest, programs, fabric):
        self.command = [hsltest, 'run', '--tap', '--quick', '-f', fabric]
        self.lib = os.path.join(tree, 'lib')
        self.own, self.rest = own, rest
        self.programs = {os.path.basename(p): p for p in programs}
        self.tests = Tests()

    def environment(self, number, reached=None):
        env = {k: v for k, v in os.environ.items() if k not in ('HSL_FABRIC', 'HSL_LOG')}
        env.update(LD_LIBRARY_PATH=self.lib, HSL_MUTANT=str(number))
        if reached:
            env['HSL_MUTANT_REACHED'] = reached
        return env

    def run(self, number, tests, still=STILL, reached=None, more=('--stop-on-fail',)):
        results = []
        with subprocess.Popen([*self.command, *more, '--timeout', str(still), *tests], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, errors='replace', env=self.environment(number, reached)) as p:
            for line in p.stdout:
                parse_line(line.rstrip('\n'), results)
                if sum(r[3].startswith('timed out') for r in results) >= 2:
                    p.send_signal(signal.SIGTERM)
                    break
            p.stdout.read()
        return results

    def run_program(self, number, name, limit, reached=None):
        """A unit test: it has no requirement."""
        try:
            p = subprocess.run([self.programs[name]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors='replace', env=self.environment(number, reached), timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return [['', name, 'fail', f'timed out after {limit} s']]
        case = re.search(r'^\[  FAILED  \] (.*)$', p.stdout, re.M)
        return [['', name, 'fail' if p.returncode else 'pass', f'{case[1] if case else "exit status"} {p.returncode}']]

    def measure(self, jobs, mutants):
        """Each test alone, on the library as it is."""
        size = max(m['number'] for m in mutants) + 1

        def one(name):
            with tempfile.NamedTemporaryFile() as f:
                f.truncate(size)
                start = time.monotonic()
                results = self.run_program(0, name, 300, f.name) if name in self.programs else self.run(0, [name], 30, f.name)
                if results and all(r[2] == 'pass' for r in results):
                    self.tests.passed(name, time.monotonic() - start, reached_of(f.read()))

        in_parallel([*self.own, *self.rest, *self.programs], one, jobs)

    def ask(self, m, names, more=('--stop-on-fail',)):
        """What fails of names; asked again, with more time, when all that fails has timed out: or was the machine busy?"""
        if not names:
            return []
        results = self.run(m['number'], names, more=more)
        if not results:
            return [['', 'hsltest', 'fail', 'no fabric can be opened']]
        killers = failed(results)
        if all_timed_out(killers):
            killers = failed(self.run(m['number'], [killers[0][1]], PATIENT * STILL)) or failed(self.run(m['number'], names, PATIENT * STILL, more=more))
        return killers

    def judge(self, m, of):
        """of: tests of the requirement that it breaks."""
        if not of and not self.tests.reached(m):
            return 'unreached', []
        own = self.tests.that_reach(m, [n for n in self.own if n not in of])
        killers = self.ask(m, [n for n in of if n in self.tests.seconds], ()) or self.ask(m, own[:FIRST]) or self.ask(m, own[FIRST:])
        if killers:
            self.tests.has_noticed(killers[0][1], m)
            return 'killed' if killers[0][0] else 'other', killers
        rest = self.tests.that_reach(m, self.rest)
        killers = self.ask(m, rest[:FIRST]) or self.ask(m, rest[FIRST:])
        if killers:
            self.tests.has_noticed(killers[0][1], m)
            return 'other', killers
        for name in self.tests.that_reach(m, self.programs, long=True):
            killers = failed(self.run_program(m['number'], name, 60 + 5 * self.tests.seconds[name]))
            if killers:
                return 'elsewhere', killers
        return 'survives', []


def judge_library(mutants, hsltest, tree, own, rest, programs, of, fabric, jobs, done):
    """of: tests by requirement. done(mutant, verdict, killers) for each."""
    library = Library(hsltest, tree, own, rest, programs, fabric)
    library.measure(jobs, mutants)
    in_parallel(mutants, lambda m: done(m, *library.judge(m, of.get(m.get('breaks'), []))), jobs)
    return library.tests


def in_parallel(items, work, jobs):
    """Raises what the first of them raised; what had not begun by then is left."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        begun = [pool.submit(work, i) for i in items]
        try:
            for f in concurrent.futures.as_completed(begun):
                f.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class Driver:
    """All that happens in a VM is in a plan of lines, see tests/guest/driver_mutants.sh."""

    def __init__(self, tree, own, rest):
        self.tree = tree
        self.own, self.rest = own, rest
        self.tests = Tests()
        self.complaint = ''

    def boot(self, plan, timeout, done=None, still=STILL_VM):
        """{number: [results, complaint, {test: what it reached}]} of the first ones, as far as one VM comes; done(number, that) of each."""
        env = {k: v for k, v in os.environ.items() if k not in ('HSL_FABRIC', 'HSL_BUILD', 'RUN')}
        seen, now, last = {}, None, ''
        with tempfile.NamedTemporaryFile('w', dir=os.path.join(self.tree, 'build'), prefix='plan-') as f:
            f.write(''.join(line + '\n' for line in plan))
            f.flush()
            os.chmod(f.name, 0o644)
            command = f'/hsl/tests/guest/driver_mutants.sh /host/build/{os.path.basename(f.name)} {still}'
            with subprocess.Popen([os.path.join(self.tree, 'qemu/vm'), 'CHIPS=2', 'MODULES=0', 'BOOT_TIMEOUT=300', f'TIMEOUT={timeout}',
                                   f'RUN={command}'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors='replace', env=env) as p:
                for line in p.stdout:
                    line = line.rstrip('\r\n')
                    last = line or last
                    m = re.match(r'^# (mutant|done|reached|complaint) (\S+) ?(.*)$', line)
                    if m and m[1] == 'mutant':
                        now = seen[int(m[2])] = [[], '', {}]
                    elif m and now and m[1] == 'done':
                        if done:
                            done(int(m[2]), now)
                        now = None
                    elif m and now and m[1] == 'reached':
                        seconds, _, bits = m[3].partition(' ')
                        now[2][m[2]] = float(seconds), {i for i, b in enumerate(bits) if b == '1'}
                    elif m and now and m[1] == 'complaint':
                        now[1] = line[12:]
                    elif now:
                        parse_line(line, now[0])
        if now:
            now[1] = now[1] or 'the VM ended: ' + last
            if done:
                done(next(n for n, s in seen.items() if s is now), now)
        return seen

    def measure(self):
        seen = self.boot([f'0 {" ".join(self.own + self.rest)}'], 3000).get(0)
        if not seen:
            self.complaint = 'no VM'
            return
        results, self.complaint, reached = seen
        verdicts = {}
        for _, name, verdict, _ in results:
            verdicts.setdefault(name, set()).add(verdict)
        for name, (seconds, numbers) in reached.items():
            if verdicts.get(name, {'pass'}) == {'pass'}:     # or it is no test: load, unload
                self.tests.passed(name, seconds, numbers)

    def plan(self, m, of):
        """What is asked of it, in steps of which the next is taken when nothing failed."""
        own = self.tests.that_reach(m, [n for n in self.own if n not in of])
        rest = self.tests.that_reach(m, self.rest)
        of = [n for n in of if n in self.tests.seconds]
        if not (own or rest or of):
            own = sorted((n for n in self.own if n in self.tests.seconds), key=self.tests.seconds.get)
        steps = [of, own[:FIRST], own[FIRST:], rest[:FIRST], rest[FIRST:]]
        return f'{m["number"]} {"|".join(" ".join(s) for s in steps if s)}'

    def killers(self, seen):
        return [r for r in failed(seen[0]) if r[1] in self.tests.seconds]

    def verdict(self, m, seen):
        results, complaint, _ = seen
        killers = self.killers(seen)
        if killers:
            self.tests.has_noticed(killers[0][1], m)
            return ('killed' if killers[0][1] in self.own else 'other'), killers
        if complaint:
            return 'other', [['', 'kernel', 'fail', complaint]]
        load = [r for r in results if r[1] == 'load']
        if load or not results:
            return 'other', [['', 'load', 'fail', load[0][3] if load else 'hsltest ran nothing']]
        return 'survives', []


def judge_driver(mutants, tree, own, rest, of, jobs, done, until):
    """
    (what is known of the tests, why not all are judged, how many there was no time for). When time.monotonic() is until, no more
    are begun but those that were written by hand.
    """
    driver = Driver(tree, own, rest)
    driver.measure()
    if not driver.tests.seconds or driver.complaint:
        return driver.tests, driver.complaint or 'no test passes without a mutant', 0
    lock, left, lost, slow, late = threading.Lock(), [], [], [], []
    for m in mutants:
        if driver.tests.reached(m):
            left.append(m)
        else:
            done(m, 'unreached', [])

    def plan_of(m):
        return driver.plan(m, of.get(m.get('breaks'), []))

    def in_time(m):
        if m.get('breaks') or time.monotonic() < until:
            return True
        late.append(m)
        return False

    def work(_):
        while True:
            with lock:
                left[:] = [m for m in left if in_time(m)]
                mine = left[:max(1, min(AT_ONCE, len(left) // jobs))]
                del left[:len(mine)]
            if not mine:
                return
            by_number = {m['number']: m for m in mine}
            plan = [plan_of(m) for m in mine]

            def one(number, seen):
                if all_timed_out(driver.killers(seen)) and not seen[1]:
                    slow.append(by_number[number])
                else:
                    done(by_number[number], *driver.verdict(by_number[number], seen))

            timeout = 400 * len(mine)
            seen = driver.boot(plan, timeout, one) or driver.boot(plan, timeout, one)
            if not seen:
                with lock:
                    lost.extend(mine)
                return
            with lock:
                left[:0] = [m for m in mine if m['number'] not in seen]

    in_parallel(range(jobs), work, jobs)
    for m in slow:      # or was the machine busy? All of it again, alone and with more time
        if not in_time(m):
            continue
        seen = driver.boot([plan_of(m)], 400 * PATIENT, still=PATIENT * STILL_VM).get(m['number'])
        if seen:
            done(m, *driver.verdict(m, seen))
        else:
            lost.append(m)
    lost += left
    return driver.tests, f'a VM does not come up, twice: {len(lost)} mutants are not judged' if lost else '', len(late)
