#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh: can hsltest fail? A library with one mistake (preload.c) goes before libhsl, and the test of the requirement
# that the mistake breaks has to say so. Without a mistake the same tests pass.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${HSL_BUILD:-$top/build}
hsltest=$build/hsltest
[ -x "$hsltest" ] || { echo "1..0 # SKIP $hsltest is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
${CC:-cc} -O1 -Wall -Wextra -Werror -fPIC -shared -I"$top/include" -o "$dir/mutant.so" "$here/preload.c" -ldl -lm ||
	{ echo "not ok - preload.c does not compile"; exit 1; }
n=0
failed=0

verdict() { # verdict RC NAME
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/out"
		failed=1
	fi
}

mutant() { # mutant NAME REQUIREMENT TEST PATTERN [option…]: this test fails, and says so in these words
	name=$1 requirement=$2 test=$3 pattern=$4
	shift 4
	HSL_MUTANT=$name LD_PRELOAD=$dir/mutant.so "$hsltest" run --tap -f sim:mesh4 "$@" "$test" >"$dir/out" 2>&1
	[ $? = 1 ] && grep -q "^not ok [0-9]* - $requirement $test\$" "$dir/out" && grep -Eq "^# .*$pattern" "$dir/out"
	verdict $? "$name is caught by $requirement $test"
	echo "$test" >>"$dir/tests"
}

mutant copy-short HEP-TXN-004 copy_alignment 'expected 0x.*, got 0x'
mutant copy-long HEP-TXN-004 copy_alignment 'expected 0x.*, got 0x|expected status'
mutant copy-nothing HEP-TXN-004 copy_sizes 'got 0|expected 0x'
mutant copy-aligned HEP-TXN-004 copy_alignment 'expected 0x.*, got 0x'
mutant copy-nothing HEP-ORD-001 strong_chain 'expected 0x.*, got 0x'
mutant copy-short HEP-MAP-006 four_directions 'expected'
mutant fill-phase HEP-TXN-006 fill 'expected 0x.*, got 0x'
mutant order-taken HEP-TXN-003 reserved_fields 'expected status 2 '
mutant result HEP-TXN-011 result_bytes 'result: expected'
mutant fault-ga HEP-TXN-010 check_order 'expected 0x'
mutant cookie HEP-QUE-001 exactly_once 'cookie .*: (twice|never|not ours)'
mutant no-segment-ok HEP-SEC-001 other_context 'expected status 5 '
mutant no-segment-ok HEP-MAP-001 bad_nodes 'expected status 5 '
mutant rights HEP-MAP-012 rights 'expected status 7 '
mutant not-zeroed HEP-MAP-004 zeroed 'expected 0x00, got 0x01'
mutant leak HEP-API-006 no_leak 'mappings: |free memory'
mutant errno HEP-API-008 refused_arguments 'expected -EINVAL, got -ENOMEM'
mutant link-width HEP-LNK-003 symmetric 'chip 1 '
mutant lost-wakeup HEP-QUE-007 no_lost_wakeup 'no event within'
mutant atomic-new HEP-ATM-001 atomic_ops 'expected the old value as result'
mutant cas-always HEP-ATM-001 atomic_ops 'ATOMIC 2 .*expected 0.* in memory'
mutant umin-signed HEP-ATM-001 atomic_ops 'ATOMIC 8 .*expected 0.* in memory'
mutant atomic-8 HEP-ATM-001 atomic_ops 'expected'
mutant atomic-new HEP-ATM-002 one_after_other 'seen twice'
mutant atomic-rights HEP-ATM-005 atomic_rights 'expected status 7 '
mutant load-9 HEP-TXN-017 load_store 'expected status 3 '
mutant store-half HEP-TXN-017 load_store 'expected 0x.*, got 0x'
mutant reduce-truncates HEP-TXN-014 reduce_floats 'REDUCE add f32.*expected 0x.*, got 0x'
mutant reduce-nan-payload HEP-TXN-015 reduce_special 'REDUCE .* f32.*expected 0x7fc00000, got 0x'
mutant reduce-zero-sign HEP-TXN-015 reduce_special 'REDUCE m.. f32.*expected 0x80000000, got 0,?'
mutant copy2d-gap HEP-TXN-018 copy2d 'expected 0x.*, got 0x'
mutant list-first HEP-TXN-019 copy_list 'expected 0x.*, got 0x'
mutant wait-ge HEP-TXN-022 conditions 'it has to wait'
mutant timeout-twice HEP-TXN-023 timeouts 'expected 0, got 1|cookie'
mutant timeout-lost HEP-TXN-023 timeouts '-ETIMEDOUT|timed out' --time-limit 30
mutant signal-new HEP-TXN-025 signals 'value before a SIGNAL'
mutant signal-early HEP-ORD-005 data_before_signal 'expected 0x.*, got 0x'
mutant batch-swapped HEP-ORD-006 litmus_one_line 'is not allowed'
mutant batch-swapped HEP-ORD-009 litmus_strong 'is not allowed'
mutant batch-swapped HEP-ORD-010 litmus_acq_rel 'is not allowed'
mutant no-cqe HEP-QUE-016 no_completion 'expected'
mutant link HEP-QUE-017 chains 'expected status 11 '
mutant abort-loses HEP-QUE-018 aborts 'hsl_queue_poll'
mutant export-all HEP-MAP-016 imports '-EACCES|rights of the import'
mutant import-all HEP-MAP-016 imports '-EACCES|rights of the import'
mutant revoke-nothing HEP-MAP-018 revokes 'after a revoke'
mutant window-off HEP-MAP-021 node_window 'the window says'
mutant crash HEP-QUE-010 wrap 'SIGSEGV'
mutant hang HEP-TXN-001 nop 'timed out after 2 s.*queue of chip 1: state READY' --time-limit 2

# a test is not judged by how long it takes
HSL_MUTANT=slow LD_PRELOAD=$dir/mutant.so "$hsltest" run --tap -f sim:pair2 --timeout 1 nop >"$dir/out" 2>&1
verdict $? 'a slow fabric passes, though the test takes longer than its limit'

# shellcheck disable=SC2046
"$hsltest" run --tap -f sim:mesh4 $(sort -u "$dir/tests") >"$dir/out" 2>&1
verdict $? 'without a mistake the same tests pass'

echo "1..$n"
exit $failed
