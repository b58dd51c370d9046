#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# trace.sh: hsltest check-trace on captures of modelled fabrics, whose links lose and damage flits: nothing is
# wrong in them. What is made wrong in one, and what is no capture at all, is told by exit status and report.
set -u
build=${HSL_BUILD:-$(cd "$(dirname "$0")/.." && pwd)/build}
hsltest=$build/hsltest gen=$build/tests/model/gen_fabric
[ -x "$hsltest" ] && [ -x "$gen" ] || { echo "1..0 # SKIP hsltest or gen_fabric is not built"; exit 77; }
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"

check() { # check STATUS ARG…
	status=$1
	shift
	expect "$status" "$hsltest" check-trace "$@"
}

while read -r topology chips seed ops errors; do
	"$gen" "$dir/good.pcapng" "$topology" "$chips" "$seed" "$ops" "$errors" || exit 3
	check 0 --complete "$dir/good.pcapng" && out '^1\.\.7$' && [ "$(grep -c '^ok ' "$dir/out")" = 7 ] &&
		out ' HEP-TXN-021 [1-9][0-9]+ checked, 0 violations$' && out '^# .* at the end: 0$'
	ok "$topology of $chips, errors $errors: $(sed -n 's/.*, \([0-9]* flits\).*/\1/p' "$dir/out")"
done <<-EOT
	mesh 2 1 1000 0
	mesh 4 2 1000 0.01
	ring 5 3 1000 0.05
	switch 4 4 1000 0.02
	mesh 2 5 1000 0.2
EOT

"$gen" "$dir/good.pcapng" mesh 2 1 300 || exit 3
size=$(wc -c <"$dir/good.pcapng")
cp "$dir/good.pcapng" "$dir/bad.pcapng"
# in the last flit as it was sent: the blocks at the end hold a flit each and have 316 bytes
at=$((size - 316))
while [ "$(od -An -tu1 -j $((at + 28)) -N 2 "$dir/good.pcapng" | tr -d ' ')" = 11 ] &&
	[ $(($(od -An -tu1 -j $((at + 30)) -N 1 "$dir/good.pcapng") % 2)) = 1 ]; do
	at=$((at - 316))
done
printf '\125' | dd of="$dir/bad.pcapng" bs=1 seek=$((at + 116)) conv=notrunc 2>/dev/null
check 1 "$dir/bad.pcapng" && out '^not ok 1 - HEP-LNK-001 ' && out '^# record [0-9]+: . -> .: a flit is sent with wrong CRC$'
ok 'a damaged flit is 1, with its record'
head -c $((size - 1)) "$dir/good.pcapng" >"$dir/cut.pcapng"
check 3 "$dir/cut.pcapng" && grep -q 'ends within a block' "$dir/err" && out '^ok 1 - '
ok 'a file that is cut is 3, and what is there is judged'
check 3 "$0" && grep -q 'not a pcapng file' "$dir/err"
ok 'no capture is 3'
check 3 "$dir/none" && grep -q 'No such file' "$dir/err"
ok 'no file is 3'
head -c 48 /dev/null >"$dir/empty" && check 77 "$dir/empty"
ok 'nothing to check is 77'
check 2 && check 2 "$dir/good.pcapng" "$dir/good.pcapng"
ok 'none or two files are 2'

finish
