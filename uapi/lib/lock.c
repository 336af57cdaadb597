// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The process's locks, which a child of fork() finds open.
 *
 * Allocation takes none, unless the heap's descriptor is gone.
 *
 * Another thread may hold one at the time of a fork, and that thread is not there
 * in the child to open it.  Handlers of pthread_atfork() would not see a bare
 * fork or clone system call; so the locks lie in a page that the kernel wipes in
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

static unsigned int *lock_words;

/**
 * gch_lock_init() - make the locks, before the first heap of the process
 *
 * Return: 0, -ENOMEM, or -EINVAL when the kernel cannot wipe memory on fork.
 */
int gch_lock_init(void)
{
	const size_t size = sysconf(_SC_PAGESIZE);
	unsigned int *none = NULL;
	void *page;

	if (__atomic_load_n(&lock_words, __ATOMIC_ACQUIRE))
		return 0;
	page = gch_map_own(size);
	if (!page)
		return -errno;
	if (!__atomic_compare_exchange_n(&lock_words, &none, page, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		gch_unmap(page, size);
	return 0;
}

static unsigned int *word_of(enum gch_lock which)
{
	return __atomic_load_n(&lock_words, __ATOMIC_ACQUIRE) + which;
}

/**
 * gch_lock() - take a lock
 * @which: lock
 *
 * errno stays as it is.
 */
void gch_lock(enum gch_lock which)
{
	unsigned int *word = word_of(which);
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
 * gch_unlock() - give a lock back
 * @which: lock
 *
 * errno stays as it is.
 */
void gch_unlock(enum gch_lock which)
{
	unsigned int *word = word_of(which);
	int saved = errno;

	if (__atomic_exchange_n(word, OPEN, __ATOMIC_RELEASE) == CONTENDED)
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
	errno = saved;
}
