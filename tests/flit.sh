#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# flit.sh: two processes at a flit socket (docs/flit-socket.md). The link trains, memory of the other process is accessed,
# also over a wire that makes errors; captures of both ends are judged; one goes, and the other one says so.
set -euo pipefail
cd "$(dirname "$0")/.."
B=${HSL_BUILD:-$PWD/build}
work=$(mktemp -d)
pids=()
# shellcheck disable=SC2317
cleanup() {
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || :
	rm -rf "$work"
}
trap cleanup EXIT
n=0
ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}
fail() {
	n=$((n + 1))
	echo "not ok $n - $1"
	sed 's/^/# /' "$work"/*.out 2>/dev/null || :
	echo "1..$n"
	exit 1
}

end() { echo "sim:pair2,mem=128M,queues=4,remote=$1:$work/link,open=64K,capture=$work/$2.pcapng"; }

echo kept >"$work/link"
"$B/hslctl" list -f "$(end 2-1:listen 2)" >"$work/2.out" 2>&1 && fail "a file that is no socket"
grep -q 'the path is of a file that is no socket' "$work/2.out" && [ "$(cat "$work/link")" = kept ] || fail "a file that is no socket is told, and kept"
rm "$work/link"
ok "a file that is no socket is told, and kept"
exec 9<"$work" && flock 9
"$B/hslctl" list -f "$(end 2-1:listen 2)" >"$work/2.out" 2>&1 && fail "a lock of the directory is not waited for forever"
exec 9<&-
grep -q "another program holds a lock of the socket's directory" "$work/2.out" || fail "a lock of the directory is told"
ok "a lock of the directory is told"

# node 2 listens and shows what its link does; its wire to node 1 makes errors from when it may
"$B/hslctl" link --watch -f "$(end 2-1:listen 2)" >"$work/2.out" 2>&1 &
pids+=($!)
until [ -S "$work/link" ] || ! kill -0 "${pids[0]}" 2>/dev/null; do
	sleep 0.1
done
"$B/hslctl" list -f "$(end 2-1:listen 3)" >"$work/3.out" 2>&1 && fail "a second one that listens there"
grep -q 'another program listens there already' "$work/3.out" || fail "a second one that listens there is told so"
ok "a second one that listens there is told so"
"$B/tests/model/gen_flit_peer" "$(end 1-2:connect 1)" >"$work/1.out" 2>&1 || fail "accesses of the other process' memory"
ok "accesses of the other process' memory, also over a wire with errors"
grep -q '^replayed [1-9]' "$work/1.out" || fail "flits were sent again"
ok "flits were sent again ($(grep ^replayed "$work/1.out"))"
for _ in $(seq 100); do
	grep -q "L0$" "$work/2.out" && tail -n1 "$work/2.out" | grep -q "Detect$" && break
	sleep 0.1
done
tail -n1 "$work/2.out" | grep -q "Detect$" || fail "the end that stays saw the link come and go"
ok "the end that stays saw the link come and go"
# killed so that it cannot take its socket away: the next one that listens there does
kill -9 "${pids[0]}" && wait "${pids[0]}" 2>/dev/null || :
pids=()
[ -S "$work/link" ] || fail "a listener that is killed leaves its socket"
"$B/hslctl" list -f "$(end 2-1:listen 3)" >"$work/3.out" 2>&1 || fail "the next one listens at the socket that was left"
[ ! -e "$work/link" ] || fail "and takes it away at its end"
ok "the socket of one that was killed is in nobody's way"
for e in 1 2; do
	"$B/hsltest" check-trace "$work/$e.pcapng" >"$work/trace$e.out" 2>&1 || fail "the capture of end $e"
	[ "$(grep -c '^ok.* [1-9][0-9]* checked, 0 violations' "$work/trace$e.out")" -ge 5 ] || fail "the capture of end $e says something"
	ok "the capture of end $e: $(grep -c '^ok.*checked' "$work/trace$e.out") requirements"
done
echo "1..$n"
