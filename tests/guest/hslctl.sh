#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# hslctl.sh: hslctl on the driver: a healthy fabric, and then one broken layer after the other, each of which doctor has
# to name. Run with 2 chips, of which the second one is in hot air.
out=/tmp/hslctl.out
. /hsl/tests/guest/checks.sh

bdf=$(cd /sys/bus/pci/drivers/hsl_pci && for d in 0000:*; do echo "$d"; break; done)
bdf2=$(cd /sys/bus/pci/drivers/hsl_pci && for d in 0000:*; do echo "$d"; done | tail -n 1)

run 0 hslctl list && [ "$(grep -c ' ready .*hsl_pci' $out)" = 2 ]; ok 'list: two chips'
run 0 hslctl list --pci && [ "$(grep -c 'HEP 1.0 .*hsl_pci' $out)" = 2 ]; ok 'list --pci: two functions with their DVSEC'
run 0 hslctl list --pci --json && has '"dvsec": true'; ok 'list --pci --json'
run 0 hslctl topo && has ' L0 '; ok topo
run 0 hslctl doctor && [ "$(grep -c 'a NOP completes' $out)" = 2 ] && has 'MSI-X on' && healthy; ok 'doctor: healthy'
run 0 hslctl doctor --json && has '"healthy": true'; ok 'doctor --json'

run 0 hslctl mem && [ "$(grep -c '256 MiB' $out)" = 2 ]; ok mem
run 1 hslctl mem online 128M --chip 1 && has '512 MiB'; ok 'mem online: a chip that is too small is refused'
run 0 hslctl mem offline --chip 1; ok 'mem offline: nothing to do'

run 0 hslctl dump && has '^/sys/module/hsl/parameters/max_contexts: ' && has '^/sys/kernel/debug/hsl/hsl0/chip1/registers:$' &&
	has '^0x0000 MAGIC  ' && has '^0x2004 LINK0_STATE ' && has '^chip 1 .*state ready' && has '^DVSEC: HEP 1.0, node 1' &&
	has '^000: 34 12 53 48 ' && has 'a NOP completes'
ok dump
version=$(hslctl --version | sed 's/^hslctl \([^ ]*\).*/\1/')
run 0 hslctl dump && has "^/sys/module/hsl/version: $version$" && has "^/sys/module/hsl_pci/version: $version$"
ok 'dump: the version of the driver'
run 0 /hsl/tests/guest/as_user 1000 hslctl dump && has '/state: \(Permission denied\)|/state: \(none\)' && ! has '^0x0000 MAGIC'; ok 'dump: not root'

# docs/abi has what is there, and what it has is there
abi=/host/docs/abi/sysfs-hsl
block() { awk -v what="$1" '$1 == "What:" { on = index($2, what) == 1 && length($2) == length(what) } on' $abi; }
attributes() { block "$1" | sed -n 's/^\t\t\([a-z0-9_]*\)\t.*/\1/p' | sort; }
files() { find "$1" -maxdepth 1 -type f ! -name uevent ! -name dev | sed 's|.*/||' | sort; }
same() { # same WHAT DIRECTORY
	[ -n "$(attributes "$1")" ] && [ "$(attributes "$1")" = "$(files "$2")" ] && return
	echo "# $1: $(attributes "$1" | tr '\n' ' ') but there are: $(files "$2" | tr '\n' ' ')"
	return 1
}
counters() { # counters WHAT DIRECTORY: each file is named, families by their prefix or virtual channel
	for name in $(files "$2"); do
		name=$(echo "$name" | sed 's/^\(cache\|host_port\|home\)_//; s/_\(req\|rsp\|snp\|dat\|mgmt\)$/_<vc>/')
		block "$1" | grep -Eq -- "(^|[[:blank:],:])$name([[:blank:],]|\$)" || { echo "# $2/$name is not in $abi"; return 1; }
	done
}
same '/sys/class/hsl/hsl<N>/' /sys/class/hsl/hsl0/ && same '/sys/bus/hsl/devices/hsl<N>-<node>/' /sys/bus/hsl/devices/hsl0-1/
ok 'docs/abi: attributes of fabric and chip'
counters '/sys/bus/hsl/devices/hsl<N>-<node>/counters/' /sys/bus/hsl/devices/hsl0-1/counters/ &&
	counters '/sys/bus/hsl/devices/hsl<N>-<node>/counters_link<i>/' /sys/bus/hsl/devices/hsl0-1/counters_link0/
ok 'docs/abi: counters'
cool=$(echo "/sys/bus/pci/devices/$bdf/hwmon/hwmon"*)
if [ -d /sys/class/hwmon ]; then
	hot=$(echo "/sys/bus/pci/devices/$bdf2/hwmon/hwmon"*)
	same '/sys/class/hwmon/hwmon<M>/' "$cool"; ok 'docs/abi: hwmon'
	[ "$(cat "$cool/temp1_max_alarm" "$cool/temp1_crit_alarm" | tr -d '\n')" = 00 ] && [ "$(cat "$cool/temp1_input")" -ge 45000 ] &&
		[ "$(cat "$cool/power1_input")" -ge 25000000 ] && [ "$(cat "$cool/temp1_max")" = 95000 ] && [ "$(cat "$cool/temp1_crit")" = 105000 ]
	ok 'hwmon: a chip at 25 degrees'
	[ "$(cat "$hot/temp1_max_alarm" "$hot/temp1_crit_alarm" | tr -d '\n')" = 10 ] && [ "$(cat "$hot/temp1_input")" -ge 100000 ]
	ok 'hwmon: one at 80 degrees throttles'
	run 0 hslctl doctor && has 'WARN +chip +chip 2 +1[0-9]+\.[0-9] degrees Celsius: it throttles' && has 'OK +chip +chip 1 +45\.'; ok 'doctor: a hot chip'
	run 0 hslctl list && has ' [0-9]+ C, throttled ' && run 0 hslctl stat --nonzero && has '^Sensors$'; ok 'list, stat: a hot chip'
	run 0 /hsl/tests/guest/as_user 1000 hslctl stat && has ' throttled$'; ok 'stat: for everybody'
	run 0 hsltest run --tap thermal_limits power_of_load hwmon_values && [ "$(grep -c '^ok' $out)" = 3 ] && ! has SKIP; ok 'hsltest: sensors of a cool and a hot chip'
else
	true; ok 'sensors of a cool and a hot chip # SKIP this kernel has no hwmon'
fi
# gcov is there under make coverage-kernel only
for p in $(files /sys/module/hsl/parameters | grep -v '^gcov$'); do grep -q "parameters/.*$p\|^What:.* $p" $abi || echo "$p"; done >$out
[ ! -s $out ]; ok 'docs/abi: parameters'

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
run 0 hslctl topo && has '^ +2 +0 +chip 1 +L0 ' && has '^ +2 +0$'; ok 'topo: its link to the other one'
echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/bind
run 0 hslctl doctor; ok 'doctor: healthy again'

echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/unbind
echo other >"/sys/bus/pci/devices/$bdf/driver_override"
run 1 hslctl doctor && has "FAIL +pci +$bdf +driver_override says 'other'" && has "echo > /sys/bus/pci/devices/$bdf/driver_override"
ok 'doctor: given to another driver'
echo >"/sys/bus/pci/devices/$bdf/driver_override"
echo "$bdf" >/sys/bus/pci/drivers/hsl_pci/bind

mv /dev/hsl0 /dev/away
run 1 hslctl doctor && has 'FAIL +device +/dev/hsl\* +no device node' && has 'devtmpfs'; ok 'doctor: the node is missing'
: >/dev/hsl0
run 1 hslctl doctor && has 'FAIL +device +/dev/hsl0 +not a character device'; ok 'doctor: the node is a file'
rm /dev/hsl0
mv /dev/away /dev/hsl0

limits=/sys/module/hsl/parameters
old=$(cat $limits/max_contexts)
echo 1 >$limits/max_contexts
/hsl/tests/guest/as_user 1000 hslctl monitor >$out.watch &
pid=$!
until_out 1 'ctrl-C ends' $out.watch && run 1 /hsl/tests/guest/as_user 1000 hslctl doctor && has 'cannot be opened: (Disk q|Q)uota exceeded' && has 'raise .*/max_contexts'; ok 'doctor: a limit of files'
kill $pid
wait $pid
echo "$old" >$limits/max_contexts
run 0 /hsl/tests/guest/as_user 1000 sh -c 'ulimit -l 16 && exec hslctl doctor' && has 'WARN +device +limits +RLIMIT_MEMLOCK is 16 KiB'
ok 'doctor: little memory may be locked'

if [ -e /sys/kernel/debug/hsl/hsl0/chip1/ctf ]; then
	run 0 hslctl inject --node 1 --link 0 link down -- hslctl doctor && has 'WARN +link +chip 1 link 0 +to chip 2: Disabled' && has 'WARN +link +chip 1 +no path to chip 2'
	ok 'doctor: a link is down'
	run 0 hslctl inject --node 1 --link 0 link up && run 0 hslctl doctor && has 'OK +link +chip 1 +1 of 1 links'; ok 'doctor: and up'
fi

setpci=/sys/bus/pci/devices/$bdf/config
command=$(dd if="$setpci" bs=1 skip=4 count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
printf "\\$(printf %o $((command & ~4)))" | dd of="$setpci" bs=1 seek=4 conv=notrunc 2>/dev/null
run 1 hslctl doctor && has "FAIL +pci +$bdf +memory decode on, bus master OFF"; ok 'doctor: no bus master'
printf "\\$(printf %o "$command")" | dd of="$setpci" bs=1 seek=4 conv=notrunc 2>/dev/null
# what was submitted meanwhile is lost, so the driver has given the chip up; a kernel without device coredumps has the log only
registers() { [ "$(grep -c '^0x0084 STATUS  ' "$out")" = "$1" ]; }
dumped() {
	if [ -d /sys/class/devcoredump ]; then
		has '^/sys/class/devcoredump/devcd[0-9]+/data:$' && has '^hsl0-1: failed: an admin command did not complete$' && registers 3
	else
		has 'hsl0-1: failed: an admin command did not complete;' && registers 2
	fi
}
run 0 hslctl topo && has '^hslctl: chip 1 is left out: failed$' && has '^ +1 +0 +1$' && run 3 hslctl stat --node 1 && has '^hslctl: chip 1 has failed, '
ok 'topo, stat: a failed chip'
run 1 hslctl doctor && has "FAIL +chip +chip 1 +failed" && has "echo 1 > /sys/bus/pci/devices/$bdf/reset" &&
	run 0 hslctl dump && dumped && run 0 /hsl/tests/guest/as_user 1000 hslctl dump && ! has '^0x0084' &&
	echo 1 >"/sys/bus/pci/devices/$bdf/reset" && run 0 hslctl doctor
ok 'doctor, dump: a failed chip with its coredump, and the remedy'

# What only a wrong chip, firmware or boot option makes: doctor looks at a copy of the function in sysfs, with bytes changed.
dev=/tmp/pci/$bdf
copy() { # copy: the function as it is
	rm -rf /tmp/pci && mkdir -p "$dev" && for f in config resource vendor device class irq; do cat "/sys/bus/pci/devices/$bdf/$f" >"$dev/$f"; done
	ln -s ../../drivers/hsl_pci "$dev/driver"
}
poke() { # poke OFFSET OCTAL…: bytes of the copy's configuration space
	at=$1
	shift
	printf "$(printf '\\%s' "$@")" | dd of="$dev/config" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
byte() { dd if="$dev/config" bs=1 skip="$1" count=1 2>/dev/null | od -An -tu1 | tr -d ' '; }
find_cap() { # find_cap ID: offset of a capability
	at=$(byte 52)
	while [ "$at" != 0 ] && [ "$(byte "$at")" != "$1" ]; do at=$(byte $((at + 1))); done
	echo "$at"
}
find_dvsec() { # as tests know it: the extended capability 0x23
	at=256
	while [ "$at" != 0 ] && [ "$(byte "$at")" != 35 ]; do at=$(($(byte $((at + 2))) / 16 + $(byte $((at + 3))) * 16)); done
	echo "$at"
}
looks() { # looks STATUS: doctor at the copy
	mkdir -p /tmp/pci && mount --bind /tmp/pci /sys/bus/pci/devices && run "$1" hslctl doctor
	rc=$?
	umount /sys/bus/pci/devices
	return $rc
}
finds() { # finds ENGLISH CHINESE: a FAIL of the pci layer
	looks 1 && has "FAIL +pci +$bdf +$1" && has '^ +-> ' && LC_ALL=zh_CN.UTF-8 looks 1 && has "FAIL +pci +$bdf +$2"
}
copy && looks 0 && has "OK +pci +$bdf +MSI-X on, "; ok 'doctor: a copy of a function looks as it does'
msix=$(find_cap 17) dvsec=$(find_dvsec)
copy && poke $((msix + 3)) 0 && finds 'MSI-X is off, 32 vectors' 'MSI-X 未打开，32 个向量' && has 'pci=nomsi'; ok 'doctor: MSI-X is off'
copy && poke "$msix" 1 && finds 'no MSI-X capability' '没有 MSI-X 能力'; ok 'doctor: no MSI-X'
copy && poke $((dvsec + 11)) 2 && finds 'chip 1 speaks HEP 2.0, this software HEP 1.0' '芯片 1 实现的是 HEP 2.0，本软件是 HEP 1.0'; ok 'doctor: another HEP version on the bus'
copy && poke $((dvsec + 12)) 140 && finds 'DVSEC names BAR 6 for memory, which does not exist' 'DVSEC 指定 BAR 6'; ok 'doctor: a BAR that cannot be'
copy && poke $((dvsec + 12)) 120 && finds 'BAR 5 \(memory\) has no size' 'BAR 5（memory）没有大小'; ok 'doctor: a BAR without size'
copy && sed -i '3s/0x\([0-9a-f]*\) 0x\([0-9a-f]*\)/0x0000000000000000 0x000000000fffffff/' "$dev/resource" &&
	finds 'BAR 2 \(memory, 256 MiB\) has no address' 'BAR 2（memory，256 MiB）没有地址' && has 'pci=realloc'
ok 'doctor: a BAR without address'
copy && rm "$dev/driver" && looks 1 && has "FAIL +pci +$bdf +no driver is bound"; ok 'doctor: a copy without driver'
rm -rf /tmp/pci && looks 1 && has 'FAIL +pci +bus +no HSL chip' && ! has 'other accelerators'; ok 'doctor: no chip on the bus'
copy && poke $((dvsec + 4)) 0 && rm "$dev/driver" && looks 1 && has 'FAIL +pci +bus +no HSL chip .*; other accelerators of the class are there'; ok 'doctor: others of the class only'
rm -rf /tmp/pci

rmmod hsl_pci
run 1 hslctl doctor && has 'WARN +kernel +hsl_pci' && has 'no driver is bound' && has 'FAIL +device' && has 'NOT CHECKED'
ok 'doctor: hsl_pci not loaded'
run 3 hslctl list && has 'HEP 1.0'; ok 'list: falls back to the bus'
run 3 hsltest run; ok 'hsltest: no device is 3'
rmmod hsl
run 1 hslctl doctor && has 'FAIL +kernel +hsl +the module is not loaded'; ok 'doctor: no module'
finish
