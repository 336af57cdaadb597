// SPDX-License-Identifier: GPL-2.0
/*
 * Weak references and disappearing links: they keep nothing, lead to their object as long as
 * something else does, and to nothing from the moment at which it is found to be garbage,
 * whichever way the collection goes that finds it.
 */
#include "objects.h"

#define MANY		20000

/* What keeps objects, and references: two roots, arrays in the heap */
static struct object *volatile *volatile kept;
static struct gcheap_weak *volatile *volatile references;

FIXTURE(weak) {
	struct gcheap *heap;
	bool concurrent;
};

FIXTURE_VARIANT(weak) {
	bool beside;
};

/* All is marked in one stop. */
FIXTURE_VARIANT_ADD(weak, stopped) { .beside = false };

/* The program runs meanwhile, as soon as it is known that marking takes long. */
FIXTURE_VARIANT_ADD(weak, running) { .beside = true };

static long many(void)
{
	return on_debug_kernel() ? MANY / 10 : MANY;
}

/* Something to mark, so that it takes longer than a pause may. */
apart void make_ballast(void *arg)
{
	struct gcheap *heap = arg;
	long i;

	kept = gcheap_alloc(heap, many() * sizeof(*kept));
	references = gcheap_alloc(heap, many() * sizeof(*references));
	must(kept && references);
	for (i = 0; i < many(); i++)
		kept[i] = object_new(heap, i + 1);
}

FIXTURE_SETUP(weak)
{
	self->concurrent = is_on("concurrent");
	set_parameter("concurrent", variant->beside ? "Y" : "N");
	set_parameter("pause_us", variant->beside ? "20" : "500");
	self->heap = open_manual(256 * MIB);
	ASSERT_NE(NULL, self->heap);
	in_thread(make_ballast, self->heap);
	collect(self->heap);
}

FIXTURE_TEARDOWN(weak)
{
	kept = NULL;
	references = NULL;
	gcheap_close(self->heap);
	set_parameter("concurrent", self->concurrent ? "Y" : "N");
	set_parameter("pause_us", "500");
}

/**
 * struct pair - an object and the reference to it
 * @heap: heap
 * @offset: where in the object the reference leads
 * @keep: the object is kept, as the first one
 * @object: address of the object, hidden
 * @seen: what the reference gives, hidden
 */
struct pair {
	struct gcheap *heap;
	size_t offset;
	bool keep;
	uintptr_t object;
	uintptr_t seen;
};

apart void make_pair(void *arg)
{
	struct pair *pair = arg;
	struct object *object = object_new(pair->heap, 12345);

	references[0] = gcheap_weak_new(pair->heap, (char *)object + pair->offset);
	must(references[0]);
	pair->object = hide(object);
	if (pair->keep)
		kept[0] = object;
}

apart void look_at_pair(void *arg)
{
	struct pair *pair = arg;

	pair->seen = hide(gcheap_weak_get(references[0]));
}

static uintptr_t seen_of(struct pair *pair)
{
	in_thread(look_at_pair, pair);
	return pair->seen;
}

TEST_F(weak, leads_to_its_object_as_long_as_something_else_does)
{
	struct pair pair = { .heap = self->heap, .keep = true };
	int i;

	in_thread(make_pair, &pair);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(pair.object, seen_of(&pair));
		collect(self->heap);
	}
	EXPECT_EQ(12345, kept[0]->number);
	EXPECT_TRUE(is_intact(kept[0]));
	kept[0] = NULL;
	collect(self->heap);
	EXPECT_EQ(hide(NULL), seen_of(&pair));
	EXPECT_FALSE(is_allocated(self->heap, pair.object));
}

TEST_F(weak, keeps_nothing)
{
	struct pair pair = { .heap = self->heap };

	in_thread(make_pair, &pair);
	collect(self->heap);
	EXPECT_EQ(hide(NULL), seen_of(&pair));
	EXPECT_FALSE(is_allocated(self->heap, pair.object));
}

TEST_F(weak, leads_where_it_was_told_to)
{
	struct pair pair = { .heap = self->heap, .offset = 24, .keep = true };

	in_thread(make_pair, &pair);
	collect(self->heap);
	EXPECT_EQ(24, reveal(seen_of(&pair)) - reveal(pair.object));
	kept[0] = NULL;
	collect(self->heap);
	EXPECT_EQ(hide(NULL), seen_of(&pair));
}

apart void keep_what_it_leads_to(void *arg)
{
	(void)arg;
	kept[0] = gcheap_weak_get(references[0]);
}

TEST_F(weak, brings_its_object_back_to_those_that_count)
{
	struct pair pair = { .heap = self->heap };

	in_thread(make_pair, &pair);
	in_thread(keep_what_it_leads_to, NULL);
	collect(self->heap);
	EXPECT_EQ(pair.object, seen_of(&pair));
	ASSERT_NE(NULL, kept[0]);
	EXPECT_EQ(12345, kept[0]->number);
}

TEST_F(weak, that_was_freed_leads_nowhere_and_takes_nothing_along)
{
	struct pair pair = { .heap = self->heap, .keep = true };

	in_thread(make_pair, &pair);
	gcheap_weak_free(self->heap, references[0]);
	EXPECT_EQ(hide(NULL), seen_of(&pair));
	gcheap_weak_free(self->heap, references[0]);
	gcheap_weak_free(self->heap, NULL);
	collect(self->heap);
	EXPECT_EQ(12345, kept[0]->number);
	EXPECT_TRUE(is_intact(kept[0]));
}

TEST_F(weak, to_what_is_no_object_is_einval)
{
	static uint64_t elsewhere[2];
	void *const nothing[] = { NULL, elsewhere, &self, (void *)kept + 200 * MIB, (void *)-8 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nothing); i++) {
		errno = 0;
		EXPECT_EQ(NULL, gcheap_weak_new(self->heap, nothing[i]));
		EXPECT_EQ(EINVAL, errno);
	}
}

apart void make_many(void *arg)
{
	long i;

	for (i = 0; i < many(); i++) {
		references[i] = gcheap_weak_new(arg, kept[i]);
		must(references[i]);
	}
}

/* Two of three go. */
apart void drop_some(void *arg)
{
	long i;

	(void)arg;
	for (i = 0; i < many(); i++)
		if (i % 3)
			kept[i] = NULL;
}

apart void look_at_many(void *arg)
{
	long i;

	(void)arg;
	for (i = 0; i < many(); i++) {
		const struct object *object = gcheap_weak_get(references[i]);

		must(object == kept[i]);
		must(!object || (object->number == (uint64_t)i + 1 && is_intact(object)));
	}
}

TEST_F(weak, of_many_exactly_those_lead_nowhere_whose_objects_went)
{
	in_thread(make_many, self->heap);
	in_thread(look_at_many, NULL);
	collect(self->heap);
	in_thread(look_at_many, NULL);
	in_thread(drop_some, NULL);
	collect(self->heap);
	in_thread(look_at_many, NULL);
	/* Over what was reclaimed */
	in_thread(make_ballast, self->heap);
	in_thread(make_many, self->heap);
	collect(self->heap);
	in_thread(look_at_many, NULL);
}

apart void drop_references(void *arg)
{
	(void)arg;
	memset((void *)references, 0, many() * sizeof(*references));
}

TEST_F(weak, costs_little_and_nothing_when_it_went)
{
	uint64_t before, with;

	collect(self->heap);
	before = stats_of(self->heap).gc_sys;
	in_thread(make_many, self->heap);
	with = stats_of(self->heap).gc_sys;
	EXPECT_LT(32 * many(), with - before);
	/* Slabs for the references are among it. */
	EXPECT_GT(64 * many(), with - before);
	in_thread(drop_references, NULL);
	collect(self->heap);
	/* The table goes when the next one begins. */
	collect(self->heap);
	EXPECT_GT(before + 32 * many() / 4, stats_of(self->heap).gc_sys);
}

apart void have_child_look(void *arg)
{
	pid_t child = fork_child();

	(void)arg;
	if (!child) {
		must(!gcheap_weak_get(references[0]));
		must(gcheap_weak_get(references[1]) == kept[1]);
		_exit(0);
	}
	must(child_succeeded(child));
}

apart void make_two(void *arg)
{
	references[0] = gcheap_weak_new(arg, kept[0]);
	references[1] = gcheap_weak_new(arg, kept[1]);
	must(references[0] && references[1]);
}

/* Who made it may have ended. */
apart void have_child_make_two(void *arg)
{
	pid_t child = fork_child();

	if (!child) {
		make_two(arg);
		_exit(0);
	}
	must(child_succeeded(child));
	kept[0] = NULL;
}

TEST_F(weak, is_one_for_all_processes)
{
	in_thread(have_child_make_two, self->heap);
	collect(self->heap);
	in_thread(have_child_look, NULL);
	EXPECT_EQ(NULL, gcheap_weak_get(references[0]));
	EXPECT_EQ(kept[1], gcheap_weak_get(references[1]));
}

/* In an object that is searched: so what is there must not look like an address. */
apart void make_hidden_link(void *arg)
{
	uintptr_t *words = gcheap_alloc(arg, 64);
	struct object *object = object_new(arg, 7);

	must(words);
	words[3] = hide(object);
	words[4] = 4;
	must(!gcheap_link_add(arg, &words[3], (char *)object + 17));
	kept[0] = object;
	references[0] = (void *)words;
}

apart uintptr_t word_of_link(void)
{
	return ((volatile uintptr_t *)references[0])[3];
}

TEST_F(weak, link_is_made_zero_when_its_object_goes)
{
	in_thread(make_hidden_link, self->heap);
	collect(self->heap);
	EXPECT_EQ(hide(kept[0]), word_of_link());
	kept[0] = NULL;
	collect(self->heap);
	EXPECT_EQ(0, word_of_link());
	EXPECT_EQ(4, ((uintptr_t *)references[0])[4]);
	errno = 0;
	EXPECT_EQ(-1, gcheap_link_del(self->heap, &((uintptr_t *)references[0])[3]));
	EXPECT_EQ(ENOENT, errno);
}

TEST_F(weak, link_that_was_taken_back_is_let_alone)
{
	uintptr_t word;

	in_thread(make_hidden_link, self->heap);
	EXPECT_EQ(0, gcheap_link_del(self->heap, &((uintptr_t *)references[0])[3]));
	word = word_of_link();
	kept[0] = NULL;
	collect(self->heap);
	EXPECT_EQ(word, word_of_link());
}

TEST_F(weak, link_follows_the_last_object_that_was_given)
{
	uintptr_t *word;

	in_thread(make_hidden_link, self->heap);
	word = &((uintptr_t *)references[0])[3];
	EXPECT_EQ(0, gcheap_link_add(self->heap, word, (void *)kept[1]));
	kept[0] = NULL;
	collect(self->heap);
	EXPECT_NE(0, *word);
	kept[1] = NULL;
	collect(self->heap);
	EXPECT_EQ(0, *word);
}

TEST_F(weak, link_in_what_is_no_object_is_einval)
{
	static uintptr_t elsewhere;
	void *const nowhere[] = { NULL, &elsewhere, (char *)kept + 1, (void *)kept + 200 * MIB };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		errno = 0;
		EXPECT_EQ(-1, gcheap_link_add(self->heap, nowhere[i], (void *)kept[0]));
		EXPECT_EQ(EINVAL, errno);
	}
}

/* Objects are exchanged, and references to them, while others read those. */
#define SLOTS		256
#define READERS		2

static _Atomic bool enough;

static void *run_reader(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!enough) {
		size_t i = draw(&state) % SLOTS;
		struct gcheap_weak *reference = references[i];
		const struct object *object = gcheap_weak_get(reference);

		must(!object || (object->number % SLOTS == i && is_intact(object)));
	}
	return NULL;
}

static void exchange(struct gcheap *heap, uint64_t *state, uint64_t *number)
{
	size_t i = draw(state) % SLOTS;
	struct object *object = object_new(heap, ++*number * SLOTS + i);
	struct gcheap_weak *reference = gcheap_weak_new(heap, object);

	must(reference);
	references[i] = reference;
	/* Some are never kept, and only readers may have them. */
	kept[i] = *number % 4 ? object : NULL;
}

apart void make_slots(void *arg)
{
	size_t i;

	for (i = 0; i < SLOTS; i++) {
		kept[i] = object_new(arg, i);
		references[i] = gcheap_weak_new(arg, kept[i]);
		must(references[i]);
	}
}

TEST_F(weak, read_by_others_leads_to_nothing_that_is_gone)
{
	uint64_t state = 1, number = 0, cycles = on_debug_kernel() ? 20 : 100;
	pthread_t readers[READERS];
	long i;

	in_thread(make_slots, self->heap);
	ASSERT_EQ(-1, gcheap_set_percent(self->heap, 10));
	enough = false;
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&readers[i], NULL, run_reader, (void *)i));
	cycles += stats_of(self->heap).num_gc;
	while (stats_of(self->heap).num_gc < cycles) {
		for (i = 0; i < 64; i++) {
			exchange(self->heap, &state, &number);
			must(gcheap_alloc(self->heap, 1024));
		}
		if (!(number % 4096))
			must(!gcheap_collect(self->heap));
	}
	enough = true;
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_join(readers[i], NULL));
	/* There was something to lose. */
	EXPECT_LT(SLOTS, number);
}

TEST_HARNESS_MAIN
