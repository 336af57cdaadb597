// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Each thread's slabs, from which it allocates without a system call.
 *
 * A thread has one cache for each heap that it allocates from; nobody else
 * touches it, so there are no locks.  For each class of size, scanned or not, it
 * holds a bin: the word of the current slab's bitmap from which slots are being
 * taken, the rest of that slab, and more slabs.  A slab that is used up waits in
 * the list of retired ones, and goes back to the kernel with the next REFILL.
 * To the kernel all slots of a slab count as allocated until it comes back; so
 * the order in which a slot is taken here does not matter.
 *
 *	thread.cache -> cache -> bins[] -> word, current slab, further slabs
 *			      -> retired slabs -> back[] -> REFILL, RELEASE
 *
 * The collector must not find slabs' addresses, which are those of their first
 * objects: caches lie in anonymous memory of their own, which is no root, and
 * so do the arrays for the kernel.
 *
 * Fork: the slabs belong to the parent's threads.  A cache's memory is wiped in
 * the child, even after a bare fork or clone system call, and a cache full of
 * zeros is an empty one of no heap.  Caches of threads that are not there in the
 * child, or not the first in the list, are lost to it: address space only.
 * (A handler of a signal that interrupted an allocation must not fork and then
 * return to it in the child.)
 *
 * vfork: the child works on its parent's cache, which is right as far as slots
 * go; but REFILL refuses it, and RELEASE says EPERM.  Both leave the cache as it
 * is, for the parent to go on with.
 *
 * End of a thread: the destructor gives its slabs back with what is unused,
 * under the process's lock, as the heap may be being closed.  Destructors that
 * run after it allocate without a cache.
 *
 * End of a heap: a cache knows the heap's id; when the heap has another, the
 * cache is stale, and is unmapped by its thread when that sees it.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "cache.h"
#include "lock.h"
#include "thread.h"
#include "trace.h"

/* Scanned and not */
#define NR_BINS		(2 * GCH_CLASSES_MAX)

/*
 * Slabs in all bins and retired ones.  Never more: a bin is filled when it is
 * empty, and the retired ones go back before.
 */
#define NR_SLABS	(NR_BINS * GCH_BIN_SLABS)

/**
 * struct gch_slab - a slab that the thread owns
 * @next: in the list that it is in
 * @start: address of its first slot
 * @used_up: no bit is left in @free
 * @free: slots to take, from its bin's @next_word on
 */
struct gch_slab {
	struct gch_slab *next;
	__u64 start;
	bool used_up;
	__u64 free[GCHEAP_SLAB_WORDS];
};

/**
 * struct gch_bin - what a thread has of one class
 * @word: free slots among the 64 from @base on
 * @base: address of the slot of @word's lowest bit
 * @object_size: bytes of a slot
 * @next_word: index of the word that follows @word in @current
 * @words: words of the slabs' bitmaps in use
 * @want: slabs to ask for in the next REFILL
 * @refills: REFILLs since the collection @cycle
 * @current: slab that @word is of, or NULL
 * @more: slabs to go on with
 * @cycle: collection that was the last one at the last REFILL
 */
struct gch_bin {
	__u64 word;
	__u64 base;
	__u32 object_size;
	__u32 next_word;
	__u32 words;
	__u16 want;
	__u16 refills;
	struct gch_slab *current;
	struct gch_slab *more;
	__u64 cycle;
} __attribute__((aligned(64)));

/**
 * struct gch_cache - a thread's slabs of one heap
 * @id: id of the heap, 0 when wiped
 * @heap: heap
 * @next: the thread's next cache
 * @retired: slabs to give back
 * @spare: entries of @slabs not in use, that once were
 * @nr_slabs: entries of @slabs that ever were in use
 * @cycle: last collection that the thread heard of
 * @bins: the bins; two for each class
 * @back: argument for the kernel: the retired slabs
 * @arrived: argument for the kernel: new slabs
 * @slabs: what the lists are made of
 */
struct gch_cache {
	__u64 id;
	struct gcheap *heap;
	struct gch_cache *next;
	struct gch_slab *retired;
	struct gch_slab *spare;
	__u32 nr_slabs;
	__u64 cycle;
	struct gch_bin bins[NR_BINS];
	struct gcheap_slab_return back[GCHEAP_RELEASE_MAX];
	struct gcheap_slab arrived[GCH_BIN_SLABS];
	struct gch_slab slabs[NR_SLABS];
};

__thread struct gch_thread gch_thread GCH_TLS;

/* Made with the first heap of the process, under the lock. */
static pthread_key_t exit_key;
static bool exit_key_made;

static void cache_unmap(struct gch_cache *cache)
{
	munmap(cache, sizeof(*cache));
}

static struct gch_cache *cache_map(void)
{
	struct gch_cache *cache;
	int saved = errno;

	cache = mmap(NULL, sizeof(*cache), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cache == MAP_FAILED) {
		cache = NULL;
	} else if (madvise(cache, sizeof(*cache), MADV_WIPEONFORK)) {
		cache_unmap(cache);
		cache = NULL;
	} else {
		/* Few pages are ever touched: no 2 MiB for them. */
		madvise(cache, sizeof(*cache), MADV_NOHUGEPAGE);
	}
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
		slab->next = cache->spare;
		cache->spare = slab;
	}
}

/* Retire all that a bin has, with what is still unused in it. */
static void bin_empty(struct gch_cache *cache, struct gch_bin *bin)
{
	struct gch_slab *slab = bin->current;

	if (slab) {
		slab->free[bin->next_word - 1] = bin->word;
		slab_retire(cache, slab);
	}
	while ((slab = bin->more)) {
		bin->more = slab->next;
		slab_retire(cache, slab);
	}
	bin->word = 0;
	bin->current = NULL;
}

/* Give all slabs back; false when the thread had none, or may not. */
static bool cache_flush(struct gch_cache *cache)
{
	struct gcheap_ioc_release request = { .size = sizeof(request) };
	unsigned int i, n;

	for (i = 0; i < 2 * cache->heap->class_count; i++)
		bin_empty(cache, &cache->bins[i]);
	if (!cache->retired)
		return false;
	request.back = (uintptr_t)cache->back;
	do {
		n = back_fill(cache);
		request.nr_back = n;
		/* EPERM: a child of vfork(), and they are its parent's. */
		if (gch_call(cache->heap, GCHEAP_IOC_RELEASE, &request) == -EPERM)
			return false;
		back_done(cache, n);
	} while (cache->retired);
	return true;
}

static void thread_exit(void *unused)
{
	struct gch_cache *cache;

	(void)unused;
	gch_thread.leaving = true;
	while ((cache = gch_thread.cache)) {
		gch_thread.cache = cache->next;
		gch_lock();
		if (cache->id && gch_heap_is(cache->heap, cache->id))
			cache_flush(cache);
		gch_unlock();
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

/* The thread's cache of a heap, first in its list; NULL when it can't have one. */
static struct gch_cache *cache_get(struct gcheap *heap)
{
	struct gch_cache *cache;

	if (gch_thread.leaving)
		return NULL;
	cache = cache_unlink(heap);
	if (!cache) {
		cache = cache_map();
		if (!cache)
			return NULL;
		if (pthread_setspecific(exit_key, &gch_thread)) {
			cache_unmap(cache);
			return NULL;
		}
	}
	cache->heap = heap;
	cache->id = atomic_load_explicit(&heap->id, memory_order_relaxed);
	cache->next = gch_thread.cache;
	gch_thread.cache = cache;
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
 * Return: true when there were any.
 */
bool gch_cache_flush(struct gcheap *heap)
{
	struct gch_cache *cache = cache_find(heap);

	return cache && cache_flush(cache);
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

static inline struct gch_bin *cache_bin(struct gch_cache *cache, const struct gcheap *heap,
					size_t size, unsigned int flags)
{
	const size_t steps = (size + GCH_SIZE_STEP - 1) / GCH_SIZE_STEP;

	/* GCHEAP_NOSCAN is 1, and the bin after. */
	return &cache->bins[heap->bin_of[steps] + flags];
}

/* A slot from a bin whose word is not empty */
static inline void *bin_take(struct gch_bin *bin)
{
	const __u64 word = bin->word;

	bin->word = word & (word - 1);
	return (void *)(uintptr_t)(bin->base + (unsigned int)__builtin_ctzll(word) * bin->object_size);
}

/* Go on to the next word of the bin's slabs that has free slots. */
static bool bin_advance(struct gch_cache *cache, struct gch_bin *bin)
{
	struct gch_slab *slab;

	for (;;) {
		slab = bin->current;
		while (slab && bin->next_word < bin->words) {
			const __u32 i = bin->next_word++;

			bin->word = slab->free[i];
			slab->free[i] = 0;
			if (!bin->word)
				continue;
			bin->base = slab->start + (__u64)i * 64 * bin->object_size;
			return true;
		}
		if (slab) {
			slab->used_up = true;
			slab_retire(cache, slab);
		}
		bin->current = bin->more;
		if (!bin->current)
			return false;
		bin->more = bin->current->next;
		bin->next_word = 0;
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

	if (bin->cycle != cache->cycle) {
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

/* Fill a bin with the slabs that the kernel gave, in their order. */
static void bin_stock(struct gch_cache *cache, struct gch_bin *bin,
		      const struct gch_class *class, unsigned int got)
{
	bin->object_size = class->object_size;
	bin->words = class->words;
	while (got--) {
		const struct gcheap_slab *from = &cache->arrived[got];
		struct gch_slab *slab = slab_new(cache);

		slab->start = from->start;
		slab->used_up = false;
		memcpy(slab->free, from->free, sizeof(slab->free));
		slab->next = bin->more;
		bin->more = slab;
	}
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
	};
	int err = gch_call(cache->heap, GCHEAP_IOC_REFILL, &request);

	if (!err || err == -ENOMEM)
		back_done(cache, request.nr_back);
	if (err)
		return err;
	bin_stock(cache, bin, class, request.got);
	cache->cycle = request.cycle;
	gch_trace(cache->heap, request.cycle);
	return bin_advance(cache, bin) ? 0 : -ENOMEM;
}

/*
 * No memory, also not after a collection: but that had to let the slabs be
 * that this thread holds.  Is it worth another try?
 */
static bool reclaim(struct gcheap *heap)
{
	struct gcheap_ioc_collect request = { .size = sizeof(request) };

	return gch_cache_flush(heap) && !gch_call(heap, GCHEAP_IOC_COLLECT, &request);
}

/* Objects and errors share a register: memory might keep an object alive. */
static inline void *error_pointer(int err)
{
	return (void *)(intptr_t)err;
}

static inline int pointer_error(const void *object)
{
	const intptr_t value = (intptr_t)object;

	return value < 0 && value >= -4095 ? (int)value : 0;
}

/* An object straight from the kernel */
static void *alloc_direct(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gcheap_ioc_alloc request = {
		.size = sizeof(request),
		.flags = flags,
		.bytes = size ? size : 1,
	};
	int err = gch_call(heap, GCHEAP_IOC_ALLOC, &request);
	void *object = (void *)(uintptr_t)request.address;

	if (err)
		return error_pointer(err);
	/* What is left in a dead part of the stack may seem alive later. */
	request.address = 0;
	__asm__ __volatile__("" : : "r" (&request) : "memory");
	gch_trace(heap, request.cycle);
	return object;
}

static void *alloc_cached(struct gch_cache *cache, size_t size, unsigned int flags)
{
	struct gch_bin *bin = cache_bin(cache, cache->heap, size, flags);
	int err;

	if (!bin->word && !bin_advance(cache, bin)) {
		err = bin_refill(cache, bin);
		if (err)
			return error_pointer(err);
	}
	return bin_take(bin);
}

static void *alloc_once(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gch_cache *cache = NULL;
	void *object;

	if (size <= heap->max_small)
		cache = cache_get(heap);
	if (!cache)
		return alloc_direct(heap, size, flags);
	object = alloc_cached(cache, size, flags);
	/* A child of vfork() gets objects, but no slabs. */
	if (pointer_error(object) == -EBUSY)
		return alloc_direct(heap, size, flags);
	return object;
}

__attribute__((noinline, cold))
static void *alloc_slow(struct gcheap *heap, size_t size, unsigned int flags)
{
	void *object = alloc_once(heap, size, flags);

	if (pointer_error(object) == -ENOMEM && size <= heap->size && reclaim(heap))
		object = alloc_once(heap, size, flags);
	if (!pointer_error(object))
		return object;
	errno = -pointer_error(object);
	return NULL;
}

/* No loop, no lock, no system call: an object in some twenty instructions. */
static inline void *alloc(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gch_cache *cache = gch_thread.cache;
	struct gch_bin *bin;

	/* None yet, or the last allocation was from another heap, or a fork wiped it. */
	if (unlikely(!cache || !gch_heap_is(heap, cache->id)))
		goto slow;
	if (unlikely(size > heap->max_small))
		goto slow;
	bin = cache_bin(cache, heap, size, flags);
	/* The current word is used up: the slow path finds the next one. */
	if (unlikely(!bin->word))
		goto slow;
	return bin_take(bin);
slow:
	return alloc_slow(heap, size, flags);
}

void *gcheap_alloc(struct gcheap *heap, size_t size)
{
	return alloc(heap, size, 0);
}

void *gcheap_alloc_noscan(struct gcheap *heap, size_t size)
{
	return alloc(heap, size, GCHEAP_NOSCAN);
}
