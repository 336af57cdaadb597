// SPDX-License-Identifier: GPL-2.0
/*
 * Thread-local storage.
 *
 * x86-64's TLS ABI (U. Drepper, "ELF Handling For Thread-Local Storage",
 * variant II) puts the blocks of the program and of the libraries that it was
 * started with right below the thread pointer.  How large they are is in the
 * PT_TLS headers of the ELF files that are mapped.  Blocks of libraries that
 * were loaded later are elsewhere, in memory of the C library's choice; the word
 * behind the thread pointer leads to the table of them, glibc's and musl's.
 * Whatever in that table is an address of the process is taken for a block; that
 * at worst keeps some garbage.
 */
#include <linux/elf.h>
#include <linux/fs.h>
#include <linux/mm.h>

#include "roots.h"

/*
 * Room that C libraries leave for libraries with static TLS that are loaded
 * later (glibc: 1664 bytes and 144 for each audit module), and alignment.
 */
#define STATIC_SURPLUS	65536UL

/* Entries of the table of blocks that are looked at. */
#define TABLE_MIN	64UL
#define TABLE_MAX	4096UL
#define TABLE_PART	32UL

static void measure_header(struct gc_roots *roots, const struct elf64_phdr *ph)
{
	/* No address space holds more. */
	size_t bytes = min_t(u64, ph->p_memsz, 1UL << 46);

	if (ph->p_type != PT_TLS)
		return;
	roots->tls_blocks += bytes + min_t(u64, ph->p_align, PAGE_SIZE);
	roots->tls_max = max(roots->tls_max, bytes);
}

static void measure_file(struct gc_roots *roots, unsigned long start)
{
	struct elf64_hdr header;
	struct elf64_phdr ph;
	unsigned int i;

	if (!gc_roots_read(roots, start, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_phentsize != sizeof(ph) || header.e_phnum > 128 ||
	    header.e_phoff > PAGE_SIZE)
		return;
	for (i = 0; i < header.e_phnum; i++) {
		if (!gc_roots_read(roots, start + header.e_phoff +
				   i * sizeof(ph), &ph, sizeof(ph)))
			return;
		measure_header(roots, &ph);
	}
}

/**
 * gc_tls_measure() - how much thread-local storage threads of a process have
 * @roots: roots; fills in tls_sum, tls_blocks and tls_max for roots->mm
 */
void gc_tls_measure(struct gc_roots *roots)
{
	struct vm_area_struct *vma;
	unsigned long addr = 0;

	roots->tls_blocks = 0;
	roots->tls_max = 0;
	while (gc_roots_go_on(roots) && (vma = gc_roots_vma(roots, addr))) {
		addr = vma->vm_end;
		if (vma->vm_file && !vma->vm_pgoff &&
		    !(vma->vm_flags & (VM_SHARED | VM_IO | VM_PFNMAP)))
			measure_file(roots, vma->vm_start);
	}
	roots->tls_sum = roots->tls_blocks + STATIC_SURPLUS;
}

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
