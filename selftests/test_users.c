// SPDX-License-Identifier: GPL-2.0
/* What one user may take, and that others do not miss it. */
#include <grp.h>
#include <sys/mman.h>

#include "common.h"
#include "machine.h"

#define PARAMETERS	"/sys/module/gcheap/parameters/"
#define HEAP_SIZE	(64 * MIB)
#define UID		1000
#define OTHER_UID	1001

/* The limits of the module as the test found them */
static const char *const names[] = {
	"user_heaps", "user_memory", "user_members", "user_ranges",
};

static long get_limit(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atol(text);
}

static void set_limit(const char *name, long value)
{
	char path[128], text[32];
	int fd, length;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	length = snprintf(text, sizeof(text), "%ld", value);
	must(fd >= 0 && write(fd, text, length) == length);
	close(fd);
}

FIXTURE(users) {
	long limits[ARRAY_SIZE(names)];
};

FIXTURE_SETUP(users)
{
	size_t i;

	if (geteuid() || access("/dev/gcheap", W_OK))
		SKIP(return, "only root can become another user");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		self->limits[i] = get_limit(names[i]);
}

FIXTURE_TEARDOWN(users)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		set_limit(names[i], self->limits[i]);
}

static void become(uid_t uid)
{
	must(!setgroups(0, NULL) && !setresgid(uid, uid, uid) && !setresuid(uid, uid, uid));
	/* Changing ids forgets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Run something as another user: whether it went well. */
static bool as_user(uid_t uid, void (*run)(void *arg), void *arg)
{
	pid_t pid = fork_child();

	if (!pid) {
		become(uid);
		run(arg);
		_exit(KSFT_PASS);
	}
	return child_succeeded(pid);
}

static int try_open(void)
{
	return open("/dev/gcheap", O_RDWR | O_CLOEXEC);
}

static void open_one(void *unused)
{
	(void)unused;
	must(try_open() >= 0);
}

static void open_none(void *unused)
{
	(void)unused;
	must(try_open() < 0 && errno == EMFILE);
}

static bool in_child(void (*run)(void *arg), void *arg)
{
	pid_t pid = fork_child();

	if (!pid) {
		run(arg);
		_exit(KSFT_PASS);
	}
	return child_succeeded(pid);
}

static void open_eight(void *root_says)
{
	int fds[8], i;

	for (i = 0; i < 8; i++) {
		fds[i] = try_open();
		must(fds[i] >= 0);
	}
	open_none(NULL);
	must(in_child(open_none, NULL));
	say(((int *)root_says)[1]);
	hear(((int *)root_says)[1]);
	must(!close(fds[3]));
	open_one(NULL);
	open_none(NULL);
}

TEST_F(users, open_no_more_heaps_than_allowed)
{
	int ends[2];
	pid_t pid;

	set_limit("user_heaps", 8);
	socket_pair(ends);
	pid = fork_child();
	if (!pid) {
		become(UID);
		open_eight(ends);
		_exit(KSFT_PASS);
	}
	hear(ends[0]);
	EXPECT_TRUE(as_user(UID, open_none, NULL));
	EXPECT_TRUE(as_user(OTHER_UID, open_one, NULL));
	EXPECT_TRUE(in_child(open_one, NULL));
	say(ends[0]);
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_TRUE(as_user(UID, open_one, NULL));
}

static void attach_four(void *unused)
{
	int fds[5], i;

	(void)unused;
	for (i = 0; i < 5; i++) {
		fds[i] = try_open();
		must(fds[i] >= 0);
		must(raw_attach(fds[i]) == (i < 4 ? 0 : ENOMEM));
	}
	must(!raw_attach(fds[0]));
	must(!close(fds[1]));
	must(!raw_attach(fds[4]));
}

TEST_F(users, have_no_more_members_than_allowed)
{
	set_limit("user_members", 4);
	EXPECT_TRUE(as_user(UID, attach_four, NULL));
	EXPECT_TRUE(as_user(UID, attach_four, NULL));
	set_limit("user_members", 0);
	EXPECT_FALSE(as_user(UID, attach_four, NULL));
}

static char words[200][8] __attribute__((aligned(8)));

static int add_range(struct gcheap *heap, int i)
{
	return gcheap_root_add(heap, words[i], 8) ? errno : 0;
}

static void change_a_range(void *heap)
{
	must(gcheap_root_del(heap, words[0]) && errno == ENOMEM);
}

static void add_ranges(void *unused)
{
	struct gcheap *heaps[2] = { open_manual(HEAP_SIZE), open_manual(HEAP_SIZE) };
	int i;

	(void)unused;
	must(heaps[0] && heaps[1]);
	for (i = 0; i < 100; i++)
		must(!add_range(heaps[i % 2], i));
	must(add_range(heaps[0], i) == ENOSPC);
	must(add_range(heaps[1], i) == ENOSPC);
	/* A child that changes its ranges has its own. */
	must(in_child(change_a_range, heaps[0]));
	must(!gcheap_root_del(heaps[0], words[0]));
	must(!add_range(heaps[1], i));
	must(add_range(heaps[1], i + 1) == ENOSPC);
	gcheap_close(heaps[0]);
	must(!add_range(heaps[1], i + 1));
}

TEST_F(users, have_no_more_ranges_of_roots_than_allowed)
{
	set_limit("user_ranges", 100);
	EXPECT_TRUE(as_user(UID, add_ranges, NULL));
	EXPECT_TRUE(as_user(UID, add_ranges, NULL));
}

/* Objects of 1 MiB, each of which keeps the one before it, until there are no more */
static size_t fill_heap(int fd)
{
	void **object, *next = NULL;
	size_t bytes = 0;

	while ((object = raw_alloc(fd, MIB))) {
		*object = next;
		next = object;
		bytes += MIB;
	}
	must(errno == ENOMEM);
	return bytes;
}

/* Of the machine's memory: what one user may have */
static size_t share(void)
{
	return sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) *
	       get_limit("user_memory") / 100;
}

static void fill_two_heaps(void *ends)
{
	int first = raw_open(2 * share()), second = raw_open(2 * share());
	size_t bytes;

	must(raw_map(first) != MAP_FAILED && raw_map(second) != MAP_FAILED);
	bytes = fill_heap(first);
	must(bytes <= share() && bytes >= share() / 2);
	must(fill_heap(second) <= 2 * MIB);
	say(((int *)ends)[1]);
	hear(((int *)ends)[1]);
	/* What one of them gives back the other can have. */
	must(!munmap((void *)raw_info(first).base, raw_info(first).heap_size));
	must(!raw_attach(first));
	bytes = fill_heap(second);
	must(bytes <= share() && bytes >= share() / 2);
}

static void use_eight_mib(void *unused)
{
	int fd = raw_open(HEAP_SIZE);

	(void)unused;
	must(raw_map(fd) != MAP_FAILED);
	must(raw_alloc(fd, 8 * MIB));
}

TEST_F(users, have_no_more_memory_than_allowed)
{
	int ends[2];
	pid_t pid;

	/* The debug kernel takes ten times as long to fill it. */
	set_limit("user_memory", on_debug_kernel() ? 2 : 5);
	socket_pair(ends);
	pid = fork_child();
	if (!pid) {
		become(UID);
		fill_two_heaps(ends);
		_exit(KSFT_PASS);
	}
	hear(ends[0]);
	EXPECT_FALSE(as_user(UID, use_eight_mib, NULL));
	EXPECT_TRUE(as_user(OTHER_UID, use_eight_mib, NULL));
	EXPECT_TRUE(in_child(use_eight_mib, NULL));
	say(ends[0]);
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_TRUE(as_user(UID, use_eight_mib, NULL));
}

static void drop_objects(void *unused)
{
	const struct gcheap_options options = { .size = 4 * share(), .percent = -1 };
	struct gcheap *heap = gcheap_open(&options);
	size_t bytes;

	(void)unused;
	must(heap);
	for (bytes = 0; bytes < 3 * share(); bytes += 256 * KIB)
		must(gcheap_alloc(heap, 256 * KIB));
	gcheap_close(heap);
}

TEST_F(users, have_garbage_collected_before_they_are_refused)
{
	set_limit("user_memory", 5);
	EXPECT_TRUE(as_user(UID, drop_objects, NULL));
}

/* More heaps than one process can be a member of */
#define FILLERS		5

static void fill_many_heaps(int nr, int sock)
{
	int fd, i, full = 0;

	for (i = 0; i < nr; i++) {
		fd = raw_open(8 * MIB);
		must(raw_map(fd) != MAP_FAILED);
		full += !raw_alloc(fd, 4 * MIB);
	}
	must(write(sock, &full, sizeof(full)) == sizeof(full));
	hear(sock);
	_exit(KSFT_PASS);
}

static void fill_by_many(void *nr)
{
	long before = used_memory();
	int ends[2], full, sum = 0, i;

	socket_pair(ends);
	for (i = 0; i < FILLERS; i++)
		if (!fork_child())
			fill_many_heaps(*(int *)nr / FILLERS, ends[1]);
	for (i = 0; i < FILLERS; i++) {
		must(read(ends[0], &full, sizeof(full)) == sizeof(full));
		sum += full;
	}
	must(sum > 0 && sum < *(int *)nr);
	/* With what the collector needs for itself */
	must(used_memory() <= before + 3 * (long)share());
	for (i = 0; i < FILLERS; i++)
		say(ends[0]);
	while (wait(NULL) > 0)
		;
}

/* Each of them is small, and all together are more than the machine has. */
TEST_F(users, do_not_exhaust_the_machine_with_many_heaps)
{
	int nr = scaled(1020);

	set_limit("user_memory", 5);
	EXPECT_TRUE(as_user(UID, fill_by_many, &nr));
	EXPECT_TRUE(in_child(use_eight_mib, NULL));
}

TEST_HARNESS_MAIN
