#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh flit|command|socket|parse|all [SECONDS]: libFuzzer on the link layer, on the command path of a chip, as the peer at
# a flit socket, on what the tools read, or on one after the other, from the inputs in corpus_*. SECONDS is for all
# together. A table at the end says what each did; the exit status is 1 if anything was found. New inputs stay in
# build/fuzz, also those that failed. Needs clang.
set -eu
cd "$(dirname "$0")/../.."
b=${HSL_BUILD:-build}
dir=$b/fuzz
what=${1-}
seconds=${2:-60}
usage() { echo "usage: tests/fuzz/run.sh flit|command|socket|parse|all [SECONDS]" >&2; exit 2; }
case $what in
flit | command | socket | parse) ;;
all) what='flit command socket parse' ;;
*) usage ;;
esac
case $seconds in '' | *[!0-9]*) usage ;; esac
command -v clang >/dev/null || { echo "1..0 # SKIP clang is not installed"; exit 77; }

targets=''
n=0
for f in $what; do
	targets="$targets $b/fuzz/fuzz_$f"
	n=$((n + 1))
done
# shellcheck disable=SC2086
make -s -j"$(nproc)" B="$b" $targets >&2
[ "$seconds" -ge $n ] || seconds=$n

# stat NAME LOG: a number of libFuzzer's last words
stat() { sed -n "s/^stat::$1: *//p" "$2" | tail -n 1; }

failed=0
table=$(printf '  %-8s %8s %12s %9s %7s  %s' fuzzer seconds executions coverage corpus findings)
for f in $what; do
	log=$dir/$f.log
	rc=0
	mkdir -p "$dir/corpus_$f" "$dir/found_$f"
	options='-max_len=4096' leaks=1
	# suites of hslbench are kept for the life of the tool, as it has but one; and tools talk
	[ "$f" != parse ] || options='-max_len=16384 -dict=tests/fuzz/parse.dict -close_fd_mask=3 -rss_limit_mb=4096' leaks=0
	# shellcheck disable=SC2086
	ASAN_OPTIONS=detect_leaks=$leaks "$dir/fuzz_$f" -max_total_time=$((seconds / n)) -print_final_stats=1 -artifact_prefix="$dir/found_$f/" $options \
		"$dir/corpus_$f" "tests/fuzz/corpus_$f" >"$log" 2>&1 </dev/null || rc=$?
	found=none
	if [ $rc != 0 ]; then
		failed=1
		found="$(sed -n 's/^SUMMARY: //p' "$log" | head -n 1) $(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
		sed -n '/^==[0-9]*==/,$p' "$log" | head -n 60 | sed 's/^/# /'
	fi
	table="$table
$(printf '  %-8s %8s %12s %9s %7s  %s' "$f" $((seconds / n)) "$(stat number_of_executed_units "$log")" \
		"$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)" \
		"$(sed -n 's/.* corp: \([0-9]*\).*/\1/p' "$log" | tail -n 1)" "$found")"
done
echo "$table"
exit $failed
