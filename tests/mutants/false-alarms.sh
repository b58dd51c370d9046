#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# false-alarms.sh [--log FILE] [--busy] [REPEATS [WHERE...]]: does hsltest fail where nothing is wrong? The whole suite, again
# and again, with another seed each time, on each WHERE in turn: a shape of sim:, or vm: and options of qemu/vm, as in
# 'vm:CHIPS=2 IOMMU=1'. Without WHERE sim: with 1, 2, 4 and 16 chips as pair, ring, mesh and switch. Prints what failed and
# how often, and the bound that so many runs prove: after n without a failure the chance of one is below 1 - 0.05^(1/n),
# with 95 % confidence.
#
# --log FILE: a line for each run goes to FILE, and lines of the same hsltest that are there count as runs. It may be ended
# and started again until there are REPEATS, also with another WHERE. --busy: a process computes on each CPU meanwhile.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${HSL_BUILD:-$top/build}
hsltest=$build/hsltest
[ -x "$hsltest" ] || { echo "1..0 # SKIP $hsltest is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
hogs=''
# shellcheck disable=SC2064,SC2086
trap 'kill $hogs 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

log=$dir/log
while :; do
	case ${1-} in
	--log) log=${2:?--log takes a file} && shift 2 ;;
	--busy) hogs=yes && shift ;;
	-*) sed -n 's/^# \(false-alarms.sh.*\):.*/usage: \1/p' "$0" >&2; exit 2 ;;
	*) break ;;
	esac
done
repeats=${1:-200}
case $repeats in '' | *[!0-9]*) echo "false-alarms.sh: REPEATS is a number, not '$repeats'" >&2; exit 2 ;; esac
[ $# = 0 ] || shift
[ $# != 0 ] || set -- pair1 pair2 ring4 mesh4 switch4 ring16 mesh16 switch16
touch "$log" || exit 3

# what counts is of this very program and library
suite=$(cat "$hsltest" "$build"/libhsl.so.* | cksum | tr ' ' -)
runs() { # runs [VERDICT]
	awk -F '\t' -v suite="$suite" -v verdict="${1-}" '$1 == suite && (verdict == "" || $5 == verdict)' "$log"
}

if [ "$hogs" ]; then
	hogs=''
	for _ in $(seq "$(nproc)"); do
		while :; do :; done &
		hogs="$hogs $!"
	done
fi

suite_run() { # suite_run SEED WHERE: TAP to stdout
	case $2 in
	vm:*)
		# shellcheck disable=SC2086
		"$top/qemu/vm" TIMEOUT=7200 BOOT_TIMEOUT=600 ${2#vm:} RUN="hsltest run --tap --disruptive --seed $1" </dev/null
		;;
	*) "$hsltest" run --tap --seed "$1" -f "sim:$2" ;;
	esac
}

n=$(runs | awk -F '\t' '$2 > max { max = $2 } END { print max + 0 }')
left=$((repeats - $(runs | wc -l)))
while [ $left -gt 0 ]; do
	for where; do
		[ $left -gt 0 ] || break
		left=$((left - 1))
		n=$((n + 1))
		suite_run $n "$where" >"$dir/out" 2>"$dir/err"
		rc=$?
		ran=$(grep '^ok' "$dir/out" | grep -cv '# SKIP')
		if [ $rc = 0 ] && [ "$ran" -gt 0 ]; then
			verdict=clean
			echo "# run $n on $where: $ran tests, none failed"
		elif ! grep -q '^not ok' "$dir/out"; then
			tail -n 3 "$dir/err" | sed 's/^/# /'
			echo "Bail out! run $n on $where: exit status $rc, and no test failed"
			exit 3
		else
			verdict=$(sed -n 's/^not ok [0-9]* - //p' "$dir/out" | tr '\n' ';')
			echo "# run $n on $where (--seed $n): exit status $rc"
			grep -A1 '^not ok' "$dir/out" | sed 's/^/#   /'
		fi
		printf '%s\t%s\t%s\t%s\t%s\n' "$suite" $n "$where" "$ran" "$verdict" >>"$log"
	done
done
runs | awk -F '\t' '{ n[$3]++; bad[$3] += $5 != "clean" } END { for (w in n) printf "# %s: %d runs, %d not clean\n", w, n[w], bad[w] }' | sort
runs | awk -F '\t' '$5 != "clean" { print $5 }' | tr ';' '\n' | sed '/^$/d' | sort | uniq -c | sort -rn | sed 's/^/# /'
n=$(runs | wc -l)
failed=$((n - $(runs clean | wc -l)))
tests=$(runs | awk -F '\t' '{ sum += $4 } END { print sum + 0 }')
bound=$(awk -v n="$n" 'BEGIN { printf "%.2f", 100 * (1 - exp(log(0.05) / n)) }')
echo 1..1
if [ $failed = 0 ]; then
	echo "ok 1 - $n runs of the suite, $tests tests, without a false alarm: fewer than $bound % of runs have one (95 % confidence)"
else
	echo "not ok 1 - $failed of $n runs of the suite have a false alarm"
	exit 1
fi
