#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# examples.sh [URL [DIR]]: every program of libhsl/examples on a fabric; each checks its own result. Runs on the host and, with
# busybox, in the VM.
url=${1:-/dev/hsl0}
dir=${2:-/hsl/examples}
n=0 failed=0
for e in "$dir"/*; do
	[ -f "$e" ] && [ -x "$e" ] || continue
	n=$((n + 1))
	if out=$("$e" "$url" 2>&1); then
		echo "ok $n - ${e##*/} on $url"
	else
		echo "not ok $n - ${e##*/} on $url"
		failed=1
	fi
	printf '%s\n' "$out" | sed 's/^/# /'
done
# none at all is a mistake of whoever called
[ $n -gt 0 ] || failed=1
echo "1..$n"
exit $failed
