// SPDX-License-Identifier: GPL-2.0
/*
 * What may be watched of a heap: each event comes when it should, and its numbers are those
 * that the heap tells of itself.
 *
 * All is read in an instance of tracefs of this test's own, where no other events are.
 */
#include <linux/userfaultfd.h>
#include <sys/mman.h>

#include "events.h"
#include "fdinfo.h"
#include "group.h"

#define HEAP_SIZE	(64 * MIB)
#define PAGE		4096

FIXTURE(events) {
	struct watched watched;
	struct gcheap *heap;
	long id;
};

FIXTURE_SETUP(events)
{
	if (!watch_begin(&self->watched, ""))
		SKIP(return, "a kernel without CONFIG_EVENT_TRACING, or no tracefs");
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
	self->id = value_now(self->heap, "id");
}

FIXTURE_TEARDOWN(events)
{
	gcheap_close(self->heap);
	EXPECT_TRUE(watch_end(&self->watched));
}

static void look(FIXTURE_DATA(events) *self)
{
	watch_look(&self->watched);
}

static const char *last_event(FIXTURE_DATA(events) *self, const char *name)
{
	return last_event_of(&self->watched, name, self->id);
}

static bool is_word(const char *event, const char *key, const char *word)
{
	return !strncmp(word_of(event, key), word, strlen(word));
}

static struct gcheap_cycle last_cycle(struct gcheap *heap)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_STATS, &stats));
	return stats.cycle;
}

#define EXPECT_SAME(event, cycle, field)				\
	EXPECT_EQ((long)(cycle).field, number_of(event, #field))

TEST_F(events, a_collection_is_told_as_the_statistics_have_it)
{
	struct gcheap_cycle cycle;
	const char *event;

	collect(self->heap);
	cycle = last_cycle(self->heap);
	look(self);
	event = last_event(self, "cycle_begin");
	ASSERT_NE(NULL, event);
	EXPECT_SAME(event, cycle, number);
	EXPECT_SAME(event, cycle, before);
	EXPECT_SAME(event, cycle, forced);
	EXPECT_SAME(event, cycle, minor);
	event = last_event(self, "cycle_end");
	ASSERT_NE(NULL, event);
	EXPECT_SAME(event, cycle, number);
	EXPECT_SAME(event, cycle, start_ns);
	EXPECT_SAME(event, cycle, stop_ns);
	EXPECT_SAME(event, cycle, mark_ns);
	EXPECT_SAME(event, cycle, sweep_ns);
	EXPECT_SAME(event, cycle, pause_ns);
	EXPECT_SAME(event, cycle, before);
	EXPECT_SAME(event, cycle, after);
	EXPECT_SAME(event, cycle, live);
	EXPECT_SAME(event, cycle, root_bytes);
	EXPECT_SAME(event, cycle, root_skipped);
	EXPECT_SAME(event, cycle, roots_ns);
	EXPECT_SAME(event, cycle, dirty_ns);
	EXPECT_SAME(event, cycle, flip_ns);
	EXPECT_SAME(event, cycle, concurrent_ns);
	EXPECT_SAME(event, cycle, dirty_pages);
	EXPECT_SAME(event, cycle, floating);
	EXPECT_SAME(event, cycle, threads);
	EXPECT_SAME(event, cycle, processes);
	EXPECT_SAME(event, cycle, forced);
	EXPECT_SAME(event, cycle, pauses);
	EXPECT_SAME(event, cycle, looks);
	EXPECT_SAME(event, cycle, assists);
	EXPECT_SAME(event, cycle, minor);
	EXPECT_EQ(1, number_of(event, "forced"));
}

TEST_F(events, a_pause_is_told_by_its_parts)
{
	struct gcheap_cycle cycle;
	const char *stop, *roots, *pause;

	collect(self->heap);
	cycle = last_cycle(self->heap);
	look(self);
	stop = last_event(self, "stop");
	roots = last_event(self, "roots");
	pause = last_event(self, "pause");
	ASSERT_NE(NULL, stop);
	ASSERT_NE(NULL, roots);
	ASSERT_NE(NULL, pause);
	EXPECT_TRUE(stop < roots && roots < pause && pause < last_event(self, "cycle_end"));
	EXPECT_EQ(1, number_of(stop, "processes"));
	EXPECT_LE(1, number_of(stop, "threads"));
	EXPECT_EQ(0, number_of(stop, "err"));
	EXPECT_GE((long)cycle.stop_ns, number_of(stop, "ns"));
	EXPECT_EQ((long)cycle.root_bytes, number_of(roots, "bytes"));
	EXPECT_EQ((long)cycle.root_skipped, number_of(roots, "skipped"));
	EXPECT_EQ((long)cycle.roots_ns, number_of(roots, "ns"));
	EXPECT_EQ((long)cycle.threads, number_of(roots, "threads"));
	EXPECT_EQ(1, number_of(roots, "processes"));
	EXPECT_SAME(pause, cycle, pause_ns);
	EXPECT_SAME(pause, cycle, stop_ns);
	EXPECT_SAME(pause, cycle, mark_ns);
	EXPECT_SAME(pause, cycle, flip_ns);
	EXPECT_EQ(0, number_of(pause, "err"));
}

static _Atomic bool stop;
static _Atomic long laps;

static void *run_spinner(void *arg)
{
	_Atomic long *count = arg;

	while (!stop)
		++*count;
	return NULL;
}

TEST_F(events, the_last_who_was_parked_tells_that_it_runs_on)
{
	pthread_t thread;
	const char *event = NULL;

	ASSERT_EQ(0, pthread_create(&thread, NULL, run_spinner, &laps));
	while (!laps)
		sched_yield();
	/* It is in user mode some time, and then parked. */
	while (!event) {
		collect(self->heap);
		look(self);
		event = last_event(self, "release");
	}
	EXPECT_LT(0, number_of(event, "ns"));
	stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

apart void allocate(void *heap)
{
	long i;

	for (i = 0; i < 8000; i++)
		must(gcheap_alloc_noscan(heap, 1000));
}

static long sum_of(FIXTURE_DATA(events) *self, const char *name, const char *key)
{
	const char *event = self->watched.text;
	long sum = 0;

	while ((event = next_event(event, name, self->id)))
		sum += number_of(event, key);
	return sum;
}

TEST_F(events, slabs_go_to_threads)
{
	const char *event;
	long got = 0;

	in_thread(allocate, self->heap);
	look(self);
	for (event = self->watched.text; (event = next_event(event, "refill", self->id));) {
		if (number_of(event, "object_size") != 1024)
			continue;
		EXPECT_EQ(1, number_of(event, "noscan"));
		EXPECT_EQ(0, number_of(event, "err"));
		EXPECT_LE(1, number_of(event, "got"));
		EXPECT_GE(number_of(event, "want"), number_of(event, "got"));
		got += number_of(event, "got");
	}
	EXPECT_LE(10, got);
}

/* Each page is told of when it comes and when it goes. */
TEST_F(events, what_is_taken_and_given_back_is_what_there_is)
{
	const char *grow, *give_back;

	in_thread(allocate, self->heap);
	look(self);
	grow = last_event(self, "grow");
	ASSERT_NE(NULL, grow);
	EXPECT_EQ(value_now(self->heap, "resident") / PAGE, number_of(grow, "backed"));
	ASSERT_EQ(0, gcheap_release(self->heap));
	look(self);
	give_back = last_event(self, "give_back");
	ASSERT_NE(NULL, give_back);
	EXPECT_EQ(value_now(self->heap, "resident") / PAGE, number_of(give_back, "backed"));
	EXPECT_LE(1500, sum_of(self, "give_back", "pages"));
	EXPECT_EQ(value_now(self->heap, "resident") / PAGE,
		  sum_of(self, "grow", "pages") - sum_of(self, "give_back", "pages"));
}

TEST_F(events, a_call_that_gets_no_memory_is_told)
{
	const char *event;

	EXPECT_EQ(NULL, gcheap_alloc(self->heap, 2 * HEAP_SIZE));
	look(self);
	event = last_event(self, "enomem");
	ASSERT_NE(NULL, event);
	EXPECT_TRUE(is_word(event, "call", "ALLOC "));
	EXPECT_EQ(HEAP_SIZE, number_of(event, "size"));
	EXPECT_EQ(0, number_of(event, "limit"));
	EXPECT_EQ(value_now(self->heap, "resident") / PAGE, number_of(event, "backed"));
}

/* More than the cgroup may have */
static void *volatile kept[HEAP_SIZE / (MIB / 2)];

static void run_in_group(int sock)
{
	struct gcheap *heap;
	size_t nr = 0;
	long id;

	group_enter();
	heap = open_manual(HEAP_SIZE);
	must(heap);
	id = value_now(heap, "id");
	must(write(sock, &id, sizeof(id)) == sizeof(id));
	while ((kept[nr] = gcheap_alloc_noscan(heap, MIB / 2)))
		must(++nr < ARRAY_SIZE(kept));
	must(errno == ENOMEM);
	_exit(KSFT_PASS);
}

TEST_F(events, a_cgroup_that_refuses_memory_is_told)
{
	const char *event;
	int socks[2];
	pid_t pid;

	if (!group_make("memory.max", 24 * MIB))
		SKIP(return, "no memory cgroups");
	socket_pair(socks);
	pid = fork_child();
	if (!pid)
		run_in_group(socks[1]);
	ASSERT_EQ(sizeof(self->id), read(socks[0], &self->id, sizeof(self->id)));
	EXPECT_TRUE(child_succeeded(pid));
	look(self);
	event = last_event(self, "refused");
	ASSERT_NE(NULL, event);
	EXPECT_EQ(0, number_of(event, "machine"));
	EXPECT_GE(24 * MIB / PAGE, number_of(event, "backed"));
	EXPECT_NE(NULL, last_event(self, "enomem"));
	EXPECT_TRUE(group_remove());
}

/* A page of a file in memory that is in no page table yet */
static char *map_file(void)
{
	int fd = memfd_create("gcheap-test", MFD_CLOEXEC);
	char *page;

	must(fd >= 0);
	must(!ftruncate(fd, PAGE) && pwrite(fd, "", 1, 0) == 1);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(page != MAP_FAILED);
	close(fd);
	return page;
}

TEST_F(events, who_has_a_page_that_is_waited_for_is_told)
{
	char *page = map_file();
	const char *event;

	ASSERT_EQ(0, gcheap_root_add(self->heap, page, PAGE));
	collect(self->heap);
	look(self);
	for (event = self->watched.text; (event = next_event(event, "late", self->id));)
		if (is_word(event, "reason", "page "))
			break;
	ASSERT_NE(NULL, event);
	EXPECT_EQ(getpid(), number_of(event, "pid"));
	EXPECT_TRUE(is_word(event, "comm", "test_tracepoint\n"));
	EXPECT_LT(0, number_of(event, "ns"));
}

static int fault_descriptor(char *page)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MINOR,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	must(fd >= 0);
	must(!ioctl(fd, UFFDIO_API, &api));
	must(!ioctl(fd, UFFDIO_REGISTER, &range));
	return fd;
}

/* Collects, and waits for a page that does not come. */
static void run_waiter(int sock)
{
	char *page = map_file();
	struct gcheap *heap = open_manual(HEAP_SIZE);
	long id;

	must(heap);
	id = value_now(heap, "id");
	must(write(sock, &id, sizeof(id)) == sizeof(id));
	send_fd(sock, fault_descriptor(page));
	must(!gcheap_root_add(heap, page, PAGE));
	gcheap_collect(heap);
	_exit(KSFT_FAIL);
}

TEST_F(events, a_collection_that_is_given_up_is_told)
{
	struct uffd_msg message;
	const char *event;
	int socks[2], uffd;
	pid_t pid;

	socket_pair(socks);
	pid = fork_child();
	if (!pid)
		run_waiter(socks[1]);
	ASSERT_EQ(sizeof(self->id), read(socks[0], &self->id, sizeof(self->id)));
	uffd = receive_fd(socks[0]);
	ASSERT_EQ(sizeof(message), read(uffd, &message, sizeof(message)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	await_child(pid);
	close(uffd);
	look(self);
	event = last_event(self, "cycle_lost");
	ASSERT_NE(NULL, event);
	EXPECT_EQ(1, number_of(event, "number"));
	EXPECT_EQ(-EINTR, number_of(event, "err"));
	EXPECT_EQ(NULL, last_event(self, "cycle_end"));
}

/* No address, be it the kernel's or the program's */
TEST_F(events, no_event_has_an_address)
{
	char base[32];

	snprintf(base, sizeof(base), "%lx", (long)value_now(self->heap, "base") >> 24);
	in_thread(allocate, self->heap);
	collect(self->heap);
	look(self);
	EXPECT_NE(NULL, last_event(self, "cycle_end"));
	EXPECT_EQ(NULL, strstr(self->watched.text, "ffff8"));
	EXPECT_EQ(NULL, strstr(self->watched.text, "0x"));
	EXPECT_EQ(NULL, strstr(self->watched.text, base));
}

TEST_HARNESS_MAIN
