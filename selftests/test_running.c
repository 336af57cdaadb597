// SPDX-License-Identifier: GPL-2.0
/*
 * Garbage in the slabs of threads that live on: another thread's collection
 * reclaims it, and takes nothing that the thread still hands out.
 */
#include "common.h"

#define COUNT	10000L

/*
 * A thread that does one errand after the other, and waits in read() between
 * them.
 */
struct worker {
	struct gcheap *heap;
	pthread_t thread;
	int to[2];
	int from[2];
	size_t size;
	long count;
	uint64_t sum;
};

apart void drop_objects(struct worker *worker)
{
	long i;

	for (i = 0; i < worker->count; i++) {
		char *object = gcheap_alloc(worker->heap, worker->size);

		must(object);
		object[0] = 1;
	}
	wipe_stack();
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	char byte;

	while (read(worker->to[0], &byte, 1) == 1 && byte) {
		drop_objects(worker);
		must(write(worker->from[1], &byte, 1) == 1);
	}
	return NULL;
}

static void send_on_errand(struct worker *worker)
{
	char byte = 1;

	must(write(worker->to[1], &byte, 1) == 1);
	must(read(worker->from[0], &byte, 1) == 1);
}

FIXTURE(running) {
	struct worker worker;
};

FIXTURE_VARIANT(running) {
	size_t size;
};

FIXTURE_VARIANT_ADD(running, smallest) { .size = 8 };
FIXTURE_VARIANT_ADD(running, small) { .size = 48 };
FIXTURE_VARIANT_ADD(running, medium) { .size = 1024 };
FIXTURE_VARIANT_ADD(running, large_slots) { .size = 32768 };
FIXTURE_VARIANT_ADD(running, large) { .size = 40000 };

FIXTURE_SETUP(running)
{
	struct worker *worker = &self->worker;

	worker->heap = open_manual(1024 * MIB);
	ASSERT_NE(NULL, worker->heap);
	worker->size = variant->size;
	worker->count = scaled(COUNT);
	ASSERT_EQ(0, pipe(worker->to));
	ASSERT_EQ(0, pipe(worker->from));
	ASSERT_EQ(0, pthread_create(&worker->thread, NULL, work, worker));
}

FIXTURE_TEARDOWN(running)
{
	struct worker *worker = &self->worker;
	char byte = 0;

	ASSERT_EQ(1, write(worker->to[1], &byte, 1));
	ASSERT_EQ(0, pthread_join(worker->thread, NULL));
	gcheap_close(worker->heap);
}

/* A word of a bitmap, 64 slots, is what the thread need not have told of yet. */
TEST_F(running, garbage_of_a_waiting_thread_goes)
{
	struct worker *worker = &self->worker;
	uint64_t before = stats_of(worker->heap).frees;

	send_on_errand(worker);
	collect(worker->heap);
	EXPECT_LE(before + worker->count / 100 * 99,
		  stats_of(worker->heap).frees + 64);
}

TEST_F(running, garbage_goes_every_time)
{
	struct worker *worker = &self->worker;
	uint64_t before = stats_of(worker->heap).heap_inuse;
	int i;

	worker->count /= 10;
	for (i = 0; i < 20; i++) {
		send_on_errand(worker);
		collect(worker->heap);
	}
	/* 20 rounds fit where one does: slabs that were emptied are used again. */
	EXPECT_GE(before + 3 * (worker->count * worker->size + 256 * KIB),
		  stats_of(worker->heap).heap_inuse);
}

struct keeper {
	struct gcheap *heap;
	atomic_bool stop;
	atomic_bool begun;
	bool intact;
};

struct link {
	struct link *next;
	uint64_t number;
	uint64_t mixed;
};

/* Keep every other object, and look whether all are still what they were. */
apart void keep_and_drop(struct keeper *keeper)
{
	struct link *head = NULL, *link;
	uint64_t number = 0;

	while (!atomic_load(&keeper->stop) && keeper->intact) {
		link = gcheap_alloc(keeper->heap, sizeof(*link));
		must(link);
		if (link->next || link->number || link->mixed)
			keeper->intact = false;
		link->number = ++number;
		link->mixed = pattern(number, 0);
		if (number % 2)
			continue;
		link->next = head;
		head = link;
		atomic_store(&keeper->begun, true);
		if (number % 4096)
			continue;
		for (link = head; link; link = link->next)
			if (link->mixed != pattern(link->number, 0))
				keeper->intact = false;
		head = NULL;
	}
	atomic_store(&keeper->begun, true);
}

static void *keep(void *arg)
{
	keep_and_drop(arg);
	return NULL;
}

TEST(slots_not_yet_handed_out_stay_the_threads)
{
	struct keeper keeper = {
		.heap = open_manual(256 * MIB),
		.intact = true,
	};
	pthread_t thread;
	int i;

	ASSERT_NE(NULL, keeper.heap);
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep, &keeper));
	while (!atomic_load(&keeper.begun))
		ASSERT_EQ(0, gcheap_collect(keeper.heap));
	for (i = 0; i < repeated(1000); i++)
		ASSERT_EQ(0, gcheap_collect(keeper.heap));
	atomic_store(&keeper.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(keeper.intact);
	gcheap_close(keeper.heap);
}

TEST_HARNESS_MAIN
