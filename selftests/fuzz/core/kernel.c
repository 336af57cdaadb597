// SPDX-License-Identifier: GPL-2.0
/*
 * See kernel.h.  The machine has 64 MiB; a benchmark may want more, and memory_get() to give
 * whole cache lines, as kmalloc() does.
 */
#define _GNU_SOURCE
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "kernel.h"
#include "linux/bitmap.h"

#ifndef MACHINE_PAGES
#define MACHINE_PAGES	16384UL
#endif

/* Of an allocation: the alignment, and what its size takes in front of it */
#ifndef MEMORY_ALIGN
#define MEMORY_ALIGN	16
#endif

#define MACHINE_BYTES	(MACHINE_PAGES << PAGE_SHIFT)

struct machine machine = { .order_max = 9, .nodes = 1 };
bool task_killed;

static char *direct_map;
static struct page all_pages[MACHINE_PAGES];
static unsigned long next_page;

static void machine_start(void)
{
	if (direct_map)
		return;
	direct_map = mmap(NULL, MACHINE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (direct_map == MAP_FAILED)
		abort();
	/* The kernel's consists of such. */
	madvise(direct_map, MACHINE_BYTES, MADV_HUGEPAGE);
	ASAN_POISON_MEMORY_REGION(direct_map, MACHINE_BYTES);
}

static bool refused(void)
{
	unsigned long number = ++machine.asked;

	return machine.refuse_from && number >= machine.refuse_from &&
	       number < machine.refuse_to;
}

void *page_address(const struct page *page)
{
	return direct_map + ((page - all_pages) << PAGE_SHIFT);
}

unsigned long page_to_pfn(const struct page *page)
{
	return page - all_pages;
}

/* Blocks of them take turns. */
int page_to_nid(const struct page *page)
{
	return (page - all_pages) / 512 % machine.nodes;
}

static bool block_is_free(unsigned long first, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		if (all_pages[first + i]._refcount)
			return false;
	return true;
}

/* A block lies where its size divides the address, as in the kernel. */
static struct page *find_block(unsigned long nr)
{
	unsigned long tries = MACHINE_PAGES / nr, first;

	next_page = (next_page + nr - 1) / nr * nr;
	for (; tries; tries--, next_page += nr) {
		if (next_page + nr > MACHINE_PAGES)
			next_page = 0;
		first = next_page;
		if (!block_is_free(first, nr))
			continue;
		/* Leave a hole: what comes next does not lie beside it. */
		next_page += machine.scattered ? 2 * nr : nr;
		return &all_pages[first];
	}
	return NULL;
}

struct page *alloc_pages(unsigned int gfp, unsigned int order)
{
	unsigned long nr = 1UL << order, i;
	struct page *page;

	(void)gfp;
	machine_start();
	if (order > machine.order_max || refused())
		return NULL;
	page = find_block(nr);
	if (!page)
		return NULL;
	for (i = 0; i < nr; i++) {
		page[i] = (struct page) { ._mapcount = -1, ._refcount = 1 };
		INIT_LIST_HEAD(&page[i].lru);
	}
	machine.pages += nr;
	ASAN_UNPOISON_MEMORY_REGION(page_address(page), nr << PAGE_SHIFT);
	memset(page_address(page), 0, nr << PAGE_SHIFT);
	return page;
}

/* Pages are refcounted one by one from the start. */
void split_page(struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}

void put_page(struct page *page)
{
	if (page->_refcount <= 0)
		abort();
	if (--page->_refcount)
		return;
	if (page->mapping)
		abort();
	machine.pages--;
	ASAN_POISON_MEMORY_REGION(page_address(page), PAGE_SIZE);
}

void free_page(unsigned long address)
{
	put_page(&all_pages[(address - (unsigned long)direct_map) >> PAGE_SHIFT]);
}

/* The size stands in front. */
void *memory_get(size_t bytes)
{
	void *memory;

	if (refused())
		return NULL;
	if (posix_memalign(&memory, MEMORY_ALIGN, MEMORY_ALIGN + bytes))
		abort();
	memset(memory, 0, MEMORY_ALIGN + bytes);
	*(size_t *)memory = bytes;
	machine.bytes += bytes;
	return memory + MEMORY_ALIGN;
}

void memory_put(const void *memory)
{
	void *start;

	if (!memory)
		return;
	start = (void *)memory - MEMORY_ALIGN;
	machine.bytes -= *(size_t *)start;
	free(start);
}

void *memchr_inv(const void *memory, int c, size_t bytes)
{
	const unsigned char *byte = memory, *end = byte + bytes;

	if (!bytes || (*byte == (unsigned char)c &&
		       !memcmp(byte, byte + 1, bytes - 1)))
		return NULL;
	for (; byte < end; byte++)
		if (*byte != (unsigned char)c)
			return (void *)byte;
	return NULL;
}

unsigned long bitmap_find_next_zero_area(const unsigned long *map,
					 unsigned long size,
					 unsigned long start,
					 unsigned int nr, unsigned long align)
{
	unsigned long end;

	(void)align;
	for (;;) {
		start = find_next_zero_bit(map, size, start);
		if (start + nr > size)
			return size;
		end = find_next_bit(map, start + nr, start);
		if (end >= start + nr)
			return start;
		start = end + 1;
	}
}

void bitmap_set(unsigned long *map, unsigned int start, unsigned int nr)
{
	for (; nr; start++, nr--)
		__set_bit(start, map);
}

bool bitmap_andnot(unsigned long *to, const unsigned long *a,
		   const unsigned long *b, unsigned int bits)
{
	unsigned long any = 0;
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(bits); i++) {
		to[i] = a[i] & ~b[i];
		if (bits - i * BITS_PER_LONG < BITS_PER_LONG)
			to[i] &= BITMAP_LAST_WORD_MASK(bits);
		any |= to[i];
	}
	return any;
}

bool bitmap_subset(const unsigned long *part, const unsigned long *whole,
		   unsigned int bits)
{
	unsigned int i;

	for_each_set_bit(i, part, bits)
		if (!test_bit(i, whole))
			return false;
	return true;
}

void bitmap_copy(unsigned long *to, const unsigned long *from,
		 unsigned int bits)
{
	memcpy(to, from, BITS_TO_LONGS(bits) * sizeof(long));
}

unsigned long find_last_bit(const unsigned long *map, unsigned long size)
{
	unsigned long i;

	for (i = size; i; i--)
		if (test_bit(i - 1, map))
			return i - 1;
	return size;
}
