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
	"$hsltest" check-trace "$@" "$file" >"$dir/out" 2>"$dir/err" && ! grep -q '^not ok' "$dir/out" &&
		grep -Eq '^ok . - HEP-LNK-005 [1-9][0-9]* checked' "$dir/out" && grep -Eq '^ok . - HEP-TXN-021 [1-9][0-9]* checked' "$dir/out"
}
shark() { # shark FILE FILTER: how many records; what the dissector says about itself is an error. No plugins of the user's.
	HOME="$dir" tshark -X "lua_script:$top/tools/wireshark/hsl.lua" -r "$1" -Y "$2" -T fields -e frame.number >"$dir/got" 2>"$dir/err" &&
		! grep -v '^Running as user' "$dir/err" >&2 && wc -l <"$dir/got"
}
looks() { # looks FILE: both ends train, send and receive the same flits, and none is impossible
	command -v tshark >/dev/null || return 0
	[ "$(shark "$1" '_ws.expert.severity == error || hsl.expert.gap || hsl.expert.orphan')" = 0 ] || return 1
	for end in 1 2; do
		peer=$((3 - end))
		[ "$(shark "$1" "hsl.src == $end && hsl.state == 3")" -gt 0 ] &&
			[ "$(shark "$1" "hsl.src == $end && hsl.ts.new == 1 && hsl.rx == 0")" -gt 0 ] &&
			[ "$(shark "$1" "hsl.src == $end && hsl.pkt.opcode && hsl.rx == 0")" -gt 0 ] || return 1
		[ "$(shark "$1" "hsl.src == $end && hsl.dst == $peer && hsl.kind == 1 && hsl.rx == 1")" = \
			"$(shark "$1" "hsl.src == $end && hsl.dst == $peer && hsl.kind == 1 && hsl.rx == 0")" ] || return 1
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
check "$f"
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
