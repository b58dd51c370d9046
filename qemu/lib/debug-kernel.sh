# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The debug kernels: Debian's source of the 6.1 series with the configuration qemu/guest/debug.config (KERNEL=debug), or with
# that as qemu/guest/kcsan.config changes it (KERNEL=kcsan).
#
# KASAN watches modules whole. Of the kernel itself only what works on objects of drivers is instrumented (below), beside the
# allocators and the copies, which always tell: that halves the time to build it and the time of each test. KCSAN watches modules.
#
# It takes minutes on two idle cores, so it is built once per source version and configuration, in
#   linux/KERNEL-VERSION-KEY/   src, build (modules are built against it), vmlinux (what boots), complete
# and started again by a later call where an interrupted one stopped. Nothing builds it by the way: who only wants it if
# it is there asks debug_kernel_cached first.

DEBUG_KASAN='mutex rwsem spinlock_debug build_utility workqueue kobject list_debug rbtree xarray idr core bus dd devres dma-buf eventfd'

debug_kernel_config() { # the lines of KERNEL's configuration
	case $KERNEL in
	debug) cat "$HSL_ROOT/qemu/guest/debug.config" ;;
	kcsan)
		awk '!/^(CONFIG_[^ ]*=|# CONFIG_[^ ]* is not set$)/ { next }
			{ match($0, /CONFIG_[A-Z0-9_]+/); symbol = substr($0, RSTART, RLENGTH) }
			NR == FNR { ours[symbol]; print; next }
			{ for (s in ours) if (index(symbol "_", s "_") == 1) next; print }' \
			"$HSL_ROOT/qemu/guest/kcsan.config" "$HSL_ROOT/qemu/guest/debug.config"
		;;
	esac
}

debug_kernel_dir() { # prints the directory for the version last seen; fails when there was none
	local version
	version=$(cat "$HSL_CACHE/linux/current-$KERNEL" 2>/dev/null) || return 1
	printf '%s/linux/%s-%s-%s\n' "$HSL_CACHE" "$KERNEL" "$version" "$({ debug_kernel_config; echo "$DEBUG_KASAN"; } | sha256sum | cut -c1-12)"
}

debug_kernel_cached() { # prints the directory if the kernel is there, complete; else fails
	local dir
	dir=$(debug_kernel_dir) && [ -e "$dir/complete" ] && printf '%s\n' "$dir"
}

debug_kernel_fetch() { # debug_kernel_fetch DIR VERSION: the source, in DIR/src; linked to that of the other debug kernel
	local dir=$1 version=$2 tmp=$1/fetch other
	rm -rf "$tmp"
	for other in "$HSL_CACHE"/linux/{debug,kcsan}-"$version"-*; do
		[ -e "$other/complete" ] || continue
		cp -al "$other/src" "$tmp" 2>/dev/null && mv "$tmp" "$dir/src" && return
		rm -rf "$tmp"
	done
	mkdir -p "$tmp"
	say "fetching the source of the kernel (140 MB) and unpacking it"
	(cd "$tmp" && apt_private bookworm apt-get download -q linux-source-6.1) >"$dir.log" 2>&1 </dev/null 7>&- || {
		tail -n 5 "$dir.log" >&2
		die "cannot fetch linux-source-6.1 (log: $dir.log)"
	}
	mkdir "$tmp/src"
	dpkg --fsys-tarfile "$tmp"/*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		tar -xJ --strip-components=1 -C "$tmp/src"
	mv "$tmp/src" "$dir/src"
	rm -rf "$tmp"
}

debug_kernel_configure() { # debug_kernel_configure MAKE…: tinyconfig and our lines, each of which must have survived
	local build=$1 line lost=''
	shift
	"$@" -s tinyconfig >/dev/null
	debug_kernel_config >>"$build/.config"
	"$@" -s olddefconfig >/dev/null 2>&1
	while IFS= read -r line; do
		case $line in
		CONFIG_*) grep -qxF -- "$line" "$build/.config" ;;
		*) line=${line#\# } && ! grep -q "^${line% is not set}=" "$build/.config" ;;
		esac || lost="$lost
  $line"
	done < <(grep -E '^(CONFIG_|# CONFIG_.* is not set$)' <(debug_kernel_config))
	[ -z "$lost" ] || die "this kernel does not take these lines of its configuration:$lost"
}

debug_kernel_build() { # the whole of it; prints the directory
	local dir version make f
	need_packages kernel debug-kernel
	apt_private_update bookworm
	version=$(apt_private bookworm apt-cache show --no-all-versions linux-source-6.1 | sed -n 's/^Version: //p')
	[ -n "$version" ] || die "no linux-source-6.1 in bookworm"
	mkdir -p "$HSL_CACHE/linux"
	printf '%s\n' "$version" >"$HSL_CACHE/linux/current-$KERNEL.$$"
	mv "$HSL_CACHE/linux/current-$KERNEL.$$" "$HSL_CACHE/linux/current-$KERNEL"
	dir=$(debug_kernel_dir)
	(
		lock "$dir.lock"
		[ ! -e "$dir/complete" ] || exit 0
		mkdir -p "$dir/build"
		[ -d "$dir/src" ] || debug_kernel_fetch "$dir" "$version"
		make=(make -C "$dir/src" O="$dir/build" CC=gcc-12 HOSTCC=gcc-12 KASAN_SANITIZE=n KCSAN_SANITIZE=n)
		for f in $DEBUG_KASAN; do
			make+=("KASAN_SANITIZE_$f.o=y")
		done
		debug_kernel_configure "$dir/build" "${make[@]}"
		say "building the $KERNEL kernel (some minutes on two idle cores; log: $dir.log)"
		nice "${make[@]}" -j "$(nproc)" bzImage modules >"$dir.log" 2>&1 </dev/null 7>&- || {
			grep -E -A 6 'error:|\*\*\*' "$dir.log" | head -n 40 >&2 || tail -n 20 "$dir.log" >&2
			die "the $KERNEL kernel does not build (log: $dir.log)"
		}
		# modules need headers, scripts and symbols, not 2 GB of objects
		find "$dir/build" -name '*.o' ! -path '*/scripts/*' ! -path '*/tools/*' -delete
		ln -sfn build/arch/x86/boot/bzImage "$dir/vmlinux"	# PVH would not boot with KASAN's shadow
		touch "$dir/complete"
	) >&2
	printf '%s\n' "$dir"
}
