/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sizes as people write them: 4096, 0x1000, 8B, 4K, 64KiB, 16M. K, M, G, T, P, E are powers of two, "iB" may follow.
 * KB and MB are refused: they mean two things. Case does not matter.
 * Parsing takes the whole string. Returns 0, -EINVAL (not a size) or -ERANGE (out of range).
 */
#ifndef TOOL_SIZE_H
#define TOOL_SIZE_H

#include <stddef.h>
#include <stdint.h>

int tool_size_parse(const char *s, uint64_t *bytes);
/* min <= value <= max, no suffix; decimal or 0x. */
int tool_u64_parse(const char *s, uint64_t min, uint64_t max, uint64_t *v);
/* 250us, 100ms, 2s, 1.5s, 1m, 2h; a bare number is seconds. At most about 292 years. */
int tool_duration_parse(const char *s, uint64_t *ns);
/*
 * "64K", "64K,1M,16M", "64:16M" (each power-of-two step from 64, and the end itself), mixed. In the order given. Returns
 * the count, -E2BIG for more than max.
 */
int tool_size_list_parse(const char *s, uint64_t *v, unsigned int max);
/* "64 KiB" where exact, else bytes: "1000 B"; returns buf. 24 bytes are enough. */
#define TOOL_SIZE_LEN	24
const char *tool_size_format(uint64_t bytes, char *buf, size_t len);
/* 1234567 -> "1.23M", four significant places at most: rates and counts for tables. 16 bytes are enough. */
const char *tool_count_format(double v, char *buf, size_t len);

#endif
