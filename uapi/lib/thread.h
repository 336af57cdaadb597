/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the library knows of the calling thread, in thread-local storage. */
#ifndef GCH_THREAD_H
#define GCH_THREAD_H

#include <stdbool.h>

#include "heap.h"

struct gch_cache;

/**
 * struct gch_thread - the calling thread
 * @cache: its caches, the one last used first; NULL: none yet
 * @index: a small number for the thread, from 1 on; 0: none yet
 * @leaving: the thread is about to end, and makes no caches any more
 */
struct gch_thread {
	struct gch_cache *cache;
	unsigned int index;
	bool leaving;
};

/*
 * These words, and gcheap.h's, fit into the surplus that glibc keeps for libraries
 * loaded with dlopen(), so that they can be reached without a call.  musl keeps none,
 * and would refuse to load such a library.
 */
extern __thread struct gch_thread gch_thread GCHEAP_TLS;

#endif /* GCH_THREAD_H */
