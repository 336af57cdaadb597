// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of threads that are held: what is the same on all processors.
 *
 * Owns the room that they are read into.  Nobody waits here but for a mutator's
 * lock, which is held for as long as one reading takes.
 *
 * Lock order: gc_heap.lock, gc_mutator.lock.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "gfp.h"
#include "mutator.h"
#include "regs.h"

/**
 * gc_regs_init() - room for any thread's registers
 * @regs: to be initialised
 *
 * Return: 0 or -ENOMEM.
 */
int gc_regs_init(struct gc_regs *regs)
{
	*regs = (struct gc_regs) { .capacity = gc_regs_words() };
	regs->words = kvcalloc(regs->capacity, sizeof(long),
			       GC_GFP);
	return regs->words ? 0 : -ENOMEM;
}

/**
 * gc_regs_destroy() - undo gc_regs_init()
 * @regs: registers
 */
void gc_regs_destroy(struct gc_regs *regs)
{
	kvfree(regs->words);
}

/**
 * gc_regs_read() - read what a thread has in registers
 * @regs: filled in
 * @m: the thread; held, or the calling one
 *
 * A thread that exits runs its task work before its kernel stack goes, and that
 * work takes the lock: as long as it is not FREE, the stack is there.
 *
 * Context: heap's lock held, the world stopped.
 *
 * Return: true, or false when the thread is gone.
 */
bool gc_regs_read(struct gc_regs *regs, struct gc_mutator *m)
{
	bool there;

	if (m->task == current) {
		gc_regs_read_task(regs, current);
		return true;
	}
	spin_lock(&m->lock);
	there = m->hold != HOLD_FREE;
	if (there)
		gc_regs_read_task(regs, m->task);
	spin_unlock(&m->lock);
	return there;
}
