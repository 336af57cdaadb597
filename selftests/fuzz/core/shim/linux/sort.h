/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GCHEAP_FUZZ_SORT_H
#define GCHEAP_FUZZ_SORT_H

#include <stdlib.h>

#define sort(array, nr, size, compare, swap)	\
	((void)(swap), qsort(array, nr, size, compare))

#endif /* GCHEAP_FUZZ_SORT_H */
