/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages of a heap that somebody may have written to since they were last looked at.
 *
 * Owns two bitmaps, by number of the page; from gc_dirty_begin() to gc_dirty_end(), be it
 * for one collection or for many.  Whoever has one holds the heap's lock; the entries of
 * page tables are the kernel's, which locks them.
 *
 * Lock order: the heap's lock, i_mmap_rwsem of its inode, lock of a page table.
 */
#ifndef GCHEAP_DIRTY_H
#define GCHEAP_DIRTY_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

struct gc_pages;

/**
 * struct gc_dirty - pages that were written to
 * @gp: pages of the heap
 * @written: bit set: somebody may have written there
 * @lent: bit set: somebody had a reference to it at the last look, or had marked it
 * @room: length of both, in pages
 * @found: pages that the last look has found
 * @next: none of @written is before this one
 */
struct gc_dirty {
	struct gc_pages *gp;
	unsigned long *written;
	unsigned long *lent;
	unsigned long room;
	unsigned long found;
	unsigned long next;
};

/* Memory that it takes; for who has no lock, as it was at some moment */
static inline size_t gc_dirty_bytes(const struct gc_dirty *d)
{
	return 2 * BITS_TO_LONGS(READ_ONCE(d->room)) * sizeof(long);
}

bool gc_dirty_possible(void);
int gc_dirty_begin(struct gc_dirty *d, struct gc_pages *gp);
void gc_dirty_end(struct gc_dirty *d);
int gc_dirty_make_room(struct gc_dirty *d);
void gc_dirty_look(struct gc_dirty *d, bool stopped);
bool gc_dirty_take(struct gc_dirty *d, unsigned long *nr);
unsigned long gc_dirty_next(const struct gc_dirty *d, unsigned long nr);
void gc_dirty_forget(struct gc_dirty *d);

#endif /* GCHEAP_DIRTY_H */
