#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# kernels.sh [--cached] KERNEL…: the guest tests of tests/kernels.list on each of these kernels (debug, kcsan, 6.1, …: see
# qemu/kernel), modules with W=1 and sparse before. TESTS='name …' selects (patterns); --cached: a kernel that is not
# in the cache is not fetched and not built, and modules are only built. Prints TAP, and at the end a table of kernels and tests:
#   PASS, FAIL, or NOT RUN when the kernel is not there, its modules do not build, or the test cannot run on it.
# Any report of the kernel (WARNING, BUG, KASAN, lockdep, leak, hung task, …) is a FAIL, and is shown.
# The table is also in build/test-logs/kernels.txt. Exit status: 1 a FAIL, 77 nothing ran, else 0.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../qemu/lib/common.sh
. qemu/lib/common.sh

cached=''
[ "${1-}" != --cached ] || { cached=1; shift; }
[ $# -gt 0 ] || usage_error "tests/kernels.sh [--cached] KERNEL…"
export HSL_BUILD=${HSL_BUILD:-$HSL_ROOT/build}
logs=$HSL_BUILD/test-logs
table=$logs/kernels.txt
mkdir -p "$logs"
count=0 failed=0 ran=0
declare -A verdicts
names=()

wanted() { # wanted NAME: is it one of TESTS, or are there none
	local t
	[ -n "${TESTS-}" ] || return 0
	for t in $TESTS; do
		# shellcheck disable=SC2053
		[[ $1 == $t ]] && return 0
	done
	return 1
}

verdict() { # verdict KERNEL NAME PASS|FAIL|'NOT RUN' DETAIL
	count=$((count + 1))
	verdicts[$1 $2]=$3
	case $3 in
	PASS) ran=$((ran + 1)); printf 'ok %d - %s: %s %s\n' $count "$1" "$2" "$4" ;;
	FAIL) ran=$((ran + 1)); failed=$((failed + 1)); printf 'not ok %d - %s: %s %s\n' $count "$1" "$2" "$4" ;;
	*) printf 'ok %d - %s: %s # SKIP NOT RUN: %s\n' $count "$1" "$2" "$4" ;;
	esac
}

run_one() { # run_one KERNEL NAME
	local kernel=$1 name=$2 log=$logs/kernel-$1-$2.log scale=1 begin=$SECONDS last
	case $kernel in
	debug | kcsan) scale=8 ;;
	esac
	if KERNEL=$kernel HSL_TIME_SCALE=$scale tests/run any "$name" >"$log" 2>&1; then
		verdict "$kernel" "$name" PASS "($((SECONDS - begin)) s)"
		return
	fi
	last=$(tail -n 1 "$log")
	case $last:$(grep -c '^# no test was executed' "$log") in
	'0 passed, 1 failed, 1 skipped:1') verdict "$kernel" "$name" 'NOT RUN' "$(grep -m 1 'NOT RUN' "$log" || echo skipped)" ;;
	*)
		verdict "$kernel" "$name" FAIL "($last, $((SECONDS - begin)) s; $log)"
		sed -n '/^ *# /p' "$log" | tail -n 120
		;;
	esac
}

# builds KERNEL: fetch or build it, and our modules for it; prints why not
builds() {
	[ -z "$cached" ] || KERNEL=$1 qemu/kernel cached || { echo "not in the cache"; return 1; }
	KERNEL=$1 qemu/kernel dir >/dev/null || { echo "there is no such kernel here"; return 1; }
	[ -n "$cached" ] || KERNEL=$1 qemu/modules lint >/dev/null || { echo "modules have warnings"; return 1; }
	KERNEL=$1 qemu/modules >/dev/null || { echo "modules do not build"; return 1; }
}

while read -r a b; do
	case $a in
	'' | '#'*) continue ;;
	esac
	wanted "${b:-$a}" || continue
	names+=("${b:-$a}")
	for kernel in "$@"; do
		[ -z "$b" ] || [ "$a" = "$kernel" ] || verdicts[$kernel ${b:-$a}]=-
	done
done <tests/kernels.list
[ ${#names[@]} -gt 0 ] || usage_error "no test of tests/kernels.list is called $TESTS"

for kernel in "$@"; do
	why=$(builds "$kernel") || {
		case $why in
		modules*) verdict "$kernel" modules FAIL "($why)" ;;
		*) verdict "$kernel" modules 'NOT RUN' "$why; nor are ${#names[@]} tests" ;;
		esac
		continue
	}
	verdict "$kernel" modules PASS "$([ -n "$cached" ] && echo '(built)' || echo '(W=1, sparse)')"
	for name in "${names[@]}"; do
		[ -n "${verdicts[$kernel $name]-}" ] || run_one "$kernel" "$name"
	done
done
echo "1..$count"

{
	printf '%-20s' test
	printf ' %-8s' "$@"
	echo
	for name in modules "${names[@]}"; do
		printf '%-20s' "$name"
		for kernel in "$@"; do
			printf ' %-8s' "${verdicts[$kernel $name]:-NOT RUN}"
		done
		echo
	done
} | sed 's/ *$//' >"$table"
sed 's/^/# /' "$table"
if [ $ran = 0 ]; then
	exit "$EXIT_SKIP"
fi
[ $failed = 0 ]
