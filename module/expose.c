// SPDX-License-Identifier: GPL-2.0
/*
 * Whose memory a heap is.  When the machine or a cgroup has no more, the kernel kills who
 * has most in his page tables.  Who takes a heap's pages out of them, by
 * madvise(MADV_DONTNEED), would hide behind others, as he still holds the memory.  So when
 * memory is wanted, and of those who map the heap nobody's page tables have half of what
 * is in use, the pages are entered into those of one.
 *
 * Owns nothing.  i_mmap_rwsem of the heap's inode is held to look at the mappings, and
 * only tried where memory is wanted; the mmap_lock of that one is tried, while pages are
 * entered.
 */
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>

#include "expose.h"
#include "heap.h"
#include "map.h"
#include "stats.h"

/* It does not matter whose less than this is. */
#define LEAST_PAGES	(SZ_4M >> PAGE_SHIFT)

/* Mappings looked at, of which a heap may have as many as its user processes */
#define MAPPINGS	64

static unsigned long pages_in_use(const struct gc_heap *heap)
{
	const struct gc_pages *gp = &heap->slabs.pages;
	unsigned long backed = gc_pages_backed(gp), free = READ_ONCE(gp->free);

	return backed > free ? backed - free : 0;
}

/*
 * Whether none of the mappings shows half of @pages.  i_mmap_rwsem is held.  @mm: out:
 * one of their address spaces, with a reference to its users, if it is NULL; or NULL.
 */
static bool none_shows(struct gc_heap *heap, unsigned long pages,
		       struct mm_struct **mm)
{
	struct rb_root_cached *mappings = &heap->inode->i_mapping->i_mmap;
	struct rb_node *node = rb_first_cached(mappings);
	unsigned int left = MAPPINGS;
	bool any = false;

	for (; node && left--; node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node, struct vm_area_struct,
						      shared.rb);
		struct mm_struct *one = vma->vm_mm;

		/* Who maps only the statistics can neither show nor be given anything. */
		if (vma->vm_pgoff == GC_STATS_PGOFF)
			continue;
		any = true;
		if (get_mm_counter(one, MM_FILEPAGES) >= pages / 2)
			return false;
		if (mm && !*mm && mmget_not_zero(one))
			*mm = one;
	}
	return any;
}

/**
 * gc_expose_due() - whether a heap's memory seems to be nobody's
 * @heap: heap
 *
 * Context: any but an interrupt; may be where memory is wanted; waits for nobody.
 *
 * Return: true when gc_expose() is to be called.
 */
bool gc_expose_due(struct gc_heap *heap)
{
	struct address_space *mapping = heap->inode->i_mapping;
	unsigned long pages = pages_in_use(heap);
	bool due;

	if (pages < LEAST_PAGES || !i_mmap_trylock_read(mapping))
		return false;
	due = none_shows(heap, pages, NULL);
	i_mmap_unlock_read(mapping);
	return due;
}

/**
 * gc_expose() - enter what is in use into the page tables of who maps it, if it is due
 * @heap: heap, which does not end meanwhile
 *
 * Context: a kernel thread's; may sleep; no lock held.
 */
void gc_expose(struct gc_heap *heap)
{
	struct address_space *mapping = heap->inode->i_mapping;
	unsigned long pages = pages_in_use(heap);
	struct mm_struct *mm = NULL;
	bool due;

	if (pages < LEAST_PAGES)
		return;
	i_mmap_lock_read(mapping);
	due = none_shows(heap, pages, &mm);
	i_mmap_unlock_read(mapping);
	if (!mm)
		return;
	if (due) {
		kthread_use_mm(mm);
		gc_map_populate_all(heap);
		kthread_unuse_mm(mm);
	}
	mmput(mm);
}
