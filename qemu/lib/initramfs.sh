# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The VM's root file system, in three cpio archives laid end to end:
#   base   busybox, init, the kernel modules the launcher's devices need         changes with the kernel
#   app    tools, tests, libhsl, hsl modules, and the shared libraries they need changes with every build
#   run    the command and the options of one run
# The first two are cached under a hash of what went in (HSL_CACHE/initramfs).

GUEST_MODULES='virtio_pci virtio_console 9pnet_virtio 9p'

pack() { # pack DIR OUT: by rename, never half; the same files give the same bytes
	find "$1" -mindepth 1 -exec touch -h -d 2026-01-01T00:00:00Z {} +
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible --quiet) >"$2.$$"
	mv "$2.$$" "$2"
}

# modules_closure MODDIR NAME…: the files of these modules and what they depend on, in the order to load them
modules_closure() {
	local moddir=$1 name line
	shift
	for name in "$@"; do
		line=$(grep -E "(^|/)${name//_/[-_]}\.ko(\.xz)?:" "$moddir/modules.dep") || continue
		# dependencies stand after the colon, the deepest last
		{
			printf '%s\n' "${line#*:}" | tr ' ' '\n' | tac
			printf '%s\n' "${line%%:*}"
		} | grep . || :
	done | awk '!seen[$0]++'
}

initramfs_base() { # initramfs_base KERNELDIR ABI OUTVAR
	local kdir=$1 abi=$2 key out tmp f name
	key=$( (sha256sum "$HSL_ROOT/qemu/guest/init" "$HSL_ROOT/qemu/lib/initramfs.sh" "$(command -v busybox)" \
		</dev/null; echo "$kdir $abi") | sha256sum | cut -c1-24)
	out=$HSL_CACHE/initramfs/base-$key.cpio
	if [ ! -e "$out" ]; then
		mkdir -p "$HSL_CACHE/initramfs"
		tmp=$(mktemp -d "$HSL_CACHE/initramfs/tmp.XXXXXX")
		mkdir -p "$tmp"/{bin,sbin,usr/bin,usr/sbin,etc/hsl,proc,sys,dev,tmp,root,host,home/user,lib/modules,hsl/bin,hsl/tests}
		chmod 1777 "$tmp/tmp"
		cp "$(command -v busybox)" "$tmp/bin/busybox"
		"$tmp/bin/busybox" --list | while IFS= read -r name; do
			[ "$name" = busybox ] || ln -s busybox "$tmp/bin/$name"
		done
		ln -s /bin/busybox "$tmp/sbin/init"
		cp "$HSL_ROOT/qemu/guest/init" "$tmp/init"
		chmod 755 "$tmp/init"
		: >"$tmp/etc/hsl/modules"
		if [ -n "$abi" ] && [ -f "$kdir/lib/modules/$abi/modules.dep" ]; then
			# shellcheck disable=SC2086
			modules_closure "$kdir/lib/modules/$abi" $GUEST_MODULES | while IFS= read -r f; do
				name=$(basename "$f" .xz)
				case $f in
				*.xz) xzcat "$kdir/lib/modules/$abi/$f" ;;
				*) cat "$kdir/lib/modules/$abi/$f" ;;
				esac >"$tmp/lib/modules/$name"
				echo "/lib/modules/$name" >>"$tmp/etc/hsl/modules"
			done
		fi
		printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n' >"$tmp/etc/passwd"
		printf 'root:x:0:\nuser:x:1000:\n' >"$tmp/etc/group"
		printf 'root::19000:0:99999:7:::\nuser::19000:0:99999:7:::\n' >"$tmp/etc/shadow"
		printf '/usr/lib/x86_64-linux-gnu\n' >"$tmp/etc/ld.so.conf"
		printf 'This VM has the hsl tools on PATH, its tests in /hsl/tests, your tree in /host (read-only).\n%s\n' \
			'Try: hslctl list. Leave with: exit' >"$tmp/etc/motd"
		printf "alias ll='ls -l'\n" >"$tmp/etc/profile"
		pack "$tmp" "$out"
		rm -rf "$tmp"
	fi
	touch -c "$out"
	printf -v "$3" '%s' "$out"
}

# app_files ABI: lines "source<TAB>path in the guest<TAB>mode"
app_files() {
	local abi=$1 b=${HSL_BUILD:-$HSL_ROOT/build} f
	for f in "$b"/hslctl "$b"/hsltest "$b"/hslbench; do
		[ -x "$f" ] && printf '%s\t/hsl/bin/%s\tx\n' "$f" "${f##*/}"
	done
	for f in "$b"/examples/*; do
		[ -x "$f" ] && printf '%s\t/hsl/examples/%s\tx\n' "$f" "${f##*/}"
	done
	for f in /usr/bin/lspci /usr/bin/setpci; do
		[ -x "$f" ] && printf '%s\t%s\tx\n' "$f" "$f"
	done
	[ -e "$b/libhsl.so.1" ] && printf '%s\t/usr/lib/x86_64-linux-gnu/libhsl.so.1\tx\n' "$(realpath "$b/libhsl.so.1")"
	find "$b"/tests/abi "$b"/tests/guest -type f -perm -u+x 2>/dev/null | LC_ALL=C sort | while IFS= read -r f; do
		printf '%s\t/hsl/tests/%s\tx\n' "$f" "${f#"$b/tests/"}"
	done
	find "$HSL_ROOT"/tests/abi "$HSL_ROOT"/tests/guest -type f -name '*.sh' 2>/dev/null | LC_ALL=C sort |
		while IFS= read -r f; do
			printf '%s\t/hsl/tests/%s\ts\n' "$f" "${f#"$HSL_ROOT/tests/"}"
		done
	if [ -n "$abi" ]; then
		find "$b/kmod-$abi" -name '*.ko' 2>/dev/null | LC_ALL=C sort | while IFS= read -r f; do
			printf '%s\t/lib/hsl/%s\tx\n' "$f" "${f##*/}"
		done
	fi
	return 0
}

initramfs_app() { # initramfs_app ABI OUTVAR
	local abi=$1 list key out tmp src dst mode lib
	list=$(app_files "$abi")
	key=$( (printf '%s\n' "$list"; sha256sum "$HSL_ROOT/qemu/lib/initramfs.sh"
		printf '%s\n' "$list" | cut -f1 | grep . | xargs -r -d '\n' stat -c '%n %s %y %i' || :) | sha256sum | cut -c1-24)
	out=$HSL_CACHE/initramfs/app-$key.cpio
	if [ ! -e "$out" ]; then
		mkdir -p "$HSL_CACHE/initramfs"
		tmp=$(mktemp -d "$HSL_CACHE/initramfs/tmp.XXXXXX")
		mkdir -p "$tmp/lib/hsl"
		while IFS=$'\t' read -r src dst mode; do
			[ -n "$src" ] || continue
			mkdir -p "$tmp$(dirname "$dst")"
			cp "$src" "$tmp$dst"
			chmod 755 "$tmp$dst"
			[ "$mode" = s ] || strip -g "$tmp$dst" 2>/dev/null || :
		done <<<"$list"
		# the shared libraries of all of them, at the paths where this system has them
		printf '%s\n' "$list" | awk -F'\t' '$3 == "x" && $1 !~ /\.ko$/ { print $1 }' |
			(LD_LIBRARY_PATH=${HSL_BUILD:-$HSL_ROOT/build} xargs -r -d '\n' ldd 2>/dev/null || :) |
			sed -nE '/libhsl/d; s/^.*[[:space:]](\/[^ :]+) \(0x.*$/\1/p' | sort -u |
			while IFS= read -r lib; do
				mkdir -p "$tmp$(dirname "$lib")"
				cp -L "$lib" "$tmp$lib"
			done
		[ -e "$tmp/lib64/ld-linux-x86-64.so.2" ] || {
			mkdir -p "$tmp/lib64"
			cp -L /lib64/ld-linux-x86-64.so.2 "$tmp/lib64/" 2>/dev/null || :
		}
		pack "$tmp" "$out"
		rm -rf "$tmp"
		# keep the newest ones
		find "$HSL_CACHE/initramfs" -maxdepth 1 -name '*.cpio' -mmin +60 -printf '%T@ %p\n' | sort -rn |
			tail -n +13 | cut -d' ' -f2- | xargs -r -d '\n' rm -f
		find "$HSL_CACHE/initramfs" -maxdepth 1 -name 'tmp.*' -mmin +60 -exec rm -rf {} +
	fi
	touch -c "$out"
	printf -v "$2" '%s' "$out"
}
