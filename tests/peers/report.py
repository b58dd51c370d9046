#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# report.py OUT QEMU-VERSION LOAD VM-OPTIONS: OUT/peers.json, peers.md and peers.svg from the peers.tsv and hsl.json that peers.sh has left there.
# report.py --docs OUT DOCS: table and plot into DOCS/benchmarking.md, between its two marks, and DOCS/peers.svg.
import json
import os
import re
import subprocess
import sys

BEGIN, END = '<!-- peers: make bench-peers DOCS=1 writes this -->', '<!-- peers: end -->'
FIELDS = ('measurement', 'unit', 'better', 'hsl', 'peer', 'value', 'version', 'command', 'skipped')
ORDER = ('write bandwidth', 'rate', 'latency', 'load 64', 'store', 'load latency', 'load', 'wake')


def rank(measurement):
    return next((i for i, o in enumerate(ORDER) if measurement.startswith(o)), len(ORDER))


def read(out):
    results = []
    with open(os.path.join(out, 'peers.tsv'), encoding='utf-8') as lines:
        for line in lines:
            cells = line.rstrip('\n').split('\t')
            r = dict(zip(FIELDS, cells + [''] * len(FIELDS)))
            r['hsl'], r['value'] = (float(r[k]) if r[k] else None for k in ('hsl', 'value'))
            better = (r['hsl'] / r['value'] if r['better'] == 'more' else r['value'] / r['hsl']) if r['hsl'] and r['value'] else None
            r['ratio'] = better
            results.append({k: v if v != '' else None for k, v in r.items()})
    return sorted(results, key=lambda r: rank(r['measurement']))


def code(command):
    return '`' + command.replace('|', '\\|') + '`'


def cell(v):
    return '–' if v is None else f'{v:.3g}' if v < 100 else f'{v:,.0f}'


def table(doc):
    env = doc['environment']
    lines = [
        f"{env['cpus']} x {env['cpu_model']}, {doc['qemu']}, guest {env['kernel']}, libhsl {env['libhsl']}. *Emulator speed, not link speed.*",
        '*ratio*: how many times better hsl is; below 1 the peer is ahead.', '',
        '| measurement | peer | peer has | hsl has | ratio | version | command |', '|---|---|---|---|---|---|---|']
    if doc['host']['load'] > doc['host']['cpus'] / 2:
        lines[1] += f" **The machine was busy (load {doc['host']['load']:.1f} on {doc['host']['cpus']} CPUs): not even the order of magnitude is sure.**"
    for r in doc['results']:
        if r['skipped']:
            lines.append(f"| {r['measurement']} | {r['peer']} | not run: {r['skipped']} | – | – | – | {code(r['command'])} |")
        else:
            lines.append(f"| {r['measurement']}, {r['unit']} | {r['peer']} | {cell(r['value'])} | {cell(r['hsl'])} | {cell(r['ratio'])} | "
                         f"{r['version']} | {code(r['command'])} |")
    lines += ['', f"VM: `qemu/vm {doc['vm'].strip()}`"]
    return '\n'.join(lines) + '\n'


def plot(doc, path):
    rows = [r for r in doc['results'] if r['ratio']]
    text = lambda s: s.replace('"', '').replace('_', '\\_')
    names = ', '.join(f'"{text(r["measurement"])}: {text(r["peer"])}" {len(rows) - i}' for i, r in enumerate(rows))
    data = '\n'.join(f'{r["ratio"]:.6g} {len(rows) - i} {cell(r["ratio"])}' for i, r in enumerate(rows))
    least, most = (f(r['ratio'] for r in rows) for f in (min, max))
    script = f'''set terminal svg size 900,{120 + 24 * len(rows)} font "sans-serif,12" background rgb "white"
set output "{path}"
set title "hsl next to what one would take instead (emulator speed, not link speed)"
set logscale x
set xrange [{min(least, 1) / 8}:{max(most, 1) * 8}]
set yrange [0.4:{len(rows) + 0.6}]
set ytics ({names}) scale 0
set format x "%g"
set xlabel "how many times better hsl is (below 1: the peer is)"
set grid xtics
set lmargin 44
unset key
set arrow from 1,0.4 to 1,{len(rows) + 0.6} nohead lw 2 lc rgb "#404040" front
$rows << EOD
{data}
EOD
set style fill solid
plot $rows using 1:2:(1):1:($2-0.33):($2+0.33):($1 < 1 ? 0xc46a4a : 0x4a7fb5) with boxxyerror lc rgb variable, \\
     $rows using ($1 < 1 ? $1 : NaN):2:3 with labels right offset -0.5,0, $rows using ($1 >= 1 ? $1 : NaN):2:3 with labels left offset 0.5,0
'''
    subprocess.run(['gnuplot'], input=script, text=True, check=True)


def write(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def report(out, qemu, load, vm):
    with open(os.path.join(out, 'hsl.json'), encoding='utf-8') as f:
        environment = json.load(f)['environment']
    # where files happen to be is no part of what was measured
    vm = re.sub(r'path=/\S*/ivshmem', 'path=SOCKET', vm)
    doc = {'schema': 'hsl-peers/1', 'qemu': qemu, 'vm': vm, 'host': {'cpus': os.cpu_count(), 'load': float(load)}, 'environment': environment, 'results': read(out)}
    write(os.path.join(out, 'peers.json'), json.dumps(doc, indent=2, ensure_ascii=False) + '\n')
    write(os.path.join(out, 'peers.md'), table(doc))
    plot(doc, os.path.join(out, 'peers.svg'))
    print(f'{out}/peers.md, peers.svg, peers.json')


def docs(out, to):
    path = os.path.join(to, 'benchmarking.md')
    with open(path, encoding='utf-8') as f:
        text = f.read()
    with open(os.path.join(out, 'peers.md'), encoding='utf-8') as f:
        new = f'{BEGIN}\n\n{f.read()}\n![hsl next to its peers](peers.svg)\n\n{END}'
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        sys.exit(f'report.py: {path} has not both marks')
    write(path, before + new + after)
    with open(os.path.join(out, 'peers.svg'), encoding='utf-8') as f:
        write(os.path.join(to, 'peers.svg'), f.read())


if sys.argv[1] == '--docs':
    docs(*sys.argv[2:4])
else:
    report(*sys.argv[1:5])
