/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registers of a thread that is held.
 *
 * regs.c is the same on all processors; what is not is in one file for each, which
 * Kbuild chooses: regs_x86_64.c; and regs_um.c for User-Mode Linux.
 */
#ifndef GCHEAP_REGS_H
#define GCHEAP_REGS_H

#include <linux/types.h>

#include "span.h"

struct gc_mutator;
struct task_struct;

/**
 * struct gc_regs - what a thread has in registers
 * @words: general and vector registers, and addresses that the kernel has been told,
 *	as an array that may hold pointers
 * @nr: words in use
 * @sp: user stack pointer
 * @thread_pointer: where its thread-local storage is, 0 if it has none
 * @capacity: words that fit
 * @alternate: its alternate signal stack, before and after it was read, and one that
 *	it may have lost while a handler is there; may be empty
 * @exact: it does not go on before the world is started: what was read is all of one
 *	moment
 */
struct gc_regs {
	unsigned long *words;
	size_t nr;
	unsigned long sp;
	unsigned long thread_pointer;
	size_t capacity;
	struct gc_span alternate[3];
	bool exact;
};

int gc_regs_init(struct gc_regs *regs);
void gc_regs_destroy(struct gc_regs *regs);
void gc_regs_note_alternate(struct gc_mutator *m);
bool gc_regs_read(struct gc_regs *regs, struct gc_mutator *m);
bool gc_regs_may_lend(struct task_struct *task);

/* One processor's file: */
bool gc_regs_native_call(struct task_struct *task);
void gc_regs_measure(void);
size_t gc_regs_words(void);
void gc_regs_read_task(struct gc_regs *regs, struct task_struct *task);
bool gc_regs_save(void);
unsigned long gc_regs_thread_pointer(const struct task_struct *task);

#endif /* GCHEAP_REGS_H */
