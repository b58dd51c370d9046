#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# refused.sh: chips that cannot be used, each for a reason of its own. The driver says so in one line, the others work, and
# doctor repeats that line. Chip 1 is right, and of a later minor version of HEP; 2 has another MAGIC, 3 tells more memory than its BAR has, 4 takes commands of 64 bytes only, 5 has a
# test facility that is nowhere, 6 no BAR for its windows; 7 has the node id of chip 1, and 8 another host node (both
# on fabrics of their own in QEMU, with the id of the first); 9 and 10, which has its maker's driver, are of another major version.
out=/tmp/refused.out
. /hsl/tests/guest/checks.sh

at() { # at CHIP: its function
	printf '0000:%02x:00.0' "$1"
}
says() { # says CHIP TEXT: once, in the kernel's log
	[ "$(dmesg | grep -c "$(at "$1"): $2")" = 1 ] && [ ! -e "/sys/bus/pci/devices/$(at "$1")/driver" ]
}
doctor_says() { # doctor_says CHIP TEXT
	grep -A1 "FAIL .* $(at "$1") .* no driver is bound" $out | grep -Eq -- "-> [a-z_]+ $(at "$1"): $2"
}
refused() { # refused CHIP TEXT WHAT
	says "$1" "$2" && doctor_says "$1" "$2"
	ok "$3"
}

run 1 hslctl doctor
refused 2 'MAGIC reads 0x48534c31, not 0x314c5348' 'not the registers of a chip'
refused 3 'MEM_SIZE 0x10000000, but its memory BAR has 0x8000000 bytes' 'more memory than its BAR'
refused 4 'MAX_DEPTH 4096, NCONTEXTS 1024 or MAX_LEN 64 is too small' 'commands that are too short'
refused 7 'node 1 is in use on this fabric already' 'a node id that another chip has'
for chip in 9 10; do
	refused $chip "chip has HEP 2.3, this driver needs 1.x: update the driver or the chip's firmware" "another major version: chip $chip"
	grep -Eq "FAIL +pci +$(at $chip) +chip $chip speaks HEP 2.3, this software HEP 1\." $out; ok 'doctor sees that on the bus'
done
refused 8 'host node 16385, but other chips of this fabric say 16384' 'another host node'

dmesg >$out && has "$(at 5): test facility at 0x0 of the register BAR cannot be there" && run 3 hslctl inject --node 5 fatal &&
	has 'its driver does not offer the test facility'
ok 'a test facility that is nowhere is not offered'
dmesg >$out && has "$(at 6): its 16 windows in 0x0 bytes of BAR do not reach over its memory"
ok 'windows without a BAR'
run 0 hslctl list && [ "$(grep -c ' ready ' $out)" = 3 ] && has '^ +1 .* ready .* 1\.5  hsl_pci$'
ok 'the others work, also of a later minor version'

drv=/sys/bus/pci/drivers/hsl_pci
run 0 hslctl inject --node 6 fatal && echo "$(at 6)" >$drv/unbind && run 1 sh -c "echo $(at 6) 2>/dev/null >$drv/bind" &&
	run 1 hslctl doctor && says 6 'does not become ready: STATUS 0x4' && doctor_says 6 'does not become ready'
ok 'a chip with a fatal error, bound again'
echo 1 >"/sys/bus/pci/devices/$(at 6)/reset"
run 0 sh -c "echo $(at 6) >$drv/bind" && run 0 hslctl list && [ "$(grep -c ' ready ' $out)" = 3 ]
ok 'an FLR ends that'
finish
