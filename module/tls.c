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
 *
 * Owns nothing; locks and waiting are the reader's.
 */
#include <linux/mm.h>

#include "reader.h"
#include "tls.h"

/*
 * Room that C libraries leave for libraries with static TLS that are loaded
 * later (glibc: 1664 bytes and 144 for each audit module), and alignment.
 */
#define STATIC_SURPLUS	65536UL

/* Words of a table that are looked at when it does not tell how many it has */
#define TABLE_UNKNOWN	64UL

/* Whoever tells of more entries than these tells of something else. */
#define TABLE_MAX	4096UL

/* Words of a table that are read in one go. */
#define TABLE_PART	64UL

/* Words before it, the first of which is its length in glibc. */
#define TABLE_HEAD	2UL

/**
 * gc_tls_begin() - nothing is known yet of the files of a process
 * @tls: to be initialised
 */
void gc_tls_begin(struct gc_tls *tls)
{
	*tls = (struct gc_tls) { .sum = STATIC_SURPLUS };
}

/**
 * gc_tls_add() - a file has thread-local storage
 * @tls: what is known of the files of the process
 * @bytes: as the file's header says
 * @align: the same
 */
void gc_tls_add(struct gc_tls *tls, u64 bytes, u64 align)
{
	size_t room;

	/* No address space holds more. */
	bytes = min_t(u64, bytes, 1UL << 46);
	room = bytes + min_t(u64, align, PAGE_SIZE);
	tls->sum += room;
	tls->blocks += room;
	tls->max = max_t(size_t, tls->max, bytes);
}

/**
 * struct look - at the storage of one thread
 * @r: reader
 * @tls: how much there may be
 * @stack: the part of the thread's stack that has been read; most blocks are there
 */
struct look {
	struct gc_reader *r;
	const struct gc_tls *tls;
	struct gc_span stack;
};

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
static bool may_be(struct gc_reader *r, unsigned long addr, bool block)
{
	struct vm_area_struct *vma = gc_reader_vma(r, addr);

	return vma && addr >= vma->vm_start && vma->anon_vma &&
	       !(vma->vm_flags & VM_SHARED) && !(block && vma->vm_file);
}

/* What may be told from an address without looking for a mapping. */
static bool is_address(unsigned long word)
{
	return word >= PAGE_SIZE && word < TASK_SIZE_MAX;
}

static bool on_stack(const struct look *look, unsigned long start,
		     unsigned long end)
{
	return start >= look->stack.start && end <= look->stack.end;
}

static void mark_block(const struct look *look, unsigned long start)
{
	unsigned long end = start + look->tls->max;

	if (is_address(start) && !on_stack(look, start, end) &&
	    may_be(look->r, start, true))
		gc_reader_range(look->r, start, end);
}

/* The first part of a table, and what is before it, as far as its mapping goes. */
static unsigned long read_table(struct gc_reader *r, unsigned long table,
				unsigned long *words)
{
	struct vm_area_struct *vma = gc_reader_vma(r, table);
	unsigned long room = (vma->vm_end - table) / sizeof(long);
	unsigned long head = min(TABLE_HEAD,
				 (table - vma->vm_start) / sizeof(long));

	if (!gc_reader_read(r, table - head * sizeof(long),
			    words + TABLE_HEAD - head,
			    (head + min(TABLE_PART, room)) * sizeof(long)))
		return 0;
	return min(room, table_length(words[0], words[TABLE_HEAD]));
}

static void mark_table(const struct look *look, unsigned long table)
{
	unsigned long words[TABLE_HEAD + TABLE_PART] = {};
	unsigned long *entries = words + TABLE_HEAD;
	struct gc_reader *r = look->r;
	unsigned long nr, part, i;

	if (!table || table % sizeof(long) || !may_be(r, table, false))
		return;
	for (nr = read_table(r, table, words); nr; nr -= part) {
		part = min(nr, TABLE_PART);
		for (i = 0; i < part; i++)
			mark_block(look, entries[i]);
		table += part * sizeof(long);
		if (nr > part && !gc_reader_read(r, table, entries,
						 min(nr - part, TABLE_PART) *
						 sizeof(long)))
			return;
	}
}

/*
 * Below the thread pointer, and the thread's record behind it.  C libraries put
 * both at the top of the stack that they map for a thread.
 */
static void mark_static(const struct look *look, struct vm_area_struct *vma,
			unsigned long thread_pointer)
{
	const struct gc_tls *tls = look->tls;
	unsigned long start, end;

	start = thread_pointer - min(thread_pointer - vma->vm_start, tls->sum);
	end = min(vma->vm_end, thread_pointer + PAGE_SIZE);
	/* Nobody's stack pointer is below the blocks but his whose they are. */
	if (on_stack(look, thread_pointer - min(thread_pointer, tls->blocks),
		     end))
		return;
	gc_reader_range(look->r, start, end);
}

/**
 * gc_tls_mark() - take a thread's thread-local storage for roots
 * @r: reader
 * @tls: what the files of its process tell
 * @thread_pointer: the thread's, 0 for none
 * @stack: the part of the thread's stack that has been read
 */
void gc_tls_mark(struct gc_reader *r, const struct gc_tls *tls,
		 unsigned long thread_pointer, struct gc_span stack)
{
	const struct look look = { .r = r, .tls = tls, .stack = stack };
	struct vm_area_struct *vma = gc_reader_vma(r, thread_pointer);
	unsigned long table;

	if (!thread_pointer || !gc_vma_holds(vma, thread_pointer))
		return;
	mark_static(&look, vma, thread_pointer);
	if (tls->max && gc_reader_read(r, thread_pointer + sizeof(long), &table,
				       sizeof(table)))
		mark_table(&look, table);
}
