// SPDX-License-Identifier: GPL-2.0
/*
 * A heap whose objects are of all sizes, and come and go at random, takes not much more
 * memory than they do: while it is used, when most of them have gone, and when others
 * have come in their place.
 */
#include "common.h"
#include "trace.h"

#define OBJECTS		scaled(100000)

/* Before a collection is due: half as much again as what lives. */
#define PERCENT		50

static struct gcheap *heap;
static struct trace trace;
static double peak;

static void *get(size_t bytes)
{
	void *object = gcheap_alloc_noscan(heap, bytes);

	must(object);
	return object;
}

/*
 * Bytes held for each one that is in use.  The thread keeps its slabs: whatever it has
 * not used of them counts as held, and would be checked and cleared anew each time.
 */
static double ratio(void)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_STATS, &stats));
	must(stats.heap_idle + stats.heap_inuse == stats.heap_sys);
	return (double)stats.heap_sys / trace.live;
}

static void watch(struct trace *unused)
{
	double now = ratio();

	(void)unused;
	peak = now > peak ? now : peak;
}

FIXTURE(fragmentation) {
	uint64_t live;
};

FIXTURE_SETUP(fragmentation)
{
	struct gcheap_options options = { .percent = PERCENT };

	heap = gcheap_open(&options);
	ASSERT_NE(NULL, heap);
	trace.get = get;
	trace.watch = watch;
	trace.nr = OBJECTS;
	trace.random = 1;
	peak = 0;
	trace_fill(&trace);
	self->live = trace.live;
}

FIXTURE_TEARDOWN(fragmentation)
{
	memset(&trace, 0, sizeof(trace));
	gcheap_close(heap);
}

TEST_F(fragmentation, is_bounded_while_objects_come_and_go)
{
	trace_churn(&trace, 2 * OBJECTS);
	TH_LOG("peak %.2f", peak);
	/* In a small heap, slabs of the thread that are not used up are a tenth. */
	EXPECT_GT(OBJECTS < 40000 ? 2.3 : 2.0, peak);
	EXPECT_TRUE(trace_is_whole(&trace));
}

/* Nothing is called meanwhile that would release any. */
TEST_F(fragmentation, is_bounded_when_most_objects_have_gone)
{
	trace_drop_most(&trace);
	TH_LOG("at first %.2f", ratio());
	while (ratio() > 3)
		usleep(20000);
	EXPECT_EQ(0, stats_of(heap).num_forced_gc);
	EXPECT_TRUE(trace_is_whole(&trace));
}

TEST_F(fragmentation, is_bounded_when_others_have_come)
{
	trace_drop_most(&trace);
	ASSERT_EQ(0, gcheap_release(heap));
	TH_LOG("released %.2f", ratio());
	EXPECT_GT(1.6, ratio());
	trace_refill(&trace, self->live);
	TH_LOG("refilled %.2f", ratio());
	EXPECT_GT(1.3, ratio());
	ASSERT_EQ(0, gcheap_release(heap));
	TH_LOG("collected %.2f", ratio());
	EXPECT_GT(1.3, ratio());
	EXPECT_TRUE(trace_is_whole(&trace));
}

TEST_HARNESS_MAIN
