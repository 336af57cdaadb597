// SPDX-License-Identifier: GPL-2.0
/*
 * Thread-local storage.
 *
 * x86-64's TLS ABI (U. Drepper, "ELF Handling For Thread-Local Storage",
 * variant II) puts the blocks of the program and of the libraries that it was
 * started with right below the thread pointer.  How large they are, elf.c has
 * found.  Blocks of libraries that
 * were loaded later are elsewhere, in memory of the C library's choice; the word
 * behind the thread pointer leads to the table of them, glibc's and musl's.
 * Whatever in that table is an address of the process is taken for a block; that
 * at worst keeps some garbage.
 */
#include <linux/mm.h>

#include "roots.h"

/* Entries of the table of blocks that are looked at. */
#define TABLE_MIN	64UL
#define TABLE_MAX	4096UL
#define TABLE_PART	32UL

/* The table has a dozen or so entries; it says itself how many. */
static unsigned long table_length(struct gc_roots *roots, unsigned long table)
{
	unsigned long glibc = 0, musl = 0;

	gc_roots_read(roots, table - 16, &glibc, sizeof(glibc));
	gc_roots_read(roots, table, &musl, sizeof(musl));
	if (glibc > TABLE_MAX)
		glibc = 0;
	if (musl > TABLE_MAX)
		musl = 0;
	/* An entry of glibc's is two words. */
	return max3(TABLE_MIN, 2 * glibc + 2, musl + 1);
}

/* Private memory that somebody wrote to; a block is never part of a file. */
static bool may_be(struct gc_roots *roots, unsigned long addr, bool block)
{
	struct vm_area_struct *vma = gc_roots_vma(roots, addr);

	return vma && addr >= vma->vm_start && vma->anon_vma &&
	       !(vma->vm_flags & VM_SHARED) && !(block && vma->vm_file);
}

/* What may be told from an address without looking for a mapping. */
static bool is_address(unsigned long word)
{
	return word >= PAGE_SIZE && word < TASK_SIZE_MAX;
}

/* On the part of the stack that has been read; most blocks are there. */
static bool on_stack(struct gc_roots *roots, unsigned long start,
		     unsigned long end)
{
	return start >= roots->stack_start && end <= roots->stack_end;
}

static void mark_block(struct gc_roots *roots, unsigned long start)
{
	unsigned long end = start + roots->tls_max;

	if (is_address(start) && !on_stack(roots, start, end) &&
	    may_be(roots, start, true))
		gc_roots_range(roots, start, end);
}

static void mark_table(struct gc_roots *roots, unsigned long table)
{
	unsigned long entries[TABLE_PART], nr, i, part;

	if (!table || table % sizeof(long) || !may_be(roots, table, false))
		return;
	for (nr = table_length(roots, table); nr; nr -= part) {
		part = min(nr, TABLE_PART);
		if (!gc_roots_read(roots, table, entries, part * sizeof(long)))
			return;
		for (i = 0; i < part; i++)
			mark_block(roots, entries[i]);
		table += part * sizeof(long);
	}
}

/*
 * Below the thread pointer, and the thread's record behind it.  C libraries put
 * both at the top of the stack that they map for a thread.
 */
static void mark_static(struct gc_roots *roots, struct vm_area_struct *vma,
			unsigned long thread_pointer)
{
	unsigned long start, end;

	start = thread_pointer - min(thread_pointer - vma->vm_start,
				     roots->tls_sum);
	end = min(vma->vm_end, thread_pointer + PAGE_SIZE);
	/* Nobody's stack pointer is below the blocks but his whose they are. */
	if (on_stack(roots, thread_pointer - min(thread_pointer,
						 roots->tls_blocks), end))
		return;
	gc_roots_range(roots, start, end);
}

/**
 * gc_tls_mark() - take a thread's thread-local storage for roots
 * @roots: roots
 * @thread_pointer: the thread's, 0 for none
 */
void gc_tls_mark(struct gc_roots *roots, unsigned long thread_pointer)
{
	struct vm_area_struct *vma = gc_roots_vma(roots, thread_pointer);
	unsigned long table;

	if (!thread_pointer || !vma || thread_pointer < vma->vm_start)
		return;
	mark_static(roots, vma, thread_pointer);
	if (roots->tls_max &&
	    gc_roots_read(roots, thread_pointer + sizeof(long), &table,
			  sizeof(table)))
		mark_table(roots, table);
}
