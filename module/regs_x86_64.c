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
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/thread_info.h>

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fsgsbase.h>

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
 * gc_regs_words() - words that a thread has in registers at most
 *
 * Return: their number.
 */
size_t gc_regs_words(void)
{
	const struct user_regset *set = vector_regset(current);

	return GENERAL_WORDS + (set ? regset_words(set) : 0);
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

/* As the kernel does when the thread leaves the processor. */
static void save_thread_pointer(void)
{
	if (boot_cpu_has(X86_FEATURE_FSGSBASE) && !(current->flags & PF_KTHREAD))
		WRITE_ONCE(current->thread.fsbase, rdfsbase());
}

/**
 * gc_regs_read_task() - read what a thread has in registers
 * @regs: filled in
 * @task: the thread; held, with a kernel stack, or the calling one
 *
 * Context: does not sleep.
 */
void gc_regs_read_task(struct gc_regs *regs, struct task_struct *task)
{
	if (task == current)
		save_thread_pointer();
	regs->nr = 0;
	read_vectors(regs, task);
	read_general(regs, task);
	regs->thread_pointer = READ_ONCE(task->thread.fsbase);
}

/*
 * Whether what was interrupted was not in the middle of changing the thread's vector
 * registers, or the memory that they are saved to.  The kernel can tell for sections
 * that soft interrupts are kept out of.  A realtime kernel's are not: there, no more
 * than preemption is disabled.
 */
static bool vectors_are_whole(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && in_hardirq() &&
	    preempt_count() != HARDIRQ_OFFSET)
		return false;
	return irq_fpu_usable();
}

/**
 * gc_regs_save() - write the interrupted thread's registers to memory
 *
 * Context: interrupt, sent to all CPUs; or a call on the caller's own.
 *
 * Return: false when vector registers cannot be had now, as what was interrupted is
 * the kernel at work on them, or a soft interrupt, on top of the thread.
 */
bool gc_regs_save(void)
{
	save_thread_pointer();
	if (!vectors_are_whole())
		return false;
	if (!test_thread_flag(TIF_NEED_FPU_LOAD)) {
		kernel_fpu_begin();
		kernel_fpu_end();
	}
	return true;
}
