/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading the memory of the processes of a stopped world.
 *
 * Words go to whoever made the reader, a page at a time.  In private memory only
 * pages that somebody wrote to are read: others are not in the page tables, or are
 * the file's, or the page of zeros.  Nothing is faulted in for being looked at, but
 * what was swapped out, or is in a shared file and not in memory.  For that
 * mmap_lock is dropped, see fetch.h: so no VMA is looked at twice without being
 * looked for again, and none at all once an error was noted.
 *
 * Lock order: gc_heap.lock, mmap_lock of the one process that is being read.  Who
 * reads may wait for pages of that process and for its mmap_lock, both with patience
 * that ends.
 *
 * What can never be read, no program can read either, and it is passed over.  All
 * else that fails is an error, be it for want of memory: what was not read may hold
 * the only reference to something.
 */
#ifndef GCHEAP_READER_H
#define GCHEAP_READER_H

#include <linux/mm.h>
#include <linux/types.h>

#include "span.h"

struct gc_fetcher;

struct gc_heap;

/**
 * struct gc_reader - who reads the memory of processes
 * @heap: heap whose processes these are; its lock is held
 * @words: is given the words that gc_reader_range() finds
 * @mm: process being read; its mmap_lock is held for reading, but may have been
 *	dropped and taken again by whatever reads its memory
 * @heap_vma: its mapping of the heap, or NULL
 * @vmas: mappings that were wanted lately, or NULL: of a thread's stack, and of
 *	the memory that all threads' tables are in
 * @next_vma: the next one takes the place of this, modulo the length of @vmas
 * @locked: mmap_lock of @mm is held
 * @fetcher: brings pages that are not in memory; NULL once it was given up
 * @patient: such pages are waited for
 * @end: jiffies after which a collection that nobody asked for fetches no more
 * @at: user address of the words that @words is being given
 * @err: why what was read is worth nothing: -ENOMEM, -ETIMEDOUT or -EINTR; or 0
 * @bytes: bytes of memory given to @words
 * @skipped: bytes that were not, since nobody ever wrote there
 */
struct gc_reader {
	struct gc_heap *heap;
	void (*words)(struct gc_reader *r, const unsigned long *words,
		      size_t nr);
	struct mm_struct *mm;
	struct vm_area_struct *heap_vma;
	struct vm_area_struct *vmas[2];
	unsigned int next_vma;
	bool locked;
	struct gc_fetcher *fetcher;
	bool patient;
	unsigned long end;
	unsigned long at;
	int err;
	u64 bytes;
	u64 skipped;
};

/**
 * gc_vma_holds() - whether an address is in a mapping
 * @vma: mapping, or NULL
 * @addr: user address
 *
 * Return: true when it is.
 */
static inline bool gc_vma_holds(const struct vm_area_struct *vma,
				unsigned long addr)
{
	return vma && addr >= vma->vm_start && addr < vma->vm_end;
}

/**
 * gc_vma_kept_out() - whether a mapping is not to be searched
 * @vma: private mapping
 *
 * The library's caches, and what a program wants to be kept out, are marked so.  They
 * may be right behind a library's bss, which nothing tells from what follows it.
 *
 * Return: true when it is anonymous, and has both marks.
 */
static inline bool gc_vma_kept_out(const struct vm_area_struct *vma)
{
	const vm_flags_t kept_out = VM_WIPEONFORK | VM_DONTDUMP;

	return !vma->vm_file && (vma->vm_flags & kept_out) == kept_out;
}

int gc_reader_init(struct gc_reader *r, struct gc_heap *heap,
		   void (*words)(struct gc_reader *r,
				 const unsigned long *words, size_t nr));
void gc_reader_destroy(struct gc_reader *r);
bool gc_reader_lock(struct gc_reader *r, struct mm_struct *mm);
void gc_reader_unlock(struct gc_reader *r);
bool gc_reader_go_on(struct gc_reader *r);
struct vm_area_struct *gc_reader_vma(struct gc_reader *r, unsigned long addr);
void *gc_reader_heap_address(const struct gc_reader *r, unsigned long addr);
unsigned long gc_reader_some(struct gc_reader *r, unsigned long start,
			     unsigned long end);
void gc_reader_range(struct gc_reader *r, unsigned long start,
		     unsigned long end);
bool gc_reader_read(struct gc_reader *r, unsigned long addr, void *to,
		    size_t bytes);

#endif /* GCHEAP_READER_H */
