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
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/unistd.h>

#include <asm/syscall.h>

#include "compat.h"
#include "gfp.h"
#include "mutator.h"
#include "regs.h"

/* Words that are the same on all processors: see read_told(). */
#define TOLD_WORDS	3

/* What the kernel alone saves beside vector registers, and the gaps between them */
#define SAVED_WORDS	(PAGE_SIZE / sizeof(long))

/**
 * gc_regs_init() - room for any thread's registers
 * @regs: to be initialised
 *
 * Return: 0 or -ENOMEM.
 */
int gc_regs_init(struct gc_regs *regs)
{
	*regs = (struct gc_regs) {
		.capacity = gc_regs_words() + TOLD_WORDS + SAVED_WORDS,
	};
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

static struct gc_span alternate_stack(const struct task_struct *task)
{
	unsigned long start = READ_ONCE(task->sas_ss_sp);

	return (struct gc_span) { start, start + READ_ONCE(task->sas_ss_size) };
}

/*
 * What the kernel will write to for the thread may be in the heap, and be known to the
 * kernel only: an alternate stack, and the word that says that the thread has ended.
 */
static void read_told(struct gc_regs *regs, const struct task_struct *task)
{
	unsigned long *to = regs->words + regs->nr;

	to[0] = regs->alternate[0].start;
	to[1] = regs->alternate[1].start;
	to[2] = (unsigned long)READ_ONCE(task->clear_child_tid);
	regs->nr += TOLD_WORDS;
}

/*
 * A thread that goes through a signal frame meanwhile may lose its alternate stack, as
 * SS_AUTODISARM says, or get it back.  It loses it after its registers were changed,
 * and from Linux 6.12 on gets it back before.  Older kernels give it back last: until
 * then nobody knows where the frame is that sigreturn restores registers from.  It is
 * taken to be where the thread had such a stack when somebody last looked.
 */
static void read_thread(struct gc_regs *regs, struct task_struct *task)
{
	regs->alternate[0] = alternate_stack(task);
	smp_rmb(); /* before */
	gc_regs_read_task(regs, task);
	smp_rmb(); /* and after */
	regs->alternate[1] = alternate_stack(task);
	read_told(regs, task);
}

/**
 * gc_regs_note_alternate() - remember an alternate stack that a handler will take away
 * @m: the thread
 *
 * Context: heap's lock held; the thread is there.
 */
void gc_regs_note_alternate(struct gc_mutator *m)
{
	struct gc_span span = alternate_stack(m->task);

	if (READ_ONCE(m->task->sas_ss_flags) & SS_AUTODISARM &&
	    span.start < span.end)
		m->disarmed = span;
}

static void recall_alternate(struct gc_regs *regs, struct gc_mutator *m)
{
	regs->alternate[2] = (struct gc_span) {};
	if (GC_SIGRETURN_REARMS_LAST && !regs->exact)
		regs->alternate[2] = m->disarmed;
	gc_regs_note_alternate(m);
}

/*
 * Whose work has begun goes on through no frame.  But as long as it has not left its
 * processor, that may have newer vector registers than the memory.
 */
static bool rests(const struct gc_mutator *m)
{
	return m->hold == HOLD_PARKED && !gc_task_on_cpu(m->task);
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
		regs->exact = true;
		read_thread(regs, current);
		recall_alternate(regs, m);
		return true;
	}
	spin_lock(&m->lock);
	there = m->hold != HOLD_FREE;
	if (there) {
		regs->exact = rests(m);
		read_thread(regs, m->task);
		recall_alternate(regs, m);
	}
	spin_unlock(&m->lock);
	return there;
}

/**
 * gc_regs_may_lend() - whether a child may have a thread's memory while it waits
 * @task: thread that is held; its kernel stack stays
 *
 * A vfork child works with all that its parent has, thread-local storage included.
 * Of a call by other numbers than the kernel's own it is not asked which it is.
 *
 * Return: true when it may, be it that the child is not there yet or no more.
 */
bool gc_regs_may_lend(struct task_struct *task)
{
	if (!gc_regs_native_call(task))
		return true;
	switch (syscall_get_nr(task, task_pt_regs(task))) {
#ifdef __NR_vfork
	case __NR_vfork:
#endif
	case __NR_clone:
	case __NR_clone3:
		return true;
	}
	return false;
}
