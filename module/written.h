/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages of private memory that somebody wrote to.
 *
 * Owns nothing; the references to pages that it takes are the caller's.
 *
 * Lock order: the caller has mmap_lock for reading, then the lock of one page table at
 * a time.  Nothing is waited for: what is on its way is left to the caller.
 */
#ifndef GCHEAP_WRITTEN_H
#define GCHEAP_WRITTEN_H

#include <linux/types.h>

struct mm_struct;
struct page;

/* Pages taken at a time. */
#define WRITTEN_PAGES	16U

/**
 * struct gc_written - neighbouring pages that somebody wrote to
 * @addr: address of the first; with @nr 0, where to look further
 * @nr: how many, 0 when none was found
 * @taken: they are in @pages, each with a reference; otherwise they may have been
 *	written to, and are not in memory, or on their way, or too large
 * @pages: these
 */
struct gc_written {
	unsigned long addr;
	unsigned int nr;
	bool taken;
	struct page *pages[WRITTEN_PAGES];
};

void gc_written_look(struct gc_written *w, struct mm_struct *mm,
		     unsigned long end);

#endif /* GCHEAP_WRITTEN_H */
