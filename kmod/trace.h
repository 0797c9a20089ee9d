/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM itme

#if !defined(ITME_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ITME_TRACE_H

#include <linux/tracepoint.h>

#include "itme.h"

#define itme_show_tier(tier)					\
	__print_symbolic(tier, { ITME_TIER_DRAM, "dram" },	\
			 { ITME_TIER_CXL, "cxl" }, { ITME_TIER_NVME, "nvme" })

TRACE_EVENT(itme_fill,
	TP_PROTO(struct itme_inode *ino, u32 chunk, int tier, bool demand, long result, u64 ns),
	TP_ARGS(ino, chunk, tier, demand, result, ns),
	TP_STRUCT__entry(
		__field(u32, object)
		__field(u32, chunk)
		__field(int, tier)
		__field(bool, demand)
		__field(long, result)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->object = ino->id;
		__entry->chunk = chunk;
		__entry->tier = tier;
		__entry->demand = demand;
		__entry->result = result;
		__entry->ns = ns;
	),
	TP_printk("object=%u chunk=%u tier=%s demand=%d result=%ld ns=%llu",
		  __entry->object, __entry->chunk, itme_show_tier(__entry->tier),
		  __entry->demand, __entry->result, __entry->ns)
);

TRACE_EVENT(itme_drop,
	TP_PROTO(struct itme_inode *ino, u32 chunk, int tier, bool untouched, bool done),
	TP_ARGS(ino, chunk, tier, untouched, done),
	TP_STRUCT__entry(
		__field(u32, object)
		__field(u32, chunk)
		__field(int, tier)
		__field(bool, untouched)
		__field(bool, done)
	),
	TP_fast_assign(
		__entry->object = ino->id;
		__entry->chunk = chunk;
		__entry->tier = tier;
		__entry->untouched = untouched;
		__entry->done = done;
	),
	TP_printk("object=%u chunk=%u tier=%s untouched=%d done=%d",
		  __entry->object, __entry->chunk, itme_show_tier(__entry->tier),
		  __entry->untouched, __entry->done)
);

TRACE_EVENT(itme_move,
	TP_PROTO(struct itme_inode *ino, u32 chunk, int from, int to, bool done),
	TP_ARGS(ino, chunk, from, to, done),
	TP_STRUCT__entry(
		__field(u32, object)
		__field(u32, chunk)
		__field(int, from)
		__field(int, to)
		__field(bool, done)
	),
	TP_fast_assign(
		__entry->object = ino->id;
		__entry->chunk = chunk;
		__entry->from = from;
		__entry->to = to;
		__entry->done = done;
	),
	TP_printk("object=%u chunk=%u from=%s to=%s done=%d",
		  __entry->object, __entry->chunk, itme_show_tier(__entry->from),
		  itme_show_tier(__entry->to), __entry->done)
);

TRACE_EVENT(itme_stall,
	TP_PROTO(struct itme_inode *ino, u32 chunk, int result, u64 ns),
	TP_ARGS(ino, chunk, result, ns),
	TP_STRUCT__entry(
		__field(u32, object)
		__field(u32, chunk)
		__field(int, result)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->object = ino->id;
		__entry->chunk = chunk;
		__entry->result = result;
		__entry->ns = ns;
	),
	TP_printk("object=%u chunk=%u result=%d ns=%llu", __entry->object, __entry->chunk,
		  __entry->result, __entry->ns)
);

#endif /* ITME_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
