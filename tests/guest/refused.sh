#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# refused.sh: chips that cannot be used, each for a reason of its own. The driver says so in one line, the others work, and
# doctor repeats that line. Chip 1 is right, and of a later minor version of HEP; 2 has another MAGIC, 3 tells more memory than its BAR has, 4 takes commands of 64 bytes only, 5 has a
# test facility that is nowhere, 6 no BAR for its windows; 7 has the node id of chip 1, and 8 another host node (both
# on fabrics of their own in QEMU, with the id of the first); 9 and 13, which has its maker's driver, are of another major version. Three
# seem right until they are told to forget something: 10 ignores CTRL.RESET, 11 refuses SEG_INVALIDATE, 12 QUEUE_DESTROY. They are stopped
# then, before others have the memory.
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

run 0 hslctl list && [ "$(grep -c ' ready ' $out)" = 6 ]
ok 'those that are right, or seem to be, are ready'
run 1 hslctl doctor
refused 2 'MAGIC reads 0x48534c31, not 0x314c5348' 'not the registers of a chip'
refused 3 'MEM_SIZE 0x10000000, but its memory BAR has 0x8000000 bytes' 'more memory than its BAR'
refused 4 'MAX_DEPTH 4096, NCONTEXTS 1024 or MAX_LEN 64 is too small' 'commands that are too short'
refused 7 'node 1 is in use on this fabric already' 'a node id that another chip has'
for chip in 9 13; do
	refused $chip "chip has HEP 2.3, this driver needs 1.x: update the driver or the chip's firmware" "another major version: chip $chip"
	grep -Eq "FAIL +pci +$(at $chip) +chip $chip speaks HEP 2.3, this software HEP 1\." $out; ok 'doctor sees that on the bus'
done
refused 8 'host node 16385, but other chips of this fabric say 16384' 'another host node'

dmesg >$out && has "$(at 5): test facility at 0x0 of the register BAR cannot be there" && run 3 hslctl inject --node 5 fatal &&
	has 'its driver does not offer the test facility'
ok 'a test facility that is nowhere is not offered'
dmesg >$out && has "$(at 6): its 16 windows in 0x0 bytes of BAR do not reach over its memory"
ok 'windows without a BAR'
drv=/sys/bus/pci/drivers/hsl_pci
state() { # state CHIP STATE
	[ "$(cat "/sys/bus/hsl/devices/hsl0-$1/state")" = "$2" ]
}
masters() { # is it bus master?
	[ "$(($(od -An -tu1 -j4 -N1 "/sys/bus/pci/devices/$(at "$1")/config") & 4))" = 4 ]
}
reset() {
	echo 1 >"/sys/bus/pci/devices/$(at "$1")/reset"
}

run 0 hslctl inject --node 6 fatal && echo "$(at 6)" >$drv/unbind && run 1 sh -c "echo $(at 6) 2>/dev/null >$drv/bind" &&
	run 1 hslctl doctor && says 6 'does not become ready: STATUS 0x4' && doctor_says 6 'does not become ready'
ok 'a chip with a fatal error, bound again'
reset 6
run 0 sh -c "echo $(at 6) >$drv/bind" && state 6 ready
ok 'an FLR ends that'

forgets() { # forgets CHIP WHY: it does not, has failed for that, and comes back
	dmesg >$out && has "hsl hsl0-$1: failed: $2" && state "$1" failed && reset "$1" && state "$1" ready
}
forgets 12 'it refuses to destroy a queue'
ok 'a queue that is not given up'
run 0 /hsl/tests/guest/late 12 && forgets 12 'it refuses to destroy a queue'
ok 'nor are its rings given to others before the chip is cut off'
hslbench bw --src 11 --dst 1 --quick >$out 2>&1
forgets 11 'it refuses an invalidation'
ok 'a segment that is not given up'

reset 10
dmesg >$out && has "$(at 10): does not obey CTRL.RESET \(STATUS 0x1\): switching its DMA off" && state 10 ready && masters 10
ok 'a chip that does not obey CTRL.RESET is back after an FLR'
sleep_of_10() {
	cd "/sys/bus/pci/devices/$(at 10)/power" && echo 0 >autosuspend_delay_ms && echo auto >control || return
	for _ in $(seq 200); do
		[ "$(cat runtime_status)" = suspended ] && break
		usleep 100000
	done
	state 10 asleep && echo on >control
}
run 0 sleep_of_10 && state 10 failed && ! masters 10 && [ "$(dmesg | grep -c "$(at 10): does not obey CTRL.RESET")" = 3 ]
ok 'what goes on through a sleep is cut off from memory'
run 0 hslctl list && [ "$(grep -c ' ready ' $out)" = 5 ] && has '^ +1 .* ready .* 1\.5  hsl_pci$'
ok 'the others work, also of a later minor version'
finish
