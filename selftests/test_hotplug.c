// SPDX-License-Identifier: GPL-2.0
/* Processors that go and come while a heap is used, and memory that is made compact. */
#include "common.h"

#define PROCESSOR	"/sys/devices/system/cpu/cpu1/online"
#define COMPACT		"/proc/sys/vm/compact_memory"

#define NR_THREADS	3
#define NR_KEPT		64
#define LARGEST		6000

/**
 * struct user - a thread that uses the heap
 * @heap: heap
 * @thread: thread
 * @seed: of what it fills its objects with
 * @over: it is to end
 * @rounds: how often all of what it keeps was made anew
 */
struct user {
	struct gcheap *heap;
	pthread_t thread;
	uint64_t seed;
	_Atomic bool *over;
	_Atomic long rounds;
};

static size_t size_of(uint64_t number)
{
	return 16 + number * 97 % LARGEST;
}

static void *use(void *arg)
{
	struct user *user = arg;
	char *kept[NR_KEPT] = { NULL };
	uint64_t number;

	for (number = 0; !*user->over; number++) {
		char **one = &kept[number % NR_KEPT];

		if (*one)
			must(filled(*one, size_of(number - NR_KEPT),
				    user->seed + number - NR_KEPT));
		*one = gcheap_alloc(user->heap, size_of(number));
		must(*one);
		fill(*one, size_of(number), user->seed + number);
		user->rounds += number % NR_KEPT == 0;
	}
	return NULL;
}

FIXTURE(used) {
	struct gcheap *heap;
	struct user users[NR_THREADS];
	_Atomic bool over;
};

FIXTURE_SETUP(used)
{
	int i;

	self->heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->heap);
	for (i = 0; i < NR_THREADS; i++) {
		struct user *user = &self->users[i];

		*user = (struct user) {
			.heap = self->heap,
			.seed = 1000000 * i,
			.over = &self->over,
		};
		ASSERT_EQ(0, pthread_create(&user->thread, NULL, use, user));
	}
}

FIXTURE_TEARDOWN(used)
{
	int i;

	/* When a test has failed in between */
	write_to(PROCESSOR, "1");
	self->over = true;
	for (i = 0; i < NR_THREADS; i++)
		ASSERT_EQ(0, pthread_join(self->users[i].thread, NULL));
	gcheap_close(self->heap);
}

/* All threads run on, where there are processors left. */
static void await_rounds(struct user *users)
{
	long before[NR_THREADS];
	int i;

	for (i = 0; i < NR_THREADS; i++)
		before[i] = users[i].rounds;
	for (i = 0; i < NR_THREADS; i++)
		while (users[i].rounds == before[i])
			sched_yield();
}

TEST_F(used, while_a_processor_goes_and_comes)
{
	int i;

	if (access(PROCESSOR, W_OK))
		SKIP(return, "this kernel has no processor that can be taken away");
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(write_to(PROCESSOR, "0"));
		ASSERT_EQ(0, gcheap_collect(self->heap));
		await_rounds(self->users);
		ASSERT_TRUE(write_to(PROCESSOR, "1"));
		ASSERT_EQ(0, gcheap_collect(self->heap));
		await_rounds(self->users);
	}
}

/* Who collects is on the processor that goes, or looks for threads there. */
static void *collect_all_the_time(void *arg)
{
	struct user *user = arg;

	while (!*user->over) {
		must(!gcheap_collect(user->heap));
		user->rounds++;
	}
	return NULL;
}

TEST_F(used, while_processors_go_during_collections)
{
	_Atomic bool over = false;
	struct user collector = { .heap = self->heap, .over = &over };
	int i;

	if (access(PROCESSOR, W_OK))
		SKIP(return, "this kernel has no processor that can be taken away");
	ASSERT_EQ(0, pthread_create(&collector.thread, NULL, collect_all_the_time,
				    &collector));
	for (i = 0; i < 10; i++) {
		long before = collector.rounds;

		ASSERT_TRUE(write_to(PROCESSOR, i % 2 ? "1" : "0"));
		while (collector.rounds == before)
			sched_yield();
	}
	over = true;
	ASSERT_EQ(0, pthread_join(collector.thread, NULL));
}

/* Pages of a heap stay where they are; others are moved around them. */
TEST_F(used, while_memory_is_made_compact)
{
	int i;

	if (access(COMPACT, W_OK))
		SKIP(return, "this kernel does not make memory compact");
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(write_to(COMPACT, "1"));
		ASSERT_EQ(0, gcheap_collect(self->heap));
		await_rounds(self->users);
	}
}

TEST_HARNESS_MAIN
