// SPDX-License-Identifier: GPL-2.0
/* What the environment sets of a heap that the program opens. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "common.h"

#define GROUP		"/sys/fs/cgroup/gcheap-environment"
#define GROUP_MAX	(128 * MIB)
#define SECURE		"--secure"
#define TRACED		"/tmp/gcheap-test-traced"
#define LINK		"/tmp/gcheap-test-link"

static struct gcheap_ioc_config settings_of(struct gcheap *heap)
{
	struct gcheap_ioc_config config = { .size = sizeof(config) };

	must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_CONFIG, &config));
	return config;
}

/* The settings of a heap that a program opens so with one variable set */
static struct gcheap_ioc_config settings_with(const char *name, const char *value,
					      const struct gcheap_options *opts)
{
	struct gcheap_ioc_config config;
	struct gcheap *heap;

	must(!setenv(name, value, 1));
	heap = gcheap_open(opts);
	must(heap);
	config = settings_of(heap);
	gcheap_close(heap);
	must(!unsetenv(name));
	return config;
}

static uint64_t memory_bytes(void)
{
	struct sysinfo info;

	must(!sysinfo(&info));
	return (uint64_t)info.totalram * info.mem_unit;
}

TEST(environment_sets_the_percentage)
{
	static const struct {
		const char *value;
		int percent;
	} cases[] = {
		{ "150", 150 }, { "150%", 150 }, { "1", 1 }, { "0", 1 }, { "100000", 100000 },
		{ "00200", 200 }, { "off", GCHEAP_PERCENT_OFF }, { "", 100 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].percent,
			  settings_with("GCHEAP_PERCENT", cases[i].value, NULL).percent) {
			TH_LOG("%s", cases[i].value);
		}
	}
}

TEST(environment_sets_the_limit)
{
	static const struct {
		const char *value;
		uint64_t limit;
	} cases[] = {
		{ "12345678", 12345678 }, { "12345678B", 12345678 }, { "100KiB", 100 * KIB },
		{ "64MiB", 64 * MIB }, { "3GiB", 3 * KIB * MIB }, { "2TiB", 2 * MIB * MIB },
		{ "18446744073709551615", UINT64_MAX }, { "16777215TiB", 16777215ul << 40 },
		{ "off", 0 }, { "0", 0 }, { "", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].limit,
			  settings_with("GCHEAP_LIMIT", cases[i].value, NULL).limit) {
			TH_LOG("%s", cases[i].value);
		}
	}
}

TEST(environment_sets_the_size)
{
	uint64_t machine = settings_with("GCHEAP_SIZE", "", NULL).heap_size;

	EXPECT_EQ(32 * MIB, settings_with("GCHEAP_SIZE", "32MiB", NULL).heap_size);
	EXPECT_EQ(2 * MIB, settings_with("GCHEAP_SIZE", "1048576", NULL).heap_size);
	EXPECT_EQ(MIB * MIB, settings_with("GCHEAP_SIZE", "1TiB", NULL).heap_size);
	EXPECT_LT(32 * MIB, machine);
}

/* The kernel rounds sizes up to 2 MiB. */
TEST(parts_are_of_the_machines_memory)
{
	uint64_t half = memory_bytes() / 2;
	uint64_t size = settings_with("GCHEAP_SIZE", "50%", NULL).heap_size;
	uint64_t limit = settings_with("GCHEAP_LIMIT", "50%", NULL).limit;

	EXPECT_LE(half - MIB, limit);
	EXPECT_GE(half, limit);
	EXPECT_LE(half - MIB, size);
	EXPECT_GE(half + 2 * MIB, size);
}

/* The one that has the limit is not the process's own, but one that this is in. */
static bool make_groups(void)
{
	char max[32];

	if (access("/sys/fs/cgroup/cgroup.subtree_control", W_OK))
		return false;
	must(write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
	must(!mkdir(GROUP, 0700) && !mkdir(GROUP "/inner", 0700));
	snprintf(max, sizeof(max), "%lu", GROUP_MAX);
	must(write_to(GROUP "/memory.max", max));
	return true;
}

static void open_in_group(void)
{
	uint64_t limit;

	must(write_to(GROUP "/inner/cgroup.procs", "0"));
	limit = settings_with("GCHEAP_LIMIT", "50%", NULL).limit;
	must(limit > GROUP_MAX / 2 - MIB && limit <= GROUP_MAX / 2);
	_exit(KSFT_PASS);
}

TEST(parts_are_of_what_the_cgroups_leave)
{
	pid_t pid;

	if (!make_groups())
		SKIP(return, "no cgroups at /sys/fs/cgroup");
	pid = fork_child();
	if (!pid)
		open_in_group();
	EXPECT_TRUE(child_succeeded(pid));
	while (rmdir(GROUP "/inner") && errno == EBUSY)
		sched_yield();
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST(what_the_program_gives_prevails)
{
	const struct gcheap_options options = {
		.percent = 70, .limit = 50 * MIB, .size = 64 * MIB,
	};
	const struct gcheap_options size_only = { .size = 64 * MIB };
	struct gcheap *heap;

	EXPECT_EQ(70, settings_with("GCHEAP_PERCENT", "150", &options).percent);
	EXPECT_EQ(50 * MIB, settings_with("GCHEAP_LIMIT", "10MiB", &options).limit);
	EXPECT_EQ(64 * MIB, settings_with("GCHEAP_SIZE", "32MiB", &options).heap_size);
	EXPECT_EQ(150, settings_with("GCHEAP_PERCENT", "150", &size_only).percent);
	ASSERT_EQ(0, setenv("GCHEAP_LIMIT", "10MiB", 1));
	heap = gcheap_open(NULL);
	ASSERT_NE(NULL, heap);
	EXPECT_EQ(0, gcheap_set_limit(heap, 20 * MIB));
	EXPECT_EQ(20 * MIB, settings_of(heap).limit);
	gcheap_close(heap);
}

/* What opening a heap twice with a variable says on stderr */
static void said_with(const char *name, const char *value, char *text, size_t size)
{
	const struct gcheap_ioc_config usual = settings_with(name, "", NULL);
	struct gcheap_ioc_config config;
	int ends[2], saved = dup(STDERR_FILENO), i;
	ssize_t n;

	must(saved >= 0 && !pipe(ends) && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	for (i = 0; i < 2; i++)
		config = settings_with(name, value, NULL);
	must(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
	close(ends[1]);
	n = read(ends[0], text, size - 1);
	must(n >= 0);
	text[n] = '\0';
	close(ends[0]);
	close(saved);
	must(!memcmp(&config, &usual, sizeof(config)));
}

/* In a process of its own, as it is said once for each. */
static void be_told(const char *name, const char *value)
{
	char text[1024], begin[256], *end;

	snprintf(begin, sizeof(begin), "gcheap: %s=%.40s", name, value);
	said_with(name, value, text, sizeof(text));
	must(!strncmp(text, begin, strlen(begin)));
	end = strchr(text, '\n');
	must(end && !end[1]);
	_exit(KSFT_PASS);
}

TEST(what_is_not_understood_is_said_once_and_not_used)
{
	static char long_value[300];
	static const char *const cases[][2] = {
		{ "GCHEAP_PERCENT", "-1" }, { "GCHEAP_PERCENT", "100001" },
		{ "GCHEAP_PERCENT", "1.5" }, { "GCHEAP_PERCENT", "50%%" },
		{ "GCHEAP_PERCENT", "18446744073709551716" }, { "GCHEAP_PERCENT", "OFF" },
		{ "GCHEAP_PERCENT", "10MiB" }, { "GCHEAP_PERCENT", "%" },
		{ "GCHEAP_LIMIT", "64M" }, { "GCHEAP_LIMIT", "64 MiB" },
		{ "GCHEAP_LIMIT", " 64MiB" }, { "GCHEAP_LIMIT", "64mib" },
		{ "GCHEAP_LIMIT", "MiB" }, { "GCHEAP_LIMIT", "-1" }, { "GCHEAP_LIMIT", "+1" },
		{ "GCHEAP_LIMIT", "18446744073709551616" }, { "GCHEAP_LIMIT", "16777216TiB" },
		{ "GCHEAP_LIMIT", "0x1000000" }, { "GCHEAP_LIMIT", "101%" },
		{ "GCHEAP_LIMIT", "1,5GiB" }, { "GCHEAP_LIMIT", long_value },
		{ "GCHEAP_SIZE", "off" }, { "GCHEAP_SIZE", "0" }, { "GCHEAP_SIZE", "1023KiB" },
		{ "GCHEAP_SIZE", "1025GiB" }, { "GCHEAP_SIZE", "0%" },
		{ "GCHEAP_TRACE", "/nowhere/file" }, { "GCHEAP_TRACE", "/proc" },
		{ "GCHEAP_TRACE", "file" }, { "GCHEAP_TRACE", "2" }, { "GCHEAP_TRACE", LINK },
	};
	size_t i;
	pid_t pid;

	memset(long_value, '9', sizeof(long_value) - 1);
	ASSERT_EQ(0, symlink(TRACED, LINK));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		pid = fork_child();
		if (!pid)
			be_told(cases[i][0], cases[i][1]);
		EXPECT_TRUE(child_succeeded(pid)) {
			TH_LOG("%s=%s", cases[i][0], cases[i][1]);
		}
	}
	EXPECT_EQ(0, unlink(LINK));
	EXPECT_NE(0, access(TRACED, F_OK));
}

TEST(trace_makes_the_file_that_it_writes_to)
{
	char line[32] = "";
	struct gcheap *heap;
	struct stat file;
	int fd;

	ASSERT_EQ(0, setenv("GCHEAP_TRACE", TRACED, 1));
	heap = open_manual(4 * MIB);
	ASSERT_NE(NULL, heap);
	ASSERT_EQ(0, stat(TRACED, &file));
	EXPECT_EQ(S_IFREG | 0600, file.st_mode);
	EXPECT_EQ(0, gcheap_collect(heap));
	gcheap_close(heap);
	fd = open(TRACED, O_RDONLY);
	ASSERT_EQ((ssize_t)sizeof(line) - 1, read(fd, line, sizeof(line) - 1));
	EXPECT_EQ(0, strncmp(line, "{\"pid\":", 7));
	close(fd);
	EXPECT_EQ(0, unlink(TRACED));
}

/* By which write() would end the program */
TEST(trace_to_a_file_that_may_not_grow_is_lost)
{
	struct rlimit none = { 0, RLIM_INFINITY };
	struct gcheap *heap;

	ASSERT_EQ(0, setenv("GCHEAP_TRACE", TRACED, 1));
	heap = open_manual(4 * MIB);
	ASSERT_NE(NULL, heap);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
	EXPECT_EQ(0, gcheap_collect(heap));
	gcheap_close(heap);
	EXPECT_EQ(0, unlink(TRACED));
}

/* Nor does it take a signal of the program's own. */
TEST(trace_leaves_signals_that_wait_alone)
{
	struct rlimit none = { 0, RLIM_INFINITY };
	struct gcheap *heap;
	sigset_t set;

	ASSERT_EQ(0, setenv("GCHEAP_TRACE", TRACED, 1));
	heap = open_manual(4 * MIB);
	ASSERT_NE(NULL, heap);
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, raise(SIGXFSZ));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
	EXPECT_EQ(0, gcheap_collect(heap));
	gcheap_close(heap);
	ASSERT_EQ(0, sigpending(&set));
	EXPECT_EQ(1, sigismember(&set, SIGXFSZ));
	EXPECT_EQ(0, unlink(TRACED));
}

static void exec_with_another_user(void)
{
	must(!setenv("GCHEAP_PERCENT", "150", 1) && !setenv("GCHEAP_TRACE", TRACED, 1));
	must(!setresuid(1000, 0, 0));
	execl("/proc/self/exe", "test_environment", SECURE, NULL);
	must(false);
}

TEST(environment_does_not_count_in_programs_with_more_rights_than_their_user)
{
	pid_t pid;

	if (getuid())
		SKIP(return, "not root");
	pid = fork_child();
	if (!pid)
		exec_with_another_user();
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_NE(0, access(TRACED, F_OK));
}

static int run_secure(void)
{
	struct gcheap *heap = gcheap_open(NULL);

	must(heap && getenv("GCHEAP_PERCENT"));
	must(gcheap_set_percent(heap, 100) == 100);
	return KSFT_PASS;
}

__attribute__((constructor)) static void begin(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], SECURE))
		_exit(run_secure());
}

TEST_HARNESS_MAIN
