// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Each thread's slabs, from which it allocates without a system call.
 *
 * A thread has one cache for each heap that it allocates from; nobody else
 * touches it, so there are no locks.  For each class of size, scanned or not, it
 * holds a bin: the slots in a row that are being taken, the word of the current slab's
 * bitmap that they are of, the rest of that slab, and more slabs.  A slab that is used up
 * waits in the list of retired ones, and goes back to the kernel with the next REFILL.
 * To the kernel all slots of a slab count as allocated until it comes back; so
 * any order in which slots are taken here is right (which is best: gch_bin_take()).
 *
 *	thread.cache -> cache -> bins[] -> row, word, current slab, further slabs
 *			      -> retired slabs -> back[] -> REFILL, RELEASE
 *
 * So the thread knows, of what lies in its slabs, where each object begins and how large
 * it is, which is what it has allocated last.
 *
 * What the program frees goes back to the bitmap of its slab, when that is here: and so to the
 * bin that it is taken from next, be the slab used up by then.  That a slot was handed out
 * by this thread, the library knows; whether a collection has reclaimed it since then, and
 * it is freed for the second time, is known by the number of those that might have.
 *
 * The collector must not find slabs' addresses, which are those of their first
 * objects: caches lie in memory that is no root (memory.c), and so do the arrays
 * for the kernel.
 *
 * Fork: the slabs belong to the parent's threads.  A cache's memory is wiped in
 * the child, even after a bare fork or clone system call, and a cache full of
 * zeros is an empty one of no heap.  Caches of threads that are not there in the
 * child, or not the first in the list, are lost to it: address space only.
 * (A handler of a signal that interrupted an allocation must not fork and then
 * return to it in the child.)
 *
 * Recall: a collection takes slabs back from threads that do not use them.  The kernel
 * makes the ends and words of their bins zero and sets "revoked", between two instructions
 * of the thread; never while the cache is busy, which it is wherever slabs are handled
 * here.  So whoever enters the cache looks first, and forgets all slabs if need be.
 *
 * vfork: the child works on its parent's cache, which is right as far as slots
 * go; but REFILL refuses it, and RELEASE says EPERM.  Both leave the slabs as they
 * are, for the parent to go on with; so does each other error of RELEASE.  The child may
 * end at any instruction: so what is taken out of one place is put into the next only
 * afterwards, gch_cache_order(), and the parent may miss it, but not find it twice.
 *
 * A REFILL that fails may have taken slabs back before.  When nobody can tell, all are
 * forgotten: the kernel believes no stale bitmap against its marks, and finds them when
 * it collects.
 *
 * End of a thread: the destructor gives its slabs back with what is unused,
 * under the process's lock, as the heap may be being closed.  Destructors that
 * run after it allocate without a cache.
 *
 * Some caches of threads that have ended wait for others, which save themselves the
 * mapping and its page faults.
 *
 * End of a heap: a cache knows the heap's id; when the heap has another, the
 * cache is stale, and is unmapped by its thread when that sees it.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "cache.h"
#include "call.h"
#include "lock.h"
#include "memory.h"
#include "thread.h"
#include "trace.h"

/* To the kernel a bin is a struct gcheap_bin. */
_Static_assert(offsetof(struct gch_bin, next) == offsetof(struct gcheap_bin, next), "next");
_Static_assert(offsetof(struct gch_bin, end) == offsetof(struct gcheap_bin, end), "end");
_Static_assert(offsetof(struct gch_bin, word) == offsetof(struct gcheap_bin, word), "word");
_Static_assert(offsetof(struct gch_bin, base) == offsetof(struct gcheap_bin, base), "base");

/* To programs that were compiled with gcheap.h they all are what that says. */
_Static_assert(offsetof(struct gcheap, id) == offsetof(struct gcheap_inline_heap, id) &&
	       offsetof(struct gch_cache, id) == offsetof(struct gcheap_inline_cache, id), "id");
_Static_assert(offsetof(struct gcheap, bin_at) == offsetof(struct gcheap_inline_heap, bin_at) &&
	       sizeof(((struct gcheap *)0)->bin_at) ==
	       sizeof(((struct gcheap_inline_heap *)0)->bin_at), "bin_at");
_Static_assert(offsetof(struct gch_bin, next) == offsetof(struct gcheap_inline_bin, next) &&
	       offsetof(struct gch_bin, end) == offsetof(struct gcheap_inline_bin, end) &&
	       offsetof(struct gch_bin, object_size) ==
	       offsetof(struct gcheap_inline_bin, object_size) &&
	       sizeof(struct gch_bin) == sizeof(struct gcheap_inline_bin), "bin");

/* gcheap.bin_at has room for where the last one is. */
_Static_assert(offsetof(struct gch_cache, bins) + NR_BINS * sizeof(struct gch_bin) <= UINT16_MAX,
	       "bins");

__thread struct gch_thread gch_thread GCHEAP_TLS;

/* No heap has this id, open or closed. */
static const struct gcheap_inline_cache no_cache = { ~(__u64)0 };

__thread const struct gcheap_inline_cache *gcheap_cache_1 GCHEAP_TLS = &no_cache;

/* Made with the first heap of the process, under the lock. */
static pthread_key_t exit_key;
static bool exit_key_made;

/* Caches without slabs that wait for a thread, each in a place; small ones only */
#define IDLE_CACHES	8
#define IDLE_SLABS	(2 * GCH_BIN_SLABS)

static struct gch_cache *idle_caches[IDLE_CACHES];

/* The first bin from @from on that slabs were ever asked for, or NULL */
static struct gch_bin *bin_from(struct gch_cache *cache, unsigned int from)
{
	for (; from < NR_BINS; from = (from | 63) + 1) {
		const __u64 asked = cache->asked[from / 64] >> from % 64;

		if (asked)
			return &cache->bins[from + __builtin_ctzll(asked)];
	}
	return NULL;
}

static struct gch_bin *bin_first(struct gch_cache *cache)
{
	return bin_from(cache, 0);
}

static struct gch_bin *bin_next(struct gch_cache *cache, const struct gch_bin *bin)
{
	return bin_from(cache, bin - cache->bins + 1);
}

/* What the kernel is told of a heap that was closed is true no more, nor is it asked. */
static void cache_unmap(struct gch_cache *cache)
{
	gch_cache_set_busy(cache, 1);
	gch_unmap(cache, sizeof(*cache));
}

/* A new thread gets as little as any other at first. */
static void forget_wants(struct gch_cache *cache)
{
	struct gch_bin *bin;

	for (bin = bin_first(cache); bin; bin = bin_next(cache, bin))
		*bin = (struct gch_bin){};
	memset(cache->asked, 0, sizeof(cache->asked));
}

static bool cache_keep(struct gch_cache *cache)
{
	unsigned int i;

	if (cache->nr_slabs > IDLE_SLABS)
		return false;
	forget_wants(cache);
	cache->id = 0;
	cache->next = NULL;
	for (i = 0; i < IDLE_CACHES; i++) {
		struct gch_cache *none = NULL;

		if (__atomic_compare_exchange_n(&idle_caches[i], &none, cache, false,
						__ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* In a child of fork() they are wiped, which is as good. */
static struct gch_cache *cache_again(void)
{
	struct gch_cache *cache = NULL;
	unsigned int i;

	for (i = 0; !cache && i < IDLE_CACHES; i++)
		if (__atomic_load_n(&idle_caches[i], __ATOMIC_RELAXED))
			cache = __atomic_exchange_n(&idle_caches[i], NULL,
						    __ATOMIC_ACQUIRE);
	return cache;
}

static struct gch_cache *cache_map(void)
{
	struct gch_cache *cache;
	int saved = errno;

	cache = gch_map_own(sizeof(*cache));
	/* Few pages are ever touched: no 2 MiB for them. */
	if (cache)
		madvise(cache, sizeof(*cache), MADV_NOHUGEPAGE);
	errno = saved;
	return cache;
}

static struct gch_slab *slab_new(struct gch_cache *cache)
{
	struct gch_slab *slab = cache->spare;

	if (!slab)
		return &cache->slabs[cache->nr_slabs++];
	cache->spare = slab->next;
	return slab;
}

static void slab_retire(struct gch_cache *cache, struct gch_slab *slab)
{
	slab->next = cache->retired;
	gch_cache_order();
	cache->retired = slab;
}

/* Tell the kernel of retired slabs, as many as one call takes. */
static unsigned int back_fill(struct gch_cache *cache)
{
	struct gch_slab *slab;
	unsigned int n = 0;

	for (slab = cache->retired; slab && n < GCHEAP_RELEASE_MAX; slab = slab->next) {
		cache->back[n].start = slab->start;
		cache->back[n].free = slab->used_up ? 0 : (uintptr_t)slab->free;
		n++;
	}
	return n;
}

/* The kernel has taken the first @n retired slabs. */
static void back_done(struct gch_cache *cache, unsigned int n)
{
	while (n--) {
		struct gch_slab *slab = cache->retired;

		cache->retired = slab->next;
		slab->start = 0;
		slab->next = cache->spare;
		cache->spare = slab;
	}
}

/* The free slots in a row, as bits of the word that they are of */
static __u64 bin_row(const struct gch_bin *bin)
{
	__u64 first, nr;

	if (gch_bin_is_out(bin))
		return 0;
	first = (bin->next - bin->base) / bin->object_size;
	nr = (bin->end - bin->next) / bin->object_size;
	return ~(__u64)0 >> (64 - nr) << first;
}

/* The next of the slabs to go on with, or NULL */
static struct gch_slab *bin_pop(struct gch_bin *bin)
{
	struct gch_slab *slab = bin->more;

	if (slab)
		bin->more = slab->next;
	gch_cache_order();
	return slab;
}

/* One more to go on with, in no list */
static void bin_push(struct gch_bin *bin, struct gch_slab *slab)
{
	slab->next = bin->more;
	gch_cache_order();
	bin->more = slab;
}

/* Nothing is taken from the current slab any more. */
static void bin_stop(struct gch_bin *bin)
{
	bin->end = 0;
	gch_cache_order();
	bin->next = 0;
	bin->word = 0;
	gch_cache_order();
	bin->base = 0;
	bin->current = NULL;
	gch_cache_order();
}

/* Retire all that a bin has, with what is still unused in it. */
static void bin_empty(struct gch_cache *cache, struct gch_bin *bin)
{
	struct gch_slab *slab = bin->current;
	const __u64 unused = bin->word | bin_row(bin);

	/*
	 * A child of vfork() may have ended before it took the first word, and may end here: then
	 * there is not more in the bitmap than nobody has.
	 */
	if (slab && bin->next_word) {
		slab->free[bin->next_word - 1] = unused;
		gch_cache_order();
	}
	bin_stop(bin);
	if (slab)
		slab_retire(cache, slab);
	while ((slab = bin_pop(bin)))
		slab_retire(cache, slab);
}

/* The slabs are the kernel's, now or soon, which needs not be told. */
static void cache_forget(struct gch_cache *cache)
{
	struct gch_bin *bin;
	unsigned int i;

	for (bin = bin_first(cache); bin; bin = bin_next(cache, bin)) {
		bin_stop(bin);
		bin->more = NULL;
	}
	/* Nothing is found in them any more. */
	for (i = 0; i < cache->nr_slabs; i++)
		cache->slabs[i].start = 0;
	cache->retired = NULL;
	cache->spare = NULL;
	/* A child of vfork() may end here: no entry is to be there twice. */
	gch_cache_order();
	cache->nr_slabs = 0;
}

/**
 * gch_cache_enter() - begin to handle slabs
 * @cache: the calling thread's cache, of a heap that is open
 *
 * Until gch_cache_leave() none is recalled.
 */
void gch_cache_enter(struct gch_cache *cache)
{
	gch_cache_set_busy(cache, 1);
	if (!cache->told.revoked)
		return;
	cache_forget(cache);
	/* A child of vfork() may end in between: then its parent does it once more. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	cache->told.revoked = 0;
}

/* Give all slabs back; 1 when there were any, or 0; or what RELEASE says. */
static int flush_busily(struct gch_cache *cache)
{
	struct gcheap_ioc_release request = { .size = sizeof(request) };
	struct gch_bin *bin;
	unsigned int n;
	int err;

	for (bin = bin_first(cache); bin; bin = bin_next(cache, bin))
		bin_empty(cache, bin);
	if (!cache->retired)
		return 0;
	request.back = (uintptr_t)cache->back;
	do {
		n = back_fill(cache);
		request.nr_back = n;
		/* As in a child of vfork(): they are its parent's. */
		err = gch_call(cache->heap, GCHEAP_IOC_RELEASE, &request);
		if (err)
			return err;
		back_done(cache, n);
	} while (cache->retired);
	return 1;
}

static int cache_flush(struct gch_cache *cache)
{
	int err;

	gch_cache_enter(cache);
	err = flush_busily(cache);
	gch_cache_leave(cache);
	return err;
}

static void thread_exit(void *unused)
{
	struct gch_cache *cache;

	(void)unused;
	gch_thread.leaving = true;
	gcheap_cache_1 = &no_cache;
	while ((cache = gch_thread.cache)) {
		bool open;

		gch_thread.cache = cache->next;
		gch_lock(GCH_HEAPS);
		open = cache->id && gch_heap_is(cache->heap, cache->id);
		if (open)
			cache_flush(cache);
		gch_unlock(GCH_HEAPS);
		/* What could not be given back, the kernel looks for until we are gone. */
		if (open && cache->retired)
			continue;
		if (!open || !cache_keep(cache))
			cache_unmap(cache);
	}
}

/**
 * gch_cache_init() - get ready for caches
 *
 * The caller holds the lock.
 *
 * Return: 0, -EAGAIN or -ENOMEM.
 */
int gch_cache_init(void)
{
	int err;

	if (exit_key_made)
		return 0;
	err = pthread_key_create(&exit_key, thread_exit);
	if (err)
		return -err;
	exit_key_made = true;
	return 0;
}

/*
 * Take the thread's cache of a heap out of its list: that cache, or one that was
 * wiped, or NULL.  Stale ones on the way are unmapped.
 */
static struct gch_cache *cache_unlink(struct gcheap *heap)
{
	struct gch_cache **link = &gch_thread.cache;
	struct gch_cache *cache;

	gcheap_cache_1 = &no_cache;
	while ((cache = *link)) {
		if (!cache->id || gch_heap_is(heap, cache->id)) {
			*link = cache->next;
			return cache;
		}
		if (gch_heap_is(cache->heap, cache->id)) {
			link = &cache->next;
			continue;
		}
		*link = cache->next;
		cache_unmap(cache);
	}
	return NULL;
}

/**
 * gch_cache_get() - the calling thread's cache of a heap, first in its list
 * @heap: heap
 *
 * errno stays as it is.
 *
 * Return: the cache, or NULL when the thread cannot have one.
 */
struct gch_cache *gch_cache_get(struct gcheap *heap)
{
	struct gch_cache *cache;

	if (gch_thread.leaving)
		return NULL;
	cache = gch_thread.cache;
	if (likely(cache && cache->id && gch_heap_is(heap, cache->id))) {
		/* Another heap's may have been dropped. */
		gcheap_cache_1 = (const struct gcheap_inline_cache *)cache;
		return cache;
	}
	cache = cache_unlink(heap);
	if (!cache) {
		cache = cache_again();
		if (!cache)
			cache = cache_map();
		if (!cache)
			return NULL;
		if (pthread_setspecific(exit_key, &gch_thread)) {
			cache_unmap(cache);
			return NULL;
		}
	}
	cache->heap = heap;
	cache->told.bins = (uintptr_t)cache->bins;
	cache->told.stride = sizeof(*cache->bins);
	cache->told.nr_bins = NR_BINS;
	cache->told.heap = heap->base;
	cache->id = __atomic_load_n(&heap->id, __ATOMIC_RELAXED);
	cache->next = gch_thread.cache;
	gch_thread.cache = cache;
	gcheap_cache_1 = (const struct gcheap_inline_cache *)cache;
	return cache;
}

/* The thread's cache of a heap if it has one */
static struct gch_cache *cache_find(struct gcheap *heap)
{
	struct gch_cache *cache;

	for (cache = gch_thread.cache; cache && cache->id; cache = cache->next)
		if (gch_heap_is(heap, cache->id))
			return cache;
	return NULL;
}

/**
 * gch_cache_flush() - give all of the calling thread's slabs back
 * @heap: heap
 *
 * errno stays as it is.
 *
 * Return: 1 when there were any, else 0; -ENOMEM or another of RELEASE's: then the
 * thread still has them.
 */
int gch_cache_flush(struct gcheap *heap)
{
	struct gch_cache *cache = cache_find(heap);

	return cache ? cache_flush(cache) : 0;
}

/**
 * gch_cache_forget() - give none of the calling thread's slabs out any more
 * @heap: heap that takes them back, or has done so
 */
void gch_cache_forget(struct gcheap *heap)
{
	struct gch_cache *cache = cache_find(heap);

	if (!cache)
		return;
	gch_cache_enter(cache);
	cache_forget(cache);
	gch_cache_leave(cache);
}

/**
 * gch_cache_flush_all() - give all of the calling thread's slabs of all heaps back
 * @heap: heap that is about to take back its own
 *
 * Should it be another heap after all (call.c), then no slots are handed out
 * from slabs that the thread does not know to be gone.
 *
 * errno stays as it is.
 *
 * Return: as gch_cache_flush().
 */
int gch_cache_flush_all(struct gcheap *heap)
{
	const int had = gch_cache_flush(heap);
	struct gch_cache *cache = gch_thread.cache;

	if (!cache || !cache->next)
		return had;
	/* Others may be being closed. */
	gch_lock(GCH_HEAPS);
	for (; cache; cache = cache->next)
		if (cache->id && cache->heap != heap && gch_heap_is(cache->heap, cache->id))
			cache_flush(cache);
	gch_unlock(GCH_HEAPS);
	return had;
}

static const struct gch_class *class_of(const struct gch_cache *cache,
					const struct gch_slab *slab)
{
	return &cache->heap->classes[slab->bin / 2];
}

/* Whether an address is in one of a slab's slots, and which */
static bool slab_has(const struct gch_cache *cache, const struct gch_slab *slab, __u64 address,
		     __u32 *slot)
{
	const struct gch_class *class = class_of(cache, slab);
	const __u64 offset = address - slab->start;

	if (offset >= class->slab_size)
		return false;
	*slot = (__u32)offset / class->object_size;
	return *slot < class->slots;
}

/* The slab with a slot that an address is in, if it is found at once, or NULL */
static struct gch_slab *slab_at(const struct gch_cache *cache, __u64 address, __u32 *slot)
{
	struct gch_slab *slab = cache->by_page[address / GCH_PAGE_SIZE % GCH_PAGES];

	return slab && slab_has(cache, slab, address, slot) ? slab : NULL;
}

/* What a cache, which is busy, tells of an object */
static bool find_busily(const struct gch_cache *cache, struct gcheap_ioc_object *object)
{
	const struct gch_class *class;
	const struct gch_slab *slab;
	__u32 slot;

	slab = slab_at(cache, object->address, &slot);
	if (!slab)
		return false;
	class = class_of(cache, slab);
	object->start = slab->start + slot * class->object_size;
	object->usable = class->object_size;
	object->flags = slab->bin % 2 ? GCHEAP_NOSCAN : 0;
	return true;
}

/**
 * gch_cache_find() - what the calling thread knows of an object
 * @heap: heap
 * @object: in: address; out: as GCHEAP_IOC_OBJECT, when it is known
 *
 * As long as a slab is the thread's, it stays what it is, and all of its slots count
 * as allocated.
 *
 * Return: true when it is known; else the kernel may know.
 */
bool gch_cache_find(struct gcheap *heap, struct gcheap_ioc_object *object)
{
	struct gch_cache *cache = cache_find(heap);
	bool known;

	if (!cache)
		return false;
	gch_cache_enter(cache);
	known = find_busily(cache, object);
	gch_cache_leave(cache);
	return known;
}

/*
 * The number of collections that may have reclaimed something in a thread's slabs; another
 * one each time where that cannot be known.
 */
static __u64 sweeps_now(const struct gcheap *heap)
{
	static __u64 never_the_same;

	if (!heap->page)
		return __atomic_add_fetch(&never_the_same, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&heap->page->sweeps, __ATOMIC_RELAXED);
}

static __u64 bit_of(__u32 slot)
{
	return (__u64)1 << slot % 64;
}

/*
 * The word of its bitmap is the bin's just now.  A child of vfork() may have ended in
 * bin_advance() before that was so: then what the bin has for its base is another word's.
 */
static bool is_at_hand(const struct gch_bin *bin, const struct gch_slab *slab, __u32 slot)
{
	return slab == bin->current && bin->next_word && slot / 64 == bin->next_word - 1u &&
	       bin->base == slab->start + (__u64)(slot / 64) * 64 * bin->object_size;
}

/* Is it the next one's who allocates, or nobody's any more? */
static bool slot_is_free(const struct gch_cache *cache, const struct gch_slab *slab, __u32 slot)
{
	const struct gch_bin *bin = &cache->bins[slab->bin];
	__u64 free = slab->free[slot / 64];

	if (is_at_hand(bin, slab, slot))
		free = bin->word | bin_row(bin);
	return free & bit_of(slot);
}

/* A slab that was used up is so no more.  After a vfork() it may be in no list. */
static void slab_revive(struct gch_cache *cache, struct gch_slab *slab)
{
	struct gch_slab **link = &cache->retired;

	while (*link && *link != slab)
		link = &(*link)->next;
	if (!*link)
		return;
	slab->used_up = false;
	*link = slab->next;
	gch_cache_order();
	bin_push(&cache->bins[slab->bin], slab);
}

/* The program is done with the slot, and it is zero. */
static void slot_put(struct gch_cache *cache, struct gch_slab *slab, __u32 slot)
{
	struct gch_bin *bin = &cache->bins[slab->bin];

	slab->free[slot / 64] |= bit_of(slot);
	gch_cache_order();
	if (is_at_hand(bin, slab, slot))
		bin->word |= bit_of(slot);
	else if (slab == bin->current && slot / 64 < bin->next_word)
		slab->again = true;
	else if (slab->used_up)
		slab_revive(cache, slab);
}

/* To be called with a slot that nobody has reclaimed, and that is not free. */
static void slot_free(struct gch_cache *cache, struct gch_slab *slab, __u32 slot, void *object)
{
	memset(object, 0, class_of(cache, slab)->object_size);
	slot_put(cache, slab, slot);
	/* Until here it is in a register or on the stack, for the collector to find. */
	__asm__ __volatile__("" : : "r" (object) : "memory");
}

/* Objects that the kernel is to be asked about at a time */
#define ASKED		64u

/**
 * struct asking - what only the kernel knows
 * @cache: the calling thread's cache, which is busy, or NULL
 * @heap: heap
 * @nr: how many objects
 * @done: how many objects were freed
 * @objects: their addresses, on the stack, where the collector finds them
 * @results: what has become of them
 */
struct asking {
	struct gch_cache *cache;
	struct gcheap *heap;
	__u32 nr;
	size_t done;
	void *objects[ASKED];
	__u8 results[ASKED];
};

/* The slab of an object, which is the thread's, wherever it is known; or NULL */
static struct gch_slab *slab_search(struct gch_cache *cache, __u64 address, __u32 *slot)
{
	struct gch_slab *slab = slab_at(cache, address, slot);
	__u32 i;

	for (i = 0; !slab && i < cache->nr_slabs; i++)
		if (cache->slabs[i].start && slab_has(cache, &cache->slabs[i], address, slot))
			slab = &cache->slabs[i];
	return slab;
}

/* The kernel has said that it is a slot of this thread's, and in use.  Not if named twice. */
static bool free_own(struct gch_cache *cache, void *object)
{
	struct gch_slab *slab;
	__u32 slot;

	slab = cache ? slab_search(cache, (uintptr_t)object, &slot) : NULL;
	/* As in a child of vfork() it is a collection's business. */
	if (!slab)
		return true;
	if (slot_is_free(cache, slab, slot))
		return false;
	slab->came[slot / 64] |= bit_of(slot);
	slot_free(cache, slab, slot, object);
	return true;
}

static int ask(struct asking *a)
{
	struct gcheap_ioc_free request = {
		.size = sizeof(request),
		.nr = a->nr,
		.objects = (uintptr_t)a->objects,
		.results = (uintptr_t)a->results,
	};
	__u32 i;
	int err;

	if (!a->nr)
		return 0;
	err = gch_call(a->heap, GCHEAP_IOC_FREE, &request);
	if (err)
		return err;
	for (i = 0; i < a->nr; i++) {
		const bool own = a->results[i] == GCHEAP_FREE_YOURS;

		if (own ? free_own(a->cache, a->objects[i]) :
			  a->results[i] != GCHEAP_FREE_NONE)
			a->done++;
	}
	a->nr = 0;
	return 0;
}

/* Free it without the kernel.  False: that needs to be asked. */
static bool free_here(struct asking *a, void *object)
{
	const __u64 address = (uintptr_t)object;
	struct gch_cache *cache = a->cache;
	struct gch_slab *slab;
	__u32 slot;

	if (address - a->heap->base >= a->heap->size)
		return true;
	slab = cache ? slab_at(cache, address, &slot) : NULL;
	if (!slab)
		return false;
	if ((address - slab->start) % class_of(cache, slab)->object_size ||
	    slot_is_free(cache, slab, slot))
		return true;
	if (!(slab->came[slot / 64] & bit_of(slot)) || slab->sweeps != sweeps_now(a->heap))
		return false;
	slot_free(cache, slab, slot, object);
	a->done++;
	return true;
}

static int free_busily(struct asking *a, void *const *objects, size_t count)
{
	int err = 0;

	for (; count && !err; objects++, count--) {
		if (!*objects) {
			a->done++;
			continue;
		}
		if (free_here(a, *objects))
			continue;
		a->objects[a->nr++] = *objects;
		if (a->nr == ASKED)
			err = ask(a);
	}
	return err ? err : ask(a);
}

/**
 * gch_cache_free() - the program is done with objects
 * @heap: heap
 * @objects: array of their addresses; NULL for none
 * @count: length of the array
 * @done: out: how many of them were objects, or NULL pointers
 *
 * errno stays as it is.
 *
 * Return: 0; or as gch_call(): then some that come last were not freed.
 */
int gch_cache_free(struct gcheap *heap, void *const *objects, size_t count, size_t *done)
{
	struct asking a;
	int err;

	a.cache = cache_find(heap);
	a.heap = heap;
	a.nr = 0;
	a.done = 0;
	if (a.cache)
		gch_cache_enter(a.cache);
	err = free_busily(&a, objects, count);
	if (a.cache)
		gch_cache_leave(a.cache);
	*done = a.done;
	return err;
}

/**
 * gch_cache_drop() - end the calling thread's cache
 * @heap: heap that is about to be closed; the caller holds the lock
 */
void gch_cache_drop(struct gcheap *heap)
{
	struct gch_cache *cache = cache_find(heap);

	if (!cache)
		return;
	cache_flush(cache);
	cache_unmap(cache_unlink(heap));
}

/*
 * Go on to the next word of the bin's slabs that has free slots, and to the first in a row
 * there.  Only now, with all its slots in the program's hands, is the kernel told of the
 * last word.
 */
static bool bin_advance(struct gch_cache *cache, struct gch_bin *bin)
{
	struct gch_slab *slab;

	for (;;) {
		slab = bin->current;
		if (slab && bin->next_word) {
			slab->free[bin->next_word - 1] = 0;
			gch_cache_order();
			/* What is freed there from now on is not behind the bin. */
			bin->base = 0;
			gch_cache_order();
		}
		while (slab && bin->next_word < bin->words) {
			const __u32 i = bin->next_word++;

			if (!slab->free[i])
				continue;
			bin->end = 0;
			bin->base = slab->start + (__u64)i * 64 * bin->object_size;
			gch_cache_order();
			bin->word = slab->free[i];
			gch_bin_next_row(bin);
			return true;
		}
		bin->current = NULL;
		gch_cache_order();
		if (slab && slab->again) {
			slab->again = false;
			bin_push(bin, slab);
		} else if (slab) {
			slab->used_up = true;
			slab_retire(cache, slab);
		}
		slab = bin_pop(bin);
		if (!slab)
			return false;
		bin->next_word = 0;
		gch_cache_order();
		bin->current = slab;
	}
}

/*
 * More slabs the faster the thread allocates: twice as many with each REFILL
 * after the first one since a collection, and half as many when there was only
 * one in a whole cycle.
 */
static unsigned int bin_want(const struct gch_cache *cache, struct gch_bin *bin,
			     const struct gch_class *class)
{
	unsigned int want = bin->want;

	if (bin->cycle != (__u32)cache->cycle) {
		if (bin->refills < 2)
			want /= 2;
		bin->cycle = cache->cycle;
		bin->refills = 0;
	} else {
		want *= 2;
	}
	if (bin->refills < 2)
		bin->refills++;
	if (want > class->want_max)
		want = class->want_max;
	bin->want = want ? want : 1;
	return bin->want;
}

/* Where the kernel finds the bitmaps of slabs to come: nothing is taken there. */
static void bin_offer(struct gch_cache *cache, unsigned int want)
{
	unsigned int i;

	for (i = 0; i < want; i++) {
		struct gch_slab *slab = slab_new(cache);

		memset(slab->free, 0xff, sizeof(slab->free));
		cache->offered[i] = slab;
		cache->live[i] = (uintptr_t)slab->free;
	}
}

/* Entries for slabs that did not come. */
static void bin_offered(struct gch_cache *cache, unsigned int from, unsigned int want)
{
	for (; from < want; from++) {
		cache->offered[from]->next = cache->spare;
		cache->spare = cache->offered[from];
	}
}

/* What lies in the slab is found from now on: see gch_cache_find(). */
static void slab_enter(struct gch_cache *cache, struct gch_slab *slab, __u32 bytes)
{
	__u64 page = slab->start / GCH_PAGE_SIZE;
	const __u64 end = page + bytes / GCH_PAGE_SIZE;

	for (; page < end; page++)
		cache->by_page[page % GCH_PAGES] = slab;
}

/* Fill a bin with the slabs that the kernel gave, in their order. */
static void bin_stock(struct gch_cache *cache, struct gch_bin *bin,
		      const struct gch_class *class, unsigned int got)
{
	bin->object_size = class->object_size;
	bin->words = class->words;
	while (got--) {
		const struct gcheap_slab *from = &cache->arrived[got];
		struct gch_slab *slab = cache->offered[got];

		slab->start = from->start;
		slab->bin = bin - cache->bins;
		slab->used_up = false;
		slab->again = false;
		slab->sweeps = sweeps_now(cache->heap);
		memcpy(slab->came, from->free, sizeof(slab->came));
		memcpy(slab->free, from->free, sizeof(slab->free));
		bin_push(bin, slab);
		slab_enter(cache, slab, class->slab_size);
	}
}

/*
 * The kernel may have taken back what a REFILL named that failed, or not come so far.
 * RELEASE tells, which takes all or nothing.
 */
static void back_after_error(struct gch_cache *cache, unsigned int n)
{
	struct gcheap_ioc_release request = {
		.size = sizeof(request),
		.nr_back = n,
		.back = (uintptr_t)cache->back,
	};
	int err = gch_call(cache->heap, GCHEAP_IOC_RELEASE, &request);

	if (!err || err == -EPERM)
		back_done(cache, n);
	else
		cache_forget(cache);
}

/*
 * Bins are filled when they are empty, for which there is room; but slabs that were used up
 * come back to theirs when objects in them are freed.  If there are too many, all go back.
 */
static int make_room(struct gch_cache *cache)
{
	unsigned int room = NR_SLABS - cache->nr_slabs;
	const struct gch_slab *slab;
	int err;

	for (slab = cache->spare; slab && room < GCH_BIN_SLABS; slab = slab->next)
		room++;
	if (room >= GCH_BIN_SLABS)
		return 0;
	err = flush_busily(cache);
	if (err < 0)
		return err == -EPERM ? -EBUSY : err;
	/* There are others than those, which children of vfork() had that ended. */
	cache_forget(cache);
	return 0;
}

/* Get slabs for an empty bin; whatever is retired goes back on the way. */
static int bin_refill(struct gch_cache *cache, struct gch_bin *bin)
{
	const unsigned int index = bin - cache->bins;
	const struct gch_class *class = &cache->heap->classes[index / 2];
	struct gcheap_ioc_refill request = {
		.size = sizeof(request),
		.flags = index % 2 ? GCHEAP_NOSCAN : 0,
		.class_index = index / 2,
		.want = bin_want(cache, bin, class),
		.nr_back = back_fill(cache),
		.slabs = (uintptr_t)cache->arrived,
		.back = (uintptr_t)cache->back,
		.live = (uintptr_t)cache->live,
		.cache = (uintptr_t)&cache->told,
	};
	int err;

	cache->asked[index / 64] |= (__u64)1 << index % 64;
	bin_offer(cache, request.want);
	err = gch_call(cache->heap, GCHEAP_IOC_REFILL, &request);
	bin_offered(cache, err ? 0 : request.got, request.want);
	/* In a child of vfork() they are its parent's. */
	if (err && err != -EBUSY && request.nr_back)
		back_after_error(cache, request.nr_back);
	if (err)
		return err;
	back_done(cache, request.nr_back);
	bin_stock(cache, bin, class, request.got);
	cache->cycle = request.cycle;
	gch_trace(cache->heap, request.cycle);
	return 0;
}

/**
 * gch_cache_row() - find a bin free slots in a row without a system call
 * @cache: the calling thread's cache, which is busy and has not been revoked
 * @bin: bin of it
 *
 * Return: false when it has none.
 */
bool gch_cache_row(struct gch_cache *cache, struct gch_bin *bin)
{
	if (!gch_bin_is_out(bin))
		return true;
	if (!bin->word)
		return bin_advance(cache, bin);
	gch_bin_next_row(bin);
	return true;
}

/**
 * gch_cache_fill() - make sure that a bin has free slots in a row
 * @cache: the calling thread's cache, after gch_cache_enter()
 * @bin: bin of it, which is of a class
 *
 * errno stays as it is.
 *
 * Return: 0, -ENOMEM, -EBUSY in a child of vfork(), or as gch_fd_of().
 */
int gch_cache_fill(struct gch_cache *cache, struct gch_bin *bin)
{
	int err;

	if (gch_cache_row(cache, bin))
		return 0;
	err = make_room(cache);
	if (!err)
		err = bin_refill(cache, bin);
	if (err)
		return err;
	return bin_advance(cache, bin) ? 0 : -ENOMEM;
}
