// SPDX-License-Identifier: GPL-2.0
/*
 * The table of size classes, and the search in it.  The table is constant: nobody
 * waits, and there is no lock.  The rows are made by scripts/gen_size_classes.py.
 */
#include <linux/build_bug.h>
#include <linux/mm.h>

#include "size_class.h"

const struct size_class size_classes[SIZE_CLASS_COUNT] = {
#include "size_class_rows.h"
};

/* The table is computed for pages of this size. */
static_assert(PAGE_SIZE == 4096);

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
