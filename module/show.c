// SPDX-License-Identifier: GPL-2.0
/*
 * Lines of /proc/PID/fdinfo.  See show.h.
 *
 * Their form, a key, a colon, a tab, a number and its unit, is what
 * Documentation/gpu/drm-usage-stats.rst describes for graphics drivers, so that tools
 * which read those need nothing new.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/seq_file.h>

#include "heap.h"
#include "show.h"
#include "stats.h"

static void show_bytes(struct seq_file *to, const char *key, u64 bytes)
{
	seq_printf(to, "gcheap-%s:\t%llu KiB\n", key, bytes / SZ_1K);
}

static void show_ns(struct seq_file *to, const char *key, u64 ns)
{
	seq_printf(to, "gcheap-%s:\t%llu ns\n", key, ns);
}

static void show_count(struct seq_file *to, const char *key, u64 count)
{
	seq_printf(to, "gcheap-%s:\t%llu\n", key, count);
}

static void show_memory(struct seq_file *to, struct gc_heap *heap)
{
	struct gc_slabs *gs = &heap->slabs;
	u64 resident = gc_pages_backed(&gs->pages);
	u64 free = READ_ONCE(gs->pages.free) +
		   min_t(u64, resident, gs->pages.reserved);

	show_bytes(to, "size", READ_ONCE(heap->size));
	show_bytes(to, "limit", READ_ONCE(heap->limit));
	show_bytes(to, "live", READ_ONCE(gs->live));
	if (READ_ONCE(heap->goal) != U64_MAX)
		show_bytes(to, "goal", READ_ONCE(heap->goal));
	show_bytes(to, "allocated", READ_ONCE(gs->total_alloc));
	show_bytes(to, "reclaimed", READ_ONCE(gs->total_freed));
	show_bytes(to, "resident", resident << PAGE_SHIFT);
	show_bytes(to, "free", free << PAGE_SHIFT);
	show_bytes(to, "released", READ_ONCE(gs->pages.released) << PAGE_SHIFT);
	show_bytes(to, "meta", gc_stats_meta_bytes(heap));
}

static void show_collections(struct seq_file *to, struct gc_heap *heap)
{
	u64 cycle = READ_ONCE(heap->slabs.cycle);

	show_count(to, "cycles", cycle);
	show_ns(to, "pause-last", READ_ONCE(heap->cycles[cycle % GCHEAP_CYCLES].pause_ns));
	show_ns(to, "pause-total", READ_ONCE(heap->pause_total_ns));
	show_ns(to, "pause-max", READ_ONCE(heap->pause_max_ns));
	show_ns(to, "collecting", READ_ONCE(heap->gc_cpu_ns));
	show_ns(to, "helped", READ_ONCE(heap->helped_ns));
}

/**
 * gc_show_fdinfo() - write the lines of a heap
 * @to: where
 * @file: the heap's file
 *
 * Context: may sleep; takes no lock of the heap's.
 */
void gc_show_fdinfo(struct seq_file *to, struct file *file)
{
	struct gc_heap *heap = file->private_data;

	show_count(to, "id", heap->inode->i_ino);
	seq_printf(to, "gcheap-base:\t0x%lx\n", READ_ONCE(heap->base));
	show_memory(to, heap);
	show_count(to, "processes", READ_ONCE(heap->nr_members));
	show_count(to, "threads", READ_ONCE(heap->nr_mutators));
	show_collections(to, heap);
}
