#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# vendor_up.sh BUS-ADDRESS: for 'hsltest run --bring-up'. What kernel/examples/vendor-chip does to its chip before the register
# block answers, without the driver: POWER of the control page in BAR2 on, until STATE says that it is.
bar=$(sed -n '3s/ .*//p' "/sys/bus/pci/devices/$1/resource")
[ "$((bar))" != 0 ] || exit 1
devmem $((bar + 4)) 32 1 || exit 1
for _ in 1 2 3 4 5; do
	[ "$(devmem $((bar + 8)) 32)" != 0x00000001 ] || exit 0
	sleep 1
done
exit 1
