#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# driver_mutants.sh PLAN STILL: for tests/mutants/matrix, in a VM (MODULES=0) whose hsl.ko holds mutants. A line of PLAN is
#
#	NUMBER TEST...|TEST...|...
#
# The module is loaded again for each, and the tests run until one fails or makes no progress for STILL s; TAP is between '# mutant NUMBER' and '# done NUMBER'.
# For number 0, the driver as it is, each test runs alone: '# reached TEST SECONDS BITS', a digit for each mutant whose line it
# has reached; also 'load' and 'unload'.
#
# A kernel that has complained, or that does not give the modules back, is not used for another one: the rest is for the next VM.
plan=$1 still=$2 out=/tmp/driver_mutants reached=/sys/module/hsl/parameters/reached

# A test that hangs ends it. What it leaves may not even die, and must not hold up who reads.
hsltest_run() {
	rm -f $out $out.end
	{
		timeout -s KILL 300 hsltest run --tap --quick --disruptive --stop-on-fail --timeout "$still" "$@" >$out 2>/dev/null
		: >$out.end
	} &
	until [ -e $out.end ] || grep -q '^# timed out' $out 2>/dev/null; do
		sleep 0.1
	done
	killall -q -KILL hsltest
	wait
	cat $out
}

now() {
	cut -d' ' -f1 /proc/uptime
}

measure() {
	echo "# reached load 0 $(cat $reached)"
	for t in "$@"; do
		echo 0 >$reached
		start=$(now)
		hsltest_run "$t"
		echo "# reached $t $(echo "$start $(now)" | awk '{ print $2 - $1 }') $(cat $reached)"
	done
	echo 0 >$reached
	rmmod hsl_pci
	echo "# reached unload 0 $(cat $reached)"
}

while read -r m tests; do
	echo "# mutant $m"
	dmesg -c >/dev/null
	if ! insmod /lib/hsl/hsl.ko mutant="$m" || ! insmod /lib/hsl/hsl_pci.ko || [ ! -e /dev/hsl0 ]; then
		echo 'not ok 0 - HEP-DRIVER load'
		dmesg | tail -n 1 | sed 's/^/# /'
	elif [ "$m" = 0 ]; then
		# shellcheck disable=SC2086
		measure $tests
	else
		while [ -n "$tests" ]; do
			# shellcheck disable=SC2086
			hsltest_run ${tests%%|*}
			grep -q '^not ok' $out && break
			[ "$tests" != "${tests#*|}" ] || break
			tests=${tests#*|}
		done
	fi </dev/null
	complaint=$(dmesg | grep -E -m1 'WARNING: |BUG: |Oops|Call Trace:|general protection fault')
	[ -z "$complaint" ] || echo "# complaint $complaint"
	rmmod hsl_pci hsl 2>/dev/null
	if [ -e /sys/module/hsl ]; then
		sleep 1
		rmmod hsl_pci 2>/dev/null
		rmmod hsl 2>/dev/null
	fi
	echo "# done $m"
	[ -z "$complaint" ] && [ ! -e /sys/module/hsl ] || exit 1
done <"$plan"
