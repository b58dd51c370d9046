#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh SECONDS: libFuzzer on the link layer, from the inputs in corpus_flit. New inputs stay in build/fuzz, also the
# one that failed. Needs clang.
set -eu
cd "$(dirname "$0")/../.."
command -v clang >/dev/null || { echo "1..0 # SKIP clang is not installed"; exit 77; }
dir=${HSL_BUILD:-build}/fuzz
mkdir -p "$dir/corpus_flit"
clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror -Iinclude -Iqemu \
	-o "$dir/fuzz_flit" tests/fuzz/fuzz_flit.c qemu/model/link.c qemu/model/link_look.c qemu/model/pkt.c \
	qemu/model/flit.c qemu/model/crc64.c
"$dir/fuzz_flit" -max_total_time="${1:-60}" -max_len=4096 -print_final_stats=1 -artifact_prefix="$dir/" \
	"$dir/corpus_flit" tests/fuzz/corpus_flit
