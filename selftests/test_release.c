// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a heap has no use for goes back to the machine; what lives stays as it
 * is, and who needs memory again gets it, all zero.
 */
#include <sys/mman.h>
#include <sys/uio.h>

#include "common.h"

#define LIVE		64

FIXTURE(release) {
	struct gcheap *heap;
	size_t size;
	long count;
	char *kept[LIVE];
};

FIXTURE_VARIANT(release) {
	size_t size;
	long count;
};

FIXTURE_VARIANT_ADD(release, of_small_objects) {
	.size = 1000,
	.count = 32 * 1024,
};

FIXTURE_VARIANT_ADD(release, of_large_objects) {
	.size = 100 * KIB,
	.count = 384,
};

/* A peak of 32 MiB, of which some lives */
apart void have_peak(void *arg)
{
	FIXTURE_DATA(release) *self = arg;
	long step = self->count / LIVE, i;

	for (i = 0; i < self->count; i++) {
		char *object = gcheap_alloc_noscan(self->heap, self->size);

		must(object && all_zero(object, self->size));
		fill(object, self->size, i);
		if (i % step == 0)
			self->kept[i / step] = object;
	}
}

static bool kept_are_whole(const FIXTURE_DATA(release) *self)
{
	long i;

	for (i = 0; i < LIVE; i++)
		if (!filled(self->kept[i], self->size, i * (self->count / LIVE)))
			return false;
	return true;
}

FIXTURE_SETUP(release)
{
	self->heap = open_manual(256 * MIB);
	ASSERT_NE(NULL, self->heap);
	self->size = variant->size;
	self->count = variant->count;
	in_thread(have_peak, self);
	ASSERT_TRUE(kept_are_whole(self));
}

FIXTURE_TEARDOWN(release)
{
	gcheap_close(self->heap);
}

static uint64_t held(struct gcheap *heap)
{
	struct gcheap_stats stats = stats_of(heap);

	must(stats.heap_idle + stats.heap_inuse == stats.heap_sys);
	return stats.heap_sys;
}

TEST_F(release, gives_back_what_is_free_and_nothing_else)
{
	struct gcheap_stats before, after;

	ASSERT_EQ(0, gcheap_collect(self->heap));
	before = stats_of(self->heap);
	EXPECT_LE(32 * MIB, before.heap_sys);
	ASSERT_EQ(0, gcheap_release(self->heap));
	after = stats_of(self->heap);
	EXPECT_GE(before.heap_sys - before.heap_idle + MIB, after.heap_sys);
	EXPECT_EQ(before.heap_sys - after.heap_sys, after.heap_released - before.heap_released);
	EXPECT_EQ(after.heap_idle + after.heap_inuse, after.heap_sys);
	EXPECT_GE(64 * KIB, after.heap_idle);
	EXPECT_TRUE(kept_are_whole(self));
}

TEST_F(release, memory_is_had_again_and_is_zero)
{
	uint64_t peak = held(self->heap);
	int i;

	for (i = 0; i < 3; i++) {
		char *kept[LIVE];

		ASSERT_EQ(0, gcheap_release(self->heap));
		EXPECT_GT(peak, held(self->heap));
		memcpy(kept, self->kept, sizeof(kept));
		in_thread(have_peak, self);
		EXPECT_TRUE(kept_are_whole(self));
		memcpy(self->kept, kept, sizeof(kept));
		EXPECT_TRUE(kept_are_whole(self));
	}
	/* The holes are filled before the heap gets longer. */
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_GE(2 * peak, held(self->heap));
}

/* The machine's own count of the process's pages */
static long resident_kib(void)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool ours = false;
	char line[256];
	long kib = 0;

	must(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "gcheap"))
			ours = true;
		else if (ours && sscanf(line, "Rss: %ld kB", &kib) == 1)
			break;
	}
	fclose(file);
	return kib;
}

TEST_F(release, page_tables_have_them_no_more)
{
	long before = resident_kib();

	EXPECT_LE(32 * 1024, before);
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_GE(before / 2, resident_kib());
	EXPECT_TRUE(kept_are_whole(self));
}

/* Where the object was that is now free memory */
TEST_F(release, address_of_a_page_that_went_gives_a_bus_error)
{
	uintptr_t hidden = new_hidden(self->heap, 300 * KIB, 1);
	struct iovec to = { .iov_len = 1 }, from = { .iov_len = 1 };
	char byte;

	ASSERT_EQ(0, gcheap_release(self->heap));
	ASSERT_FALSE(is_allocated(self->heap, hidden));
	to.iov_base = &byte;
	from.iov_base = reveal(hidden);
	EXPECT_EQ(-1, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
	EXPECT_EQ(EFAULT, errno);
}

/*
 * A page that somebody has pinned would be no memory for the machine: an object that
 * dies meanwhile is held, and then free.
 */
TEST_F(release, page_in_a_pipe_keeps_its_content)
{
	struct iovec part = { .iov_len = 4096 };
	uint64_t held_now;
	char copy[4096];
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	part.iov_base = gcheap_alloc_noscan(self->heap, 64 * KIB);
	ASSERT_NE(NULL, part.iov_base);
	fill(part.iov_base, 4096, 7);
	ASSERT_EQ(4096, vmsplice(ends[1], &part, 1, 0));
	part.iov_base = NULL;
	ASSERT_EQ(0, gcheap_release(self->heap));
	held_now = held(self->heap);
	ASSERT_EQ(4096, read(ends[0], copy, 4096));
	EXPECT_TRUE(filled(copy, 4096, 7));
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_GE(held_now, held(self->heap));
}

/*
 * Only an object that is allocated can be a range that ages; but a thread may say later
 * that it has never handed it out.
 */
TEST(aging_range_in_a_slot_that_went_keeps_nothing)
{
	static struct gcheap_slab slab;
	struct gcheap_slab_return back = { .free = (uintptr_t)slab.free };
	struct gcheap_ioc_refill refill = {
		.size = sizeof(refill), .class_index = 60, .want = 1,
		.slabs = (uintptr_t)&slab,
	};
	struct gcheap_ioc_root root = {
		.size = sizeof(root), .flags = GCHEAP_ROOT_AGING, .length = 64,
	};
	struct gcheap_ioc_release release = {
		.size = sizeof(release), .nr_back = 1, .back = (uintptr_t)&back,
	};
	struct gcheap_ioc_collect request = {
		.size = sizeof(request), .flags = GCHEAP_COLLECT_RELEASE,
	};
	int fd = raw_open(64 * MIB), i;

	ASSERT_NE(MAP_FAILED, raw_map(fd));
	ASSERT_EQ(0, call(fd, GCHEAP_IOC_REFILL, &refill));
	root.start = slab.start;
	back.start = slab.start;
	ASSERT_EQ(0, call(fd, GCHEAP_IOC_ROOT_ADD, &root));
	ASSERT_EQ(0, call(fd, GCHEAP_IOC_RELEASE, &release));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, call(fd, GCHEAP_IOC_COLLECT, &request));
	/* It would be aged in the next object that is there. */
	root.length = 0;
	root.flags = 0;
	ASSERT_EQ(0, call(fd, GCHEAP_IOC_ROOT_DEL, &root));
	ASSERT_EQ(0, call(fd, GCHEAP_IOC_COLLECT, &request));
	EXPECT_TRUE(works_on(fd));
	close(fd);
}

/**
 * struct show - what one process shows the other
 * @object: an object of the heap
 * @shown: number of the object, which is also what it is filled with
 * @seen: the number of the last one that was looked at
 * @wrong: looks that found something else
 */
struct show {
	char *_Atomic object;
	_Atomic long shown;
	_Atomic long seen;
	_Atomic long wrong;
};

#define SHOWN_BYTES	(256 * KIB)

/* Has pages entered that are about to go, through the kernel, which tells of errors. */
static void *run_prodder(void *arg)
{
	char *start = arg, byte;
	struct iovec to = { .iov_base = &byte, .iov_len = 1 };
	size_t offset;

	for (;;)
		for (offset = 0; offset < 2 * SHOWN_BYTES; offset += 4096) {
			struct iovec from = { .iov_base = start + offset, .iov_len = 1 };

			process_vm_readv(getpid(), &to, 1, &from, 1, 0);
		}
	return NULL;
}

static void run_looker(struct gcheap *heap, struct show *show, long count)
{
	pthread_t prodder;
	long i;

	must(!pthread_create(&prodder, NULL, run_prodder,
			     (void *)raw_info(gcheap_fd(heap)).base));
	for (i = 1; i <= count; i++) {
		while (show->shown != i)
			sched_yield();
		if (!filled(show->object, SHOWN_BYTES, i))
			show->wrong++;
		show->seen = i;
	}
	_exit(KSFT_PASS);
}

/* Those that were just given back are the first to be had: so the heap gets others. */
static void take_other_pages(void)
{
	static char *memory;

	if (memory)
		must(!munmap(memory, 4 * SHOWN_BYTES));
	memory = mmap(NULL, 4 * SHOWN_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	must(memory != MAP_FAILED);
}

/*
 * A page that went must not stay, or come, into another process's page tables: it
 * would see the old page where the other one has a new one.
 */
TEST(no_process_keeps_a_page_that_was_given_back)
{
	struct gcheap *heap = open_manual(64 * MIB);
	struct show *show = shared_page();
	long count = scaled(400), i;
	pid_t pid;

	ASSERT_NE(NULL, heap);
	pid = fork_child();
	if (!pid)
		run_looker(heap, show, count);
	for (i = 1; i <= count; i++) {
		/* One that only the prodder comes across */
		show->object = gcheap_alloc_noscan(heap, SHOWN_BYTES);
		ASSERT_NE(NULL, show->object);
		memset(show->object, 1, SHOWN_BYTES);
		show->object = NULL;
		ASSERT_EQ(0, gcheap_release(heap));
		take_other_pages();
		show->object = gcheap_alloc_noscan(heap, SHOWN_BYTES);
		ASSERT_NE(NULL, show->object);
		fill(show->object, SHOWN_BYTES, i);
		show->shown = i;
		while (show->seen != i)
			sched_yield();
		show->object = NULL;
		ASSERT_EQ(0, gcheap_release(heap));
	}
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(0, show->wrong);
	gcheap_close(heap);
}

TEST_HARNESS_MAIN
