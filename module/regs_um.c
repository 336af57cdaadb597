// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the registers of threads that are held, User-Mode Linux on x86-64.
 *
 * Only benchmarks run there, with one thread: the kernel is a process of another one, and
 * so is each address space, and a thread that enters the kernel has had all of its
 * registers copied to its thread structure, bases and vectors included.  Nothing is on a
 * processor, no instruction of the kernel's own would read what the thread has.
 *
 * Owns nothing, and waits for nothing.
 */
#include <linux/elf.h>
#include <linux/init.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>

#include <asm/syscall.h>

#include "regset.h"

static const struct user_regset *vector_regset(struct task_struct *task)
{
	return gc_regset_find(task, NT_X86_XSTATE);
}

static size_t words_at_most __ro_after_init;

/**
 * gc_regs_measure() - find out how much there is to read of a thread
 *
 * Context: a thread of a process, when the module is loaded.
 */
void __init gc_regs_measure(void)
{
	words_at_most = MAX_REG_NR + gc_regset_words(vector_regset(current));
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

static const unsigned long *general(const struct task_struct *task)
{
	return task_pt_regs(task)->regs.gp;
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
	return READ_ONCE(general(task)[HOST_FS_BASE]);
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
	memcpy(regs->words, general(task), MAX_REG_NR * sizeof(long));
	regs->nr = MAX_REG_NR;
	regs->sp = user_stack_pointer(task_pt_regs(task));
	regs->thread_pointer = gc_regs_thread_pointer(task);
	gc_regset_read(regs, task, vector_regset(task));
}

/**
 * gc_regs_save() - write the interrupted thread's registers to memory
 *
 * Context: interrupt, sent to all CPUs; or a call on the caller's own.
 *
 * Return: true: they are there.
 */
bool gc_regs_save(void)
{
	return true;
}

/**
 * gc_regs_native_call() - whether a system call is one of <asm/unistd.h>
 * @task: thread that is held
 *
 * Return: true: there are no others.
 */
bool gc_regs_native_call(struct task_struct *task)
{
	return true;
}
