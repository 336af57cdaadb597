/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stacks of a thread that is held, and the signal frames on them.
 *
 * Owns the list of stacks that one thread has been found to have.  Whoever reads them
 * waits as reader.h says, and for nothing else; no lock of its own.
 */
#ifndef GCHEAP_STACK_H
#define GCHEAP_STACK_H

#include <linux/bitmap.h>
#include <linux/types.h>

#include "fetch.h"
#include "frame.h"
#include "reader.h"
#include "regs.h"

struct task_struct;

/* Read in parts of so many bytes, and then looked through for signal frames. */
#define STACK_PART	(FETCH_PAGES * PAGE_SIZE)

/* Places where a signal frame may have its magic number */
#define STACK_MAGICS	(STACK_PART / FRAME_ALIGN)

/**
 * struct gc_stacks - the stacks of one thread
 * @r: reads them
 * @spans: what is to be read of them; no two overlap
 * @nr: their number
 * @capacity: of @spans
 * @thread_pointer: the thread's
 * @reading: words that are given to the reader's owner are those of a stack
 * @frames_only: they are no roots, but may have frames among them
 * @part: address of the part that is being read, rounded to FRAME_ALIGN; 0 before
 *	anything was read of it
 * @found: which FRAME_ALIGN bytes of the part have a frame's magic number
 */
struct gc_stacks {
	struct gc_reader *r;
	struct gc_span *spans;
	unsigned int nr;
	unsigned int capacity;
	unsigned long thread_pointer;
	bool reading;
	bool frames_only;
	unsigned long part;
	DECLARE_BITMAP(found, STACK_MAGICS);
};

int gc_stacks_init(struct gc_stacks *stacks, struct gc_reader *r);
void gc_stacks_destroy(struct gc_stacks *stacks);
struct gc_span gc_stacks_mark(struct gc_stacks *stacks,
			      const struct gc_regs *regs,
			      struct task_struct *task);
bool gc_stacks_take(struct gc_stacks *stacks, const unsigned long *words,
		    size_t nr);

#endif /* GCHEAP_STACK_H */
