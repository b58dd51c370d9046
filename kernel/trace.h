/* SPDX-License-Identifier: GPL-2.0-only */
/* Trace points of hsl.ko: every change of state, and every admin command with its time. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hsl

#if !defined(HSL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define HSL_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(hsl_chip_state,
	TP_PROTO(u32 node, unsigned int from, unsigned int to),
	TP_ARGS(node, from, to),
	TP_STRUCT__entry(
		__field(u32, node)
		__field(unsigned int, from)
		__field(unsigned int, to)
	),
	TP_fast_assign(
		__entry->node = node;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("node=%u from=%u to=%u (0 ready 1 quiescing 2 stopped 3 failed 4 gone 5 asleep)", __entry->node,
		  __entry->from, __entry->to)
);

TRACE_EVENT(hsl_chip_event,
	TP_PROTO(u32 node, u32 events),
	TP_ARGS(node, events),
	TP_STRUCT__entry(
		__field(u32, node)
		__field(u32, events)
	),
	TP_fast_assign(
		__entry->node = node;
		__entry->events = events;
	),
	TP_printk("node=%u events=0x%x", __entry->node, __entry->events)
);

TRACE_EVENT(hsl_fabric_event,
	TP_PROTO(int fabric, u64 seq, u32 type, u32 node, u32 index, u32 value),
	TP_ARGS(fabric, seq, type, node, index, value),
	TP_STRUCT__entry(
		__field(int, fabric)
		__field(u64, seq)
		__field(u32, type)
		__field(u32, node)
		__field(u32, index)
		__field(u32, value)
	),
	TP_fast_assign(
		__entry->fabric = fabric;
		__entry->seq = seq;
		__entry->type = type;
		__entry->node = node;
		__entry->index = index;
		__entry->value = value;
	),
	TP_printk("fabric=%d seq=%llu type=%u (1 add 2 remove 3 state 4 link) node=%u index=%u value=%u",
		  __entry->fabric, __entry->seq, __entry->type, __entry->node, __entry->index, __entry->value)
);

TRACE_EVENT(hsl_context,
	TP_PROTO(int fabric, u32 index, bool open),
	TP_ARGS(fabric, index, open),
	TP_STRUCT__entry(
		__field(int, fabric)
		__field(u32, index)
		__field(bool, open)
	),
	TP_fast_assign(
		__entry->fabric = fabric;
		__entry->index = index;
		__entry->open = open;
	),
	TP_printk("fabric=%d context=%u %s", __entry->fabric, __entry->index, __entry->open ? "open" : "close")
);

TRACE_EVENT(hsl_segment,
	TP_PROTO(u32 context, u32 handle, u64 ga, u64 len, const char *what),
	TP_ARGS(context, handle, ga, len, what),
	TP_STRUCT__entry(
		__field(u32, context)
		__field(u32, handle)
		__field(u64, ga)
		__field(u64, len)
		__field(const char *, what)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->handle = handle;
		__entry->ga = ga;
		__entry->len = len;
		__entry->what = what;
	),
	TP_printk("%s context=%u handle=%u ga=0x%llx len=%llu", __entry->what, __entry->context, __entry->handle,
		  __entry->ga, __entry->len)
);

TRACE_EVENT(hsl_share,
	TP_PROTO(u32 context, u32 handle, u32 rights, const char *what),
	TP_ARGS(context, handle, rights, what),
	TP_STRUCT__entry(
		__field(u32, context)
		__field(u32, handle)
		__field(u32, rights)
		__field(const char *, what)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->handle = handle;
		__entry->rights = rights;
		__entry->what = what;
	),
	TP_printk("%s context=%u handle=%u rights=%u", __entry->what, __entry->context, __entry->handle,
		  __entry->rights)
);

TRACE_EVENT(hsl_queue,
	TP_PROTO(u32 node, u32 qid, u32 context, u32 depth, u32 state, u32 error),
	TP_ARGS(node, qid, context, depth, state, error),
	TP_STRUCT__entry(
		__field(u32, node)
		__field(u32, qid)
		__field(u32, context)
		__field(u32, depth)
		__field(u32, state)
		__field(u32, error)
	),
	TP_fast_assign(
		__entry->node = node;
		__entry->qid = qid;
		__entry->context = context;
		__entry->depth = depth;
		__entry->state = state;
		__entry->error = error;
	),
	TP_printk("node=%u queue=%u context=%u depth=%u state=%u error=%u", __entry->node, __entry->qid,
		  __entry->context, __entry->depth, __entry->state, __entry->error)
);

TRACE_EVENT(hsl_admin_command,
	TP_PROTO(u32 node, u32 opcode, u64 arg0, u64 arg1, u32 status, s64 duration_ns),
	TP_ARGS(node, opcode, arg0, arg1, status, duration_ns),
	TP_STRUCT__entry(
		__field(u32, node)
		__field(u32, opcode)
		__field(u64, arg0)
		__field(u64, arg1)
		__field(u32, status)
		__field(s64, duration_ns)
	),
	TP_fast_assign(
		__entry->node = node;
		__entry->opcode = opcode;
		__entry->arg0 = arg0;
		__entry->arg1 = arg1;
		__entry->status = status;
		__entry->duration_ns = duration_ns;
	),
	TP_printk("node=%u opcode=0x%x arg0=0x%llx arg1=0x%llx status=%u duration_ns=%lld", __entry->node,
		  __entry->opcode, __entry->arg0, __entry->arg1, __entry->status, __entry->duration_ns)
);

#endif /* HSL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
