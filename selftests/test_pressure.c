// SPDX-License-Identifier: GPL-2.0
/*
 * Garbage that nobody has collected is no reason to kill anybody: when the machine or a
 * cgroup is short of memory, and when the heap is left alone, it goes back.
 */
#include <sys/mman.h>
#include <sys/uio.h>

#include "common.h"
#include "group.h"
#include "machine.h"

#define IDLE		"/sys/module/gcheap/parameters/idle_ms"

/* The part of one of the machine's memory that all processors keep at hand; 0: less */
#define AT_HAND		"/proc/sys/vm/percpu_pagelist_high_fraction"

/* How long a heap is left alone before it gives memory back, in milliseconds */
static void set_idle(unsigned int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ms);
	must(write_to(IDLE, text));
}

/* The debug kernel takes ten times as long to fill memory. */
static size_t some(size_t bytes)
{
	return on_debug_kernel() ? bytes / 2 : bytes;
}

struct piece {
	char data[4096];
};

/**
 * struct peak - garbage to be
 * @heap: heap
 * @bytes: how much of it
 */
struct peak {
	struct gcheap *heap;
	size_t bytes;
};

/*
 * All lives at once, and then nothing does.  Not as a list, which verify follows object
 * by object.
 */
apart void have_peak(void *arg)
{
	struct peak *peak = arg;
	size_t nr = peak->bytes / sizeof(struct piece), i;
	struct piece **volatile table = gcheap_alloc(peak->heap, nr * sizeof(*table));

	must(table);
	for (i = 0; i < nr; i++) {
		table[i] = gcheap_alloc_noscan(peak->heap, sizeof(struct piece));
		must(table[i]);
	}
}

/* What lives until the program drops it */
static struct piece **volatile kept;

apart void keep_peak(void *arg)
{
	struct peak *peak = arg;
	size_t nr = peak->bytes / sizeof(struct piece), i;

	kept = gcheap_alloc(peak->heap, nr * sizeof(*kept));
	must(kept);
	for (i = 0; i < nr; i++) {
		kept[i] = gcheap_alloc_noscan(peak->heap, sizeof(struct piece));
		must(kept[i]);
	}
}

/* It is not known to be garbage yet: no collection is under way when it becomes that. */
static struct gcheap *heap_with_garbage(size_t bytes)
{
	struct gcheap_options options = { .percent = 100000 };
	struct peak peak = { .heap = gcheap_open(&options), .bytes = bytes };

	must(peak.heap);
	in_thread(have_peak, &peak);
	must(gcheap_set_percent(peak.heap, 100) == 100000);
	return peak.heap;
}

/* No event tells of it: the memory is gone, or the test ends by the harness's clock. */
static void await_smaller(struct gcheap *heap, size_t bytes)
{
	while (stats_of(heap).heap_sys > bytes)
		usleep(20000);
}

/* Each 25th piece of a peak lives; that many slabs have one. */
#define STEP		25

static struct piece *survivors[64 * MIB / sizeof(struct piece) / STEP];

apart void have_survivors(void *arg)
{
	struct peak *peak = arg;
	size_t nr = peak->bytes / sizeof(struct piece), i;

	for (i = 0; i < nr; i++) {
		struct piece *piece = gcheap_alloc_noscan(peak->heap, sizeof(*piece));

		must(piece);
		if (i % STEP || i / STEP >= ARRAY_SIZE(survivors))
			continue;
		fill(piece, sizeof(*piece), i);
		survivors[i / STEP] = piece;
	}
}

static bool survivors_are_whole(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(survivors) && survivors[i]; i++)
		if (!filled(survivors[i], sizeof(struct piece), i * STEP))
			return false;
	return i;
}

FIXTURE(idle) {
};

FIXTURE_SETUP(idle)
{
	set_idle(200);
}

FIXTURE_TEARDOWN(idle)
{
	set_idle(2000);
}

TEST_F(idle, heap_is_collected_and_gives_memory_back)
{
	struct gcheap *heap = heap_with_garbage(some(64 * MIB));
	struct gcheap_stats before = stats_of(heap), after;

	EXPECT_LE(some(64 * MIB), before.heap_sys);
	await_smaller(heap, 8 * MIB);
	after = stats_of(heap);
	EXPECT_EQ(before.num_forced_gc, after.num_forced_gc);
	EXPECT_LE(some(48 * MIB), after.heap_released);
	EXPECT_EQ(after.heap_sys, after.heap_idle + after.heap_inuse);
	gcheap_close(heap);
}

/* Two thirds of its slabs have something that lives. */
TEST_F(idle, pages_between_survivors_go_back)
{
	struct peak peak = { .heap = open_manual(0), .bytes = some(64 * MIB) };
	struct gcheap_stats after;

	ASSERT_NE(NULL, peak.heap);
	in_thread(have_survivors, &peak);
	EXPECT_LE(some(64 * MIB), stats_of(peak.heap).heap_sys);
	ASSERT_EQ(-1, gcheap_set_percent(peak.heap, 100));
	/* It may have been found to be left alone, when it was not to be collected. */
	ASSERT_NE(NULL, gcheap_alloc_noscan(peak.heap, 100 * KIB));
	await_smaller(peak.heap, 8 * MIB);
	after = stats_of(peak.heap);
	EXPECT_EQ(0, after.num_forced_gc);
	EXPECT_EQ(after.heap_sys, after.heap_idle + after.heap_inuse);
	EXPECT_TRUE(survivors_are_whole());
	in_thread(have_survivors, &peak);
	EXPECT_TRUE(survivors_are_whole());
	gcheap_close(peak.heap);
}

/* An idle heap is collected once; who uses it again has it collected once more. */
TEST_F(idle, heap_is_collected_once)
{
	struct gcheap *heap = heap_with_garbage(16 * MIB);
	struct gcheap *later;
	uint64_t num_gc;

	await_smaller(heap, 8 * MIB);
	num_gc = stats_of(heap).num_gc;
	/* Its looks come one after the other, and this one's begin later. */
	later = heap_with_garbage(16 * MIB);
	await_smaller(later, 8 * MIB);
	EXPECT_EQ(num_gc, stats_of(heap).num_gc);
	gcheap_close(later);
	gcheap_close(heap);
}

TEST_F(idle, heap_that_is_never_to_be_collected_is_not)
{
	struct gcheap *heap = open_manual(0), *later;
	struct peak peak = { .heap = heap, .bytes = 16 * MIB };

	in_thread(have_peak, &peak);
	later = heap_with_garbage(16 * MIB);
	await_smaller(later, 8 * MIB);
	EXPECT_EQ(0, stats_of(heap).num_gc);
	EXPECT_LE(16 * MIB, stats_of(heap).heap_alloc);
	gcheap_close(later);
	gcheap_close(heap);
}

TEST_F(idle, heap_keeps_what_lives)
{
	struct gcheap *heap = heap_with_garbage(some(32 * MIB));
	char *kept[100];
	int i;

	for (i = 0; i < 100; i++) {
		kept[i] = gcheap_alloc(heap, 5000);
		ASSERT_NE(NULL, kept[i]);
		fill(kept[i], 5000, i);
	}
	await_smaller(heap, 8 * MIB);
	for (i = 0; i < 100; i++)
		EXPECT_TRUE(filled(kept[i], 5000, i));
	gcheap_close(heap);
}

/**
 * struct holding - an object that is only in a vector register
 * @hidden: the object, as common.h hides it
 * @fd: where the thread sleeps meanwhile, or -1: it runs
 * @over: the thread may end
 * @object: what the register held then
 */
struct holding {
	uintptr_t hidden;
	long fd;
	long over;
	char *object;
};

static void *run_holding(void *arg)
{
	struct holding *h = arg;
	char byte;

	asm volatile("mov %[hidden], %%rax\n\t"
		     "not %%rax\n\t"
		     "movq %%rax, %%xmm9\n\t"
		     "xor %%eax, %%eax\n\t"
		     "cmpq $0, %[fd]\n\t"
		     "js 1f\n\t"
		     "mov %[fd], %%rdi\n\t"
		     "lea %[byte], %%rsi\n\t"
		     "mov $1, %%edx\n\t"
		     "syscall\n\t"		/* 0: read() */
		     "1: pause\n\t"
		     "cmpq $0, %[over]\n\t"
		     "je 1b\n\t"
		     "movq %%xmm9, %[object]"
		     : [object] "=m" (h->object), [byte] "=m" (byte)
		     : [hidden] "m" (h->hidden), [fd] "m" (h->fd), [over] "m" (h->over)
		     : "rax", "rcx", "rdx", "rdi", "rsi", "r11", "xmm9", "memory");
	return NULL;
}

/* Who collects is a kernel thread, which reads them in a way of its own. */
TEST_F(idle, heap_keeps_what_is_only_in_vector_registers)
{
	struct gcheap *heap = heap_with_garbage(some(32 * MIB));
	struct holding held[2];
	pthread_t threads[2];
	int ends[2], i;

	ASSERT_EQ(0, pipe(ends));
	for (i = 0; i < 2; i++) {
		held[i] = (struct holding) {
			.hidden = new_hidden(heap, 3000, i),
			.fd = i ? ends[0] : -1,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_holding, &held[i]));
	}
	await_smaller(heap, 8 * MIB);
	churn(heap, 3000);
	ASSERT_EQ(1, write(ends[1], "", 1));
	for (i = 0; i < 2; i++) {
		held[i].over = 1;
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(held[i].hidden, hide(held[i].object));
		EXPECT_TRUE(filled(held[i].object, 3000, i));
	}
	gcheap_close(heap);
}

/* A heap that is used all the time, and needs but a part of what it once had */
TEST_F(idle, memory_of_a_busy_heap_goes_back)
{
	struct gcheap *heap = heap_with_garbage(some(32 * MIB));
	int i;

	ASSERT_EQ(0, gcheap_collect(heap));
	while (stats_of(heap).heap_sys > 8 * MIB)
		for (i = 0; i < 100; i++)
			ASSERT_NE(NULL, gcheap_alloc(heap, 1000));
	gcheap_close(heap);
}

/* Works of the kernel may have the last reference to a process, and so to its heap. */
static bool no_heap_is_left(const void *unused __attribute__((unused)))
{
	FILE *file = fopen("/sys/module/gcheap/refcnt", "r");
	int heaps = 0;

	must(file && fscanf(file, "%d", &heaps) == 1);
	fclose(file);
	return !heaps;
}

/* The same heaps, with nothing but the want of memory to have them collected */
FIXTURE(pressure) {
};

FIXTURE_SETUP(pressure)
{
	set_idle(0);
	/* Or there would be more memory than was available. */
	ASSERT_TRUE(comes_true(no_heap_is_left, NULL));
}

FIXTURE_TEARDOWN(pressure)
{
	set_idle(2000);
	must(write_to(AT_HAND, "0"));
	give_memory_back();
	EXPECT_TRUE(group_remove());
}

/**
 * struct meeting - where the owner of garbage and somebody else meet
 * @ready: the garbage is there, or what is to be
 * @dropped: what was to be garbage is
 * @given: the garbage has gone, or a part of it
 * @over: the other one has its memory, or is dead
 */
struct meeting {
	_Atomic bool ready;
	_Atomic bool dropped;
	_Atomic bool given;
	_Atomic bool over;
};

/**
 * struct wish - how much memory somebody else wants
 * @bytes: at least
 * @meeting: and more, until something has been given back for it; or NULL
 *
 * What is available is a guess: there may be more.
 */
struct wish {
	size_t bytes;
	const struct meeting *meeting;
};

/* No more than MORE times what is wanted at least */
#define MORE		4

/* Who would tell that something was given back gets the time to do so, now and then. */
static bool is_fulfilled(const struct wish *wish, size_t bytes)
{
	if (bytes < wish->bytes)
		return false;
	if (!wish->meeting || wish->meeting->given)
		return true;
	if (!(bytes % (64 * KIB)))
		usleep(1000);
	return wish->meeting->given;
}

static void touch(const struct wish *wish)
{
	char *memory = mmap(NULL, MORE * wish->bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t offset;

	must(memory != MAP_FAILED);
	for (offset = 0; !is_fulfilled(wish, offset); offset += 4096) {
		must(offset < MORE * wish->bytes);
		memory[offset] = 1;
	}
}

/* The heap gets smaller than it was, and works on. */
static __attribute__((noreturn)) void await_taking(struct meeting *meeting, struct gcheap *heap,
						   size_t bytes)
{
	while (!meeting->over) {
		if (stats_of(heap).heap_sys < bytes)
			meeting->given = true;
		usleep(1000);
	}
	must(stats_of(heap).heap_sys < bytes);
	must(gcheap_alloc(heap, 1000));
	_exit(KSFT_PASS);
}

/* A child, in the container or not */
static pid_t fork_grouped(bool grouped)
{
	pid_t pid = fork_child();

	if (!pid && grouped)
		group_enter();
	return pid;
}

static pid_t start_owner(struct meeting *meeting, size_t bytes, bool grouped)
{
	pid_t pid = fork_grouped(grouped);
	struct gcheap *heap;

	if (pid)
		return pid;
	heap = heap_with_garbage(bytes);
	must(stats_of(heap).heap_sys >= bytes);
	meeting->ready = true;
	await_taking(meeting, heap, bytes);
}

/* All lives when it is collected for want of memory, and is dropped after that. */
static pid_t start_late_owner(struct meeting *meeting, size_t bytes, bool grouped)
{
	struct gcheap_options options = { .percent = 100000 };
	struct peak peak = { .bytes = bytes };
	pid_t pid = fork_grouped(grouped);
	uint64_t num_gc;

	if (pid)
		return pid;
	peak.heap = gcheap_open(&options);
	must(peak.heap);
	in_thread(keep_peak, &peak);
	num_gc = stats_of(peak.heap).num_gc;
	meeting->ready = true;
	while (stats_of(peak.heap).num_gc == num_gc)
		usleep(1000);
	must(stats_of(peak.heap).heap_alloc >= bytes);
	kept = NULL;
	meeting->dropped = true;
	await_taking(meeting, peak.heap, bytes);
}

/*
 * Somebody else's wish for memory in a heap of his own.  All of it lives; verify would
 * look at each word of it in each collection, were there any to be found in there.
 */
static void fill_heap(const struct wish *wish)
{
	struct gcheap *heap = gcheap_open(NULL);
	size_t nr = MORE * wish->bytes / (64 * KIB), i;
	char **volatile table;

	must(heap);
	table = gcheap_alloc(heap, nr * sizeof(*table));
	must(table);
	for (i = 0; !is_fulfilled(wish, i * 64 * KIB); i++) {
		must(i < nr);
		table[i] = gcheap_alloc_noscan(heap, 64 * KIB);
		must(table[i]);
	}
}

static pid_t start_other(void (*want)(const struct wish *wish), size_t bytes,
			 const struct meeting *meeting, bool grouped)
{
	pid_t pid = fork_grouped(grouped);

	if (pid)
		return pid;
	want(&(struct wish){ .bytes = bytes, .meeting = meeting });
	_exit(KSFT_PASS);
}

static void have_them_meet(struct __test_metadata *_metadata, size_t garbage,
			   void (*want)(const struct wish *wish), size_t wish, bool grouped)
{
	struct meeting *meeting = shared_page();
	pid_t owner = start_owner(meeting, garbage, grouped);

	while (!meeting->ready)
		usleep(1000);
	EXPECT_TRUE(child_succeeded(start_other(want, wish, meeting, grouped)));
	meeting->over = true;
	EXPECT_TRUE(child_succeeded(owner));
}

/* What is garbage was looked at before, and was not yet: nothing is allocated since. */
static void have_them_meet_late(struct __test_metadata *_metadata, size_t garbage,
				void (*want)(const struct wish *wish), size_t wish, bool grouped)
{
	struct meeting *meeting = shared_page();
	pid_t owner = start_late_owner(meeting, garbage, grouped);

	while (!meeting->ready)
		usleep(1000);
	while (!meeting->dropped)
		must(write_to("/proc/sys/vm/drop_caches", "2"));
	EXPECT_TRUE(child_succeeded(start_other(want, wish, meeting, grouped)));
	meeting->over = true;
	EXPECT_TRUE(child_succeeded(owner));
}

static void with_mapping(void (*what)(void *start, size_t size))
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned long start = 0, end = 0;
	char line[256];

	must(file);
	/* That of the statistics has another offset. */
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "/dev/gcheap") && strstr(line, " 00000000 "))
			must(sscanf(line, "%lx-%lx", &start, &end) == 2);
	fclose(file);
	must(start);
	what((void *)start, end - start);
}

/* Takes a heap out of the calling process's page tables; what is in it stays. */
static void drop(void *start, size_t size)
{
	must(!madvise(start, size, MADV_DONTNEED));
}

static void unmap(void *start, size_t size)
{
	must(!munmap(start, size));
}

/* A member that does not map the heap */
static void start_decoy(void)
{
	int ends[2];
	pid_t pid;

	socket_pair(ends);
	pid = fork_child();
	if (pid) {
		hear(ends[0]);
		return;
	}
	with_mapping(unmap);
	say(ends[1]);
	for (;;)
		pause();
}

static pid_t start_hiding(struct meeting *meeting, size_t bytes)
{
	size_t nr = bytes / sizeof(struct piece), i;
	struct piece **volatile table;
	pid_t pid = fork_child();
	struct gcheap *heap;

	if (pid)
		return pid;
	group_enter();
	heap = gcheap_open(NULL);
	must(heap);
	set_idle(200);
	table = gcheap_alloc(heap, nr * sizeof(*table));
	must(table);
	for (i = 0; i < nr; i++) {
		table[i] = gcheap_alloc_noscan(heap, sizeof(struct piece));
		must(table[i]);
	}
	/* Then there is no garbage to look for. */
	while (!stats_of(heap).num_gc)
		usleep(1000);
	set_idle(0);
	start_decoy();
	with_mapping(drop);
	meeting->ready = true;
	while (!meeting->over)
		usleep(1000);
	_exit(KSFT_PASS);
}

/*
 * Who has most is killed when there is no more, not who seems to have most.  While that
 * one's memory is being freed the kernel may look for another one.
 */
TEST_F(pressure, that_cannot_be_helped_kills_who_hides_memory)
{
	struct meeting *meeting = shared_page();
	pid_t hiding;
	int status;

	if (!group_make("memory.max", some(128 * MIB)))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	hiding = start_hiding(meeting, some(75 * MIB));
	while (!meeting->ready)
		usleep(1000);
	await_child(start_other(touch, some(65 * MIB), NULL, true));
	meeting->over = true;
	status = await_child(hiding);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

TEST_F(pressure, of_a_sibling_in_the_container_gets_garbage_back)
{
	if (!group_make("memory.max", some(128 * MIB)))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	have_them_meet(_metadata, some(75 * MIB), touch, some(75 * MIB), true);
}

TEST_F(pressure, of_a_heap_in_the_container_gets_garbage_back)
{
	if (!group_make("memory.max", some(128 * MIB)))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	have_them_meet(_metadata, some(75 * MIB), fill_heap, some(75 * MIB), true);
}

TEST_F(pressure, of_a_sibling_gets_back_what_lived_at_the_last_shortage)
{
	if (!group_make("memory.max", some(128 * MIB)))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	have_them_meet_late(_metadata, some(75 * MIB), touch, some(75 * MIB), true);
}

TEST_F(pressure, of_a_heap_gets_back_what_lived_at_the_last_shortage)
{
	if (!group_make("memory.max", some(128 * MIB)))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	have_them_meet_late(_metadata, some(75 * MIB), fill_heap, some(75 * MIB), true);
}

/* Of a heap that the program has just collected itself: there is no garbage. */
TEST_F(pressure, takes_pages_between_survivors)
{
	struct peak peak = { .heap = open_manual(0), .bytes = some(64 * MIB) };

	ASSERT_NE(NULL, peak.heap);
	in_thread(have_survivors, &peak);
	ASSERT_EQ(0, gcheap_collect(peak.heap));
	ASSERT_LE(some(32 * MIB), stats_of(peak.heap).heap_sys);
	while (stats_of(peak.heap).heap_sys > 8 * MIB)
		must(write_to("/proc/sys/vm/drop_caches", "2"));
	EXPECT_TRUE(survivors_are_whole());
	gcheap_close(peak.heap);
}

/* Garbage makes way for what comes next, before the cgroup slows its owner down. */
static void churn_slowed_down(void)
{
	static struct piece *volatile ring[2048];
	struct gcheap *heap;
	long i;

	group_enter();
	heap = gcheap_open(NULL);
	must(heap);
	for (i = 0; i < scaled(64 * 1024); i++) {
		struct piece *piece = gcheap_alloc(heap, sizeof(*piece));

		must(piece);
		ring[i % 2048] = piece;
		must(ring[0]);
	}
	_exit(KSFT_PASS);
}

/* The heap is collected before it grows that far. */
TEST_F(pressure, of_a_cgroup_that_slows_down_is_heard_in_time)
{
	pid_t pid;

	if (!group_make("memory.high", 18 * MIB))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	pid = fork_child();
	if (!pid)
		churn_slowed_down();
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(0, group_events("high"));
}

/* Who wants memory has the garbage himself, in a heap that he does not allocate from now. */
static pid_t start_with_own_garbage(size_t garbage, size_t wish, bool grouped)
{
	pid_t pid = fork_grouped(grouped);
	struct gcheap *heap;

	if (pid)
		return pid;
	heap = heap_with_garbage(garbage);
	must(stats_of(heap).heap_sys >= garbage);
	touch(&(struct wish){ .bytes = wish });
	must(gcheap_alloc(heap, 1000));
	_exit(KSFT_PASS);
}

TEST_F(pressure, of_a_process_in_the_container_gets_its_own_garbage_back)
{
	if (!group_make("memory.max", some(128 * MIB)))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	EXPECT_TRUE(child_succeeded(start_with_own_garbage(some(75 * MIB), some(75 * MIB), true)));
}

/* So many threads of one process that want memory at the same time, page by page */
#define TOUCHERS	12

static void *touch_part(void *part)
{
	const struct iovec *memory = part;
	size_t offset;

	for (offset = 0; offset < memory->iov_len; offset += 4096)
		((volatile char *)memory->iov_base)[offset] = 1;
	return NULL;
}

static void touch_together(size_t bytes)
{
	struct iovec parts[TOUCHERS];
	pthread_t threads[TOUCHERS];
	size_t part = bytes / TOUCHERS / 4096 * 4096;
	char *memory = mmap(NULL, part * TOUCHERS, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int i;

	must(memory != MAP_FAILED);
	must(!madvise(memory, part * TOUCHERS, MADV_NOHUGEPAGE));
	for (i = 0; i < TOUCHERS; i++) {
		parts[i] = (struct iovec){ memory + i * part, part };
		must(!pthread_create(&threads[i], NULL, touch_part, &parts[i]));
	}
	for (i = 0; i < TOUCHERS; i++)
		must(!pthread_join(threads[i], NULL));
}

TEST_F(pressure, of_all_threads_of_a_process_gets_its_own_garbage_back)
{
	pid_t pid;

	if (!group_make("memory.max", some(128 * MIB)))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	pid = fork_grouped(true);
	if (!pid) {
		struct gcheap *heap = heap_with_garbage(some(75 * MIB));

		touch_together(some(75 * MIB));
		must(gcheap_alloc(heap, 1000));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

TEST_F(pressure, of_a_process_on_the_machine_gets_its_own_garbage_back)
{
	size_t all;

	leave_memory(some(320 * MIB));
	all = available_memory();
	EXPECT_TRUE(child_succeeded(start_with_own_garbage(all / 4 * 3, all / 4 * 3, false)));
}

TEST_F(pressure, of_the_machine_gets_garbage_back)
{
	size_t all;

	leave_memory(some(320 * MIB));
	all = available_memory();
	have_them_meet(_metadata, all / 4 * 3, touch, all / 4 * 3, false);
}

TEST_F(pressure, of_a_heap_on_the_machine_gets_garbage_back)
{
	size_t all;

	leave_memory(some(320 * MIB));
	all = available_memory();
	have_them_meet(_metadata, all / 4 * 3, fill_heap, all / 4 * 3, false);
}

/* All processors together, which the kernel lets have no more than an eighth */
static void keep_at_hand(size_t bytes)
{
	size_t all = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), part = all / bytes;
	char text[32];

	snprintf(text, sizeof(text), "%zu", part > 8 ? part : 8);
	must(write_to(AT_HAND, text));
}

/* Then up to half of what is given back is no memory that anybody counts with. */
TEST_F(pressure, of_a_heap_does_not_end_where_processors_keep_memory_at_hand)
{
	size_t all;

	leave_memory(some(320 * MIB));
	all = available_memory();
	keep_at_hand(all / 8 * 3);
	have_them_meet(_metadata, all / 4 * 3, fill_heap, all / 2, false);
}

TEST_F(pressure, of_the_machine_gets_back_what_lived_at_the_last_shortage)
{
	size_t all;

	leave_memory(some(320 * MIB));
	all = available_memory();
	have_them_meet_late(_metadata, all / 4 * 3, touch, all / 4 * 3, false);
}

static void want_beside_garbage(size_t all)
{
	struct gcheap *other = heap_with_garbage(all / 4 * 3);

	must(stats_of(other).heap_sys >= all / 4 * 3);
	fill_heap(&(struct wish){ .bytes = all / 4 * 3 });
	_exit(KSFT_PASS);
}

TEST_F(pressure, of_another_heap_of_the_process_gets_garbage_back)
{
	pid_t pid;

	leave_memory(some(320 * MIB));
	pid = fork_child();
	if (!pid)
		want_beside_garbage(available_memory());
	EXPECT_TRUE(child_succeeded(pid));
}

TEST_HARNESS_MAIN
