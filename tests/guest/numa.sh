#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# numa.sh: chip memory online as a NUMA node, with hslctl mem (HEP-MAP-022). In the VM: CHIPS=2 MEM=512M NUMA=1.
out=/tmp/numa.out
. /hsl/tests/guest/checks.sh
numa=/hsl/tests/guest/numa
chip=/sys/bus/hsl/devices/hsl0-1
size=268435456

[ -d /sys/devices/system/memory ] || { echo '1..0 # SKIP the kernel has no memory hotplug'; exit 77; }

attr() { [ "$(cat $chip/"$1")" = "$2" ] || { echo "# $1 is $(cat $chip/"$1"), not $2"; return 1; }; }
# start_holder CMD…: in the background until stop_holder, after it has said ready
start_holder() {
	rm -f /tmp/numa.fifo /tmp/numa.ready
	mkfifo /tmp/numa.fifo
	"$@" </tmp/numa.fifo >/tmp/numa.ready &
	holder=$!
	exec 9>/tmp/numa.fifo
	while ! grep -q ready /tmp/numa.ready; do
		kill -0 $holder 2>/dev/null || return 1
		sleep 0.1
	done
}
stop_holder() {
	exec 9>&-
	wait $holder
}
# comes_to ATTRIBUTE VALUE: by itself
comes_to() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ "$(cat $chip/"$1")" = "$2" ] && return 0
		sleep 0.5
	done
	return 1
}

# stays ATTRIBUTE VALUE: for as long as a chip that nobody needs would take many times
stays() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(cat $chip/"$1")" = "$2" ] || return 1
		sleep 0.1
	done
}

# blocks FILE TEXT: this is what FILE of all of node 1's memory blocks says
blocks() { [ "$(cat /sys/devices/system/node/node1/memory*/"$1" | sort -u)" = "$2" ]; }

total=$(cat $chip/mem_size)
run 0 hslctl mem && has '^ +1 +512 MiB +0 B +512 MiB +0 B +- +-$'; ok 'nothing is online'
attr mem_online_bytes 0 && attr mem_online_node -1; ok 'attributes say so'

# up to the two chips it sleeps when nobody needs it
power=$(readlink -f $chip/..)/power
echo 0 >"$power/autosuspend_delay_ms" && echo auto >"$power/control" && comes_to state asleep; ok 'it sleeps'

# refusals
run 1 hslctl mem online 100M --chip 1 && has 'no multiple of .*block'; ok 'no whole block: refused'
run 1 hslctl mem online 1G --chip 1 && has 'smaller than that'; ok 'more than the chip has: refused'
run 2 hslctl mem online 256M && has 'which one'; ok 'two chips and no --chip: usage'
run 2 hslctl mem online 0 --chip 1; ok 'size 0: usage'
run 1 /hsl/tests/guest/as_user 1000 hslctl mem online 256M --chip 1 && has 'only root'; ok 'not root: refused'
attr mem_online_bytes 0 && attr mem_free "$total"; ok 'nothing has changed'

# a kernel that puts new memory online by itself, as that of most distributions does: from here to the end
auto=/sys/devices/system/memory/auto_online_blocks
echo online >$auto
echo $size >$chip/mem_online_bytes && blocks state offline; ok 'by itself the kernel puts it in no zone of its choice'
! sh -c 'for b in /sys/devices/system/node/node1/memory*; do echo online_kernel >$b/state && exit; done; exit 1' 2>$out &&
	dmesg | grep -q 'its memory goes online as movable only' && blocks state offline
ok 'nor does root: refused, and the log says why'
run 0 hslctl mem online 256M --chip 1 && blocks valid_zones Movable; ok 'hslctl puts it in the movable zone'
run 0 hslctl mem offline --chip 1; ok 'and offline'
echo online_movable >$auto
echo $size >$chip/mem_online_bytes && blocks valid_zones Movable; ok 'the kernel may do that by itself'
run 0 hslctl mem offline --chip 1; ok 'and offline'
echo online >$auto
echo 4000000 >/tmp/numa.block
mount --bind /tmp/numa.block /sys/devices/system/memory/block_size_bytes	# hslctl looks for other blocks than there are
run 1 hslctl mem online 256M --chip 1 && has 'does not put its memory online' && attr mem_online_bytes 0
ok 'what does not come online is taken back'
umount /sys/devices/system/memory/block_size_bytes

# online
run 0 hslctl mem online 256M --chip 1 && has '^ +1 +512 MiB +0 B +256 MiB +256 MiB +1 '; ok 'online: 256 MiB as node 1'
attr mem_online_bytes $size && attr mem_online_node 1 && attr mem_free $((total - size)); ok 'attributes say so'
stays state ready; ok 'that keeps it awake'
grep -q 'System RAM (hsl)' /proc/iomem; ok 'it is System RAM (hsl)'
[ "$(cat /sys/devices/system/node/node1/cpulist)" = '' ]; ok 'the node has no CPUs'
run 0 hslctl mem --json && has '"numa_node": 1' && has '"online_bytes": 268435456'; ok 'mem --json'
run 0 hslctl mem online 256M --chip 1; ok 'the same size again: nothing to do'
run 1 hslctl mem online 128M --chip 1 && has 'another size'; ok 'another size: refused'
umount /host	# 9p lives through no attempt to sleep
echo platform >/sys/power/pm_test	# would wake at once
! sh -c 'echo freeze >/sys/power/state' 2>$out && grep -qi busy $out && dmesg | grep -q "are in use as NUMA node 1: 'hslctl mem offline' first" &&
	attr state ready && attr mem_online_bytes $size
ok 'the system does not sleep while memory is online'
echo none >/sys/power/pm_test
run 0 $numa use 1 32; ok 'libnuma and mbind: pages on the node, right bytes, moved there and back'
run 0 $numa run 1 grep -q ' N1=' /proc/self/numa_maps; ok 'a plain program runs on it'
run 0 $numa run 1 sh -c 'dd if=/dev/zero bs=1M count=64 2>/dev/null | md5sum' && has '^7f614da9329cd3aebf59b91aadc30bf0'
ok 'and computes right'
run 0 $numa apart 1 $size; ok 'segments get the rest of the chip and nothing of it'
run 0 hslctl doctor; ok 'the chips work meanwhile'
rmmod hsl_pci 2>$out; [ -d /sys/module/hsl_pci ] && [ -d $chip ]; ok 'the driver cannot be unloaded meanwhile'

# offline, in use
start_holder $numa hold 1 32; ok 'a program holds 32 MiB'
run 1 hslctl mem offline --chip 1 && has "process $holder \\(numa\\) has 3[2-9] MiB on node 1"; ok 'offline: refused, and the holder is named'
run 1 hslctl mem offline --chip 1 --json && has "\"pid\": $holder"; ok 'the same in JSON'
attr mem_online_bytes $size; ok 'it is still online'
run 0 hslctl mem offline --chip 1 --force && attr mem_online_bytes 0; ok 'offline --force moves it'
stop_holder; ok 'and its bytes have gone with it'
comes_to mem_free "$total"; ok 'all of the chip is free'
! grep -q 'System RAM (hsl)' /proc/iomem; ok 'and nothing of it is System RAM'
run 0 $numa whole 1; ok 'the whole chip in one segment, zero'

# in use by what does not move
run 0 hslctl mem online 256M --chip 1; ok 'online again'
start_holder $numa pin 1; ok 'a page of the node is in a pipe'
! sh -c "echo 0 >$chip/mem_online_bytes" 2>$out && grep -qi busy $out && attr mem_online_bytes $size; ok 'the driver refuses'
run 1 hslctl mem offline --chip 1 --force && has 'do not move' && has "process $holder \\(numa\\)"
ok 'offline --force: refused, and the holder is named'
run 0 $numa use 1 16; ok 'the node works on'
stop_holder
run 0 hslctl mem offline --chip 1; ok 'the page is gone: offline'
comes_to mem_free "$total" && run 0 $numa whole 1; ok 'and the whole chip is zero again'
comes_to state asleep && echo on >"$power/control" && attr state ready; ok 'and sleeps again'

# two chips, reset, unbind
run 0 hslctl mem online 128M --chip 1 && run 0 hslctl mem online 256M --chip 2 && has '^ +2 .* 256 MiB +1 '; ok 'two chips on one node'
bdf=$(basename "$(readlink -f $chip/..)")
start_holder $numa hold 1 32
echo 1 >/sys/bus/pci/devices/"$bdf"/reset && attr mem_online_bytes 0 && attr state ready; ok 'a reset takes the memory offline first'
stop_holder; ok 'and what was there is elsewhere'
run 0 hslctl mem online 128M --chip 1; ok 'online after the reset'
echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/unbind && [ ! -d $chip ] && [ "$(grep -c 'System RAM (hsl)' /proc/iomem)" = 1 ]
ok 'unbind takes it offline first'
echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/bind && attr mem_free "$total" && run 0 $numa whole 1; ok 'bound again: all is there, and zero'
run 0 hslctl mem offline --chip 2; ok 'the other chip offline'
rmmod hsl_pci && rmmod hsl; ok 'the modules can be unloaded'

# unbind cannot be refused: memory that does not move stays until a reboot, and keeps others from the chip
insmod /lib/hsl/hsl.ko && insmod /lib/hsl/hsl_pci.ko && run 0 hslctl mem online 128M --chip 1; ok 'loaded again, online'
start_holder $numa pin 1
echo auto >"$power/control"
echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/unbind && dmesg | grep -q 'become unreachable NOW' && grep -q 'System RAM (hsl)' /proc/iomem
ok 'unbind with a page that does not move: said, and it stays System RAM'
[ "$(cat "$power/runtime_status")" = active ]; ok 'that keeps the function awake without a driver'
! sh -c "echo $bdf >/sys/bus/pci/drivers/hsl_pci/bind" 2>$out && dmesg | grep -q 'its BARs cannot be claimed'; ok 'bind is refused, and the log says why'
run 0 $numa whole 2; ok 'the other chip works'
stop_holder
finish
