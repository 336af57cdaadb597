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
 * the words are only ever changed by single atomic operations, a put by a
 * compare-exchange and a get by an exchange.  Nothing is locked.
 *
 * Blocks are objects too, scanned, and nobody frees them.  What a thread still
 * looks at is kept by its pointer to it, so no address comes back under its
 * hands, and taking an empty block off a chain cannot be fooled.  A put into a
 * block that was just taken off loses the object to the collector: no harm.
 */
#include <errno.h>
#include <unistd.h>

#include "heap.h"
#include "thread.h"

#define SHARDS_MIN	4
#define SHARDS_MAX	64
#define SHARD_ALIGN	64

/* A block fills 512 bytes. */
#define BLOCK_SLOTS	62

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
	_Atomic size_t top;
	void *_Atomic slots[BLOCK_SLOTS];
};

/**
 * struct pair - what a collection ages
 * @now: put since the last collection
 * @old: put before it, and dropped by the next one
 */
struct pair {
	void *_Atomic now;
	void *_Atomic old;
};

/**
 * struct shard - a part of a pool with a cache line of its own
 * @private: an object
 * @chain: the first block of a chain
 */
struct shard {
	struct pair private;
	struct pair chain;
} __attribute__((aligned(SHARD_ALIGN)));

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
	_Atomic __u64 filled;
	struct shard shards[];
};

static atomic_uint last_index;

static unsigned int shard_index(const struct gcheap_pool *pool)
{
	if (unlikely(!gch_thread.index))
		gch_thread.index = atomic_fetch_add(&last_index, 1) + 1;
	return gch_thread.index & (pool->nr_shards - 1);
}

/* A failing exchange costs as much as one that succeeds: look first. */
static void *take(void *_Atomic *slot)
{
	if (!atomic_load_explicit(slot, memory_order_relaxed))
		return NULL;
	return atomic_exchange(slot, NULL);
}

static bool give(void *_Atomic *slot, void *obj)
{
	void *none = NULL;

	if (atomic_load_explicit(slot, memory_order_relaxed))
		return false;
	return atomic_compare_exchange_strong(slot, &none, obj);
}

static void *block_take(struct block *block)
{
	size_t i = atomic_load_explicit(&block->top, memory_order_relaxed);
	void *obj = NULL;

	while (!obj && i > 0)
		obj = take(&block->slots[--i]);
	atomic_store_explicit(&block->top, i, memory_order_relaxed);
	return obj;
}

static bool block_give(struct block *block, void *obj)
{
	size_t i = atomic_load_explicit(&block->top, memory_order_relaxed);

	for (; i < BLOCK_SLOTS; i++) {
		if (!give(&block->slots[i], obj))
			continue;
		atomic_store_explicit(&block->top, i + 1, memory_order_relaxed);
		return true;
	}
	return false;
}

/*
 * The first block stays when it is empty and the second is not: whoever takes
 * and gives in turn at the border of two blocks needs no new one each time.
 */
static void *chain_take(void *_Atomic *chain)
{
	struct block *block, *next;
	unsigned int i;
	void *obj;

	for (i = 0; i < EMPTY_MAX; i++) {
		void *first = atomic_load_explicit(chain, memory_order_acquire);

		block = first;
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
		atomic_compare_exchange_strong(chain, &first, next);
	}
	return NULL;
}

static bool chain_give(struct gcheap_pool *pool, void *_Atomic *chain, void *obj)
{
	void *first = atomic_load_explicit(chain, memory_order_acquire);
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
		block->next = first;
	} while (!atomic_compare_exchange_weak(chain, &first, block));
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
	__u64 filled = atomic_load_explicit(&pool->filled, memory_order_relaxed);

	while (filled) {
		unsigned int i = __builtin_ctzll(filled);
		void *obj = shard_take(&pool->shards[i]);

		if (obj)
			return obj;
		atomic_fetch_and(&pool->filled, ~(1ull << i));
		filled &= filled - 1;
	}
	return NULL;
}

void *gcheap_pool_get(struct gcheap_pool *pool)
{
	void *obj = shard_take(&pool->shards[shard_index(pool)]);
	struct gcheap *heap;

	if (likely(obj))
		return obj;
	obj = steal(pool);
	if (obj)
		return obj;
	heap = gch_heap_at(pool->heap_base);
	if (heap)
		return gcheap_alloc(heap, pool->object_size);
	errno = ENOMEM;
	return NULL;
}

void gcheap_pool_put(struct gcheap_pool *pool, void *obj)
{
	const unsigned int index = shard_index(pool);
	struct shard *shard = &pool->shards[index];
	const __u64 bit = 1ull << index;
	int saved = errno;

	if (!obj)
		return;
	if (!give(&shard->private.now, obj) && !chain_give(pool, &shard->chain.now, obj))
		errno = saved;
	if (unlikely(!(atomic_load_explicit(&pool->filled, memory_order_relaxed) & bit)))
		atomic_fetch_or(&pool->filled, bit);
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
	struct gcheap_ioc_root root = { .size = sizeof(root), .flags = GCHEAP_ROOT_AGING };
	int err;

	if (!pool)
		return NULL;
	pool->heap_base = heap->base;
	pool->object_size = size;
	pool->nr_shards = nr_shards;
	root.start = (uintptr_t)pool->shards;
	root.length = nr_shards * sizeof(struct shard);
	err = gch_call(heap, GCHEAP_IOC_ROOT_ADD, &root);
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
	root.start = (uintptr_t)pool->shards;
	if (heap)
		gch_call(heap, GCHEAP_IOC_ROOT_DEL, &root);
}
