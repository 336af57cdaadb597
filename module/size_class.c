// SPDX-License-Identifier: GPL-2.0
/* The table of size classes, and the search in it. */
#include <linux/bug.h>
#include <linux/gcheap.h>
#include <linux/mm.h>

#include "size_class.h"

#define CLASS_ROW(size, nr_pages, nr_slots, multiplier)	\
	{ .object_size = (size), .pages = (nr_pages),	\
	  .slots = (nr_slots), .magic = (multiplier) },

const struct size_class size_classes[SIZE_CLASS_COUNT] = {
	SIZE_CLASS_TABLE(CLASS_ROW)
};

/**
 * size_class_of() - smallest class whose slots hold a request
 * @bytes: size of the request, 1 to SIZE_CLASS_MAX
 *
 * Return: index into size_classes[].
 */
unsigned int size_class_of(size_t bytes)
{
	unsigned int low = 0, high = SIZE_CLASS_COUNT - 1;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (size_classes[middle].object_size < bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The table is computed for 4 KiB pages and the bitmaps of the ABI. */
static_assert(PAGE_SIZE == 4096);
#define CLASS_CHECK(size, nr_pages, nr_slots, multiplier)	\
	static_assert((nr_slots) <= GCHEAP_SLAB_SLOTS);		\
	static_assert((size) * (nr_slots) <= (nr_pages) * 4096);
SIZE_CLASS_TABLE(CLASS_CHECK)
