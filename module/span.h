/* SPDX-License-Identifier: GPL-2.0 */
/* Ranges of user addresses.  Owns nothing. */
#ifndef GCHEAP_SPAN_H
#define GCHEAP_SPAN_H

#include <linux/types.h>

/**
 * struct gc_span - a range of user addresses
 * @start: the first
 * @end: the first behind it; equal to @start for none
 */
struct gc_span {
	unsigned long start;
	unsigned long end;
};

/**
 * gc_span_holds() - whether an address is in a span
 * @span: span
 * @addr: user address
 *
 * Return: true when it is.
 */
static inline bool gc_span_holds(const struct gc_span *span, unsigned long addr)
{
	return addr >= span->start && addr < span->end;
}

#endif /* GCHEAP_SPAN_H */
