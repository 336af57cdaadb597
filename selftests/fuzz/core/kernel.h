/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of the kernel as the portable files of module/ need, in user space.
 *
 * What the kernel's own tools/include has (lists, bitmaps, bit operations) is
 * taken from there.  Here are pages, memory, and what a task is asked.
 *
 * Pages lie in the "direct map".  A page that is free, and all that is beyond an
 * allocation, is poisoned for AddressSanitizer.  All that is handed out is
 * counted, and can be refused.
 */
#ifndef GCHEAP_FUZZ_KERNEL_H
#define GCHEAP_FUZZ_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/types.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096UL
#define PAGE_KERNEL	0
#define VM_MAP		0

#define __GFP_NORETRY		0
#define __GFP_KSWAPD_RECLAIM	0
#define __GFP_NOWARN		0
#define __GFP_RETRY_MAYFAIL	0
#ifndef __GFP_ZERO
#define __GFP_ZERO		0
#endif
#define GFP_KERNEL_ACCOUNT	0
#define GFP_NOWAIT		0
#define __GFP_ACCOUNT		0

#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))

#define ERR_PTR(err)		((void *)(long)(err))
#define PTR_ERR(p)		((long)(p))
#define IS_ERR(p)		((unsigned long)(p) >= -4095UL)

/* There is one thread. */
#define smp_store_release(p, v)	(*(p) = (v))
/* Likewise. */
#define smp_load_acquire(p)	(*(p))
#define prefetch(p)		__builtin_prefetch(p)
#define cond_resched()		((void)0)

/**
 * struct page - a page of the file
 * @mapping: as in the kernel
 * @index: likewise
 * @_mapcount: page tables that it is in, less one
 * @_refcount: references
 * @lent: those that the fuzzer has, beside page tables
 * @lru: for whoever holds it
 */
struct page {
	void *mapping;
	unsigned long index;
	int _mapcount;
	int _refcount;
	unsigned int lent;
	struct list_head lru;
};

/**
 * struct folio - the same page
 * @mapping: as in struct page
 * @index: likewise
 */
struct folio {
	void *mapping;
	unsigned long index;
};

#define U64_MAX			ULLONG_MAX

/* Time goes by with what is asked for. */
#define HZ			250UL
#define jiffies			machine.asked
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)

#define page_folio(page)	((struct folio *)(page))
#define folio_lock(folio)	((void)(folio))
#define folio_unlock(folio)	((void)(folio))
#define page_count(page)	((page)->_refcount)
#define trylock_page(page)	((void)(page), true)
#define unlock_page(page)	((void)(page))

void unmap_mapping_range(void *mapping, long long start, long long bytes,
			 int even_private);

struct page *alloc_pages(unsigned int gfp, unsigned int order);
void split_page(struct page *page, unsigned int order);
void put_page(struct page *page);
void *page_address(const struct page *page);
unsigned long page_to_pfn(const struct page *page);
int page_to_nid(const struct page *page);
void *memory_get(size_t bytes);
void memory_put(const void *memory);

#define alloc_page(gfp)		alloc_pages(gfp, 0)
#define __free_page(page)	put_page(page)

static inline void __free_pages(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++)
		put_page(page + i);
}

#define clear_highpage(page)	memset(page_address(page), 0, PAGE_SIZE)

static inline unsigned long __get_free_page(unsigned int gfp)
{
	struct page *page = alloc_page(gfp);

	return page ? (unsigned long)page_address(page) : 0;
}

void free_page(unsigned long address);

#define kzalloc(bytes, gfp)		((void)(gfp), memory_get(bytes))
#define kcalloc(n, bytes, gfp)		((void)(gfp), memory_get((n) * (bytes)))
#define kvcalloc(n, bytes, gfp)		kcalloc(n, bytes, gfp)
#define kvzalloc(bytes, gfp)		kzalloc(bytes, gfp)
#define kfree(p)			memory_put(p)
#define kvfree(p)			memory_put(p)

/* The one task there is, and whether it is being killed; no memory is kept for it. */
extern bool task_killed;

struct task_struct {
	unsigned int flags;
};

#define PF_KTHREAD			0
#define current				(&(struct task_struct){})
#define fatal_signal_pending(task)	((void)(task), task_killed)
#define freezing(task)			((void)(task), false)

#define WARN_ON_ONCE(condition)						\
({									\
	bool bad = (condition);						\
									\
	if (bad)							\
		abort();						\
	bad;								\
})

/**
 * struct machine - what the kernel has handed out, and what it refuses
 * @pages: pages handed out
 * @bytes: memory_get()
 * @asked: requests that may be refused
 * @refuse_from: number of the first that is refused, 0 for none
 * @refuse_to: number of the first that is not, again
 * @order_max: largest block of pages
 * @nodes: NUMA nodes
 * @node: the one that the task runs on
 * @scattered: pages that come one after the other do not lie so
 */
struct machine {
	long pages;
	long bytes;
	unsigned long asked;
	unsigned long refuse_from;
	unsigned long refuse_to;
	unsigned int order_max;
	unsigned int nodes;
	int node;
	bool scattered;
};

extern struct machine machine;

/* When it refuses memory it has none, and nothing to swap. */
static inline long si_mem_available(void)
{
	bool refuses = machine.refuse_from && machine.asked + 1 >= machine.refuse_from &&
		       machine.asked + 1 < machine.refuse_to;

	return refuses ? 0 : LONG_MAX;
}

#define get_nr_swap_pages()	0L

enum node_stat_item {
	NR_INACTIVE_ANON,
	NR_ACTIVE_ANON,
};

static inline unsigned long global_node_page_state(enum node_stat_item item)
{
	return 0;
}

#define MAX_NR_ZONES		1

struct zone {
	unsigned long watermark_boost;
};

struct pglist_data {
	struct zone node_zones[MAX_NR_ZONES];
};

#define NODE_DATA(node)		((void)(node), &(const struct pglist_data) {})
#define for_each_online_node(node) \
	for ((node) = 0; (node) < (int)machine.nodes; (node)++)

static inline long atomic_long_read(const atomic_long_t *v)
{
	return v->counter;
}

static inline long atomic_long_add_return(long i, atomic_long_t *v)
{
	return v->counter += i;
}

#define atomic_long_sub(i, v)	atomic_long_add_return(-(long)(i), v)

#define nr_online_nodes		machine.nodes
#define numa_mem_id()		machine.node

#endif /* GCHEAP_FUZZ_KERNEL_H */
