#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# bench.sh: hslbench on sim:, as a user calls it: exit status, where output goes, what is refused. No speed is judged.
set -u
build=${HSL_BUILD:-$(cd "$(dirname "$0")/.." && pwd)/build}
bench=$build/hslbench
check=$(dirname "$0")/bench_json.py
[ -x "$bench" ] || { echo "1..0 # SKIP $bench is not built"; exit 77; }
unset HSL_FABRIC HSL_HOST_MEMCPY_BASELINE
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"

run() { # run STATUS ARG…
	status=$1
	shift
	expect "$status" "$bench" "$@"
}
json() { # the shape, without a parser: guest bench-json has one
	[ "$(head -c 1 "$1")" = '{' ] && [ "$(tail -n 1 "$1")" = '}' ] && grep -q '"schema": "hslbench/1"' "$1"
}

run 0 --help && out '^usage: hslbench' && [ ! -s "$dir/err" ]; ok '--help'
run 0 --version && out '^hslbench [0-9.]+ \(HEP 1\.0\)$'; ok '--version'
for args in '' nonsense 'bw extra' 'bw --no-such-option' 'bw --size 0' 'bw --size 4KB' 'bw --op nothing' 'all --op c2c' \
	'bw --depth 8 --batch 16' 'bw --iters -1' 'bw --duration soon' 'bw --basis model' 'bw -f sim:nonsense4' \
	'bw -f sim:mesh4 --src 9' 'bw --ci much' 'bw --rounds 0' 'bw --window never' 'bw -f sim:mesh4,time=wall' 'bw -f sim:mesh4 --src 1 --dst 1' 'bw -f sim:mesh4 --depth 65536' \
	'bw --queues 0' 'bw --queues 5000' 'bw --threads 65' 'bw --pattern ring' 'bw --pattern all-pairs --bidir' 'bw --rate 0' 'bw --rate fast' 'bw --wait long' \
	'bw --offset 4096' 'bw --stride 0' 'lat --queues 2' 'all --threads 2' 'matrix --pattern pair' 'bw --op load --queues 2' 'bw --op h2c --pattern bisection' \
	'rate --op nop --bidir' 'bw -f sim:mesh4 --procs 2' 'bw -f sim:mesh4,time=modelled --threads 2' 'bw -f sim:mesh4,time=modelled --wait event' \
	'bw -f sim:mesh4 --numa 1000' 'baseline --numa 1000' 'load --map /none' 'bw --map /dev/zero' 'matrix --size 4K,8K' 'rate --size 4K' 'bw --depth 4,8' 'bw --batch 1,2' 'lat --depth 4' 'wake --batch 2'; do
	# shellcheck disable=SC2086
	run 2 $args && err '^hslbench: ' && [ ! -s "$dir/out" ]; ok "refused with 2: hslbench $args"
done
run 3 bw -f "$dir/none" && err 'no such fabric' && err 'hslctl doctor'; ok 'no device is 3, one line and a hint'

run 0 baseline --size 4K,64K --iters 100 && out '^4096=[0-9]+,65536=[0-9]+$'; ok 'baseline needs no fabric'
base=$(cat "$dir/out")

run 0 bw -f sim:mesh4 --size 1,100,4096,65537 --iters 100 && out 'emulator speed, not link speed' && ! out 'FAILED' &&
	[ "$(grep -c ' ok$' "$dir/out")" = 28 ]; ok 'bw: seven ways, four sizes, odd ones too'
run 0 bw -f sim:mesh4 --size 1M --iters 3; ok 'bw: fewer operations than rounds'
run 0 bw -f sim:mesh4 --op c2c --src 3 --dst 2 --size 4K --iters 64 --depth 64 --batch 32 && out 'c2c +chip 3 -> chip 2 '; ok 'bw: chips and operation chosen'
HSL_HOST_MEMCPY_BASELINE=$base run 0 bw -f sim:mesh4 --op c2c --size 4K --iters 100 && out 'host memcpy'; ok 'bw: second ratio'
HSL_FABRIC=sim:mesh4 run 0 lat --iters 100 && out '^  ping-pong .* ok$' && out '^  eventfd .*event.* ok$' && out '^  nop .*poll' && out '^  copy .*event'; ok 'lat, fabric from the environment'
run 0 bw -f sim:mesh4 --iters 3 --size 64,100 --op c2c,load --observable && out 'c2c .* ok$' && out 'load .*not run: observable memory'
ok 'observable memory of sim: goes by commands alone'
run 0 rate -f sim:mesh4 --iters 1000 --batch 1,8 --depth 8 && [ "$(grep -c ' ok$' "$dir/out")" = 4 ]; ok rate
run 0 all -f sim:pair2 --quick --iters 5 && out '^Bandwidth' && out '^Latency' && out '^Rate' && out '^Loads' && out '^Waking' && ! out FAILED
ok all

# modelled time: no threads, no clock but the model's
sim=sim:mesh4,time=modelled
for v in bw lat rate matrix load atomic mem wake collective coherence; do
	if [ $v = load ]; then
		run 77 load -f $sim --quick --iters 20 --json && run 0 load -f sim:pair2 --quick --iters 3 --json
	else
		run 0 $v -f $sim --quick --iters 20 --json
	fi && "$check" schema "$dir/out" $v 2>>"$dir/err"
	ok "$v --json: of its schema, and right"
done
run 0 mem -f $sim --quick --iters 3 --json && "$check" has "$dir/out" op=alloc rounds=None deterministic=None; ok 'mem: not measured in rounds, so none repeats another'
runs=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	run 0 all -f $sim --quick --iters 10 --json="$dir/run$i.json" && runs=$((runs + 1))
done
[ $runs = 10 ] && "$check" same "$dir"/run*.json 2>>"$dir/err"; ok 'modelled: ten runs are one document'
for v in bw lat; do
	run 0 $v -f $sim --iters 20 --size 64,4K,1M --json="$dir/up.json" && run 0 $v -f $sim --iters 20 --size 1M,4K,64 --json="$dir/down.json" &&
		run 0 $v -f $sim --iters 20 --size 4K --json="$dir/one.json" && "$check" sizes "$dir/up.json" "$dir/down.json" "$dir/one.json" 2>>"$dir/err"
	ok "$v: a size alone and sweeps in any order say the same"
done
truncate -s 4M "$dir/memory" && truncate -s 1M "$dir/small" && run 0 load -f sim:pair2 --op seq,chase --size 4K --iters 512 --map "$dir/memory" --json &&
	"$check" schema "$dir/out" load && "$check" has "$dir/out" op=chase src=memory ratio_to=ram errors=0 && run 77 load -f sim:pair2 --op seq --size 4K --iters 1 --map "$dir/small" &&
	err '/small: 4 MiB are needed'; ok 'load --map: memory of another kind beside RAM and chips'
if disk=$(losetup -f --show "$dir/small" 2>/dev/null); then
	run 77 load -f sim:pair2 --op seq --size 4K --iters 1 --map "$disk" && err "$disk: 4 MiB are needed"; ok 'load --map: a block device that is too small'
	losetup -d "$disk"
fi
run 0 matrix -f sim:ring16,mem=128M,time=modelled --json && "$check" topology "$dir/out" 2>>"$dir/err" && "$check" has "$dir/out" deterministic=True rounds=2 hops=8 &&
	! out '"deterministic": false'; ok 'modelled: a round that repeats the one before is the last'
for fabric in mesh16 switch4; do
	run 0 matrix -f sim:$fabric,mem=128M,time=modelled --iters 8 --json && "$check" topology "$dir/out" 2>>"$dir/err"
	ok "matrix of $fabric shows the topology"
done
run 0 matrix -f sim:ring20,mem=128M,time=modelled --iters 2 --op load && out '^ +20  \[' && out 'from 0\.38 to'; ok 'matrix of more chips than fit a screen: shades'
run 0 coherence -f $sim --iters 8 --json && "$check" has "$dir/out" op=load variant=hit basis=model-emergent && "$check" has "$dir/out" op=nop basis=model-input
ok 'coherence: emergent, its NOP an input'
run 0 collective -f sim:ring6,mem=128M,time=modelled --iters 9 --size 9600 && [ "$(grep -c ' ok$' "$dir/out")" = 5 ]; ok 'collectives of a ring of six: every element right after nine rounds'
run 77 collective -f sim:pair1 --iters 1 && err 'needs two chips'; ok 'collectives of one chip: not run, with the reason'
run 77 collective -f sim:mesh3 --iters 1 --size 1000 && err 'multiple of 8 bytes for each of 3'; ok 'a size that cannot be divided: not run, with the reason'
run 0 bw -f sim:mesh4 --size 4K --iters 10 --json && json "$dir/out" && ! out 'GB/s'; ok '--json on standard output'
run 0 bw -f sim:mesh4 --size 4K --iters 10 --json "$dir/f.json" && json "$dir/f.json" && out 'GB/s'; ok '--json FILE beside the tables'
run 3 bw -f sim:mesh4 --size 4K --iters 10 --json="$dir/no/f.json" && [ ! -s "$dir/out" ] && run 3 bw -f sim:mesh4 --size 4K --iters 10 --csv="$dir/no/f.csv" &&
	[ ! -s "$dir/out" ]
ok 'a file that cannot be written is 3, before anything is measured'
run 77 bw -f sim:mesh4,mem=128M --size 100M --iters 1 --op load,c2c && out 'not run: ' && err 'nothing was measured'; ok 'too large for the chip: not run, with the reason'

# suites
cat >"$dir/link.suite" <<'EOF'
# a link
bw --op c2c --size 64,4K --iters 7

lat --observable --op copy -s 64	# hits
collective --op all-reduce --size 4K
EOF
run 0 suite "$dir/link.suite" -f $sim --iters 5 --json="$dir/suite.json" && [ "$(grep -c ' ok$' "$dir/out")" = 4 ] &&
	"$check" schema "$dir/suite.json" bw && "$check" has "$dir/suite.json" verb=bw basis=model-input size_bytes=64 operations=7 &&
	"$check" has "$dir/suite.json" verb=lat basis=model-emergent observable=True operations=5 && "$check" has "$dir/suite.json" verb=bw observable=False; ok 'suite: options of the line, then of the command'
n_bad=0
for line in 'bw --size 0' 'nonsense' 'bw lat' 'lat --json' 'bw -f sim:pair2' 'baseline' 'lat --help' 'bw --src 99' '# nothing'; do
	printf 'lat --op nop\n%s\n' "$line" >"$dir/bad.suite"
	[ "$line" != '# nothing' ] || echo "$line" >"$dir/bad.suite"
	run 2 suite "$dir/bad.suite" -f $sim && [ ! -s "$dir/out" ] || n_bad=1
done
[ $n_bad = 0 ]; ok 'suite: a wrong line is refused before anything is measured'
run 3 suite "$dir/none.suite" -f $sim; ok 'suite: no such file'
run 0 bw -f $sim --op c2c -a -n 2 --json && "$check" has "$dir/out" size_bytes=2 && "$check" has "$dir/out" size_bytes=8388608; ok '-a: all sizes, as perftest'

# what links do, by the goodput of docs/hep.md section 9: 0.7 of 64 GB/s
run 0 load --op link --quick -f sim:pair2,profile=pcie5,time=modelled --json && "$check" schema "$dir/out" load && "$check" loaded "$dir/out" 44.8 2>>"$dir/err" &&
	"$check" has "$dir/out" basis=model-emergent clock=modelled deterministic=True; ok 'load link: latency rises as links near their goodput'
run 77 load --op link -f sim:mesh4 --iters 1 && err 'modelled time of sim: alone'; ok 'load link: not on a wall clock, with the reason'
run 77 load --op link -f sim:pair1,time=modelled --iters 1 && err 'needs two chips'; ok 'load link: not on one chip'

# many queues
run 0 bw -f sim:mesh4 --op c2c,h2c,fill --size 100,4K --queues 1,3 --iters 60 --json && "$check" schema "$dir/out" bw && "$check" has "$dir/out" op=c2c queues=3 flows=3 operations=60 &&
	"$check" has "$dir/out" op=fill size_bytes=100 queues=1 fairness=1; ok '--queues: each of the list'
for p in one-to-all=3 all-to-one=3 bisection=2 neighbours=4 all-pairs=12; do
	run 0 bw -f sim:mesh4 --size 4K --pattern ${p%=*} --queues 2 --threads 2 --iters 48 --json && "$check" schema "$dir/out" bw &&
		"$check" has "$dir/out" op=c2c pattern=${p%=*} flows=$((2 * ${p#*=})) operations=48 threads=2; ok "--pattern ${p%=*}: its pairs, by two threads"
done
run 0 bw -f sim:mesh4 --op c2c,h2c --size 4K --bidir --iters 10 && [ "$(grep -c 'both ways\|  2 .* ok$' "$dir/out")" = 3 ]; ok '--bidir: twice the queues'
run 0 rate -f sim:mesh4 --op nop --batch 2 --depth 8 --rate 1000 --iters 40 --wait event --json && "$check" schema "$dir/out" rate && "$check" has "$dir/out" wait=event rate_per_s=1000 operations=40 &&
	"$check" paced "$dir/out" 2>>"$dir/err"; ok '--rate: not faster than it is due, latency from then on'
run 0 bw -f $sim --op c2c --size 64 --queues 2 --observable --json && "$check" has "$dir/out" flows=2 basis=model-emergent deterministic=True; ok '--queues of observable memory, modelled'
# by HEP section 9 a link, a memory or a host port carries 14 / 18 of 64 GB/s of streams
shares() { # shares FABRIC PARTS OPTION…: what all queues move together
	fabric=sim:$1,profile=pcie5,time=modelled parts=$2
	shift 2
	run 0 bw -f "$fabric" --op c2c --size 1M --json "$@" && "$check" shared "$dir/out" 49.778 "$parts" 2>>"$dir/err" && "$check" has "$dir/out" basis=model-input deterministic=True
}
shares mesh4 1 --queues 4 && shares mesh4 1 --pattern all-to-one && shares mesh4 2 --pattern bisection && shares mesh4 4 --pattern neighbours --queues 2 && shares mesh4 4 --pattern all-pairs
ok 'modelled: queues share the link, the memory and the host port that all of them pass'
shares ring8 1 --pattern bisection && shares ring8 8 --pattern neighbours --queues 2 && shares switch4 1 --pattern all-to-one; ok 'modelled: ways share the links that they have in common'
run 0 bw -f $sim --op c2c --size 64 --queues 2 --iters 8 && out 'model-input: streams that share a link'; ok 'modelled: the table says so'
run 0 bw -f sim:pair2 --op c2c --size 4K --iters 10 --queues 4 --json && "$check" has "$dir/out" op=c2c operations=10 && out '"flow_ops_per_s_min": [1-9]' &&
	run 0 bw -f sim:pair2 --op c2c --size 4K --iters 3 --queues 4 --json && "$check" has "$dir/out" op=c2c fairness=None flow_ops_per_s_min=None flow_bytes_per_s_min=None
ok '--iters: queues have their turns over the rounds, and no number where one had none'
run 0 bw -f sim:mesh4 --op c2c,h2c,store --size 100 --offset 8 --stride 1000 --iters 20 --json && "$check" has "$dir/out" op=store offset_bytes=8 stride_bytes=1000; ok '--offset, --stride'
run 0 bw -f sim:mesh4 --op c2c,load --size 100 --offset 3 --iters 20 && out 'c2c .* ok$' && out 'load .*not run: words of 8 bytes'; ok '--offset: an odd one is of commands'
run 0 lat -f sim:mesh4 --op nop --wait poll --iters 10 && ! out '^  nop .*event'; ok 'lat --wait poll: nobody sleeps'
run 77 bw -f sim:mesh4 --op c2c --size 64 --queues 100 --iters 100 && out 'not run: queue of depth 16 on chip 1: '; ok 'more queues than a chip has: not run, with the reason'
run 77 bw -f sim:mesh4 --op c2c --size 64 --queues 2 --threads 4 --iters 100 && err '2 queues are too few for 4 threads'; ok 'fewer queues than threads: not run, with the reason'
run 0 bw -f $sim --op c2c --size 64 --iters 8 --json="$dir/q1.json" && run 0 bw -f $sim --op c2c --size 64 --queues 2 --iters 8 --json="$dir/q2.json" &&
	run 1 compare "$dir/q1.json" "$dir/q2.json" && out ' missing$' && sed '/"queues"\|"flow\|"bidirectional"/d' "$dir/q1.json" >"$dir/q0.json" && run 0 compare "$dir/q0.json" "$dir/q1.json"
ok 'compare: another number of queues is another measurement, one that nobody asked for is not'

# the table and the plot of make bench-peers, of a run that had two peers and lacked one
mkdir "$dir/peers" "$dir/docs" && cp "$dir/run1.json" "$dir/peers/hsl.json"
printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' 'wake, p50' ns less 4000 eventfd 1000 'Linux 6.1' 'hslbench wake' '' 'rate 64 B' M/s more 2 UCX 0.5 'UCX 1' 'a | b' '' \
	'load, store' '' '' '' 'CXL type 3' '' '' 'cxl create-region' 'no such device' >"$dir/peers/peers.tsv"
printf 'before\n<!-- peers: make bench-peers DOCS=1 writes this -->\nold\n<!-- peers: end -->\nafter\n' >"$dir/docs/benchmarking.md"
report=$(dirname "$0")/peers/report.py
expect 0 "$report" "$dir/peers" 'QEMU 7.2.22' 0.1 'CHIPS=2' && expect 0 "$report" --docs "$dir/peers" "$dir/docs" && expect 0 cat "$dir/docs/benchmarking.md" &&
	out '^\| rate 64 B, M/s \| UCX \| 0\.5 \| 2 \| 4 \| UCX 1 \| `a \\\| b` \|$' && out '^\| wake, p50, ns \| eventfd \| 1,000 \| 4,000 \| 0\.25 ' &&
	out 'CXL type 3 \| not run: no such device' && ! out 'old|busy' && out '^before$' && out '^after$' && grep -q 'rate 64 B: UCX' "$dir/docs/peers.svg"
ok 'bench-peers: table and plot'
expect 0 "$report" "$dir/peers" 'QEMU 7.2.22' 40 'CHIPS=2' && grep -q 'machine was busy' "$dir/peers/peers.md"; ok 'bench-peers: a busy machine is named'

# what is made of a document
before=$dir/run1.json
run 0 compare "$before" "$dir/run2.json" && out 'PASS' && out ' 0 better, 0 worse'; ok 'compare: the same'
for bad in '"results": 1' '"results": [ 1 ]' '"results": [ null ]'; do
	echo "{ \"schema\": \"hslbench/1\", $bad }" >"$dir/bad.json"
	run 3 report "$dir/bad.json" --csv && err 'not a document of hslbench' && run 3 compare "$dir/bad.json" "$before"; ok "a document with $bad is refused"
done
sed '0,/"bytes_per_s": [0-9.]*/s//"bytes_per_s": 1000000/' "$before" >"$dir/slow.json"
run 1 compare "$before" "$dir/slow.json" && out 'REGRESSION' && out '^  bw .* -[0-9.]+ % +worse$' && out ' 1 worse'; ok 'compare: one is worse'
run 0 compare "$dir/slow.json" "$before" && out 'PASS' && out ' 1 better'; ok 'compare: one is better'
for f in run1 slow; do
	sed 's/"size_bytes": [0-9]*/"size_bytes": -1/' "$dir/$f.json" >"$dir/minus-$f.json"
done
run 1 compare "$dir/minus-run1.json" "$dir/minus-slow.json" && out ' 1 worse' && ! out 'EiB|[0-9]{19}'; ok 'compare: a size that is none is none'
run 0 compare "$before" "$dir/slow.json" --tolerance 100 && out 'PASS'; ok 'compare: within the tolerance'
sed 's/"basis": "model-input"/"basis": "hardware"/' "$before" >"$dir/other.json"
run 1 compare "$before" "$dir/other.json" && out 'other basis'; ok 'compare: never across bases'
sed '0,/"errors": 0/s//"errors": 3/' "$before" >"$dir/wrong.json"
run 1 compare "$before" "$dir/wrong.json" && out ' 1 failed'; ok 'compare: an error is a failure'
run 0 matrix -f $sim --iters 10 --json="$dir/part.json" && run 1 compare "$before" "$dir/part.json" && out ' missing$'; ok 'compare: what is not there any more is missing'
number='"\(bytes_per_s\|ops_per_s\|p50\)": [0-9][0-9.]*'
sed "0,/$number/s//\"\\1\": null/" "$before" >"$dir/lost.json"
run 1 compare "$before" "$dir/lost.json" && out '^  bw .* missing$' && out ' 1 missing'; ok 'compare: a number that is not there any more is missing'
sed "s/$number/\"\\1\": null/" "$before" >"$dir/nothing.json"
run 1 compare "$dir/nothing.json" "$dir/nothing.json" && out ' 0 same' && ! out ' 0 without a number'; ok 'compare: no numbers are not the same numbers'
sed 's/"ci95": [^,]*/"ci95": 0.9/' "$before" >"$dir/wide.json"
sed '0,/"bytes_per_s": [0-9.]*/s//"bytes_per_s": 1000000000/' "$dir/wide.json" >"$dir/wide-slow.json"
run 0 compare "$dir/wide.json" "$dir/wide-slow.json" && out ' 1 unclear'; ok 'compare: bandwidth has an interval'
run 0 lat -f $sim --op nop --iters 10 --json="$dir/lat.json" && sed 's/"ci95": [^,]*/"ci95": 0.9/' "$dir/lat.json" >"$dir/wide.json" &&
	sed 's/"p50": [0-9.]*/"p50": 400/' "$dir/wide.json" >"$dir/wide-slow.json" && run 1 compare "$dir/wide.json" "$dir/wide-slow.json" && out ' us .* worse$'
ok 'compare: a median does not have that of the mean'
run 0 bw -f sim:pair2 --op c2c --size 64 --rate 1000 --iters 10 --json="$dir/paced.json" && sed 's/"p50": [0-9][0-9.]*/"p50": 1e9/' "$dir/paced.json" >"$dir/late.json" &&
	run 1 compare "$dir/paced.json" "$dir/late.json" && out ' us .* worse$'; ok 'compare: of commands due at a rate the latency, as their speed is what was asked for'
printf '%s\n' 'lat --op copy -s 64' 'lat --op copy -s 64 --observable' >"$dir/two.suite"
printf '%s\n' 'lat --op copy -s 64 --observable' 'lat --op copy -s 64' >"$dir/owt.suite"
for s in two owt; do
	run 0 suite "$dir/$s.suite" -f $sim --iters 10 --json="$dir/$s.json" && sed 's/"model-[a-z]*"/"hardware"/' "$dir/$s.json" >"$dir/$s-hw.json"
done
run 0 compare "$dir/two.json" "$dir/two.json" --tolerance 0 && out ' 2 same,.* 0 new'; ok 'compare: observable memory or not, with itself'
run 0 compare "$dir/two.json" "$dir/owt.json" && out ' 2 same,.* 0 new'; ok 'compare: observable memory or not, in another order'
run 0 compare "$dir/two-hw.json" "$dir/owt-hw.json" && out ' 2 same,.* 0 new'; ok 'compare: observable memory or not, where the basis is one'
sed '/"observable"/d' "$dir/two.json" >"$dir/earlier.json"
run 0 compare "$dir/earlier.json" "$dir/owt.json" && out ' 2 same,.* 0 new'; ok 'compare: a document that does not say which memory'
printf '%s\n' 'bw --op c2c -s 64 --iters 5' 'bw --op c2c -s 64 --iters 500' >"$dir/twice.suite"
run 0 suite "$dir/twice.suite" -f $sim --json="$dir/twice.json" && run 0 compare "$dir/twice.json" "$dir/twice.json" --tolerance 0 && out ' 2 same'
ok 'compare: each result once'
echo '{ "schema": "hslbench/1" }' >"$dir/empty.json"
run 3 compare "$before" "$dir/empty.json" && err 'not a document of hslbench' && run 3 compare "$before" "$0" && run 3 compare "$before" "$dir/none" &&
	run 2 compare "$before" && run 2 report "$before"; ok 'compare, report: what they refuse'
run 0 matrix -f $sim --iters 10 --baseline "$dir/part.json" && out 'PASS'; ok '--baseline: no worse'
run 1 matrix -f $sim,profile=pcie5 --iters 10 --baseline "$dir/part.json" && out 'REGRESSION' && err 'worse than'; ok '--baseline: a slower link is a regression'
run 0 all -f $sim --quick --iters 10 --expect default && out ' 0 are off' && ! out ' OFF$'; ok '--expect: every command takes what the profile says'
run 0 matrix -f sim:ring8,mem=128M,profile=pcie5,time=modelled --iters 10 --expect pcie5; ok '--expect: another profile, farther chips'
run 1 lat -f $sim --iters 10 --expect pcie5 && out ' OFF$' && err 'not what the profile says'; ok '--expect: not this profile'
run 1 lat -f sim:mesh4 --iters 10 --expect default && err 'no result of modelled time'; ok '--expect: wall time has no formula'
run 2 lat -f $sim --iters 10 --expect nothing; ok '--expect: no such profile'
run 0 report "$before" --csv && [ "$(wc -l <"$dir/out")" -gt 100 ] && "$check" columns "$dir/out" 2>>"$dir/err"; ok '--csv: all that the schema has, as many fields in each line'
head -n 1 "$dir/out" >"$dir/names"
sed '/"converged"\|"hops"/d' "$before" >"$dir/earlier.json"
run 0 report "$dir/earlier.json" --csv && head -n 1 "$dir/out" | cmp -s - "$dir/names"; ok '--csv: the columns of a document that does not have all'
echo earlier >"$dir/kept.csv"
(trap '' XFSZ; ulimit -f 16; run 3 report "$before" --csv="$dir/kept.csv" && err 'kept\.csv: ') && [ "$(cat "$dir/kept.csv")" = earlier ] &&
	[ "$(echo "$dir"/kept.csv*)" = "$dir/kept.csv" ]; ok '--csv: whole or not at all'
run 2 report "$before" --plot "$dir/p.gif"; ok '--plot: a picture of another kind is refused'
mkdir "$dir/bin"
PATH=$dir/bin run 3 report "$before" --plot "$dir/p.svg" && err 'gnuplot' && err 'apt-get install' && [ ! -e "$dir/p.svg" ]; ok '--plot without gnuplot: one line and a hint'
if command -v gnuplot >/dev/null; then
	run 0 report "$before" --plot "$dir/p.svg" --html "$dir/p.html" && [ ! -s "$dir/err" ] && grep -q '</svg>' "$dir/p.svg" &&
		grep -q 'modelled time, model-input' "$dir/p.svg" && [ "$(grep -c '<svg' "$dir/p.html")" = 10 ] &&
		! grep -Eq '(src|href) *= *.(https?:|/|file)' "$dir/p.html"; ok '--plot, --html: every verb, nothing from outside'
	grep -q '<image' "$dir/p.svg"
	[ $? = 1 ]; ok 'a heat map is cells, which no browser smooths'
	run 0 bw -f sim:mesh4,queues=128,time=modelled --op c2c --size 64,4K --queues 1,64 --iters 64 --plot "$dir/q.svg" && grep -q 'by queues at work at once' "$dir/q.svg" &&
		grep -q '>64<' "$dir/q.svg" && grep -q 'c2c 4 KiB' "$dir/q.svg"; ok '--plot of several numbers of queues'
	for c in 1 4 64; do
		run 0 rate -f sim:ring$c,mem=128M,time=modelled --op nop --batch 1 --depth 16 --iters 20 --json="$dir/chips$c.json" || break
	done && run 0 report "$dir/chips1.json" "$dir/chips4.json" "$dir/chips64.json" --plot "$dir/chips.svg" && grep -q 'rate, by chips of the fabric' "$dir/chips.svg" &&
		grep -q '>64<' "$dir/chips.svg" && run 2 report "$dir/chips1.json" "$dir/chips4.json" --csv; ok 'report of several documents: by chips of their fabrics'
	printf '%s\n' 'atomic --op add' 'coherence --op load' 'lat --op nop' 'matrix --op load' >"$dir/all.suite"
	for c in 2 3; do
		run 0 suite "$dir/all.suite" -f sim:mesh$c,mem=128M,time=modelled --iters 4 --json="$dir/all$c.json" || break
	done && run 0 report "$dir/all2.json" "$dir/all3.json" --plot "$dir/all.svg" && for of in 'add one counter' 'add spread' 'load hit, home chip 2' nop 'LOAD.* 2 chips' 'LOAD.* 3 chips'; do
		grep -q ">$of" "$dir/all.svg" || echo "# $of is not there" >>"$dir/err"
	done && [ ! -s "$dir/err" ]; ok 'report of several documents: every verb, each measurement a line of its own, a matrix for each fabric'
	run 0 lat -f sim:mesh2 --op nop --iters 4 --json="$dir/wait2.json" && run 0 lat -f sim:mesh4 --op nop --iters 4 --json="$dir/wait4.json" &&
		run 0 report "$dir/wait2.json" "$dir/wait4.json" --plot "$dir/wait.svg" && grep -q '>nop poll<' "$dir/wait.svg" && grep -q '>nop event<' "$dir/wait.svg"; ok 'how it waits is in the legend'
	run 0 bw -f sim:mesh4 --op c2c,memcpy --size 64 --queues 1,2 --iters 8 --plot "$dir/null.svg" && grep -q '>Bandwidth<' "$dir/null.svg" && grep -q '>c2c<' "$dir/null.svg"; ok '--plot: what has no queues has a picture of its own'
	run 0 bw -f $sim --op c2c --size 64,4K,64K --iters 4 --json="$dir/sizes.json"
	for x in 0 -1 1e300; do
		sed "s/\"size_bytes\": 64,/\"size_bytes\": $x,/" "$dir/sizes.json" >"$dir/size.json"
		expect 0 timeout 20 "$bench" report "$dir/size.json" --plot "$dir/size.svg" && grep -q '>4 KiB<' "$dir/size.svg"; ok "--plot: a size of $x is left out"
	done
	echo earlier >"$dir/kept.html"
	(trap '' XFSZ; ulimit -f $(($(wc -c <"$dir/p.html") / 1024)); run 3 report "$before" --html "$dir/kept.html") && [ "$(cat "$dir/kept.html")" = earlier ] &&
		[ "$(echo "$dir"/kept.html*)" = "$dir/kept.html" ]; ok '--html: whole or not at all'
	ln -s kept.html "$dir/link.html"
	run 0 report "$before" --html "$dir/link.html" && [ -L "$dir/link.html" ] && cmp "$dir/p.html" "$dir/kept.html"; ok '--html: a link keeps pointing to the file'
	echo '{ "schema": "hslbench/1", "results": [], "environment": { "chips": 3, "noise": { "noisy": true, "reasons": [ null ] } } }' >"$dir/odd.json"
	run 0 report "$dir/odd.json" --html "$dir/odd.html" && grep -q Noisy "$dir/odd.html"; ok '--html: an odd environment is no crash'
	sed -E 's/"(op|variant|src|dst|home|depth|batch|wait|fabric|cpu_model|command)": ("[^"]*"|[0-9]+)/"\1": "<i>\&\1"/' "$dir/lat.json" >"$dir/tags.json"
	run 0 report "$dir/tags.json" --html "$dir/tags.html" && ! grep -q '<i>' "$dir/tags.html" && for of in op src dst depth wait fabric command; do
		grep -q "&lt;i&gt;&amp;$of" "$dir/tags.html" || echo "# $of is not there" >>"$dir/err"
	done && [ ! -s "$dir/err" ]; ok '--html: text of the document is text'
	run 0 matrix -f sim:mesh4 --iters 4 --plot "$dir/p.png" && [ "$(head -c 4 "$dir/p.png" | tail -c 3)" = PNG ]; ok '--plot: PNG of a run'
	run 3 report "$before" --html "$dir/none/p.html"; ok '--html: where nothing can be written'
else
	echo "# SKIP pictures: no gnuplot"
fi

# chips that are wrong: what they did to data is said, where, and the run goes on to its end
bad=sim:pair2,deviate=copy-short
where='address 0x[0-9a-f]+ \(GA 0x[0-9a-f]+\) offset 0x'
run 1 bw -f $bad --op c2c --size 63,64 --iters 20 && err "^hslbench: c2c 63 B: wrong payload in chip 2: ${where}3e expected 0x.. got 0x.., 1 bytes differ" &&
	out ' 63 B .* FAILED [1-9]' && out ' 64 B .* ok$'
ok 'bw: a wrong byte by its address, offset, expected and got; the other size is right'
run 1 bw -f $bad --op c2c --size 63,64 --iters 20 --json && json "$dir/out" && err 'wrong payload'; ok 'and the document is one'
run 1 lat -f $bad --op copy --size 63,64 --iters 20 && err "^hslbench: copy 63 B: wrong payload in chip 2: ${where}3e " && out ' 64 B .* ok$'; ok 'lat'
run 1 matrix -f $bad --size 65 --iters 20 && err "^hslbench: matrix copy 65 B: wrong payload in chip 2: ${where}40 "; ok 'matrix'
run 1 atomic -f sim:pair2,deviate=atomic-twice --iters 200 && err '^hslbench: atomic add in chip .: address 0x[0-9a-f]+ \(GA 0x[0-9a-f]+\): expected a sum of [0-9]+ got [0-9]+'
ok 'atomic'
run 1 bw -f sim:pair2,deviate=completions-swapped --op c2c --size 64 --iters 20 && err 'completion of operation 1 where 0 was next'; ok 'completions out of order'

"$bench" bw -f sim:mesh4 --duration 1h --json >"$dir/out" 2>"$dir/err" &
pid=$!
sleep 1
kill -TERM $pid	# a background job of a script ignores SIGINT
wait $pid
[ $? = 1 ] && json "$dir/out" && out '"interrupted": true'; ok 'interrupted: a valid document, status 1'
finish
