// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the registers of threads that are held, x86-64.
 *
 * General registers lie at the top of the kernel stack from the moment that the
 * thread entered the kernel.  Vector registers (memcpy() keeps pointers in
 * them) are read as a debugger would; gc_regs_save() has made the processors write
 * back those of threads that were on them, and the bases of FS and GS, which programs
 * can set without asking (wrfsbase).
 *
 * After the stop a thread may still go on through one signal frame before it parks.
 * What is read then is a mixture of old and new.  Where a frame is built, each old
 * register is in the frame before it is replaced; where one is undone, all new ones
 * are in the frame.  So the rest is found in the frame, which has to be read after
 * the registers: see stack.c.
 *
 * Owns nothing, and waits for nothing.
 */
#include <linux/elf.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/thread_info.h>

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/syscall.h>

#include "compat.h"
#include "regset.h"

#define GENERAL_WORDS	(sizeof(struct pt_regs) / sizeof(long))

/* FS and GS */
#define BASE_WORDS	2

/* All vector registers where the processor can save them, else x87 and SSE. */
static const struct user_regset *vector_regset(struct task_struct *task)
{
	return gc_regset_find(task, cpu_feature_enabled(X86_FEATURE_XSAVE) ?
				    NT_X86_XSTATE : NT_PRFPREG);
}

static size_t words_at_most __ro_after_init;

/**
 * gc_regs_measure() - find out how much there is to read of a thread
 *
 * It is the same for all threads, but a kernel thread has nothing to measure.
 *
 * Context: a thread of a process, when the module is loaded.
 */
void __init gc_regs_measure(void)
{
	const struct user_regset *set = vector_regset(current);
	size_t first = gc_task_fpu(current)->__fpstate.size / sizeof(long);

	words_at_most = GENERAL_WORDS + BASE_WORDS + first + gc_regset_words(set);
}

/**
 * gc_regs_words() - words that a thread has in registers at most
 *
 * Return: their number.
 */
size_t gc_regs_words(void)
{
	return words_at_most;
}

/*
 * A kernel thread that collects must not ask as a debugger would: that compares with
 * its own registers, which it has not (x86_task_fpu() warns).  What is in memory may
 * have more in it than the thread: registers that it has not used since.
 */
static void read_saved(struct gc_regs *regs, struct task_struct *task)
{
	const struct fpstate *state = READ_ONCE(gc_task_fpu(task)->fpstate);
	size_t nr = min(state->size / sizeof(long), regs->capacity - regs->nr);

	memcpy(regs->words + regs->nr, &state->regs, nr * sizeof(long));
	regs->nr += nr;
}

/*
 * A thread gets more memory for its vector registers when it uses AMX for the first
 * time.  They are not there before it leaves the processor; the interrupt may have
 * saved them in the memory that it had first, which stays.  The same is true of a
 * thread that runs a virtual machine, whose registers are in the other memory.
 */
static void read_first_vectors(struct gc_regs *regs, struct task_struct *task)
{
	const struct fpu *fpu = gc_task_fpu(task);
	const struct fpstate *first = &fpu->__fpstate;
	size_t nr = min(first->size / sizeof(long), regs->capacity - regs->nr);

	/* After the others were read. */
	smp_rmb();
	if (READ_ONCE(fpu->fpstate) == first)
		return;
	memcpy(regs->words + regs->nr, &first->regs, nr * sizeof(long));
	regs->nr += nr;
}

static void read_general(struct gc_regs *regs, struct task_struct *task)
{
	struct pt_regs *to = (struct pt_regs *)(regs->words + regs->nr);

	*to = *task_pt_regs(task);
	regs->sp = to->sp;
	regs->nr += GENERAL_WORDS;
}

/**
 * gc_regs_thread_pointer() - the thread pointer that a thread was born with
 * @task: thread, which may run and have another one since
 *
 * Context: any.
 *
 * Return: user address, 0 for none.
 */
unsigned long gc_regs_thread_pointer(const struct task_struct *task)
{
	return READ_ONCE(task->thread.fsbase);
}

static void read_bases(struct gc_regs *regs, struct task_struct *task)
{
	regs->thread_pointer = READ_ONCE(task->thread.fsbase);
	regs->words[regs->nr++] = regs->thread_pointer;
	regs->words[regs->nr++] = READ_ONCE(task->thread.gsbase);
}

/*
 * As the kernel does when the thread leaves the processor.  While a thread runs a
 * virtual machine, the base of GS may be the machine's.
 */
static void save_bases(void)
{
	struct fpu *fpu;
	unsigned long gs;

	if (!boot_cpu_has(X86_FEATURE_FSGSBASE) || current->flags & PF_KTHREAD)
		return;
	WRITE_ONCE(current->thread.fsbase, rdfsbase());
	fpu = gc_task_fpu(current);
	if (fpu->fpstate->is_guest)
		return;
	/* In the kernel, it is the one that swapgs has put aside. */
	rdmsrq(MSR_KERNEL_GS_BASE, gs);
	WRITE_ONCE(current->thread.gsbase, gs);
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
		save_bases();
	regs->nr = 0;
	if (current->flags & PF_KTHREAD)
		read_saved(regs, task);
	else
		gc_regset_read(regs, task, vector_regset(task));
	read_first_vectors(regs, task);
	read_general(regs, task);
	read_bases(regs, task);
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
	save_bases();
	if (!vectors_are_whole())
		return false;
	if (!test_thread_flag(TIF_NEED_FPU_LOAD)) {
		kernel_fpu_begin();
		kernel_fpu_end();
	}
	return true;
}

/**
 * gc_regs_native_call() - whether a system call is one of <asm/unistd.h>
 * @task: thread that is held
 *
 * A 64-bit program can make those of 32-bit ones (int 0x80), and of x32.
 *
 * Return: true when it is, or when the thread is in none.
 */
bool gc_regs_native_call(struct task_struct *task)
{
	int nr = syscall_get_nr(task, task_pt_regs(task));

	return syscall_get_arch(task) == AUDIT_ARCH_X86_64 &&
	       (nr < 0 || nr < __X32_SYSCALL_BIT);
}
