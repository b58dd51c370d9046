#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Headers and exports are products: every public header compiles alone, as C11 and as C++17, with every warning an
# error; layouts are what they were; the library exports what libhsl.map says, which is what hsl.h declares, and
# nothing else; every exported function has a manual page.
set -euo pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
CC=${CC:-gcc} CXX=${CXX:-g++}
build=${HSL_BUILD:-build}
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

warnings=(-Wall -Wextra -Wpedantic -Werror -Wconversion -Wundef -Iinclude -Iinclude/uapi)
for h in hsl/hsl.h hsl/proto.h hsl/regs.h hsl/ctf.h linux/hsl.h; do
	# twice, as the guard has to hold
	printf '#include "%s"\n#include "%s"\nint main(void) { return 0; }\n' "$h" "$h" >"$tmp/h.c"
	cp "$tmp/h.c" "$tmp/h.cc"
	check "$h alone is C11" "$CC" -std=c11 "${warnings[@]}" -Wshadow -Wstrict-prototypes -c -o "$tmp/h.o" "$tmp/h.c"
	check "$h alone is C++17" "$CXX" -std=c++17 "${warnings[@]}" -c -o "$tmp/h.o" "$tmp/h.cc"
done
cp tests/headers/layout.c "$tmp/layout.cc"
check 'layouts in C11' "$CC" -std=c11 "${warnings[@]}" -c -o "$tmp/l.o" tests/headers/layout.c
check 'layouts in C++17' "$CXX" -std=c++17 "${warnings[@]}" -c -o "$tmp/l.o" "$tmp/layout.cc"

# a C++ program that names every function links: extern "C" is complete
sed -n 's/^\t\(hsl_[a-z0-9_]*\);$/\1/p' libhsl/libhsl.map | sort >"$tmp/map"
{
	echo '#include "hsl/hsl.h"'
	echo '#include <cstdio>'
	echo 'int main() { const void *p[] = {'
	sed 's/.*/reinterpret_cast<const void *>(\&&),/' "$tmp/map"
	echo '}; for (const void *q : p) if (!q) return 1; return std::puts(hsl_version()) < 0; }'
} >"$tmp/all.cc"
check 'every function links from C++' "$CXX" -std=c++17 -Wall -Wextra -Werror -Iinclude -o "$tmp/all" "$tmp/all.cc" \
	-L"$build" -lhsl -Wl,-rpath,"$(realpath "$build")"
check 'and runs' "$tmp/all"

for std in 11 17 20; do
	check "hsl.hpp is C++$std" "$CXX" "-std=c++$std" "${warnings[@]}" -O1 -o "$tmp/cpp" tests/headers/cpp.cc \
		-L"$build" -lhsl -Wl,-rpath,"$(realpath "$build")"
done
check 'and does what it says' "$tmp/cpp"

# hslp_ is between the library and the tools built with it (libhsl/raw.h)
nm -D --defined-only "$build/libhsl.so" | awk '$2 != "A" { sub(/@@?.*/, "", $3); print $3 }' | grep -v '^hslp_' | sort >"$tmp/exported"
check 'the library exports what libhsl.map says, nothing else' diff -u "$tmp/map" "$tmp/exported"
nm -D --defined-only "$build/libhsl.so" | awk '$2 != "A"' | grep -vE '@@HSL_1\.[0-9]+$| hslp_.*@@HSL_PRIVATE$' >"$tmp/unversioned" || :
check 'every symbol has a version' test ! -s "$tmp/unversioned"
# declarations: a name before "(" at the end of a type, one or more lines; not inline functions and what they call
"$CC" -E -P -Iinclude include/hsl/hsl.h | tr '\n' ' ' | tr ';{}' '\n' | grep -vE '^ *(static|return) ' | grep -oE '\bhsl_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$tmp/declared"
check 'hsl.h declares what libhsl.map exports' diff -u "$tmp/map" "$tmp/declared"
: >"$tmp/missing"
while IFS= read -r f; do
	[ -e "libhsl/man/$f.3" ] || echo "$f" >>"$tmp/missing"
done <"$tmp/map"
check 'every function has a manual page' diff /dev/null "$tmp/missing"
for p in libhsl/man/*.3; do
	to=$(sed -n 's|^\.so man3/||p' "$p")
	[ -z "$to" ] || [ -e "libhsl/man/$to" ] || echo "$p: no $to"
done >"$tmp/dangling"
check 'no manual page points nowhere' diff /dev/null "$tmp/dangling"
# the library needs the C library, and nothing else
readelf -d "$build/libhsl.so" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libpthread|ld-linux.*)\.so' \
	>"$tmp/needed" || :
check 'the library needs nothing but libc' diff /dev/null "$tmp/needed"
check 'SONAME' bash -c "readelf -d '$build/libhsl.so' | grep -q 'SONAME.*\[libhsl.so.1\]'"

echo "1..$n"
exit $failed
