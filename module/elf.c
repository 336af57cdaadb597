// SPDX-License-Identifier: GPL-2.0
/*
 * What the headers of a process's ELF files tell of its roots: how much thread-local
 * storage its threads have, and where there is bss that no data is next to.
 *
 * The headers are in the process's memory, which it may have written to: they are
 * taken for hints.  At worst garbage is kept, or its own collections take long.
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

/* Headers of a file that are looked at; they are in its first page. */
#define HEADERS_MAX	128

static void measure_tls(struct gc_roots *roots, const struct elf64_phdr *ph)
{
	/* No address space holds more. */
	size_t bytes = min_t(u64, ph->p_memsz, 1UL << 46);
	size_t room = bytes + min_t(u64, ph->p_align, PAGE_SIZE);

	roots->tls_sum += room;
	roots->tls_blocks += room;
	roots->tls_max = max(roots->tls_max, bytes);
}

/*
 * A segment of which nothing is in the file, as linkers make it when they are told
 * where bss is to be.  roots.c finds what follows data.
 */
static void mark_bss(struct gc_roots *roots, unsigned long start,
		     unsigned long bytes)
{
	struct vm_area_struct *vma;

	if (start >= TASK_SIZE_MAX || bytes > TASK_SIZE_MAX - start)
		return;
	vma = gc_roots_vma(roots, start);
	if (vma && vma->vm_start <= start && !vma->vm_file && vma->anon_vma)
		gc_roots_range(roots, start, min(start + bytes, vma->vm_end));
}

/**
 * gc_elf_begin() - nothing is known yet of the files of a process
 * @roots: roots
 */
void gc_elf_begin(struct gc_roots *roots)
{
	roots->tls_sum = STATIC_SURPLUS;
	roots->tls_blocks = 0;
	roots->tls_max = 0;
}

/**
 * gc_elf_starts() - whether a mapping may begin with a file's headers
 * @vma: any mapping
 *
 * Return: true when it is worth looking there.
 */
bool gc_elf_starts(const struct vm_area_struct *vma)
{
	return vma->vm_file && !vma->vm_pgoff &&
	       !(vma->vm_flags & (VM_SHARED | VM_IO | VM_PFNMAP));
}

/**
 * gc_elf_look() - look at the headers of a file
 * @roots: roots; what the file's thread-local storage adds to tls_sum, tls_blocks
 *	and tls_max is added, and bss that does not follow data is marked from
 * @start: where a mapping starts that gc_elf_starts() is true for
 */
void gc_elf_look(struct gc_roots *roots, unsigned long start)
{
	unsigned long bias = start, addr;
	struct elf64_hdr header;
	struct elf64_phdr ph;
	unsigned int i;

	if (!gc_roots_read(roots, start, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_phentsize != sizeof(ph) || header.e_phnum > HEADERS_MAX ||
	    header.e_phoff > PAGE_SIZE)
		return;
	addr = start + header.e_phoff;
	for (i = 0; i < header.e_phnum; i++, addr += sizeof(ph)) {
		if (!gc_roots_read(roots, addr, &ph, sizeof(ph)))
			return;
		if (ph.p_type == PT_TLS)
			measure_tls(roots, &ph);
		else if (ph.p_type == PT_LOAD && !ph.p_filesz)
			mark_bss(roots, bias + ph.p_vaddr, ph.p_memsz);
		else if (ph.p_type == PT_LOAD && !ph.p_offset)
			bias = start - (ph.p_vaddr & PAGE_MASK);
	}
}

/**
 * gc_elf_look_at_all() - look at the headers of all files of a process
 * @roots: roots
 */
void gc_elf_look_at_all(struct gc_roots *roots)
{
	struct vm_area_struct *vma;
	unsigned long addr = 0;

	gc_elf_begin(roots);
	while (gc_roots_go_on(roots) && (vma = gc_roots_vma(roots, addr))) {
		addr = vma->vm_end;
		if (gc_elf_starts(vma))
			gc_elf_look(roots, vma->vm_start);
	}
}
