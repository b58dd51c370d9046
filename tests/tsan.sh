#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The library's tests under ThreadSanitizer: library, engine and model built for it in build/tsan, by the Makefile's
# own rules with other sanitizer flags.
set -euo pipefail
cd "$(dirname "$0")/.."
B=${HSL_BUILD:-build}/tsan
B=${B#"$PWD"/}
tests=(test_lib_queue test_lib_sim test_lib_cases test_engine_race test_engine_cmd test_engine_hostile
	test_engine_ops test_engine_wait test_engine_shadow test_engine_modelled)
unset MAKEFLAGS MFLAGS MAKELEVEL
make -s B="$B" SAN='-O1 -g -fsanitize=thread -fno-omit-frame-pointer' "${tests[@]/#/$B/asan/tests/unit/}" >&2
export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}" CMOCKA_MESSAGE_OUTPUT=STDOUT
n=0 rc=0
for t in "${tests[@]}"; do
	n=$((n + 1))
	if "$B/asan/tests/unit/$t" >"$B/$t.log" 2>&1; then
		echo "ok $n - $t: no data race reported"
	else
		echo "not ok $n - $t"
		# a report is at its end; of an assertion that failed, the lines around it
		grep -vE 'RUN|  OK |libhsl: error' "$B/$t.log" | sed 's/^/# /' | tail -n 60
		rc=1
	fi
done
echo "1..$n"
exit $rc
