// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The layout of the uAPI, byte for byte: an accident with a field becomes a compile error here. Compiled as C11
 * and as C++17, for 64 and, where the compiler can, 32 bits. Numbers are those of the first release and never change.
 */
#include <stddef.h>
#ifndef __cplusplus
#include <assert.h>
#endif

#include "linux/hsl.h"
#include "hsl/hsl.h"

#define SIZE(t, n)	static_assert(sizeof(struct t) == (n), #t " size")
#define AT(t, m, n)	static_assert(offsetof(struct t, m) == (n), #t "." #m)

SIZE(hsl_info, 48);
AT(hsl_info, size, 0);
AT(hsl_info, flags, 4);
AT(hsl_info, abi_version, 8);
AT(hsl_info, nchips, 12);
AT(hsl_info, fabric_id, 16);
AT(hsl_info, host_node, 32);
AT(hsl_info, ga_offset_bits, 36);
AT(hsl_info, page_size, 40);
AT(hsl_info, ctx_index, 44);

SIZE(hsl_chip_info, 136);
AT(hsl_chip_info, node, 8);
AT(hsl_chip_info, state, 12);
AT(hsl_chip_info, mem_bytes, 16);
AT(hsl_chip_info, mem_free_bytes, 24);
AT(hsl_chip_info, cap, 32);
AT(hsl_chip_info, max_len_bytes, 40);
AT(hsl_chip_info, hep_version, 48);
AT(hsl_chip_info, max_depth, 52);
AT(hsl_chip_info, nqueues, 56);
AT(hsl_chip_info, nqueues_free, 60);
AT(hsl_chip_info, nlinks, 64);
AT(hsl_chip_info, numa_node, 68);
AT(hsl_chip_info, bus_addr, 72);
AT(hsl_chip_info, driver, 104);

SIZE(hsl_link_info, 48);
AT(hsl_link_info, node, 8);
AT(hsl_link_info, index, 12);
AT(hsl_link_info, peer, 16);
AT(hsl_link_info, latency_ps, 36);
AT(hsl_link_info, max_width, 40);

SIZE(hsl_segment_alloc, 48);
AT(hsl_segment_alloc, node, 8);
AT(hsl_segment_alloc, rights, 12);
AT(hsl_segment_alloc, len_bytes, 16);
AT(hsl_segment_alloc, align_bytes, 24);
AT(hsl_segment_alloc, ga, 32);
AT(hsl_segment_alloc, handle, 40);
AT(hsl_segment_alloc, rsvd, 44);

SIZE(hsl_segment_register, 40);
AT(hsl_segment_register, rights, 8);
AT(hsl_segment_register, handle, 12);
AT(hsl_segment_register, addr, 16);
AT(hsl_segment_register, len_bytes, 24);
AT(hsl_segment_register, ga, 32);

SIZE(hsl_segment_free, 16);
AT(hsl_segment_free, handle, 8);
AT(hsl_segment_free, rsvd, 12);

SIZE(hsl_segment_info, 32);
AT(hsl_segment_info, handle, 8);
AT(hsl_segment_info, rights, 12);
AT(hsl_segment_info, ga, 16);
AT(hsl_segment_info, len_bytes, 24);

SIZE(hsl_queue_create, 64);
AT(hsl_queue_create, node, 8);
AT(hsl_queue_create, depth, 12);
AT(hsl_queue_create, fd, 16);
AT(hsl_queue_create, qid, 20);
AT(hsl_queue_create, ring_bytes, 24);
AT(hsl_queue_create, ctrl_offset, 32);
AT(hsl_queue_create, sq_offset, 36);
AT(hsl_queue_create, cq_offset, 40);
AT(hsl_queue_create, doorbell_bytes, 44);
AT(hsl_queue_create, rsvd, 48);
AT(hsl_queue_create, shadow_offset, 56);
AT(hsl_queue_create, rsvd1, 60);

SIZE(hsl_queue_ctrl, 128);
AT(hsl_queue_ctrl, cq_head, 0);
AT(hsl_queue_ctrl, state, 64);
AT(hsl_queue_ctrl, error, 68);

SIZE(hsl_queue_kick, 16);
AT(hsl_queue_kick, sq_tail, 8);
AT(hsl_queue_kick, cq_head, 12);
SIZE(hsl_queue_eventfd, 16);
AT(hsl_queue_eventfd, fd, 8);
SIZE(hsl_queue_info, 32);
AT(hsl_queue_info, node, 8);
AT(hsl_queue_info, qid, 24);

static_assert(HSL_IOC_INFO == 0xe800 && HSL_IOC_CHIP_INFO == 0xe801 && HSL_IOC_LINK_INFO == 0xe802, "numbers");
static_assert(HSL_IOC_SEGMENT_ALLOC == 0xe810 && HSL_IOC_SEGMENT_REGISTER == 0xe811 &&
	      HSL_IOC_SEGMENT_FREE == 0xe812 && HSL_IOC_SEGMENT_INFO == 0xe813, "numbers");
static_assert(HSL_IOC_QUEUE_CREATE == 0xe820 && HSL_IOC_QUEUE_KICK == 0xe840 &&
	      HSL_IOC_QUEUE_EVENTFD == 0xe841 && HSL_IOC_QUEUE_INFO == 0xe842, "numbers");

/* what programs were compiled with: fields may only be appended (LP64) */
#if __SIZEOF_POINTER__ == 8
SIZE(hsl_fabric_info, 64);
AT(hsl_fabric_info, fabric_id, 8);
AT(hsl_fabric_info, backend, 48);
SIZE(hsl_chip_props, 136);
AT(hsl_chip_props, mem_bytes, 16);
AT(hsl_chip_props, bus_addr, 72);
SIZE(hsl_link_props, 40);
AT(hsl_link_props, max_width, 32);
SIZE(hsl_path_props, 24);
SIZE(hsl_segment_opts, 32);
AT(hsl_segment_opts, ga, 24);
SIZE(hsl_queue_opts, 16);
SIZE(hsl_op, 56);
AT(hsl_op, cookie, 8);
AT(hsl_op, arg1, 48);
SIZE(hsl_completion, 32);
AT(hsl_completion, status, 24);
#endif

int main(void)
{
	return 0;
}
