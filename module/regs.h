/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registers of a thread that is held.
 *
 * regs.c is the same on all processors; what is not is in one file for each, which
 * Kbuild chooses: regs_x86_64.c.
 */
#ifndef GCHEAP_REGS_H
#define GCHEAP_REGS_H

#include <linux/types.h>

struct gc_mutator;
struct task_struct;

/**
 * struct gc_regs - what a thread has in registers
 * @words: general and vector registers, as an array that may hold pointers
 * @nr: words in use
 * @sp: user stack pointer
 * @thread_pointer: where its thread-local storage is, 0 if it has none
 * @capacity: words that fit
 */
struct gc_regs {
	unsigned long *words;
	size_t nr;
	unsigned long sp;
	unsigned long thread_pointer;
	size_t capacity;
};

int gc_regs_init(struct gc_regs *regs);
void gc_regs_destroy(struct gc_regs *regs);
bool gc_regs_read(struct gc_regs *regs, struct gc_mutator *m);

/* One processor's file: */
size_t gc_regs_words(void);
void gc_regs_read_task(struct gc_regs *regs, struct task_struct *task);
bool gc_regs_save(void);

#endif /* GCHEAP_REGS_H */
