// SPDX-License-Identifier: GPL-2.0
/*
 * What the headers of a process's ELF files tell of its roots: how much thread-local
 * storage its threads have, and where there is bss that no data is next to.
 *
 * The headers are in the process's memory, which it may have written to: they are
 * taken for hints.  At worst garbage is kept, or its own collections take long.
 *
 * Owns nothing; locks and waiting are the reader's.
 */
#include <linux/elf.h>
#include <linux/fs.h>
#include <linux/mm.h>

#include "elf.h"
#include "reader.h"
#include "tls.h"

/* Headers of a file that are looked at; they are in its first page. */
#define HEADERS_MAX	128

/*
 * A segment of which nothing is in the file, as linkers make it when they are told
 * where bss is to be.  roots.c finds what follows data.
 */
static void read_bss(struct gc_reader *r, unsigned long start,
		     unsigned long bytes)
{
	struct vm_area_struct *vma;

	if (start >= TASK_SIZE_MAX || bytes > TASK_SIZE_MAX - start)
		return;
	vma = gc_reader_vma(r, start);
	if (gc_vma_holds(vma, start) && !vma->vm_file && vma->anon_vma &&
	    !gc_vma_kept_out(vma))
		gc_reader_range(r, start, min(start + bytes, vma->vm_end));
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
 * @r: reader; bss that does not follow data is read
 * @tls: the file's thread-local storage is added
 * @start: where a mapping starts that gc_elf_starts() is true for
 */
void gc_elf_look(struct gc_reader *r, struct gc_tls *tls, unsigned long start)
{
	unsigned long bias = start, addr;
	struct elf64_hdr header;
	struct elf64_phdr ph;
	unsigned int i;

	if (!gc_reader_read(r, start, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_phentsize != sizeof(ph) || header.e_phnum > HEADERS_MAX ||
	    header.e_phoff > PAGE_SIZE)
		return;
	addr = start + header.e_phoff;
	for (i = 0; i < header.e_phnum; i++, addr += sizeof(ph)) {
		if (!gc_reader_read(r, addr, &ph, sizeof(ph)))
			return;
		if (ph.p_type == PT_TLS)
			gc_tls_add(tls, ph.p_memsz, ph.p_align);
		else if (ph.p_type == PT_LOAD && !ph.p_filesz)
			read_bss(r, bias + ph.p_vaddr, ph.p_memsz);
		else if (ph.p_type == PT_LOAD && !ph.p_offset)
			bias = start - (ph.p_vaddr & PAGE_MASK);
	}
}

/**
 * gc_elf_look_at_all() - look at the headers of all files of a process
 * @r: reader
 * @tls: becomes what they tell
 */
void gc_elf_look_at_all(struct gc_reader *r, struct gc_tls *tls)
{
	struct vm_area_struct *vma;
	unsigned long addr = 0;

	gc_tls_begin(tls);
	while (gc_reader_go_on(r) && (vma = gc_reader_vma(r, addr))) {
		addr = vma->vm_end;
		if (gc_elf_starts(vma))
			gc_elf_look(r, tls, vma->vm_start);
	}
}
