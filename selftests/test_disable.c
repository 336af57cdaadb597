// SPDX-License-Identifier: GPL-2.0
/* A program that may not be collected: nothing is reclaimed until it may be again. */
#include "common.h"

#include <sys/mman.h>

#define HEAP_SIZE	(16 * MIB)

FIXTURE(disabled) {
	struct gcheap *heap;
};

FIXTURE_SETUP(disabled)
{
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
	ASSERT_EQ(0, gcheap_disable(self->heap));
}

FIXTURE_TEARDOWN(disabled)
{
	gcheap_close(self->heap);
}

static int collect_error(struct gcheap *heap)
{
	return gcheap_collect(heap) ? errno : 0;
}

static int enable_error(struct gcheap *heap)
{
	return gcheap_enable(heap) ? errno : 0;
}

TEST_F(disabled, what_nothing_refers_to_stays)
{
	uintptr_t object = new_hidden(self->heap, 100, 1);

	EXPECT_EQ(EAGAIN, collect_error(self->heap));
	EXPECT_EQ(-1, gcheap_release(self->heap));
	EXPECT_EQ(EAGAIN, errno);
	churn(self->heap, 100);
	EXPECT_TRUE(is_filled(self->heap, object, 100, 1));
	ASSERT_EQ(0, gcheap_enable(self->heap));
	EXPECT_EQ(0, stats_of(self->heap).num_gc);
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, object));
}

/* It would be its parent's, and stay when the child has gone. */
TEST_F(disabled, not_by_a_vfork_child)
{
	pid_t child;

	ASSERT_EQ(0, gcheap_enable(self->heap));
	child = vfork();
	if (!child)
		_exit(gcheap_disable(self->heap) != -1 || errno != EBUSY);
	ASSERT_TRUE(child_succeeded(child));
	EXPECT_EQ(0, collect_error(self->heap));
}

TEST_F(disabled, calls_are_counted)
{
	ASSERT_EQ(0, gcheap_disable(self->heap));
	ASSERT_EQ(0, gcheap_disable(self->heap));
	EXPECT_EQ(0, enable_error(self->heap));
	EXPECT_EQ(0, enable_error(self->heap));
	EXPECT_EQ(EAGAIN, collect_error(self->heap));
	EXPECT_EQ(0, enable_error(self->heap));
	EXPECT_EQ(0, collect_error(self->heap));
	EXPECT_EQ(EINVAL, enable_error(self->heap));
	EXPECT_EQ(0, collect_error(self->heap));
}

TEST_F(disabled, more_calls_than_can_be_counted_are_einval)
{
	struct gcheap_ioc_hold hold = { .size = sizeof(hold), .change = 1 };
	uint32_t i;

	if (on_debug_kernel())
		SKIP(return, "131,068 calls take long here");
	for (i = 2; i <= GCHEAP_HOLDS_MAX; i++) {
		ASSERT_EQ(0, call(gcheap_fd(self->heap), GCHEAP_IOC_HOLD, &hold));
		ASSERT_EQ(i, hold.holds);
	}
	EXPECT_EQ(-1, gcheap_disable(self->heap));
	EXPECT_EQ(EINVAL, errno);
	for (; i > 1; i--)
		ASSERT_EQ(0, gcheap_enable(self->heap));
	EXPECT_EQ(EINVAL, enable_error(self->heap));
	EXPECT_EQ(0, collect_error(self->heap));
}

TEST_F(disabled, another_change_is_einval)
{
	static const int32_t wrong[] = { 0, 2, -2, INT32_MAX, INT32_MIN };
	struct gcheap_ioc_hold hold = { .size = sizeof(hold) };
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		hold.change = wrong[i];
		EXPECT_EQ(EINVAL, call(gcheap_fd(self->heap), GCHEAP_IOC_HOLD, &hold));
	}
	EXPECT_EQ(0, enable_error(self->heap));
	EXPECT_EQ(EINVAL, enable_error(self->heap));
}

/* All of it is garbage. */
TEST_F(disabled, a_full_heap_refuses_until_it_may_be_collected)
{
	while (gcheap_alloc_noscan(self->heap, 64 * KIB))
		continue;
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(NULL, gcheap_alloc_noscan(self->heap, 64 * KIB));
	ASSERT_EQ(0, gcheap_enable(self->heap));
	EXPECT_NE(NULL, gcheap_alloc_noscan(self->heap, 64 * KIB));
}

TEST_F(disabled, a_heap_grows_beyond_its_goal)
{
	int i;

	ASSERT_LE(-1, gcheap_set_percent(self->heap, 1));
	for (i = 0; i < 8 * MIB / 256; i++)
		ASSERT_NE(NULL, gcheap_alloc(self->heap, 256));
	EXPECT_EQ(0, stats_of(self->heap).num_gc);
	ASSERT_EQ(0, gcheap_enable(self->heap));
	for (i = 0; i < 8 * MIB / 256; i++)
		ASSERT_NE(NULL, gcheap_alloc(self->heap, 256));
	EXPECT_LT(0, stats_of(self->heap).num_gc);
}

TEST_F(disabled, a_child_has_not_done_so_and_its_parent_still_has)
{
	pid_t child = fork_child();

	if (!child) {
		must(enable_error(self->heap) == EINVAL);
		must(collect_error(self->heap) == EAGAIN);
		_exit(0);
	}
	ASSERT_TRUE(child_succeeded(child));
	EXPECT_EQ(EAGAIN, collect_error(self->heap));
	EXPECT_EQ(0, enable_error(self->heap));
	EXPECT_EQ(0, collect_error(self->heap));
}

/* The ways in which a process is done with a heap */
static void by_ending(struct gcheap *heap)
{
	(void)heap;
	_exit(0);
}

static void by_being_killed(struct gcheap *heap)
{
	(void)heap;
	kill(getpid(), SIGKILL);
}

static void by_exec(struct gcheap *heap)
{
	(void)heap;
	execl("/proc/self/exe", "true", NULL);
	_exit(KSFT_FAIL);
}

/* It tells, and waits to be killed. */
static int told[2];

static void by_closing(struct gcheap *heap)
{
	gcheap_close(heap);
	say(told[1]);
	pause();
}

static void by_unmapping(struct gcheap *heap)
{
	must(!munmap((void *)(uintptr_t)raw_info(gcheap_fd(heap)).base, HEAP_SIZE));
	say(told[1]);
	pause();
}

FIXTURE(ends) {
	struct gcheap *heap;
};

FIXTURE_VARIANT(ends) {
	void (*end)(struct gcheap *heap);
	bool lives;
};

#define END(how, lives_)							\
	FIXTURE_VARIANT_ADD(ends, how) { .end = how, .lives = (lives_) }

END(by_ending, false);
END(by_being_killed, false);
END(by_exec, false);
END(by_closing, true);
END(by_unmapping, true);

FIXTURE_SETUP(ends)
{
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
	socket_pair(told);
}

FIXTURE_TEARDOWN(ends)
{
	gcheap_close(self->heap);
}

TEST_F(ends, with_the_process_that_has_said_so)
{
	pid_t child = fork_child();

	if (!child) {
		must(!gcheap_disable(self->heap));
		must(!gcheap_disable(self->heap));
		must(collect_error(self->heap) == EAGAIN);
		variant->end(self->heap);
	}
	if (variant->lives)
		hear(told[0]);
	else
		await_child(child);
	EXPECT_EQ(0, collect_error(self->heap));
	if (variant->lives) {
		kill(child, SIGKILL);
		await_child(child);
	}
	EXPECT_EQ(0, collect_error(self->heap));
}

struct cell {
	struct cell *next;
	uint64_t data[5];
};

/* Collections come all the time, and some are under way when it is said. */
TEST(a_collection_under_way_reclaims_nothing_any_more)
{
	static struct cell *kept;
	struct gcheap *heap = gcheap_open(NULL);
	uintptr_t hidden[3];
	long round, i;

	ASSERT_NE(NULL, heap);
	ASSERT_LE(-1, gcheap_set_percent(heap, 20));
	for (i = 0; i < scaled(200000); i++) {
		struct cell *cell = gcheap_alloc(heap, sizeof(*cell));

		ASSERT_NE(NULL, cell);
		cell->next = kept;
		kept = cell;
	}
	for (round = 0; round < 40; round++) {
		/* A collection begins somewhere here. */
		for (i = 0; i < scaled(3000) * (1 + round % 7); i++)
			ASSERT_NE(NULL, gcheap_alloc(heap, 48));
		ASSERT_EQ(0, gcheap_disable(heap));
		for (i = 0; i < ARRAY_SIZE(hidden); i++)
			hidden[i] = new_hidden(heap, 48, i);
		for (i = 0; i < scaled(10000); i++)
			ASSERT_NE(NULL, gcheap_alloc(heap, 48));
		for (i = 0; i < ARRAY_SIZE(hidden); i++)
			ASSERT_TRUE(is_filled(heap, hidden[i], 48, i));
		ASSERT_EQ(0, gcheap_enable(heap));
	}
	EXPECT_LT(0, stats_of(heap).num_gc);
	gcheap_close(heap);
}

__attribute__((constructor)) static void be_true(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "true"))
		_exit(0);
}

TEST_HARNESS_MAIN
