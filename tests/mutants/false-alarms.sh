#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# false-alarms.sh [REPEATS]: does hsltest fail where nothing is wrong? The whole suite, again and again, with another seed
# each time, on sim: with 1, 2, 4 and 16 chips as pair, ring, mesh and switch in turn. Prints what failed and how often, and
# the bound that so many runs prove: after n without a failure the chance of one is below 1 - 0.05^(1/n), with 95 %
# confidence.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${HSL_BUILD:-$here/../../build}
hsltest=$build/hsltest
repeats=${1:-200}
[ -x "$hsltest" ] || { echo "1..0 # SKIP $hsltest is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

set -- pair1 pair2 ring4 mesh4 switch4 ring16 mesh16 switch16
n=0
failed=0
tests=0
: >"$dir/failures"
while [ $n -lt "$repeats" ]; do
	for fabric; do
		[ $n -lt "$repeats" ] || break
		n=$((n + 1))
		"$hsltest" run --tap --seed $n -f "sim:$fabric" >"$dir/out" 2>"$dir/err"
		rc=$?
		ran=$(grep '^ok' "$dir/out" | grep -cv '# SKIP')
		tests=$((tests + ran))
		if [ $rc = 0 ] && [ "$ran" -gt 0 ]; then
			echo "# run $n on $fabric: $ran tests, none failed"
			continue
		fi
		failed=$((failed + 1))
		echo "# run $n on $fabric (--seed $n): exit status $rc"
		grep -A1 '^not ok' "$dir/out" | sed 's/^/#   /'
		grep '^not ok' "$dir/out" | sed 's/^not ok [0-9]* - //' >>"$dir/failures"
	done
done
sort "$dir/failures" | uniq -c | sort -rn | sed 's/^/# /'
bound=$(awk -v n="$n" 'BEGIN { printf "%.2f", 100 * (1 - exp(log(0.05) / n)) }')
echo 1..1
if [ $failed = 0 ]; then
	echo "ok 1 - $n runs of the suite, $tests tests, without a false alarm: fewer than $bound % of runs have one (95 % confidence)"
else
	echo "not ok 1 - $failed of $n runs of the suite have a false alarm"
	exit 1
fi
