// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the registers of threads that are held, x86-64.
 *
 * General registers lie at the top of the kernel stack from the moment that the
 * thread entered the kernel.  Vector registers (memcpy() keeps pointers in
 * them) are read as a debugger would; gc_regs_save() has made the processors write
 * back those of threads that were on them, and the thread pointer, which programs
 * can set without asking (wrfsbase).
 *
 * After the stop a thread may still build one signal frame before it parks.
 * Then its old registers are first written to the user stack, and afterwards
 * replaced.  So vector registers are read first, and the general ones until two
 * readings agree: either all are the old ones, or the frame is on the stack,
 * above the new stack pointer.
 */
#include <linux/elf.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fsgsbase.h>

#include "gfp.h"
#include "mutator.h"
#include "regs.h"

#define GENERAL_WORDS	(sizeof(struct pt_regs) / sizeof(long))

/* A signal frame can be built once: two different readings, at most. */
#define READINGS_MAX	64

/* All vector registers where the processor can save them, else x87 and SSE. */
static const struct user_regset *vector_regset(struct task_struct *task)
{
	const struct user_regset_view *view = task_user_regset_view(task);
	unsigned int type = cpu_feature_enabled(X86_FEATURE_XSAVE) ?
			    NT_X86_XSTATE : NT_PRFPREG;
	unsigned int i;

	for (i = 0; i < view->n; i++)
		if (view->regsets[i].core_note_type == type)
			return &view->regsets[i];
	return NULL;
}

static size_t regset_words(const struct user_regset *set)
{
	return DIV_ROUND_UP((size_t)set->n * set->size, sizeof(long));
}

/**
 * gc_regs_init() - room for any thread's registers
 * @regs: to be initialised
 *
 * Return: 0 or -ENOMEM.
 */
int gc_regs_init(struct gc_regs *regs)
{
	const struct user_regset *set = vector_regset(current);

	*regs = (struct gc_regs) { .capacity = GENERAL_WORDS };
	if (set)
		regs->capacity += regset_words(set);
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

static void read_vectors(struct gc_regs *regs, struct task_struct *task)
{
	const struct user_regset *set = vector_regset(task);
	size_t bytes = (regs->capacity - regs->nr) * sizeof(long);
	struct membuf to = { .p = regs->words + regs->nr, .left = bytes };
	int left;

	if (!set || (size_t)set->n * set->size > bytes)
		return;
	to.left = (size_t)set->n * set->size;
	bytes = to.left;
	left = set->regset_get(task, set, to);
	if (left >= 0)
		regs->nr += (bytes - left) / sizeof(long);
}

static void read_general(struct gc_regs *regs, struct task_struct *task)
{
	const struct pt_regs *from = task_pt_regs(task);
	struct pt_regs *to = (struct pt_regs *)(regs->words + regs->nr);
	unsigned int i;

	for (i = 0; i < READINGS_MAX; i++) {
		*to = *from;
		/* The second reading must not be the first one's copy. */
		barrier();
		if (!memcmp(to, from, sizeof(*to)))
			break;
		cpu_relax();
	}
	regs->sp = to->sp;
	regs->nr += GENERAL_WORDS;
}

static void read_all(struct gc_regs *regs, struct task_struct *task)
{
	regs->nr = 0;
	read_vectors(regs, task);
	read_general(regs, task);
	regs->thread_pointer = READ_ONCE(task->thread.fsbase);
}

/* As the kernel does when the thread leaves the processor. */
static void save_thread_pointer(void)
{
	if (boot_cpu_has(X86_FEATURE_FSGSBASE) && !(current->flags & PF_KTHREAD))
		WRITE_ONCE(current->thread.fsbase, rdfsbase());
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
		save_thread_pointer();
		read_all(regs, current);
		return true;
	}
	spin_lock(&m->lock);
	there = m->hold != HOLD_FREE;
	if (there)
		read_all(regs, m->task);
	spin_unlock(&m->lock);
	return there;
}

/**
 * gc_regs_save() - write the interrupted thread's registers to memory
 *
 * Context: interrupt, sent to all CPUs.
 *
 * Return: false when vector registers cannot be had now, as what was interrupted is
 * the kernel's own use of them, or a soft interrupt, on top of the thread.
 */
bool gc_regs_save(void)
{
	save_thread_pointer();
	if (!irq_fpu_usable())
		return false;
	kernel_fpu_begin();
	kernel_fpu_end();
	return true;
}
