/* SPDX-License-Identifier: GPL-2.0 */
/* Marking what the processes of a stopped world refer to. */
#ifndef GCHEAP_ROOTS_H
#define GCHEAP_ROOTS_H

#include <linux/types.h>

#include "mark.h"
#include "regs.h"

struct address_space;
struct gc_heap;
struct gc_verify;
struct mm_struct;
struct vm_area_struct;

/**
 * struct gc_roots - one look at the roots of a world
 * @heap: heap
 * @marker: marks what is found
 * @verify: the second marker, which gets the same words; or NULL
 * @mm: process being looked at; its mmap_lock is held for reading, but may have
 *	been dropped and taken again by whatever reads its memory
 * @heap_vma: its mapping of the heap, or NULL
 * @vmas: mappings that were wanted lately, or NULL: of a thread's stack, and of
 *	the memory that all threads' tables are in
 * @next_vma: the next one takes the place of this, modulo the length of @vmas
 * @regs: registers of the thread being looked at
 * @stack_start: its stack, as far as it has been read already
 * @stack_end: end of that
 * @tls_sum: bytes of thread-local storage that a thread of @mm may have
 * @tls_blocks: the same, without what lies between the blocks
 * @tls_max: bytes of the largest block of it
 * @locked: mmap_lock of @mm is held
 * @patient: pages that are not in memory are waited for
 * @patience: nanoseconds that may still be spent waiting
 * @err: why this look is worth nothing: -ETIMEDOUT, -ENOMEM or -EINTR; or 0
 * @bytes: bytes of memory read
 * @skipped: bytes not read, since nobody ever wrote there
 * @threads: threads looked at
 * @processes: address spaces looked at
 */
struct gc_roots {
	struct gc_heap *heap;
	struct gc_marker *marker;
	struct gc_verify *verify;
	struct mm_struct *mm;
	struct vm_area_struct *heap_vma;
	struct vm_area_struct *vmas[2];
	unsigned int next_vma;
	struct gc_regs regs;
	unsigned long stack_start;
	unsigned long stack_end;
	size_t tls_sum;
	size_t tls_blocks;
	size_t tls_max;
	bool locked;
	bool patient;
	s64 patience;
	int err;
	u64 bytes;
	u64 skipped;
	u32 threads;
	u32 processes;
};

int gc_roots_init(struct gc_roots *roots, struct gc_heap *heap,
		  struct gc_marker *marker, struct gc_verify *verify);
void gc_roots_destroy(struct gc_roots *roots);
int gc_roots_mark(struct gc_roots *roots);
void gc_roots_sweep_owned(struct gc_roots *roots);

bool gc_roots_go_on(struct gc_roots *roots);
struct vm_area_struct *gc_roots_vma(struct gc_roots *roots, unsigned long addr);
void gc_roots_range(struct gc_roots *roots, unsigned long start,
		    unsigned long end);
bool gc_roots_read(struct gc_roots *roots, unsigned long addr, void *to,
		   size_t bytes);

void gc_elf_begin(struct gc_roots *roots);
bool gc_elf_starts(const struct vm_area_struct *vma);
void gc_elf_look(struct gc_roots *roots, unsigned long start);
void gc_elf_look_at_all(struct gc_roots *roots);
void gc_tls_mark(struct gc_roots *roots, unsigned long thread_pointer);

#endif /* GCHEAP_ROOTS_H */
