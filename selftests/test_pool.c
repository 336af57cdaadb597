// SPDX-License-Identifier: GPL-2.0
/* Pools: what is put comes back, once, and is dropped when it lies unused. */
#include "common.h"

#define SIZE	200

FIXTURE(pool) {
	struct gcheap *heap;
	struct gcheap_pool *pool;
};

FIXTURE_SETUP(pool)
{
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
	self->pool = gcheap_pool_new(self->heap, SIZE);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(pool)
{
	gcheap_pool_free(self->pool);
	gcheap_close(self->heap);
}

TEST_F(pool, a_thread_gets_back_what_it_put)
{
	void *object = gcheap_pool_get(self->pool);
	int i;

	ASSERT_NE(NULL, object);
	EXPECT_TRUE(all_zero(object, SIZE));
	fill(object, SIZE, 1);
	for (i = 0; i < 100; i++) {
		gcheap_pool_put(self->pool, object);
		ASSERT_EQ(object, gcheap_pool_get(self->pool));
		EXPECT_TRUE(filled(object, SIZE, 1));
	}
}

TEST_F(pool, a_million_uses_need_few_objects)
{
	long count = scaled(1000000);
	uint64_t before = stats_of(self->heap).mallocs;

	while (count--) {
		char *object = gcheap_pool_get(self->pool);

		must(object);
		object[count % SIZE] = 1;
		gcheap_pool_put(self->pool, object);
	}
	EXPECT_GT(100, stats_of(self->heap).mallocs - before);
}

/* More than fit into the pool's first place */
TEST_F(pool, what_many_puts_put_many_gets_get)
{
	void *objects[500];
	uint64_t before;
	int i, round;

	for (i = 0; i < 500; i++) {
		objects[i] = gcheap_pool_get(self->pool);
		ASSERT_NE(NULL, objects[i]);
		fill(objects[i], SIZE, i);
	}
	before = stats_of(self->heap).mallocs;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 500; i++)
			gcheap_pool_put(self->pool, objects[i]);
		for (i = 0; i < 500; i++)
			objects[i] = gcheap_pool_get(self->pool);
	}
	/* Some for the pool's own use */
	EXPECT_GT(50, stats_of(self->heap).mallocs - before);
}

TEST_F(pool, nothing_and_too_much_are_ignored)
{
	gcheap_pool_put(self->pool, NULL);
	EXPECT_NE(NULL, gcheap_pool_get(self->pool));
	gcheap_pool_free(NULL);
}

/* Objects in a pool are known to nobody else. */
struct pooling {
	struct gcheap *heap;
	struct gcheap_pool *pool;
	uintptr_t object;
	long count;
};

apart void put_one(void *arg)
{
	struct pooling *pooling = arg;
	void *object = gcheap_pool_get(pooling->pool);

	must(object);
	fill(object, SIZE, 2);
	pooling->object = hide(object);
	gcheap_pool_put(pooling->pool, object);
}

apart void get_again(void *arg)
{
	struct pooling *pooling = arg;
	void *object = gcheap_pool_get(pooling->pool);

	must(hide(object) == pooling->object);
	must(filled(object, SIZE, 2));
	gcheap_pool_put(pooling->pool, object);
}

TEST_F(pool, an_object_outlasts_one_collection)
{
	struct pooling pooling = { self->heap, self->pool, 0, 0 };
	int round;

	in_thread(put_one, &pooling);
	for (round = 0; round < 5; round++) {
		collect(self->heap);
		EXPECT_TRUE(is_allocated(self->heap, pooling.object));
		churn(self->heap, SIZE);
		in_thread(get_again, &pooling);
	}
}

TEST_F(pool, an_object_does_not_outlast_two_collections)
{
	struct pooling pooling = { self->heap, self->pool, 0, 0 };

	in_thread(put_one, &pooling);
	collect(self->heap);
	EXPECT_TRUE(is_allocated(self->heap, pooling.object));
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, pooling.object));
}

apart void put_many(void *arg)
{
	struct pooling *pooling = arg;
	void *objects[300];
	int i;

	for (i = 0; i < 300; i++)
		objects[i] = gcheap_pool_get(pooling->pool);
	for (i = 0; i < 300; i++)
		gcheap_pool_put(pooling->pool, objects[i]);
}

TEST_F(pool, nor_do_many)
{
	struct pooling pooling = { self->heap, self->pool, 0, 0 };
	uint64_t frees;

	in_thread(put_many, &pooling);
	frees = stats_of(self->heap).frees;
	collect(self->heap);
	EXPECT_GT(30, stats_of(self->heap).frees - frees);
	collect(self->heap);
	EXPECT_LE(290, stats_of(self->heap).frees - frees);
}

TEST_F(pool, what_objects_refer_to_is_kept_with_them)
{
	struct pooling pooling = { self->heap, self->pool, 0, 0 };
	uintptr_t other = new_hidden(self->heap, 64, 3);
	void **object;

	in_thread(put_one, &pooling);
	object = gcheap_pool_get(self->pool);
	ASSERT_EQ(pooling.object, hide(object));
	object[3] = reveal(other);
	gcheap_pool_put(self->pool, object);
	object = NULL;
	collect(self->heap);
	churn(self->heap, 64);
	EXPECT_TRUE(is_filled(self->heap, other, 64, 3));
}

TEST_F(pool, its_objects_go_when_it_is_freed)
{
	struct pooling pooling = { self->heap, NULL, 0, 0 };

	pooling.pool = gcheap_pool_new(self->heap, SIZE);
	ASSERT_NE(NULL, pooling.pool);
	in_thread(put_one, &pooling);
	gcheap_pool_free(pooling.pool);
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, pooling.object));
}

/* Whoever holds an object has its flag, and is the only one. */
static void use_objects(struct gcheap_pool *pool, uint64_t me, long rounds)
{
	uint64_t nobody;
	long i, j;

	for (i = 0; i < rounds; i++) {
		_Atomic uint64_t *objects[4];

		for (j = 0; j <= i % 4; j++) {
			objects[j] = gcheap_pool_get(pool);
			must(objects[j]);
			nobody = 0;
			must(atomic_compare_exchange_strong(&objects[j][0], &nobody, me));
			objects[j][5] = me + i;
		}
		for (j = 0; j <= i % 4; j++) {
			must(objects[j][5] == me + i);
			must(atomic_exchange(&objects[j][0], 0) == me);
			gcheap_pool_put(pool, objects[j]);
		}
	}
}

static void *run_user(void *arg)
{
	const struct pooling *pooling = arg;

	use_objects(pooling->pool, gettid(), pooling->count);
	return NULL;
}

TEST_F(pool, no_object_is_two_threads)
{
	struct pooling pooling = { self->heap, self->pool, 0, scaled(20000) };
	pthread_t threads[8];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_user, &pooling));
	for (i = 0; i < scaled(200); i++)
		ASSERT_EQ(0, gcheap_collect(self->heap));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
}

TEST_F(pool, no_object_is_two_processes)
{
	long count = scaled(20000);
	pid_t pids[3];
	int i;

	for (i = 0; i < 3; i++) {
		pids[i] = fork_child();
		if (!pids[i]) {
			use_objects(self->pool, getpid(), count);
			_exit(KSFT_PASS);
		}
	}
	for (i = 0; i < scaled(200); i++)
		ASSERT_EQ(0, gcheap_collect(self->heap));
	use_objects(self->pool, getpid(), count);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(child_succeeded(pids[i]));
}

/* Threads that put and are gone: others find what they put. */
TEST_F(pool, what_another_thread_put_is_found)
{
	struct pooling pooling = { self->heap, self->pool, 0, 0 };

	in_thread(put_one, &pooling);
	EXPECT_EQ(pooling.object, hide(gcheap_pool_get(self->pool)));
}

TEST_F(pool, what_another_process_put_is_found)
{
	uint64_t *shared = gcheap_alloc_noscan(self->heap, 8);
	pid_t pid = fork_child();

	if (!pid) {
		struct pooling pooling = { self->heap, self->pool, 0, 0 };

		put_one(&pooling);
		*shared = pooling.object;
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(*shared, hide(gcheap_pool_get(self->pool)));
}

/* The next pool at a place; each leaves the place to others when it goes. */
static struct gcheap_pool *next_pool_at(struct gcheap *heap, const struct gcheap_pool *place)
{
	struct gcheap_pool *pool;
	int i;

	for (i = 0; i < 1000; i++) {
		pool = gcheap_pool_new(heap, SIZE);
		must(pool);
		if (pool == place)
			return pool;
		gcheap_pool_free(pool);
	}
	return NULL;
}

/* It has the old one's range, and takes that for the new one's. */
TEST_F(pool, where_one_was_is_another_ones_for_all_processes)
{
	int ask[2], answer[2];
	pid_t child;

	ASSERT_EQ(0, pipe(ask));
	ASSERT_EQ(0, pipe(answer));
	child = fork_child();
	if (!child) {
		struct pooling pooling = { self->heap, self->pool, 0, 0 };

		hear(ask[0]);
		put_one(&pooling);
		say(answer[1]);
		hear(ask[0]);
		_exit(hide(gcheap_pool_get(self->pool)) == pooling.object ? KSFT_PASS : KSFT_FAIL);
	}
	gcheap_pool_free(self->pool);
	ASSERT_EQ(0, gcheap_free(self->heap, gcheap_base(self->heap, self->pool)));
	ASSERT_EQ(self->pool, next_pool_at(self->heap, self->pool));
	say(ask[1]);
	hear(answer[0]);
	gcheap_pool_free(self->pool);
	collect(self->heap);
	churn(self->heap, SIZE);
	say(ask[1]);
	EXPECT_TRUE(child_succeeded(child));
	self->pool = NULL;
}

TEST_F(pool, several_pools_are_apart)
{
	struct gcheap_pool *other = gcheap_pool_new(self->heap, 5000);
	char *large, *small;

	ASSERT_NE(NULL, other);
	large = gcheap_pool_get(other);
	small = gcheap_pool_get(self->pool);
	EXPECT_LE(5000, gcheap_usable_size(self->heap, large));
	gcheap_pool_put(other, large);
	gcheap_pool_put(self->pool, small);
	EXPECT_EQ(large, gcheap_pool_get(other));
	EXPECT_EQ(small, gcheap_pool_get(self->pool));
	gcheap_pool_free(other);
}

TEST_HARNESS_MAIN
