#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# abi.sh [--write]: what a program compiled against an earlier release relies on, compared with tests/headers/abi.txt: exported
# symbols with their versions, size and fields of every public struct, values of constants. A line that changed or went is a
# failure; new ones are shown with how to record them. x86-64, as the file is.
set -euo pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
CC=${CC:-gcc}
build=${HSL_BUILD:-build}
known=tests/headers/abi.txt
[ "$(uname -m)" = x86_64 ] || { echo "1..0 # SKIP the record is of x86-64"; exit 77; }

flags=(-std=gnu11 -Iinclude -Iinclude/uapi)
printf '#include "hsl/hsl.h"\n#include "linux/hsl.h"\n' >"$tmp/all.h"
{
	echo '#include <stdio.h>'
	cat "$tmp/all.h"
	echo 'int main(void) {'
	# struct NAME { fields }; of ours: one line for its size, one for each field
	"$CC" "${flags[@]}" -E -P "$tmp/all.h" | tr '\n\t' '  ' | grep -oE 'struct hsl_[a-z0-9_]+ \{[^{}]*\}' | sort -u | awk '{
		name = $2
		sub(/^[^{]*\{/, ""); sub(/\}$/, "")
		printf "printf(\"struct %s size %%zu\\n\", sizeof(struct %s));\n", name, name
		n = split($0, field, ";")
		for (i = 1; i <= n; i++) {
			f = field[i]
			gsub(/\[[^]]*\]/, "", f); sub(/ *$/, "", f); sub(/^.*[ *]/, "", f)
			if (f != "")
				printf "printf(\"struct %s.%s at %%zu size %%zu\\n\", offsetof(struct %s, %s), sizeof(((struct %s *)0)->%s));\n", \
					name, f, name, f, name, f
		}
	}'
	# constants, without those that say how many there are, or which release this is
	"$CC" "${flags[@]}" -dM -E "$tmp/all.h" | awk '$2 ~ /^HSL_[A-Z0-9_]+$/ && NF > 2 { print $2 }' | sort -u |
		grep -vE '_(COUNT|MINOR|ALL)$|^HSL_(VERSION|ABI_VERSION|HEP_VERSION|REDUCE_OPS|TYPES|ATOMICS|SIGNALS|WAITS)' |
		sed 's/.*/printf("& 0x%llx\\n", (unsigned long long)(&));/'
	echo 'return 0; }'
} >"$tmp/dump.c"
"$CC" "${flags[@]}" -w -o "$tmp/dump" "$tmp/dump.c"
{
	nm -D --defined-only "$build/libhsl.so" | awk '$2 != "A" && $3 !~ /@HSL_PRIVATE$/ { print "symbol " $3 }'
	"$tmp/dump"
} | LC_ALL=C sort >"$tmp/now"

if [ "${1:-}" = --write ]; then
	cp "$tmp/now" "$known"
	exit 0
fi
echo 1..2
rc=0
# a dump that is nearly empty is a broken dump
if [ "$(wc -l <"$tmp/now")" -gt 300 ]; then echo 'ok 1 - the dump has the interface in it'; else echo 'not ok 1 - the dump'; rc=1; fi
if LC_ALL=C comm -23 "$known" "$tmp/now" >"$tmp/lost" && [ ! -s "$tmp/lost" ]; then
	echo 'ok 2 - nothing that programs rely on has changed'
else
	echo 'not ok 2 - these have changed or gone, which breaks programs that were compiled before'
	sed 's/^/# /' "$tmp/lost"
	rc=1
fi
LC_ALL=C comm -13 "$known" "$tmp/now" >"$tmp/new"
if [ -s "$tmp/new" ]; then
	echo '# new, and from their release on part of the interface; record them with: tests/headers/abi.sh --write'
	sed 's/^/# /' "$tmp/new"
fi
exit $rc
