#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# hslctl.sh: hslctl on the driver: a healthy fabric, and then one broken layer after the other, each of which doctor has
# to name. Run with 2 chips.
out=/tmp/hslctl.out
. /hsl/tests/guest/checks.sh

bdf=$(cd /sys/bus/pci/drivers/hsl_pci && for d in 0000:*; do echo "$d"; break; done)

run 0 hslctl list && [ "$(grep -c ' ready .*hsl_pci' $out)" = 2 ]; ok 'list: two chips'
run 0 hslctl list --pci && [ "$(grep -c 'HEP 1.0 .*hsl_pci' $out)" = 2 ]; ok 'list --pci: two functions with their DVSEC'
run 0 hslctl list --pci --json && has '"dvsec": true'; ok 'list --pci --json'
run 0 hslctl topo && has ' L0 '; ok topo
run 0 hslctl doctor && [ "$(grep -c 'a NOP completes' $out)" = 2 ] && has 'MSI-X on' && ! has '^(FAIL|NOT CHECKED)'; ok 'doctor: healthy'
run 0 hslctl doctor --json && has '"healthy": true'; ok 'doctor --json'

run 0 hslctl mem && [ "$(grep -c '256 MiB' $out)" = 2 ]; ok mem
run 1 hslctl mem online 128M --chip 1 && has '512 MiB'; ok 'mem online: a chip that is too small is refused'
run 0 hslctl mem offline --chip 1; ok 'mem offline: nothing to do'

chmod 600 /dev/hsl0
run 1 /hsl/tests/guest/as_user 1000 hslctl doctor && has 'FAIL +device +/dev/hsl0 +no permission for uid 1000' && has 'NOT CHECKED +fabric'
ok 'doctor: no permission'
run 3 /hsl/tests/guest/as_user 1000 hslctl list && has 'permission'; ok 'list: no permission is 3'
chmod 666 /dev/hsl0
run 0 /hsl/tests/guest/as_user 1000 hslctl doctor && has 'NOT CHECKED +pci .*root only' && [ "$(grep -c 'a NOP completes' $out)" = 2 ]
ok 'doctor: not root, but permitted'
run 0 /hsl/tests/guest/as_user 1000 hslctl list --pci && has 'not readable'; ok 'list --pci: not root'

echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/unbind
run 1 hslctl doctor && has "FAIL +pci +$bdf +no driver is bound" && [ "$(grep -c 'a NOP completes' $out)" = 1 ]
ok 'doctor: one function without driver'
run 0 hslctl list && [ "$(grep -c ' ready ' $out)" = 1 ]; ok 'list: one chip left'
echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/bind
run 0 hslctl doctor; ok 'doctor: healthy again'

rmmod hsl_pci
run 1 hslctl doctor && has 'WARN +kernel +hsl_pci' && has 'no driver is bound' && has 'FAIL +device' && has 'NOT CHECKED'
ok 'doctor: hsl_pci not loaded'
run 3 hslctl list && has 'HEP 1.0'; ok 'list: falls back to the bus'
run 3 hsltest run; ok 'hsltest: no device is 3'
rmmod hsl
run 1 hslctl doctor && has 'FAIL +kernel +hsl +the module is not loaded'; ok 'doctor: no module'
finish
