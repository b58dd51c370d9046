#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# modelled.sh: modelled time in the VM. The same run twice says the same, byte for byte: what programs print, all latencies of
# hslbench, and the kernel's console with its time stamps. The numbers themselves are judged by tests/guest/modelled.c.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. tests/checks.sh
show() { tail -n 30 "$dir"/err* 2>/dev/null; }

for wrong in CPUS=2 ACCEL=kvm SHARE=/tmp TIME=soon; do
	qemu/vm TIME=modelled "$wrong" RUN=true >/dev/null 2>"$dir/err" </dev/null
	[ $? = 2 ] && grep -q '^hsl: TIME=' "$dir/err"
	ok "refused: TIME=modelled $wrong"
done
qemu=$(qemu/build 2>/dev/null)
"$qemu" -M q35 -display none -nodefaults -L /usr/share/seabios -object hsl-fabric,id=f,time=modelled \
	-object memory-backend-ram,id=m,size=128M -device pcie-root-port,id=p,chassis=1 \
	-device hsl-chip,bus=p,fabric=f,node=1,memdev=m >/dev/null 2>"$dir/err"
[ $? = 1 ] && grep -q 'time=modelled needs -icount' "$dir/err"
ok 'the device without -icount is refused, with the reason'

run='/hsl/tests/guest/modelled; rc=$?
	hslbench all --quick --iters 50 --size 8,4K --json=/tmp/json >/tmp/tables && cat /tmp/tables /tmp/json && exit $rc'
for i in 1 2; do
	qemu/vm TIME=modelled CHIPS=2 BOOT_TIMEOUT=240 CONSOLE_LOG="$dir/console$i" RUN="$run" \
		>"$dir/out$i" 2>"$dir/err$i" </dev/null
	ok "run $i: times are those of the formula"
done
sed -n 's/^\(not \)\{0,1\}ok [0-9]* - /# &/p' "$dir/out1"
grep -q '"clock": "modelled"' "$dir/out1" && ! grep -q '"wall"\|emulator-wall\|emulator speed' "$dir/out1"
ok 'hslbench says that the clock is modelled'
cmp "$dir/out1" "$dir/out2" >>"$dir/err1" 2>&1
ok 'both runs print the same'
cmp "$dir/console1" "$dir/console2" >>"$dir/err1" 2>&1
ok 'both consoles are the same'
finish
