// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that allocate, pass structures to each other, and come and go, while
 * collections never stop.
 */
#include "common.h"

#define THREADS		8
#define ROUNDS		4000
#define SHORT_THREADS	1000
#define MAILBOXES	64

/* A chain of objects of all sizes, each of which is filled after its head */
struct chain {
	struct chain *next;
	uint64_t size;
	uint64_t seed;
};

/* Where structures change hands: the only reference, for a moment */
static struct chain *_Atomic mailboxes[MAILBOXES];
static _Atomic bool stop;

/* Counts structures, so that collections do not outrun those who make them. */
static _Atomic long progress;

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static size_t random_size(uint64_t *state)
{
	uint64_t draw = next_random(state);

	if (draw % 200 == 0)
		return 33000 + draw % 50000;
	if (draw % 10 == 0)
		return sizeof(struct chain) + draw % 8000;
	return sizeof(struct chain) + draw % 300;
}

static struct chain *make_chain(struct gcheap *heap, uint64_t *state)
{
	unsigned int length = 1 + next_random(state) % 10;
	struct chain *chain = NULL, *link;

	while (length--) {
		size_t size = random_size(state);

		link = gcheap_alloc(heap, size);
		must(link);
		must(all_zero(link, size));
		link->next = chain;
		link->size = size;
		link->seed = next_random(state);
		fill(link + 1, size - sizeof(*link), link->seed);
		chain = link;
	}
	return chain;
}

static bool intact(const struct chain *chain)
{
	for (; chain; chain = chain->next)
		if (!filled(chain + 1, chain->size - sizeof(*chain), chain->seed))
			return false;
	return true;
}

FIXTURE(threads) {
	struct gcheap *heap;
};

/* Collected when told to, all the time; and also by itself. */
FIXTURE_VARIANT(threads) {
	struct gcheap_options options;
};

FIXTURE_VARIANT_ADD(threads, with_forced_collections) {
	.options = { .percent = -1 },
};

FIXTURE_VARIANT_ADD(threads, with_collections_of_both_kinds) {
	.options = { .percent = 20 },
};

FIXTURE_VARIANT_ADD(threads, in_little_memory) {
	.options = { .percent = 400, .size = 24 * MIB },
};

FIXTURE_SETUP(threads)
{
	self->heap = gcheap_open(&variant->options);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(threads)
{
	gcheap_close(self->heap);
}

struct worker {
	struct gcheap *heap;
	uint64_t state;
	long rounds;
	pid_t tid;
	pthread_t thread;
};

static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	struct chain *chain;
	long i;

	worker->tid = gettid();
	for (i = 0; i < worker->rounds; i++) {
		size_t box = next_random(&worker->state) % MAILBOXES;

		chain = make_chain(worker->heap, &worker->state);
		chain = atomic_exchange(&mailboxes[box], chain);
		must(intact(chain));
		progress++;
	}
	return NULL;
}

static void *run_collector(void *heap)
{
	long seen = progress;

	while (!stop) {
		must(!gcheap_collect(heap));
		while (seen == progress && !stop)
			sched_yield();
		seen = progress;
	}
	return NULL;
}

static void start_workers(struct gcheap *heap, struct worker *workers, long rounds)
{
	int i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker) { heap, i + 1, rounds, 0, 0 };
		must(!pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]));
	}
}

static void join_workers(struct worker *workers)
{
	int i;

	for (i = 0; i < THREADS; i++)
		must(!pthread_join(workers[i].thread, NULL));
	for (i = 0; i < THREADS; i++)
		await_thread_end(workers[i].tid);
}

static void check_mailboxes(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < MAILBOXES; i++)
		must(intact(mailboxes[i]));
}

static void clear_mailboxes(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < MAILBOXES; i++)
		mailboxes[i] = NULL;
}

TEST_F(threads, pass_structures_among_them)
{
	struct worker workers[THREADS];
	pthread_t collector;
	struct gcheap_stats stats;

	ASSERT_EQ(0, pthread_create(&collector, NULL, run_collector, self->heap));
	start_workers(self->heap, workers, scaled(ROUNDS));
	join_workers(workers);
	stop = true;
	ASSERT_EQ(0, pthread_join(collector, NULL));
	in_thread(check_mailboxes, NULL);
	collect(self->heap);
	in_thread(check_mailboxes, NULL);
	in_thread(clear_mailboxes, NULL);
	collect(self->heap);
	stats = stats_of(self->heap);
	EXPECT_LT(scaled(ROUNDS) * THREADS, stats.mallocs);
	EXPECT_GT(200, stats.heap_objects);
}

/* Each allocates a little from each class, and is gone: so are its slabs. */
static void live_shortly(void *arg)
{
	struct worker worker = { .heap = arg, .rounds = 1 };

	worker.state = gettid();
	run_worker(&worker);
}

TEST_F(threads, come_and_go)
{
	long i, count = repeated(SHORT_THREADS);
	struct gcheap_stats stats;
	pthread_t collector;

	ASSERT_EQ(0, pthread_create(&collector, NULL, run_collector, self->heap));
	for (i = 0; i < count; i++)
		in_thread(live_shortly, self->heap);
	stop = true;
	ASSERT_EQ(0, pthread_join(collector, NULL));
	in_thread(check_mailboxes, NULL);
	in_thread(clear_mailboxes, NULL);
	collect(self->heap);
	stats = stats_of(self->heap);
	EXPECT_LE(count, stats.mallocs);
	EXPECT_GT(200, stats.heap_objects);
	EXPECT_GT(16 * MIB, stats.heap_inuse);
}

/* Born in the middle of a stop */
static void *be_born(void *arg)
{
	return arg;
}

static void *run_mother(void *arg)
{
	pthread_t thread;

	(void)arg;
	while (!stop) {
		must(!pthread_create(&thread, NULL, be_born, NULL));
		must(!pthread_join(thread, NULL));
	}
	return NULL;
}

TEST_F(threads, are_born_while_the_world_stops)
{
	struct worker workers[THREADS];
	pthread_t mothers[3];
	long i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&mothers[i], NULL, run_mother, NULL));
	start_workers(self->heap, workers, scaled(ROUNDS) / 10);
	for (i = 0; i < repeated(500); i++)
		ASSERT_EQ(0, gcheap_collect(self->heap));
	stop = true;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(mothers[i], NULL));
	join_workers(workers);
	in_thread(check_mailboxes, NULL);
}

/* All collect at once, and allocate in between. */
static void *run_greedy(void *arg)
{
	struct worker *worker = arg;
	struct chain *chain;
	long i;

	for (i = 0; i < worker->rounds; i++) {
		chain = make_chain(worker->heap, &worker->state);
		must(!gcheap_collect(worker->heap));
		must(intact(chain));
	}
	return NULL;
}

TEST_F(threads, collect_all_at_once)
{
	struct worker workers[THREADS];
	long i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker) { self->heap, i + 1, repeated(100), 0, 0 };
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, run_greedy, &workers[i]));
	}
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
	EXPECT_EQ(THREADS * repeated(100), stats_of(self->heap).num_forced_gc);
}

/* Two heaps: a thread has a cache of slabs for each. */
TEST_F(threads, use_two_heaps_in_turn)
{
	struct gcheap *other = gcheap_open(&variant->options);
	uint64_t state = 1;
	struct chain *one, *two;
	long i;

	ASSERT_NE(NULL, other);
	for (i = 0; i < repeated(1000); i++) {
		one = make_chain(self->heap, &state);
		two = make_chain(other, &state);
		if (i % 10 == 0) {
			ASSERT_EQ(0, gcheap_collect(self->heap));
			ASSERT_EQ(0, gcheap_collect(other));
		}
		ASSERT_TRUE(intact(one));
		ASSERT_TRUE(intact(two));
	}
	EXPECT_LT(0, stats_of(self->heap).mallocs);
	EXPECT_LT(0, stats_of(other).mallocs);
	gcheap_close(other);
}

/**
 * struct runner - a thread that counts, and what a collector saw of it
 * @count: steps
 * @naps: it sleeps in each step for as short as it can
 * @seen: @count after the last collection
 * @idle: collections in a row since @count moved
 * @longest: the most of those
 * @thread: handle
 */
struct runner {
	_Atomic long count;
	bool naps;
	long seen;
	long idle;
	long longest;
	pthread_t thread;
};

static void *run_runner(void *arg)
{
	struct timespec moment = { .tv_nsec = 1 };
	struct runner *runner = arg;

	while (!stop) {
		runner->count++;
		if (runner->naps)
			must(!nanosleep(&moment, NULL));
	}
	return NULL;
}

static void look_at_runner(struct runner *runner)
{
	long count = runner->count;

	runner->idle = count == runner->seen ? runner->idle + 1 : 0;
	runner->seen = count;
	if (runner->idle > runner->longest)
		runner->longest = runner->idle;
}

static void use_processor(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

/* A process that no heap stops naps, too: it tells whether the processor runs at all. */
static pid_t start_witness(struct runner *witness)
{
	pid_t pid = fork_child();

	if (pid)
		return pid;
	run_runner(witness);
	_exit(KSFT_FAIL);
}

/*
 * Who is woken at the end of a stop was late for the next one, parked again, and so
 * on: seconds went by.  Now a stop waits for whom the last one parked; how many go by
 * while the machine has something else to do than the threads' processor is another
 * matter.
 */
TEST(run_on_between_one_stop_and_the_next)
{
	struct gcheap_options options = { .percent = -1 };
	struct runner runners[2] = { { .naps = false }, { .naps = true } };
	struct runner *witness = shared_page();
	long i, seen, collections = repeated(2000);
	struct gcheap *heap;
	pid_t pid;
	int j;

	use_processor(1);
	witness->naps = true;
	pid = start_witness(witness);
	heap = gcheap_open(&options);
	ASSERT_NE(NULL, heap);
	for (j = 0; j < 2; j++)
		ASSERT_EQ(0, pthread_create(&runners[j].thread, NULL, run_runner, &runners[j]));
	for (j = 0; j < 2; j++)
		while (!runners[j].count)
			sched_yield();
	use_processor(0);
	for (i = 0; i < collections; i++) {
		seen = witness->count;
		ASSERT_EQ(0, gcheap_collect(heap));
		for (j = 0; j < 2 && witness->count != seen; j++)
			look_at_runner(&runners[j]);
	}
	stop = true;
	kill(pid, SIGKILL);
	await_child(pid);
	for (j = 0; j < 2; j++) {
		ASSERT_EQ(0, pthread_join(runners[j].thread, NULL));
		printf("# %s: no step in up to %ld collections\n",
		       runners[j].naps ? "napping" : "running", runners[j].longest);
		EXPECT_GT(50, runners[j].longest);
	}
	gcheap_close(heap);
}

TEST_HARNESS_MAIN
