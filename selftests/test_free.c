// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that the program is done with: their memory is used again, nothing else is
 * touched, and what is no object is refused.
 */
#include "common.h"

#include <sys/mman.h>

#define HEAP_SIZE	(32 * MIB)

/* Small ones of several shapes of slab, the largest small one, and large ones */
static const size_t sizes[] = { 8, 16, 48, 100, 1000, 4000, 20000, 32768, 40000, 300000 };

FIXTURE(freed) {
	struct gcheap *heap;
};

FIXTURE_SETUP(freed)
{
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(freed)
{
	gcheap_close(self->heap);
}

TEST_F(freed, memory_is_zero_when_it_is_had_again)
{
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (n = 0; n < 300; n++) {
			char *object = gcheap_alloc(self->heap, sizes[i]);

			ASSERT_NE(NULL, object);
			ASSERT_TRUE(all_zero(object, sizes[i]));
			fill(object, sizes[i], n);
			ASSERT_EQ(0, gcheap_free(self->heap, object));
		}
}

/* No collection helps: all that is allocated is kept. */
TEST_F(freed, memory_is_had_again_at_once)
{
	const size_t most = HEAP_SIZE / 4;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		const size_t each = scaled(8 * HEAP_SIZE / (sizes[i] + 4096));
		struct gcheap_stats stats;

		for (n = 0; n < each; n++) {
			char *object = gcheap_alloc(self->heap, sizes[i]);

			ASSERT_NE(NULL, object);
			object[0] = 1;
			ASSERT_EQ(0, gcheap_free(self->heap, object));
		}
		stats = stats_of(self->heap);
		EXPECT_EQ(0, stats.num_gc);
		EXPECT_GT(most, stats.heap_sys);
	}
}

/* Of a slab that is used up, or was given back, or was another thread's */
#define HELD	5000

struct many {
	struct gcheap *heap;
	size_t size;
	size_t count;
	void **objects;
};

apart void allocate_many(void *arg)
{
	struct many *many = arg;

	must(gcheap_alloc_many(many->heap, many->size, many->objects, many->count) ==
	     many->count);
}

apart void free_each(void *arg)
{
	struct many *many = arg;
	size_t i;

	for (i = 0; i < many->count; i++)
		must(!gcheap_free(many->heap, many->objects[i]));
}

apart void free_all(void *arg)
{
	struct many *many = arg;

	must(gcheap_free_many(many->heap, many->objects, many->count) == many->count);
}

/* Not the one that open_manual() has left */
static uint64_t objects_left(struct gcheap *heap)
{
	return stats_of(heap).heap_objects - 1;
}

FIXTURE(whose) {
	struct gcheap *heap;
	struct many many;
};

FIXTURE_VARIANT(whose) {
	bool other_allocates;
	void (*frees)(void *arg);
};

FIXTURE_VARIANT_ADD(whose, own) {
	.frees = free_each,
};

FIXTURE_VARIANT_ADD(whose, own_at_once) {
	.frees = free_all,
};

FIXTURE_VARIANT_ADD(whose, of_a_thread_that_ended) {
	.other_allocates = true,
	.frees = free_each,
};

FIXTURE_VARIANT_ADD(whose, of_a_thread_that_ended_at_once) {
	.other_allocates = true,
	.frees = free_all,
};

FIXTURE_SETUP(whose)
{
	static void *objects[HELD];

	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
	self->many = (struct many) { .heap = self->heap, .objects = objects };
}

FIXTURE_TEARDOWN(whose)
{
	gcheap_close(self->heap);
}

static void run(bool elsewhere, void (*what)(void *arg), void *arg)
{
	if (elsewhere)
		in_thread(what, arg);
	else
		what(arg);
}

TEST_F(whose, objects_are_gone_when_all_are_freed)
{
	struct many *many = &self->many;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		many->size = sizes[i];
		many->count = HEAP_SIZE / 4 / (sizes[i] + 4096);
		run(variant->other_allocates, allocate_many, many);
		variant->frees(many);
		EXPECT_EQ(0, objects_left(self->heap)) {
			TH_LOG("%zu bytes", sizes[i]);
		}
	}
	EXPECT_EQ(0, stats_of(self->heap).num_gc);
}

/* What is between them stays what it is, and slabs are taken and given back meanwhile. */
TEST_F(whose, others_of_their_slabs_stay)
{
	static void *other[HELD / 2];
	struct many *many = &self->many;
	size_t i, round;

	many->size = 48;
	many->count = HELD;
	run(variant->other_allocates, allocate_many, many);
	for (i = 0; i < HELD; i++) {
		fill(many->objects[i], 48, i);
		if (i % 2)
			other[i / 2] = many->objects[i];
	}
	for (i = 0; i < HELD / 2; i++)
		many->objects[i] = many->objects[2 * i];
	many->count = HELD / 2;
	for (round = 0; round < 3; round++) {
		variant->frees(many);
		run(variant->other_allocates, allocate_many, many);
		for (i = 0; i < HELD / 2; i++) {
			ASSERT_TRUE(all_zero(many->objects[i], 48));
			fill(many->objects[i], 48, i + 7);
		}
		collect(self->heap);
		for (i = 0; i < HELD / 2; i++) {
			ASSERT_TRUE(filled(other[i], 48, 2 * i + 1));
			ASSERT_TRUE(filled(many->objects[i], 48, i + 7));
		}
	}
}

static int free_error(struct gcheap *heap, void *object)
{
	errno = 0;
	return gcheap_free(heap, object) ? errno : 0;
}

TEST_F(whose, a_second_time_is_einval_and_harmless)
{
	struct many *many = &self->many;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		many->size = sizes[i];
		many->count = 10;
		run(variant->other_allocates, allocate_many, many);
		for (j = 0; j < 10; j++)
			fill(many->objects[j], sizes[i], j);
		for (j = 0; j < 10; j += 2) {
			EXPECT_EQ(0, free_error(self->heap, many->objects[j]));
			EXPECT_EQ(EINVAL, free_error(self->heap, many->objects[j]));
		}
		for (j = 0; j < 10; j += 2)
			EXPECT_EQ(EINVAL, free_error(self->heap, many->objects[j]));
		errno = 0;
		EXPECT_EQ(5, gcheap_free_many(self->heap, many->objects, 10));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(0, gcheap_free_many(self->heap, many->objects, 10));
	}
}

TEST_F(freed, one_that_is_named_twice_is_freed_once)
{
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (k = 0; k < 2; k++) {
			void *object = gcheap_alloc(self->heap, sizes[i]);
			void *twice[] = { object, NULL, object };

			ASSERT_NE(NULL, object);
			/* So that it came with no slab that the thread has */
			if (k) {
				gcheap_thread_release(self->heap);
				ASSERT_NE(NULL, gcheap_alloc(self->heap, sizes[i]));
			}
			EXPECT_EQ(2, gcheap_free_many(self->heap, twice, 3));
			EXPECT_EQ(EINVAL, free_error(self->heap, object));
		}
}

/* One of a slab that was given back, and is the thread's once more */
TEST_F(freed, what_came_in_use_with_a_slab_is_had_again)
{
	static char *volatile kept[3];
	char *seen[200];
	size_t i, n = 0;

	for (i = 0; i < 3; i++)
		kept[i] = gcheap_alloc(self->heap, 1000);
	gcheap_thread_release(self->heap);
	ASSERT_NE(NULL, gcheap_alloc(self->heap, 1000));
	ASSERT_EQ(0, gcheap_free(self->heap, kept[1]));
	EXPECT_EQ(EINVAL, free_error(self->heap, kept[1]));
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		seen[i] = gcheap_alloc(self->heap, 1000);
		ASSERT_NE(NULL, seen[i]);
		ASSERT_TRUE(all_zero(seen[i], 1000));
		memset(seen[i], 0xff, 1000);
		EXPECT_NE(kept[0], seen[i]);
		EXPECT_NE(kept[2], seen[i]);
		n += seen[i] == kept[1];
	}
	EXPECT_EQ(1, n);
}

TEST_F(freed, nothing_is_ignored)
{
	EXPECT_EQ(0, free_error(self->heap, NULL));
	EXPECT_EQ(0, gcheap_free_many(self->heap, NULL, 0));
}

TEST_F(freed, a_wild_pointer_is_einval_and_harmless)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *object = gcheap_alloc(self->heap, sizes[i]);
		void *wild[] = {
			object + 1, object - 1, object + 4, object + sizes[i] - 1,
			object + gcheap_usable_size(self->heap, object),
			(void *)1, (void *)&i, (void *)self, (void *)-1, (void *)-4096,
			gcheap_base(self->heap, object) - 4088, object + HEAP_SIZE,
			(void *)((uintptr_t)object | 1ul << 63),
		};

		ASSERT_NE(NULL, object);
		fill(object, sizes[i], i);
		for (j = 0; j < ARRAY_SIZE(wild); j++)
			EXPECT_EQ(EINVAL, free_error(self->heap, wild[j])) {
				TH_LOG("%zu bytes, %zu", sizes[i], j);
			}
		gcheap_thread_release(self->heap);
		for (j = 0; j < ARRAY_SIZE(wild); j++)
			EXPECT_EQ(EINVAL, free_error(self->heap, wild[j]));
		EXPECT_TRUE(filled(object, sizes[i], i));
		EXPECT_EQ(0, free_error(self->heap, object));
	}
}

/* Also when its slot has not been had since, be it the thread's own slab. */
TEST_F(freed, what_was_reclaimed_is_einval)
{
	static uintptr_t hidden[ARRAY_SIZE(sizes)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		hidden[i] = new_hidden(self->heap, sizes[i], i);
	collect(self->heap);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(EINVAL, free_error(self->heap, reveal(hidden[i])));
}

apart void allocate_and_hide(void *arg)
{
	struct hidden *hidden = arg;
	void *object = gcheap_alloc(hidden->heap, hidden->size);

	must(object);
	hidden->object = hide(object);
}

static int by_address(const void *a, const void *b)
{
	const char *left = *(char *const *)a, *right = *(char *const *)b;

	return left < right ? -1 : left > right;
}

/*
 * The thread has the slab that the object was in when a collection reclaims it.  When that comes
 * back the slot is handed out again, once.
 */
TEST_F(freed, what_was_reclaimed_in_the_own_slab_is_einval)
{
	static void *objects[4000];
	struct hidden hidden = { .heap = self->heap, .size = 48 };
	int i;

	allocate_and_hide(&hidden);
	objects[0] = gcheap_alloc(self->heap, 48);
	ASSERT_NE(NULL, objects[0]);
	wipe_stack();
	collect(self->heap);
	if (!is_allocated(self->heap, hidden.object))
		EXPECT_EQ(EINVAL, free_error(self->heap, reveal(hidden.object)));
	for (i = 1; i < ARRAY_SIZE(objects); i++) {
		objects[i] = gcheap_alloc(self->heap, 48);
		ASSERT_NE(NULL, objects[i]);
	}
	qsort(objects, ARRAY_SIZE(objects), sizeof(*objects), by_address);
	for (i = 1; i < ARRAY_SIZE(objects); i++)
		ASSERT_NE(objects[i - 1], objects[i]);
}

struct neighbour {
	struct gcheap *heap;
	int talk;
	void *object;
};

static void *allocate_and_wait(void *arg)
{
	struct neighbour *n = arg;

	n->object = gcheap_alloc(n->heap, 48);
	must(n->object);
	fill(n->object, 48, 3);
	say(n->talk);
	hear(n->talk);
	/* It may go on with its slab. */
	must(gcheap_alloc(n->heap, 48));
	return NULL;
}

/* Another thread has its slab, and knows alone which slots it has handed out. */
TEST_F(freed, what_another_thread_has_in_its_cache_is_left_to_a_collection)
{
	struct neighbour n = { .heap = self->heap };
	uintptr_t wild;
	pthread_t thread;
	int talk[2];

	socket_pair(talk);
	n.talk = talk[1];
	ASSERT_EQ(0, pthread_create(&thread, NULL, allocate_and_wait, &n));
	hear(talk[0]);
	/* One that it has not handed out yet, either */
	wild = (uintptr_t)n.object + 48;
	EXPECT_EQ(0, free_error(self->heap, n.object));
	EXPECT_EQ(0, free_error(self->heap, (void *)wild));
	EXPECT_EQ(EINVAL, free_error(self->heap, (char *)n.object + 8));
	EXPECT_TRUE(filled(n.object, 48, 3));
	say(talk[0]);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* Now it is nobody's. */
	EXPECT_EQ(0, free_error(self->heap, n.object));
	EXPECT_EQ(EINVAL, free_error(self->heap, n.object));
}

/* A child shares the heap, but not its parent's cache. */
TEST_F(freed, a_child_may_free_what_its_parent_has_allocated)
{
	static void *objects[HELD];
	struct many many = {
		.heap = self->heap, .size = 100, .count = HELD, .objects = objects,
	};
	pid_t child;

	allocate_many(&many);
	gcheap_thread_release(self->heap);
	child = fork_child();
	if (!child) {
		free_each(&many);
		must(free_error(self->heap, objects[0]) == EINVAL);
		allocate_many(&many);
		free_all(&many);
		_exit(0);
	}
	ASSERT_TRUE(child_succeeded(child));
	EXPECT_EQ(0, objects_left(self->heap));
	EXPECT_EQ(EINVAL, free_error(self->heap, objects[HELD - 1]));
}

TEST_F(freed, a_vfork_child_frees_in_its_parents_cache)
{
	static void *volatile objects[100];
	pid_t child;
	int i;

	for (i = 0; i < 100; i++)
		objects[i] = gcheap_alloc(self->heap, 48);
	child = vfork();
	if (!child) {
		for (i = 0; i < 50; i++)
			if (gcheap_free(self->heap, objects[i]))
				_exit(1);
		_exit(0);
	}
	ASSERT_TRUE(child_succeeded(child));
	for (i = 0; i < 50; i++)
		EXPECT_EQ(EINVAL, free_error(self->heap, objects[i]));
	for (; i < 100; i++)
		EXPECT_EQ(0, free_error(self->heap, objects[i]));
	EXPECT_EQ(0, objects_left(self->heap));
}

/* Bytes of a range of pairs that age */
#define RANGE	512

static int change_range(struct gcheap *heap, void *start, size_t length)
{
	struct gcheap_ioc_root root = {
		.size = sizeof(root),
		.flags = length ? GCHEAP_ROOT_AGING : 0,
		.start = (uintptr_t)start,
		.length = length,
	};

	return ioctl(gcheap_fd(heap), length ? GCHEAP_IOC_ROOT_ADD : GCHEAP_IOC_ROOT_DEL, &root);
}

static void *volatile next;

/* The object that is freed, and the next one there is filled and collected. */
static bool next_object_is_let_alone(struct gcheap *heap, void *object)
{
	int i;

	must(!gcheap_free(heap, object));
	for (i = 0; i < 10000; i++) {
		next = gcheap_alloc(heap, RANGE);
		if (next == object)
			break;
	}
	must(next == object);
	fill(next, RANGE, 1);
	collect(heap);
	return filled(next, RANGE, 1);
}

TEST_F(freed, a_range_that_was_taken_back_does_not_harm_the_next_object)
{
	void *object = gcheap_alloc(self->heap, RANGE);

	ASSERT_EQ(0, change_range(self->heap, object, RANGE));
	ASSERT_EQ(0, change_range(self->heap, object, 0));
	EXPECT_TRUE(next_object_is_let_alone(self->heap, object));
}

/* An object in which a process has a range, that has ended since */
static void *with_range(struct gcheap *heap, size_t size)
{
	void *object = gcheap_alloc(heap, size);
	pid_t child = fork_child();

	if (!child) {
		must(!change_range(heap, object, size));
		_exit(0);
	}
	must(child_succeeded(child));
	return object;
}

TEST_F(freed, a_range_of_a_process_that_ended_does_not_harm_the_next_object)
{
	EXPECT_TRUE(next_object_is_let_alone(self->heap, with_range(self->heap, RANGE)));
}

TEST_F(freed, a_range_of_a_process_that_ended_does_not_harm_another_threads_object)
{
	void *object = with_range(self->heap, RANGE);

	gcheap_thread_release(self->heap);
	EXPECT_TRUE(next_object_is_let_alone(self->heap, object));
}

/* Who should have taken it back has another range there, if it wants to. */
TEST_F(freed, a_range_that_was_not_taken_back_does_not_harm_the_next_object)
{
	void *object = gcheap_alloc(self->heap, RANGE);
	int ready[2], ask[2];
	pid_t child;

	ASSERT_EQ(0, pipe(ready) | pipe(ask));
	child = fork_child();
	if (!child) {
		must(!change_range(self->heap, object, RANGE));
		say(ready[1]);
		hear(ask[0]);
		must(!change_range(self->heap, object, RANGE));
		_exit(0);
	}
	hear(ready[0]);
	EXPECT_TRUE(next_object_is_let_alone(self->heap, object));
	say(ask[1]);
	EXPECT_TRUE(child_succeeded(child));
}

/* Nor when it is taken back later than it should be */
TEST_F(freed, a_range_in_a_large_object_does_not_harm_small_ones_there)
{
	char *large = gcheap_alloc(self->heap, MIB), *small;
	int i;

	ASSERT_EQ(0, change_range(self->heap, large, MIB));
	ASSERT_EQ(0, gcheap_free(self->heap, large));
	for (i = 0; i < 10000; i++) {
		small = gcheap_alloc(self->heap, RANGE);
		next = small;
		if (small >= large && small < large + MIB)
			break;
	}
	ASSERT_GT(10000, i);
	fill(small, RANGE, 1);
	ASSERT_EQ(0, change_range(self->heap, large, 0));
	collect(self->heap);
	EXPECT_TRUE(filled(small, RANGE, 1));
}

/* What it refers to is not kept by it any more. */
TEST_F(freed, a_list_goes_with_its_head)
{
	static void **volatile head;
	static uintptr_t last;
	int i;

	for (i = 0; i < 100; i++) {
		void **next = gcheap_alloc(self->heap, 64);

		ASSERT_NE(NULL, next);
		*next = head;
		head = next;
	}
	last = hide(*head);
	ASSERT_EQ(0, gcheap_free(self->heap, head));
	head = NULL;
	gcheap_thread_release(self->heap);
	wipe_stack();
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, last));
}

/* Random objects, some of which are freed by random threads, while collections go on */
#define SLOTS	1000

struct mill {
	struct gcheap *heap;
	uint64_t random;
	long rounds;
};

static uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

struct piece {
	struct piece *next;
	uint64_t size;
	uint64_t data[];
};

static struct piece *piece_new(struct gcheap *heap, uint64_t *random)
{
	size_t words = draw(random) % 200 ? draw(random) % 60 : draw(random) % 6000;
	struct piece *piece = gcheap_alloc(heap, sizeof(*piece) + 8 * words);

	must(piece && all_zero(piece, sizeof(*piece) + 8 * words));
	piece->size = 8 * words;
	fill(piece->data, piece->size, piece->size);
	return piece;
}

/* Thread-local, so a root; what one piece refers to is never freed. */
static __thread struct piece *pieces[SLOTS];

static void *grind(void *arg)
{
	struct mill *mill = arg;
	long round;

	for (round = 0; round < mill->rounds; round++) {
		struct piece **slot = &pieces[draw(&mill->random) % SLOTS];
		struct piece *old = *slot;

		if (old) {
			must(filled(old->data, old->size, old->size));
			must(!old->next || filled(old->next->data, old->next->size,
						  old->next->size));
		}
		if (old && draw(&mill->random) % 4) {
			must(!gcheap_free(mill->heap, old));
			*slot = NULL;
			continue;
		}
		*slot = piece_new(mill->heap, &mill->random);
		(*slot)->next = piece_new(mill->heap, &mill->random);
		if (draw(&mill->random) % 500 == 0)
			gcheap_thread_release(mill->heap);
		if (draw(&mill->random) % 1000 == 0)
			must(!gcheap_collect(mill->heap) || errno == EAGAIN);
	}
	return NULL;
}

static void grind_in_threads(struct gcheap *heap, long rounds)
{
	struct mill mills[4];
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++) {
		mills[i] = (struct mill) {
			.heap = heap, .random = i + 1, .rounds = rounds,
		};
		must(!pthread_create(&threads[i], NULL, grind, &mills[i]));
	}
	for (i = 0; i < 4; i++)
		must(!pthread_join(threads[i], NULL));
}

TEST_F(freed, nobody_loses_anything_while_others_free_and_collect)
{
	pid_t child = fork_child();

	if (!child) {
		grind_in_threads(self->heap, scaled(6000));
		_exit(0);
	}
	grind_in_threads(self->heap, scaled(6000));
	EXPECT_TRUE(child_succeeded(child));
}

/* With the goal reached all the time, and marking beside the program */
TEST(nobody_loses_anything_beside_a_collection)
{
	static struct piece *kept;
	struct gcheap *heap;
	uint64_t random = 99;
	int i;

	heap = gcheap_open(NULL);
	ASSERT_NE(NULL, heap);
	ASSERT_LE(-1, gcheap_set_percent(heap, 20));
	/* So that marking takes long */
	for (i = 0; i < scaled(30000); i++) {
		struct piece *piece = piece_new(heap, &random);

		piece->next = kept;
		kept = piece;
	}
	grind_in_threads(heap, scaled(8000));
	for (; kept; kept = kept->next)
		ASSERT_TRUE(filled(kept->data, kept->size, kept->size));
	gcheap_close(heap);
}

/* Also for objects of other sizes, without a collection */
TEST_F(freed, a_full_heap_has_room_again)
{
	static void *objects[4 * HEAP_SIZE / MIB];
	uint64_t collections;
	size_t i, j, n;

	for (i = 0; i < 3; i++) {
		n = gcheap_alloc_many(self->heap, MIB / 2, objects, ARRAY_SIZE(objects));
		ASSERT_LT(HEAP_SIZE / MIB, n);
		ASSERT_GT(ARRAY_SIZE(objects), n);
		ASSERT_EQ(ENOMEM, errno);
		collections = stats_of(self->heap).num_gc;
		ASSERT_EQ(n, gcheap_free_many(self->heap, objects, n));
		for (j = 0; j < HEAP_SIZE / 2 / 20400; j++)
			ASSERT_NE(NULL, gcheap_alloc(self->heap, 20000));
		EXPECT_EQ(collections, stats_of(self->heap).num_gc);
		memset(objects, 0, sizeof(objects));
		collect(self->heap);
	}
}

TEST_HARNESS_MAIN
