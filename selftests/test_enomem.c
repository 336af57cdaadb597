// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is not to be had, whatever the reason: the answer is NULL and ENOMEM, what
 * lives stays as it is, nobody is killed for it, and smaller requests work.
 */
#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/swap.h>

#include "common.h"
#include "group.h"
#include "injection.h"
#include "machine.h"

#define USER_MEMORY	"/sys/module/gcheap/parameters/user_memory"
#define UID		1000
#define HEAP_SIZE	(4 * MIB)

/* The smallest of the large objects, and what it takes */
#define LARGE		(32 * KIB + 1)
#define LARGE_TAKES	(36 * KIB)

#define THINGS		65536

/* What lives.  The collector finds it here and nowhere else. */
static struct thing {
	char *object;
	size_t size;
} things[THINGS];
static size_t nr_things;

static bool all_whole(void)
{
	size_t i;

	for (i = 0; i < nr_things; i++)
		if (things[i].object && !filled(things[i].object, things[i].size, i))
			return false;
	return true;
}

/* One more; false when there is no memory for it. */
apart bool keep(struct gcheap *heap, size_t size)
{
	char *object;

	must(nr_things < THINGS);
	errno = 0;
	object = nr_things % 3 ? gcheap_alloc(heap, size) : gcheap_alloc_noscan(heap, size);
	if (!object) {
		must(errno == ENOMEM);
		return false;
	}
	must(all_zero(object, size));
	fill(object, size, nr_things);
	things[nr_things++] = (struct thing) { object, size };
	return true;
}

static const size_t sizes[] = {
	MIB, LARGE, 5000, 48, 8,
};

/**
 * struct filling - what fits into a heap
 * @heap: heap
 * @bytes: of all objects that were kept
 */
struct filling {
	struct gcheap *heap;
	size_t bytes;
};

/* Where a size fits no more, each smaller one is tried. */
static void fill_up(void *arg)
{
	struct filling *filling = arg;
	size_t i;

	filling->bytes = 0;
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		while (keep(filling->heap, sizes[i]))
			filling->bytes += sizes[i];
	must(all_whole());
}

static size_t bytes_that_fit(struct gcheap *heap)
{
	struct filling filling = { .heap = heap };

	in_thread(fill_up, &filling);
	return filling.bytes;
}

/* Each @step-th, from @first on; returns what they had. */
static size_t drop(size_t first, size_t step)
{
	size_t bytes = 0, i;

	for (i = first; i < nr_things; i += step) {
		if (!things[i].object)
			continue;
		bytes += things[i].size;
		things[i].object = NULL;
	}
	return bytes;
}

static void drop_all(void)
{
	drop(0, 1);
	nr_things = 0;
}

/* In all the ways in which one can ask for it */
static void must_be_refused(struct gcheap *heap, size_t size)
{
	struct gcheap_pool *pool;
	int i;

	errno = 0;
	must(!gcheap_alloc(heap, size) && errno == ENOMEM);
	errno = 0;
	must(!gcheap_alloc_noscan(heap, size) && errno == ENOMEM);
	errno = 0;
	must(!gcheap_realloc(heap, NULL, size) && errno == ENOMEM);
	errno = 0;
	must(!raw_alloc(gcheap_fd(heap), size) && errno == ENOMEM);
	/* One that is not scanned, and one that is */
	for (i = 0; i < 2; i++) {
		errno = 0;
		must(!gcheap_realloc(heap, things[i].object, size) && errno == ENOMEM);
	}
	errno = 0;
	pool = gcheap_pool_new(heap, size);
	must(!pool || !gcheap_pool_get(pool));
	must(errno == ENOMEM);
}

static void refuse_what_is_absurd(void *arg)
{
	struct gcheap *heap = arg;
	const size_t size = raw_info(gcheap_fd(heap)).heap_size;
	const size_t absurd[] = {
		SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 15, SIZE_MAX - 4094, SIZE_MAX - 4095,
		SIZE_MAX - size, SIZE_MAX - size + 1, SIZE_MAX / 2, SIZE_MAX / 2 + 1,
		1ul << 47, 1ul << 40, 1ul << 32, 2 * size, size + 1, size, size - 4095,
		size - 4096,
	};
	size_t i;

	must(things[0].object && things[1].object);
	/* What one way comes to there, another does: the debug kernel takes its time. */
	for (i = 0; i < ARRAY_SIZE(absurd); i += on_debug_kernel() ? 4 : 1)
		must_be_refused(heap, absurd[i]);
	must(all_whole());
}

static void books_must_be_right(struct gcheap *heap)
{
	struct gcheap_stats stats = stats_of(heap);
	size_t bytes = 0, i;

	for (i = 0; i < nr_things; i++)
		bytes += things[i].object ? things[i].size : 0;
	must(stats.heap_idle + stats.heap_inuse == stats.heap_sys);
	must(stats.mallocs - stats.frees == stats.heap_objects);
	must(stats.heap_alloc >= bytes);
}

/*
 * Full, half of it dropped, and full again; and then from the beginning, with so many
 * tenths of what fitted first
 */
static void be_short(struct gcheap *heap, size_t least, size_t tenths)
{
	size_t bytes = bytes_that_fit(heap), dropped;

	must(bytes >= least);
	in_thread(refuse_what_is_absurd, heap);
	books_must_be_right(heap);
	dropped = drop(0, 2);
	collect(heap);
	must(all_whole());
	must(bytes_that_fit(heap) >= dropped / 2);
	books_must_be_right(heap);
	drop_all();
	must(!gcheap_release(heap));
	must(stats_of(heap).heap_sys <= 128 * KIB);
	must(bytes_that_fit(heap) >= bytes / 10 * tenths);
	drop_all();
}

/**
 * struct company - somebody who has nothing to do with it, and has nothing to swap
 * @rounds: how often he had the memory that he wanted
 * @over: he may end
 */
struct company {
	_Atomic long rounds;
	_Atomic bool over;
};

static pid_t start_company(struct company *company, size_t wish, bool grouped)
{
	pid_t pid = fork_child();
	char *memory;

	if (pid) {
		while (!company->rounds)
			sched_yield();
		return pid;
	}
	if (grouped)
		group_enter();
	while (!company->over) {
		memory = mmap(NULL, wish, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
		must(memory != MAP_FAILED);
		memset(memory, 1, wish);
		must(!munmap(memory, wish));
		company->rounds++;
	}
	_exit(KSFT_PASS);
}

/* As somebody to whom the module's limits apply */
static void become_user(void)
{
	must(!setgroups(0, NULL) && !setresgid(UID, UID, UID) && !setresuid(UID, UID, UID));
	/* Changing ids forgets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* One percent of the machine's memory */
static size_t share_of_user(void)
{
	return sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 100;
}

static bool begin_user(void)
{
	return !geteuid() && write_to(USER_MEMORY, "1");
}

static void end_user(void)
{
	must(write_to(USER_MEMORY, "75"));
}

static bool begin_group(void)
{
	return group_make("memory.max", on_debug_kernel() ? 10 * MIB : 16 * MIB);
}

static void end_group(void)
{
	long kills = group_events("oom_kill");

	must(group_remove());
	must(!kills);
}

static void write_much(const char *path, size_t bytes)
{
	static const char zeros[MIB];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0);
	for (; bytes; bytes -= MIB)
		must(write(fd, zeros, MIB) == MIB);
	must(!fsync(fd));
	close(fd);
}

#define SWAP_SIZE	(16 * MIB)

/* What mkswap writes: version 1, and the last page, in the header; and what it is. */
static bool swap_on(const char *path)
{
	const uint32_t header[] = { 1, SWAP_SIZE / 4096 - 1 };
	int fd, err;

	write_much(path, SWAP_SIZE);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	must(fd >= 0);
	must(pwrite(fd, header, sizeof(header), 1024) == sizeof(header));
	must(pwrite(fd, "SWAPSPACE2", 10, 4086) == 10);
	must(!fsync(fd));
	close(fd);
	err = swapon(path, 0);
	if (err)
		unlink(path);
	return !err;
}

static const char *swap_file(void)
{
	static char path[64];
	const char *disk = getenv("GCHEAP_DISK");

	snprintf(path, sizeof(path), "%s/swap", disk ? disk : "");
	return disk ? path : NULL;
}

/* Others, not in the cgroup, have much that could be swapped. */
static bool begin_group_with_swap(void)
{
	const char *path = swap_file();

	if (!path || geteuid() || !swap_on(path))
		return false;
	if (begin_group() && write_to(GROUP "/memory.swap.max", "max"))
		return true;
	must(!swapoff(path) && !unlink(path));
	return false;
}

static void end_group_with_swap(void)
{
	must(!swapoff(swap_file()) && !unlink(swap_file()));
	end_group();
}

static bool begin_machine(void)
{
	if (geteuid())
		return false;
	if (leave_memory(on_debug_kernel() ? 16 * MIB : 40 * MIB))
		return true;
	give_memory_back();
	return false;
}

FIXTURE(enomem) {
	struct company *company;
	pid_t others;
	bool begun;
};

/*
 * @options: of the heap
 * @least: bytes that must fit; 0: as much as the user may have, but for a tenth
 * @begin: makes memory scarce; false where that cannot be had
 * @enter: where the process goes that is short of memory
 * @end: undoes it
 */
FIXTURE_VARIANT(enomem) {
	struct gcheap_options options;
	size_t least;
	bool (*begin)(void);
	void (*enter)(void);
	void (*end)(void);
};

FIXTURE_VARIANT_ADD(enomem, by_the_size) {
	.options = { .size = HEAP_SIZE },
	.least = HEAP_SIZE / 10 * 9,
};

FIXTURE_VARIANT_ADD(enomem, by_the_size_without_collections) {
	.options = { .size = HEAP_SIZE, .percent = -1 },
	.least = HEAP_SIZE / 10 * 9,
};

FIXTURE_VARIANT_ADD(enomem, by_the_least_size) {
	.options = { .size = GCHEAP_SIZE_MIN },
	.least = MIB,
};

/* That limit alone refuses nothing. */
FIXTURE_VARIANT_ADD(enomem, by_the_size_beyond_the_limit) {
	.options = { .size = HEAP_SIZE, .limit = MIB },
	.least = HEAP_SIZE / 10 * 9,
};

FIXTURE_VARIANT_ADD(enomem, by_the_user) {
	.begin = begin_user, .enter = become_user, .end = end_user,
};

FIXTURE_VARIANT_ADD(enomem, by_the_cgroup) {
	.least = 2 * MIB,
	.begin = begin_group, .enter = group_enter, .end = end_group,
};

FIXTURE_VARIANT_ADD(enomem, by_the_cgroup_with_swap) {
	.least = 2 * MIB,
	.begin = begin_group_with_swap, .enter = group_enter, .end = end_group_with_swap,
};

/*
 * What is given back of the little that the machine has may be what its processors keep
 * at hand: the kernel does not call it available, and would rather kill than look there.
 */
FIXTURE_VARIANT_ADD(enomem, by_the_machine) {
	.least = 3 * MIB,
	.begin = begin_machine, .end = give_memory_back,
};

FIXTURE_SETUP(enomem)
{
	if (variant->begin && !variant->begin())
		SKIP(return, "not root, or no memory cgroup, swap or huge pages");
	self->begun = true;
	self->company = shared_page();
	/* Less than is left to others whoever grows, see GC_HEADROOM_PAGES in backing.h */
	self->others = start_company(self->company, 512 * KIB,
				     variant->enter == group_enter);
}

FIXTURE_TEARDOWN(enomem)
{
	if (!self->begun)
		return;
	self->company->over = true;
	EXPECT_TRUE(child_succeeded(self->others));
	if (variant->end)
		variant->end();
}

TEST_F(enomem, loses_nothing_and_leaves_room_for_less)
{
	struct gcheap *heap;
	pid_t pid = fork_child();

	if (!pid) {
		if (variant->enter)
			variant->enter();
		heap = gcheap_open(&variant->options);
		must(heap);
		be_short(heap, variant->least ? variant->least : share_of_user() / 10 * 9,
			 variant->end == give_memory_back ? 0 : 9);
		gcheap_close(heap);
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

static void keep_one(void *arg)
{
	const struct filling *filling = arg;

	must(keep(filling->heap, filling->bytes));
}

/* All but the first page is to be had, to the byte. */
TEST(largest_object_is_all_of_the_heap)
{
	static const size_t least[] = { GCHEAP_SIZE_MIN, 2 * MIB, 2 * MIB + 1, 64 * MIB };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(least); i++) {
		struct filling one = { .heap = open_manual(least[i]) };

		ASSERT_NE(NULL, one.heap);
		/* The object that open_manual() has there goes. */
		ASSERT_EQ(0, gcheap_collect(one.heap));
		one.bytes = raw_info(gcheap_fd(one.heap)).heap_size - 4096;
		ASSERT_LE(least[i], one.bytes + 4096);
		EXPECT_FALSE(keep(one.heap, one.bytes + 1));
		in_thread(keep_one, &one);
		EXPECT_FALSE(keep(one.heap, 8));
		EXPECT_TRUE(all_whole());
		drop_all();
		ASSERT_EQ(0, gcheap_collect(one.heap));
		EXPECT_TRUE(keep(one.heap, 8));
		drop_all();
		gcheap_close(one.heap);
	}
}

/**
 * struct wish - what is asked for while others want memory, too
 * @bytes: so much
 * @times: so often
 */
struct wish {
	size_t bytes;
	int times;
};

static void wish_in_vain(struct wish wish)
{
	struct gcheap *heap = gcheap_open(NULL);

	must(heap && keep(heap, 100000) && keep(heap, 1000));
	while (wish.times--) {
		errno = 0;
		must(!gcheap_alloc_noscan(heap, wish.bytes) && errno == ENOMEM);
		must(all_whole());
	}
	must(keep(heap, MIB) && keep(heap, 100) && all_whole());
	_exit(KSFT_PASS);
}

/**
 * struct watch - how much memory others could have had
 * @least: bytes, whenever somebody looked
 * @over: nobody has to look any more
 */
struct watch {
	_Atomic size_t least;
	_Atomic bool over;
};

static pid_t start_watch(struct watch *watch)
{
	pid_t pid = fork_child();

	if (pid) {
		while (!watch->least)
			sched_yield();
		return pid;
	}
	watch->least = available_memory();
	while (!watch->over) {
		size_t now = available_memory();

		if (now < watch->least)
			watch->least = now;
	}
	_exit(KSFT_PASS);
}

FIXTURE(machine) {
};

FIXTURE_SETUP(machine)
{
	if (geteuid())
		SKIP(return, "only root can make memory scarce");
	leave_memory(128 * MIB);
}

FIXTURE_TEARDOWN(machine)
{
	if (!geteuid())
		give_memory_back();
}

/* One that the heap may have and the machine does not: nothing is taken to find out. */
TEST_F(machine, does_not_take_from_others_what_is_more_than_it_has)
{
	struct watch *watch = shared_page();
	struct wish wish = { .times = 2 };
	pid_t watcher, pid;

	watcher = start_watch(watch);
	wish.bytes = available_memory() + 64 * MIB;
	pid = fork_child();
	if (!pid)
		wish_in_vain(wish);
	EXPECT_TRUE(child_succeeded(pid));
	watch->over = true;
	EXPECT_TRUE(child_succeeded(watcher));
	EXPECT_LT(64 * MIB, watch->least);
}

/* All that the container may have */
#define FILES_MAX	(16 * MIB)

#define TOGETHER	6

/* Whoever comes first: each has what it gets, and gives it back. */
static void be_short_together(void)
{
	int rounds;

	group_enter();
	for (rounds = on_debug_kernel() ? 2 : 6; rounds; rounds--) {
		struct gcheap *heap = gcheap_open(NULL);

		if (!heap) {
			must(errno == ENOMEM);
			continue;
		}
		while (keep(heap, MIB))
			;
		nr_things = 0;
		gcheap_close(heap);
	}
	_exit(KSFT_PASS);
}

/* None of them takes what another one has just counted on. */
TEST(heaps_that_fill_a_cgroup_together_leave_some_to_others)
{
	struct company *company = shared_page();
	pid_t others, pids[TOGETHER];
	int i;

	if (!begin_group())
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	others = start_company(company, 512 * KIB, true);
	for (i = 0; i < TOGETHER; i++) {
		pids[i] = fork_child();
		if (!pids[i])
			be_short_together();
	}
	for (i = 0; i < TOGETHER; i++)
		EXPECT_TRUE(child_succeeded(pids[i]));
	company->over = true;
	EXPECT_TRUE(child_succeeded(others));
	end_group();
}

#define INNER		GROUP "/inner"
#define OTHER		GROUP "/other"

static void have_files(const char *path)
{
	group_enter_inner(OTHER);
	write_much(path, FILES_MAX);
	_exit(KSFT_PASS);
}

static void have_large_in_group(void)
{
	struct gcheap *heap;

	group_enter_inner(INNER);
	heap = gcheap_open(NULL);
	must(heap && gcheap_alloc_noscan(heap, 8 * MIB));
	errno = 0;
	must(!gcheap_alloc_noscan(heap, 17 * MIB) && errno == ENOMEM);
	_exit(KSFT_PASS);
}

/* They are taken for it: they make way. */
TEST(what_a_sibling_in_the_container_keeps_of_files_makes_way)
{
	const char *disk = getenv("GCHEAP_DISK");
	char path[64];
	pid_t pid;

	if (!disk || !group_make("memory.max", FILES_MAX))
		SKIP(return, "no disk, or no memory cgroup at /sys/fs/cgroup");
	group_make_inner(INNER);
	group_make_inner(OTHER);
	snprintf(path, sizeof(path), "%s/much", disk);
	pid = fork_child();
	if (!pid)
		have_files(path);
	EXPECT_TRUE(child_succeeded(pid));
	pid = fork_child();
	if (!pid)
		have_large_in_group();
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(0, group_events("oom_kill"));
	unlink(path);
	EXPECT_TRUE(group_remove());
}

/* As many of the smallest large objects as there is room for, side by side */
static size_t fill_with_large(struct gcheap *heap)
{
	size_t i;

	while (keep(heap, LARGE))
		;
	for (i = 1; i < nr_things; i++)
		must(things[i].object == things[i - 1].object + LARGE_TAKES);
	return nr_things;
}

FIXTURE(fragmented) {
	struct gcheap *heap;
	size_t nr;
};

/* Whether the memory between those that live has been given back */
FIXTURE_VARIANT(fragmented) {
	int (*collect)(struct gcheap *heap);
};

FIXTURE_VARIANT_ADD(fragmented, by_free_pages) {
	.collect = gcheap_collect,
};

FIXTURE_VARIANT_ADD(fragmented, by_absent_pages) {
	.collect = gcheap_release,
};

FIXTURE_SETUP(fragmented)
{
	char *last;

	self->heap = open_manual(16 * MIB);
	ASSERT_NE(NULL, self->heap);
	self->nr = fill_with_large(self->heap);
	ASSERT_LT(400, self->nr);
	/* What is free before the first and behind the last has no part in it. */
	last = things[self->nr - 1].object;
	drop(1, 2);
	things[self->nr - 1].object = last;
	ASSERT_EQ(0, variant->collect(self->heap));
}

FIXTURE_TEARDOWN(fragmented)
{
	drop_all();
	gcheap_close(self->heap);
}

TEST_F(fragmented, heap_has_what_fits_between)
{
	size_t i;

	EXPECT_NE(NULL, gcheap_alloc(self->heap, LARGE));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(NULL, gcheap_alloc(self->heap, LARGE_TAKES + 1));
		EXPECT_EQ(ENOMEM, errno);
	}
	EXPECT_TRUE(all_whole());
	/* All of the places, but for what may yet seem to be alive */
	for (i = 0; keep(self->heap, LARGE_TAKES); i++)
		;
	EXPECT_LE(self->nr / 2 - 2, i);
	EXPECT_TRUE(all_whole());
}

/* Some of the pages are free then, and some were given back before. */
TEST_F(fragmented, holes_that_meet_are_one)
{
	size_t first = self->nr / 2 | 1, i;

	for (i = first; i < first + 101; i++)
		things[i].object = NULL;
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_EQ(NULL, gcheap_alloc(self->heap, 102 * LARGE_TAKES + 1));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_TRUE(keep(self->heap, 101 * LARGE_TAKES));
	EXPECT_TRUE(all_whole());
}

/* Sizes of large objects, and the largest only where the machine has the room. */
static const size_t large[] = { LARGE, 40000, 100001, MIB + 1, 64 * MIB, 1024 * MIB };

/* The debug kernel takes a minute for a GiB. */
static bool has_room_for(size_t size)
{
	return available_memory() > size + size / 4 && (!on_debug_kernel() || size < 1024 * MIB);
}

/* Its first and last words, and one on each of its pages between */
static void touch(char *object, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += 4096)
		*(uint64_t *)(object + at) = pattern(at, 0);
	object[size - 1] = 1;
}

static bool touched(const char *object, size_t size)
{
	size_t at;

	for (at = 0; at < size - 8; at += 4096)
		if (*(uint64_t *)(object + at) != pattern(at, 0))
			return false;
	return object[size - 1] == 1;
}

apart void have_large(void *arg)
{
	struct hidden *hidden = arg;
	char *object = gcheap_alloc_noscan(hidden->heap, hidden->size);

	must(object && !object[0] && !object[hidden->size - 1]);
	touch(object, hidden->size);
	must(!gcheap_collect(hidden->heap));
	must(touched(object, hidden->size));
	hidden->object = hide(object);
}

apart void have_large_with_faults(void *arg)
{
	struct hidden *hidden = arg;
	char *object;

	faults_begin();
	object = gcheap_alloc_noscan(hidden->heap, hidden->size);
	faults_end();
	must(object);
	touch(object, hidden->size);
	must(touched(object, hidden->size));
}

TEST(large_objects_go_back_when_they_die)
{
	struct gcheap_stats before, after;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(large); i++) {
		struct gcheap *heap = open_manual(0);
		struct hidden hidden = { .heap = heap, .size = large[i] };

		ASSERT_NE(NULL, heap);
		if (!has_room_for(large[i])) {
			TH_LOG("no room for %zu MiB", large[i] / MIB);
			continue;
		}
		in_thread(have_large, &hidden);
		before = stats_of(heap);
		EXPECT_LE(large[i], before.heap_sys);
		ASSERT_EQ(0, gcheap_release(heap));
		after = stats_of(heap);
		EXPECT_GE(64 * KIB, after.heap_sys);
		EXPECT_LE(before.heap_released + large[i], after.heap_released);
		gcheap_close(heap);
	}
}

/* Addresses of the process, of which a heap takes as many as it is large */
static void limit_addresses(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	must(!setrlimit(RLIMIT_AS, &limit));
}

static int lowest_free_number(void)
{
	int fd = dup(0);

	must(fd >= 0 && !close(fd));
	return fd;
}

/**
 * struct newcomer - a thread that allocates for the first time when there is no address
 * @heap: heap
 * @ends: a conversation with it
 */
struct newcomer {
	struct gcheap *heap;
	int ends[2];
};

static void *run_newcomer(void *arg)
{
	struct newcomer *newcomer = arg;
	int i;

	hear(newcomer->ends[1]);
	for (i = 0; i < 100; i++)
		must(gcheap_alloc(newcomer->heap, i * 10) || errno == ENOMEM);
	say(newcomer->ends[1]);
	hear(newcomer->ends[1]);
	for (i = 0; i < 100; i++)
		must(gcheap_alloc(newcomer->heap, i * 10));
	return NULL;
}

static void be_without_addresses(void)
{
	const struct gcheap_options options = { .size = 64 * MIB };
	struct newcomer newcomer = { .heap = gcheap_open(&options) };
	pthread_t thread;
	int number, i;

	must(newcomer.heap && keep(newcomer.heap, 100) && keep(newcomer.heap, MIB));
	socket_pair(newcomer.ends);
	must(!pthread_create(&thread, NULL, run_newcomer, &newcomer));
	number = lowest_free_number();
	limit_addresses(addresses_in_use());
	for (i = 0; i < 100; i++)
		must(!gcheap_open(i % 2 ? &options : NULL) && errno == ENOMEM);
	must(lowest_free_number() == number);
	must(keep(newcomer.heap, 100) && keep(newcomer.heap, MIB) && all_whole());
	say(newcomer.ends[0]);
	hear(newcomer.ends[0]);
	must(!gcheap_collect(newcomer.heap) && all_whole());
	limit_addresses(RLIM_INFINITY);
	say(newcomer.ends[0]);
	must(!pthread_join(thread, NULL));
	must(gcheap_open(&options) && gcheap_open(NULL) && all_whole());
	_exit(KSFT_PASS);
}

TEST(without_addresses_there_is_no_other_heap_and_the_old_one_works)
{
	pid_t pid = fork_child();

	if (!pid)
		be_without_addresses();
	EXPECT_TRUE(child_succeeded(pid));
}

/* The kernel's faults: all of the calling thread's allocations, or some of a hundred */
FIXTURE(faults) {
	struct gcheap *heap;
	bool enabled;
};

FIXTURE_VARIANT(faults) {
	const char *kind;
};

FIXTURE_VARIANT_ADD(faults, in_pages) {
	.kind = FAULTS "fail_page_alloc/",
};

FIXTURE_VARIANT_ADD(faults, in_structures) {
	.kind = FAULTS "failslab/",
};

FIXTURE_SETUP(faults)
{
	struct gcheap_options options = { .size = 64 * MIB };

	if (access("/proc/thread-self/make-it-fail", W_OK) || !faults_enable())
		SKIP(return, "this kernel has no fault injection, or it is root's");
	self->enabled = true;
	faults_choose(variant->kind);
	self->heap = gcheap_open(&options);
	ASSERT_NE(NULL, self->heap);
	ASSERT_TRUE(keep(self->heap, 1000) && keep(self->heap, MIB));
}

FIXTURE_TEARDOWN(faults)
{
	if (!self->enabled)
		return;
	faults_of_a_hundred(variant->kind, 0);
	faults_disable();
	drop_all();
	gcheap_close(self->heap);
}

/* Whatever it is that fails, once it does not any more all is as before. */
TEST_F(faults, all_the_time_refuse_and_lose_nothing)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ASSERT_TRUE(keep(self->heap, sizes[i]));
	ASSERT_EQ(0, gcheap_release(self->heap));
	faults_of_a_hundred(variant->kind, 100);
	for (i = 0; i < 20; i++) {
		faults_begin();
		must(!gcheap_alloc(self->heap, MIB) && errno == ENOMEM);
		must(!gcheap_alloc(self->heap, LARGE) && errno == ENOMEM);
		must(!gcheap_realloc(self->heap, things[0].object, MIB) && errno == ENOMEM);
		must(!gcheap_collect(self->heap) || errno == ENOMEM || errno == EAGAIN);
		must(!gcheap_open(NULL) && errno == ENOMEM);
		faults_end();
		ASSERT_TRUE(all_whole());
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ASSERT_TRUE(keep(self->heap, sizes[i]));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_TRUE(all_whole());
	books_must_be_right(self->heap);
}

/* The sums need no memory; what is told of classes does. */
TEST_F(faults, keep_no_statistics_from_who_asks_for_sums)
{
	struct gcheap_class_stats classes[8];
	struct gcheap_ioc_stats sums = { .size = sizeof(sums) };
	struct gcheap_ioc_stats all = {
		.size = sizeof(all), .classes = (uintptr_t)classes,
		.class_capacity = ARRAY_SIZE(classes),
	};
	int fd = gcheap_fd(self->heap), sums_err, all_err;

	faults_of_a_hundred(variant->kind, 100);
	faults_begin();
	sums_err = call(fd, GCHEAP_IOC_STATS, &sums);
	all_err = call(fd, GCHEAP_IOC_STATS, &all);
	faults_end();
	EXPECT_EQ(0, sums_err);
	EXPECT_LT(0, sums.heap_sys);
	/* That would be a page only where there is no slab with room. */
	if (!strcmp(variant->kind, FAULTS "failslab/"))
		EXPECT_EQ(ENOMEM, all_err);
}

/* Objects come and go, and any of the calls for it may fail. */
static void come_and_go(struct gcheap *heap, unsigned int random)
{
	size_t i = random % 64, size = sizes[1 + random / 64 % (ARRAY_SIZE(sizes) - 1)];
	bool release = random / 1024 % 16 == 0;
	char *object;

	faults_begin();
	if (release)
		must(!gcheap_release(heap) || errno == ENOMEM || errno == EAGAIN);
	object = gcheap_alloc(heap, size);
	must(object || errno == ENOMEM);
	faults_end();
	if (!object)
		return;
	must(all_zero(object, size));
	must(!things[i].object || filled(things[i].object, things[i].size, i));
	fill(object, size, i);
	things[i] = (struct thing) { object, size };
}

TEST_F(faults, now_and_then_lose_nothing)
{
	unsigned int random = 1, i;

	nr_things = 64;
	faults_of_a_hundred(variant->kind, 10);
	for (i = 0; i < 400; i++) {
		random = random * 1103515245 + 12345;
		come_and_go(self->heap, random >> 8);
	}
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_TRUE(all_whole());
	books_must_be_right(self->heap);
	drop_all();
	wipe_stack();
	ASSERT_EQ(0, gcheap_release(self->heap));
	EXPECT_GT(8 * MIB, stats_of(self->heap).heap_sys);
}

/* Of more than two pages side by side there are none. */
TEST(large_objects_need_no_contiguous_memory)
{
	static const char kind[] = FAULTS "fail_page_alloc/";
	struct gcheap *heap;
	size_t i;

	if (access("/proc/thread-self/make-it-fail", W_OK) || !faults_enable())
		SKIP(return, "this kernel has no fault injection, or it is root's");
	write_file(FAULTS "fail_page_alloc/min-order", "2");
	faults_choose(kind);
	faults_of_a_hundred(kind, 100);
	heap = open_manual(0);
	ASSERT_NE(NULL, heap);
	for (i = 0; large[i] <= 64 * MIB; i++) {
		struct hidden hidden = { .heap = heap, .size = large[i] };

		in_thread(have_large_with_faults, &hidden);
	}
	faults_of_a_hundred(kind, 0);
	faults_disable();
	gcheap_close(heap);
}

TEST_HARNESS_MAIN
