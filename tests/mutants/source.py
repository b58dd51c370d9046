# SPDX-License-Identifier: MIT OR Apache-2.0
"""
source.py: mutants of C source, all of them in one build. The matrix judges with them what chips cannot break: requirements of
the driver (kernel/) and of the library (libhsl/).

A mutant changes one line, and a number that is read when the program runs says which mutant is on: HSL_MUTANT(n) is true for
mutant n alone, 0 is the program as it is. So a library or a module is compiled once, not once for each mutant, and a VM goes
from one to the next by loading the module again. It also notes that the line was reached: what a test does not reach it cannot
notice, and need not be asked about.

They are made from the text, line by line, without a look at any test:

  drop    a statement, a call or an assignment on a line of its own, is left out
  never   the condition of an if is false
  always  it is true
  left    of 'a && b' or 'a || b' only a counts
  right   only b counts
  edge    < is <=, > is >=, and the other way round

What reports, or only decides about a report, traces, locks or frees is left alone: lockdep, kmemleak and sanitizers watch that in other
tests; so is what only a lack of memory decides (tests/guest/failnth.c). A line that does not compile with a mutant loses it.
source.list has what was written by hand (mutant, file, after, line, with, breaks), and what is known to change nothing that can be
seen (equivalent FILE OPERATOR, line, why).
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

REPORT = re.compile(r'(pr_\w+|dev_(err|warn|info|dbg|notice)|trace_\w+|printk|hslp_(log|err|warn|info|debug))\(')
QUIET = re.compile(r'\b(pr_|dev_(err|warn|info|dbg|notice)|trace_|lockdep_|WARN|BUG|hslp_(log|err|warn|info|debug)|printk|kfree|kvfree|'
                   r'free|mutex_|spin_|raw_spin|up_|down_|rcu_|sim_run_|pthread_mutex|init_rwsem|might_|memset\(&|INIT_|assert|perror|seq_p)')
STATEMENT = re.compile(r'^\*?[a-z_][\w.>\[\]-]*(?:\(.*\)| (?:[|&+-]?=) .+|\+\+|--);$')
CONDITION = re.compile(r'^((?:\} else )?if )\((.*)\)( \{)?$')
EDGES = {'<': '<=', '<=': '<', '>': '>=', '>=': '>'}


LIBRARY_MUTANT = """
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

static unsigned char nowhere[SIZE];
unsigned int hsl_mutant HSL_MUTANT_HIDDEN;
unsigned char *hsl_mutant_reached HSL_MUTANT_HIDDEN = nowhere;

static void __attribute__((constructor)) from_environment(void)
{
	const char *number = getenv("HSL_MUTANT"), *path = getenv("HSL_MUTANT_REACHED");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

	hsl_mutant = number ? (unsigned int)strtoul(number, NULL, 10) : 0;
	if (p != MAP_FAILED)
		hsl_mutant_reached = p;
}
"""

DRIVER_MUTANT = """
#include <linux/module.h>

unsigned int hsl_mutant;
EXPORT_SYMBOL_GPL(hsl_mutant);
module_param_named(mutant, hsl_mutant, uint, 0444);
unsigned char hsl_mutant_reached[SIZE];
EXPORT_SYMBOL_GPL(hsl_mutant_reached);

static int reached_get(char *buf, const struct kernel_param *kp)
{
	for (int i = 0; i < SIZE; i++)
		buf[i] = '0' + hsl_mutant_reached[i];
	buf[SIZE] = 0;
	return SIZE;
}

static int reached_set(const char *val, const struct kernel_param *kp)
{
	memset(hsl_mutant_reached, 0, SIZE);
	return 0;
}

static const struct kernel_param_ops reached_ops = { .set = reached_set, .get = reached_get };
module_param_cb(reached, &reached_ops, NULL, 0600);
"""


def balanced(s):
    depth = 0
    for c in s:
        depth += (c == '(') - (c == ')')
        if depth < 0:
            return False
    return depth == 0


def split_top(cond):
    """'a && b' as (a, '&&', b), if there is such an operator outside of parentheses."""
    depth = 0
    for i, c in enumerate(cond):
        depth += (c in '([') - (c in ')]')
        if not depth and cond[i:i + 4] in (' && ', ' || '):
            return cond[:i], cond[i + 1:i + 3], cond[i + 4:]
    return None


def of_condition(cond, then):
    if not re.match(r'return (ERR_PTR\()?-ENOMEM\b', then):
        yield 'never', 'false'
    yield 'always', 'true'
    parts = split_top(cond)
    if parts and parts[1] not in parts[2]:
        yield 'left', parts[0]
        yield 'right', parts[2]
    m = re.search(r'(?<=[\w)\]]) (<=?|>=?) (?=[\w(])', cond)
    if m:
        yield 'edge', f'{cond[:m.start(1)]}{EDGES[m[1]]}{cond[m.end(1):]}'


def of_line(text, before, then):
    """(operator, what the line becomes) for each mutant of a line of a function; before, then: the lines around it."""
    if text == 'err = -ENOMEM;' or (REPORT.match(then) and not text.endswith(('{', ';'))):
        return
    if text.endswith('\\') or QUIET.search(text) or not balanced(text):
        return
    m = CONDITION.match(text)
    if m and balanced(m[2]) and not re.search(r'\b(defined|IS_ENABLED|__builtin)', m[2]):
        for op, cond in of_condition(m[2], then):
            yield op, f'{m[1]}({cond}){m[3] or ""}'
    elif STATEMENT.match(text) and re.search(r'([;{}:)]|\belse|\*/)$', before):
        yield 'drop', ''


def enumerate_file(path):
    """All automatic mutants of a file, as dicts."""
    found, before, inside = [], '', False
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        lines = f.read().split('\n')
    for number, line in enumerate(lines, 1):
        if line == '{' or line == '}':
            inside = line == '{'
        text = line.strip()
        if inside and line.startswith('\t') and '/*' not in text:
            found += [{'file': path, 'line': number, 'operator': op, 'was': text, 'becomes': new}
                      for op, new in of_line(text, before, lines[number].strip())]
        if text:
            before = text
    return found


def read_list():
    """(mutants by hand, {(file, operator, line): why})"""
    hand, equal, now = [], {}, {}
    with open(os.path.join(HERE, 'source.list'), encoding='utf-8') as f:
        for n, line in enumerate(f, 1):
            word, _, value = line.rstrip('\n').partition(' ')
            if not word or word.startswith('#'):
                continue
            if word in ('mutant', 'equivalent'):
                now = {'kind': word, 'name': value}
            elif word in ('file', 'after', 'line', 'with', 'breaks', 'why') and now:
                now[word] = value
            else:
                sys.exit(f'source.list:{n}: what is this: {line}')
            if word == 'breaks':
                hand.append({'file': now['file'], 'line': line_of(now, n), 'operator': now['name'], 'was': now['line'],
                             'becomes': now['with'], 'breaks': value})
            elif word == 'why':
                path, op = now['name'].split()
                equal[path, op, now['line']] = value
    return hand, equal


def line_of(entry, n):
    with open(os.path.join(TOP, entry['file']), encoding='utf-8') as f:
        raw = f.read().split('\n')
    lines = [text.strip() for text in raw]
    if 'after' in entry:    # the first one behind it, in the same function
        if entry['after'] not in lines:
            sys.exit(f'source.list:{n}: {entry["file"]} has no line: {entry["after"]}')
        start = lines.index(entry['after'])
        end = next((i for i in range(start + 1, len(raw)) if raw[i] == '}'), len(raw))
        at = [i + 1 for i in range(start + 1, end) if lines[i] == entry['line']][:1]
    else:
        at = [i for i, text in enumerate(lines, 1) if text == entry['line']]
    if len(at) != 1:
        sys.exit(f'source.list:{n}: {entry["file"]} has {len(at)} lines: {entry["line"]}')
    return at[0]


def sample(found, most):
    """Evenly over all files, so that a change in one does not choose others in another by much."""
    if len(found) <= most:
        return found
    return [found[i * len(found) // most] for i in range(most)]


def guarded(text, number, m):
    """One line with one mutant more in it. A condition stays an if, for the next one."""
    old, new = CONDITION.match(text), CONDITION.match(m['becomes'])
    if old and new:
        return f'{old[1]}(HSL_MUTANT({number}) ? ({new[2]}) : ({old[2]})){old[3] or ""}'
    if old:
        sys.exit(f'{m["file"]}:{m["line"]}: a condition stays a condition')
    return f'{{ if (HSL_MUTANT({number})) {{ {m["becomes"]} }} else {{ {text} }} }}'


def instrument(path, mutants, out):
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        lines = f.read().split('\n')
    for m in mutants:
        indent = re.match(r'\s*', lines[m['line'] - 1])[0]
        lines[m['line'] - 1] = indent + guarded(lines[m['line'] - 1].strip(), m['number'], m)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines))


def instrument_all(mutants, tree):
    by_file = {}
    for m in mutants:
        by_file.setdefault(m['file'], []).append(m)
    for path, of in by_file.items():
        instrument(path, of, os.path.join(tree, path))


def compile_until_clean(mutants, tree, compile_once):
    """compile_once() returns what the compiler says, '' for success. What does not compile is taken out."""
    while True:
        instrument_all(mutants, tree)
        said = compile_once()
        if not said:
            return [m for m in mutants if not m.get('broken')]
        bad = {(os.path.basename(f), int(n)) for f, n in re.findall(r'([\w/.+-]+\.c):(\d+):\d+: error', said)}
        out = [m for m in mutants if (os.path.basename(m['file']), m['line']) in bad]
        out = [m for m in out if not m.get('breaks')] or out    # those by hand only if they are to blame
        if not out:
            sys.exit(f'mutants of the source do not compile:\n{said[-3000:]}')
        gone = {m['file'] for m in out}
        mutants = [m for m in mutants if m not in out]
        for path in gone - {m['file'] for m in mutants}:    # none is left in there
            shutil.copy(os.path.join(TOP, path), os.path.join(tree, path))


def library(mutants, build, tree):
    """
    A libhsl.so.1 with all of them in tree/lib, and the unit tests of the library with them, in tree/unit. The mutant is in the
    environment (HSL_MUTANT), and the file where a byte of each that is reached becomes 1 (HSL_MUTANT_REACHED). Returns those
    that compile and the unit tests.
    """
    lib, unit = os.path.join(tree, 'lib'), os.path.join(tree, 'unit')
    os.makedirs(lib, exist_ok=True)
    os.makedirs(unit, exist_ok=True)
    size = max(m['number'] for m in mutants) + 1
    with open(os.path.join(lib, 'mutant.h'), 'w', encoding='utf-8') as f:
        f.write('#define HSL_MUTANT_HIDDEN __attribute__((visibility("hidden")))\n'
                'extern unsigned int hsl_mutant HSL_MUTANT_HIDDEN;\nextern unsigned char *hsl_mutant_reached HSL_MUTANT_HIDDEN;\n'
                '#define HSL_MUTANT(n) (hsl_mutant_reached[n] = 1, hsl_mutant == (n))\n')
    with open(os.path.join(lib, 'mutant.c'), 'w', encoding='utf-8') as f:
        f.write(LIBRARY_MUTANT.replace('SIZE', str(size)))
    sources = sorted(f for f in os.listdir(os.path.join(TOP, 'libhsl')) if f.endswith('.c'))
    flags = ('-O1 -g0 -std=gnu11 -D_GNU_SOURCE= -fPIC -pthread -fno-strict-aliasing -w -Iinclude -Iinclude/uapi -I. -Ilibhsl -Iqemu '
             '-Iqemu/engine -Iqemu/model -Itests -Itools/common').split()
    cc = os.environ.get('CC', 'cc')

    def compile_once():
        said, running = '', []
        for name in sources + [os.path.join(lib, 'mutant.c')]:
            changed = os.path.join(tree, 'libhsl', name)
            src = name if os.path.isabs(name) else changed if os.path.exists(changed) else os.path.join('libhsl', name)
            running.append(subprocess.Popen([cc, *flags, '-include', os.path.join(lib, 'mutant.h'), '-c', src, '-o',
                                             os.path.join(lib, os.path.basename(name)[:-2] + '.o')], cwd=TOP,
                                            stderr=subprocess.PIPE, text=True))
            if len(running) >= os.cpu_count() or name.startswith('/'):
                said += ''.join(p.communicate()[1] for p in running)
                running = []
        return said

    mutants = compile_until_clean(mutants, tree, compile_once)
    objects = [os.path.join(lib, f) for f in sorted(os.listdir(lib)) if f.endswith('.o')]
    archives = [os.path.join(build, 'libhsl.a'), '-lm']     # for the model and the engine
    subprocess.run([cc, '-shared', '-pthread', '-Wl,-soname,libhsl.so.1', '-Wl,-Bsymbolic-functions',
                    '-Wl,--version-script=libhsl/libhsl.map', '-o', os.path.join(lib, 'libhsl.so.1'), *objects, *archives],
                   cwd=TOP, check=True)
    programs = []
    for name in sorted(os.listdir(os.path.join(TOP, 'tests/unit'))):
        if re.match(r'test_(lib_\w+|flit_pair)\.c$', name):
            programs.append(os.path.join(unit, name[:-2]))
            subprocess.run([cc, *flags, '-pthread', '-o', programs[-1], os.path.join('tests/unit', name), *objects,
                            os.path.join(build, 'libcommon.a'), *archives, '-lcmocka'], cwd=TOP, check=True)
    return mutants, programs


def driver(mutants, build, tree):
    """A tree with modules that hold all of them, and with the tools of build: tree/qemu/vm boots it. hsl.ko has a parameter."""
    for part in ('Kbuild', 'kernel', 'include', 'qemu', 'tests'):
        src, dst = os.path.join(TOP, part), os.path.join(tree, part)
        if os.path.isdir(src):
            shutil.copytree(src, dst, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(src, dst)
    into = os.path.join(tree, 'build')
    os.makedirs(into, exist_ok=True)
    for f in os.listdir(build):
        if f in ('hsltest', 'hslctl') or f.startswith('libhsl.so'):
            shutil.copy(os.path.join(build, f), into, follow_symlinks=False)
    size = max(m['number'] for m in mutants) + 1
    if size > 4000:
        sys.exit('what is reached would not fit into a parameter: not so many mutants of the driver')
    with open(os.path.join(tree, 'kernel', 'mutant.h'), 'w', encoding='utf-8') as f:
        f.write('extern unsigned int hsl_mutant;\nextern unsigned char hsl_mutant_reached[];\n'
                '#define HSL_MUTANT(n) (hsl_mutant_reached[n] = 1, *(volatile unsigned int *)&hsl_mutant == (n))\n')
    with open(os.path.join(tree, 'kernel', 'Kbuild'), 'a', encoding='utf-8') as f:
        f.write('\nccflags-y += -w -include $(src)/mutant.h\nhsl-y += mutant.o\n')
    with open(os.path.join(tree, 'kernel', 'mutant.c'), 'w', encoding='utf-8') as f:
        f.write(DRIVER_MUTANT.replace('SIZE', str(size)))
    env = {k: v for k, v in os.environ.items() if k not in ('HSL_BUILD', 'HSL_FABRIC')}

    def compile_once():
        p = subprocess.run([os.path.join(tree, 'qemu/modules')], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, env=env, check=False)
        return (p.stderr or 'no modules') if p.returncode else ''

    return compile_until_clean(mutants, tree, compile_once)
