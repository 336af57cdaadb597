/* SPDX-License-Identifier: GPL-2.0 */
/* What tools/include leaves out. */
#ifndef GCHEAP_FUZZ_BITMAP_H
#define GCHEAP_FUZZ_BITMAP_H

#include_next <linux/bitmap.h>

void bitmap_set(unsigned long *map, unsigned int start, unsigned int nr);
bool bitmap_andnot(unsigned long *to, const unsigned long *a,
		   const unsigned long *b, unsigned int bits);
unsigned long find_last_bit(const unsigned long *map, unsigned long size);
unsigned long bitmap_find_next_zero_area(const unsigned long *map,
					 unsigned long size,
					 unsigned long start,
					 unsigned int nr, unsigned long align);
bool bitmap_subset(const unsigned long *part, const unsigned long *whole,
		   unsigned int bits);
void bitmap_copy(unsigned long *to, const unsigned long *from,
		 unsigned int bits);

#define for_each_set_bitrange(from, to, bitmap, size)			\
	for ((from) = find_next_bit(bitmap, size, 0),			\
	     (to) = find_next_zero_bit(bitmap, size, (from) + 1);	\
	     (from) < (size);						\
	     (from) = find_next_bit(bitmap, size, (to) + 1),		\
	     (to) = find_next_zero_bit(bitmap, size, (from) + 1))

#endif /* GCHEAP_FUZZ_BITMAP_H */
