/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for the memory of a process with patience that ends.
 *
 * While the world is stopped, the collector needs mmap_lock of each process, and
 * pages that are not in memory.  Either may depend on a thread that is held: of a
 * server of the file system (FUSE) that a page comes from, say.  Then the
 * collector has to give up, so that the thread can go on.
 *
 * Nobody can give up on a page fault.  So faults are left to a work, which
 * finishes some time, and which the collector waits for no longer than it wants.
 */
#ifndef GCHEAP_FETCH_H
#define GCHEAP_FETCH_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct mm_struct;
struct page;

/* Pages fetched at a time. */
#define FETCH_PAGES	16UL

/**
 * struct gc_fetch - pages of a process that are on their way
 * @ref: of the structure: who waits, and the work
 * @wanted: of the pages and the address space: who waits, and the work
 * @work: brings them
 * @done: the work is done: from now on the following are constant
 * @mm: the process's address space, a reference to its users
 * @addr: address of the first
 * @nr: how many are wanted
 * @pinned: how many are there, each with a reference; or -errno
 * @pages: these
 */
struct gc_fetch {
	struct kref ref;
	struct kref wanted;
	struct work_struct work;
	struct completion done;
	struct mm_struct *mm;
	unsigned long addr;
	unsigned long nr;
	long pinned;
	struct page *pages[FETCH_PAGES];
};

int gc_fetch_init(void);
void gc_fetch_exit(void);

struct gc_fetch *gc_fetch_start(struct mm_struct *mm, unsigned long addr,
				unsigned long nr);
int gc_fetch_await(struct gc_fetch *fetch, s64 *patience);
bool gc_fetch_done(struct gc_fetch *fetch);
void gc_fetch_abandon(struct gc_fetch *fetch);
void gc_fetch_put(struct gc_fetch *fetch);
void gc_fetch_end(struct gc_fetch *fetch);

int gc_fetch_lock(struct mm_struct *mm, s64 *patience);

#endif /* GCHEAP_FETCH_H */
