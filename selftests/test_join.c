// SPDX-License-Identifier: GPL-2.0
/*
 * What threads leave behind: a result waits for pthread_join() in the record of a
 * thread that is gone.  Nothing else refers to the object meanwhile.
 */
#include "common.h"

#define OBJECT_SIZE	64
#define COLLECTIONS	3
#define CROWD		1500
#define CROWD_STEP	600

/**
 * struct work - what a thread is to do
 * @heap: heap
 * @object: the object that it returns; it makes one when there is none
 * @tid: itself
 * @go: if there is one, it waits there for the object
 */
struct work {
	struct gcheap *heap;
	uintptr_t object;
	_Atomic pid_t tid;
	pthread_barrier_t *go;
};

static void *run_work(void *arg)
{
	struct work *work = arg;
	void *object;

	work->tid = gettid();
	if (work->go)
		pthread_barrier_wait(work->go);
	if (work->object)
		return reveal(work->object);
	object = gcheap_alloc(work->heap, OBJECT_SIZE);
	must(object);
	fill(object, OBJECT_SIZE, 1);
	return object;
}

FIXTURE(join) {
	struct gcheap *heap;
};

FIXTURE_SETUP(join)
{
	self->heap = open_manual(16 * MIB);
	ASSERT_TRUE(self->heap);
}

FIXTURE_TEARDOWN(join)
{
	gcheap_close(self->heap);
}

static void await_end(struct work *work)
{
	while (!work->tid)
		sched_yield();
	await_thread_end(work->tid);
}

/* After some collections, with whatever was reclaimed given out again */
static bool join_gives_it(struct gcheap *heap, pthread_t thread)
{
	void *object;
	int i;

	for (i = 0; i < COLLECTIONS; i++) {
		collect(heap);
		churn(heap, OBJECT_SIZE);
	}
	must(!pthread_join(thread, &object));
	return filled(object, OBJECT_SIZE, 1);
}

TEST_F(join, a_result_waits_for_it)
{
	struct work work = { .heap = self->heap };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, run_work, &work));
	await_end(&work);
	EXPECT_TRUE(join_gives_it(self->heap, thread));
}

/* Born and dead between two collections, and no call of the heap's */
TEST_F(join, a_result_of_a_thread_that_nobody_saw)
{
	struct work work = { .object = new_hidden(self->heap, OBJECT_SIZE, 1) };
	pthread_t thread;

	collect(self->heap);
	work.object = new_hidden(self->heap, OBJECT_SIZE, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_work, &work));
	await_end(&work);
	EXPECT_TRUE(join_gives_it(self->heap, thread));
}

TEST(a_result_of_a_thread_that_was_there_before_the_heap)
{
	pthread_barrier_t go;
	struct work work = { .go = &go };
	struct gcheap *heap;
	pthread_t thread;

	must(!pthread_barrier_init(&go, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_work, &work));
	while (!work.tid)
		sched_yield();
	heap = open_manual(16 * MIB);
	ASSERT_TRUE(heap);
	work.object = new_hidden(heap, OBJECT_SIZE, 1);
	pthread_barrier_wait(&go);
	await_end(&work);
	EXPECT_TRUE(join_gives_it(heap, thread));
	gcheap_close(heap);
}

/* While threads are born room is made for the next ones; a busy machine is late. */
static void await_room(struct gcheap *heap, uint64_t bytes)
{
	while (stats_of(heap).gc_sys < bytes)
		sched_yield();
}

struct unsearched {
	uintptr_t object;
	void *volatile *word;
};

apart void put_in_unsearched(void *arg)
{
	struct unsearched *memory = arg;

	*memory->word = reveal(memory->object);
}

/* More than there was room for at first; nor is all memory searched because of it. */
TEST_F(join, results_of_a_crowd)
{
	struct unsearched memory = {
		.object = new_hidden(self->heap, OBJECT_SIZE, 1),
		.word = malloc(sizeof(*memory.word)),
	};
	const uint64_t before = stats_of(self->heap).gc_sys;
	const int count = scaled(CROWD);
	pthread_t *threads = calloc(count, sizeof(*threads));
	struct work *works = calloc(count, sizeof(*works));
	pthread_attr_t small;
	void *object;
	int i;

	must(threads && works);
	must(!pthread_attr_init(&small));
	must(!pthread_attr_setstacksize(&small, 64 * KIB));
	must(memory.word);
	in_thread(put_in_unsearched, &memory);
	for (i = 0; i < count; i++) {
		if (i && i % CROWD_STEP == 0)
			await_room(self->heap, before + (2 * i / CROWD_STEP - 1) * 8 * KIB);
		works[i].object = new_hidden(self->heap, OBJECT_SIZE, i);
		ASSERT_EQ(0, pthread_create(&threads[i], &small, run_work, &works[i]));
	}
	for (i = 0; i < count; i++)
		await_end(&works[i]);
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, memory.object));
	churn(self->heap, OBJECT_SIZE);
	for (i = 0; i < count; i++) {
		must(!pthread_join(threads[i], &object));
		ASSERT_TRUE(filled(object, OBJECT_SIZE, i));
	}
	free((void *)memory.word);
	free(threads);
	free(works);
}

/* The child of a fork begins with threads of its own. */
TEST_F(join, a_result_in_a_child)
{
	struct work work = { .heap = self->heap };
	pthread_t thread;
	pid_t child = fork_child();

	if (!child) {
		must(!pthread_create(&thread, NULL, run_work, &work));
		await_end(&work);
		must(join_gives_it(self->heap, thread));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(child));
}

TEST_HARNESS_MAIN
