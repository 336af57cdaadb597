// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a heap has no use for goes back to the machine; what lives stays as it
 * is, and who needs memory again gets it, all zero.
 */
#include <sys/mman.h>
#include <sys/uio.h>

#include "common.h"

#define LIVE		64

/* As many objects of 1 KiB, of which each 25th survives */
#define PIECE		1024L
#define PIECES		8192L
#define STEP		25
#define SURVIVORS	(PIECES / STEP)

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

/* In no object of the heap, so that nothing but their own pages is held. */
static char *survivors[SURVIVORS];

#define STEADY		(8 * MIB)

/* Lives from now on, all in large pieces */
static void *volatile steady[STEADY / MIB];

apart void have_steady_and_peak(void *arg)
{
	struct gcheap *heap = arg;
	void *chain = NULL;
	size_t i;

	for (i = 0; i < STEADY / MIB; i++)
		must((steady[i] = gcheap_alloc_noscan(heap, MIB)));
	for (i = 0; i < 64 * MIB / KIB; i++) {
		void **link = gcheap_alloc(heap, KIB);

		must(link);
		*link = chain;
		chain = link;
	}
}

/*
 * It uses what it has, takes a little more to come to the goal that it had with the peak,
 * is collected, and so on.
 */
TEST(what_was_given_back_is_not_taken_again_bit_by_bit)
{
	struct gcheap_options options = { .size = 256 * MIB, .percent = 100 };
	struct gcheap *heap = gcheap_open(&options);
	long i;

	ASSERT_NE(NULL, heap);
	in_thread(have_steady_and_peak, heap);
	ASSERT_EQ(0, gcheap_release(heap));
	EXPECT_GE(STEADY + 2 * MIB, held(heap));
	for (i = 0; i < 256 * MIB / KIB; i++)
		ASSERT_NE(NULL, gcheap_alloc_noscan(heap, KIB));
	TH_LOG("%llu KiB held", (unsigned long long)held(heap) / KIB);
	EXPECT_GE(2 * STEADY + 2 * MIB, held(heap));
	gcheap_close(heap);
}

FIXTURE(spread) {
	struct gcheap *heap;
	char *base;
	uint64_t peak;
};

static char *new_piece(struct gcheap *heap, long number)
{
	char *piece = gcheap_alloc_noscan(heap, PIECE);

	must(piece && all_zero(piece, PIECE));
	fill(piece, PIECE, number);
	return piece;
}

apart void have_survivors(void *heap)
{
	long i;

	for (i = 0; i < PIECES; i++) {
		char *piece = new_piece(heap, i);

		if (i % STEP == 0 && i / STEP < SURVIVORS)
			survivors[i / STEP] = piece;
	}
}

apart void have_others(void *heap)
{
	long i;

	for (i = 0; i < PIECES - SURVIVORS; i++)
		new_piece(heap, i);
}

static bool survivors_are_whole(void)
{
	long i;

	for (i = 0; i < SURVIVORS; i++)
		if (!filled(survivors[i], PIECE, i * STEP))
			return false;
	return true;
}

static bool survivor_on(const char *page)
{
	long i;

	for (i = 0; i < SURVIVORS; i++)
		if (survivors[i] < page + 4096 && survivors[i] + PIECE > page)
			return true;
	return false;
}

/* Bytes of the pages that survivors have a part on, and of the heap's first one */
static uint64_t least(char *base)
{
	uint64_t bytes = 4096;
	char *page;

	for (page = base; page < base + 2 * PIECES * PIECE; page += 4096)
		bytes += survivor_on(page) ? 4096 : 0;
	return bytes;
}

FIXTURE_SETUP(spread)
{
	self->heap = open_manual(64 * MIB);
	ASSERT_NE(NULL, self->heap);
	self->base = (char *)raw_info(gcheap_fd(self->heap)).base;
	in_thread(have_survivors, self->heap);
	self->peak = held(self->heap);
	ASSERT_LE(PIECES * PIECE, self->peak);
}

FIXTURE_TEARDOWN(spread)
{
	memset(survivors, 0, sizeof(survivors));
	gcheap_close(self->heap);
}

TEST_F(spread, pages_between_survivors_go_back)
{
	struct gcheap_stats stats;

	ASSERT_EQ(0, gcheap_release(self->heap));
	stats = stats_of(self->heap);
	EXPECT_LE(least(self->base), stats.heap_sys);
	EXPECT_GE(least(self->base) + 16 * KIB, stats.heap_sys);
	EXPECT_EQ(stats.heap_idle + stats.heap_inuse, stats.heap_sys);
	EXPECT_GE(16 * KIB, stats.heap_idle);
	EXPECT_LE(self->peak, stats.heap_sys + stats.heap_released);
	EXPECT_GE(stats.heap_sys / KIB, resident_kib());
	EXPECT_TRUE(survivors_are_whole());
	/* There is nothing more to find, nor is any of it lost. */
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_EQ(stats.heap_sys, held(self->heap));
	EXPECT_TRUE(survivors_are_whole());
}

TEST_F(spread, holes_are_filled_before_the_heap_grows)
{
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, gcheap_release(self->heap));
		EXPECT_GE(least(self->base) + 16 * KIB, held(self->heap));
		in_thread(have_others, self->heap);
		EXPECT_GE(self->peak + 256 * KIB, held(self->heap));
		EXPECT_TRUE(survivors_are_whole());
	}
}

/* Wherever a word leads that is no object's, or a range of roots */
TEST_F(spread, roots_in_holes_keep_nothing)
{
	ASSERT_EQ(0, gcheap_release(self->heap));
	ASSERT_EQ(0, gcheap_root_add(self->heap, self->base, 2 * PIECES * PIECE));
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_GE(least(self->base) + 16 * KIB, held(self->heap));
	EXPECT_TRUE(survivors_are_whole());
	ASSERT_EQ(0, gcheap_root_del(self->heap, self->base));
}

/* The pages beside a survivor that no other one is on: three are of its slab. */
static int lend_neighbours(int pipe, char *survivor, char *copy)
{
	char *page = (char *)((uintptr_t)survivor & ~4095ul) - 3 * 4096;
	struct iovec part = { .iov_len = 4096 };
	int nr = 0, i;

	for (i = 0; i < 7; i++, page += 4096) {
		if (survivor_on(page))
			continue;
		part.iov_base = page;
		must(vmsplice(pipe, &part, 1, 0) == 4096);
		memcpy(copy + 4096 * nr++, page, 4096);
	}
	return nr;
}

TEST_F(spread, page_in_a_pipe_is_no_hole)
{
	static char copy[7 * 4096], later[7 * 4096];
	int ends[2], nr;

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	nr = lend_neighbours(ends[1], survivors[SURVIVORS / 2], copy);
	ASSERT_LT(3, nr);
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_LE(least(self->base) + nr * 4096ul, held(self->heap));
	ASSERT_EQ(nr * 4096, read(ends[0], later, nr * 4096));
	EXPECT_EQ(0, memcmp(copy, later, nr * 4096));
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_GE(least(self->base) + 16 * KIB, held(self->heap));
	EXPECT_TRUE(survivors_are_whole());
}

/**
 * struct meeting - a child that has all pages in its page tables
 * @heap: heap
 * @with: socket to the other process
 * @pieces: in the heap, what the other process has put into the holes
 */
struct meeting {
	struct gcheap *heap;
	int with;
	char **pieces;
};

apart void fill_holes(void *arg)
{
	struct meeting *meeting = arg;
	long i;

	for (i = 0; i < PIECES - SURVIVORS; i++)
		meeting->pieces[i] = new_piece(meeting->heap, i + 7);
}

static bool holes_are_filled(char **pieces)
{
	long i;

	for (i = 0; i < PIECES - SURVIVORS; i++)
		if (!filled(pieces[i], PIECE, i + 7))
			return false;
	return true;
}

/* Through the kernel, which tells where none is. */
static void have_pages_entered(char *start, size_t bytes)
{
	char byte, *end = start + bytes;
	struct iovec to = { .iov_base = &byte, .iov_len = 1 };

	for (; start < end; start += 4096) {
		struct iovec from = { .iov_base = start, .iov_len = 1 };

		process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	}
}

static void run_child(struct meeting *meeting, char *base)
{
	have_pages_entered(base, 2 * PIECES * PIECE);
	must(survivors_are_whole());
	say(meeting->with);
	hear(meeting->with);
	must(survivors_are_whole());
	must(holes_are_filled(meeting->pieces));
	memset(meeting->pieces, 0, (PIECES - SURVIVORS) * sizeof(char *));
	must(!gcheap_release(meeting->heap));
	fill_holes(meeting);
	must(survivors_are_whole());
	say(meeting->with);
	hear(meeting->with);
	_exit(KSFT_PASS);
}

/* What one process gives back and fills again, is so for the other. */
TEST_F(spread, holes_are_the_same_in_all_processes)
{
	struct meeting meeting = { .heap = self->heap };
	int ends[2];
	pid_t pid;

	socket_pair(ends);
	meeting.pieces = gcheap_alloc(self->heap, PIECES * sizeof(char *));
	ASSERT_NE(NULL, meeting.pieces);
	pid = fork_child();
	meeting.with = ends[!!pid];
	if (!pid)
		run_child(&meeting, self->base);
	hear(meeting.with);
	ASSERT_EQ(0, gcheap_release(self->heap));
	fill_holes(&meeting);
	EXPECT_TRUE(survivors_are_whole());
	say(meeting.with);
	hear(meeting.with);
	EXPECT_TRUE(survivors_are_whole());
	EXPECT_TRUE(holes_are_filled(meeting.pieces));
	say(meeting.with);
	EXPECT_TRUE(child_succeeded(pid));
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
static void *run_prodder(void *start)
{
	for (;;)
		have_pages_entered(start, 2 * SHOWN_BYTES);
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
	long count = repeated(400), i;
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
