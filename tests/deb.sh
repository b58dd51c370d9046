#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# deb.sh: the Debian packages, as somebody gets them who has a plain bookworm and no clone: built, without errors of lintian,
# installed in a new system, run there on sim:, compiled against, the driver built by DKMS, and taken out again. Root only.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../qemu/lib/common.sh
. qemu/lib/common.sh
[ "$(id -u)" = 0 ] || { echo '1..0 # SKIP not root'; exit 77; }
need_packages deb deb-check
dir=$(mktemp -d)
# shellcheck source=tests/checks.sh
. tests/checks.sh
set +e

root=$dir/root
base=$HSL_CACHE/bookworm-root.tar

# A new system each time, from a copy of what debootstrap made once.
system() {
	mkdir -p "$root"
	if [ ! -e "$base" ]; then
		apt_private_update bookworm
		mirror=$(awk '$1 == "deb" && $NF == "main" && $(NF - 1) == "bookworm" { print $3; exit }' "$HSL_CACHE/apt/bookworm/sources.list")
		debootstrap --variant=minbase bookworm "$root" "$mirror" >"$dir/out" 2>&1 || return
		tar -C "$root" -cf "$base.new.$$" . && mv "$base.new.$$" "$base"
	else
		tar -C "$root" -xf "$base"
	fi
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	mkdir "$root/deb"
	cp "$dir"/deb/*.deb "$root/deb"
}
# What it mounts goes with its namespace.
in_system() {
	# shellcheck disable=SC2016
	unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C.UTF-8 "$@"
}
install() { expect 0 in_system sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends "$@"' sh "$@"; }
debs() { (cd "$root/deb" && for p; do echo "/deb/$(ls "$p"_*.deb)"; done); }

mkdir -p "$dir/deb/mine"
expect 0 tools/debian/build "$dir/deb" && [ -d "$dir/deb/mine" ] && [ "$(find "$dir/deb" -name '*.deb' ! -name '*-dbgsym_*' | wc -l)" = 4 ]; ok 'the packages are built'
[ "${failed:-0}" = 0 ] || finish
expect 0 lintian --fail-on error --allow-root --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog "$dir"/deb/*.changes; ok 'lintian finds no error'
sed -n 's/^W: /# lintian: /p' "$dir/out"
expect 0 dpkg-source -x "$dir"/deb/*.dsc "$dir/source"; ok 'the source package can be unpacked'

system; ok 'a new bookworm'
# shellcheck disable=SC2046
install $(debs libhsl1 hsl-tools); ok 'libhsl1 and hsl-tools are installed'
expect 0 in_system hsltest run --quick -f sim:pair2 && out '^ok 1 ' && ! out '^not ok'; ok 'hsltest runs on sim:pair2'
expect 0 in_system hslctl topo -f sim:pair2 && out ' L0 '; ok 'hslctl runs on sim:pair2'
expect 0 in_system hslbench lat --quick -f sim:pair2,time=modelled; ok 'hslbench runs on sim:pair2'
[ -s "$root/usr/share/man/man1/hslctl.1.gz" ] && [ -s "$root/lib/udev/rules.d/60-hsl-tools.rules" ] &&
	[ -s "$root/usr/share/doc/hsl-tools/examples/hsl-monitor.service" ]
ok 'man page, udev rule, units'

headers=$(in_system sh -c "apt-cache depends linux-headers-amd64 | sed -n 's/^ *Depends: //p'")
# shellcheck disable=SC2046
install "$headers" gcc libc6-dev pkg-config $(debs libhsl-dev hsl-dkms); ok 'libhsl-dev and hsl-dkms are installed'
expect 0 in_system sh -c 'gcc -Wall -Werror -o /tmp/copy /usr/share/doc/libhsl-dev/examples/copy.c $(pkg-config --cflags --libs libhsl) &&
	HSL_FABRIC=sim:pair2 /tmp/copy'
ok 'an example is built against it and runs'
expect 0 in_system sh -c "dkms install hsl/$(in_system hslctl --version | sed 's/^hslctl \([^ ]*\).*/\1/') -k ${headers#linux-headers-} --force" &&
	expect 0 in_system dkms status && out "^hsl/.*, ${headers#linux-headers-}, .*: installed"
ok "DKMS builds the driver for ${headers#linux-headers-}"
expect 0 in_system sh -c "/sbin/modinfo -k ${headers#linux-headers-} hsl_pci" && out '^depends: +hsl$' && out '^alias: +pci:.*bc12sc00'
ok 'and depmod knows it'

expect 0 in_system apt-get purge -y -q hsl-dkms libhsl-dev hsl-tools libhsl1 &&
	! find "$root/usr" "$root/lib/udev" "$root/var/lib/dkms" -path '*hsl*' -not -path '*/dpkg/*' 2>/dev/null | grep -v /deb/ >"$dir/out"
ok 'nothing is left of them'
finish
