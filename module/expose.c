// SPDX-License-Identifier: GPL-2.0
/*
 * Whose memory a heap is.  When the machine or a cgroup has no more, the kernel kills who
 * has most in his page tables.  Who takes a heap's pages out of them, by
 * madvise(MADV_DONTNEED), would hide behind others, as he still holds the memory.  So when
 * memory is wanted, and no member's page tables have half of what is in use, the pages
 * are entered into those of one.
 *
 * Owns nothing.  gc_heap.member_lock is held to find that member, only tried where memory
 * is wanted; its mmap_lock is tried while pages are entered.  Nobody is waited for.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>

#include "expose.h"
#include "heap.h"
#include "map.h"
#include "member.h"

/* It does not matter whose less than this is. */
#define LEAST_PAGES	(SZ_4M >> PAGE_SHIFT)

static unsigned long pages_in_use(const struct gc_heap *heap)
{
	const struct gc_pages *gp = &heap->slabs.pages;
	unsigned long backed = gc_pages_backed(gp), free = READ_ONCE(gp->free);

	return backed > free ? backed - free : 0;
}

static bool has_half(struct mm_struct *mm, unsigned long pages)
{
	return get_mm_counter(mm, MM_FILEPAGES) >= pages / 2;
}

/**
 * gc_expose_possible() - whether a heap is so large that it may be due
 * @heap: heap
 *
 * Context: any; a guess without the heap's lock.
 *
 * Return: true when gc_expose_due() is worth a call.
 */
bool gc_expose_possible(const struct gc_heap *heap)
{
	return pages_in_use(heap) >= LEAST_PAGES;
}

/**
 * gc_expose_due() - whether a heap's memory seems to be nobody's
 * @heap: heap
 *
 * Context: may be where memory is wanted; waits for nobody.
 *
 * Return: true when gc_expose() is to be called.
 */
bool gc_expose_due(struct gc_heap *heap)
{
	unsigned long pages = pages_in_use(heap);
	struct gc_member *member;
	bool due = false;

	if (pages < LEAST_PAGES || !mutex_trylock(&heap->member_lock))
		return false;
	list_for_each_entry(member, &heap->member_list, node) {
		due = !has_half(member->mm, pages);
		if (!due)
			break;
	}
	mutex_unlock(&heap->member_lock);
	return due;
}

/* A member that is alive, with a reference to the users of its address space; or NULL */
static struct mm_struct *anybody(struct gc_heap *heap)
{
	struct mm_struct *mm = NULL;
	struct gc_member *member;

	mutex_lock(&heap->member_lock);
	list_for_each_entry(member, &heap->member_list, node) {
		if (!mmget_not_zero(member->mm))
			continue;
		mm = member->mm;
		break;
	}
	mutex_unlock(&heap->member_lock);
	return mm;
}

/**
 * gc_expose() - enter what is in use into the page tables of a member, if it is due
 * @heap: heap, which does not end meanwhile
 *
 * Context: a kernel thread's; may sleep; no lock held.
 */
void gc_expose(struct gc_heap *heap)
{
	struct mm_struct *mm;

	if (!gc_expose_due(heap))
		return;
	mm = anybody(heap);
	if (!mm)
		return;
	kthread_use_mm(mm);
	gc_map_populate_all(heap);
	kthread_unuse_mm(mm);
	mmput(mm);
}
