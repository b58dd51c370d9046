# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Shared by the scripts under qemu/ and tests/: messages, the cache, locks, packages.
#
# The cache lives outside the clone, so that a clean clone starts warm:
#   apt/SUITE/           private apt state: sources list, package lists, downloads (the user's apt is never edited)
#   qemu/VERSION/src     unpacked Debian source, never half done (unpacked beside, then renamed)
#   qemu/VERSION/overlay copy of what install-into links into src (see qemu/build for why it is a copy)
#   qemu/VERSION/build   one incremental build tree, guarded by VERSION/lock
#   qemu/bin/KEY/        published binaries, KEY = hash of everything the binary was made from
#   linux/ABI/           unpacked Debian kernel: vmlinux, modules, headers
#   linux/debug-*/       the debug kernel (debug-kernel.sh): 4 GB
# Everything in it can be deleted at any time; it is made again.

HSL_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
HSL_CACHE=${HSL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/hsl}

# Called from make: its flags and the user's compiler settings are not meant for QEMU's and the kernel's builds.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC CXX CPPFLAGS CFLAGS CXXFLAGS LDFLAGS

EXIT_FAIL=1 EXIT_USAGE=2 EXIT_ENV=3 EXIT_SKIP=77
export EXIT_FAIL EXIT_USAGE EXIT_ENV EXIT_SKIP

say() { printf 'hsl: %s\n' "$*" >&2; }
die() { say "$*"; exit "$EXIT_ENV"; }
usage_error() { say "$*"; exit "$EXIT_USAGE"; }

# os_codename: bookworm, trixie, …; empty when this is not Debian.
os_codename() {
	[ -r /etc/os-release ] || return 0
	# shellcheck disable=SC1091
	(. /etc/os-release; [ "${ID:-}" = debian ] && printf '%s\n' "${VERSION_CODENAME:-}") || :
}

# lock FILE: exclusive lock on FILE for the rest of this (sub)shell, held by file descriptor 7.
lock() {
	mkdir -p "$(dirname "$1")"
	exec 7>"$1"
	if ! flock -n 7; then
		say "another process works on ${1#"$HSL_CACHE"/}; waiting for it"
		flock 7
	fi
}

# size_bytes 256M: K, M, G, T suffixes; prints bytes, fails on anything else.
size_bytes() {
	case $1 in
	*[!0-9KMGTkmgt]* | '' | [KMGTkmgt]*) return 1 ;;
	esac
	local n=${1%[KMGTkmgt]}
	case $n in
	*[!0-9]*) return 1 ;;
	esac
	[ "${#n}" -le 12 ] || return 1
	n=$((10#$n))
	case $1 in
	*[Kk]) n=$((n << 10)) ;;
	*[Mm]) n=$((n << 20)) ;;
	*[Gg]) n=$((n << 30)) ;;
	*[Tt]) n=$((n << 40)) ;;
	esac
	printf '%s\n' "$n"
}

# ---- packages ----

packages_of() {
	case $1 in
	host) echo gcc g++ libc6-dev make pkg-config libpci-dev libjson-c-dev libnuma-dev ;;
	unit) echo libcmocka-dev python3-jsonschema gnuplot-nox ;;
	qemu) echo gcc libc6-dev make dpkg-dev ninja-build meson pkg-config python3 python3-venv flex bison libglib2.0-dev \
		libpixman-1-dev zlib1g-dev libfdt-dev libattr1-dev libcap-ng-dev ;;
	vm) echo seabios qemu-system-data busybox-static cpio kmod xz-utils libglib2.0-0 libpixman-1-0 libfdt1 libattr1 \
		libcap-ng0 ;;
	kernel) echo gcc-12 make libelf1 dpkg-dev xz-utils kmod bc ;;
	debug-kernel) echo flex bison libelf-dev libssl-dev lz4 ;;
	coverage) echo lcov ;;
	capture) echo tshark ;; # 22 MB to fetch, 128 MB installed
	docs) echo pandoc weasyprint fonts-dejavu-core fonts-wqy-microhei ;; # 75 MB to fetch; no browser, no TeX
	deb) echo dpkg-dev debhelper dh-dkms ;;
	deb-check) echo lintian debootstrap ;;
	peers) echo ndctl perftest rdma-core ibverbs-providers libfabric-bin ucx-utils iproute2 kmod python3 gnuplot-nox ;;
	lint) echo sparse shellcheck mandoc perl ;;
	*) usage_error "packages_of: unknown group $1" ;;
	esac
}

missing_packages() { # one dpkg-query for all; names it does not know are missing too, and no failure
	{ dpkg-query -W -f '${binary:Package} ${db:Status-Status}\n' "$@" 2>/dev/null || :; } |
		awk -v want="$*" '
			{ sub(/:.*/, "", $1) }
			$2 == "installed" { have[$1] = 1 }
			END { n = split(want, w, " "); for (i = 1; i <= n; i++) if (!(w[i] in have)) { printf "%s ", w[i]; have[w[i]] = 1 } }'
}

# need_packages GROUP…: install what is missing (root), or print the one line that installs it and stop.
need_packages() {
	local want='' missing g
	for g in "$@"; do
		want="$want $(packages_of "$g")"
	done
	if ! command -v dpkg-query >/dev/null; then
		say "this system is not Debian; the equivalents of these packages are needed:$want"
		say "(continuing; set HSL_QEMU_SRC=/QEMU_SRC=, QEMU=, KDIR= to use your own)"
		return 0
	fi
	# shellcheck disable=SC2086
	missing=$(missing_packages $want)
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		say "packages are missing; as root, run:"
		printf '  apt-get install -y --no-install-recommends %s\n' "$missing" >&2
		exit "$EXIT_ENV"
	fi
	say "installing: $missing"
	(
		lock "$HSL_CACHE/apt-install.lock"
		export DEBIAN_FRONTEND=noninteractive
		o='-y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0'
		# shellcheck disable=SC2086
		apt-get install $o $missing >"$HSL_CACHE/apt-install.log" 2>&1 </dev/null 7>&- && exit 0
		# package lists absent or too old: refresh them once
		apt-get update -q >>"$HSL_CACHE/apt-install.log" 2>&1 </dev/null 7>&-
		# shellcheck disable=SC2086
		apt-get install $o $missing >>"$HSL_CACHE/apt-install.log" 2>&1 </dev/null 7>&-
	) || {
		tail -n 15 "$HSL_CACHE/apt-install.log" >&2
		die "apt-get install failed (log: $HSL_CACHE/apt-install.log)"
	}
}

# ---- a private apt: any suite of the mirror this system already uses ----

# apt_private SUITE CMD ARGS…: CMD (apt-get, apt-cache) on SUITE of the system's own Debian mirror.
apt_private() {
	local suite=$1 cmd=$2 dir=$HSL_CACHE/apt/$1
	shift 2
	"$cmd" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root \
		-o APT::Get::List-Cleanup=0 -o Acquire::Retries=2 -o Acquire::Languages=none "$@"
}

# apt_private_update SUITE: write its sources list and fetch its package lists, at most once in six hours.
apt_private_update() {
	local suite=$1 dir=$HSL_CACHE/apt/$1 own base
	own=$(os_codename)
	[ -n "$own" ] || die "not a Debian system: cannot find Debian packages; set QEMU_SRC= or QEMU=, and KDIR="
	[ -z "$(find "$dir/stamp" -mmin -360 2>/dev/null)" ] || return 0
	(
		lock "$dir/lock"
		[ -z "$(find "$dir/stamp" -mmin -360 2>/dev/null)" ] || exit 0
		mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
		base=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
			awk -v c="$own" '$2 == c && $3 == "Debian" { print $1; exit }')
		if [ -z "$base" ]; then
			# ORIGIN is known only after apt-get update; before it the code name must do
			base=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)|$(SUITE)|$(RELEASE)' 'Created-By: Packages' |
				awk -v c="$own" '$2 ~ "(^|[|])" c "([|]|$)" { print $1; exit }')
		fi
		[ -n "$base" ] || die "apt knows no Debian mirror for $own; set QEMU_SRC= or QEMU=, and KDIR="
		{
			if [ "$suite" = "$own" ]; then
				apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
					awk -v c="$own" '$3 == "Debian" && ($2 == c || index($2, c "-") == 1) { print $1, $2 }' |
					sort -u
				echo "$base $own"
			else
				echo "$base $suite"
			fi
		} | sort -u | while read -r uri codename; do
			for t in deb deb-src; do
				echo "$t [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $codename main"
			done
		done >"$dir/sources.list"
		say "reading package lists of $suite"
		apt_private "$suite" apt-get update -q >"$dir/update.log" 2>&1 </dev/null 7>&- || {
			tail -n 5 "$dir/update.log" >&2
			die "cannot read the package lists of $suite (log: $dir/update.log)"
		}
		touch "$dir/stamp"
	)
}

# ---- what goes into QEMU ----

# overlay_files DIR: the files of a clone, or of a copy that need not be whole, that go into QEMU, relative, sorted.
overlay_files() {
	(
		cd "$1"
		{ find include/hsl include/uapi qemu/hw qemu/model qemu/engine qemu/devices.mak qemu/install-into -type f \
			! -name '.*' ! -name '*~' ! -name '*.o' ! -name '*.orig' ! -name '*.rej' 2>/dev/null || :; } | LC_ALL=C sort
	)
}

# overlay_sync FROM TO: make TO equal to FROM, keeping the time stamps of equal files.
overlay_sync() {
	local f before
	mkdir -p "$2/qemu"
	before=$(overlay_files "$2")
	overlay_files "$1" | while IFS= read -r f; do
		cmp -s "$1/$f" "$2/$f" && continue
		mkdir -p "$2/$(dirname "$f")"
		cp "$1/$f" "$2/$f"
	done
	overlay_files "$2" | while IFS= read -r f; do
		[ -e "$1/$f" ] || rm -f "$2/$f"
	done
	# the device's meson.build lists directories when it is read: have it read again when there is another file
	[ "$before" = "$(overlay_files "$2")" ] || touch -c "$2/qemu/hw/hsl/meson.build"
	chmod +x "$2/qemu/install-into"
}
