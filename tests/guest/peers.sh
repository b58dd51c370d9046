#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# peers.sh: hsl next to what a user of this machine would take instead, in one run: memcpy, a pipe, eventfd, libfabric, UCX, Soft-RoCE. Not a
# test: nothing is judged. What is not there is skipped with the reason. HSL_FABRIC, or the first device; hslbench from $PATH or $HSL_BUILD.
#
# ns and GB/s are wall-clock. Latencies of peers are half a round trip between two processes, as their tools print them; hsl's is submit to completion.
set -u
PATH=${HSL_BUILD:+$HSL_BUILD:}$PATH
dir=$(mktemp -d) || exit 3
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
export LC_ALL=C
port=13400

row() { printf '  %-26s %-12s %12s %12s %8s  %s\n' "$@"; }
# what a peer has reached, next to hsl: WHAT PEER VALUE better|less HSL COMMAND
peer() {
	[ -n "$3" ] || { skip "$1" "$2" 'no number' "$6"; return; }
	ratio=$(awk -v p="$3" -v h="$5" 'BEGIN { if (p > 0 && h > 0) printf "%.2f", h / p; else print "-" }')
	row "$1" "$2" "$3" "$5" "$ratio" "$6"
}
skip() { row "$1" "$2" skipped "$3" - "$4"; }
# FIELD VERB OP VARIANT-or-WAIT SIZE of the CSV that hslbench has written
field() {
	awk -F, -v want="$1" -v verb="$2" -v op="$3" -v wait="$4" -v size="$5" '
		NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		$col["verb"] == verb && $col["op"] == op && (wait == "" || $col["wait"] == wait) && (size == "" || $col["size_bytes"] == size) {
			print $col[want]; exit }' "$dir/hsl.csv"
}
gb() { awk -v v="${1:-0}" 'BEGIN { printf "%.3f", v / 1e9 }'; }
# a server in the background, then its client: SERVER CLIENT, each one string
pair() {
	sh -c "exec $1" >"$dir/server" 2>&1 &
	server=$!
	sleep 1
	timeout 30 sh -c "exec $2" >"$dir/client" 2>&1
	status=$?
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	server=
	return $status
}

command -v hslbench >/dev/null || { echo "peers.sh: no hslbench" >&2; exit 3; }
printf 'bw --op c2c,memcpy -s 65536\nlat --op copy -s 64\nwake\n' >"$dir/suite"
hslbench suite "$dir/suite" --quick --csv="$dir/hsl.csv" >"$dir/tables" 2>"$dir/noise" || { cat "$dir/noise" >&2; exit 1; }
head -n 2 "$dir/tables"
grep -h noisy "$dir/noise"
bw=$(gb "$(field bytes_per_s bw c2c '' 65536)")
lat=$(field latency_ns.p50 lat copy poll 64)
wake=$(field latency_ns.p50 wake nop event '')

printf '\nEmulator speed, not link speed: hsl is chips of an emulator here, peers are this kernel and this CPU\n'
row measurement peer peer hsl hsl/peer 'how the peer was measured'
peer 'bandwidth 64 KiB, GB/s' memcpy "$(gb "$(field bytes_per_s bw memcpy '' 65536)")" more "$bw" 'hslbench bw'
sec=$(dd if=/dev/zero bs=64k count=20000 2>/dev/null | dd of=/dev/null bs=64k 2>&1 | sed -n 's/.*copied, \([0-9.e+-]*\) s.*/\1/p; s/.*, \([0-9.]*\) seconds.*/\1/p')
peer 'bandwidth 64 KiB, GB/s' pipe "$(awk -v s="${sec:-0}" 'BEGIN { printf "%.3f", (s > 0 ? 20000 * 65536 / s / 1e9 : 0) }')" more "$bw" 'dd | dd'
peer 'wake p50, ns' eventfd "$(field latency_ns.p50 wake eventfd event '')" less "$wake" 'hslbench wake'
peer 'wake p50, ns' pipe "$(field latency_ns.p50 wake pipe event '')" less "$wake" 'hslbench wake'

if command -v fi_pingpong >/dev/null; then
	version=$(fi_info --version 2>/dev/null | sed -n 's/^libfabric: *//p')
	for size in 64 65536; do
		port=$((port + 1))
		c="fi_pingpong -p tcp -e rdm -I 500 -S $size -B $port"
		if pair "$c" "$(echo "$c" | sed 's/-B/-P/') 127.0.0.1"; then
			us=$(awk 'END { print $(NF - 1) }' "$dir/client")
			mbs=$(awk 'END { print $(NF - 2) }' "$dir/client")
			if [ $size = 64 ]; then
				peer 'latency 64 B, ns' 'libfabric' "$(awk -v v="$us" 'BEGIN { printf "%.0f", v * 1000 }')" less "$lat" "$c (tcp, $version)"
			else
				peer 'bandwidth 64 KiB, GB/s' 'libfabric' "$(awk -v v="$mbs" 'BEGIN { printf "%.3f", v / 1000 }')" more "$bw" "$c (tcp, $version)"
			fi
		else
			skip "latency and bandwidth" libfabric "status $status" "$c"
		fi
	done
else
	skip 'latency and bandwidth' libfabric 'not here' 'apt-get install libfabric-bin'
fi

if command -v ucx_perftest >/dev/null; then
	version=$(ucx_info -v 2>/dev/null | sed -n 's/.*Version \([0-9.]*\).*/\1/p' | head -n 1)
	for tls in tcp posix; do
		port=$((port + 1))
		env="env UCX_TLS=$([ $tls = tcp ] && echo tcp || echo posix,sysv,self) UCX_WARN_UNUSED_ENV_VARS=n"
		c="ucx_perftest -t tag_lat -s 64 -n 2000 -w 100 -f"
		if pair "$env ucx_perftest -p $port" "$env $c -p $port 127.0.0.1" &&
			us=$(awk '$1 == "Final:" || NF >= 8 { v = $(NF - 6) } END { print v }' "$dir/client") && [ -n "$us" ]; then
			peer 'latency 64 B, ns' "UCX $tls" "$(awk -v v="$us" 'BEGIN { printf "%.0f", v * 1000 }')" less "$lat" "$c (UCX $version)"
		else
			skip 'latency 64 B' "UCX $tls" "status $status" "$c"
		fi
	done
else
	skip 'latency 64 B' UCX 'not here' 'apt-get install ucx-utils'
fi

if ! command -v ib_write_bw >/dev/null; then
	skip 'write bandwidth, latency' Soft-RoCE 'not here' 'apt-get install perftest rdma-core'
elif ! modprobe rdma_rxe 2>/dev/null; then
	skip 'write bandwidth, latency' Soft-RoCE 'no module' "rdma_rxe is not in this kernel ($(uname -r))"
elif ! rdma link show rxe_hsl 2>/dev/null | grep -q rxe_hsl && ! rdma link add rxe_hsl type rxe netdev lo 2>"$dir/err"; then
	skip 'write bandwidth, latency' Soft-RoCE 'no link' "rdma link add: $(head -n 1 "$dir/err")"
else
	version=$(ib_write_bw --version 2>/dev/null | sed -n 's/^Version: *//p')
	c='ib_write_bw -d rxe_hsl -s 65536 -n 1000 --report_gbits'
	if pair "$c" "$c 127.0.0.1"; then
		v=$(awk '$1 == 65536 { print $4 / 8 }' "$dir/client")
		peer 'bandwidth 64 KiB, GB/s' Soft-RoCE "$v" more "$bw" "$c (perftest $version)"
	else
		skip 'write bandwidth' Soft-RoCE "status $status" "$c"
	fi
	c='ib_write_lat -d rxe_hsl -s 64 -n 1000'
	if pair "$c" "$c 127.0.0.1"; then
		v=$(awk '$1 == 64 { printf "%.0f", $5 * 1000 }' "$dir/client")
		peer 'latency 64 B, ns' Soft-RoCE "$v" less "$lat" "$c (perftest $version)"
	else
		skip 'write latency' Soft-RoCE "status $status" "$c"
	fi
	rdma link delete rxe_hsl 2>/dev/null
fi
