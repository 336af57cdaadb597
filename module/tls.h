/* SPDX-License-Identifier: GPL-2.0 */
/* Thread-local storage. */
#ifndef GCHEAP_TLS_H
#define GCHEAP_TLS_H

#include <linux/types.h>

#include "reader.h"

/**
 * struct gc_tls - how much thread-local storage each thread of a process may have
 * @sum: bytes below its thread pointer
 * @blocks: the same, without what lies between the blocks
 * @max: bytes of the largest block
 */
struct gc_tls {
	size_t sum;
	size_t blocks;
	size_t max;
};

void gc_tls_begin(struct gc_tls *tls);
void gc_tls_add(struct gc_tls *tls, u64 bytes, u64 align);
void gc_tls_mark(struct gc_reader *r, const struct gc_tls *tls,
		 unsigned long thread_pointer, struct gc_span stack);

#endif /* GCHEAP_TLS_H */
