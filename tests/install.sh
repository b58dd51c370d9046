#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# install.sh [dkms]: what `make install` puts down is a product of its own; use it as a stranger would.
# With dkms: the module sources it installs build where they lie, with nothing from the clone.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$(pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
n=0 failed=0

check() { # check NAME CMD…
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$tmp/log" | head -n 30
		failed=1
	fi
}

D=$tmp/dest
unset MAKEFLAGS MFLAGS MAKELEVEL
check 'make install' make install DESTDIR="$D" PREFIX=/usr
[ $failed = 0 ] || { echo "1..$n"; exit 1; }
version=$(sed -n 's/^Version: //p' "$D/usr/lib/pkgconfig/libhsl.pc")

if [ "${1:-}" = dkms ]; then
	src=$D/usr/src/hsl-$version
	check 'DKMS tree has dkms.conf of this version' grep -q "PACKAGE_VERSION=\"$version\"" "$src/dkms.conf"
	kdir=$(qemu/kernel kdir)
	gcc=$(command -v gcc-12 || command -v gcc)
	[ ! -x "$(qemu/kernel dir)/bin/gcc" ] || gcc=$(qemu/kernel dir)/bin/gcc
	check 'DKMS tree builds' make -C "$kdir" M="$src" CC="$gcc" CONFIG_DEBUG_INFO_BTF_MODULES= modules
	for ko in hsl hsl_pci; do
		check "$ko.ko is where dkms.conf says" test -s "$src/kernel/$ko.ko"
		check "$ko.ko has its version" test "$(/sbin/modinfo -F version "$src/kernel/$ko.ko")" = "$version"
	done
	echo "1..$n"
	exit $failed
fi

named() { cat tools/man/* libhsl/man/* tools/hsl*/*.[ch] | sed 's/\\-/-/g' | grep -oE '\bdocs/[A-Za-z_/-]+(\.md)?' | sort -u; }
missing() { named | while IFS= read -r f; do [ -e "$D/usr/share/doc/hsl/${f#docs/}" ] || echo "$f"; done; }
# shellcheck disable=SC2016
check 'each document that man pages and programs name' test -n "$(named)" -a -z "$(missing)"
pictures() { cat "$D"/usr/share/doc/hsl/*.md | sed -n 's/^!\[.*\](\([^:)]*\))$/\1/p'; }
# shellcheck disable=SC2016
check 'each picture of the documents' sh -c 'test -n "$1" && cd "$2" && ls $1' - "$(pictures)" "$D/usr/share/doc/hsl"

export PKG_CONFIG_SYSROOT_DIR=$D PKG_CONFIG_PATH=$D/usr/lib/pkgconfig
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
cflags=$(pkg-config --cflags libhsl)
libs=$(pkg-config --libs libhsl)

for h in hsl/hsl.h hsl/proto.h hsl/regs.h hsl/uapi.h; do
	printf '#include <%s>\nint main(void) { return 0; }\n' "$h" >"$tmp/h.c"
	cp "$tmp/h.c" "$tmp/h.cc"
	# shellcheck disable=SC2086
	check "$h alone is C11" gcc -std=c11 -Wall -Wextra -Wpedantic -Werror $cflags -c -o "$tmp/h.o" "$tmp/h.c"
	# shellcheck disable=SC2086
	check "$h alone is C++11" g++ -std=c++11 -Wall -Wextra -Werror $cflags -c -o "$tmp/h.o" "$tmp/h.cc"
done

cat >"$tmp/app.c" <<'EOF'
#include <hsl/hsl.h>
#include <stdio.h>

int main(void)
{
	struct hsl_fabric *f;
	int err = hsl_fabric_open("sim:pair2", &f);

	if (err) {
		fprintf(stderr, "hsl_fabric_open: %d\n", err);
		return 1;
	}
	hsl_fabric_close(f);
	return puts(hsl_version()) < 0;
}
EOF
cp "$tmp/app.c" "$tmp/app.cc"
# shellcheck disable=SC2086
check 'a C program links to it' gcc -Wall -Werror $cflags -o "$tmp/app" "$tmp/app.c" $libs
check 'and runs on sim:' env LD_LIBRARY_PATH="$D/usr/lib" "$tmp/app"
# shellcheck disable=SC2086
check 'a C++ program links to it' g++ -Wall -Werror $cflags -o "$tmp/app++" "$tmp/app.cc" $libs
check 'and runs on sim: (C++)' env LD_LIBRARY_PATH="$D/usr/lib" "$tmp/app++"
# shellcheck disable=SC2086
check 'a C program links to the archive' gcc -Wall -Werror $cflags -o "$tmp/app-static" "$tmp/app.c" \
	"$D/usr/lib/libhsl.a" -pthread -lm
check 'and runs on sim: (static)' "$tmp/app-static"
check 'the program says the version of libhsl.pc' test "$("$tmp/app-static" 2>/dev/null)" = "$version"

cat >"$tmp/app2.cc" <<'EOF'
#include <hsl/hsl.hpp>

int main()
{
	return hsl::fabric("sim:pair2").chips().size() == 2 ? 0 : 1;
}
EOF
# shellcheck disable=SC2086
check 'a program with hsl.hpp links to it' g++ -std=c++11 -Wall -Wextra -Werror $cflags -o "$tmp/app2" "$tmp/app2.cc" $libs
check 'and runs on sim: (hsl.hpp)' env LD_LIBRARY_PATH="$D/usr/lib" "$tmp/app2"
for e in "$D"/usr/share/doc/hsl/examples/*.c; do
	# shellcheck disable=SC2086
	check "example ${e##*/} builds against it" gcc -Wall -Werror $cflags -pthread -o "$tmp/example" "$e" $libs
done

# every function that hsl.h declares is exported with a version, and nothing else but what is the tools' (hslp_)
gcc -E -I"$D/usr/include" -include hsl/hsl.h -x c /dev/null | tr '\n' ' ' | tr ';{}' '\n' |
	grep -vE '^[[:space:]]*(# .*)?(static|return|typedef|extern int .*__)' |
	grep -oE '\bhsl_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$tmp/declared"
nm -D --defined-only "$D/usr/lib/libhsl.so" | awk '$2 == "T" && $3 !~ /^hslp_/ { sub(/@.*/, "", $3); print $3 }' | sort -u >"$tmp/exported"
check 'exports are what hsl.h declares' diff -u "$tmp/declared" "$tmp/exported"
check 'every export has a version' sh -c "! nm -D --defined-only '$D/usr/lib/libhsl.so' | grep ' T ' | grep -v '@@HSL_'"
check 'soname' sh -c "readelf -d '$D/usr/lib/libhsl.so' | grep -q 'SONAME.*libhsl.so.1]'"

for t in hslctl hsltest hslbench; do
	check "$t is installed" test -x "$D/usr/bin/$t"
	check "$t runs from there" env LD_LIBRARY_PATH="$D/usr/lib" "$D/usr/bin/$t" --help
	check "$t has no path of the build in it" sh -c "! readelf -d '$D/usr/bin/$t' | grep -E 'RPATH|RUNPATH'"
	check "$t has a man page" test -s "$D/usr/share/man/man1/$t.1"
done

check 'make uninstall' make uninstall DESTDIR="$D" PREFIX=/usr
check 'uninstall leaves nothing' sh -c "! find '$D' -type f -o -type l | grep ."
cd "$root"
echo "1..$n"
exit $failed
