// SPDX-License-Identifier: GPL-2.0
/*
 * Those who are held while a collection takes long: they can be frozen, so that
 * the system may suspend, and so can the collector, and who waits for it; and the
 * collector has the priority, or niceness, of those it holds.
 *
 * A collection takes long as pages of a hand-made root are not there, and nobody
 * brings them (userfaultfd), or the test does, one after another.  The test itself
 * is no member, and looks on.
 */
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common.h"

#define PAGE		4096
#define PAGES		4096
#define FREEZER		"/tmp/freezer"
#define CGROUP		FREEZER "/held"

/*
 * A collector, and another member, which spins; or who has a descriptor of the heap,
 * and wants something of it once the collector is at its pages.
 */
struct scene {
	void (*prepare)(void);
	int nice;
	uid_t uid;
	pid_t spinner;
	pid_t collector;
	int heap;
	int uffd;
	_Atomic bool ready;
	_Atomic bool collecting;
	_Atomic bool asking;
	_Atomic bool done;
};

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

/* Pages that are in their file and in no page table, until somebody sees to it. */
static void *pages_that_do_not_come(size_t bytes, int *uffd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM };
	struct uffdio_register range = {
		.range.len = bytes, .mode = UFFDIO_REGISTER_MODE_MINOR,
	};
	int memory = memfd_create("pages", MFD_CLOEXEC);
	char *pages;

	*uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	must(memory >= 0 && *uffd >= 0 && !ftruncate(memory, bytes));
	pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	must(pages != MAP_FAILED);
	memset(pages, 1, bytes);
	must(!madvise(pages, bytes, MADV_DONTNEED));
	must(!ioctl(*uffd, UFFDIO_API, &api));
	range.range.start = (uintptr_t)pages;
	must(!ioctl(*uffd, UFFDIO_REGISTER, &range));
	return pages;
}

static void spin(struct scene *scene)
{
	scene->prepare();
	scene->ready = true;
	for (;;)
		asm volatile("pause");
}

static void collect_long(struct scene *scene)
{
	struct gcheap_options options = { .percent = -1 };
	struct gcheap *heap = gcheap_open(&options);
	pid_t spinner;

	must(heap);
	must(!setpriority(PRIO_PROCESS, 0, scene->nice));
	must(!gcheap_root_add(heap, pages_that_do_not_come(PAGE, &scene->uffd), PAGE));
	spinner = fork_child();
	if (!spinner)
		spin(scene);
	scene->spinner = spinner;
	while (!scene->ready)
		sched_yield();
	if (scene->uid)
		must(!setresuid(scene->uid, scene->uid, scene->uid));
	scene->collecting = true;
	must(gcheap_collect(heap) && errno == EAGAIN);
	must(getpriority(PRIO_PROCESS, 0) == scene->nice);
	scene->done = true;
	kill(spinner, SIGKILL);
	_exit(KSFT_PASS);
}

/* A field behind the name in /proc/PID/stat: the third is the first of those. */
static long stat_field(pid_t pid, int field)
{
	char path[64], text[1024], *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	must(file && fgets(text, sizeof(text), file));
	fclose(file);
	at = strrchr(text, ')') + 2;
	for (; field > 3; field--)
		at = strchr(at, ' ') + 1;
	return *at >= 'A' ? *at : strtol(at, NULL, 10);
}

static void await_parked(struct scene *scene)
{
	while (!scene->collecting)
		sched_yield();
	while (stat_field(scene->spinner, 3) != 'D' && !scene->done)
		sched_yield();
}

/* By the time that it returns the other member is held. */
static pid_t start_collecting(struct scene *scene)
{
	pid_t collector = fork_child();

	if (!collector)
		collect_long(scene);
	await_parked(scene);
	return collector;
}

static struct scene *new_scene(void (*prepare)(void))
{
	struct scene *scene = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(scene != MAP_FAILED);
	scene->prepare = prepare;
	return scene;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static bool is_frozen(void)
{
	int fd = open(CGROUP "/freezer.state", O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	must(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return !strncmp(text, "FROZEN", 6);
}

static void join_cgroup(void)
{
	put(CGROUP "/cgroup.procs", "0");
}

static bool mount_freezer(void)
{
	mkdir(FREEZER, 0700);
	if (mount("freezer", FREEZER, "cgroup", 0, "freezer"))
		return false;
	must(!mkdir(CGROUP, 0700));
	return true;
}

static void unmount_freezer(void)
{
	while (rmdir(CGROUP) && errno == EBUSY)
		sched_yield();
	umount(FREEZER);
}

TEST(who_is_held_can_be_frozen)
{
	struct scene *scene = new_scene(join_cgroup);
	bool frozen, in_time;
	pid_t collector;

	if (!mount_freezer())
		SKIP(return, "no freezer of the first kind");
	collector = start_collecting(scene);
	put(CGROUP "/freezer.state", "FROZEN");
	do {
		frozen = is_frozen();
		in_time = !scene->done;
	} while (!frozen && in_time);
	put(CGROUP "/freezer.state", "THAWED");
	EXPECT_TRUE(frozen && in_time);
	EXPECT_EQ(KSFT_PASS, await_child(collector));
	unmount_freezer();
}

static void collect_until_frozen(struct scene *scene)
{
	struct gcheap_options options = { .percent = -1 };
	struct gcheap *heap = gcheap_open(&options);
	void *pages = pages_that_do_not_come(PAGES * PAGE, &scene->uffd);

	must(heap);
	must(!gcheap_root_add(heap, pages, PAGES * PAGE));
	scene->heap = gcheap_fd(heap);
	join_cgroup();
	scene->collecting = true;
	must(gcheap_collect(heap) && errno == EAGAIN);
	_exit(KSFT_PASS);
}

static int descriptor_of(pid_t pid, int fd)
{
	int process = syscall(SYS_pidfd_open, pid, 0);
	int copy = syscall(SYS_pidfd_getfd, process, fd, 0);

	must(copy >= 0);
	close(process);
	return copy;
}

static void ask_collector(struct scene *scene)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };
	int heap = descriptor_of(scene->collector, scene->heap);

	join_cgroup();
	while (!scene->asking)
		sched_yield();
	must(!ioctl(heap, GCHEAP_IOC_STATS, &stats));
	_exit(KSFT_PASS);
}

/* Bring the page that the collector waits for, if it does. */
static bool bring_page(int uffd)
{
	struct uffdio_continue page = { .range.len = PAGE };
	struct uffd_msg event;

	if (read(uffd, &event, sizeof(event)) != sizeof(event))
		return false;
	page.range.start = event.arg.pagefault.address & -PAGE;
	return !ioctl(uffd, UFFDIO_CONTINUE, &page);
}

TEST(the_collector_and_who_waits_for_it_can_be_frozen)
{
	struct scene *scene = new_scene(NULL);
	pid_t collector, waiter;
	int uffd;

	if (!mount_freezer())
		SKIP(return, "no freezer of the first kind");
	collector = fork_child();
	if (!collector)
		collect_until_frozen(scene);
	scene->collector = collector;
	while (!scene->collecting)
		sched_yield();
	waiter = fork_child();
	if (!waiter)
		ask_collector(scene);
	uffd = descriptor_of(collector, scene->uffd);
	while (!bring_page(uffd))
		sched_yield();
	scene->asking = true;
	while (stat_field(waiter, 3) != 'D')
		bring_page(uffd);
	put(CGROUP "/freezer.state", "FROZEN");
	while (!is_frozen())
		bring_page(uffd);
	put(CGROUP "/freezer.state", "THAWED");
	EXPECT_EQ(KSFT_PASS, await_child(collector));
	EXPECT_EQ(KSFT_PASS, await_child(waiter));
	unmount_freezer();
}

static void be_urgent(void)
{
	struct sched_param param = { .sched_priority = 50 };

	run_on(1);
	must(!sched_setscheduler(0, SCHED_FIFO, &param));
}

TEST(the_collector_has_the_priority_of_who_is_held)
{
	struct scene *scene = new_scene(be_urgent);
	pid_t collector;
	long priority = 0;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one processor");
	run_on(0);
	scene->nice = 19;
	collector = start_collecting(scene);
	while (priority != -51 && !scene->done)
		priority = stat_field(collector, 18);
	EXPECT_EQ(-51, priority);
	EXPECT_EQ(KSFT_PASS, await_child(collector));
}

static void be_hasty(void)
{
	must(!setpriority(PRIO_PROCESS, 0, -3));
}

TEST(the_collector_is_no_nicer_than_who_is_held)
{
	struct scene *scene = new_scene(be_hasty);
	pid_t collector;
	long nice = 19;

	scene->nice = 19;
	collector = start_collecting(scene);
	while (nice != -3 && !scene->done)
		nice = stat_field(collector, 19);
	EXPECT_EQ(-3, nice);
	EXPECT_EQ(KSFT_PASS, await_child(collector));
}

/* What the administrator has given a member is not to be had by being held by it. */
TEST(the_collector_gets_no_priority_that_its_user_must_not_have)
{
	struct scene *scene = new_scene(be_hasty);
	long nice = 19, least = 19;
	pid_t collector;

	scene->nice = 19;
	scene->uid = 4321;
	collector = start_collecting(scene);
	while (!scene->done) {
		nice = stat_field(collector, 19);
		if (nice < least)
			least = nice;
	}
	EXPECT_EQ(0, least);
	EXPECT_EQ(KSFT_PASS, await_child(collector));
	/* Its parent may not. */
	EXPECT_EQ(0, kill(scene->spinner, SIGKILL));
}

TEST_HARNESS_MAIN
