#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# ctf.sh: counters in sysfs, the test facility's door, and what hslctl makes of both: stat, link, inject, capture. Run with 2
# chips, which have one link.
out=/tmp/ctf.out
. /hsl/tests/guest/checks.sh

sys=/sys/bus/hsl/devices/hsl0-1
door=/sys/kernel/debug/hsl/hsl0/chip1/ctf
bdf=$(basename "$(dirname "$(readlink -f $sys)")")
as_user="/hsl/tests/guest/as_user 1000"
traffic='hsltest run --tap MAP-025'
[ -e $door ] || { echo '1..0 # SKIP the chip has no test facility'; exit 77; }

count() { cat "$sys/counters_link0/$1"; }
all_numbers() { # all_numbers DIRECTORY: every file holds one number
	for f in "$1"/*; do
		grep -Eqx '[0-9]+' "$f" && [ "$(wc -l <"$f")" = 1 ] || { echo "# $f: $(cat "$f")"; return 1; }
	done
}
names() { hslctl stat --node 1 --json | sed -n '/"sensors": {/,/}/d; /"'"$1"'"/,/^      \]/s/^            "\(.*\)": [0-9]*,*$/\1/p' | sort; }

run 0 /hsl/tests/guest/ctf; ok 'the door'

# ---- sysfs ----
all_numbers $sys/counters && all_numbers $sys/counters_link0; ok 'sysfs: one number a file'
[ "$(ls $sys/counters_link0 | sort)" = "$(names links)" ] && [ "$(ls $sys/counters | sort)" = "$(names chips)" ] &&
	[ "$(names links | wc -l)" -gt 20 ]; ok 'sysfs and libhsl have the same names'
run 0 $as_user cat $sys/counters_link0/tx_flits; ok 'sysfs: not root'
before=$(count tx_packets_req) flits=$(count tx_flits)
run 0 $traffic; ok 'traffic'
[ "$(count tx_packets_req)" -gt "$before" ] && [ "$(count tx_flits)" -gt "$flits" ]; ok 'sysfs: traffic counts'
[ "$(cat /sys/bus/hsl/devices/hsl0-2/counters/home_requests)" -gt 0 ]; ok 'sysfs: at the home, too'
before=$(count tx_flits)
echo 1 >"/sys/bus/pci/devices/$bdf/reset"
[ "$(count tx_flits)" -ge "$before" ]; ok 'sysfs: counters survive a reset'

# ---- stat, link ----
run 0 hslctl stat && has '^Links$' && has '^ +1 +0 +chip 2 +[1-9][0-9]* ' && has '^ +2 +host port +'; ok stat
run 0 $as_user hslctl stat --node 1 --link 0 --nonzero && ! has '^Caches' && has ' sent +[1-9]'; ok 'stat of a link, not root'
run 0 hslctl stat --interval 300ms --for 400ms --nonzero && has '^Nothing was counted.$'; ok 'stat --interval: nobody is there'
hslctl stat --interval 200ms --nonzero >$out.stat &
pid=$!
until_out 1 '^Nothing was counted' $out.stat && run 0 $traffic && until_out 1 '^Links, per second' $out.stat
ok 'stat --interval: traffic'
kill -TERM $pid
wait $pid; ok 'stat ends with 0'
run 0 hslctl link && [ "$(grep -c ' L0 ' $out)" = 2 ]; ok link

# ---- inject ----
run 3 $as_user hslctl inject --node 1 crc 1 -- true && has 'for root'; ok 'inject: not root'
hslctl link --watch >$out.watch &
watch=$!
until_out 1 'ctrl-C ends' $out.watch; ok 'link --watch'
run 0 hslctl inject --node 1 link down -- hslctl link && has '^ +1 +0 +chip 2 +(Disabled|Detect)' && has ': link down$' &&
	has '^while hslctl runs'; ok 'inject link down: while a command runs'
run 0 hslctl link && [ "$(grep -c ' L0 ' $out)" = 2 ]; ok 'and up again'
until_out 2 'chip [12] link 0: Disabled' $out.watch && until_out 2 'chip [12] link 0: L0' $out.watch; ok 'link --watch has seen it'
[ "$(awk '/link 0: /{ if (n && $1 != n + 1) print; n = $1 }' $out.watch)" = '' ]; ok 'with consecutive numbers'
kill -TERM $watch
wait $watch; ok 'link --watch ends with 0'

hslctl monitor --interval 200ms >$out.watch &
watch=$!
hslctl monitor --interval 200ms --json >$out.lines &
lines=$!
hslctl monitor --interval 1h >$out.end &
end=$!
until_out 1 'ctrl-C ends' $out.watch && until_out 1 '"line":"sample"' $out.lines && until_out 1 'ctrl-C ends' $out.end; ok 'monitor, and monitor --json'
bad=$(cat /sys/bus/hsl/devices/hsl0-2/counters_link0/rx_bad)
run 0 hslctl inject --node 1 --link 0 crc 3@2 77 -- $traffic && has 'chip 1 link 0 \(to chip 2\): crc 3 flits after the next 2, bit 77' &&
	has ': 3 errors injected; the link is in L0$' && ! has '^not ok'; ok 'inject crc: 3 errors, results are right'
[ "$(cat /sys/bus/hsl/devices/hsl0-2/counters_link0/rx_bad)" = $((bad + 3)) ]; ok 'the other end has refused 3 flits'
until_out 1 'chip 2 link 0: .*[1-3] flits refused' $out.watch &&
	until_out 1 '"line":"event",.*"type":"errors","node":2,"link":0,"by":\{.*"rx_bad":[1-3][,}]' $out.lines &&
	until_out 1 '"tx_bytes_per_s":[1-9]' $out.lines
ok 'monitor has seen it'
kill -TERM $watch $lines $end
wait $watch && wait $lines && wait $end; ok 'monitor ends with 0'
grep -q 'chip 2 link 0: .*3 flits refused' $out.end; ok 'and tells the errors of an interval that was not over'
run 0 hslctl inject --node 1 seed 7 drop 0.01 ber 1e-6 -- $traffic && has ': [1-9][0-9]* errors injected' && ! has '^not ok'
ok 'inject: random errors, results are right'
run 0 hslctl inject --node 2 lose 2 -- $traffic && has ': 2 errors injected' && has 'tx_replayed [1-9]'; ok 'inject lose'
run 3 hslctl inject --node 1 crc 1 -- hslctl inject --node 1 crc 1 --for 1 && has 'another program has its test facility'
ok 'inject: one at a time, and the status is the command'"'"'s'
run 127 hslctl inject --node 1 crc 1 -- /no/such/program; ok 'inject: a command that is not there is 127'
run 1 hslctl inject --node 1 lane 63 fail -- true && has 'out of the chip'; ok 'inject: refused by the chip is 1'
run 0 hslctl inject --node 1 lane 15 fail -- hslctl link && has '^ +1 +0 +chip 2 +L0 +8 of 16 '; ok 'inject lane: the link is narrower'
run 0 hslctl inject --node 1 lane 15 fail -- hslctl doctor && has 'WARN +link +chip 1 link 0 +to chip 2: 8 of 16 lanes$' &&
	has 'WARN +link +chip 2 link 0 +to chip 1: 8 of 16 lanes$' && has '-> a lane has failed' && run 0 hslctl doctor && ! has 'of 16 lanes'
ok 'doctor: two chips, and a link that is narrower than it could be'
run 0 hslctl inject --node 1 lane 15 fail -- cat /sys/bus/hsl/devices/hsl0-2/links/link0 && has ' width=8 rate_mtps=112000 .* max_width=16 max_rate_mtps=112000$'
ok 'sysfs: what is in use, and what the end has'
run 0 hslctl inject --node 1 crc 1 --json -- true && has '"errors": 0' && has '"left": 1' && has '"what": "crc"'; ok 'inject --json'
run 0 hslctl inject --node 1 crc 1@3 --for 100ms && has 'still waited for 4 more'; ok 'inject: what did not come along'
run 0 hslctl inject poison 0x1000000001000 && has '^chip 1: poison the line at 0x1000000001000$' && ! has 'injected'
ok 'inject poison'
run 0 hslctl inject unpoison 0x1000000001000; ok 'inject unpoison'
run 0 hslctl inject --node 1 link retrain && has ': link retrain$'; ok 'inject link retrain ends at once'
run 0 hslctl inject --node 1 clear; ok 'inject clear'

hslctl inject --node 1 link down >$out.kill &
pid=$!
until_out 1 'until ctrl-C' $out.kill && run 0 hslctl link && ! has ' L0 '; ok 'inject link down until ctrl-C'
kill -KILL $pid
wait $pid
run 0 hslctl link && [ "$(grep -c ' L0 ' $out)" = 2 ]; ok 'kill -9: the link is up'

# ---- a fatal error ----
node2=$(basename "$(dirname "$(readlink -f /sys/bus/hsl/devices/hsl0-2)")")
run 0 hslctl inject --node 2 fatal && has '^chip 2: fatal error' && ! has 'injected'; ok 'inject fatal'
for _ in $(seq 100); do # until the driver has heard of it
	[ "$(cat /sys/bus/hsl/devices/hsl0-2/state)" = failed ] && break
	usleep 50000
done
run 0 hslctl list && has '^ +1 .* ready ' && has '^ +2 .* failed ' && dmesg | grep -q 'it reports a fatal error'
ok 'its driver stops the chip, and no other'
run 0 hslctl link && has '^ +1 +0 +chip 2 ' && has 'chip 2 is left out: failed'; ok 'link shows the others'
run 0 hslctl stat && has '^ +1 +0 +chip 2 ' && has 'chip 2 is left out: failed'; ok 'stat, too'
run 3 hslctl link --node 2; ok 'link of a chip that has failed is 3'
run 3 hslctl inject --node 2 crc 1 -- true; ok 'no test mode in a chip that has failed'
echo 1 >"/sys/bus/pci/devices/$node2/reset"
run 0 hslctl list && has '^ +2 .* ready ' && run 0 $traffic && ! has '^not ok'; ok 'a function level reset brings it back'

# ---- capture ----
run 3 $as_user hslctl capture -w /dev/null --for 1 && has 'for root'; ok 'capture: not root'
run 0 hslctl capture -w /tmp/link.pcapng -- $traffic && has ': [1-9][0-9]* flits.* of 2 link ends' && ! has '^not ok' && ! has 'more were lost'; ok capture
run 0 hsltest check-trace /tmp/link.pcapng; ok 'check-trace has nothing against it'
run 0 hslctl capture -w /tmp/one.pcapng --node 1 --json -- true && has '"records": 0' && has '"verb": "capture"'; ok 'capture --json: nothing'
run 0 hsltest check-trace /tmp/one.pcapng || run 77 hsltest check-trace /tmp/one.pcapng; ok 'a capture of nothing is a file'
run 3 hslctl capture -w /no/such/file -- true; ok 'capture: the file cannot be made'
finish
