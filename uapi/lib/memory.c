// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Memory of the library's own, which is no root.
 *
 * It is full of addresses, of slabs, which are those of their first objects too,
 * and the collector must not take them for references.  By default it does not
 * look at anonymous memory; but it has to look at a thread's stack up to its end,
 * and at what follows the data of a library, which is its bss.  The kernel likes
 * to put new memory right behind either, and makes one mapping of stack and what
 * follows.  So an inaccessible page comes first.
 *
 * What comes behind bss and such a page may yet be bss, and with GCHEAP_SCAN_ALL the
 * collector looks at all anonymous memory, except where that is both wiped in a child
 * of fork() and kept out of core dumps.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"

/**
 * gch_map() - get memory
 * @size: bytes
 *
 * Return: the memory, zeroed, aligned to a page; or NULL with errno.
 */
void *gch_map(size_t size)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	char *start;

	start = mmap(NULL, page + size, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	if (!mprotect(start + page, size, PROT_READ | PROT_WRITE))
		return start + page;
	munmap(start, page + size);
	errno = ENOMEM;
	return NULL;
}

/**
 * gch_map_own() - get memory in which the collector never looks
 * @size: bytes
 *
 * A child of fork() finds it full of zeros.
 *
 * Return: as gch_map(); EINVAL when the kernel cannot wipe memory on fork.
 */
void *gch_map_own(size_t size)
{
	void *memory = gch_map(size);
	int err;

	if (!memory)
		return NULL;
	if (!madvise(memory, size, MADV_WIPEONFORK) && !madvise(memory, size, MADV_DONTDUMP))
		return memory;
	err = errno;
	gch_unmap(memory, size);
	errno = err;
	return NULL;
}

/**
 * gch_unmap() - give memory back
 * @memory: memory from gch_map() or gch_map_own()
 * @size: its size
 */
void gch_unmap(void *memory, size_t size)
{
	const size_t page = sysconf(_SC_PAGESIZE);

	munmap((char *)memory - page, page + size);
}
