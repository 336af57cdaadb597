// SPDX-License-Identifier: GPL-2.0
/*
 * Thread-local storage.
 *
 * x86-64's TLS ABI (U. Drepper, "ELF Handling For Thread-Local Storage",
 * variant II) puts the blocks of the program and of the libraries that it was
 * started with right below the thread pointer.  How large they are, elf.c has
 * found.  Blocks of libraries that were loaded later are elsewhere, in memory of
 * the C library's choice; the word behind the thread pointer leads to the table of
 * them, glibc's and musl's.  Whatever in that table is an address of the process is
 * taken for a block; that at worst keeps some garbage.
 */
#include <linux/mm.h>

#include "roots.h"

/* Words of a table that are looked at when it does not tell how many it has */
#define TABLE_UNKNOWN	64UL

/* Whoever tells of more entries than these tells of something else. */
#define TABLE_MAX	4096UL

/* Words of a table that are read in one go. */
#define TABLE_PART	64UL

/* Words before it, the first of which is its length in glibc. */
#define TABLE_HEAD	2UL

/*
 * How many words the table has.  In glibc an entry is two words, and the length is
 * never 0; the word after it is 0 or not an entry.  In musl the first word is the
 * number of those that follow, and nobody knows what the head is.
 */
static unsigned long table_length(unsigned long head, unsigned long first)
{
	if (first > TABLE_MAX)
		first = 0;
	if (!head || head > TABLE_MAX)
		return max(TABLE_UNKNOWN, first + 1);
	return max(2 * head + 2, first + 1);
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

/* The first part of a table, and what is before it, as far as its mapping goes. */
static unsigned long read_table(struct gc_roots *roots, unsigned long table,
				unsigned long *words)
{
	struct vm_area_struct *vma = gc_roots_vma(roots, table);
	unsigned long room = (vma->vm_end - table) / sizeof(long);
	unsigned long head = min(TABLE_HEAD,
				 (table - vma->vm_start) / sizeof(long));

	if (!gc_roots_read(roots, table - head * sizeof(long),
			   words + TABLE_HEAD - head,
			   (head + min(TABLE_PART, room)) * sizeof(long)))
		return 0;
	return min(room, table_length(words[0], words[TABLE_HEAD]));
}

static void mark_table(struct gc_roots *roots, unsigned long table)
{
	unsigned long words[TABLE_HEAD + TABLE_PART] = {};
	unsigned long *entries = words + TABLE_HEAD;
	unsigned long nr, part, i;

	if (!table || table % sizeof(long) || !may_be(roots, table, false))
		return;
	for (nr = read_table(roots, table, words); nr; nr -= part) {
		part = min(nr, TABLE_PART);
		for (i = 0; i < part; i++)
			mark_block(roots, entries[i]);
		table += part * sizeof(long);
		if (nr > part && !gc_roots_read(roots, table, entries,
						min(nr - part, TABLE_PART) *
						sizeof(long)))
			return;
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
