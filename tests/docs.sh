#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# docs.sh: the profile as HTML has an anchor for each requirement, an index that names each, and no link inside it that leads nowhere;
# links of the documents to each other and to files of the tree lead somewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0 n=0

ok() { # ok NAME FILE: FILE lists what is wrong
	n=$((n + 1))
	if [ -s "$2" ]; then
		sed 's/^/# /' "$2" | head -n 20
		echo "not ok $n - $1"
		failed=1
	else
		echo "ok $n - $1"
	fi
}

for f in README.md docs/*.md docs/zh_CN/*.md; do
	{ grep -oE '\]\([^)#:]+(#[^)]*)?\)' "$f" || :; } | sed 's/^](//; s/[#)].*//' | while IFS= read -r to; do
		[ -e "$(dirname "$f")/$to" ] || echo "$f: $to"
	done
	{ grep -oE '`(docs|include|kernel|libhsl|qemu|tests|tools)/[A-Za-z0-9_./-]+`' "$f" || :; } | tr -d '`' | while IFS= read -r to; do
		[ -e "$to" ] || [ -e "$to.c" ] || echo "$f: $to"
	done
done >"$tmp/dead"
ok 'files that documents name are there' "$tmp/dead"

if ! command -v pandoc >/dev/null; then
	echo "ok $((n + 1)) - the rendered profile # SKIP pandoc is not installed"
	echo "1..$((n + 1))"
	exit $failed
fi
docs/render.sh html "$tmp/out" 2>/dev/null
html=$tmp/out/hep.html
sed -n 's/^{ "\([^"]*\)".*/\1/p' tools/hsltest/requirements.h | sort >"$tmp/want"
grep -oE ' id="HEP-[A-Z]+-[0-9]+"' "$html" | sed 's/.*"\(.*\)"/\1/' | sort >"$tmp/have"
diff "$tmp/want" "$tmp/have" >"$tmp/diff" || :
ok 'each requirement has one anchor' "$tmp/diff"
sed -n '/id="requirements-index"/,$p' "$html" | grep -oE 'href="#HEP-[A-Z]+-[0-9]+"' | sed 's/.*#\(.*\)"/\1/' | sort >"$tmp/have"
diff "$tmp/want" "$tmp/have" >"$tmp/diff" || :
ok 'the index names each once' "$tmp/diff"
for html in "$tmp"/out/*.html "$tmp"/out/zh_CN/*.html; do
	grep -oE 'href="#[^"]+"' "$html" | sed 's/.*#\(.*\)"/\1/' | sort -u >"$tmp/links"
	grep -oE ' id="[^"]+"' "$html" | sed 's/.*"\(.*\)"/\1/' | sort -u >"$tmp/ids"
	comm -23 "$tmp/links" "$tmp/ids" | sed "s|^|${html##*/}: |"
done >"$tmp/dead"
ok 'no link inside a document leads nowhere' "$tmp/dead"
echo "1..$n"
exit $failed
