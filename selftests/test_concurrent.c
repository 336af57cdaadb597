// SPDX-License-Identifier: GPL-2.0
/*
 * Objects change their places while they are marked: whichever way a reference is stored,
 * behind the marker's back or before it, none is lost.
 *
 * A table of references is shuffled all the time, and collected all the time.  Each object
 * is referred to from one place only, but for the moment in which it moves.
 */
#include "events.h"
#include "fdinfo.h"
#include "objects.h"

/**
 * struct table - what is shuffled
 * @heap: heap
 * @nr: length of @at
 * @at: objects
 * @over: enough
 * @moves: how many times two of them changed places
 */
struct table {
	struct gcheap *heap;
	size_t nr;
	struct object *volatile *at;
	_Atomic bool over;
	_Atomic uint64_t moves;
};

/* In memory of its own, which other processes have, too, and no collector looks at */
static struct table *table_new(struct gcheap *heap, size_t nr)
{
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t i;

	must(table != MAP_FAILED);
	table->heap = heap;
	table->nr = nr;
	table->at = gcheap_alloc(heap, nr * sizeof(*table->at));
	must(table->at);
	for (i = 0; i < nr; i++)
		table->at[i] = object_new(heap, i + 1);
	return table;
}

/* The only root */
static struct object *volatile *volatile root;

FIXTURE(moving) {
	struct gcheap *heap;
	struct table *table;
};

FIXTURE_SETUP(moving)
{
	self->heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->heap);
	self->table = table_new(self->heap, scaled(100000));
	root = self->table->at;
}

FIXTURE_TEARDOWN(moving)
{
	root = NULL;
	gcheap_close(self->heap);
	munmap(self->table, sizeof(*self->table));
}

/* Two objects change places; each is in a register or on the stack meanwhile. */
static void move_once(struct table *table, store_fn store, uint64_t *state)
{
	size_t i = draw(state) % table->nr, j = draw(state) % table->nr;
	struct object *volatile one = table->at[i];
	struct object *volatile other = table->at[j];

	store(&table->at[i], other);
	store(&table->at[j], one);
}

static void move_until_over(struct table *table, store_fn store, uint64_t seed)
{
	uint64_t state = seed, moves = 0;

	while (!table->over) {
		move_once(table, store, &state);
		/* What is lost is soon somebody else's. */
		if (!(++moves % 8))
			must(gcheap_alloc(table->heap, OBJECT_SIZE));
		table->moves++;
	}
}

struct mover {
	struct table *table;
	store_fn store;
};

static void *mover_main(void *arg)
{
	struct mover *mover = arg;

	move_until_over(mover->table, mover->store, 1);
	return NULL;
}

static void collect_for_a_while(struct table *table)
{
	int nr = on_debug_kernel() ? 4 : 20;
	uint64_t moves;

	while (nr--) {
		moves = table->moves;
		must(!gcheap_collect(table->heap));
		while (table->moves == moves)
			sched_yield();
	}
	table->over = true;
}

static bool all_there(const struct table *table)
{
	bool *seen = calloc(table->nr + 1, sizeof(*seen));
	bool all = true;
	size_t i;

	must(seen);
	for (i = 0; i < table->nr && all; i++) {
		struct object *object = table->at[i];

		all = object->number - 1 < table->nr && !seen[object->number] &&
		      is_intact(object);
		if (all)
			seen[object->number] = true;
	}
	free(seen);
	return all;
}

static void move_by_thread(struct table *table, store_fn store)
{
	struct mover mover = { table, store };
	pthread_t thread;

	must(!pthread_create(&thread, NULL, mover_main, &mover));
	collect_for_a_while(table);
	must(!pthread_join(thread, NULL));
}

TEST_F(moving, marking_goes_on_while_the_program_runs)
{
	struct gcheap_cycle cycle;

	/* The first one learns how long marking takes. */
	ASSERT_EQ(0, gcheap_collect(self->heap));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	cycle = cycle_of(self->heap, 0);
	if (!is_on("concurrent")) {
		EXPECT_EQ(1, cycle.pauses);
		EXPECT_EQ(0, cycle.concurrent_ns);
		return;
	}
	EXPECT_LE(2, cycle.pauses);
	EXPECT_LT(0, cycle.concurrent_ns);
	EXPECT_LE(2, cycle.looks);
	EXPECT_GE(cycle.pause_ns, cycle.roots_ns + cycle.dirty_ns + cycle.flip_ns);
	EXPECT_LE(self->table->nr * OBJECT_SIZE, cycle.live);
}

TEST_F(moving, nothing_is_lost_by_stores)
{
	move_by_thread(self->table, by_store);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_process_vm_writev)
{
	move_by_thread(self->table, by_writev);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_reading_from_a_pipe)
{
	move_by_thread(self->table, by_pipe);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_io_uring)
{
	if (!uring_takes(self->table->at))
		SKIP(return, "this kernel has no buffers for io_uring in files");
	move_by_thread(self->table, by_uring);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_in_memory_that_io_uring_has_throughout)
{
	struct table *table = self->table;

	if (!uring_takes(table->at))
		SKIP(return, "this kernel has no buffers for io_uring in files");
	throughout = (struct iovec){ (void *)table->at, table->nr * sizeof(*table->at) };
	move_by_thread(table, by_uring_throughout);
	EXPECT_TRUE(all_there(table));
}

TEST_F(moving, nothing_is_lost_by_workers_of_io_uring)
{
	if (!there_are_workers())
		SKIP(return, "this kernel has no io_uring, or not for us");
	move_by_thread(self->table, by_worker);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_vmsplice)
{
	move_by_thread(self->table, by_vmsplice);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_futexes)
{
	move_by_thread(self->table, by_futex);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_reading_directly_from_a_disk)
{
	if (!there_is_a_disk())
		SKIP(return, "no disk: GCHEAP_DISK is not set");
	move_by_thread(self->table, by_direct);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_ptrace)
{
	move_by_thread(self->table, by_ptrace);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_ptrace_of_who_has_not_the_heap)
{
	pid_t child = stranger_begin(self->heap);

	move_by_thread(self->table, by_ptrace_of_a_stranger);
	EXPECT_TRUE(stranger_end(child));
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_stores_to_pages_that_are_dropped)
{
	move_by_thread(self->table, by_store_and_drop);
	EXPECT_TRUE(all_there(self->table));
}

TEST_F(moving, nothing_is_lost_by_stores_of_another_process)
{
	pid_t child = fork_child();

	if (!child) {
		move_until_over(self->table, by_store, 2);
		_exit(KSFT_PASS);
	}
	collect_for_a_while(self->table);
	EXPECT_TRUE(child_succeeded(child));
	EXPECT_TRUE(all_there(self->table));
}

/* One that moves a few, and is gone before it can be looked at. */
static void *forker_main(void *arg)
{
	struct table *table = arg;
	uint64_t state = 3;
	pid_t child;
	int i;

	while (!table->over) {
		draw(&state);
		child = fork_child();
		if (!child) {
			for (i = 0; i < 1000; i++)
				move_once(table, by_store, &state);
			_exit(KSFT_PASS);
		}
		must(child_succeeded(child));
		table->moves++;
	}
	return NULL;
}

TEST_F(moving, nothing_is_lost_by_stores_of_processes_that_end)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, forker_main, self->table));
	collect_for_a_while(self->table);
	must(!pthread_join(thread, NULL));
	EXPECT_TRUE(all_there(self->table));
}

/* What is handed out at a time may be more than was to be allocated. */
#define SLACK		(64 << 10)

/**
 * struct growth - collections of a heap in which nothing dies
 * @seen: those that were looked at
 * @beyond: how many of them were complete later than they were due
 * @far: and how many of these later than they may be
 */
struct growth {
	uint64_t seen;
	unsigned int beyond;
	unsigned int far;
};

static void look_at_growth(struct gcheap *heap, struct growth *growth)
{
	uint64_t nr = stats_of(heap).num_gc;
	struct gcheap_cycle cycle;

	while (growth->seen < nr) {
		cycle = cycle_of(heap, ++growth->seen);
		growth->beyond += cycle.after > cycle.goal + SLACK;
		growth->far += cycle.after > cycle.goal + cycle.goal / 16 + SLACK;
	}
}

struct link {
	struct link *next;
	char rest[OBJECT_SIZE - sizeof(void *)];
};

static struct link *volatile chain;

/* Half of what lives, each one beside two stores to pages far from each other. */
static void grow_by_half(struct gcheap *heap, struct table *table, uint64_t *state)
{
	size_t nr = stats_of(heap).heap_alloc / 2 / OBJECT_SIZE;
	struct link *link;

	while (nr--) {
		link = gcheap_alloc(heap, OBJECT_SIZE);
		must(link);
		link->next = chain;
		chain = link;
		move_once(table, by_store, state);
	}
}

/*
 * What was written beside it is looked at again in parts, when it is due as well; until it
 * is complete more is allocated, but not much.
 */
TEST_F(moving, who_allocates_when_it_is_due_does_a_part_of_what_there_is_to_do)
{
	const size_t most = on_debug_kernel() ? 24 << 20 : 64 << 20;
	const bool concurrent = is_on("concurrent");
	struct growth growth = {};
	uint64_t state = 5;
	int rounds = concurrent ? 20 : 1;

	/* Who else marks may be fast enough. */
	while (rounds-- && !growth.beyond) {
		chain = NULL;
		must(!gcheap_collect(self->heap));
		while (stats_of(self->heap).heap_alloc < most) {
			grow_by_half(self->heap, self->table, &state);
			look_at_growth(self->heap, &growth);
		}
	}
	TH_LOG("%u of %llu", growth.beyond, (unsigned long long)growth.seen);
	EXPECT_EQ(concurrent, growth.beyond > 0);
	EXPECT_EQ(0, growth.far);
	EXPECT_TRUE(all_there(self->table));
	chain = NULL;
}

/* Pages that a look may find before there is another one in any case */
#define FEW_PAGES	64

/* A table of references on so many pages, each of which is written to all the time */
#define HOT_PAGES	(2 * FEW_PAGES)

static struct table *hot_table(struct gcheap *heap)
{
	struct table *table;

	root = NULL;
	table = table_new(heap, HOT_PAGES * 4096 / sizeof(*table->at));
	root = table->at;
	return table;
}

static void replace_some(struct table *table, uint64_t *state)
{
	size_t nr = 64, at;

	while (nr--) {
		at = draw(state) % table->nr;
		table->at[at] = object_new(table->heap, at + 1);
	}
}

static bool is_one_look(const struct gcheap_cycle *cycle)
{
	return !cycle->forced && !cycle->minor && cycle->pauses == 2 && cycle->looks == 2 &&
	       cycle->dirty_pages > FEW_PAGES;
}

/* Until the heap knows that the table is written to all the time; or not, in so many cycles */
static bool make_hot(struct table *table, uint64_t *state)
{
	uint64_t first = stats_of(table->heap).num_gc, seen = first, nr;
	struct gcheap_cycle cycle;

	while (seen < first + 200) {
		replace_some(table, state);
		nr = stats_of(table->heap).num_gc;
		if (nr == seen)
			continue;
		seen = nr;
		cycle = cycle_of(table->heap, nr);
		if (is_one_look(&cycle))
			return true;
	}
	return false;
}

/*
 * To look at it again while there is time for that would be in vain.  It is done when the
 * collection is due, once.
 */
TEST_F(moving, what_is_written_all_the_time_is_looked_at_once_beside_the_program)
{
	struct table *table;
	uint64_t state = 6;

	if (!is_on("concurrent"))
		SKIP(return, "nothing is looked at beside the program");
	table = hot_table(self->heap);
	EXPECT_TRUE(make_hot(table, &state));
	EXPECT_TRUE(all_there(table));
	munmap(table, sizeof(*table));
}

/* What is in use is within this part of what may be allocated between two collections. */
static bool is_nearly_due(struct gcheap *heap)
{
	struct gcheap_stats stats = stats_of(heap);
	uint64_t live = cycle_of(heap, stats.num_gc).live;

	return stats.heap_alloc + (stats.next_gc - live) / 32 >= stats.next_gc;
}

/* The collection after @nr of them has begun. */
static bool has_begun(struct watched *watched, long heap, uint64_t nr)
{
	const char *event;

	watch_look(watched);
	event = last_event_of(watched, "cycle_begin", heap);
	return event && number_of(event, "number") == nr + 1;
}

/* It has begun, is not due yet, and would have waited until it is. */
TEST_F(moving, collection_is_complete_when_nobody_allocates_any_more)
{
	struct watched watched;
	struct table *table;
	uint64_t state = 7, nr;
	bool hot;
	long id;

	if (!is_on("concurrent"))
		SKIP(return, "no collection goes on beside the program");
	if (!watch_begin(&watched, "gcheap_cycle_begin"))
		SKIP(return, "nothing tells that a collection has begun");
	table = hot_table(self->heap);
	id = value_now(self->heap, "id");
	hot = make_hot(table, &state);
	if (!hot)
		watch_end(&watched);
	ASSERT_TRUE(hot);
	do {
		replace_some(table, &state);
		nr = stats_of(self->heap).num_gc;
	} while (!is_nearly_due(self->heap) || !has_begun(&watched, id, nr));
	while (stats_of(self->heap).num_gc == nr)
		sched_yield();
	EXPECT_TRUE(all_there(table));
	EXPECT_TRUE(watch_end(&watched));
	munmap(table, sizeof(*table));
}

static void set_budget(const char *us)
{
	must(write_to("/sys/module/gcheap/parameters/pause_us", us));
}

/*
 * Without a budget the last pause has to do what it finds, and whoever does it is soon
 * killed.  What he leaves is marked, and is nobody's but the heap's.
 */
TEST_F(moving, collector_that_is_killed_leaves_the_rest_to_others)
{
	int nr = on_debug_kernel() ? 3 : 20;
	uint64_t moves;
	pid_t child;

	set_budget("0");
	while (nr--) {
		child = fork_child();
		while (!child) {
			must(!gcheap_collect(self->heap));
			self->table->moves++;
		}
		moves = self->table->moves;
		while (self->table->moves == moves)
			sched_yield();
		must(!kill(child, SIGKILL));
		must(waitpid(child, NULL, 0) == child);
		EXPECT_EQ(0, gcheap_collect(self->heap));
		must(gcheap_alloc(self->heap, OBJECT_SIZE));
	}
	set_budget("500");
	EXPECT_TRUE(all_there(self->table));
}

#define CALLERS		8

/* They wait for collections of their own, and die before they have had them. */
TEST_F(moving, killed_callers_of_collect_leave_nothing_to_others)
{
	pid_t children[CALLERS];
	uint64_t before;
	int i;

	for (i = 0; i < CALLERS; i++) {
		children[i] = fork_child();
		while (!children[i]) {
			must(!gcheap_collect(self->heap));
			self->table->moves++;
		}
	}
	while (self->table->moves < 2 * CALLERS)
		sched_yield();
	for (i = 0; i < CALLERS; i++)
		must(!kill(children[i], SIGKILL));
	for (i = 0; i < CALLERS; i++)
		must(waitpid(children[i], NULL, 0) == children[i]);
	before = stats_of(self->heap).num_gc;
	EXPECT_EQ(0, gcheap_collect(self->heap));
	/* One may have been under way. */
	EXPECT_GE(before + 2, stats_of(self->heap).num_gc);
}

TEST_HARNESS_MAIN
