#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# flit_dut.sh [deep]: hsltest on a device at a flit socket (hsltest run --dut flit:unix:PATH). The model as the device passes; with a
# deviation it fails the test of what it breaks; a peer that hangs, dies or talks nonsense fails, and there is a report all the same.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
B=${HSL_BUILD:-$top/build}
[ -x "$B/hsltest" ] && [ -x "$B/hslctl" ] || { echo "1..0 # SKIP hsltest or hslctl is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
peer='' wire=''
# shellcheck source=tests/checks.sh
. "$top/tests/checks.sh"
trap 'quit; [ -z "$wire" ] || kill "$wire"; rm -rf "$dir"' EXIT

quit() {
	[ -z "$peer" ] || { kill "$peer"; wait "$peer"; } 2>/dev/null
	peer=
}
# The file is there a moment before somebody listens.
listens() { grep -q " 00010000 0001 .* $1\$" /proc/net/unix; }
meet() { # meet PROGRAM ARG…: it listens at $dir/link
	quit
	rm -f "$dir/link"
	timeout 600 "$@" >"$dir/peer" 2>&1 &
	peer=$!
	for _ in $(seq 600); do
		! listens "$dir/link" || return 0
		kill -0 $peer 2>/dev/null || break
		sleep 0.1
	done
	echo "# the peer does not listen"
	return 1
}
model() { meet "$B/hslctl" link --watch -f "sim:$1,remote=2-1:listen:$dir/link${2:+,$2}"; }
judge() { # judge STATUS ARG…
	want_rc=$1
	shift
	expect "$want_rc" "$B/hsltest" run --dut "flit:unix:${LINK:-$dir/link},patience=${PATIENCE:-30}" --tap --json "$dir/report.json" "$@"
}
verdict() { # of a requirement
	python3 - "$dir/report.json" "$1" <<-'EOT'
	import json, sys
	print(next(r["verdict"] for r in json.load(open(sys.argv[1]))["requirements"] if r["requirement"] == sys.argv[2]))
	EOT
}
caught() { # caught NAME REQUIREMENT TEST…
	model pair2,mem=128M "open=1M,deviate=$1" && judge 1 "${@:3}" && [ "$(verdict "$2")" = fail ]
	ok "$1 fails $2"
}

# A wire to the model that hands on what there is after DELAY seconds; the first BUSY of those who come are told that there is a peer already.
cat >"$dir/wire.py" <<-'EOT'
	import socket, struct, sys, threading, time

	def pump(a, b, delay):
	    while data := a.recv(65536):
	        time.sleep(delay)
	        b.sendall(data)
	    b.shutdown(socket.SHUT_WR)

	path, link, delay, busy = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
	s = socket.socket(socket.AF_UNIX)
	s.bind(path)
	s.listen(8)
	while True:
	    near = s.accept()[0]
	    if busy:
	        busy -= 1
	        near.send(struct.pack('<BBHIQII80x', 5, 0, 104, 0, 0, 5, 0))
	        near.close()
	        continue
	    far = socket.socket(socket.AF_UNIX)
	    far.connect(link)
	    threading.Thread(target=pump, args=(near, far, 0), daemon=True).start()
	    threading.Thread(target=pump, args=(far, near, delay), daemon=True).start()
EOT
wire() { # wire DELAY BUSY: at $dir/wire
	[ -z "$wire" ] || kill "$wire"
	rm -f "$dir/wire"
	timeout 600 python3 "$dir/wire.py" "$dir/wire" "$dir/link" "$1" "$2" 2>/dev/null &
	wire=$!
	until listens "$dir/wire" || ! kill -0 $wire 2>/dev/null; do sleep 0.1; done
}

deep=${1:-}
model pair2,mem=128M open=1M && judge 0 && out '^# 22 passed, 0 failed, 1 skipped' && out '^# HEP-Link .*incomplete .* 11 of' &&
	[ "$(verdict HEP-COH-003)" = pass ] && [ "$(verdict HEP-QUE-001)" = not-run ] && grep -q 'one link does not show it' "$dir/report.json"
ok 'a device that is right' # nothing in $() here: bash takes its status for what stands before
model pair2,mem=128M && judge 0 LNK PHY COH-005 && out '^ok .*link_dirty # SKIP the device opens 0 bytes'
ok 'a device without open memory'
model pair2,mem=128M open=64K && judge 77 COH-008 && out '^ok .*link_recall # SKIP the directory has room for all of 1024 lines'
ok 'a device that recalls nothing has not shown that it does'
wire 0 3 && LINK=$dir/wire judge 0 PHY-004 && out '^# 1 passed, 0 failed'
ok 'a device that has not seen yet that its last peer is gone'
caught no-replay HEP-LNK-006 LNK-006
caught width-skipped HEP-PHY-002 PHY-002
caught crc-byte HEP-LNK-001 link_refused
caught answer-twice HEP-TXN-021 TXN-021
if [ "$deep" ]; then
	while read -r name requirement; do
		caught "$name" "$requirement"
	done <<-EOT
		reserved-sent HEP-LNK-001
		reserved-taken HEP-LNK-001
		replay-altered HEP-LNK-004
		replay-twice HEP-LNK-004
		wrap-skips HEP-LNK-004
		credit-excess HEP-LNK-005
		nak-again HEP-LNK-007
		recovery-detour HEP-PHY-001
		lane-ignored HEP-PHY-002
		recovery-loses HEP-PHY-003
		sharers-stay HEP-COH-001
		home-atomic-twice HEP-COH-006
		recall-ignored HEP-COH-008
	EOT
	for seed in $(seq 2 20); do
		model "ring2,mem=128M,profile=$([ $((seed % 2)) = 0 ] && echo gen2 || echo pcie5)" open=256K && judge 0 --seed "$seed" &&
			out '^# 22 passed, 0 failed'
		ok "no false alarm, seed $seed"
	done
	# for 4000 requests far more than the 3 s that a test may stand still
	model pair2,mem=128M open=1M && wire 0.005 0
	LINK=$dir/wire judge 0 --timeout 3 link_wrap
	ok 'a slow device gets on'
fi

# KIND: what it does instead of a link
cat >"$dir/peer.py" <<-'EOT'
	import os, socket, struct, sys
	path, kind = sys.argv[1:]
	hello = struct.pack('<BBHIQ', 1, 0, 80, 0, 0) + bytes.fromhex('aa48534c464c4954') + struct.pack(
	    '<HHIHHIIIBBBBHHHHHHQQ', 1, 0, 0x10000, 2, 1, 16, 112000, 512, 1, 12, 5, 0, *[4000] * 5, 0, 90000, 1 << 20)
	s = socket.socket(socket.AF_UNIX)
	s.bind(path)
	s.listen(8)
	kept = []
	while True:
	    c = s.accept()[0]
	    kept.append(c)
	    try:
	        if kind == 'noise':
	            c.send(b'GET / HTTP/1.1\r\n\r\n' * 8)
	        elif kind != 'mute':
	            c.send(hello)
	            c.recv(80)
	        if kind == 'garbage':
	            c.send(struct.pack('<BBHIQ', 3, 0, 271, 0, 0) + bytes(255))
	        elif kind == 'early':  # it promises to be silent until 1 ms, and is not
	            c.send(struct.pack('<BBHIQQ', 4, 0, 24, 0, 10**9, 0) + struct.pack('<BBHIQ', 2, 0, 32, 0, 5) + bytes(16))
	        elif kind == 'rate0':
	            c.send(struct.pack('<BBHIQ', 2, 0, 32, 0, 0) + struct.pack('<BBHIHHB3x', 1, 16, 65535, 0, 1, 0, 0))
	            c.send(struct.pack('<BBHIQQ', 4, 0, 24, 0, 10**9, 0))
	        elif kind == 'flood':
	            while True:
	                c.sendall((struct.pack('<BBHIQ', 2, 0, 32, 0, 10**9) + bytes(16)) * 1000)
	        elif kind == 'far':
	            c.send(struct.pack('<BBHIQ', 2, 0, 32, 0, 10**10) + bytes(16))
	        elif kind == 'die' and len(kept) > 1:
	            os._exit(0)
	    except OSError:
	        pass
EOT
while read -r kind error text; do
	meet python3 "$dir/peer.py" "$dir/link" "$kind" && PATIENCE=1 judge 1 LNK-001 && out "$text" && [ "$(verdict HEP-LNK-001)" = "$error" ]
	ok "a peer: $kind"
done <<-EOT
	mute fail no HELLO within 1 s
	noise fail a message of type 71
	hang fail no message for 1 s
	garbage fail a message of type 3 with 271 bytes, not 272
	early fail against the promise of 1000000000 ps
	rate0 fail a training set with rate 0
	flood fail more than 16384 messages
	far fail it cannot have come there
	die fail the device closed the connection
EOT
meet python3 "$dir/peer.py" "$dir/link" hang && PATIENCE=2 judge 1 --timeout 1 link_flits && out 'no message for 2 s'
ok 'patience is longer than --timeout'
quit
expect 3 "$B/hsltest" run --dut "flit:unix:$dir/none" && err 'No such file' && err '^Does the device listen there'
ok 'nobody listens'
for url in flit:unix: flit:unix:/x,patience=0 flit:unix:/x,patience=3601 flit:unix:/x,patients=5; do
	expect 2 "$B/hsltest" run --dut "$url" && err 'expected .*flit:unix:PATH\[,patience=S\]'
	ok "refused: $url"
done
HSL_FABRIC=flit:unix:$dir/none expect 3 "$B/hsltest" run && err "$dir/none: No such file" && expect 0 "$B/hsltest" list --dut flit:unix:
ok 'by HSL_FABRIC; a list needs no path'
finish
