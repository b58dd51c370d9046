#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# vendor.sh: a chip of another maker (qemu/hw/hsl/hsl-vendor.c) with its maker's driver (kernel/examples/vendor-chip) beside
# one of hsl_pci's, in one fabric. Run with CHIPS=2 VENDOR=1: chip 2 is the other maker's. Then what the conformance suite says
# where makers differ: registers, memory, commands, queues, protection.
out=/tmp/vendor.out
. /hsl/tests/guest/checks.sh

drv=/sys/bus/pci/drivers
bdf=$(cd $drv/vendor_chip && for d in 0000:*; do echo "$d"; break; done)
column() { # of chip 2's row
	hslctl list | awk -v c="$1" '$1 == 2 { print $c }'
}

run 0 hslctl list && [ "$(grep -cE ' ready .* (hsl_pci|vendor_chip)$' $out)" = 2 ] && has '^ *2 .* 7/7 .* vendor_chip$'
ok 'list: both chips, each with its driver'
run 0 hslctl list --pci && has "$bdf +5645:0001 +HEP 1.0 +2 +256 MiB +vendor_chip"
ok 'list --pci: the memory is where its DVSEC says'
run 0 hslctl doctor && healthy
ok 'doctor: healthy'

run 0 sh -c "echo 1 >/sys/bus/pci/devices/$bdf/reset" && run 0 hslctl doctor && [ "$(column 3)" = ready ]
ok 'its driver switches it on again after an FLR'

echo "$bdf" >$drv/vendor_chip/unbind
run 1 sh -c "echo $bdf >$drv/hsl_pci/bind 2>/dev/null" && [ ! -e $drv/hsl_pci/"$bdf" ] &&
	dmesg | grep -q "hsl_pci $bdf: asks for its maker's driver"
ok 'hsl_pci leaves it alone'
run 1 hslctl doctor && has "FAIL +pci +$bdf +no driver is bound" && has "load that one"
ok 'doctor: names the driver that is missing'
run 0 hslctl list && [ "$(grep -c ' ready ' $out)" = 1 ]
ok 'the other chip is there alone'
run 0 sh -c "echo $bdf >$drv/vendor_chip/bind" && run 0 hslctl doctor
ok 'bound again'

exec 3</dev/hsl0
run 1 rmmod vendor_chip
ok 'rmmod is refused while a file of the fabric is open'
exec 3<&-
run 0 hsltest run --tap --disruptive --bring-up /hsl/tests/guest/vendor_up.sh SEC-003 && has '^ok 1 - HEP-SEC-003 home_decides$' &&
	run 0 hslctl doctor
ok 'hsltest takes both chips from their drivers and gives them back'
run 0 rmmod vendor_chip && run 0 hslctl list && [ "$(grep -c ' ready ' $out)" = 1 ] && run 0 insmod /lib/hsl/vendor_chip.ko &&
	run 0 hslctl doctor
ok 'rmmod and insmod'
(finish) || exit 1
exec hsltest run --tap 'REG-*' 'MAP-00[1-35-7]' MAP-014 'TXN-00*' TXN-010 TXN-026 'QUE-00[1-9]' SEC-001 'API-00[27]' NET-002
