#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# numa_late.sh: memory of a chip comes back from the kernel when the unbind of that chip no longer waits for it (HEP-MAP-022, HEP-RAS-002).
# In the VM: CHIPS=2 MEM=512M NUMA=1. What the unbind waits for is the kernel's hotplug lock: somebody takes a block of the other chip
# offline in which a page does not move.
out=/tmp/numa.out
. /hsl/tests/guest/checks.sh
chip=/sys/bus/hsl/devices/hsl0-1
bdf=$(basename "$(readlink -f $chip/..)")

[ -d /sys/devices/system/memory ] || { echo '1..0 # SKIP the kernel has no memory hotplug'; exit 77; }

system_ram() { grep -c 'System RAM (hsl)' /proc/iomem; }
# what of the chip's memory BAR is claimed, by name
claimed() { awk '/hsl_pci/ { n++ } END { print n + 0 }' /proc/iomem; }
comes_to() { # comes_to SECONDS COMMAND…
	for _ in $(seq $(($1 * 10))); do
		(shift && "$@") && return
		usleep 100000
	done
	return 1
}

claims=$(claimed)
run 0 hslctl mem online 128M --chip 2; ok 'memory of chip 2 is online'
mkfifo /tmp/numa.fifo
/hsl/tests/guest/numa pin 1 </tmp/numa.fifo >/tmp/numa.ready &
pinner=$!
exec 9>/tmp/numa.fifo
until_out 1 ready /tmp/numa.ready; ok 'a page of it does not move'
block=$(basename /sys/devices/system/node/node1/memory*)
run 0 hslctl mem online 128M --chip 1 && [ "$(system_ram)" = 2 ]; ok 'memory of chip 1 is online too'
echo offline >"/sys/devices/system/memory/$block/state" 2>/dev/null &
blocker=$!
comes_to 20 grep -q 'D\|R' "/proc/$blocker/stat" && comes_to 20 sh -c 'dmesg | grep -q "migrating pfn"'; ok 'somebody waits for it to move, with the hotplug lock'

echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/unbind && [ ! -d $chip ] && dmesg | grep -q 'become unreachable NOW' && [ "$(system_ram)" = 2 ]
ok 'unbind of chip 1 does not wait for ever'
! sh -c "echo $bdf >/sys/bus/pci/drivers/hsl_pci/bind" 2>$out && dmesg | grep -q 'its BARs cannot be claimed'; ok 'bind is refused meanwhile'
[ -d /sys/module/hsl_pci ] && ! rmmod hsl_pci 2>$out; ok 'and so is rmmod'

kill $blocker
wait $blocker
comes_to 60 sh -c 'dmesg | grep -q "128 MiB are back from the kernel"' && comes_to 20 sh -c '[ "$(grep -c "System RAM (hsl)" /proc/iomem)" = 1 ]'
ok 'the lock is free: the memory comes back'
comes_to 20 sh -c "echo $bdf >/sys/bus/pci/drivers/hsl_pci/bind" 2>$out && [ "$(claimed)" = "$claims" ]; ok 'and the chip can be bound again'
run 0 /hsl/tests/guest/numa whole 1; ok 'all of its memory is there, and zero'
exec 9>&-
wait $pinner
run 0 hslctl mem offline --chip 2 && rmmod hsl_pci && rmmod hsl && [ "$(claimed)" = 0 ] && [ "$(system_ram)" = 0 ]; ok 'the modules can be unloaded, and nothing is left'
insmod /lib/hsl/hsl.ko && insmod /lib/hsl/hsl_pci.ko && run 0 hslctl doctor && healthy; ok 'and loaded again'
finish
