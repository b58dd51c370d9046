#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# render.sh [html] OUT [NAME…]: the documents as HTML and PDF in OUT, made by pandoc and weasyprint ("html": no PDF). NAME as in
# docs/NAME.md. weasyprint, of what Debian has, knows the CSS of paper (page numbers, running heads, heads of tables that
# go on) and needs no browser.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../qemu/lib/common.sh
. qemu/lib/common.sh

pdf=1
if [ "${1:-}" = html ]; then
	pdf=0
	shift
fi
[ $# -ge 1 ] || usage_error "usage: docs/render.sh [html] OUT [NAME...]"
out=$1
shift
[ $# -gt 0 ] || set -- hep partner-guide zh_CN/partner-guide architecture benchmarking driver-guide capture fabric-files flit-socket

for name in "$@"; do
	src=docs/$name.md html=$out/$name.html
	[ -f "$src" ] || usage_error "no such document: $src"
	mkdir -p "$(dirname "$html")"
	lang=en
	[ "${name#zh_CN/}" = "$name" ] || lang=zh-CN
	title=$(sed -n 's/^# //p' "$src" | head -n 1)
	pandoc -f gfm -t html5 -s --toc --toc-depth=3 --self-contained --lua-filter docs/render.lua --css docs/render.css \
		-V lang="$lang" -M pagetitle="$title" -o "$html" "$src"
	[ $pdf = 0 ] || weasyprint -q "$html" "${html%.html}.pdf"
	say "$html$([ $pdf = 0 ] || echo " ${html%.html}.pdf")"
done
