// SPDX-License-Identifier: GPL-2.0
/*
 * Opening a heap under limits, without permission, and what is said then; and heaps
 * in core dumps.
 */
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common.h"

/* Root is nobody special any more. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};

	must(!syscall(SYS_capset, &header, none));
}

static void limit(int resource, rlim_t value)
{
	const struct rlimit rlimit = { value, value };

	must(!setrlimit(resource, &rlimit));
}

#define ROOM		(256 * MIB)

static void *return_argument(void *arg)
{
	return arg;
}

/* There is room for a heap, a large mapping, and the stacks of some threads. */
static void open_with_few_addresses(void)
{
	pthread_t threads[4];
	struct gcheap *heap;
	size_t size, i;

	limit(RLIMIT_AS, addresses_in_use() + ROOM);
	heap = gcheap_open(NULL);
	must(heap);
	size = raw_info(gcheap_fd(heap)).heap_size;
	must(size <= ROOM / 2 && size >= ROOM / 8);
	must(gcheap_alloc(heap, size / 4));
	must(mmap(NULL, ROOM / 4, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, return_argument, NULL));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_join(threads[i], NULL));
	must(gcheap_alloc(heap, 100) && !gcheap_collect(heap));
	gcheap_close(heap);
}

/* What the program asks for it gets, or an error. */
static void open_with_too_few_addresses(void)
{
	const struct gcheap_options options = { .size = 2 * ROOM };

	limit(RLIMIT_AS, addresses_in_use() + ROOM);
	must(!gcheap_open(&options) && errno == ENOMEM);
	limit(RLIMIT_AS, addresses_in_use() + MIB);
	must(!gcheap_open(NULL) && errno == ENOMEM);
}

static void open_with_memory_locked(void)
{
	const struct gcheap_options options = { .size = 16 * MIB };

	limit(RLIMIT_MEMLOCK, MIB);
	drop_capabilities();
	must(!mlockall(MCL_FUTURE));
	must(!gcheap_open(&options) && errno == EAGAIN);
}

static void open_without_permission(void)
{
	drop_capabilities();
	must(!gcheap_open(NULL) && errno == EACCES);
}

static bool in_a_child(void (*run)(void))
{
	pid_t pid = fork_child();

	if (!pid) {
		run();
		_exit(KSFT_PASS);
	}
	return child_succeeded(pid);
}

TEST(open_leaves_addresses_to_others_when_they_are_limited)
{
	EXPECT_TRUE(in_a_child(open_with_few_addresses));
	EXPECT_TRUE(in_a_child(open_with_too_few_addresses));
}

TEST(open_fails_with_eagain_when_memory_is_locked)
{
	if (getuid())
		SKIP(return, "not root");
	EXPECT_TRUE(in_a_child(open_with_memory_locked));
}

TEST(open_tells_not_permitted)
{
	struct stat stat_before;

	ASSERT_EQ(0, stat("/dev/gcheap", &stat_before));
	if (getuid() || chmod("/dev/gcheap", 0))
		SKIP(return, "not root");
	EXPECT_TRUE(in_a_child(open_without_permission));
	EXPECT_EQ(0, chmod("/dev/gcheap", stat_before.st_mode & 07777));
}

TEST(open_knows_its_flags)
{
	struct gcheap_options options = { .flags = GCHEAP_SCAN_ALL << 1 };
	struct gcheap *heap;

	EXPECT_EQ(NULL, gcheap_open(&options));
	EXPECT_EQ(EINVAL, errno);
	heap = gcheap_open(NULL);
	ASSERT_NE(NULL, heap);
	EXPECT_EQ(0, raw_info(gcheap_fd(heap)).behaviour);
	gcheap_close(heap);
	options.flags = GCHEAP_SCAN_ALL;
	heap = gcheap_open(&options);
	ASSERT_NE(NULL, heap);
	EXPECT_EQ(GCHEAP_SCAN_ALL, raw_info(gcheap_fd(heap)).behaviour);
	gcheap_close(heap);
}

/* The library's own memory is full of addresses of objects. */
#define OBJECTS		64

struct many {
	struct gcheap *heap;
	uintptr_t objects[OBJECTS];
};

apart void allocate_many(struct many *many)
{
	int i;

	for (i = 0; i < OBJECTS; i++) {
		void *object = gcheap_alloc(many->heap, 32768);

		must(object);
		many->objects[i] = hide(object);
	}
}

TEST(scan_all_does_not_look_at_the_library)
{
	const struct gcheap_options options = { .percent = -1, .flags = GCHEAP_SCAN_ALL };
	struct many many;
	int i, left = 0;

	many.heap = gcheap_open(&options);
	ASSERT_NE(NULL, many.heap);
	allocate_many(&many);
	wipe_stack();
	collect(many.heap);
	for (i = 0; i < OBJECTS; i++)
		left += is_allocated(many.heap, many.objects[i]);
	/* Those of the slabs that this thread still has. */
	EXPECT_GE(OBJECTS / 2, left) {
		TH_LOG("%d objects of %d are kept", left, OBJECTS);
	}
	gcheap_close(many.heap);
}

static const int errors[] = {
	ENOENT, ENODEV, EPROTONOSUPPORT, EACCES, EPERM, EINVAL, EEXIST, ENOMEM, EAGAIN,
	EMFILE, ENFILE, EBADF, ENOTTY, ENXIO, EFAULT, EINTR,
};

TEST(strerror_tells_what_helps)
{
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		const char *line = gcheap_strerror(errors[i]);

		ASSERT_NE(NULL, line);
		EXPECT_NE(0, strcmp(line, strerror(errors[i])));
		EXPECT_EQ(NULL, strchr(line, '\n'));
		EXPECT_LT(20, strlen(line));
		for (k = 0; k < i; k++)
			EXPECT_NE(0, strcmp(line, gcheap_strerror(errors[k])));
	}
	EXPECT_NE(NULL, strstr(gcheap_strerror(ENOENT), "modprobe gcheap"));
	EXPECT_NE(NULL, strstr(gcheap_strerror(EACCES), "mode="));
	EXPECT_STREQ(strerror(EXDEV), gcheap_strerror(EXDEV));
	EXPECT_STREQ(strerror(0), gcheap_strerror(0));
}

/* As long as all of it is made of one source */
TEST(library_header_and_module_say_which_version_they_are)
{
	char line[32], expected[32];
	FILE *file = fopen("/sys/module/gcheap/version", "re");

	ASSERT_NE(NULL, file);
	ASSERT_NE(NULL, fgets(line, sizeof(line), file));
	fclose(file);
	line[strcspn(line, "\n")] = 0;
	snprintf(expected, sizeof(expected), "%d.%d.%d", GCHEAP_VERSION_MAJOR,
		 GCHEAP_VERSION_MINOR, GCHEAP_VERSION_PATCH);
	EXPECT_STREQ(expected, GCHEAP_VERSION_STRING);
	EXPECT_STREQ(expected, gcheap_version());
	EXPECT_STREQ(expected, line);
	EXPECT_EQ(GCHEAP_VERSION, GCHEAP_VERSION_OF(GCHEAP_VERSION_MAJOR,
						    GCHEAP_VERSION_MINOR,
						    GCHEAP_VERSION_PATCH));
	EXPECT_LT(GCHEAP_VERSION_OF(0, 9, 999), GCHEAP_VERSION_OF(1, 0, 0));
}

/* Core dumps */
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0);
	must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void dump_core(const char *filter)
{
	const struct gcheap_options options = { .size = 4 * MIB };
	struct gcheap *heap = gcheap_open(&options);
	void *volatile object;

	must(heap);
	object = gcheap_alloc(heap, 256);
	must(object);
	fill(object, 256, 77);
	wipe_stack();
	limit(RLIMIT_CORE, RLIM_INFINITY);
	write_file("/proc/self/coredump_filter", filter);
	kill(getpid(), SIGQUIT);
	pause();
}

/* -1: there is no dump. */
static int is_in_core(const char *filter)
{
	pid_t pid = fork_child();
	int status, fd, found;
	char wanted[256];
	struct stat stat;
	char *core;

	if (!pid)
		dump_core(filter);
	status = await_child(pid);
	fd = open("core", O_RDONLY | O_CLOEXEC);
	if (!WIFSIGNALED(status) || fd < 0)
		return -1;
	must(!fstat(fd, &stat));
	core = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	must(core != MAP_FAILED);
	fill(wanted, sizeof(wanted), 77);
	found = !!memmem(core, stat.st_size, wanted, sizeof(wanted));
	munmap(core, stat.st_size);
	close(fd);
	unlink("core");
	return found;
}

TEST(core_dumps_have_the_heap_when_it_is_asked_for)
{
	char folder[] = "/tmp/gcheap-core-XXXXXX", pattern[128] = "";
	int fd = open(CORE_PATTERN, O_RDWR | O_CLOEXEC);
	int by_default, asked_for;

	if (fd < 0)
		SKIP(return, "not root");
	ASSERT_LT(0, read(fd, pattern, sizeof(pattern) - 1));
	ASSERT_NE(NULL, mkdtemp(folder));
	ASSERT_EQ(0, chdir(folder));
	write_file(CORE_PATTERN, "core");
	by_default = is_in_core("0x33");
	asked_for = is_in_core("0x3b");
	write_file(CORE_PATTERN, pattern);
	ASSERT_EQ(0, rmdir(folder));
	close(fd);
	if (asked_for < 0)
		SKIP(return, "this kernel dumps no core");
	EXPECT_EQ(0, by_default);
	EXPECT_EQ(1, asked_for);
}

TEST_HARNESS_MAIN
