// SPDX-License-Identifier: GPL-2.0
/*
 * What has lived through a collection counts as alive in minor ones, which come by
 * themselves where that is wanted; what is young and only old objects refer to is not
 * lost by that, whichever way the reference was stored, and nothing stays for ever.
 *
 * A table of references to objects is old, and its objects are replaced by young ones,
 * which nothing else refers to, while garbage is made all the time.  That is of another
 * size, and for some time only a part of the table changes: minor collections are for
 * programs that leave most of what is old alone.
 */
#include "objects.h"

/* A heap as small as this is left alone. */
#define SMALL		(4 << 20)

/* Of so many objects one goes into the table; the others are garbage at once. */
#define GARBAGE		16
#define GARBAGE_SIZE	(2 * OBJECT_SIZE)

/* Between two collections one of so many parts of the table changes. */
#define PARTS		16

/**
 * struct young - one table, and what was seen of its heap's collections
 * @heap: heap
 * @nr: length of @at
 * @at: objects, in the heap
 * @seen: collections that were looked at
 * @minor: how many of them were minor ones
 * @last: number of the last one of those
 * @peak: largest heap_alloc that was seen
 */
struct young {
	struct gcheap *heap;
	size_t nr;
	struct object *volatile *at;
	uint64_t seen;
	uint64_t minor;
	uint64_t last;
	uint64_t peak;
};

/* The only root */
static struct object *volatile *volatile root;

FIXTURE(young) {
	struct young table;
	bool generational;
};

static void table_fill(struct young *table, size_t nr)
{
	size_t i;

	table->nr = nr;
	table->at = gcheap_alloc(table->heap, nr * sizeof(*table->at));
	must(table->at);
	root = table->at;
	for (i = 0; i < nr; i++)
		table->at[i] = object_new(table->heap, i + 1);
}

/* However fast the machine is, it is worth it to mark while the program runs. */
FIXTURE_SETUP(young)
{
	self->generational = is_on("generational");
	set_parameter("generational", "Y");
	set_parameter("pause_us", "20");
	self->table.heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->table.heap);
	table_fill(&self->table, on_debug_kernel() ? 15000 : 60000);
	/* The first one learns how long marking takes, the second one that all is old. */
	ASSERT_EQ(0, gcheap_collect(self->table.heap));
	ASSERT_EQ(0, gcheap_collect(self->table.heap));
	self->table.seen = stats_of(self->table.heap).num_gc;
}

FIXTURE_TEARDOWN(young)
{
	root = NULL;
	gcheap_close(self->table.heap);
	set_parameter("pause_us", "500");
	set_parameter("generational", self->generational ? "Y" : "N");
}

static bool there_are_minor_ones(void)
{
	return is_on("concurrent") && is_on("generational");
}

static void look_at_collections(struct young *table)
{
	struct gcheap_stats stats = stats_of(table->heap);

	if (stats.heap_alloc > table->peak)
		table->peak = stats.heap_alloc;
	/* Of the last ones it is known what they were. */
	if (table->seen + GCHEAP_CYCLES <= stats.num_gc)
		table->seen = stats.num_gc - GCHEAP_CYCLES + 1;
	while (table->seen < stats.num_gc) {
		if (!cycle_of(table->heap, ++table->seen).minor)
			continue;
		table->minor++;
		table->last = table->seen;
	}
}

static void make_garbage(struct young *table, unsigned int nr)
{
	while (nr--)
		must(gcheap_alloc(table->heap, GARBAGE_SIZE));
}

static void replace_one(struct young *table, store_fn store, uint64_t *state)
{
	size_t part = table->nr / PARTS;
	size_t i = table->seen % PARTS * part + draw(state) % part;

	store(&table->at[i], object_new(table->heap, i + 1));
}

/* Others take what was lost: garbage is of another size. */
static void take_free_slots(const struct young *table)
{
	size_t i;

	for (i = 0; i < table->nr; i++)
		object_new(table->heap, ~i);
}

/* And it was put to the test. */
static bool all_intact(const struct young *table)
{
	size_t i;

	if (there_are_minor_ones() && !table->minor)
		return false;
	take_free_slots(table);
	for (i = 0; i < table->nr; i++)
		if (table->at[i]->number != i + 1 || !is_intact(table->at[i]))
			return false;
	return true;
}

/* Minor collections in each case */
static uint64_t enough(void)
{
	return on_debug_kernel() ? 2 : 6;
}

/* Where there are no minor collections, as many of the other kind will do. */
static bool have_had_enough(struct young *table)
{
	look_at_collections(table);
	return (there_are_minor_ones() ? table->minor : table->seen) >= enough() ||
	       table->seen >= 50 * enough();
}

static void replace_for_a_while(struct young *table, store_fn store)
{
	uint64_t state = 1;
	int i;

	while (!have_had_enough(table)) {
		for (i = 0; i < 256; i++) {
			replace_one(table, store, &state);
			make_garbage(table, GARBAGE - 1);
		}
	}
}

/* By what takes longer than a system call */
static void replace_slowly(struct young *table, store_fn store)
{
	uint64_t state = 3;

	while (!have_had_enough(table)) {
		replace_one(table, store, &state);
		make_garbage(table, 500);
	}
}

TEST_F(young, minor_collections_find_what_is_soon_garbage)
{
	struct young *table = &self->table;
	struct gcheap_cycle cycle;

	while (!have_had_enough(table))
		make_garbage(table, 1000);
	cycle = cycle_of(table->heap, table->last);
	EXPECT_TRUE(all_intact(table));
	if (!there_are_minor_ones()) {
		EXPECT_EQ(0, table->minor);
		return;
	}
	EXPECT_LE(enough(), table->minor);
	EXPECT_EQ(1, cycle.minor);
	EXPECT_LE(1, cycle.pauses);
	EXPECT_LE(2, cycle.looks);
	EXPECT_EQ(0, cycle.forced);
	EXPECT_LE(table->nr * OBJECT_SIZE, cycle.live);
	/* Nearly all of what is not in the table is garbage. */
	EXPECT_GE(table->nr * OBJECT_SIZE * 3 / 2, cycle.live);
	EXPECT_GE(table->nr * (OBJECT_SIZE + sizeof(void *)) * 3 + SMALL, table->peak);
}

TEST_F(young, nothing_is_lost_by_stores_into_old_objects)
{
	replace_for_a_while(&self->table, by_store);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_process_vm_writev_into_old_objects)
{
	replace_for_a_while(&self->table, by_writev);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_reading_from_a_pipe_into_old_objects)
{
	replace_for_a_while(&self->table, by_pipe);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_vmsplice_into_old_objects)
{
	replace_for_a_while(&self->table, by_vmsplice);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_futexes_in_old_objects)
{
	replace_for_a_while(&self->table, by_futex);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_ptrace_into_old_objects)
{
	replace_for_a_while(&self->table, by_ptrace);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_ptrace_of_who_has_not_the_heap_into_old_objects)
{
	pid_t child = stranger_begin(self->table.heap);

	replace_slowly(&self->table, by_ptrace_of_a_stranger);
	EXPECT_TRUE(stranger_end(child));
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_stores_into_old_pages_that_are_dropped)
{
	replace_for_a_while(&self->table, by_store_and_drop);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_io_uring_into_old_objects)
{
	if (!uring_takes(self->table.at))
		SKIP(return, "this kernel has no buffers for io_uring in files");
	replace_slowly(&self->table, by_uring);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_in_old_memory_that_io_uring_has_throughout)
{
	struct young *table = &self->table;

	if (!uring_takes(table->at))
		SKIP(return, "this kernel has no buffers for io_uring in files");
	throughout = (struct iovec){ (void *)table->at, table->nr * sizeof(*table->at) };
	replace_slowly(table, by_uring_throughout);
	EXPECT_TRUE(all_intact(table));
}

TEST_F(young, nothing_is_lost_by_workers_of_io_uring_into_old_objects)
{
	if (!there_are_workers())
		SKIP(return, "this kernel has no io_uring, or not for us");
	replace_slowly(&self->table, by_worker);
	EXPECT_TRUE(all_intact(&self->table));
}

TEST_F(young, nothing_is_lost_by_reading_directly_from_a_disk_into_old_objects)
{
	if (!there_is_a_disk())
		SKIP(return, "no disk: GCHEAP_DISK is not set");
	replace_slowly(&self->table, by_direct);
	EXPECT_TRUE(all_intact(&self->table));
}

/* To look at all of that once more is what a full one does, and that finds more. */
TEST_F(young, collections_are_full_ones_when_all_that_is_old_was_written_to)
{
	struct young *table = &self->table;
	size_t i;

	while (table->seen < 20) {
		for (i = 0; i < table->nr; i++)
			table->at[i]->check = scrambled(i + 1);
		make_garbage(table, 1000);
		look_at_collections(table);
	}
	EXPECT_EQ(0, table->minor);
	/* And it was not for another reason. */
	table->seen = stats_of(table->heap).num_gc;
	while (there_are_minor_ones() && !table->minor && table->seen < 100) {
		make_garbage(table, 1000);
		look_at_collections(table);
	}
	EXPECT_TRUE(all_intact(table));
}

/* What one collection has left as old, the next one may not want to know. */
TEST_F(young, nothing_is_lost_when_parameters_change)
{
	struct young *table = &self->table;
	const bool concurrent = is_on("concurrent"), generational = is_on("generational");
	uint64_t state = 4;
	int i, k;

	for (i = 0; i < 40; i++) {
		set_parameter("concurrent", i % 4 < 3 ? "Y" : "N");
		set_parameter("generational", i % 8 < 5 ? "Y" : "N");
		for (k = 0; k < 256; k++) {
			replace_one(table, by_store, &state);
			make_garbage(table, GARBAGE - 1);
		}
		look_at_collections(table);
	}
	set_parameter("concurrent", concurrent ? "Y" : "N");
	set_parameter("generational", generational ? "Y" : "N");
	take_free_slots(table);
	for (i = 0; i < table->nr; i++)
		must(table->at[i]->number == i + 1 && is_intact(table->at[i]));
}

/* Its page tables have gone when it is looked at them. */
static void by_child(struct object *volatile *to, struct object *object)
{
	pid_t child = fork_child();

	if (!child) {
		*to = object;
		_exit(KSFT_PASS);
	}
	must(child_succeeded(child));
}

TEST_F(young, nothing_is_lost_by_stores_of_children_into_old_objects)
{
	struct young *table = &self->table;
	uint64_t state = 2;

	while (!have_had_enough(table)) {
		replace_one(table, by_child, &state);
		make_garbage(table, 2000);
	}
	EXPECT_TRUE(all_intact(table));
}

/* An object that is young when it is stored to counts as old as soon as it has lived. */
TEST_F(young, lists_that_grow_at_their_old_end_stay_whole)
{
	struct young *table = &self->table;
	uint64_t nr = 1, length;
	struct node {
		struct node *next;
		uint64_t number;
	} *first, *last;

	first = gcheap_alloc(table->heap, sizeof(*first));
	must(first);
	last = first;
	while (nr % 64 || !have_had_enough(table)) {
		last->next = gcheap_alloc(table->heap, sizeof(*first));
		must(last->next);
		last = last->next;
		last->number = nr++;
		make_garbage(table, 20);
	}
	for (length = 0; first && first->number == length; length++)
		first = first->next;
	EXPECT_EQ(nr, length);
	EXPECT_TRUE(all_intact(table));
}

TEST_F(young, what_is_old_goes_when_a_collection_is_asked_for)
{
	struct young *table = &self->table;
	size_t i;

	replace_for_a_while(table, by_store);
	for (i = 0; i < table->nr; i++)
		table->at[i] = NULL;
	EXPECT_EQ(0, gcheap_collect(table->heap));
	EXPECT_EQ(0, cycle_of(table->heap, 0).minor);
	/* The table itself, and what a word on the stack happens to keep. */
	EXPECT_GE(table->nr * sizeof(void *) + 100000, stats_of(table->heap).heap_alloc);
}

/*
 * Objects that become old before they are dropped, as in a queue: nobody asks for a
 * collection, and yet there is never more than the goal allows.
 */
TEST_F(young, what_is_old_goes_by_itself)
{
	struct young *table = &self->table;
	size_t i = 0;

	while (i < 40 * table->nr) {
		table->at[i % table->nr] = object_new(table->heap, i % table->nr + 1);
		if (!(++i % 1000))
			look_at_collections(table);
	}
	EXPECT_GE(table->nr * (OBJECT_SIZE + sizeof(void *)) * 3 + SMALL, table->peak);
}

/* What is dropped when it is old, in a program whose young objects do not stay */
TEST_F(young, what_was_old_does_not_stay_for_ever)
{
	struct young *table = &self->table;
	uint64_t live, until;
	size_t i;

	if (on_debug_kernel())
		SKIP(return, "how collections are paced takes minutes to see there");
	while (!have_had_enough(table))
		make_garbage(table, 1000);
	live = cycle_of(table->heap, 0).live;
	for (i = 0; i < table->nr; i++)
		table->at[i] = NULL;
	until = table->seen + 1000;
	while (cycle_of(table->heap, 0).live > live / 2 && table->seen < until) {
		make_garbage(table, 1000);
		look_at_collections(table);
	}
	EXPECT_GE(live / 2, cycle_of(table->heap, 0).live);
}

#define FREE_SLOTS	1000

/* Complements of addresses that are soon free slots', which garbage takes, and keep nothing */
apart void remember_slots(struct young *table, volatile uintptr_t *slots)
{
	size_t i;

	for (i = 0; i < FREE_SLOTS; i++) {
		make_garbage(table, 20);
		slots[i] = ~(uintptr_t)gcheap_alloc(table->heap, GARBAGE_SIZE);
	}
}

/*
 * A word of an old object happens to be the address of what is made later: that keeps it or
 * not, and the module's parameter verify takes neither for a fault.
 */
TEST_F(young, words_that_were_addresses_before_the_object_was_are_no_fault)
{
	static volatile uintptr_t slots[FREE_SLOTS];
	struct young *table = &self->table;
	uintptr_t *volatile words;
	size_t i;

	while (!table->minor && !have_had_enough(table))
		make_garbage(table, 1000);
	remember_slots(table, slots);
	ASSERT_EQ(0, gcheap_collect(table->heap));
	words = gcheap_alloc(table->heap, sizeof(slots));
	ASSERT_NE(NULL, words);
	for (i = 0; i < FREE_SLOTS; i++)
		words[i] = ~slots[i];
	ASSERT_EQ(0, gcheap_collect(table->heap));
	table->minor = 0;
	while (!have_had_enough(table))
		make_garbage(table, 1000);
	EXPECT_TRUE(all_intact(table));
}

TEST_HARNESS_MAIN
