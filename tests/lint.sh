#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# lint.sh shell|man|spdx|kernel|clang: static checks, each one test of the manifest.
set -eu
cd "$(dirname "$0")/.."

files() { # tracked and new files, without ignored ones; a tree without git is searched
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git -c safe.directory="$(pwd)" ls-files -co --exclude-standard
	else
		find . -type f -not -path './build/*' -not -path './.git/*' | sed 's|^\./||'
	fi
}

need() {
	command -v "$1" >/dev/null || { echo "1..0 # SKIP $1 is not installed"; exit 77; }
}

case ${1:-} in
shell)
	need shellcheck
	# guest scripts run under busybox sh, which has usleep and local
	files | while IFS= read -r f; do
		[ -f "$f" ] || continue
		case $(head -n 1 "$f" | tr -d '\0') in
		'#!/bin/sh'* | '#!/bin/bash'*) printf '%s\n' "$f" ;;
		esac
	done | xargs -d '\n' shellcheck -S warning -e SC1091,SC2034,SC3043
	;;
man)
	need mandoc
	found=$(files | grep -E '/man/.*\.[1-9]$' | xargs -r grep -L '^\.so ' || :)
	[ -n "$found" ] || { echo "1..0 # SKIP no man pages"; exit 77; }
	# shellcheck disable=SC2086
	mandoc -T lint -W warning $found
	;;
spdx)
	files | grep -E '\.([ch]|cc|hpp|sh|build|bash)$|/(Kbuild|Makefile|run|vm|build|kernel|deps|modules|init)$' |
		grep -v '^LICENSES/' | while IFS= read -r f; do
		[ ! -f "$f" ] || printf '%s\n' "$f"
	done | xargs -d '\n' awk '
		function want(f) {
			if (f ~ /^(kernel|include\/linux)\// || f == "Kbuild") return "GPL-2.0-only"
			if (f ~ /^include\/uapi\//) return "GPL-2.0 WITH Linux-syscall-note"
			if (f ~ /^qemu\/hw\//) return "GPL-2.0-or-later"
			return "MIT OR Apache-2.0"
		}
		FNR == 1 { found[FILENAME] = 0 }
		FNR <= 3 && match($0, "SPDX-License-Identifier: \\(?" want(FILENAME) "\\)?( |$)") { found[FILENAME] = 1 }
		FNR > 3 { nextfile }
		END {
			for (f in found) if (!found[f]) { print f ": expected SPDX-License-Identifier: " want(f); bad = 1 }
			exit bad
		}'
	;;
clang)
	need clang
	for kernel in 6.1 6.12 7.x; do
		KERNEL=$kernel qemu/modules clang >/dev/null
	done
	;;
kernel)
	rc=0
	bad=$(mktemp)
	trap 'rm -f "$bad"' EXIT
	qemu/modules lint >/dev/null || rc=1
	checkpatch=$(qemu/kernel checkpatch)
	find kernel include/linux include/uapi -name '*.[ch]' 2>/dev/null | while IFS= read -r f; do
		# struct and macro layouts of tracepoint headers are not what checkpatch expects of C
		perl "$checkpatch" --no-tree --no-summary --terse --max-line-length=100 --show-types \
			--ignore FILE_PATH_CHANGES,SPDX_LICENSE_TAG,LINUX_VERSION_CODE,MACRO_ARG_REUSE,TRACING_LOGGING \
			--ignore UNDOCUMENTED_SETUP,BIT_MACRO,CAMELCASE,LONG_LINE_COMMENT -f "$f" || echo "$f" >>"$bad"
	done
	[ ! -s "$bad" ] || rc=1
	exit $rc
	;;
*)
	echo "usage: lint.sh shell|man|spdx|kernel|clang" >&2
	exit 2
	;;
esac
