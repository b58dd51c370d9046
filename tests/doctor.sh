#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# doctor.sh: what hslctl doctor says of a driver and of chips that are as none is here (doctor.c, preloaded, stands for them on a
# character device), and of hot chips of sim:, in both languages. Findings that a VM can have for real: tests/guest/hslctl.sh.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
hslctl=${HSL_BUILD:-$top/build}/hslctl
[ -x "$hslctl" ] || { echo "1..0 # SKIP hslctl is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"

${CC:-cc} -O1 -Wall -Wextra -Werror -fPIC -shared -I"$top/include" -I"$top/include/uapi" -o "$dir/fake.so" "$top/tests/doctor.c" ||
	{ echo "not ok - doctor.c does not compile"; exit 1; }

# finds STATUS FAKE ENGLISH CHINESE [REMEDY]: as root or not, other layers say what they say
finds() {
	expect "$1" env LD_PRELOAD="$dir/fake.so" HSL_FAKE="$2" "$hslctl" doctor -f /dev/zero --lang en && out "$3" && { [ -z "${5-}" ] || out "$5"; } &&
		expect "$1" env LD_PRELOAD="$dir/fake.so" HSL_FAKE="$2" "$hslctl" doctor -f /dev/zero --lang zh_CN && out "$4"
}

finds 1 none 'OK +link +chip 3 +2 of 2 links' 'OK +link +chip 3 +2 条链路可以传包，共 2 条'; ok 'a driver that is preloaded is taken for one'
! out 'WARN +link'; ok 'links that are alike are no finding'
finds 1 abi 'FAIL +fabric +/dev/zero +the driver has ABI [0-9]+\.7, the library \(.*\) ABI' 'FAIL +fabric +/dev/zero +驱动的 ABI 是 [0-9]+\.7' \
	'-> install library and driver of the same major version'
ok 'another ABI'
for tool in 'hslctl list' 'hsltest run nop' 'hslbench lat'; do
	# shellcheck disable=SC2086
	expect 3 env LD_PRELOAD="$dir/fake.so" HSL_FAKE=abi "${hslctl%hslctl}"$tool -f /dev/zero &&
		err '/dev/zero: the driver has ABI [0-9]+\.7, this library \([0-9.]+\) needs [0-9]+\.x: install the two of one release'
	ok "both versions are named: $tool"
done
finds 1 gone 'FAIL +fabric +/dev/zero +opens, but tells nothing: No such device' 'FAIL +fabric .*可以打开，但没有信息'; ok 'a fabric that leaves'
finds 1 no-chips 'FAIL +fabric +/dev/zero +no chips' 'FAIL +fabric +/dev/zero +没有芯片'; ok 'no chips'
finds 1 left 'FAIL +chip +index 1 +No such' 'FAIL +chip +index 1' 'it left while we looked'; ok 'a chip that leaves'
finds 1 hep 'FAIL +chip +chip 1 +HEP 2\.3, this software HEP 1\.0' 'FAIL +chip +chip 1 +HEP 2\.3，本软件是 HEP 1\.0' "-> use a library for the chip's version"
ok 'another HEP version'
finds 1 resetting 'WARN +chip +chip 1 +resetting' 'WARN +chip +chip 1 +状态：resetting' '-> wait and try again' && out 'NOT CHECKED +chip +chip 1 +NOP：芯片未就绪'
ok 'a reset under way'
finds 1 sensors 'NOT CHECKED +chip +chip 1 +temperature: No such device' 'NOT CHECKED +chip +chip 1 +温度：' && finds 1 none 'OK +chip +chip 1 +HEP' 'OK' &&
	! out '温度'
ok 'sensors that do not answer; a chip without any'
finds 1 memory 'WARN +chip +chip 2 +all of its memory is in use' 'WARN +chip +chip 2 +芯片内存已用完' "-> 'hslctl mem'"; ok 'all memory used'
finds 1 queues 'WARN +chip +chip 2 +all 63 queues are in use' 'WARN +chip +chip 2 +63 个队列全部被占用' 'says which processes' &&
	out 'NOT CHECKED +chip +chip 2 +NOP：没有空闲队列'
ok 'all queues used'
finds 1 none 'FAIL +chip +chip 1 +no queue can be created: Disk quota exceeded' 'FAIL +chip +chip 1 +无法创建队列' 'raise /sys/module/hsl/parameters/max_queues'
ok 'a limit of queues'
finds 1 narrow 'WARN +link +chip 1 link 0 +to chip 2: 8 lanes, another link of this fabric has 16' 'WARN +link +chip 2 link 1 +通往 chip 1.*8 条通道，.*16 条的链路' \
	"-> built so, or a lane has failed: 'hslctl inject link retrain'" && [ "$(grep -c 'WARN  *link' "$dir/out")" = 2 ]
ok 'a narrow link, at both its ends'
finds 1 slow 'WARN +link +chip 2 link 1 +to chip 1: 56.0 GT/s, another link of this fabric has 112.0' 'WARN +link +chip 1 link 0 +通往 chip 2.*56.0 GT/s，.*112.0' \
	'-> built so, or trained at a lower rate' && [ "$(grep -c 'WARN  *link' "$dir/out")" = 2 ]
ok 'a slow link, at both its ends'
finds 1 lane 'WARN +link +chip 1 link 0 +to chip 2: 8 of 16 lanes$' 'WARN +link +chip 3 link 1 +通往 chip 2:8 条通道，本可有 16 条$' '-> a lane has failed: ' &&
	[ "$(grep -c 'WARN  *link' "$dir/out")" = 6 ]
ok 'links that are all narrower than their ends can'
finds 1 rate 'WARN +link +chip 1 link 0 +to chip 2: 56.0 of 112.0 GT/s$' 'WARN +link +chip 3 link 1 +通往 chip 2:56.0 GT/s，本可达 112.0 GT/s$' \
	'-> trained at a lower rate: ' && [ "$(grep -c 'WARN  *link' "$dir/out")" = 6 ]
ok 'and slower'
finds 1 half 'OK +link +chip 2 +2 of 2 links' 'OK +link +chip 2' && ! out 'WARN +link'; ok 'as wide as its narrower end is no finding'
finds 1 mixed 'OK +link +chip 1 +2 of 2 links' 'OK +link +chip 1' && ! out 'WARN +link'; ok 'nor where only the narrower end tells'
finds 1 one-tells 'WARN +link +chip 1 link 0 +to chip 2: 8 of 16 lanes$' 'WARN +link +chip 2 link 1 +通往 chip 1.*同一 fabric 中有 16 条' \
	'-> the other end, which does not tell, has fewer, or a lane' && [ "$(grep -c 'WARN  *link' "$dir/out")" = 2 ]
ok 'a chip that does not tell is compared with the other links'

fake() { # fake FAKE STATUS PROGRAM ARG…: on that driver
	with=$1 want=$2
	shift 2
	expect "$want" env LD_PRELOAD="$dir/fake.so" HSL_FAKE="$with" "$@" -f /dev/zero
}
fake lane 0 "$hslctl" link && out '^ +1 +0 +chip 2 +L0 +8 of 16 +112.0 ' && fake rate 0 "$hslctl" topo && out '^ +1 +0 +chip 2 +L0 +16 +56.0 of 112.0 '
ok 'link, topo: in use, of what the end can'
fake lane 0 "$hslctl" link --json && out '"max_width": 16' && fake none 0 "$hslctl" topo --json && out '"max_width": null'
ok '--json: in numbers, null where it is not told'

# Of a chip that does not answer for itself its neighbours tell: the others still see each other, over it too.
fake failed 0 "$hslctl" topo && err '^hslctl: chip 2 is left out: failed$' && out '^ +1 +0 +1 +2$' && out '^ +2 +1 +0 +1$' && out '^ +3 +2 +1 +0$' &&
	! out '^ +2 +0 +chip'
ok 'topo: a failed chip is on the way'
fake unbound 0 "$hslctl" topo && [ ! -s "$dir/err" ] && out '^ +1 +0 +2$' && out '^ +3 +2 +0$'; ok 'topo: a chip without driver is on the way'
fake failed 1 "$hslctl" doctor && ! out 'no path to' && fake unbound 1 "$hslctl" doctor && ! out 'no path to'; ok 'doctor: and is in nobody'"'"'s way'
fake failed 0 "$hslctl" list && out '^ +2 .* failed .* 63/63 +- ' && out '^ +1 .* ready .* 63/63 +1/2 '; ok 'list: which of its links are up is not known'
fake failed 3 "$hslctl" stat --node 2 && err '^hslctl: chip 2 has failed, .*hslctl doctor' && fake failed 3 "$hslctl" inject link down --node 2 &&
	err '^hslctl: chip 2 has failed, '
ok 'stat, inject: the chip has failed'
fake failed 1 "${hslctl%hslctl}hsltest" run copy_sizes && err "^hsltest: chip 2 has failed, and what needs it fails: 'hslctl doctor'" &&
	fake failed 1 "${hslctl%hslctl}hslbench" lat --quick --op copy && err '^hslbench: chip 2 has failed, '
ok 'hsltest, hslbench: say first that a chip has failed'

sim() { # sim STATUS URL LANG PATTERN
	expect "$1" "$hslctl" doctor -f "$2" --lang "$3" && out "$4"
}
sim 0 sim:pair2 en 'OK +chip +chip 1 +45.0 degrees Celsius, throttles from 95 on; takes 25.0 W' && sim 0 sim:pair2 zh_CN '45.0 摄氏度，从 95 度起降速'
ok 'temperature'
sim 0 sim:pair2,ambient=80 en 'WARN +chip +chip 1 +100.0 degrees Celsius: it throttles, as it does from 95 on' && out '-> fans, air flow' &&
	sim 0 sim:pair2,ambient=80 zh_CN 'WARN +chip +chip 1 +100.0 摄氏度：芯片在降速（从 95 度起）'
ok 'a hot chip is a warning'
sim 1 sim:pair2,ambient=85 en 'FAIL +chip +chip 1 +105.0 degrees Celsius: it may be damaged from 105 on' && sim 1 sim:pair2,ambient=85 zh_CN 'FAIL .*可能损坏'
ok 'one at its limit is not healthy'
expect 0 "$hslctl" list -f sim:pair2,ambient=80 && out '^ +1 .* 100 C, throttled  1.0 ' && expect 0 "$hslctl" list -f sim:pair2,ambient=80 --json &&
	out '"temp_mc": 100000' && out '"throttled": true'
ok 'list shows it'
expect 0 "$hslctl" stat -f sim:pair2,ambient=80 && out '^Sensors$' && out '^ +1 +100.0 +95.0 +105.0 +25.0 +throttled$'; ok 'stat shows it'
expect 0 "$hslctl" stat -f sim:pair2 --json && out '"power_mw": 25[0-9]{3}'; ok 'stat --json shows it'
expect 0 "$hslctl" monitor -f sim:pair2,ambient=80 --for 20ms && out ' chip 2: 100 C, throttled$' && [ "$(wc -l <"$dir/out")" = 3 ]; ok 'monitor tells it, once'
expect 2 "$hslctl" list -f sim:pair2,ambient=126; err 'ambient is 0 to 125 degrees Celsius'
ok 'an ambient that no chip bears is refused'

far_end() { # far_end PROFILE: chip 2, in another process, at the other end of $dir/link
	rm -f "$dir/link"
	"$hslctl" link --watch -f "sim:pair2,profile=$1,remote=2-1:listen:$dir/link" >"$dir/watch" 2>&1 &
	far=$!
	for _ in $(seq 100); do [ -S "$dir/link" ] && break; sleep 0.1; done
}
# A link to another process, whose end has fewer lanes: trained to these, and only one end is seen.
sed -n '/^\[profile\]/,$p' "$top/docs/fabrics/chord.conf" | sed 's/^lanes .*/lanes 8/; s/^rate_mtps .*/rate_mtps 112000/' >"$dir/x8.conf"
far_end "$dir/x8.conf"
url=sim:pair2,remote=1-2:connect:$dir/link
sim 0 "$url" en 'WARN +link +chip 1 link 0 +to chip 2: 8 of 16 lanes$' && out '-> the other end, which does not tell, has fewer'
ok 'two chips: a link that is narrower than this end could'
kill $far
wait $far
far_end "$top/docs/fabrics/chord.conf"
sim 1 "$url" en 'FAIL +fabric +.*cannot be opened: Protocol error$' && out '-> the two ends of remote= do not fit' && ! out 'ABI' &&
	expect 3 "$hslctl" link -f "$url" && err '^hslctl: .*: cannot be opened: Protocol error$' && err 'does not fit: ' && ! err 'ABI' &&
	expect 3 "${hslctl%ctl}test" run -f "$url" nop && err '^hsltest: .*: cannot be opened: Protocol error$' && err 'does not fit: ' && ! err 'ABI'
ok 'ends of a remote link that do not fit are no difference of ABI'
kill $far
wait $far
finish
