// SPDX-License-Identifier: GPL-2.0
/* Several heaps in a process, several processes with a heap, several collectors. */
#include "common.h"

#define CELLS		300
#define HEAPS		3

struct cell {
	struct cell *next;
	uint64_t seed;
	char data[48];
};

static struct cell *build(struct gcheap *heap, uint64_t seed)
{
	struct cell *list = NULL, *cell;
	int i;

	for (i = 0; i < CELLS; i++) {
		cell = gcheap_alloc(heap, sizeof(*cell));
		must(cell && all_zero(cell, sizeof(*cell)));
		cell->next = list;
		cell->seed = seed + i;
		fill(cell->data, sizeof(cell->data), cell->seed);
		list = cell;
	}
	return list;
}

static bool is_whole(const struct cell *list)
{
	int i;

	for (i = 0; list; list = list->next, i++)
		if (!filled(list->data, sizeof(list->data), list->seed))
			return false;
	return i == CELLS;
}

/* Lists come and go in all of these heaps, each of which is collected. */
static void work_on(struct gcheap **heaps, int nr, uint64_t seed, long rounds)
{
	struct cell *lists[HEAPS];
	int i;

	for (i = 0; i < nr; i++)
		lists[i] = build(heaps[i], seed);
	while (rounds--) {
		i = rounds % nr;
		must(!gcheap_collect(heaps[i]) || errno == EAGAIN);
		must(is_whole(lists[i]));
		lists[i] = build(heaps[i], seed + rounds);
	}
	for (i = 0; i < nr; i++)
		must(is_whole(lists[i]));
}

struct worker {
	struct gcheap **heaps;
	int nr;
	uint64_t seed;
	pthread_t thread;
};

static void *run_worker(void *arg)
{
	const struct worker *worker = arg;

	work_on(worker->heaps, worker->nr, worker->seed, repeated(300));
	return NULL;
}

FIXTURE(heaps) {
	struct gcheap *heaps[HEAPS];
};

FIXTURE_SETUP(heaps)
{
	int i;

	for (i = 0; i < HEAPS; i++) {
		self->heaps[i] = gcheap_open(NULL);
		ASSERT_NE(NULL, self->heaps[i]);
	}
}

FIXTURE_TEARDOWN(heaps)
{
	int i;

	for (i = 0; i < HEAPS; i++)
		gcheap_close(self->heaps[i]);
}

TEST_F(heaps, contain_their_own_addresses_and_no_others)
{
	char *base = (char *)raw_info(gcheap_fd(self->heaps[0])).base;
	size_t size = raw_info(gcheap_fd(self->heaps[0])).heap_size;

	EXPECT_TRUE(gcheap_contains(self->heaps[0], gcheap_alloc(self->heaps[0], 16)));
	EXPECT_TRUE(gcheap_contains(self->heaps[0], gcheap_alloc(self->heaps[0], 100000)));
	EXPECT_FALSE(gcheap_contains(self->heaps[0], gcheap_alloc(self->heaps[1], 16)));
	EXPECT_TRUE(gcheap_contains(self->heaps[0], base));
	EXPECT_TRUE(gcheap_contains(self->heaps[0], base + size - 1));
	EXPECT_FALSE(gcheap_contains(self->heaps[0], base - 1));
	EXPECT_FALSE(gcheap_contains(self->heaps[0], base + size));
	EXPECT_FALSE(gcheap_contains(self->heaps[0], &base));
	EXPECT_FALSE(gcheap_contains(self->heaps[0], NULL));
	EXPECT_FALSE(gcheap_contains(self->heaps[0], (void *)-1));
}

TEST_F(heaps, are_collected_each_by_a_thread_of_its_own)
{
	struct worker workers[HEAPS];
	int i;

	for (i = 0; i < HEAPS; i++) {
		workers[i] = (struct worker) {
			.heaps = &self->heaps[i], .nr = 1, .seed = 1000000 * i,
		};
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, run_worker,
					    &workers[i]));
	}
	for (i = 0; i < HEAPS; i++)
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
}

TEST_F(heaps, are_all_used_and_collected_by_all_threads)
{
	struct worker workers[4];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i] = (struct worker) {
			.heaps = self->heaps, .nr = HEAPS, .seed = 1000000 * i,
		};
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, run_worker,
					    &workers[i]));
	}
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
}

/* Processes that have the heaps from @first on, so many, and work on them */
static pid_t start_process(struct gcheap **heaps, int first, int nr, uint64_t seed)
{
	pid_t pid = fork_child();
	int i;

	if (pid)
		return pid;
	for (i = 0; i < HEAPS; i++)
		if (i < first || i >= first + nr)
			gcheap_close(heaps[i]);
	work_on(heaps + first, nr, seed, repeated(300));
	_exit(KSFT_PASS);
}

TEST_F(heaps, are_collected_by_processes_that_share_them)
{
	pid_t pids[3];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = start_process(self->heaps, 0, HEAPS, 1000000 * i);
	work_on(self->heaps, HEAPS, 9000000, repeated(300));
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		EXPECT_TRUE(child_succeeded(pids[i]));
}

/* A and B share a heap, B and C another one, C and D a third. */
TEST_F(heaps, form_a_chain_of_processes)
{
	const struct {
		int first;
		int nr;
	} links[] = { { 0, 1 }, { 0, 2 }, { 1, 2 }, { 2, 1 } };
	pid_t pids[ARRAY_SIZE(links)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(links); i++)
		pids[i] = start_process(self->heaps, links[i].first, links[i].nr,
					1000000 * i);
	for (i = 0; i < ARRAY_SIZE(links); i++)
		EXPECT_TRUE(child_succeeded(pids[i]));
}

TEST_HARNESS_MAIN
