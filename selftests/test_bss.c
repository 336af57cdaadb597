// SPDX-License-Identifier: GPL-2.0
/*
 * Roots that nobody wrote to cost nothing: a gigabyte of bss, and the stacks of a
 * thousand threads that sleep.
 */
#include <sys/mman.h>

#include "common.h"

#define BSS		(1024 * MIB)
#define SLEEPERS	1000
#define STACK		(256 * KIB)
#define OBJECT_SIZE	64

/* Too large for the usual code model: see the Makefile. */
static char *volatile bss[BSS / sizeof(char *)];

static struct gcheap_cycle last_cycle(struct gcheap *heap)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!call(gcheap_fd(heap), GCHEAP_IOC_STATS, &stats));
	return stats.cycle;
}

struct place {
	uintptr_t object;
	size_t i;
};

apart void put_in_bss(void *arg)
{
	const struct place *place = arg;

	bss[place->i] = reveal(place->object);
}

TEST(bss_is_read_only_where_it_was_written)
{
	struct gcheap *heap = open_manual(4 * MIB);
	struct place places[3] = {
		{ .i = 0 }, { .i = ARRAY_SIZE(bss) / 2 + 77 }, { .i = ARRAY_SIZE(bss) - 1 },
	};
	struct gcheap_cycle cycle;
	int i;

	for (i = 0; i < 3; i++) {
		places[i].object = new_hidden(heap, OBJECT_SIZE, i);
		in_thread(put_in_bss, &places[i]);
	}
	collect(heap);
	cycle = last_cycle(heap);
	/* Each place may have got a huge page. */
	EXPECT_GT(8 * MIB, cycle.root_bytes);
	EXPECT_LT(BSS - 8 * MIB, cycle.root_skipped);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(is_filled(heap, places[i].object, OBJECT_SIZE, i));
	for (i = 0; i < 3; i++)
		bss[places[i].i] = NULL;
	collect(heap);
	for (i = 0; i < 3; i++)
		EXPECT_FALSE(is_allocated(heap, places[i].object));
	gcheap_close(heap);
}

/* Where nobody wrote, reading maps a page of zeros, a huge one if it may. */
TEST(bss_that_was_only_read_is_not_read)
{
	const size_t start = 64 * MIB, bytes = 64 * MIB;
	struct gcheap *heap = open_manual(4 * MIB);
	volatile char *memory = (volatile char *)bss + start;
	struct gcheap_cycle cycle;
	size_t i;

	/* Not each kernel has them. */
	must(!madvise((void *)((uintptr_t)memory & ~4095ul), bytes, MADV_HUGEPAGE) ||
	     errno == EINVAL);
	/* The neighbourhood is written to, so that the mapping is one to look at. */
	bss[0] = NULL;
	for (i = 0; i < bytes; i += 4096)
		must(!memory[i]);
	ASSERT_EQ(0, gcheap_collect(heap));
	cycle = last_cycle(heap);
	EXPECT_GT(8 * MIB, cycle.root_bytes);
	gcheap_close(heap);
}

struct word {
	uintptr_t object;
	void **where;
};

apart void put_in_word(void *arg)
{
	const struct word *word = arg;

	*word->where = reveal(word->object);
}

/* As the library's caches are: the kernel puts them right behind a library's bss. */
TEST(what_is_kept_out_behind_bss_is_not_read)
{
	const int own = PROT_READ | PROT_WRITE, at = MAP_PRIVATE | MAP_FIXED;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct gcheap *heap = open_manual(4 * MIB);
	struct word word = { .object = new_hidden(heap, OBJECT_SIZE, 1) };
	char *data = mmap(NULL, 4 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *bss_behind = data + 4096, *behind_guard = data + 3 * 4096;

	ASSERT_NE((void *)data, MAP_FAILED);
	ASSERT_EQ(data, mmap(data, 4096, own, at, file, 4096));
	ASSERT_EQ(bss_behind, mmap(bss_behind, 4096, own, at | MAP_ANONYMOUS, -1, 0));
	ASSERT_EQ(behind_guard, mmap(behind_guard, 4096, own, at | MAP_ANONYMOUS, -1, 0));
	word.where = (void **)behind_guard;
	in_thread(put_in_word, &word);
	collect(heap);
	EXPECT_TRUE(is_allocated(heap, word.object));
	ASSERT_EQ(0, madvise(behind_guard, 4096, MADV_WIPEONFORK));
	collect(heap);
	EXPECT_TRUE(is_allocated(heap, word.object));
	ASSERT_EQ(0, madvise(behind_guard, 4096, MADV_DONTDUMP));
	collect(heap);
	EXPECT_FALSE(is_allocated(heap, word.object));
	munmap(data, 4 * 4096);
	close(file);
	gcheap_close(heap);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic long running;

static void *sleep_until_told(void *arg)
{
	running++;
	must(!pthread_mutex_lock(&lock));
	must(!pthread_mutex_unlock(&lock));
	return arg;
}

/* Of each, what is between the stack pointer and the thread's record */
TEST(sleepers_are_read_no_further_than_they_went)
{
	struct gcheap *heap = open_manual(4 * MIB);
	static pthread_t threads[SLEEPERS];
	const int nr = scaled(SLEEPERS);
	struct gcheap_cycle cycle;
	pthread_attr_t attributes;
	int i;

	ASSERT_EQ(0, pthread_attr_init(&attributes));
	ASSERT_EQ(0, pthread_attr_setstacksize(&attributes, STACK));
	ASSERT_EQ(0, pthread_mutex_lock(&lock));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], &attributes, sleep_until_told, NULL));
	while (running < nr)
		sched_yield();
	ASSERT_EQ(0, gcheap_collect(heap));
	cycle = last_cycle(heap);
	EXPECT_EQ(nr + 1, cycle.threads);
	EXPECT_GT(2 * MIB + nr * 8 * KIB, cycle.root_bytes);
	ASSERT_EQ(0, pthread_mutex_unlock(&lock));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	gcheap_close(heap);
}

TEST_HARNESS_MAIN
