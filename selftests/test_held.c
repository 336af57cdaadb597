// SPDX-License-Identifier: GPL-2.0
/*
 * Those who are held while a collection takes long: they can be frozen, so that
 * the system may suspend; and the collector has their priority, when that is a
 * realtime one.
 *
 * A collection takes long as a page of a hand-made root is not there, and nobody
 * brings it (userfaultfd).  The test itself is no member, and looks on.
 */
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common.h"

#define PAGE		4096
#define FREEZER		"/tmp/freezer"
#define CGROUP		FREEZER "/held"

/* A collector, and another member, which spins. */
struct scene {
	void (*prepare)(void);
	pid_t spinner;
	_Atomic bool ready;
	_Atomic bool collecting;
	_Atomic bool done;
};

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

/* A page that is in its file and in no page table, and stays so. */
static void *page_that_does_not_come(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM };
	struct uffdio_register range = {
		.range.len = PAGE, .mode = UFFDIO_REGISTER_MODE_MINOR,
	};
	int memory = memfd_create("page", MFD_CLOEXEC);
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	char *page;

	must(memory >= 0 && uffd >= 0 && !ftruncate(memory, PAGE));
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	must(page != MAP_FAILED);
	page[0] = 1;
	must(!madvise(page, PAGE, MADV_DONTNEED));
	must(!ioctl(uffd, UFFDIO_API, &api));
	range.range.start = (uintptr_t)page;
	must(!ioctl(uffd, UFFDIO_REGISTER, &range));
	return page;
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
	must(!gcheap_root_add(heap, page_that_does_not_come(), PAGE));
	spinner = fork_child();
	if (!spinner)
		spin(scene);
	scene->spinner = spinner;
	while (!scene->ready)
		sched_yield();
	scene->collecting = true;
	must(gcheap_collect(heap) && errno == EAGAIN);
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

TEST(who_is_held_can_be_frozen)
{
	struct scene *scene = new_scene(join_cgroup);
	bool frozen, in_time;
	pid_t collector;

	mkdir(FREEZER, 0700);
	if (mount("freezer", FREEZER, "cgroup", 0, "freezer"))
		SKIP(return, "no freezer of the first kind");
	must(!mkdir(CGROUP, 0700));
	collector = fork_child();
	if (!collector)
		collect_long(scene);
	await_parked(scene);
	put(CGROUP "/freezer.state", "FROZEN");
	do {
		frozen = is_frozen();
		in_time = !scene->done;
	} while (!frozen && in_time);
	put(CGROUP "/freezer.state", "THAWED");
	EXPECT_TRUE(frozen && in_time);
	EXPECT_EQ(KSFT_PASS, await_child(collector));
	while (rmdir(CGROUP) && errno == EBUSY)
		sched_yield();
	umount(FREEZER);
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
	collector = fork_child();
	if (!collector) {
		must(nice(19) == 19);
		collect_long(scene);
	}
	await_parked(scene);
	while (priority != -51 && !scene->done)
		priority = stat_field(collector, 18);
	EXPECT_EQ(-51, priority);
	EXPECT_EQ(KSFT_PASS, await_child(collector));
}

TEST_HARNESS_MAIN
