#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh flit|command|socket SECONDS: libFuzzer on the link layer, on the command path of a chip, or as the peer at a
# flit socket, from the inputs in corpus_flit, corpus_command or corpus_socket. New inputs stay in build/fuzz, also the one that failed. Needs clang.
set -eu
cd "$(dirname "$0")/../.."
command -v clang >/dev/null || { echo "1..0 # SKIP clang is not installed"; exit 77; }
dir=${HSL_BUILD:-build}/fuzz
what=${1-}
case $what in
flit) sources="qemu/model/link.c qemu/model/link_look.c qemu/model/pkt.c qemu/model/flit.c qemu/model/crc64.c" ;;
command) sources=$(echo qemu/model/*.c qemu/engine/*.c) ;;
socket) sources=$(echo qemu/model/*.c qemu/engine/flit_socket.c) ;;
*) echo "usage: tests/fuzz/run.sh flit|command|socket [SECONDS]" >&2; exit 2 ;;
esac
mkdir -p "$dir/corpus_$what" "$dir/obj_$what"
for source in "tests/fuzz/fuzz_$what.c" $sources; do
	echo "$source"
done | DIR=$dir/obj_$what xargs -n 1 -P "$(nproc)" sh -c 'exec clang -g -O1 -std=gnu11 -D_GNU_SOURCE= -fno-strict-aliasing \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror -Iinclude -Iinclude/uapi -Iqemu \
	-I. -Itests -pthread -c -o "$DIR/$(echo "$1" | tr / _).o" "$1"' sh
clang -fsanitize=fuzzer,address,undefined -pthread -o "$dir/fuzz_$what" "$dir/obj_$what"/*.o -lcmocka -lm
"$dir/fuzz_$what" -max_total_time="${2:-60}" -max_len=4096 -print_final_stats=1 -artifact_prefix="$dir/" \
	"$dir/corpus_$what" "tests/fuzz/corpus_$what"
