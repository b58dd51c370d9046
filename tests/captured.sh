#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# captured.sh [vm]: what programs do on observable memory, captured by the emulator (docs/capture.md) on sim:, or in a
# VM. hsltest and tshark find nothing wrong in it; a process that is killed leaves a file that can be read; a file that
# cannot be written is told and harms nobody.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${HSL_BUILD:-$top/build}
hsltest=$build/hsltest
[ -x "$hsltest" ] || { echo "1..0 # SKIP hsltest is not built"; exit 77; }
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$top/tests/checks.sh"

check() { # check FILE [--complete]: whole blocks, nothing wrong, flits to look at
	file=$1
	shift
	"$hsltest" check-trace "$@" "$file" >"$dir/out" 2>"$dir/err" && sound
}
sound() {
	! out '^not ok' && out '^ok . - HEP-LNK-005 [1-9][0-9]* checked' && out '^ok . - HEP-TXN-021 [1-9][0-9]* checked'
}
frames() { # frames FILE FILTER…: how many pass each one, counted in one pass. No plugins of the user's.
	file=$1
	shift
	stat='io,stat,0'
	for filter; do
		stat="$stat,$filter"
	done
	HOME="$dir" tshark -q -X "lua_script:$top/tools/wireshark/hsl.lua" -r "$file" -z "$stat" >"$dir/out" 2>"$dir/err" &&
		! grep -v '^Running as user' "$dir/err" >&2 &&	# what the dissector says about itself is an error
		awk -F'|' '/<>/ { for (i = 3; i < NF; i += 2) printf "%d ", $i; rows++ } END { exit rows != 1 }' "$dir/out"
}
looks() { # looks FILE: both ends train, send and receive the same flits, and none is impossible
	command -v tshark >/dev/null || return 0
	set -- "$1" '_ws.expert.severity == error || hsl.expert.gap || hsl.expert.orphan'
	for end in 1 2; do
		from="hsl.src == $end" flit="hsl.src == $end && hsl.dst == $((3 - end)) && hsl.kind == 1"
		set -- "$@" "$from && hsl.state == 3" "$from && hsl.ts.new == 1 && hsl.rx == 0" \
			"$from && hsl.pkt.opcode && hsl.rx == 0" "$flit && hsl.rx == 0" "$flit && hsl.rx == 1"
	done
	# shellcheck disable=SC2046
	set -- $(frames "$@")
	[ $# = 11 ] && [ "$1" = 0 ] || return 1
	shift
	while [ $# -gt 0 ]; do # an end: trained, in training sets, packets, flits sent, those that arrived
		[ "$1" -gt 0 ] && [ "$2" -gt 0 ] && [ "$3" -gt 0 ] && [ "$4" = "$5" ] || return 1
		shift 5
	done
}

f=$dir/whole.pcapng
if [ "${1-}" = vm ]; then
	"$top/qemu/vm" CHIPS=2 CAPTURE="$f" RUN="hsltest run 'obs_*'" >"$dir/out" 2>"$dir/err"
	ok 'a run in a VM'
else
	"$hsltest" run -f "sim:pair2,capture=$f" 'obs_*' >"$dir/out" 2>"$dir/err"
	ok 'a run on sim:'
fi
check "$f" --complete
ok 'nothing is wrong in what its links carried'
looks "$f"
ok 'tshark sees training, flits and packets of both ends'
if [ "${1-}" = vm ]; then
	finish
fi

f=$dir/killed.pcapng
"$hsltest" run -f "sim:pair2,capture=$f" 'obs_*' >/dev/null 2>&1 &
pid=$!
until [ -n "$(find "$f" -size +100k 2>/dev/null)" ] || ! kill -0 $pid 2>/dev/null; do :; done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
check "$f" || { err 'the file ends within a block$' && sound; } # the kernel, too, writes page by page
ok 'the file of a process that is killed can be read'
"$hsltest" run -f "sim:pair2,capture=$dir/none/x" 'obs_*' >"$dir/out" 2>"$dir/err"
[ $? != 0 ] && grep -q "capture: $dir/none/x: No such file or directory" "$dir/err"
ok 'a file that cannot be made: no fabric'
"$hsltest" run -f "sim:pair2,capture=/dev/full" 'obs_*' >"$dir/out" 2>"$dir/err" &&
	grep -q 'the capture ends, its file cannot be written: No space left on device' "$dir/err"
ok 'a file system that is full is told, and the run goes on'
"$hsltest" run -f "sim:pair2,capture=" 'obs_*' >"$dir/out" 2>"$dir/err"
[ $? != 0 ] && grep -q 'capture is one file' "$dir/err"
ok 'no name'

finish
