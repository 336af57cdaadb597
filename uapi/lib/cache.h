/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Each thread's slabs, from which it allocates without a system call. */
#ifndef GCH_CACHE_H
#define GCH_CACHE_H

#include <stdalign.h>

#include "heap.h"
#include "thread.h"

/* Scanned and not; the last two, of no class, are always empty. */
#define NR_BINS		(2 * (GCH_CLASSES_MAX + 1))
_Static_assert(!(NR_BINS % 64), "gch_cache.asked");

/*
 * Slabs in all bins and retired ones, and room for those that a REFILL may
 * bring: a bin is filled when it is empty, and the retired ones go back before.  Where
 * they come back to their bins, as objects in them are freed, all are given back in time.
 */
#define NR_SLABS	((NR_BINS + 1) * GCH_BIN_SLABS)

/* Slabs are found by the page that an address lies in, modulo so many. */
#define GCH_PAGES	256u
#define GCH_PAGE_SIZE	4096u

/**
 * struct gch_slab - a slab that the thread owns
 * @next: in the list that it is in
 * @start: address of its first slot, 0 when the entry stands for no slab
 * @bin: index of its bin
 * @used_up: no bit is left in @free
 * @again: as the current slab: there are bits in @free in words that were passed already
 * @free: slots to take, from its bin's @next_word on.  The kernel reads it too: a
 *	bit is only cleared when its slot is in the program's hands
 * @came: slots that came as free, or that the program has freed since by a call
 * @sweeps: gcheap_stats_page.sweeps when they came
 */
struct gch_slab {
	struct gch_slab *next;
	__u64 start;
	__u16 bin;
	bool used_up;
	bool again;
	__u64 free[GCHEAP_SLAB_WORDS];
	__u64 came[GCHEAP_SLAB_WORDS];
	__u64 sweeps;
};

/**
 * struct gch_bin - what a thread has of one class
 * @next: free slots in a row: address of the first.  To the kernel these four are a
 *	struct gcheap_bin
 * @end: address where they end; not above @next when there are none
 * @word: further free slots among the 64 from @base on
 * @base: address of the slot of @word's lowest bit
 * @object_size: bytes of a slot.  To gcheap.h's inline functions a struct
 *	gcheap_inline_bin ends here
 * @current: slab that @word is of, or NULL
 * @more: slabs to go on with
 * @cycle: collection that was the last one at the last REFILL, its lower bits
 * @next_word: index of the word that follows @word in @current
 * @words: words of the slabs' bitmaps in use
 * @want: slabs to ask for in the next REFILL
 * @refills: REFILLs since the collection @cycle
 */
struct gch_bin {
	alignas(64) __u64 next;
	__u64 end;
	__u64 word;
	__u64 base;
	__u64 object_size;
	struct gch_slab *current;
	struct gch_slab *more;
	__u32 cycle;
	__u8 next_word;
	__u8 words;
	__u8 want;
	__u8 refills;
};

/**
 * struct gch_cache - a thread's slabs of one heap
 * @id: id of the heap, 0 when wiped.  gcheap.h's inline functions look at it, too
 * @told: what the kernel knows of it
 * @heap: heap
 * @next: the thread's next cache
 * @retired: slabs to give back
 * @spare: entries of @slabs not in use, that once were
 * @cycle: last collection that the thread heard of
 * @nr_slabs: entries of @slabs that ever were in use
 * @asked: bins that slabs were ever asked for
 * @bins: the bins; two for each class
 * @live: argument for the kernel: the bitmaps of @offered
 * @offered: entries of @slabs for new slabs
 * @by_page: for a page of the heap the slab that came last with such a page, of all
 *	pages that are the same modulo GCH_PAGES; the thread may have given it back
 * @arrived: argument for the kernel: new slabs
 * @slabs: what the lists are made of
 * @back: argument for the kernel: the retired slabs
 *
 * What a thread's first allocation touches lies on few pages.
 */
struct gch_cache {
	__u64 id;
	struct gcheap_cache told;
	struct gcheap *heap;
	struct gch_cache *next;
	struct gch_slab *retired;
	struct gch_slab *spare;
	__u64 cycle;
	__u32 nr_slabs;
	__u64 asked[NR_BINS / 64];
	struct gch_bin bins[NR_BINS];
	__u64 live[GCH_BIN_SLABS];
	struct gch_slab *offered[GCH_BIN_SLABS];
	struct gch_slab *by_page[GCH_PAGES];
	struct gcheap_slab arrived[GCH_BIN_SLABS];
	struct gch_slab slabs[NR_SLABS];
	struct gcheap_slab_return back[GCHEAP_RELEASE_MAX];
};

int gch_cache_init(void);
struct gch_cache *gch_cache_get(struct gcheap *heap);
void gch_cache_enter(struct gch_cache *cache);
bool gch_cache_row(struct gch_cache *cache, struct gch_bin *bin);
int gch_cache_fill(struct gch_cache *cache, struct gch_bin *bin);
int gch_cache_flush(struct gcheap *heap);
int gch_cache_flush_all(struct gcheap *heap);
void gch_cache_forget(struct gcheap *heap);
void gch_cache_drop(struct gcheap *heap);
bool gch_cache_find(struct gcheap *heap, struct gcheap_ioc_object *object);
int gch_cache_free(struct gcheap *heap, void *const *objects, size_t count, size_t *done);

/**
 * gch_cache_bin() - the bin that serves a size
 * @cache: the thread's cache of @heap
 * @heap: heap
 * @size: bytes, at most GCH_SMALL_MAX
 * @flags: GCHEAP_NOSCAN or zero
 *
 * Return: the bin, which is of no class when @size is above the heap's max_small.
 */
static inline struct gch_bin *gch_cache_bin(struct gch_cache *cache, const struct gcheap *heap,
					    size_t size, unsigned int flags)
{
	const size_t steps = (size + GCH_SIZE_STEP - 1) / GCH_SIZE_STEP;
	/* GCHEAP_NOSCAN is 1: the bin after. */
	const size_t at = heap->bin_at[steps] + flags * sizeof(struct gch_bin);

	return (struct gch_bin *)((char *)cache + at);
}

/**
 * gch_cache_order() - what was written before is written before what comes
 *
 * A child of vfork() may end at any instruction, and leaves its parent a cache in which no
 * slot may be found twice, but some may be lost.
 */
static inline void gch_cache_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/**
 * gch_cache_set_busy() - say whether the calling thread handles its slabs
 * @cache: cache
 * @busy: 1 when it does, 0 when it does not
 *
 * The kernel sees the thread's memory as a signal handler of its own would.
 */
static inline void gch_cache_set_busy(struct gch_cache *cache, __u32 busy)
{
	gch_cache_order();
	__atomic_store_n(&cache->told.busy, busy, __ATOMIC_RELAXED);
	gch_cache_order();
}

/**
 * gch_cache_leave() - the calling thread is done with its cache
 * @cache: cache, after gch_cache_enter()
 *
 * From here on its slabs may be recalled.
 */
static inline void gch_cache_leave(struct gch_cache *cache)
{
	gch_cache_set_busy(cache, 0);
}

/**
 * gch_bin_take() - take a slot
 * @bin: bin of the thread's cache
 * @slot: out: its address
 *
 * The next one of those in a row.  A pointer on a stack keeps the object before it in
 * memory as well, as it may be all that a compiler has of one that ends there.  So that is
 * the one that was allocated before; were it the next, the header of a queue, which is
 * allocated first, would keep all that ever went through the queue.
 *
 * A single instruction takes the slot and puts its address into a register, where the
 * collector finds it.  When slabs are recalled before, @end is zero after it, and if
 * that happens in between, the slot that nobody gets is garbage.
 *
 * Return: false when there is none in the row.
 */
static inline bool gch_bin_take(struct gch_bin *bin, __u64 *slot)
{
	__u64 was = bin->object_size;

	/* Where gcheap_alloc() returns it, so that it need not be moved there. */
	__asm__ __volatile__("xaddq %0, %1" : "+a" (was), "+m" (bin->next) : : "memory", "cc");
	*slot = was;
	return was < bin->end;
}

/**
 * gch_bin_is_out() - whether a bin has no free slots in a row
 * @bin: bin of a cache that is busy
 *
 * Return: true when it does not have any.
 */
static inline bool gch_bin_is_out(const struct gch_bin *bin)
{
	return bin->next >= bin->end;
}

/**
 * gch_bin_next_row() - go on with the next free slots in a row
 * @bin: bin of a cache that is busy, which is out, with a word that is not empty
 */
static inline void gch_bin_next_row(struct gch_bin *bin)
{
	const __u64 word = bin->word;
	/* The lowest bits in a row are zero here, and the one above them is set. */
	const __u64 above = word + (word & -word);
	const __u32 end = above ? __builtin_ctzll(above) : 64;

	bin->end = 0;
	gch_cache_order();
	bin->word = word & above;
	bin->next = bin->base + __builtin_ctzll(word) * bin->object_size;
	gch_cache_order();
	bin->end = bin->base + end * bin->object_size;
}

#endif /* GCH_CACHE_H */
