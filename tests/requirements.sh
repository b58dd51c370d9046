#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# docs/hep.md defines the requirements; this script keeps everybody else honest about them:
#   - no id is defined twice, and no definition line is malformed (a typo would silently drop a requirement);
#   - an id named in code, tests or documents is one that docs/hep.md defines;
#   - the table that hsltest carries (tools/hsltest/requirements.h) says what docs/hep.md says.
# It then lists the MUST requirements that software can observe and that no hsltest test covers. Those do not fail
# the script yet, the count is shown.
#
#   tests/requirements.sh            check
#   tests/requirements.sh --write    write tools/hsltest/requirements.h from docs/hep.md

set -eu
LC_ALL=C.UTF-8; export LC_ALL
cd "$(dirname "$0")/.."
doc=docs/hep.md
table=tools/hsltest/requirements.h
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

generate()
{
	echo '/* SPDX-License-Identifier: MIT OR Apache-2.0 */'
	echo '/* Written by tests/requirements.sh --write from docs/hep.md. Do not edit. */'
	sed -n 's/^- \*\*\(HEP-[A-Z]*-[0-9]*\)\*\* \([A-Z]*\) · \([A-Z]*\) · \([A-Z+]*\) — \(.*\)$/\1|\2|\3|\4|\5/p' "$doc" |
		sed 's/\\/\\\\/g; s/"/\\"/g' |
		sed 's/^\([^|]*\)|\([^|]*\)|\([^|]*\)|\([^|]*\)|\(.*\)$/{ "\1", "\2", "\3", "\4",\n  "\5" },/'
}

generate > "$tmp/requirements.h"
if [ "${1-}" = --write ]; then
	cp "$tmp/requirements.h" "$table"
	echo "$table: $(grep -c '^{' "$table") requirements"
	exit 0
elif [ $# -gt 0 ]; then
	echo "usage: $0 [--write]" >&2
	exit 2
fi

failed=0
fail() { echo "not ok - $*"; failed=1; }

sed -n 's/^{ "\([^"]*\)".*/\1/p' "$tmp/requirements.h" | sort > "$tmp/defined"

uniq -d "$tmp/defined" > "$tmp/twice"
[ -s "$tmp/twice" ] && fail "defined more than once: $(tr '\n' ' ' < "$tmp/twice")"

grep -c '^- \*\*HEP-' "$doc" > "$tmp/lines" || true
[ "$(cat "$tmp/lines")" = "$(wc -l < "$tmp/defined")" ] ||
	fail "$doc: $(cat "$tmp/lines") definition lines, $(wc -l < "$tmp/defined") of them well-formed"

# Every id that is named anywhere. ..NNN after an id is a range: only its first id is checked.
grep -rnoE --include='*.[ch]' --include='*.sh' --include='*.md' --include='*.[1357]' --include='*.py' --include='*.def' \
	'\bHEP-[A-Z]+-[0-9]+\b' docs include kernel libhsl qemu tools tests README.md 2>/dev/null |
	grep -v "^$table:" > "$tmp/named" || true
sed 's/.*://' "$tmp/named" | sort -u > "$tmp/named-ids"
comm -13 "$tmp/defined" "$tmp/named-ids" | while read -r id; do
	grep -E ":$id\$" "$tmp/named" | head -3 | sed 's/^/# /'
	echo "not ok - $id is named but $doc does not define it"
done > "$tmp/unknown"
if [ -s "$tmp/unknown" ]; then
	cat "$tmp/unknown"
	failed=1
fi

cmp -s "$tmp/requirements.h" "$table" ||
	fail "$table is not what $doc says: run tests/requirements.sh --write"

# A test is registered by a line of the form  { "HEP-TXN-001", "name", ...
sed -n 's/^[[:space:]]*{ "\(HEP-[A-Z]*-[0-9]*\)", "[a-z0-9_]*",.*/\1/p' tools/hsltest/test_*.c | sort -u > "$tmp/tested"
sed -n 's/^{ "\([^"]*\)", "MUST", "[A-Z]*", "S",.*/\1/p' "$tmp/requirements.h" | sort > "$tmp/must"
comm -23 "$tmp/must" "$tmp/tested" > "$tmp/untested"
while read -r id; do
	echo "# no hsltest test: $id"
done < "$tmp/untested"
echo "# $(wc -l < "$tmp/defined") requirements, $(wc -l < "$tmp/must") MUST observable by software:" \
	"$(comm -12 "$tmp/must" "$tmp/tested" | wc -l) with a hsltest test, $(wc -l < "$tmp/untested") without"
[ $failed = 0 ] && echo "ok - requirement ids"
exit $failed
