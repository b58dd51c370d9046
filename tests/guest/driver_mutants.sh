#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# driver_mutants.sh 'MUTANT...' 'SLOW-TEST...' TEST...: for tests/mutants/matrix, in a VM (MODULES=0) whose hsl.ko holds mutants.
# The module is loaded again for each and the tests run, slow ones if no other failed; its TAP is between '# mutant N' and
# '# done N'. A kernel that has complained, or that does not give the modules back, is not used for another one: the rest is for
# the next VM.
mutants=$1 slow=$2 out=/tmp/driver_mutants
shift 2
# Two tests that hang are enough. What they leave may not even die, and must not hold up who reads.
hsltest_run() {
	rm -f $out $out.end
	{
		timeout -s KILL 300 hsltest run --tap --quick --disruptive --timeout 10 "$@" >$out 2>/dev/null
		: >$out.end
	} &
	until [ -e $out.end ] || [ "$(grep -c '^# timed out' $out 2>/dev/null)" = 2 ]; do
		sleep 0.5
	done
	killall -q -KILL hsltest
	wait
	cat $out
}

for m in $mutants; do
	echo "# mutant $m"
	dmesg -c >/dev/null
	if insmod /lib/hsl/hsl.ko mutant="$m" && insmod /lib/hsl/hsl_pci.ko && [ -e /dev/hsl0 ]; then
		hsltest_run "$@"
		# shellcheck disable=SC2086
		grep -q '^not ok' $out || hsltest_run $slow
	else
		echo 'not ok 0 - HEP-DRIVER load'
		dmesg | tail -n 1 | sed 's/^/# /'
	fi
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
done
