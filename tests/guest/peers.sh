#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# peers.sh: hsl next to what a user would take instead, in one run: memcpy, a pipe, eventfd, libfabric, UCX, Soft-RoCE, CXL memory and an ivshmem
# doorbell. Not a test: nothing is judged. What is not there is skipped with the reason. tests/peers/run boots a VM with all of it and calls this;
# it runs on any machine, with HSL_FABRIC or the first device, and hslbench from $PATH or $HSL_BUILD.
#
#   HSL_PEERS_ROOT TAG    the peers' programs are in the file system that this 9p tag names, not in the own one
#   HSL_PEERS_MODULES DIR kernel modules are under DIR/lib/modules there
#   HSL_PEERS_OUT DIR     peers.tsv (one line for each peer), hsl.json and the tables go here
#   HSL_PEERS_QEMU TEXT   version of the emulator    HSL_PEERS_NO_CXL, HSL_PEERS_NO_IVSHMEM TEXT: why it has none
#
# ns, GB/s and M/s are wall-clock. Latencies of peers are half a round trip between two processes, as their tools print them; hsl's is submit to
# completion.
set -u
PATH=${HSL_BUILD:+$HSL_BUILD:}$PATH
own=$(mktemp -d) || exit 3
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$own"' EXIT
trap 'exit 1' INT TERM
export LC_ALL=C
out=${HSL_PEERS_OUT:-$own}
port=13400

command -v hslbench >/dev/null || { echo "peers.sh: no hslbench" >&2; exit 3; }

# ---- the peers' programs and modules ----

in_root='' modprobe='modprobe -q'
# for a VM that ends with this: nothing is unmounted
if [ -n "${HSL_PEERS_ROOT-}" ]; then
	root=/peers	# not in $own, which is removed
	mkdir "$root" && mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose "$HSL_PEERS_ROOT" "$root" || exit 3
	for d in proc sys dev tmp; do
		mount --rbind "/$d" "$root/$d" || exit 3
	done
	in_root="chroot $root"
	modprobe=$own/modprobe
	printf '#!/bin/sh\nexec chroot %s /sbin/modprobe -q -C /dev/null -d %s "$@"\n' "$root" "$HSL_PEERS_MODULES" >"$modprobe"
	chmod +x "$modprobe"
	echo "$modprobe" >/proc/sys/kernel/modprobe
fi
have() { $in_root sh -c "command -v $1" >/dev/null; }

# wait_for SECONDS CONDITION…
wait_for() {
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}
listens() { grep -qiE "$(printf ':%04x 0+:0000 0A' "$port")" /proc/net/tcp /proc/net/tcp6; }
# a server in the background, then its client, which is the server's command with one more word: COMMAND
pair() {
	# shellcheck disable=SC2086
	$in_root $1 >"$own/server" 2>&1 &
	server=$!
	wait_for 30 listens
	timeout 60 $in_root $2 >"$own/client" 2>&1
	status=$?
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	server=
	return $status
}

# ---- what came of it ----

row() { printf '  %-28s %-16s %12s %12s %8s  %s\n' "$@"; }
# what a peer has reached, next to hsl: WHAT UNIT more|less HSL PEER VALUE VERSION COMMAND
peer() {
	if [ -z "$6" ] || [ "$6" = 0 ]; then
		skip "$1" "$5" 'no number' "$8"
		return
	fi
	ratio=$(awk -v p="$6" -v h="$4" -v b="$3" 'BEGIN { if (p > 0 && h > 0) printf "%.3g", b == "more" ? h / p : p / h; else print "-" }')
	row "$1, $2" "$5" "$6" "$4" "$ratio" "$8"
	printf '%s\t' "$@" >>"$out/peers.tsv"
	echo >>"$out/peers.tsv"
}
# WHAT PEER REASON COMMAND
skip() {
	row "$1" "$2" skipped - - "$3"
	printf '%s\t\t\t\t%s\t\t\t%s\t%s\n' "$1" "$2" "$4" "$3" >>"$out/peers.tsv"
}
# COLUMN KEY=VALUE…: of the first such row of the CSV that hslbench has written
field() {
	awk -F, -v want="$1" -v keys="$(shift; printf '%s;' "$@")" '
		NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; n = split(keys, key, ";") - 1; next }
		{
			for (i = 1; i <= n; i++) {
				split(key[i], kv, "=")
				if ($col[kv[1]] != kv[2])
					next
			}
			print $col[want]
			exit
		}' "$own/hsl.csv"
}
scale() { awk -v v="${1:-0}" -v by="$2" -v fmt="${3:-%.3f}" 'BEGIN { if (v > 0) printf fmt, v * by }'; }

# ---- CXL memory: a region of all of it, and that as device DAX ----

cxl_dax='' cxl_why=${HSL_PEERS_NO_CXL-}
cxl_tried='cxl create-region -m mem0 -d decoder0.0 -t pmem -w 1; ndctl create-namespace -m devdax -a 4K'
cxl_up() {
	for m in cxl_acpi cxl_pci cxl_mem cxl_port cxl_pmem nd_pmem device_dax dax_pmem; do
		$modprobe $m
	done
	wait_for 10 [ -e /sys/bus/cxl/devices/mem0 ] || {
		cxl_why="${HSL_PEERS_QEMU:+$HSL_PEERS_QEMU with }Linux $(uname -r): $(dmesg 2>/dev/null | sed -n 's/.*cxl_pci \(.*\)/\1/p' | tail -n 1 | grep . || echo 'no CXL memory device')"
		return
	}
	have cxl && have ndctl || { cxl_why='not here: apt-get install ndctl'; return; }
	$in_root cxl create-region -m mem0 -d decoder0.0 -t pmem -w 1 >"$own/cxl" 2>&1 && wait_for 10 [ -e /sys/bus/nd/devices/region0 ] &&
		$in_root ndctl create-namespace -m devdax -a 4K >>"$own/cxl" 2>&1 || { cxl_why="$(tail -n 1 "$own/cxl")"; return; }
	for d in /dev/dax*; do
		[ ! -c "$d" ] || cxl_dax=$d
	done
	[ -n "$cxl_dax" ] || cxl_why='no /dev/dax'
}
[ -n "$cxl_why" ] || cxl_up

# ---- hsl ----

: >"$out/peers.tsv"
cat >"$own/suite" <<END
bw --op c2c,memcpy -s 64K
lat --op copy -s 64
rate --op copy --depth 16 --batch 1
wake
load --op seq,mix,chase -s 64K${cxl_dax:+ --map $cxl_dax}
END
# shellcheck disable=SC2086
hslbench suite "$own/suite" ${HSL_PEERS_OPTIONS-} --csv="$own/hsl.csv" --json="$out/hsl.json" >"$out/hsl.txt" 2>"$own/noise" || { cat "$own/noise" >&2; exit 1; }
head -n 2 "$out/hsl.txt"
grep -h noisy "$own/noise" | sort -u
chip=$(field src verb=load op=chase baseline=false)
bw=$(scale "$(field bytes_per_s verb=bw op=c2c)" 1e-9)
lat=$(field latency_ns.p50 verb=lat op=copy wait=poll)
rate=$(scale "$(field ops_per_s verb=rate op=copy)" 1e-6)
wake=$(field latency_ns.p50 verb=wake op=nop wait=event)

printf '\nEmulator speed, not link speed: hsl is chips of an emulator here, peers are this kernel, this CPU and this emulator\n'
row measurement peer peer hsl ratio 'how the peer was measured'

# ---- this machine ----

peer 'write bandwidth 64 KiB' GB/s more "$bw" memcpy "$(scale "$(field bytes_per_s verb=bw op=memcpy)" 1e-9)" "Linux $(uname -r)" 'hslbench bw'
# dd of busybox does not say how long it took
from=$(cut -d' ' -f1 /proc/uptime)
dd if=/dev/zero bs=64k count=4000 2>/dev/null | dd of=/dev/null bs=64k 2>/dev/null
to=$(cut -d' ' -f1 /proc/uptime)
peer 'write bandwidth 64 KiB' GB/s more "$bw" pipe "$(awk -v a="$from" -v b="$to" 'BEGIN { if (b > a) printf "%.3f", 4000 * 65536 / (b - a) / 1e9 }')" \
	"Linux $(uname -r)" 'dd bs=64k | dd bs=64k'
for p in eventfd pipe; do
	peer 'wake, p50' ns less "$wake" $p "$(field latency_ns.p50 verb=wake op=$p)" "Linux $(uname -r)" 'hslbench wake'
done

# SRC PEER VERSION
memory() {
	peer 'load 64 KiB' GB/s more "$(scale "$(field bytes_per_s verb=load op=seq "src=$chip")" 1e-9 %.4f)" "$2" \
		"$(scale "$(field bytes_per_s verb=load op=seq "src=$1")" 1e-9 %.4f)" "$3" 'hslbench load --op seq'
	peer 'store 64 KiB' GB/s more "$(scale "$(field bytes_per_s verb=load op=mix variant=0:1 "src=$chip")" 1e-9 %.4f)" "$2" \
		"$(scale "$(field bytes_per_s verb=load op=mix variant=0:1 "src=$1")" 1e-9 %.4f)" "$3" 'hslbench load --op mix, 0:1'
	peer 'load latency 64 KiB' ns less "$(scale "$(field ops_per_s verb=load op=chase "src=$chip")" 1 '%.0f' | awk '{ printf "%.1f", 1e9 / $1 }')" "$2" \
		"$(scale "$(field ops_per_s verb=load op=chase "src=$1")" 1 '%.0f' | awk '{ printf "%.1f", 1e9 / $1 }')" "$3" 'hslbench load --op chase'
}
memory host RAM "Linux $(uname -r)"
if [ -n "$cxl_dax" ]; then
	memory "${cxl_dax##*/}" 'CXL type 3' "${HSL_PEERS_QEMU:+$HSL_PEERS_QEMU, }Linux $(uname -r)"
else
	skip 'load, store' 'CXL type 3' "$cxl_why" "$cxl_tried"
fi

# ---- ivshmem ----

ivshmem() {
	[ -z "${HSL_PEERS_NO_IVSHMEM-}" ] || { why=$HSL_PEERS_NO_IVSHMEM; return 1; }
	bdf=$(grep -lx 0x1110 /sys/bus/pci/devices/*/device 2>/dev/null | sed -n '1s,.*/\([^/]*\)/device,\1,p')
	[ -n "$bdf" ] || { why='no such device in this machine'; return 1; }
	[ -e "/sys/bus/pci/devices/$bdf/iommu_group" ] || { why='vfio-pci wants an IOMMU'; return 1; }
	for m in vfio-pci vfio_iommu_type1; do
		$modprobe $m
	done
	echo vfio-pci >"/sys/bus/pci/devices/$bdf/driver_override" && echo "$bdf" >/sys/bus/pci/drivers_probe
	program=${0%/*}/ivshmem
	[ -x "$program" ] || program=${HSL_BUILD:-build}/tests/guest/ivshmem
	"$program" "$bdf" >"$own/ivshmem" 2>&1 || { why=$(tail -n 1 "$own/ivshmem"); return 1; }
}
c='ivshmem-doorbell that rings itself: BAR0 store, eventfd, MSI-X, vfio-pci, eventfd (tests/guest/ivshmem.c)'
if ivshmem; then
	peer 'wake, p50' ns less "$wake" ivshmem-doorbell "$(cat "$own/ivshmem")" "${HSL_PEERS_QEMU-}" "$c"
else
	skip 'wake' ivshmem-doorbell "$why" "$c"
fi

# ---- libfabric, UCX ----

if have fi_pingpong; then
	version="libfabric $($in_root fi_info --version 2>/dev/null | sed -n 's/^libfabric: *//p')"
	for size in 64 65536; do
		port=$((port + 1))
		c="fi_pingpong -p tcp -e rdm -I 200 -S $size"
		if ! pair "$c -B $port" "$c -P $port 127.0.0.1"; then
			skip "$size B" 'libfabric tcp' "status $status" "$c"
		elif [ $size = 64 ]; then
			peer 'latency 64 B' ns less "$lat" 'libfabric tcp' "$(scale "$(awk 'END { print $(NF - 1) }' "$own/client")" 1000 %.0f)" "$version" "$c"
		else
			peer 'write bandwidth 64 KiB' GB/s more "$bw" 'libfabric tcp' "$(scale "$(awk 'END { print $(NF - 2) }' "$own/client")" 1e-3)" "$version" "$c"
		fi
	done
else
	skip 'latency, write bandwidth' 'libfabric tcp' 'not here: apt-get install libfabric-bin' fi_pingpong
fi

# TRANSPORT TEST SIZE COUNT FIELD: of the last line: iterations, latency median, average, overall, MiB/s average, overall, messages/s average, overall
ucx() {
	port=$((port + 1))
	c="ucx_perftest -t $2 -s $3 -n $4 -w 100 -f"
	export "UCX_TLS=$1" UCX_WARN_UNUSED_ENV_VARS=n
	ucx_value=''
	pair "ucx_perftest -p $port" "$c -p $port 127.0.0.1" && ucx_value=$(awk -v f="$5" 'NF == 8 && $1 + 0 > 0 { v = $f } END { print v }' "$own/client")
	c="UCX_TLS=$1 $c"
}
if have ucx_perftest; then
	version="UCX $($in_root ucx_info -v 2>/dev/null | sed -n 's/.*Version \([0-9.]*\).*/\1/p; s/^# Library version: *\([0-9.]*\).*/\1/p' | head -n 1)"
	for tls in tcp posix,sysv,self; do
		name="UCX $([ $tls = tcp ] && echo tcp || echo 'shared memory')"
		ucx $tls tag_lat 64 2000 2
		peer 'latency 64 B' ns less "$lat" "$name" "$(scale "$ucx_value" 1000 %.0f)" "$version" "$c"
		ucx $tls tag_bw 65536 2000 6
		peer 'write bandwidth 64 KiB' GB/s more "$bw" "$name" "$(scale "$ucx_value" 0.001048576)" "$version" "$c"
		ucx $tls tag_bw 64 20000 8
		peer 'rate 64 B' M/s more "$rate" "$name" "$(scale "$ucx_value" 1e-6 %.4f)" "$version" "$c"
	done
else
	skip 'latency, bandwidth, rate' UCX 'not here: apt-get install ucx-utils' ucx_perftest
fi

# ---- Soft-RoCE ----

# COMMAND SIZE AWK: the number of the line of that size
roce() {
	port=$((port + 1))
	c="$1 -d rxe_hsl -s $2"
	roce_value=''
	pair "$c -p $port" "$c -p $port 127.0.0.1" && roce_value=$(awk -v s="$2" "\$1 == s { print $3 }" "$own/client")
}
if ! have ib_write_bw; then
	skip 'latency, bandwidth, rate' Soft-RoCE 'not here: apt-get install perftest rdma-core ibverbs-providers' ib_write_bw
elif ! $modprobe rdma_rxe; then
	skip 'latency, bandwidth, rate' Soft-RoCE "rdma_rxe is not in this kernel ($(uname -r))" 'modprobe rdma_rxe'
elif ! $in_root rdma link add rxe_hsl type rxe netdev lo 2>"$own/err"; then
	skip 'latency, bandwidth, rate' Soft-RoCE "$(head -n 1 "$own/err")" 'rdma link add rxe_hsl type rxe netdev lo'
else
	version="perftest $($in_root ib_write_bw --version 2>/dev/null | sed -n 's/^Version: *//p'), Linux $(uname -r)"
	roce 'ib_write_bw -n 1000 --report_gbits' 65536 '$4 / 8'
	peer 'write bandwidth 64 KiB' GB/s more "$bw" Soft-RoCE "$(scale "$roce_value" 1)" "$version" "$c"
	roce 'ib_write_lat -n 1000' 64 '$5'
	peer 'latency 64 B' ns less "$lat" Soft-RoCE "$(scale "$roce_value" 1000 %.0f)" "$version" "$c"
	roce 'ib_write_bw -n 5000 -t 16' 64 '$5'
	peer 'rate 64 B' M/s more "$rate" Soft-RoCE "$(scale "$roce_value" 1 %.4f)" "$version" "$c"
	$in_root rdma link delete rxe_hsl 2>/dev/null
fi
printf '  ratio: how many times better hsl is.\n'
