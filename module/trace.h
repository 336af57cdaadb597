/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What may be watched of the heaps while they are used: perf, trace-cmd and bpftrace find
 * these events as gcheap:*, with their fields in tracefs, events/gcheap.
 *
 * An event owns nothing and waits for nobody.  When nobody watches it costs an instruction
 * that does nothing, and it is never where an object is allocated without a call.  It tells of
 * no address, neither of the kernel's nor of a program's, and of no content: who may watch
 * events at all learns sizes and times, and numbers of processes.
 *
 * A heap is told by the number that fdinfo has as gcheap-id.  Times are in ns, sizes in bytes
 * or pages.  The thread in which an event comes (common_pid) is the one that does the work,
 * which is a kernel's, of the workqueue gcheap_collector, where a collection takes long.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gcheap

#if !defined(GCHEAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GCHEAP_TRACE_H

#include <linux/gcheap.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

struct gc_heap;
struct gc_pages;
struct gc_roots;
struct task_struct;

/*
 * Why somebody held up a stop: a processor took its time to be interrupted; a page of a
 * process was not in memory; a thread that the last stop had parked had not left yet.
 */
#define GC_LATE_INTERRUPT	0
#define GC_LATE_PAGE		1
#define GC_LATE_LEAVING		2

/* A collection begins; it may be made a full one yet, if it is to be a minor one. */
TRACE_EVENT(gcheap_cycle_begin,
	TP_PROTO(const struct gc_heap *heap, const struct gcheap_cycle *cycle, bool concurrent),
	TP_ARGS(heap, cycle, concurrent),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, number)
		__field(u64, before)
		__field(u64, goal)
		__field(u32, forced)
		__field(u32, minor)
		__field(u32, concurrent)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->number = heap->slabs.cycle + 1;
		__entry->before = cycle->before;
		__entry->goal = cycle->goal;
		__entry->forced = cycle->forced;
		__entry->minor = cycle->minor;
		__entry->concurrent = concurrent;
	),
	TP_printk("heap=%llu number=%llu before=%llu goal=%llu forced=%u minor=%u concurrent=%u",
		  __entry->heap, __entry->number, __entry->before, __entry->goal,
		  __entry->forced, __entry->minor, __entry->concurrent)
);

/*
 * A collection is complete: struct gcheap_cycle of <linux/gcheap.h>, but for how long its
 * release takes, of which gcheap_release tells.
 */
TRACE_EVENT(gcheap_cycle_end,
	TP_PROTO(const struct gc_heap *heap, const struct gcheap_cycle *cycle),
	TP_ARGS(heap, cycle),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, number)
		__field(u64, start_ns)
		__field(u64, stop_ns)
		__field(u64, mark_ns)
		__field(u64, sweep_ns)
		__field(u64, pause_ns)
		__field(u64, before)
		__field(u64, after)
		__field(u64, live)
		__field(u64, goal)
		__field(u64, root_bytes)
		__field(u64, root_skipped)
		__field(u64, roots_ns)
		__field(u64, dirty_ns)
		__field(u64, flip_ns)
		__field(u64, concurrent_ns)
		__field(u64, dirty_pages)
		__field(u64, floating)
		__field(u32, threads)
		__field(u32, processes)
		__field(u32, forced)
		__field(u32, pauses)
		__field(u32, looks)
		__field(u32, assists)
		__field(u32, minor)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->number = cycle->number;
		__entry->start_ns = cycle->start_ns;
		__entry->stop_ns = cycle->stop_ns;
		__entry->mark_ns = cycle->mark_ns;
		__entry->sweep_ns = cycle->sweep_ns;
		__entry->pause_ns = cycle->pause_ns;
		__entry->before = cycle->before;
		__entry->after = cycle->after;
		__entry->live = cycle->live;
		__entry->goal = cycle->goal;
		__entry->root_bytes = cycle->root_bytes;
		__entry->root_skipped = cycle->root_skipped;
		__entry->roots_ns = cycle->roots_ns;
		__entry->dirty_ns = cycle->dirty_ns;
		__entry->flip_ns = cycle->flip_ns;
		__entry->concurrent_ns = cycle->concurrent_ns;
		__entry->dirty_pages = cycle->dirty_pages;
		__entry->floating = cycle->floating;
		__entry->threads = cycle->threads;
		__entry->processes = cycle->processes;
		__entry->forced = cycle->forced;
		__entry->pauses = cycle->pauses;
		__entry->looks = cycle->looks;
		__entry->assists = cycle->assists;
		__entry->minor = cycle->minor;
	),
	TP_printk("heap=%llu number=%llu start_ns=%llu stop_ns=%llu mark_ns=%llu sweep_ns=%llu pause_ns=%llu before=%llu after=%llu live=%llu goal=%llu root_bytes=%llu root_skipped=%llu roots_ns=%llu dirty_ns=%llu flip_ns=%llu concurrent_ns=%llu dirty_pages=%llu floating=%llu threads=%u processes=%u forced=%u pauses=%u looks=%u assists=%u minor=%u",
		  __entry->heap, __entry->number, __entry->start_ns, __entry->stop_ns,
		  __entry->mark_ns, __entry->sweep_ns, __entry->pause_ns, __entry->before,
		  __entry->after, __entry->live, __entry->goal, __entry->root_bytes,
		  __entry->root_skipped, __entry->roots_ns, __entry->dirty_ns,
		  __entry->flip_ns, __entry->concurrent_ns, __entry->dirty_pages,
		  __entry->floating, __entry->threads, __entry->processes, __entry->forced,
		  __entry->pauses, __entry->looks, __entry->assists, __entry->minor)
);

/* A collection has been given up, and reclaimed nothing; @err: why */
TRACE_EVENT(gcheap_cycle_lost,
	TP_PROTO(const struct gc_heap *heap, int err),
	TP_ARGS(heap, err),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, number)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->number = heap->slabs.cycle + 1;
		__entry->err = err;
	),
	TP_printk("heap=%llu number=%llu err=%d",
		  __entry->heap, __entry->number, __entry->err)
);

/* All threads are held, after @ns; or not, with @err. */
TRACE_EVENT(gcheap_stop,
	TP_PROTO(const struct gc_heap *heap, u32 processes, u32 threads, u64 ns, int err),
	TP_ARGS(heap, processes, threads, ns, err),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, ns)
		__field(u32, processes)
		__field(u32, threads)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->ns = ns;
		__entry->processes = processes;
		__entry->threads = threads;
		__entry->err = err;
	),
	TP_printk("heap=%llu ns=%llu processes=%u threads=%u err=%d",
		  __entry->heap, __entry->ns, __entry->processes, __entry->threads,
		  __entry->err)
);

/* What the processes refer to has been read in a pause; or not, with @err. */
TRACE_EVENT(gcheap_roots,
	TP_PROTO(const struct gc_heap *heap, const struct gc_roots *roots, u64 ns, int err),
	TP_ARGS(heap, roots, ns, err),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, bytes)
		__field(u64, skipped)
		__field(u64, ns)
		__field(u32, processes)
		__field(u32, threads)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->bytes = roots->reader.bytes;
		__entry->skipped = roots->reader.skipped;
		__entry->ns = ns;
		__entry->processes = roots->processes;
		__entry->threads = roots->threads;
		__entry->err = err;
	),
	TP_printk("heap=%llu bytes=%llu skipped=%llu ns=%llu processes=%u threads=%u err=%d",
		  __entry->heap, __entry->bytes, __entry->skipped, __entry->ns,
		  __entry->processes, __entry->threads, __entry->err)
);

/*
 * All may run on, after a pause with these parts; @err is 1 when another one follows, as not
 * all is marked, or less than 0 when it was in vain.
 */
TRACE_EVENT(gcheap_pause,
	TP_PROTO(const struct gc_heap *heap, const struct gcheap_cycle *pause, int err),
	TP_ARGS(heap, pause, err),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, pause_ns)
		__field(u64, stop_ns)
		__field(u64, mark_ns)
		__field(u64, roots_ns)
		__field(u64, dirty_ns)
		__field(u64, flip_ns)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->pause_ns = pause->pause_ns;
		__entry->stop_ns = pause->stop_ns;
		__entry->mark_ns = pause->mark_ns;
		__entry->roots_ns = pause->roots_ns;
		__entry->dirty_ns = pause->dirty_ns;
		__entry->flip_ns = pause->flip_ns;
		__entry->err = err;
	),
	TP_printk("heap=%llu pause_ns=%llu stop_ns=%llu mark_ns=%llu roots_ns=%llu dirty_ns=%llu flip_ns=%llu err=%d",
		  __entry->heap, __entry->pause_ns, __entry->stop_ns, __entry->mark_ns,
		  __entry->roots_ns, __entry->dirty_ns, __entry->flip_ns, __entry->err)
);

/* The last of those that were parked, in which this comes, runs on @ns after it might have. */
TRACE_EVENT(gcheap_release,
	TP_PROTO(u64 heap, u64 ns),
	TP_ARGS(heap, ns),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->ns = ns;
	),
	TP_printk("heap=%llu ns=%llu", __entry->heap, __entry->ns)
);

/* @task has held up a stop, or what has to come before it, for @ns; see GC_LATE_*. */
TRACE_EVENT(gcheap_late,
	TP_PROTO(const struct gc_heap *heap, const struct task_struct *task, u32 reason, u64 ns),
	TP_ARGS(heap, task, reason, ns),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, ns)
		__field(u32, reason)
		__field(pid_t, pid)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->ns = ns;
		__entry->reason = reason;
		__entry->pid = task->pid;
		memcpy(__entry->comm, task->comm, TASK_COMM_LEN);
	),
	TP_printk("heap=%llu ns=%llu reason=%s pid=%d comm=%s",
		  __entry->heap, __entry->ns,
		  __print_symbolic(__entry->reason, { GC_LATE_INTERRUPT, "interrupt" },
				   { GC_LATE_PAGE, "page" }, { GC_LATE_LEAVING, "leaving" }),
		  __entry->pid, __entry->comm)
);

/* REFILL: slabs go to a thread, which gives others back. */
TRACE_EVENT(gcheap_refill,
	TP_PROTO(const struct gc_heap *heap, const struct gcheap_ioc_refill *refill, int err),
	TP_ARGS(heap, refill, err),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u32, object_size)
		__field(u32, noscan)
		__field(u32, want)
		__field(u32, got)
		__field(u32, back)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->object_size = size_classes[refill->class_index].object_size;
		__entry->noscan = !!(refill->flags & GCHEAP_NOSCAN);
		__entry->want = refill->want;
		__entry->got = err ? 0 : refill->got;
		__entry->back = refill->nr_back;
		__entry->err = err;
	),
	TP_printk("heap=%llu object_size=%u noscan=%u want=%u got=%u back=%u err=%d",
		  __entry->heap, __entry->object_size, __entry->noscan, __entry->want,
		  __entry->got, __entry->back, __entry->err)
);

DECLARE_EVENT_CLASS(gcheap_pages,
	TP_PROTO(const struct gc_pages *gp, unsigned long pages, unsigned long backed),
	TP_ARGS(gp, pages, backed),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, pages)
		__field(u64, backed)
	),
	TP_fast_assign(
		__entry->heap = gp->mapping ? gp->mapping->host->i_ino : 0;
		__entry->pages = pages;
		__entry->backed = backed;
	),
	TP_printk("heap=%llu pages=%llu backed=%llu",
		  __entry->heap, __entry->pages, __entry->backed)
);

/* The heap has taken @pages of the machine, and has @backed now. */
DEFINE_EVENT(gcheap_pages, gcheap_grow,
	TP_PROTO(const struct gc_pages *gp, unsigned long pages, unsigned long backed),
	TP_ARGS(gp, pages, backed)
);

/* The heap has given @pages back, and has @backed now. */
DEFINE_EVENT(gcheap_pages, gcheap_give_back,
	TP_PROTO(const struct gc_pages *gp, unsigned long pages, unsigned long backed),
	TP_ARGS(gp, pages, backed)
);

/* The kernel has refused memory; @machine: it has none, rather than the cgroup. */
TRACE_EVENT(gcheap_refused,
	TP_PROTO(const struct gc_pages *gp, bool machine),
	TP_ARGS(gp, machine),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, backed)
		__field(u32, machine)
	),
	TP_fast_assign(
		__entry->heap = gp->mapping ? gp->mapping->host->i_ino : 0;
		__entry->backed = gc_pages_backed(gp);
		__entry->machine = machine;
	),
	TP_printk("heap=%llu backed=%llu machine=%u",
		  __entry->heap, __entry->backed, __entry->machine)
);

/* A call fails with ENOMEM. */
TRACE_EVENT(gcheap_enomem,
	TP_PROTO(const struct gc_heap *heap, unsigned int cmd),
	TP_ARGS(heap, cmd),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, size)
		__field(u64, limit)
		__field(u64, live)
		__field(u64, backed)
		__field(u32, call)
	),
	TP_fast_assign(
		__entry->heap = heap->inode->i_ino;
		__entry->size = READ_ONCE(heap->size);
		__entry->limit = READ_ONCE(heap->limit);
		__entry->live = READ_ONCE(heap->slabs.live);
		__entry->backed = gc_pages_backed(&heap->slabs.pages);
		__entry->call = _IOC_NR(cmd);
	),
	TP_printk("heap=%llu call=%s size=%llu limit=%llu live=%llu backed=%llu",
		  __entry->heap,
		  __print_symbolic(__entry->call, { 0, "INFO" }, { 1, "CONFIG" }, { 2, "ALLOC" },
				   { 3, "REFILL" }, { 4, "RELEASE" }, { 5, "COLLECT" },
				   { 6, "STATS" }, { 7, "ROOT_ADD" }, { 8, "ROOT_DEL" },
				   { 9, "OBJECT" }, { 10, "ATTACH" }, { 11, "REOPEN" },
				   { 12, "FREE" }, { 13, "HOLD" }, { 14, "WALK" },
				   { 15, "LINK_ADD" }, { 16, "LINK_DEL" }),
		  __entry->size, __entry->limit, __entry->live, __entry->backed)
);

#endif /* GCHEAP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
