// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The process's one lock, which a child of fork() finds open.
 *
 * It orders opening, attaching and closing heaps, and the end of threads that
 * hold slabs.  Allocation never takes it.
 *
 * Another thread may hold it at the time of a fork, and that thread is not there
 * in the child to open it.  Handlers of pthread_atfork() would not see a bare
 * fork or clone system call; so the lock lies in a page that the kernel wipes in
 * the child, and a wiped lock is an open one.  In turn whatever is done under it
 * must leave the memory of the process usable at each instant, as heap.c does.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lock.h"
#include "memory.h"

enum { OPEN, HELD, CONTENDED };

static unsigned int *lock_word;

/**
 * gch_lock_init() - make the lock, before the first heap of the process
 *
 * Return: 0, -ENOMEM, or -EINVAL when the kernel cannot wipe memory on fork.
 */
int gch_lock_init(void)
{
	const size_t size = sysconf(_SC_PAGESIZE);
	unsigned int *none = NULL;
	void *page;

	if (__atomic_load_n(&lock_word, __ATOMIC_ACQUIRE))
		return 0;
	page = gch_map(size);
	if (!page)
		return -errno;
	if (madvise(page, size, MADV_WIPEONFORK)) {
		int err = -errno;

		gch_unmap(page, size);
		return err;
	}
	if (!__atomic_compare_exchange_n(&lock_word, &none, page, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		gch_unmap(page, size);
	return 0;
}

/**
 * gch_lock() - take the lock
 *
 * errno stays as it is.
 */
void gch_lock(void)
{
	unsigned int *word = __atomic_load_n(&lock_word, __ATOMIC_ACQUIRE);
	unsigned int seen = OPEN;
	int saved = errno;

	if (__atomic_compare_exchange_n(word, &seen, HELD, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, CONTENDED, __ATOMIC_ACQUIRE) != OPEN)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, CONTENDED, NULL);
	errno = saved;
}

/**
 * gch_unlock() - give the lock back
 *
 * errno stays as it is.
 */
void gch_unlock(void)
{
	unsigned int *word = __atomic_load_n(&lock_word, __ATOMIC_ACQUIRE);
	int saved = errno;

	if (__atomic_exchange_n(word, OPEN, __ATOMIC_RELEASE) == CONTENDED)
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
	errno = saved;
}
