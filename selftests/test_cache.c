// SPDX-License-Identifier: GPL-2.0
/*
 * What threads hold in reserve is bounded: collections take it from who is idle, and
 * nothing is handed out twice for that.
 */
#include "injection.h"

#include <limits.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>

static const size_t sizes[] = { 16, 32, 48, 64, 96, 128, 192, 256, 512, 1024 };

#define SIZES	(sizeof(sizes) / sizeof(*sizes))

/* Slots not handed out yet that an idle thread's registers and stack may refer to */
#define STALE	2

/* An object of someone: what follows is his pattern. */
struct node {
	struct node *next;
	uint64_t owner;
};

static struct node *new_node(struct gcheap *heap, struct node *list, size_t size,
			     uint64_t owner)
{
	struct node *node = gcheap_alloc(heap, size);

	must(node && all_zero(node, size));
	fill(node + 1, size - sizeof(*node), owner);
	node->owner = owner;
	node->next = list;
	return node;
}

/* One of each size, @rounds times, before those of @list */
static struct node *grow(struct gcheap *heap, struct node *list, uint64_t owner, int rounds)
{
	size_t i;

	while (rounds--)
		for (i = 0; i < SIZES; i++)
			list = new_node(heap, list, sizes[i], owner);
	return list;
}

/* Does a list have what grow() put there, and is all of it its owner's? */
static bool is_whole(const struct node *list, uint64_t owner, int rounds)
{
	size_t i;

	while (rounds--) {
		for (i = SIZES; i--; list = list->next)
			if (!list || list->owner != owner ||
			    !filled(list + 1, sizes[i] - sizeof(*list), owner))
				return false;
	}
	return !list;
}

/* Threads that allocate, wait, and allocate again */
struct crowd {
	struct gcheap *heap;
	int gate[2];
	int count;
	int rounds;
	int again;
	bool release;
	int ready[2];
	pthread_barrier_t done;
};

struct member {
	struct crowd *crowd;
	uint64_t id;
	pthread_t thread;
};

static void *run_member(void *arg)
{
	const struct member *member = arg;
	struct crowd *crowd = member->crowd;
	struct node *list = grow(crowd->heap, NULL, member->id, crowd->rounds);

	if (crowd->release)
		gcheap_thread_release(crowd->heap);
	say(crowd->ready[1]);
	hear(crowd->gate[0]);
	list = grow(crowd->heap, list, member->id, crowd->again);
	pthread_barrier_wait(&crowd->done);
	must(is_whole(list, member->id, crowd->rounds + crowd->again));
	return NULL;
}

static struct member *crowd_begin(struct crowd *crowd)
{
	struct member *members = calloc(crowd->count, sizeof(*members));
	pthread_attr_t attr;
	int i;

	must(members && !pipe(crowd->gate) && !pipe(crowd->ready));
	must(!pthread_barrier_init(&crowd->done, NULL, crowd->count));
	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setstacksize(&attr, 64 * KIB));
	for (i = 0; i < crowd->count; i++) {
		members[i] = (struct member){ .crowd = crowd, .id = i + 1 };
		must(!pthread_create(&members[i].thread, &attr, run_member, &members[i]));
	}
	for (i = 0; i < crowd->count; i++)
		hear(crowd->ready[0]);
	return members;
}

static void crowd_end(struct crowd *crowd, struct member *members)
{
	int i;

	for (i = 0; i < crowd->count; i++)
		say(crowd->gate[1]);
	for (i = 0; i < crowd->count; i++)
		must(!pthread_join(members[i].thread, NULL));
	close(crowd->gate[0]);
	close(crowd->gate[1]);
	free(members);
}

/* What came back from threads is counted, and only that. */
static uint64_t counted(struct gcheap *heap, uint64_t before)
{
	return stats_of(heap).mallocs - before;
}

TEST(many_idle_threads_hold_next_to_nothing)
{
	struct crowd crowd = {
		.heap = open_manual(512 * MIB), .rounds = 1, .again = 2,
		.count = scaled(500),
	};
	struct gcheap_stats stats;
	struct member *members;
	struct node *list;
	uint64_t before;

	ASSERT_NE(NULL, crowd.heap);
	before = stats_of(crowd.heap).mallocs;
	members = crowd_begin(&crowd);
	ASSERT_EQ(0, gcheap_collect(crowd.heap));
	stats = stats_of(crowd.heap);
	ASSERT_EQ(0, gcheap_release(crowd.heap));
	EXPECT_LE(crowd.count * SIZES, counted(crowd.heap, before));
	EXPECT_GE(crowd.count * (SIZES + STALE), counted(crowd.heap, before));
	/* Others get what they had in reserve: no more memory is needed. */
	list = grow(crowd.heap, NULL, 0, crowd.count);
	EXPECT_GE(stats.heap_sys, stats_of(crowd.heap).heap_sys);
	crowd_end(&crowd, members);
	EXPECT_TRUE(is_whole(list, 0, crowd.count));
	gcheap_close(crowd.heap);
}

/* Where much lives, it takes a thread that holds much and is idle for a collection. */
TEST(idle_thread_keeps_no_more_than_16_kib)
{
	struct crowd crowd = { .heap = open_manual(64 * MIB), .rounds = 1, .count = 1 };
	void *volatile large = gcheap_alloc_noscan(crowd.heap, 8 * MIB);
	struct member *members;
	uint64_t before;

	ASSERT_NE(NULL, large);
	before = stats_of(crowd.heap).mallocs;
	members = crowd_begin(&crowd);
	ASSERT_EQ(0, gcheap_collect(crowd.heap));
	EXPECT_EQ(0, counted(crowd.heap, before));
	ASSERT_EQ(0, gcheap_collect(crowd.heap));
	EXPECT_LE(SIZES, counted(crowd.heap, before));
	EXPECT_GE(SIZES + STALE, counted(crowd.heap, before));
	crowd_end(&crowd, members);
	gcheap_close(crowd.heap);
}

static void *hold_one(void *arg)
{
	struct crowd *crowd = arg;
	void *volatile object = gcheap_alloc(crowd->heap, 16);

	must(object);
	say(crowd->ready[1]);
	hear(crowd->gate[0]);
	return object;
}

TEST(idle_thread_keeps_a_little)
{
	struct crowd crowd = { .heap = open_manual(64 * MIB) };
	void *volatile large = gcheap_alloc_noscan(crowd.heap, 8 * MIB);
	pthread_t thread;
	uint64_t before;
	int i;

	ASSERT_NE(NULL, large);
	ASSERT_EQ(0, pipe(crowd.gate));
	ASSERT_EQ(0, pipe(crowd.ready));
	before = stats_of(crowd.heap).mallocs;
	ASSERT_EQ(0, pthread_create(&thread, NULL, hold_one, &crowd));
	hear(crowd.ready[0]);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, gcheap_collect(crowd.heap));
	EXPECT_EQ(0, counted(crowd.heap, before));
	say(crowd.gate[1]);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, counted(crowd.heap, before));
	gcheap_close(crowd.heap);
}

TEST(thread_gives_its_reserve_back_itself)
{
	struct crowd crowd = {
		.heap = open_manual(64 * MIB), .rounds = 1, .again = 2, .count = 4,
		.release = true,
	};
	struct member *members;
	uint64_t before;

	ASSERT_NE(NULL, crowd.heap);
	gcheap_thread_release(crowd.heap);
	before = stats_of(crowd.heap).mallocs;
	members = crowd_begin(&crowd);
	EXPECT_LE(crowd.count * SIZES, counted(crowd.heap, before));
	EXPECT_GE(crowd.count * (SIZES + STALE), counted(crowd.heap, before));
	crowd_end(&crowd, members);
	gcheap_thread_release(crowd.heap);
	gcheap_thread_release(crowd.heap);
	EXPECT_EQ(3 * crowd.count * SIZES, counted(crowd.heap, before));
	gcheap_close(crowd.heap);
}

/*
 * A thread that collects when it is asked to, twice, and then takes what there is: if
 * someone goes on with a slot that was given to another one, it shows.
 */
struct collector {
	struct gcheap *heap;
	int ask[2];
	int answer[2];
	size_t size;
	struct node *list;
	unsigned long count;
	pthread_t thread;
};

/* No memory of this kind is a root: the list is on the thread's stack. */
static struct collector collector;

#define COLLECTOR_ID	~0ull

static void *run_collector(void *unused)
{
	struct node *list = NULL, *node;
	char c;
	int i;

	(void)unused;
	while (read(collector.ask[0], &c, 1) == 1) {
		must(!gcheap_collect(collector.heap));
		must(!gcheap_collect(collector.heap));
		for (i = 0; i < 4; i++)
			list = new_node(collector.heap, list, collector.size, COLLECTOR_ID);
		say(collector.answer[1]);
	}
	for (node = list; node; node = node->next)
		must(node->owner == COLLECTOR_ID &&
		     filled(node + 1, collector.size - sizeof(*node), COLLECTOR_ID));
	return NULL;
}

static void collector_begin(struct gcheap *heap, size_t size)
{
	collector = (struct collector){ .heap = heap, .size = size };
	must(!pipe(collector.ask) && !pipe(collector.answer));
	must(!pthread_create(&collector.thread, NULL, run_collector, NULL));
}

static void collect_twice(void)
{
	say(collector.ask[1]);
	hear(collector.answer[0]);
}

static void collector_end(void)
{
	close(collector.ask[1]);
	must(!pthread_join(collector.thread, NULL));
}

/* Signals after each instruction: steps since they are on, and the one to collect at */
static volatile long steps, collect_at;

static void on_step(int signal)
{
	(void)signal;
	if (steps++ == collect_at)
		collect_twice();
}

static void step_begin(long at)
{
	struct sigaction action = { .sa_handler = on_step };

	must(!sigaction(SIGTRAP, &action, NULL));
	steps = 0;
	collect_at = at;
	asm volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
}

static void step_end(void)
{
	asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory", "cc");
}

/* What a thread has that allocates: slots in a row, none in that row, or no slabs */
enum at_hand { ROW, NO_ROW, NO_SLABS };

/* As gcheap.h's inline functions see it */
static bool has_row(struct gcheap *heap, size_t size)
{
	const struct gcheap_inline_heap *inline_heap = (void *)heap;
	const struct gcheap_inline_bin *bin = (void *)((uintptr_t)gcheap_cache_1 +
						       inline_heap->bin_at[(size + 7) / 8]);

	return gcheap_cache_1->id == inline_heap->id && bin->next < bin->end;
}

static void have_at_hand(struct node **list, enum at_hand what)
{
	struct gcheap *heap = collector.heap;

	if (what == NO_SLABS)
		return gcheap_thread_release(heap);
	do
		*list = new_node(heap, *list, collector.size, 1);
	while (has_row(heap, collector.size) != (what == ROW));
}

/* Where the size is a constant, it is done in place. */
static void *allocate(struct gcheap *heap, bool in_place)
{
	if (!in_place)
		return gcheap_alloc(heap, collector.size);
	must(collector.size == 32);
	return gcheap_alloc(heap, 32);
}

/* Returns whether the collection came before the allocation was over. */
static bool allocate_stepping(struct node **list, long at, enum at_hand what, bool in_place)
{
	void *object;

	have_at_hand(list, what);
	step_begin(at);
	object = allocate(collector.heap, in_place);
	step_end();
	must(object && all_zero(object, collector.size));
	fill(object + sizeof(struct node), collector.size - sizeof(struct node), 1);
	*(struct node *)object = (struct node){ .next = *list, .owner = 1 };
	*list = object;
	return steps > at;
}

static void recall_at_each(long stride, enum at_hand what, bool in_place)
{
	struct node *list = NULL, *node;
	long at;

	for (at = 0; allocate_stepping(&list, at, what, in_place); at += stride)
		;
	/* So many instructions it takes at least. */
	must(at >= 10);
	for (node = list; node; node = node->next)
		must(node->owner == 1 &&
		     filled(node + 1, collector.size - sizeof(*node), 1));
}

TEST(slabs_are_recalled_at_any_instruction_of_an_allocation)
{
	struct gcheap *heap = open_manual(64 * MIB);

	ASSERT_NE(NULL, heap);
	collector_begin(heap, 32);
	recall_at_each(1, ROW, false);
	collector_end();
	gcheap_close(heap);
}

TEST(slabs_are_recalled_at_any_instruction_of_an_allocation_in_place)
{
	struct gcheap *heap = open_manual(64 * MIB);

	ASSERT_NE(NULL, heap);
	collector_begin(heap, 32);
	recall_at_each(on_debug_kernel() ? 3 : 1, ROW, true);
	collector_end();
	gcheap_close(heap);
}

TEST(slabs_are_recalled_while_a_thread_goes_on_to_the_next_row)
{
	struct gcheap *heap = open_manual(64 * MIB);

	ASSERT_NE(NULL, heap);
	collector_begin(heap, 32);
	recall_at_each(on_debug_kernel() ? 9 : 1, NO_ROW, true);
	collector_end();
	gcheap_close(heap);
}

TEST(slabs_are_recalled_while_a_thread_gets_some)
{
	struct gcheap *heap = open_manual(64 * MIB);

	ASSERT_NE(NULL, heap);
	collector_begin(heap, 48);
	recall_at_each(on_debug_kernel() ? 211 : 29, NO_SLABS, false);
	collector_end();
	gcheap_close(heap);
}

static void end_at_step(int signal)
{
	(void)signal;
	if (steps++ == collect_at)
		_exit(0);
}

static void act_allocate(struct gcheap *heap)
{
	gcheap_alloc(heap, collector.size);
}

/* Returns whether the child, which has this process's memory, ended before it was over. */
static bool child_ends_acting(struct gcheap *heap, void (*act)(struct gcheap *heap), long at)
{
	struct sigaction action = { .sa_handler = end_at_step };
	int status;
	pid_t pid;

	steps = 0;
	collect_at = at;
	must(!sigaction(SIGTRAP, &action, NULL));
	pid = vfork();
	if (!pid) {
		asm volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
		act(heap);
		step_end();
		_exit(1);
	}
	status = await_child(pid);
	must(WIFEXITED(status));
	return !WEXITSTATUS(status);
}

/* What is handed out is zero, and once only. */
static void allocate_once_only(struct gcheap *heap, struct node *list, size_t size, int nr)
{
	struct node *node;

	while (nr--)
		list = new_node(heap, list, size, 1);
	for (node = list; node; node = node->next)
		must(node->owner == 1 && filled(node + 1, size - sizeof(*node), 1));
}

static bool child_ends_without_harm(size_t size, enum at_hand what,
				    void (*act)(struct gcheap *heap), long at)
{
	struct gcheap *heap = open_manual(64 * MIB);
	struct node *list = NULL;
	bool ended;

	must(heap);
	collector = (struct collector){ .heap = heap, .size = size };
	have_at_hand(&list, what);
	ended = child_ends_acting(heap, act, at);
	allocate_once_only(heap, list, size, 300);
	gcheap_close(heap);
	return ended;
}

/* A word has so many slots, or fewer, where the next row is of another slab. */
TEST(child_of_vfork_may_end_at_any_instruction_of_an_allocation)
{
	long at, stride = on_debug_kernel() ? 19 : 1;

	for (at = 0; child_ends_without_harm(32, NO_ROW, act_allocate, at); at += stride)
		;
	EXPECT_LT(20, at);
	for (at = 0; child_ends_without_harm(1024, NO_ROW, act_allocate, at); at += stride)
		;
	EXPECT_LT(20, at);
}

/* Of slabs that came back in use they have the first half of each word of 64 slots. */
#define OLD	512

static struct node *volatile old[OLD];

static bool is_kept(int i)
{
	return i % 64 < 32;
}

static void have_slabs_in_use(struct gcheap *heap, size_t size)
{
	int i;

	for (i = 0; i < OLD; i++)
		old[i] = new_node(heap, NULL, size, 1);
	for (i = 0; i < OLD; i++)
		if (!is_kept(i))
			must(!gcheap_free(heap, old[i]));
	gcheap_thread_release(heap);
}

/* What its parent frees then, in the word that the child was about to go on to or elsewhere */
static bool child_ends_and_its_parent_frees(size_t size, long at)
{
	struct gcheap *heap = open_manual(64 * MIB);
	struct node *list = NULL;
	bool ended;
	int i;

	must(heap);
	collector = (struct collector){ .heap = heap, .size = size };
	have_slabs_in_use(heap, size);
	have_at_hand(&list, NO_ROW);
	ended = child_ends_acting(heap, act_allocate, at);
	for (i = 0; i < OLD; i++)
		if (is_kept(i))
			must(!gcheap_free(heap, old[i]));
	allocate_once_only(heap, list, size, 2 * OLD);
	gcheap_close(heap);
	return ended;
}

TEST(child_of_vfork_may_end_at_any_instruction_before_its_parent_frees)
{
	long at, stride = on_debug_kernel() ? 19 : 1;

	for (at = 0; child_ends_and_its_parent_frees(64, at); at += stride)
		;
	EXPECT_LT(20, at);
}

/* More than a thread has at hand */
#define USED_UP	2048

static void *volatile used_up[USED_UP];

static void use_up_as_vfork_child(struct gcheap *heap, size_t size)
{
	pid_t pid = vfork();
	int i;

	if (!pid) {
		for (i = 0; i < USED_UP; i++)
			used_up[i] = gcheap_alloc(heap, size);
		_exit(0);
	}
	must(child_succeeded(pid));
}

static void *run_collection(void *heap)
{
	must(!gcheap_collect(heap));
	return NULL;
}

/* This thread's slabs stay its own if others live.  With the second collection they would not. */
static void have_it_collected(struct gcheap *heap)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, run_collection, heap));
	must(!pthread_join(thread, NULL));
}

/*
 * The last word that the child has taken slots from is not at hand any more.  What its parent
 * frees there is for who allocates next, and not for the collector to reclaim.
 */
TEST(what_is_freed_when_a_child_of_vfork_has_used_all_up_is_handed_out_once)
{
	struct gcheap *heap = open_manual(64 * MIB);
	void *volatile large = gcheap_alloc(heap, MIB);
	struct node *list = NULL;
	int i;

	ASSERT_NE(NULL, large);
	list = new_node(heap, list, 64, 1);
	use_up_as_vfork_child(heap, 64);
	for (i = 0; i < USED_UP; i++) {
		ASSERT_EQ(0, gcheap_free(heap, used_up[i]));
		used_up[i] = NULL;
	}
	have_it_collected(heap);
	for (i = 0; i < USED_UP; i++)
		list = new_node(heap, list, 64, 1);
	gcheap_thread_release(heap);
	allocate_once_only(heap, list, 64, USED_UP);
	EXPECT_TRUE(all_zero(large, MIB));
	gcheap_close(heap);
}

/* Instructions in which bins are emptied; then it asks the kernel, which refuses. */
#define EMPTYING	250

TEST(child_of_vfork_may_end_at_any_instruction_of_emptying_its_bins)
{
	long at, stride = on_debug_kernel() ? 19 : 1;

	for (at = 0; at < EMPTYING; at += stride)
		EXPECT_TRUE(child_ends_without_harm(32, ROW, gcheap_thread_release, at));
}

/* Parent and child have one memory. */
static struct node *volatile of_parent, *volatile of_child;

/* By the number that 32-bit programs have for it; the child returns from here, too. */
static inline __attribute__((always_inline)) long call_by_int_0x80(long number)
{
	__asm__ __volatile__("int $0x80" : "+a" (number) : : "memory", "cc", "r8", "r9", "r10",
			     "r11");
	return number;
}

static bool kernel_has_int_0x80(void)
{
	pid_t pid = fork_child();

	if (!pid)
		_exit(call_by_int_0x80(20) != getpid());
	return child_succeeded(pid);
}

static void allocate_as_vfork_child(struct gcheap *heap)
{
	collect_twice();
	of_child = grow(heap, NULL, 3, 3);
	_exit(0);
}

FIXTURE(lending) {
	struct gcheap *heap;
};

FIXTURE_SETUP(lending)
{
	self->heap = open_manual(64 * MIB);
	ASSERT_NE(NULL, self->heap);
	collector_begin(self->heap, 64);
	of_parent = grow(self->heap, NULL, 2, 1);
}

FIXTURE_TEARDOWN(lending)
{
	collector_end();
	gcheap_close(self->heap);
}

static bool both_are_whole(struct gcheap *heap, pid_t child)
{
	bool succeeded = child_succeeded(child);

	of_parent = grow(heap, of_parent, 2, 3);
	return succeeded && is_whole(of_parent, 2, 4) && is_whole(of_child, 3, 3);
}

TEST_F(lending, vfork_child_allocates_from_what_its_parent_has)
{
	pid_t pid = vfork();

	if (!pid)
		allocate_as_vfork_child(self->heap);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(both_are_whole(self->heap, pid));
}

TEST_F(lending, vfork_child_by_another_number_does_so_too)
{
	pid_t pid;

	if (!kernel_has_int_0x80())
		SKIP(return, "the kernel has no calls of 32-bit programs");
	pid = call_by_int_0x80(190);
	if (!pid)
		allocate_as_vfork_child(self->heap);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(both_are_whole(self->heap, pid));
}

TEST(child_of_fork_has_nothing_to_forget)
{
	struct gcheap *heap = open_manual(64 * MIB);
	struct node *list;
	pid_t pid;

	ASSERT_NE(NULL, heap);
	list = grow(heap, NULL, 2, 1);
	pid = fork_child();
	if (!pid) {
		struct node *own = grow(heap, NULL, 4, 1);

		must(!gcheap_collect(heap) && !gcheap_collect(heap));
		own = grow(heap, own, 4, 3);
		_exit(!is_whole(own, 4, 4));
	}
	EXPECT_TRUE(child_succeeded(pid));
	list = grow(heap, list, 2, 3);
	EXPECT_TRUE(is_whole(list, 2, 4));
	gcheap_close(heap);
}

/* Without the library: one slab, of which some slots were taken */
#define RAW_CLASS	3
#define RAW_BIN		(2 * RAW_CLASS)
#define RAW_BINS	(RAW_BIN + 1)
#define RAW_SIZE	48
#define RAW_TAKEN	5
#define RAW_ROW_END	20

/* A thread's memory, which is no root: mapped, and given to the thread by its address. */
struct told {
	struct gcheap_cache cache;
	struct gcheap_bin bins[RAW_BINS];
	uint64_t live[GCHEAP_SLAB_WORDS];
	uint64_t live_address;
	struct gcheap_slab slab;
};

struct raw {
	int fd;
	struct told *told;
	/* changes what was told, before the collections */
	void (*spoil)(struct told *told);
	/* told to REFILL instead of the cache's address */
	uint64_t cache;
	/* the thread does so when it has its slab */
	void (*then)(struct raw *raw);
	/* of RELEASE, afterwards */
	int err;
	pid_t tid;
	int ask[2];
	int answer[2];
	/* in memory that is shared with children: no page is copied for it */
	char *heard;
};

/* A REFILL that tells of @told */
static struct gcheap_ioc_refill raw_request(int fd, struct told *told)
{
	memset(told->live, 0xff, sizeof(told->live));
	told->live_address = (uintptr_t)told->live;
	told->cache.bins = (uintptr_t)told->bins;
	told->cache.stride = sizeof(*told->bins);
	told->cache.nr_bins = RAW_BINS;
	told->cache.heap = raw_info(fd).base;
	return (struct gcheap_ioc_refill){
		.size = sizeof(struct gcheap_ioc_refill),
		.class_index = RAW_CLASS, .want = 1,
		.slabs = (uintptr_t)&told->slab, .live = (uintptr_t)&told->live_address,
		.cache = (uintptr_t)&told->cache,
	};
}

static void raw_refill(struct raw *raw)
{
	struct told *told = raw->told;
	struct gcheap_ioc_refill refill = raw_request(raw->fd, told);

	if (raw->cache)
		refill.cache = raw->cache;
	must(!ioctl(raw->fd, GCHEAP_IOC_REFILL, &refill));
	told->bins[RAW_BIN].base = told->slab.start;
	told->bins[RAW_BIN].next = told->slab.start + RAW_TAKEN * RAW_SIZE;
	told->bins[RAW_BIN].end = told->slab.start + RAW_ROW_END * RAW_SIZE;
	told->bins[RAW_BIN].word = told->slab.free[0] >> RAW_ROW_END << RAW_ROW_END;
	if (raw->spoil)
		raw->spoil(told);
}

static void *run_raw(void *arg)
{
	struct raw *raw = arg;
	struct gcheap_slab_return back = {};
	struct gcheap_ioc_release release = {
		.size = sizeof(release), .nr_back = 1, .back = (uintptr_t)&back,
	};

	raw_refill(raw);
	if (raw->then)
		raw->then(raw);
	back.start = raw->told->slab.start;
	raw->tid = gettid();
	say(raw->answer[1]);
	must(read(raw->ask[0], raw->heard, 1) == 1);
	raw->err = call(raw->fd, GCHEAP_IOC_RELEASE, &release);
	return NULL;
}

static uint64_t raw_mallocs(int fd)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!ioctl(fd, GCHEAP_IOC_STATS, &stats));
	return stats.mallocs;
}

FIXTURE(raw)
{
	struct raw raw;
	pthread_t thread;
	uint64_t mallocs;
};

FIXTURE_SETUP(raw)
{
	self->raw.fd = raw_open(16 * MIB);
	ASSERT_NE(MAP_FAILED, raw_map(self->raw.fd));
	/* The thread's stack, which comes below, must not go on into it. */
	self->raw.told = (void *)((char *)mmap(NULL, 68 * KIB, PROT_NONE,
					       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4 * KIB);
	ASSERT_EQ(0, mprotect(self->raw.told, 64 * KIB, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, pipe(self->raw.ask));
	ASSERT_EQ(0, pipe(self->raw.answer));
	self->raw.heard = shared_page();
	*self->raw.heard = 0;
}

FIXTURE_TEARDOWN(raw)
{
	close(self->raw.fd);
}

/* The thread gets its slab, and is idle. */
static void raw_start(FIXTURE_DATA(raw) *self)
{
	must(!pthread_create(&self->thread, NULL, run_raw, &self->raw));
	hear(self->raw.answer[0]);
	await_blocked(getpid(), self->raw.tid, SYS_read);
}

static void raw_collect_twice(FIXTURE_DATA(raw) *self)
{
	must(!raw_collect(self->raw.fd));
	must(!raw_collect(self->raw.fd));
	self->mallocs = raw_mallocs(self->raw.fd);
}

static void raw_begin(FIXTURE_DATA(raw) *self)
{
	raw_start(self);
	raw_collect_twice(self);
}

static void raw_end(FIXTURE_DATA(raw) *self)
{
	say(self->raw.ask[1]);
	must(!pthread_join(self->thread, NULL));
}

TEST_F(raw, thread_is_told_before_it_goes_on)
{
	const struct told *told = self->raw.told;

	raw_begin(self);
	/* It sleeps yet, and those few slots that it took are garbage. */
	EXPECT_EQ(RAW_TAKEN, self->mallocs);
	EXPECT_EQ(0, told->cache.revoked);
	EXPECT_NE(0, told->bins[RAW_BIN].word);
	EXPECT_NE(0, told->bins[RAW_BIN].end);
	raw_end(self);
	EXPECT_EQ(1, told->cache.revoked);
	EXPECT_EQ(0, told->bins[RAW_BIN].word);
	EXPECT_EQ(0, told->bins[RAW_BIN].end);
	EXPECT_EQ(EPERM, self->raw.err);
}

static void looked_behind_the_end(struct told *told)
{
	told->bins[RAW_BIN].next = told->bins[RAW_BIN].end + RAW_SIZE;
}

TEST_F(raw, row_that_was_taken_beyond_its_end_has_no_slots)
{
	self->raw.spoil = looked_behind_the_end;
	raw_begin(self);
	EXPECT_EQ(RAW_ROW_END, self->mallocs);
	raw_end(self);
	EXPECT_EQ(EPERM, self->raw.err);
}

static void row_before_the_base(struct told *told)
{
	told->bins[RAW_BIN].next = told->bins[RAW_BIN].base - RAW_SIZE;
}

static void row_beyond_the_word(struct told *told)
{
	told->bins[RAW_BIN].end = told->bins[RAW_BIN].base + 65 * RAW_SIZE;
}

static void row_to_the_end_of_all(struct told *told)
{
	told->bins[RAW_BIN].end = -1ull;
}

static void row_within_a_slot(struct told *told)
{
	told->bins[RAW_BIN].next += 1;
	told->bins[RAW_BIN].end = told->bins[RAW_BIN].next + RAW_SIZE;
}

TEST_F(raw, row_that_is_not_of_the_word_has_no_slots)
{
	static void (*const spoils[])(struct told *told) = {
		row_before_the_base, row_beyond_the_word, row_to_the_end_of_all,
		row_within_a_slot,
	};
	size_t i;

	for (i = 0; i < sizeof(spoils) / sizeof(*spoils); i++) {
		TH_LOG("case %zu", i);
		self->raw.spoil = spoils[i];
		raw_begin(self);
		EXPECT_EQ(RAW_ROW_END, self->mallocs);
		raw_end(self);
		close(self->raw.fd);
		self->raw.fd = raw_open(16 * MIB);
		ASSERT_NE(MAP_FAILED, raw_map(self->raw.fd));
		EXPECT_EQ(EPERM, self->raw.err);
		memset(self->raw.told, 0, sizeof(*self->raw.told));
	}
}

static void all_used(struct told *told)
{
	told->bins[RAW_BIN].end = 0;
	told->bins[RAW_BIN].word = 0;
	memset(told->live + 1, 0, sizeof(told->live) - sizeof(*told->live));
}

TEST_F(raw, what_was_reclaimed_in_a_slab_is_held_too)
{
	self->raw.spoil = all_used;
	raw_begin(self);
	EXPECT_EQ(self->raw.told->slab.nr_free, self->mallocs);
	raw_end(self);
	EXPECT_EQ(EPERM, self->raw.err);
}

static void be_busy(struct told *told)
{
	told->cache.busy = 1;
}

static void no_bins(struct told *told)
{
	told->cache.nr_bins = RAW_BIN;
}

static void bins_in_the_kernel(struct told *told)
{
	told->cache.bins = 0xffffffff81000000;
}

static void bins_nowhere(struct told *told)
{
	told->cache.bins = 8;
}

static void bins_at_the_end(struct told *told)
{
	told->cache.bins = -8ull;
}

static void bins_apart(struct told *told)
{
	told->cache.stride = UINT_MAX;
	told->cache.nr_bins = UINT_MAX;
}

static void bins_between_words(struct told *told)
{
	told->cache.bins += 4;
}

static void bins_drift_between_words(struct told *told)
{
	told->cache.stride += 4;
}

static void cache_of_another_heap(struct told *told)
{
	told->cache.heap += 2 * MIB;
}

static void cache_unmapped(struct told *told)
{
	munmap((char *)told + 32 * KIB, 4 * KIB);
}

TEST_F(raw, nothing_is_taken_from_who_does_not_tell)
{
	static void (*const spoils[])(struct told *told) = {
		be_busy, no_bins, bins_in_the_kernel, bins_nowhere, bins_at_the_end, bins_apart,
		bins_between_words, bins_drift_between_words, cache_of_another_heap,
	};
	size_t i;

	for (i = 0; i < sizeof(spoils) / sizeof(*spoils); i++) {
		TH_LOG("case %zu", i);
		self->raw.spoil = spoils[i];
		raw_begin(self);
		raw_end(self);
		EXPECT_EQ(0, self->raw.told->cache.revoked);
		EXPECT_EQ(0, self->raw.err);
		memset(self->raw.told, 0, sizeof(*self->raw.told));
	}
}

TEST_F(raw, nothing_is_taken_whose_cache_is_nowhere)
{
	const uint64_t addresses[] = {
		8, 0xffffffff81000000, -8ull, (uintptr_t)self->raw.told + 32 * KIB,
		(1ull << 47) - 8,
	};
	size_t i;

	self->raw.spoil = cache_unmapped;
	for (i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		self->raw.cache = addresses[i];
		raw_begin(self);
		raw_end(self);
		EXPECT_EQ(0, self->raw.err);
	}
}

static void base_in_a_slot(struct told *told)
{
	told->bins[RAW_BIN].base += 8;
}

/*
 * Then the bitmap is right, in which all are free.  But the thread has the slab's address,
 * which is the first slot's, on its stack.
 */
TEST_F(raw, base_that_is_no_words_does_not_count)
{
	self->raw.spoil = base_in_a_slot;
	raw_begin(self);
	EXPECT_EQ(1, self->mallocs);
	raw_end(self);
	EXPECT_EQ(EPERM, self->raw.err);
}

/* Its memory is to be copied, as a child of fork() has it too. */
static pid_t share_memory(void)
{
	pid_t child = fork_child();

	for (; !child;)
		pause();
	return child;
}

/* Then the cache's memory may be something else's by now; the child keeps the heap. */
TEST_F(raw, nothing_is_taken_from_who_has_unmapped_the_heap)
{
	pid_t child = share_memory();
	void *base = (void *)raw_info(self->raw.fd).base;

	raw_start(self);
	ASSERT_EQ(0, munmap(base, 16 * MIB));
	ASSERT_EQ(base, raw_map(self->raw.fd));
	raw_collect_twice(self);
	raw_end(self);
	EXPECT_EQ(0, self->mallocs);
	EXPECT_EQ(0, self->raw.told->cache.revoked);
	EXPECT_EQ(0, self->raw.err);
	kill(child, SIGKILL);
	await_child(child);
}

/* One that the thread has beside the first */
static struct told *second_of(struct raw *raw)
{
	return (struct told *)((char *)raw->told + 16 * KIB);
}

static void have_another(struct raw *raw)
{
	struct gcheap_ioc_refill refill = raw_request(raw->fd, second_of(raw));

	must(!ioctl(raw->fd, GCHEAP_IOC_REFILL, &refill));
}

/* Only one of them would be told. */
TEST_F(raw, nothing_is_taken_from_who_has_two_caches)
{
	self->raw.then = have_another;
	raw_begin(self);
	raw_end(self);
	EXPECT_EQ(0, self->mallocs);
	EXPECT_EQ(0, self->raw.told->cache.revoked);
	EXPECT_EQ(0, second_of(&self->raw)->cache.revoked);
	EXPECT_EQ(0, self->raw.err);
}

static void ask_for_another_in_vain(struct raw *raw)
{
	struct gcheap_slab_return back = { .start = raw->told->slab.start + 8 };
	struct gcheap_ioc_refill refill = raw_request(raw->fd, second_of(raw));

	refill.back = (uintptr_t)&back;
	refill.nr_back = 1;
	must(call(raw->fd, GCHEAP_IOC_REFILL, &refill) == EPERM);
}

TEST_F(raw, cache_of_a_call_that_fails_does_not_count)
{
	self->raw.then = ask_for_another_in_vain;
	raw_begin(self);
	raw_end(self);
	EXPECT_EQ(RAW_TAKEN, self->mallocs);
	EXPECT_EQ(1, self->raw.told->cache.revoked);
	EXPECT_EQ(0, second_of(&self->raw)->cache.revoked);
	EXPECT_EQ(EPERM, self->raw.err);
}

/* The @nth thing that the thread needs, and may be refused, is refused once. */
static void let_fail(pid_t tid, int nth)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", tid);
	snprintf(text, sizeof(text), "%d", nth);
	write_file(path, text);
}

/* Before that it reads from a pipe: that it is copied to it is what may fail first. */
TEST_F(raw, who_can_be_told_only_with_more_memory_gets_it)
{
	pid_t child;
	int nth;

	if (!faults_enable())
		SKIP(return, "the kernel does not make allocations fail");
	for (nth = 2; nth < 8; nth++) {
		raw_begin(self);
		child = share_memory();
		let_fail(self->raw.tid, nth);
		raw_end(self);
		kill(child, SIGKILL);
		await_child(child);
		EXPECT_EQ(1, self->raw.told->cache.revoked);
		EXPECT_EQ(0, self->raw.told->bins[RAW_BIN].word);
		self->raw.told->cache.revoked = 0;
	}
	faults_disable();
}

TEST_F(raw, cache_is_a_multiple_of_8)
{
	struct gcheap_slab slab;
	struct gcheap_ioc_refill refill = {
		.size = sizeof(refill), .want = 1, .slabs = (uintptr_t)&slab,
		.cache = (uintptr_t)&self->raw.told->cache + 4,
	};

	EXPECT_EQ(EINVAL, call(self->raw.fd, GCHEAP_IOC_REFILL, &refill));
}

static void seal(struct told *told)
{
	must(!mprotect(told, 64 * KIB, PROT_READ));
}

static void go_on(int signal)
{
	(void)signal;
}

/* Its slots may be others' by now: it must not go on as if it had not happened. */
TEST_F(raw, thread_that_cannot_be_told_is_stopped)
{
	const struct sigaction action = { .sa_handler = go_on };
	int status;
	pid_t pid = fork_child();

	if (!pid) {
		must(!sigaction(SIGSEGV, &action, NULL));
		must(!sigaction(SIGBUS, &action, NULL));
		self->raw.spoil = seal;
		raw_begin(self);
		raw_end(self);
		_exit(0);
	}
	status = await_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

/* A page that is not there until somebody gives it: its descriptor */
static int page_to_come(char *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)page, .len = getpagesize() },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	must(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &range));
	return fd;
}

/* Run another program, which waits in that for an argument. */
static void exec_slowly(struct raw *raw, int sock)
{
	char *page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(page != MAP_FAILED);
	send_fd(sock, page_to_come(page));
	raw_refill(raw);
	execl("/bin/busybox", "busybox", page, NULL);
}

/* Another program has other memory there, or none. */
TEST_F(raw, program_that_is_run_meanwhile_is_let_alone)
{
	char *argument = shared_page();
	struct uffd_msg fault;
	struct uffdio_copy copy = { .src = (uintptr_t)argument, .len = getpagesize() };
	int socks[2], fd, status;
	pid_t pid;

	memcpy(argument, "true", sizeof("true"));
	socket_pair(socks);
	pid = fork_child();
	if (!pid) {
		exec_slowly(&self->raw, socks[1]);
		_exit(1);
	}
	fd = receive_fd(socks[0]);
	ASSERT_EQ(sizeof(fault), read(fd, &fault, sizeof(fault)));
	ASSERT_EQ(0, raw_collect(self->raw.fd));
	ASSERT_EQ(0, raw_collect(self->raw.fd));
	EXPECT_EQ(RAW_TAKEN, raw_mallocs(self->raw.fd));
	copy.dst = fault.arg.pagefault.address & -getpagesize();
	ASSERT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
	status = await_child(pid);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
