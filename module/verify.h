/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A second marking, to check the first.
 *
 * It has its own way from a word to an object and its own way through the
 * graph: slow, without a queue, and with nothing of mark.c or slab.c in it but
 * the bitmaps: of what is allocated, and, to tell which words keep nothing, of what is
 * marked.
 *
 * The world is stopped, but not the kernel: a read() that was under way may
 * still store into the heap.  So the graph is walked twice, before the first
 * marking goes through it and after; that one is wrong where it differs from
 * both.
 *
 * The caller holds the heap's lock all the time.
 */
#ifndef GCHEAP_VERIFY_H
#define GCHEAP_VERIFY_H

#include <linux/types.h>

#include "faults.h"
#include "slab.h"

struct gc_verify;
struct gc_astray;

struct gc_verify *gc_verify_new(struct gc_slabs *gs, unsigned long base);
void gc_verify_free(struct gc_verify *v);
int gc_verify_know(struct gc_verify *v, struct gc_astray **known);
void gc_verify_forget(struct gc_astray **known);

void gc_verify_begin(struct gc_verify *v, bool exact);
bool gc_verify_is_blind(const struct gc_verify *v);
void gc_verify_words(struct gc_verify *v, const unsigned long *words,
		     size_t nr);
void gc_verify_words_and_ends(struct gc_verify *v, const unsigned long *words,
			      size_t nr);
int gc_verify_walk(struct gc_verify *v);
u64 gc_verify_compare(struct gc_verify *v, struct gc_faults *faults);

#endif /* GCHEAP_VERIFY_H */
