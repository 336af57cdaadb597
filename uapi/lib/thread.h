/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the library knows of the calling thread, in thread-local storage. */
#ifndef GCH_THREAD_H
#define GCH_THREAD_H

#include <stdbool.h>

#include <linux/types.h>

struct gch_cache;

/* No heap has this id, open or closed. */
#define GCH_NO_HEAP	(~(__u64)0)

/**
 * struct gch_thread - the calling thread
 * @id: id of the heap that its first cache is of, be that wiped or not; or GCH_NO_HEAP
 * @cache: its caches, the one last used first; NULL: none yet
 * @index: a small number for the thread, from 1 on; 0: none yet
 * @leaving: the thread is about to end, and makes no caches any more
 */
struct gch_thread {
	__u64 id;
	struct gch_cache *cache;
	unsigned int index;
	bool leaving;
};

/*
 * These three words fit into the surplus that glibc keeps for libraries loaded
 * with dlopen(), so that the fast path can reach them without a call.  musl
 * keeps none, and would refuse to load such a library.
 */
#ifdef __GLIBC__
#define GCH_TLS		__attribute__((visibility("hidden"), tls_model("initial-exec")))
#else
#define GCH_TLS		__attribute__((visibility("hidden")))
#endif

extern __thread struct gch_thread gch_thread GCH_TLS;

#endif /* GCH_THREAD_H */
