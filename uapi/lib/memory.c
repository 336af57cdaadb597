// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Memory of the library's own, which is no root.
 *
 * It is full of addresses, of slabs and of heaps, which are those of their first
 * objects too, and the collector must not take them for references.  It does not
 * look at anonymous memory; but it has to look at a thread's stack up to its end,
 * and at what follows the data of a library, which is its bss.  The kernel likes
 * to put new memory right behind either, and makes one mapping of stack and what
 * follows.  So an inaccessible page comes first.
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
 * gch_unmap() - give memory back
 * @memory: memory from gch_map()
 * @size: its size
 */
void gch_unmap(void *memory, size_t size)
{
	const size_t page = sysconf(_SC_PAGESIZE);

	munmap((char *)memory - page, page + size);
}
