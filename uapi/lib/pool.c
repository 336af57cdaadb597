// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Pools of objects for reuse, in the manner of Go's sync.Pool.
 *
 * A pool is an object of the heap, not scanned, and usable by every process that
 * maps the heap.  It has a row of shards; a thread begins with the one of its
 * own index, so that threads seldom meet.  A shard keeps one object in its
 * private slot, the others in a chain of blocks; and each of both twice:
 *
 *	private   object	collection ->	old_private
 *	chain     block -> ...	collection ->	old_chain
 *
 * The row is a range of roots that ages: with each collection the kernel moves
 * the first of each pair to the second, so that what was not touched in between
 * two collections is dropped.  It does so between any two instructions of ours:
 * the words are only ever changed by single atomic instructions, a put by a
 * compare-exchange and a get by an exchange.  Nothing is locked.
 *
 * The range is a process's: each process that uses a pool registers it when it
 * does so for the first time, so that a pool outlives the process that made it.
 *
 * Blocks are objects too, scanned, and nobody frees them.  What a thread still
 * looks at is kept by its pointer to it, so no address comes back under its
 * hands, and taking an empty block off a chain cannot be fooled.  A put into a
 * block that was just taken off loses the object to the collector: no harm.
 */
#include <errno.h>
#include <stdalign.h>
#include <unistd.h>

#include "call.h"
#include "list.h"
#include "pool.h"
#include "thread.h"

#define SHARDS_MIN	4
#define SHARDS_MAX	64
#define SHARD_ALIGN	64

/* A block fills 512 bytes. */
#define BLOCK_SLOTS	62

/* Registered pools that are remembered; asking the kernel again does no harm. */
#define KNOWN_POOLS	64

/* Empty blocks that one get takes off a chain at most */
#define EMPTY_MAX	8

/**
 * struct block - a piece of a chain
 * @next: block that was first in the chain before it; does not change
 * @top: about so many slots are in use, the lowest ones; only a hint
 * @slots: objects
 */
struct block {
	struct block *next;
	size_t top;
	void *slots[BLOCK_SLOTS];
};

/**
 * struct pair - what a collection ages
 * @now: put since the last collection
 * @old: put before it, and dropped by the next one
 */
struct pair {
	void *now;
	void *old;
};

/**
 * struct shard - a part of a pool with a cache line of its own
 * @private: an object
 * @chain: the first block of a chain
 */
struct shard {
	alignas(SHARD_ALIGN) struct pair private;
	struct pair chain;
};

/**
 * struct gcheap_pool - a pool
 * @heap_base: the heap, for any process
 * @object_size: bytes of an object
 * @nr_shards: entries of @shards, a power of two
 * @filled: bit i set: shard i may hold something.  Cleared by a thread that
 *	found nothing there; should a put come in between, others will not find
 *	its object until the next put
 * @shards: the row
 */
struct gcheap_pool {
	__u64 heap_base;
	size_t object_size;
	unsigned int nr_shards;
	__u64 filled;
	struct shard shards[];
};

static unsigned int last_index;

/*
 * Pools that this process has registered, as far as they are remembered: each at
 * a place that its address gives.  A child of fork() inherits both.
 */
static void *known[KNOWN_POOLS];

static struct shard *own_shard(struct gcheap_pool *pool)
{
	if (unlikely(!gch_thread.index))
		gch_thread.index = __atomic_add_fetch(&last_index, 1, __ATOMIC_RELAXED);
	return &pool->shards[gch_thread.index & (pool->nr_shards - 1)];
}

/* Put @new where @old is, unless it is not there any more. */
static bool replace(void **word, void *old, void *new)
{
	return __atomic_compare_exchange_n(word, &old, new, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* A failing exchange costs as much as one that succeeds: look first. */
static void *take(void **slot)
{
	if (!__atomic_load_n(slot, __ATOMIC_RELAXED))
		return NULL;
	return __atomic_exchange_n(slot, NULL, __ATOMIC_ACQUIRE);
}

static bool give(void **slot, void *obj)
{
	return !__atomic_load_n(slot, __ATOMIC_RELAXED) && replace(slot, NULL, obj);
}

static void *block_take(struct block *block)
{
	size_t i = __atomic_load_n(&block->top, __ATOMIC_RELAXED);
	void *obj = NULL;

	while (!obj && i > 0)
		obj = take(&block->slots[--i]);
	__atomic_store_n(&block->top, i, __ATOMIC_RELAXED);
	return obj;
}

static bool block_give(struct block *block, void *obj)
{
	size_t i = __atomic_load_n(&block->top, __ATOMIC_RELAXED);

	for (; i < BLOCK_SLOTS; i++) {
		if (!give(&block->slots[i], obj))
			continue;
		__atomic_store_n(&block->top, i + 1, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

/*
 * The first block stays when it is empty and the second is not: whoever takes
 * and gives in turn at the border of two blocks needs no new one each time.
 */
static void *chain_take(void **chain)
{
	struct block *block, *next;
	unsigned int i;
	void *obj;

	for (i = 0; i < EMPTY_MAX; i++) {
		block = __atomic_load_n(chain, __ATOMIC_ACQUIRE);
		if (!block)
			return NULL;
		obj = block_take(block);
		if (obj)
			return obj;
		next = block->next;
		if (!next)
			return NULL;
		obj = block_take(next);
		if (obj)
			return obj;
		replace(chain, block, next);
	}
	return NULL;
}

static bool chain_give(struct gcheap_pool *pool, void **chain, void *obj)
{
	struct block *first = __atomic_load_n(chain, __ATOMIC_ACQUIRE);
	struct gcheap *heap;
	struct block *block;

	if (first && block_give(first, obj))
		return true;
	heap = gch_heap_at(pool->heap_base);
	block = heap ? gcheap_alloc(heap, sizeof(*block)) : NULL;
	if (!block)
		return false;
	block->slots[0] = obj;
	block->top = 1;
	do {
		first = __atomic_load_n(chain, __ATOMIC_RELAXED);
		block->next = first;
	} while (!replace(chain, first, block));
	return true;
}

static void *shard_take(struct shard *shard)
{
	void *obj = take(&shard->private.now);

	if (!obj)
		obj = chain_take(&shard->chain.now);
	if (!obj)
		obj = take(&shard->private.old);
	if (!obj)
		obj = chain_take(&shard->chain.old);
	return obj;
}

/* From the shards that seem to hold something; each disappointment is the last. */
static void *steal(struct gcheap_pool *pool)
{
	__u64 filled = __atomic_load_n(&pool->filled, __ATOMIC_RELAXED);

	while (filled) {
		unsigned int i = __builtin_ctzll(filled);
		void *obj = shard_take(&pool->shards[i]);

		if (obj)
			return obj;
		__atomic_fetch_and(&pool->filled, ~(1ull << i), __ATOMIC_RELAXED);
		filled &= filled - 1;
	}
	return NULL;
}

static void **known_slot(const struct gcheap_pool *pool)
{
	return &known[(uintptr_t)pool / SHARD_ALIGN % KNOWN_POOLS];
}

static int pool_register(struct gcheap_pool *pool)
{
	struct gcheap *heap = gch_heap_at(pool->heap_base);
	struct gcheap_ioc_root root = {
		.size = sizeof(root),
		.flags = GCHEAP_ROOT_AGING,
		.start = (uintptr_t)pool->shards,
		.length = pool->nr_shards * sizeof(struct shard),
	};
	int err;

	/* A range of a pool that was there before may end with that, even if it fails. */
	replace(known_slot(pool), pool, NULL);
	err = heap ? gch_call(heap, GCHEAP_IOC_ROOT_ADD, &root) : -EINVAL;
	if (err && err != -EEXIST)
		return err;
	__atomic_store_n(known_slot(pool), pool, __ATOMIC_RELAXED);
	return 0;
}

/* What lies in a pool must be a root of this process before it may rely on it. */
static bool is_registered(struct gcheap_pool *pool)
{
	if (likely(__atomic_load_n(known_slot(pool), __ATOMIC_RELAXED) == pool))
		return true;
	return !pool_register(pool);
}

/**
 * gch_pool_forget() - this process's registrations of pools are about to end
 * @heap: heap that is about to be closed; the caller holds the lock
 */
void gch_pool_forget(const struct gcheap *heap)
{
	unsigned int i;

	for (i = 0; i < KNOWN_POOLS; i++) {
		const uintptr_t pool = (uintptr_t)__atomic_load_n(&known[i], __ATOMIC_RELAXED);

		if (pool - heap->base < heap->size)
			__atomic_store_n(&known[i], NULL, __ATOMIC_RELAXED);
	}
}

/* From anywhere in the pool, or new */
static void *get_slow(struct gcheap_pool *pool)
{
	struct gcheap *heap;
	void *obj = NULL;

	if (is_registered(pool)) {
		obj = shard_take(own_shard(pool));
		if (!obj)
			obj = steal(pool);
	}
	if (obj)
		return obj;
	heap = gch_heap_at(pool->heap_base);
	if (heap)
		return gcheap_alloc(heap, pool->object_size);
	errno = ENOMEM;
	return NULL;
}

void *gcheap_pool_get(struct gcheap_pool *pool)
{
	void *obj = NULL;

	if (likely(is_registered(pool)))
		obj = take(&own_shard(pool)->private.now);
	return likely(obj) ? obj : get_slow(pool);
}

static void put_chain(struct gcheap_pool *pool, struct shard *shard, void *obj)
{
	int saved = errno;

	/* Without memory for a block the object is the collector's. */
	if (!chain_give(pool, &shard->chain.now, obj))
		errno = saved;
}

void gcheap_pool_put(struct gcheap_pool *pool, void *obj)
{
	struct shard *shard;
	__u64 bit;

	if (!obj || unlikely(!is_registered(pool)))
		return;
	shard = own_shard(pool);
	if (!give(&shard->private.now, obj))
		put_chain(pool, shard, obj);
	bit = 1ull << (shard - pool->shards);
	if (unlikely(!(__atomic_load_n(&pool->filled, __ATOMIC_RELAXED) & bit)))
		__atomic_fetch_or(&pool->filled, bit, __ATOMIC_RELAXED);
}

static unsigned int count_shards(void)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);
	unsigned int n = SHARDS_MIN;

	while (n < SHARDS_MAX && n < 2 * processors)
		n *= 2;
	return n;
}

/* Shards are cache lines, objects are aligned to less. */
static struct gcheap_pool *pool_alloc(struct gcheap *heap, unsigned int nr_shards)
{
	const size_t size = sizeof(struct gcheap_pool) + nr_shards * sizeof(struct shard);
	char *object = gcheap_alloc_noscan(heap, size + SHARD_ALIGN - 1);

	if (!object)
		return NULL;
	return (void *)(((uintptr_t)object + SHARD_ALIGN - 1) & -(uintptr_t)SHARD_ALIGN);
}

struct gcheap_pool *gcheap_pool_new(struct gcheap *heap, size_t size)
{
	const unsigned int nr_shards = count_shards();
	struct gcheap_pool *pool = pool_alloc(heap, nr_shards);
	int err;

	if (!pool)
		return NULL;
	pool->heap_base = heap->base;
	pool->object_size = size;
	pool->nr_shards = nr_shards;
	err = pool_register(pool);
	if (!err)
		return pool;
	errno = -err;
	return NULL;
}

void gcheap_pool_free(struct gcheap_pool *pool)
{
	struct gcheap_ioc_root root = { .size = sizeof(root) };
	struct gcheap *heap;

	if (!pool)
		return;
	heap = gch_heap_at(pool->heap_base);
	replace(known_slot(pool), pool, NULL);
	root.start = (uintptr_t)pool->shards;
	if (heap)
		gch_call(heap, GCHEAP_IOC_ROOT_DEL, &root);
}
