#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# docs.sh: the profile as HTML has an anchor for each requirement, an index that names each, and no link inside it that leads nowhere;
# links of the documents to each other and to files of the tree lead somewhere. docs/troubleshooting.md explains each message of the
# driver and each bad finding of doctor; docs/abi/ioctl-hsl has each ioctl.
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

# messages as the document has them: what varies is an ellipsis
plain() { sed 's/\\n$//; s/%[#0-9.*]*[lh]*[a-zA-Z]/…/g; s/\\"/"/g'; }
unexplained() { while IFS= read -r text; do grep -qF -- "$text" docs/troubleshooting.md || echo "$text"; done; }
{ grep -ohE 'dev_(err|warn|crit)(_ratelimited)?\([^"]*"[^"]*"' kernel/*.c || :; } | sed 's/^[^"]*"//; s/"$//' | plain >"$tmp/messages"
sed 's/\(unreachable NOW: \).*/\1…/' "$tmp/messages" | unexplained >"$tmp/dead"
[ "$(wc -l <"$tmp/messages")" -gt 20 ] || echo 'no messages of the driver were found' >>"$tmp/dead"
ok 'troubleshooting.md has each message of the driver' "$tmp/dead"

printf '#include <inttypes.h>\n#include "tools/hslctl/doctor_text.h"\n#define X(id, en, zh) @ id @ en\n%s\n' 'DOCTOR_TEXTS(X)' |
	${CC:-cc} -E -P -I. -x c - | tr '\n' ' ' | sed 's/" *"//g; s/@ \([A-Z_]*\) @ "\([^@]*\)" */\n@\1@\2/g' | sed -n 's/^@//p' >"$tmp/texts"
tr '\n' ' ' <tools/hslctl/doctor.c | grep -oE 'report\([^;]*;' | grep -E 'WARN|FAIL' | grep -oE '\b[A-Z][A-Z_]+\b' | sort -u >"$tmp/words"
awk -F@ 'NR == FNR { word[$1] = 1; next } $1 in word' "$tmp/words" "$tmp/texts" | sed 's/^[A-Z_]*@//' | plain |
	grep -vx '…' | sort -u >"$tmp/findings"
unexplained <"$tmp/findings" >"$tmp/dead"
[ "$(wc -l <"$tmp/findings")" -gt 20 ] || echo 'no findings of doctor were found' >>"$tmp/dead"
ok 'troubleshooting.md has each bad finding of doctor' "$tmp/dead"

sed -n 's/^#define \(HSL_IOC_[A-Z_]*\)[[:space:]]*HSL_IO(\(0x[0-9a-f]*\))$/\2 \1/p' include/uapi/linux/hsl.h | sort >"$tmp/want"
awk '/^What:/ { next } $1 == "Description:" { next } $1 ~ /^0x/ { print $1, $2 }' docs/abi/ioctl-hsl | sort >"$tmp/have"
diff "$tmp/want" "$tmp/have" >"$tmp/diff" || :
ok 'docs/abi/ioctl-hsl has each ioctl, and no other' "$tmp/diff"

# commands in code: RUN='…', `…`, and blocks; what follows ' -- ' or a pipe is another's
B=${HSL_BUILD:-build}
commands() {
	{ grep -ohE "(^    |^[$] |\`|RUN='|&& )(sudo )?(\./)?(build/)?(hslctl|hsltest|hslbench) [^\`]*" README.md docs/*.md docs/zh_CN/*.md || :; } |
		grep -oE '(hslctl|hsltest|hslbench) .*' | sed -E "s/ +#.*//; s/'[^']*'/X/g; s/( -- | *[|&;#>']|   ).*//"
}
wrong_commands() {
	while read -r tool words; do
		"$B/$tool" --help >"$tmp/help"
		verb=$(printf '%s' "${words%% *}" | tr -cd 'a-z-')
		[ -z "$verb" ] || [ "${verb#-}" != "$verb" ] || grep -qE "(^  | $tool +)$verb( |\$)" "$tmp/help" || echo "$tool $words: no verb $verb"
		for option in $(printf '%s\n' "$words" | grep -oE -- '(^| )--[a-z-]+' || :); do
			grep -qE -- "$option([^a-z-]|\$)" "$tmp/help" || echo "$tool $words: no option $option"
		done
	done
}
if [ -x "$B/hslctl" ]; then
	commands >"$tmp/commands"
	wrong_commands <"$tmp/commands" >"$tmp/dead"
	[ "$(wc -l <"$tmp/commands")" -gt 50 ] || echo 'no commands were found' >>"$tmp/dead"
	ok 'commands in documents have verbs and options that there are' "$tmp/dead"
fi

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
