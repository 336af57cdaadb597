// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps cost little, leave nothing behind, and keep the module from being
 * unloaded just as long as there are any.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common.h"
#include "machine.h"

#define HEAPS		1000
#define ROUNDS		3
#define CACHES		512
#define MODULE		"/gcheap.ko"

/* Objects in each of the kernel's slab caches */
struct caches {
	size_t count;
	struct {
		char name[48];
		long objects;
	} cache[CACHES];
};

static bool read_caches(struct caches *caches)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	char line[512];

	if (!file)
		return false;
	caches->count = 0;
	while (fgets(line, sizeof(line), file) && caches->count < CACHES)
		if (sscanf(line, "%47s %ld", caches->cache[caches->count].name,
			   &caches->cache[caches->count].objects) == 2)
			caches->count++;
	fclose(file);
	return caches->count;
}

static long objects_in(const struct caches *caches, const char *name)
{
	size_t i;

	for (i = 0; i < caches->count; i++)
		if (!strcmp(caches->cache[i].name, name))
			return caches->cache[i].objects;
	return 0;
}

apart void use_heap(void)
{
	struct gcheap *heap = gcheap_open(NULL);
	char *object;

	must(heap);
	object = gcheap_alloc(heap, 100);
	must(object);
	memset(object, 1, 100);
	must(gcheap_alloc(heap, 100000));
	gcheap_close(heap);
}

static void use_heaps(long count)
{
	while (count--)
		use_heap();
}

struct measure {
	long memory;
	struct caches caches;
};

/* Less than a page for each heap */
static bool memory_is_back(const void *arg)
{
	const struct measure *before = arg;

	return used_memory() < before->memory + HEAPS * 2048;
}

/* Less than one object for each heap, in each cache */
static bool objects_are_back(const void *arg)
{
	static struct caches now;
	const struct measure *before = arg;
	bool back = true;
	size_t i;

	must(read_caches(&now));
	for (i = 0; i < now.count; i++) {
		long more = now.cache[i].objects -
			    objects_in(&before->caches, now.cache[i].name);

		if (more >= ROUNDS * HEAPS * 9 / 10)
			back = false;
	}
	return back;
}

/* The first heaps warm up caches of all kinds. */
TEST(life_leaves_no_page_behind)
{
	static struct measure before;
	int round;

	if (on_debug_kernel())
		SKIP(use_heaps(HEAPS / 20); return,
		     "the debug kernel keeps freed memory for a while");
	use_heaps(HEAPS);
	before.memory = used_memory();
	for (round = 0; round < ROUNDS; round++)
		use_heaps(HEAPS);
	EXPECT_TRUE(comes_true(memory_is_back, &before)) {
		TH_LOG("%ld bytes more", used_memory() - before.memory);
	}
}

TEST(life_leaves_no_kernel_object_behind)
{
	static struct measure before;
	int round;

	if (on_debug_kernel())
		SKIP(return, "kmemleak looks after the debug kernel");
	if (!read_caches(&before.caches))
		SKIP(return, "/proc/slabinfo cannot be read");
	use_heaps(HEAPS);
	must(read_caches(&before.caches));
	for (round = 0; round < ROUNDS; round++)
		use_heaps(HEAPS);
	EXPECT_TRUE(comes_true(objects_are_back, &before));
}

#define OPEN_HEAPS	200
#define COST_MAX	(128 * 1024)

TEST(a_heap_with_a_small_object_costs_little)
{
	static struct gcheap *heaps[OPEN_HEAPS];
	struct gcheap_stats stats;
	const int nr = scaled(OPEN_HEAPS);
	long before, after;
	int i;

	use_heap();
	before = used_memory();
	for (i = 0; i < nr; i++) {
		heaps[i] = gcheap_open(NULL);
		ASSERT_NE(NULL, heaps[i]);
		ASSERT_NE(NULL, gcheap_alloc(heaps[i], 16));
	}
	after = used_memory();
	for (i = 0; i < nr; i++) {
		stats = stats_of(heaps[i]);
		ASSERT_GE(COST_MAX, stats.heap_sys + stats.gc_sys);
		gcheap_close(heaps[i]);
	}
	TH_LOG("%ld bytes each, of which the heap says %lu", (after - before) / nr,
	       stats.heap_sys + stats.gc_sys);
	/* The debug kernel has a shadow and a stack trace for each object. */
	if (!on_debug_kernel())
		EXPECT_GE(COST_MAX, (after - before) / nr);
}

/* A process with much memory in many heaps, from one end to another */
#define KILLED_HEAPS	50
#define KILLED_BYTES	(2 * MIB)

static void hold_much(int sock)
{
	int i;

	for (i = 0; i < KILLED_HEAPS; i++) {
		struct gcheap *heap = gcheap_open(NULL);
		char *object;

		must(heap);
		object = gcheap_alloc(heap, KILLED_BYTES);
		must(object);
		object[KILLED_BYTES - 1] = 1;
	}
	say(sock);
	hear(sock);
	_exit(KSFT_PASS);
}

/* A tenth of it may be left: other things go on. */
static bool much_is_back(const void *arg)
{
	const long *before = arg;

	return used_memory() < *before + (long)(KILLED_HEAPS * KILLED_BYTES / 10);
}

TEST(a_killed_process_gives_all_back)
{
	long before = used_memory();
	int fds[2];
	pid_t pid;

	socket_pair(fds);
	pid = fork_child();
	if (!pid)
		hold_much(fds[1]);
	hear(fds[0]);
	EXPECT_LT(before + KILLED_HEAPS * KILLED_BYTES / 10 * 9, used_memory());
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(WIFSIGNALED(await_child(pid)));
	EXPECT_TRUE(comes_true(much_is_back, &before));
}

TEST(a_heap_that_is_emptied_gives_memory_back_when_closed)
{
	const struct gcheap_options options = { .percent = -1 };
	struct gcheap *heap = gcheap_open(&options);
	long before = used_memory();
	int i;

	ASSERT_NE(NULL, heap);
	for (i = 0; i < KILLED_HEAPS; i++)
		ASSERT_NE(NULL, gcheap_alloc(heap, KILLED_BYTES));
	EXPECT_LT(before + KILLED_HEAPS * KILLED_BYTES / 10 * 9, used_memory());
	gcheap_close(heap);
	EXPECT_TRUE(comes_true(much_is_back, &before));
}

/* A heap that nobody maps, on its way between two processes */
static void make_and_send(int sock)
{
	struct gcheap *heap = open_manual(0);
	char *object = gcheap_alloc(heap, 10000);

	must(object);
	fill(object, 10000, 7);
	send_fd(sock, gcheap_fd(heap));
	must(write(sock, &object, sizeof(object)) == sizeof(object));
	gcheap_close(heap);
	_exit(KSFT_PASS);
}

/* What was in it went with the last process that had it mapped. */
TEST(a_heap_in_a_descriptor_on_its_way_is_empty)
{
	struct gcheap *heap;
	char *object;
	int fds[2], fd;
	pid_t pid;

	socket_pair(fds);
	pid = fork_child();
	if (!pid)
		make_and_send(fds[1]);
	EXPECT_TRUE(child_succeeded(pid));
	fd = receive_fd(fds[0]);
	ASSERT_EQ(sizeof(object), read(fds[0], &object, sizeof(object)));
	heap = gcheap_attach(fd);
	ASSERT_NE(NULL, heap);
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(0, stats_of(heap).heap_alloc);
	EXPECT_EQ(NULL, gcheap_base(heap, object + 500));
	/* Its addresses are the same. */
	EXPECT_LT(raw_info(gcheap_fd(heap)).base, (uintptr_t)object);
	EXPECT_GT(raw_info(gcheap_fd(heap)).base + MIB, (uintptr_t)object);
	object = gcheap_alloc(heap, 10000);
	ASSERT_NE(NULL, object);
	EXPECT_TRUE(all_zero(object, 10000));
	ASSERT_EQ(0, gcheap_collect(heap));
	gcheap_close(heap);
}

TEST(a_heap_in_a_socket_that_is_closed_is_gone)
{
	long before = used_memory();
	int i;

	for (i = 0; i < KILLED_HEAPS; i++) {
		struct gcheap *heap = gcheap_open(NULL);
		int fds[2];

		ASSERT_NE(NULL, heap);
		ASSERT_NE(NULL, gcheap_alloc(heap, KILLED_BYTES));
		socket_pair(fds);
		send_fd(fds[0], gcheap_fd(heap));
		gcheap_close(heap);
		ASSERT_EQ(0, close(fds[0]));
		ASSERT_EQ(0, close(fds[1]));
	}
	EXPECT_TRUE(comes_true(much_is_back, &before));
}

TEST(attaching_twice_is_one_heap)
{
	struct gcheap *heap = gcheap_open(NULL), *same;
	char *object;

	ASSERT_NE(NULL, heap);
	object = gcheap_alloc(heap, 100);
	ASSERT_NE(NULL, object);
	same = gcheap_attach(gcheap_fd(heap));
	ASSERT_NE(NULL, same);
	EXPECT_EQ(object, gcheap_base(same, object));
	gcheap_close(same);
	fill(object, 100, 1);
	EXPECT_NE(NULL, gcheap_alloc(heap, 100));
	EXPECT_EQ(0, gcheap_collect(heap));
	EXPECT_TRUE(filled(object, 100, 1));
	gcheap_close(heap);
	gcheap_close(NULL);
}

/* Heaps closed by one thread while others still have slabs of it */
static void *run_user(void *arg)
{
	int *sock = arg, i;

	for (i = 0; i < 100; i++) {
		struct gcheap *heap;

		must(read(sock[1], &heap, sizeof(heap)) == sizeof(heap));
		must(gcheap_alloc(heap, 100));
		say(sock[1]);
	}
	return NULL;
}

TEST(a_heap_may_be_closed_while_threads_have_slabs_of_it)
{
	int socks[4][2], i, round;
	pthread_t threads[4];

	for (i = 0; i < 4; i++) {
		socket_pair(socks[i]);
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_user, socks[i]));
	}
	for (round = 0; round < 100; round++) {
		struct gcheap *heap = gcheap_open(NULL);

		ASSERT_NE(NULL, heap);
		for (i = 0; i < 4; i++)
			must(write(socks[i][0], &heap, sizeof(heap)) == sizeof(heap));
		for (i = 0; i < 4; i++)
			hear(socks[i][0]);
		gcheap_close(heap);
	}
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
}

/* The module */
static int unload(void)
{
	return syscall(SYS_delete_module, "gcheap", O_NONBLOCK) ? errno : 0;
}

static bool is_unloaded(const void *unused)
{
	int error = unload();

	(void)unused;
	must(!error || error == EAGAIN || error == EBUSY);
	return !error;
}

static int load(const char *parameters)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int error = syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;

	close(fd);
	return error;
}

/* The checks that are on, for when the module is loaded again */
static void read_parameters(char *to)
{
	static const char *const names[] = { "poison", "verify", "trace" };
	unsigned int i;
	char path[64];

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int fd;

		sprintf(path, "/sys/module/gcheap/parameters/%s", names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		to += sprintf(to, "%s=", names[i]);
		must(read(fd, to++, 1) == 1);
		to += sprintf(to, " ");
		close(fd);
	}
}

FIXTURE(module) {
	char parameters[64];
};

FIXTURE_SETUP(module)
{
	if (access(MODULE, R_OK))
		SKIP(return, "no module to load at " MODULE);
	read_parameters(self->parameters);
}

/* As it was; a first failure is not to be made many. */
FIXTURE_TEARDOWN(module)
{
	int error = load(self->parameters);

	EXPECT_TRUE(!error || error == EEXIST);
}

TEST_F(module, cannot_be_unloaded_while_a_heap_is_open)
{
	struct gcheap *heap = gcheap_open(NULL);

	ASSERT_NE(NULL, heap);
	EXPECT_EQ(EAGAIN, unload());
	ASSERT_NE(NULL, gcheap_alloc(heap, 100));
	ASSERT_EQ(0, gcheap_collect(heap));
	EXPECT_EQ(EAGAIN, unload());
	gcheap_close(heap);
	EXPECT_TRUE(comes_true(is_unloaded, NULL));
	EXPECT_EQ(NULL, gcheap_open(NULL));
	EXPECT_TRUE(errno == ENOENT || errno == ENODEV);
	EXPECT_EQ(0, load(self->parameters));
	heap = gcheap_open(NULL);
	ASSERT_NE(NULL, heap);
	EXPECT_NE(NULL, gcheap_alloc(heap, 100));
	gcheap_close(heap);
}

/* The demonstration, and what it says to its user */
static int run_demo(char *said, size_t size)
{
	int fds[2], status;
	ssize_t length;
	pid_t pid;

	must(!pipe2(fds, O_CLOEXEC));
	pid = fork_child();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		execlp("demo", "demo", NULL);
		_exit(KSFT_SKIP);
	}
	close(fds[1]);
	length = read(fds[0], said, size - 1);
	must(length >= 0);
	said[length] = '\0';
	close(fds[0]);
	status = await_child(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_error(void)
{
	return gcheap_open(NULL) ? 0 : errno;
}

TEST_F(module, that_is_not_loaded_is_told_from_one_that_is_not_permitted)
{
	char said[512];

	ASSERT_TRUE(comes_true(is_unloaded, NULL));
	EXPECT_EQ(ENOENT, open_error());
	EXPECT_NE(NULL, strstr(gcheap_strerror(ENOENT), "load the module"));
	EXPECT_EQ(1, run_demo(said, sizeof(said)));
	EXPECT_NE(NULL, strstr(said, "load the module"));

	/* A node that somebody made; who answers there depends on the number. */
	ASSERT_EQ(0, mknod("/dev/gcheap", S_IFCHR | 0666, makedev(10, 201)));
	EXPECT_EQ(ENODEV, open_error());
	ASSERT_EQ(0, unlink("/dev/gcheap"));
	ASSERT_EQ(0, mknod("/dev/gcheap", S_IFCHR | 0666, makedev(60, 7)));
	EXPECT_EQ(ENODEV, open_error());
	ASSERT_EQ(0, unlink("/dev/gcheap"));
	ASSERT_EQ(0, mknod("/dev/gcheap", S_IFCHR | 0666, makedev(1, 3)));
	EXPECT_EQ(ENODEV, open_error());
	ASSERT_EQ(0, unlink("/dev/gcheap"));
	EXPECT_NE(NULL, strstr(gcheap_strerror(ENODEV), "load the module"));
}

TEST_F(module, cannot_be_unloaded_while_a_heap_is_only_mapped)
{
	int fd = raw_open(16 * MIB);
	char *base = raw_map(fd);

	ASSERT_NE(MAP_FAILED, base);
	ASSERT_NE(NULL, raw_alloc(fd, 100));
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(EAGAIN, unload());
	ASSERT_EQ(0, munmap(base, 16 * MIB));
	EXPECT_TRUE(comes_true(is_unloaded, NULL));
}

/* Threads that slept through collections, in a process that has ended */
static void *sleep_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

TEST_F(module, can_be_unloaded_after_sleeping_threads_were_stopped)
{
	pid_t pid = fork_child();
	pthread_t thread;
	int i;

	if (!pid) {
		struct gcheap *heap = gcheap_open(NULL);

		must(heap);
		for (i = 0; i < 10; i++)
			must(!pthread_create(&thread, NULL, sleep_for_ever, NULL));
		for (i = 0; i < 10; i++) {
			must(gcheap_alloc(heap, 1000));
			must(!gcheap_collect(heap));
		}
		kill(getpid(), SIGKILL);
	}
	ASSERT_TRUE(WIFSIGNALED(await_child(pid)));
	EXPECT_TRUE(comes_true(is_unloaded, NULL));
}

TEST_F(module, can_be_unloaded_and_loaded_many_times)
{
	int i;

	for (i = 0; i < 5; i++) {
		use_heap();
		ASSERT_TRUE(comes_true(is_unloaded, NULL));
		ASSERT_EQ(0, load(self->parameters));
	}
}

TEST_HARNESS_MAIN
