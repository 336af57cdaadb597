/* SPDX-License-Identifier: GPL-2.0 */
/* A thread's registers of one kind as the kernel shows them to debuggers. */
#ifndef GCHEAP_REGSET_H
#define GCHEAP_REGSET_H

#include <linux/math.h>
#include <linux/regset.h>
#include <linux/sched.h>

#include "regs.h"

/**
 * gc_regset_find() - where the kernel has the registers of one kind
 * @task: thread
 * @type: kind, NT_*
 *
 * Return: the set, NULL when the processor has none.
 */
static inline const struct user_regset *gc_regset_find(struct task_struct *task,
						       unsigned int type)
{
	const struct user_regset_view *view = task_user_regset_view(task);
	unsigned int i;

	for (i = 0; i < view->n; i++)
		if (view->regsets[i].core_note_type == type)
			return &view->regsets[i];
	return NULL;
}

static inline size_t gc_regset_bytes(const struct user_regset *set)
{
	return set ? (size_t)set->n * set->size : 0;
}

/**
 * gc_regset_words() - words that a set has at most
 * @set: set, or NULL
 *
 * Return: their number, 0 without a set.
 */
static inline size_t gc_regset_words(const struct user_regset *set)
{
	return DIV_ROUND_UP(gc_regset_bytes(set), sizeof(long));
}

/**
 * gc_regset_read() - read what a thread has in the registers of a set
 * @regs: filled in further, when there is room for all
 * @task: the thread; held, or the calling one
 * @set: set, or NULL
 *
 * Context: as the set's own function; does not sleep for those that are read here.
 */
static inline void gc_regset_read(struct gc_regs *regs, struct task_struct *task,
				  const struct user_regset *set)
{
	size_t bytes = gc_regset_bytes(set);
	struct membuf to = { .p = regs->words + regs->nr, .left = bytes };
	int left;

	if (!bytes || gc_regset_words(set) > regs->capacity - regs->nr)
		return;
	left = set->regset_get(task, set, to);
	if (left >= 0)
		regs->nr += (bytes - left) / sizeof(long);
}

#endif /* GCHEAP_REGSET_H */
