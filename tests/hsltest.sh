#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# hsltest.sh: hsltest and hslctl on sim:, as a user calls them: what they print, refuse and return.
# hsltest.sh [asan] TOPOLOGY…: the suite on these, with asan under address and undefined-behaviour sanitizers. All of it on the
# first; the others, and sanitizers, do without what is long and the same everywhere.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${HSL_BUILD:-$(cd "$(dirname "$0")/.." && pwd)/build}
hsltest=$build/hsltest hslctl=$build/hslctl
[ -x "$hsltest" ] && [ -x "$hslctl" ] || { echo "1..0 # SKIP hsltest or hslctl is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"

quick=

run() { expect "$@"; }
# until it has a result, for at most a minute
first() {
	for _ in $(seq 600); do
		grep -q '^ok 1 ' "$1" && return
		sleep 0.1
	done
}
json() { [ "$(head -c 1 "$dir/out")" = '{' ] && [ "$(tail -n 1 "$dir/out")" = '}' ] && out "\"schema\": \"$1\""; }

if [ "${1-}" = asan ]; then
	shift
	top=$(cd "$(dirname "$0")/.." && pwd)
	[ -f "$build/asan/libhsl.a" ] && [ -f "$build/asan/libcommon.a" ] ||
		{ echo "1..0 # SKIP no libhsl with sanitizers"; exit 77; }
	hsltest=$dir/hsltest
	# shellcheck disable=SC2046
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE= -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
		-fno-omit-frame-pointer -I"$top/include" -I"$top/include/uapi" -I"$top/tools/common" -I"$top" -o "$hsltest" \
		"$top"/tools/hsltest/*.c "$build/asan/libcommon.a" "$build/asan/libhsl.a" \
		$(pkg-config --libs json-c) -lm -pthread || { echo "not ok - hsltest does not compile"; exit 1; }
	[ $# -gt 0 ] || set -- mesh4
	quick=--quick
fi
if [ $# -gt 0 ]; then	# the suite on these
	for topo; do
		run 0 "$hsltest" run $quick -f "sim:$topo" && ! out '^not ok' && out '^ok .* HEP-TXN-004 copy_alignment$'
		ok "every test on sim:$topo${quick:+ ($quick)}: $(sed -n 's/^# \([0-9]* passed.*\)/\1/p' "$dir/out")"
		quick=--quick
	done
	finish
fi

for tool in "$hsltest" "$hslctl"; do
	name=$(basename "$tool")
	run 0 "$tool" --help && out "^usage: $name" && [ ! -s "$dir/err" ]; ok "$name --help"
	run 0 "$tool" --version && out "^$name [0-9.]+ \(HEP 1\.0\)\$"; ok "$name --version"
	for args in '' nonsense '--no-such-option'; do
		# shellcheck disable=SC2086
		run 2 "$tool" $args && err "^$name: " && [ ! -s "$dir/out" ]; ok "refused with 2: $name $args"
	done
done
run 2 "$hslctl" list extra; ok 'refused with 2: hslctl list extra'
run 2 "$hslctl" topo --pci; ok 'refused with 2: hslctl topo --pci'
run 2 "$hslctl" list -f sim:nonsense4; ok 'refused with 2: hslctl list -f sim:nonsense4'
run 2 "$hsltest" run -f sim:mesh4 'NO-SUCH-*'; ok 'a pattern that matches nothing is 2'
run 2 "$hsltest" run --seed x; ok '--seed x is 2'
run 2 "$hsltest" run --time-limit 0; ok '--time-limit 0 is 2'
run 2 "$hsltest" run -f sim:nonsense4; ok 'sim:nonsense4 is 2'
run 3 "$hsltest" run -f "$dir/none" && err 'hslctl doctor'; ok 'no device is 3, with a hint'
run 3 "$hslctl" list -f "$dir/none"; ok 'hslctl list: no device is 3'
run 3 "$hslctl" topo -f "$dir/none"; ok 'hslctl topo: no device is 3'
run 1 "$hslctl" doctor -f "$dir/none" && out '^FAIL +device' && out '^NOT CHECKED +fabric'; ok 'hslctl doctor: no device is 1 and names the layer'

run 0 "$hsltest" list && [ "$(grep -c 'HEP-' "$dir/out")" -ge 45 ]; ok 'list: 45 tests or more'
run 0 "$hsltest" list 'HEP-TXN-*' && out copy_alignment && ! out 'HEP-MAP'; ok 'list with a pattern'
run 0 "$hsltest" list --json && json hsltest-list/1; ok 'list --json'
run 0 "$hsltest" list --requirements && out 'HEP-TXN-004 .*copy_alignment, copy_sizes'; ok 'list --requirements'
run 0 "$hsltest" list --requirements --json && json hsltest-requirements/1; ok 'list --requirements --json'

run 0 "$hsltest" run -f sim:pair2 TXN-001 ORD && out '^TAP version 13$' && out '^1\.\.[0-9]+$' && out '^ok 1 - HEP-TXN-001 nop$'
ok 'TAP in a pipe'
run 0 "$hsltest" run --table -f sim:pair2 TXN-001 && out '^ +group +passed' && out '^1 passed, 0 failed, 0 skipped$'; ok '--table'
run 0 "$hsltest" run --json -f sim:pair2 TXN-001 HEP-API-002 && json hsltest/1 && out '"verdict": "skip"' &&
	out '"reason": "no kernel ABI on this backend"' && out '"verdict": "pass"'; ok '--json'
run 0 "$hsltest" run --quick -f sim:pair2,home=4 coh_storm && out 'on 64 lines, [1-9][0-9]* told RETRY$'; ok 'homes with little room say RETRY'
run 2 "$hsltest" run -f sim:pair2,home=1 coh_storm && err 'home is 2 to 65536'; ok 'home=1 is refused, with what home may be'
# who looks at rings, registers and files lets modelled time go on
run 0 "$hsltest" run --quick -f sim:pair2,time=modelled raw_cookies timeouts raw_timeouts data_before_signal waits moderation config_errors refused_queues \
	home_decides fatal_contained destroyed_completes && ! out '# SKIP' && out '^# 11 passed'; ok 'tests that poll without the library, in modelled time'
run 77 "$hsltest" run -f sim:pair2 HEP-API-002; ok 'all skipped is 77'
HSL_FABRIC=sim:pair2 run 0 "$hsltest" run TXN-001; ok 'fabric from the environment'

"$hsltest" run --tap -f sim:mesh4 >"$dir/out" 2>"$dir/err" &
pid=$!
first "$dir/out"
kill -TERM $pid
wait $pid
[ $? = 1 ] && out '^Bail out! interrupted' && out '^ok 1 '; ok 'interrupted: status 1, what was tested is reported'
"$hsltest" run --json -f sim:mesh4 >"$dir/out" 2>"$dir/err" &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
[ $? = 1 ] && json hsltest/1 && out '"interrupted": true'; ok 'interrupted: a valid document'

for topo in pair2 ring8 mesh4 switch16; do
	run 0 "$hslctl" list -f "sim:$topo" && [ "$(grep -Ec '^ +[0-9]+ .* ready ' "$dir/out")" = "${topo##*[a-z]}" ]; ok "list of $topo"
	run 0 "$hslctl" topo -f "sim:$topo" && out 'model-input' && out ' L0 '; ok "topo of $topo"
done
run 0 "$hslctl" topo -f sim:ring8 && out '^ +1 +0 +1 +2 +3 +4 +3 +2 +1$'; ok 'hops of a ring of eight'
run 0 "$hslctl" topo -f sim:switch64,mem=128M && [ "$(grep -c 'from . to' "$dir/out")" = 4 ] && [ "$(grep -Ec '^ +64( +2){15} +0$' "$dir/out")" = 1 ] &&
	! out '.{100}'
ok 'hops of 64 chips fit a terminal'
run 0 "$hslctl" list -f sim:mesh4 --json && json hslctl/1 && out '"mem_bytes": [0-9]+'; ok 'list --json'
run 0 "$hslctl" topo -f "sim:$here/../docs/fabrics/two-switches.conf" && out ' chip 5 ' && out '^ +1 +0 +2 +2 +2 +3 +3 +3 +3$'
ok 'links and hops of a fabric file'
run 2 "$hslctl" topo -f "sim:$here/../docs/fabric-files.md" && err 'line 1: \[profile\] or \[topology\] comes first'
ok 'refused with the line: a file that is none'
run 0 "$hslctl" topo -f sim:mesh4 --json && json hslctl/1 && out '"basis": "model-input"'; ok 'topo --json'
run 0 "$hslctl" doctor -f sim:mesh4 && [ "$(grep -c 'a NOP completes' "$dir/out")" = 4 ] && out '^healthy:'; ok 'doctor of sim:mesh4'
run 0 "$hslctl" doctor -f sim:mesh4 --json && json hslctl/1 && out '"healthy": true'; ok 'doctor --json'
run 0 "$hslctl" mem -f sim:mesh4 && [ "$(grep -c ' MiB ' "$dir/out")" = 4 ]; ok 'mem of sim:mesh4'
run 0 "$hslctl" mem -f sim:mesh4 --json && json hslctl/1 && out '"numa_node": null'; ok 'mem --json'
run 1 "$hslctl" mem online 128M -f sim:mesh4 && err 'on a driver'; ok 'mem online of sim: is refused'
run 2 "$hslctl" mem online -f sim:mesh4; ok 'refused with 2: hslctl mem online without a size'
run 2 "$hslctl" list --chip 1 -f sim:mesh4; ok 'refused with 2: hslctl list --chip 1'
run 0 "$hslctl" list --pci -f sim:mesh4; ok 'list --pci'
run 0 "$hslctl" link -f sim:mesh4 && [ "$(grep -c ' L0 ' "$dir/out")" = 12 ]; ok 'link of sim:mesh4'
run 0 "$hslctl" link -f sim:mesh4 --node 2 --link 1 && [ "$(grep -c ' L0 ' "$dir/out")" = 1 ] && out '^ +2 +1 +chip 3 +L0 '
ok 'link: one link'
run 0 "$hslctl" link -f sim:mesh4 --watch --for 50ms --json && json hslctl/1 && out '"events": \[' && out '"rate_mtps": [1-9]'
ok 'link --watch --json'
run 0 "$hslctl" stat -f sim:mesh4 && [ "$(grep -c ' sent ' "$dir/out")" = 12 ] && out '^Caches$' && out '^ +4 +host port +0 '
ok 'stat of sim:mesh4'
run 0 "$hslctl" stat -f sim:pair2 --node 1 --link 0 --json && json hslctl/1 && out '"tx_flits": [0-9]+' && out '"chips": \[$|"chips": \[\]'
ok 'stat --json: one link'
run 0 "$hslctl" stat -f sim:pair2 --interval 20ms --for 100ms --nonzero && out '^Nothing was counted.$'; ok 'stat --interval'
run 0 "$hslctl" stat -f sim:pair2 --watch --interval 20ms --for 50ms && out '^Links, per second$'; ok 'stat --watch in a pipe'
run 0 "$hslctl" monitor -f sim:pair2 --interval 20ms --for 50ms && out 'seconds  event' && [ "$(wc -l <"$dir/out")" = 1 ]
ok 'monitor in a pipe: nothing happens, nothing is printed'
run 0 "$hslctl" monitor -f sim:pair2 --interval 20ms --for 50ms --json &&
	[ "$(grep -c '^{"schema":"hslctl/1","verb":"monitor","line":"sample",.*"tx_bytes_per_s":.*}$' "$dir/out")" -ge 2 ]
ok 'monitor --json: a document a line'
run 0 "$hslctl" monitor -f sim:pair2 --interval 1h --for 20ms --json && [ "$(grep -c '"line":"sample"' "$dir/out")" = 2 ]; ok 'monitor: the last sample is of its end'
run 3 "$hslctl" monitor -f sim:mesh4 --node 9 --for 1 && err 'no chip 9'; ok 'monitor: no such chip is 3'
if command -v script >/dev/null; then
	expect 0 env TERM=xterm script -qec "stty rows 12 cols 100; $hslctl monitor -f sim:mesh4 --interval 50ms --for 200ms" /dev/null &&
		grep -q '[[][?]1049h' "$dir/out" && grep -q '[[][?]1049l' "$dir/out" && out 'more lines: a larger window'
	ok 'monitor on a terminal: its own screen, cut to the window, and back'
	expect 0 env TERM=xterm script -qec "$hslctl monitor -f sim:pair2,time=modelled --interval 1h --for 20ms" /dev/null &&
		out 'modelled time' && ! out 'emulator speed|the last 0\.0 s'
	ok 'monitor of modelled time says so'
	expect 0 env TERM=xterm script -qec "$hslctl stat -f sim:pair2 --watch --interval 1h --for 20ms" /dev/null && out '^.{0,20}Links' && out 'Sensors'
	ok 'stat --watch on a terminal: what is so now until the first interval is over'
fi
: >"$dir/out"	# that of the test before says nothing
"$hslctl" monitor -f sim:pair2 >"$dir/out" 2>"$dir/err" &
pid=$!
for _ in $(seq 100); do
	[ -s "$dir/out" ] && break
	sleep 0.1
done
kill -TERM $pid
wait $pid
[ $? = 0 ] && [ ! -s "$dir/err" ]; ok 'monitor: a signal is its good end'
run 0 "$hslctl" dump -f sim:pair2 && out '^==== hslctl doctor ====$' && out ' a NOP completes$' && out '^All counters are zero' && out '^/proc/version: '
ok 'dump of sim:pair2'
run 0 "$hslctl" dump -f sim:pair2 -o "$dir/report" && [ ! -s "$dir/out" ] && grep -q '^==== system ====$' "$dir/report"; ok 'dump -o'
run 3 "$hslctl" dump -f sim:pair2 -o "$dir/none/report" && err 'none/report'; ok 'dump: a file that cannot be written is 3'
run 0 "$hslctl" doctor -f sim:pair2 --lang zh_CN && out ' NOP 可以完成$'; ok 'doctor in Chinese'
LC_ALL=zh_CN.UTF-8 run 0 "$hslctl" doctor -f sim:pair2 && out ' NOP 可以完成$'; ok 'doctor by the locale'
LC_ALL=zh_CN.UTF-8 run 0 "$hslctl" doctor -f sim:pair2 --json && out '"detail": "a NOP completes"'; ok 'doctor --json does not follow it'
run 0 "$hslctl" inject -f sim:pair2 --node 2 fatal && out '^chip 2: fatal error' && ! out 'until ctrl-C'; ok 'inject fatal'
run 3 "$hslctl" stat -f sim:mesh4 --node 9 && err 'no chip 9'; ok 'stat: no such chip is 3'
run 3 "$hslctl" link -f sim:mesh4 --link 3 && err 'no link 3'; ok 'link: no such link is 3'
while IFS= read -r args; do
	# shellcheck disable=SC2086
	run 2 "$hslctl" $args && err '^hslctl: ' && [ ! -s "$dir/out" ]; ok "refused with 2: hslctl $args"
done <<-END
	stat --for 1
	monitor --watch
	monitor extra
	dump --json
	dump -o
	list -o file
	doctor --lang xx
	list --lang en
	stat --interval 0
	link --interval 1
	link --node 0
	list --node 1
	topo -- true
	capture
	capture -w
	capture -w - --json
	inject
	inject nonsense
	inject ber
	inject ber 1.5
	inject ber -1
	inject burst 1e-3 1
	inject seed
	inject crc 0
	inject crc 1@
	inject crc 1 lose 1
	inject crc 1 --
	inject late 1
	inject delay 1 5x
	inject lane 3
	inject fatal ber 1e-6
	inject link sideways
	inject poison 64
	inject poison 0x1000000000000 --node 2 -f sim:pair2
	inject crc 1 -f sim:pair2
	inject crc 1 --node 1 -f sim:mesh4
	inject ber 1e-6 clear
	list -f nonsense
	list -f flit:unix:/nowhere
END
err '^hslctl: flit:unix:/nowhere: not a fabric'; ok 'no fabric at all: what one is'

# output that nobody takes: said with its reason, at once, also where a write long ago failed; or the reader has had enough
unset HSL_FABRIC
for args in 'hslctl list' 'hslctl list --json' 'hslctl dump' 'hslctl --version' 'hslctl monitor' 'hslctl link --watch' 'hslctl stat --interval 20ms' \
	'hslctl capture -w - --for 10ms' 'hsltest --version' 'hsltest list' 'hsltest run --json copy_alignment' \
	'hsltest run --html - copy_alignment' 'hslbench --version' 'hslbench lat --iters 1' 'hslbench lat --iters 1 --json' 'hslbench lat --iters 1 --csv'; do
	# shellcheck disable=SC2086
	HSL_FABRIC=sim:pair2 timeout 60 "${hslctl%hslctl}"$args >/dev/full 2>"$dir/err"
	[ $? = 3 ] && err '^[a-z]*: cannot write to standard output: No space left on device$' && [ "$(grep -c 'No space' "$dir/err")" = 1 ]; ok "a full disk: $args"
done
for args in 'hslctl inject clear --node 1' 'hslbench lat --iters 1'; do
	# shellcheck disable=SC2086
	HSL_FABRIC=sim:pair2 timeout 60 "${hslctl%hslctl}"$args >&- 2>"$dir/err"
	[ $? = 3 ] && err 'cannot write to standard output: Bad file descriptor$'; ok "no standard output: $args"
done
for args in monitor 'link --watch' 'stat --interval 20ms'; do
	# shellcheck disable=SC2086
	{ timeout 60 "$hslctl" $args -f sim:pair2 2>"$dir/err"; echo $? >"$dir/rc"; } | head -n 1 >"$dir/out"
	[ "$(wc -l <"$dir/out")" = 1 ] && [ "$(cat "$dir/rc")" != 124 ] && [ ! -s "$dir/err" ]; ok "a reader that leaves: hslctl $args"
done
# a hang-up instead of an error: a socket, all of it read
timeout 60 python3 -c "
import socket, subprocess, sys
ours, its = socket.socketpair()
p = subprocess.Popen(sys.argv[1:], stdout=its)
its.close()
while b'seq' not in ours.recv(4096):
    pass
ours.close()
p.wait()" "$hslctl" monitor -f sim:pair2 2>"$dir/err"
[ $? = 0 ] && [ ! -s "$dir/err" ]; ok 'a reader that hangs up: hslctl monitor'
# what is not on standard output does not end with its reader: that has gone, and then it sleeps in poll(), out of which its end would come
mkfifo "$dir/fifo"
lasts() { # lasts FILE READER ARG…
	file=$1 reader=$2
	shift 2
	"$hslctl" "$@" --node 1 -f sim:pair2 >"$file" 2>"$dir/err" &
	$reader
	slept=1
	for _ in $(seq 3000); do
		grep -qs poll "/proc/$!/wchan" && slept=0 && break
		grep -qs '^State:.[^Z]' "/proc/$!/status" || break
		sleep 0.02
	done
	kill $! 2>/dev/null
	wait $!
	return $slept
}
reads() { head -n "$1" <"$dir/fifo" >"$dir/out"; }
lasts "$dir/fifo" 'reads 1' monitor --interval 60s --for 60s; ok 'a reader that leaves does not end it: hslctl monitor --for'
for args in 'inject link down --for 60s' 'inject link down' 'capture -w /dev/null --for 60s' 'capture -w /dev/null'; do
	# shellcheck disable=SC2086
	lasts "$dir/fifo" 'reads 0' $args; ok "a reader that leaves does not end it: hslctl $args"
done
lasts /dev/full true inject link down --for 60s; ok 'a full disk does not end it: hslctl inject'
# a status of inject is its command's, though nobody has read what it said; what could not be written is told
gone() { (trap '' PIPE; while echo; do :; done) 2>/dev/null; } # after it there is no reader any more
injects() { timeout 60 "$hslctl" inject link down --node 1 -f sim:pair2 "$@" 2>"$dir/err"; echo $? >"$dir/rc"; }
{ gone; injects --for 10ms; } | true; [ "$(cat "$dir/rc")" = 0 ]; ok 'no reader: inject'
{ gone; injects --json -- true; } | true; [ "$(cat "$dir/rc")" = 0 ]; ok 'no reader: inject with a command'
{ gone; injects --json -- sh -c 'exit 5'; } | true; [ "$(cat "$dir/rc")" = 5 ]; ok 'no reader: inject with a command that fails'
injects --json -- true >/dev/full; [ "$(cat "$dir/rc")" = 3 ] && err 'No space left on device$'; ok 'a full disk: inject with a command'
injects --json -- sh -c 'exit 5' >/dev/full; [ "$(cat "$dir/rc")" = 5 ] && err 'No space left on device$'
ok 'a full disk: inject with a command that fails'
# ticks of the CPU that hslctl takes while its command sleeps
cat >"$dir/ticks" <<'END'
# shellcheck disable=SC2046
ticks() { set -- $(cat "/proc/$PPID/stat"); echo $((${14} + ${15})); }
before=$(ticks)
sleep 1
[ $(($(ticks) - before)) -lt 20 ]
END
{ timeout 60 "$hslctl" inject link down --node 1 -f sim:pair2 -- sh "$dir/ticks" 2>"$dir/err"; echo $? >"$dir/rc"; } | true
[ "$(cat "$dir/rc")" = 0 ]; ok 'a reader that leaves: inject with a command sleeps'
expect 0 "$hslctl" inject link down --node 1 -f sim:pair2 -- true && err '^hslctl: the chips of sim:pair2 are in this process: true does not see them$'
ok 'inject: a command does not see chips of sim:'

finish
