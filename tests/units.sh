#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# units.sh: systemd finds nothing to say about the units of the package, and udev makes of its rule what it is for. udev has no hsl
# device here: the rule is asked about /dev/null instead, in a /dev and /run/udev of its own.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo '1..0 # SKIP not root'; exit 77; }
{ command -v systemd-analyze && command -v udevadm; } >/dev/null || { echo '1..0 # SKIP no systemd-analyze or udevadm'; exit 77; }
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"

for unit in "$top"/tools/debian/examples/*.service; do
	name=$(basename "$unit" | sed 's/@\./@1./')
	sed 's|/usr/bin/hslctl|/bin/true|' "$unit" >"$dir/$(basename "$unit")"
	[ -e "$dir/$name" ] || cp "$dir/$(basename "$unit")" "$dir/$name"
	expect 0 systemd-analyze verify --man=no "$dir/$name" && [ ! -s "$dir/err" ] && [ ! -s "$dir/out" ]; ok "$name"
done

sed 's/^\(SUBSYSTEM==\)"hsl", KERNEL=="hsl\[0-9\]\*"/\1"mem", KERNEL=="null"/; s/fabric_id/dev/' "$top/tools/debian/hsl-tools.udev" >"$dir/rule"
grep -q '^SUBSYSTEM=="mem", KERNEL=="null",.*attr{dev}' "$dir/rule"; ok 'the rule is about hsl devices and their fabric'
# shellcheck disable=SC2016
expect 0 unshare --mount sh -ec 'mkdir -p /run/udev; mount -t tmpfs udev /run/udev; mount -t tmpfs dev /dev; mknod /dev/null c 1 3
	mkdir /run/udev/rules.d; cp "$0" /run/udev/rules.d/99-hsl-test.rules; udevadm test /sys/class/mem/null; readlink /dev/hsl-by-id/1:3' "$dir/rule" &&
	out '^\.\./null$' && ! err 'hsl-test.rules.*[Ii]nvalid|[Uu]nknown key' && { out '^CURRENT_TAGS=.*:systemd:' || out '^TAGS=.*:systemd:'; }
ok 'the rule names the device by its fabric, and units can wait for it'
finish
