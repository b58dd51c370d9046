#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Whether fuzz sees what it is there to see: a worker that does not come to an end, one that dies, and its own end by a signal.
out=/tmp/fuzz_ends
. "${0%/*}/checks.sh"
fuzz=/hsl/tests/guest/fuzz
cgroup=/sys/fs/cgroup/frozen
mode=$(stat -c %a /dev/hsl0)

begin() { # begin SECONDS [OPTION…]: two workers, the second one without privileges
	seconds=$1
	shift
	$fuzz "$@" -w 2 -s 1 "$seconds" >"$out" 2>&1 &
	pid=$!
	until_out 1 '^# seed' "$out"
	sleep 1
}
processes() { grep -lE "$1" /proc/[0-9]*/status 2>/dev/null | cut -d/ -f3; }
workers() { processes "^PPid:[[:space:]]$pid\$"; }
nobody_left() { # within a minute
	for _ in $(seq 60); do
		[ -n "$(nobody)" ] || return 0
		sleep 1
	done
	return 1
}
nobody() { processes '^Uid:[[:space:]]65534[[:space:]]'; }
freeze() { # freeze PID…: not by SIGSTOP, as fuzz lets its workers go on whenever the kernel has said something
	for worker; do
		echo "$worker" >$cgroup/cgroup.procs || return
	done
	echo 1 >$cgroup/cgroup.freeze
	until_out 1 '^frozen 1$' $cgroup/cgroup.events
}
ended() { # ended STATUS
	wait $pid
	got=$?
	[ $got = "$1" ] || { echo "# exit status $got, not $1"; return 1; }
}
mode_is_back() { [ "$(stat -c %a /dev/hsl0)" = "$mode" ]; }

mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
mkdir $cgroup
# shellcheck disable=SC2046 # each of them
begin 6 -t 8 && freeze $(workers) && ended 1 && has '^# worker [01] does not come to an end' && has '^# now: [0-9a-f]+$' &&
	has '^not ok . - each program came to an end' && mode_is_back
ok 'a worker that hangs is told, with its programs'

# shellcheck disable=SC2046
begin 20 && kill -ABRT $(workers | head -n 1) && ended 1 && has 'worker . died by itself: status' && has '^# now: ' && has '^not ok . - programs ran, and no worker died'
ok 'so is one that dies'

begin 60 && kill -TERM $pid && ended 0 && has '^ok . - the chips have their memory and queues back' && mode_is_back
ok 'SIGTERM: it ends at once, all is checked, and the device has its mode again'

begin 60 && [ -n "$(nobody)" ] && kill -KILL $pid && ! wait $pid && nobody_left
ok 'SIGKILL: no worker outlives it'
chmod "$mode" /dev/hsl0
finish
