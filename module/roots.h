/* SPDX-License-Identifier: GPL-2.0 */
/* Marking what the processes of a stopped world refer to. */
#ifndef GCHEAP_ROOTS_H
#define GCHEAP_ROOTS_H

#include <linux/types.h>

#include "mark.h"
#include "reader.h"
#include "regs.h"
#include "stack.h"
#include "tls.h"

struct gc_heap;
struct gc_verify;

/**
 * struct gc_roots - one look at the roots of a world
 * @heap: heap
 * @marker: marks what is found
 * @verify: the second marker, which gets the same words; or NULL
 * @reader: reads the processes' memory
 * @ends: the words being looked at are a register's or a stack's: there an address
 *	counts for the object that ends at it, too
 * @tls: thread-local storage of the process being looked at
 * @regs: registers of the thread being looked at
 * @stacks: stacks of that thread
 * @threads: threads looked at
 * @processes: address spaces looked at
 */
struct gc_roots {
	struct gc_heap *heap;
	struct gc_marker *marker;
	struct gc_verify *verify;
	struct gc_reader reader;
	bool ends;
	struct gc_tls tls;
	struct gc_regs regs;
	struct gc_stacks stacks;
	u32 threads;
	u32 processes;
};

int gc_roots_init(struct gc_roots *roots, struct gc_heap *heap,
		  struct gc_marker *marker, struct gc_verify *verify);
void gc_roots_destroy(struct gc_roots *roots);
int gc_roots_mark(struct gc_roots *roots);

#endif /* GCHEAP_ROOTS_H */
