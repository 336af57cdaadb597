// SPDX-License-Identifier: GPL-2.0
/*
 * gcheap, the command: what it prints is what fdinfo and the statistics have, it trusts no
 * name, and it ends with the status that gcheap(1) says.
 */
#include <pty.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "fdinfo.h"

#define HEAP_SIZE	(64 * MIB)
#define RAN		"/tmp/gcheap-test-ran"
#define LINES		"/tmp/gcheap-test-lines"
#define BIN		"/tmp/gcheap-test-bin"
#define GROUP		"/sys/fs/cgroup/gcheap:memory:0::group"

/*
 * What trace runs is this program again: it collects so often, and ends by a signal if it is
 * told to.
 */
__attribute__((constructor)) static void be_traced(void)
{
	const char *times = getenv("TEST_COMMAND_TIMES");
	struct gcheap *heap;
	long i;

	if (!times)
		return;
	heap = gcheap_open(NULL);
	must(heap && write_to("/proc/self/comm", "traced"));
	for (i = 0; i < atol(times); i++)
		must(gcheap_alloc(heap, 100) && !gcheap_collect(heap));
	if (getenv("TEST_COMMAND_KILLED"))
		kill(getpid(), SIGKILL);
	_exit(7);
}

/* All that a command prints, and its status */
struct printed {
	char text[1 << 18];
	int status;
};

static struct printed printed;

static const char *run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What comes up to the end, or up to a text */
static const char *read_from(int fd, const char *until)
{
	size_t length = strlen(printed.text);
	ssize_t n;

	while (!until || !strstr(printed.text, until)) {
		n = read(fd, printed.text + length, sizeof(printed.text) - 1 - length);
		/* A terminal that nobody has any more gives EIO. */
		if (n <= 0)
			break;
		length += n;
		printed.text[length] = '\0';
	}
	return printed.text;
}

static pid_t top_on_terminal(int *terminal, const char *option, const char *value)
{
	pid_t pid = forkpty(terminal, NULL, NULL, NULL);

	must(pid >= 0);
	if (!pid) {
		execlp("gcheap", "gcheap", "top", option, value, NULL);
		_exit(KSFT_FAIL);
	}
	printed.text[0] = '\0';
	return pid;
}

static const char *run(const char *format, ...)
{
	size_t length = 0, n;
	char command[512];
	va_list arguments;
	FILE *output;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	strcat(command, " 2>&1");
	output = popen(command, "r");
	must(output);
	while ((n = fread(printed.text + length, 1, sizeof(printed.text) - 1 - length, output)))
		length += n;
	printed.text[length] = '\0';
	printed.status = pclose(output);
	must(WIFEXITED(printed.status));
	printed.status = WEXITSTATUS(printed.status);
	return printed.text;
}

/* The last line that begins with a process's number, behind it; NULL for none */
static const char *row_of(const char *text, pid_t pid)
{
	const char *found = NULL, *line = text;
	char *end;

	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strtol(line, &end, 10) == pid && *end == ' ')
			found = end;
	}
	return found;
}

/* A word of a row, from 0 on */
static const char *word(const char *row, int nr, char *to)
{
	while (nr--) {
		row += strspn(row, " ");
		row += strcspn(row, "\n ");
	}
	row += strspn(row, " ");
	snprintf(to, 64, "%.*s", (int)strcspn(row, "\n "), row);
	return to;
}

/* A number with a unit, in bytes */
static double bytes_of(const char *text)
{
	static const char units[] = "BKMGT";
	char *unit;
	double value = strtod(text, &unit);
	const char *found = *unit ? strchr(units, *unit) : NULL;

	must(found);
	for (; found > units; found--)
		value *= 1024;
	return value;
}

static bool nearly(double one, double other)
{
	return one >= other * 0.94 - 1 && one <= other * 1.06 + 1;
}

apart void allocate(void *heap)
{
	long i;

	for (i = 0; i < 3000; i++)
		must(gcheap_alloc_noscan(heap, 64));
	must(gcheap_alloc_noscan(heap, 3 * MIB));
}

FIXTURE(command) {
	struct gcheap *heap;
};

FIXTURE_SETUP(command)
{
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
	in_thread(allocate, self->heap);
	collect(self->heap);
}

FIXTURE_TEARDOWN(command)
{
	gcheap_close(self->heap);
}

TEST_F(command, top_has_what_fdinfo_has)
{
	const char *row;
	char text[64];

	row = row_of(run("gcheap top -b -n 1"), getpid());
	EXPECT_EQ(0, printed.status);
	ASSERT_NE(NULL, row);
	EXPECT_TRUE(nearly(bytes_of(word(row, 0, text)), value_now(self->heap, "resident")));
	EXPECT_TRUE(nearly(bytes_of(word(row, 1, text)), value_now(self->heap, "live")));
	EXPECT_EQ(0, strcmp("-", word(row, 2, text)));
	EXPECT_EQ(0, strcmp("-", word(row, 3, text)));
	EXPECT_EQ(value_now(self->heap, "cycles"), atol(word(row, 4, text)));
	EXPECT_EQ(value_now(self->heap, "processes"), atol(word(row, 7, text)));
	EXPECT_EQ(0, strcmp("test_command", word(row, 8, text)));
	EXPECT_NE(NULL, strstr(printed.text, "CGROUP\n"));
	EXPECT_EQ(NULL, strchr(printed.text, '\033'));
}

TEST_F(command, top_leaves_its_tables_on_a_terminal)
{
	int terminal;
	pid_t pid = top_on_terminal(&terminal, "-n", "1");

	EXPECT_NE(NULL, row_of(read_from(terminal, NULL), getpid()));
	EXPECT_EQ(NULL, strchr(printed.text, '\033'));
	EXPECT_TRUE(child_succeeded(pid));
	close(terminal);
}

TEST_F(command, top_leaves_a_terminal_as_it_was)
{
	struct termios before, after;
	int terminal;
	pid_t pid = top_on_terminal(&terminal, "-d", "86400");

	ASSERT_NE(NULL, strstr(read_from(terminal, "CGROUP"), "\033[?1049h"));
	ASSERT_EQ(0, tcgetattr(terminal, &before));
	EXPECT_EQ(0, before.c_lflag & ICANON);
	/* As ^\ does it */
	ASSERT_EQ(1, write(terminal, &before.c_cc[VQUIT], 1));
	EXPECT_NE(NULL, strstr(read_from(terminal, "\033[?1049l"), "\033[?1049l"));
	EXPECT_TRUE(child_succeeded(pid));
	ASSERT_EQ(0, tcgetattr(terminal, &after));
	EXPECT_NE(0, after.c_lflag & ICANON);
	close(terminal);
}

static void look_from_group(void)
{
	struct gcheap *heap;

	must(write_to(GROUP "/cgroup.procs", "0"));
	heap = gcheap_open(NULL);
	must(heap && row_of(run("gcheap top -n 1"), getpid()));
	must(strstr(printed.text, " /gcheap:memory:0::group\n"));
	_exit(KSFT_PASS);
}

TEST_F(command, top_knows_a_cgroup_whatever_its_name_is)
{
	pid_t pid;

	if (access("/sys/fs/cgroup/cgroup.procs", W_OK))
		SKIP(return, "no cgroups at /sys/fs/cgroup");
	ASSERT_EQ(0, mkdir(GROUP, 0700));
	pid = fork_child();
	if (!pid)
		look_from_group();
	EXPECT_TRUE(child_succeeded(pid));
	while (rmdir(GROUP) && errno == EBUSY)
		sched_yield();
	EXPECT_NE(0, access(GROUP, F_OK));
}

static void run_churner(void)
{
	struct gcheap *heap = gcheap_open(NULL);

	must(heap);
	for (;;)
		must(gcheap_alloc_noscan(heap, 1000));
}

TEST_F(command, top_tells_how_fast_a_program_makes_garbage)
{
	pid_t pid = fork_child();
	char text[64] = "-";
	const char *row = NULL;

	if (!pid)
		run_churner();
	while (!strcmp(text, "-") || !bytes_of(text)) {
		row = row_of(run("gcheap top -n 2 -d 0.3"), pid);
		ASSERT_EQ(0, printed.status);
		if (row)
			word(row, 3, text);
	}
	EXPECT_LT(100 * KIB, bytes_of(text));
	/* It has a goal. */
	EXPECT_LT(0, bytes_of(word(row, 2, text)));
	kill(pid, SIGKILL);
	await_child(pid);
}

TEST_F(command, names_are_made_harmless)
{
	char name[16] = "\033[31m\xc3\xa4\007red", text[64];
	const char *row;

	ASSERT_EQ(0, prctl(PR_SET_NAME, name));
	row = row_of(run("gcheap top -b -n 1"), getpid());
	ASSERT_NE(NULL, row);
	EXPECT_EQ(0, strcmp("?[31m???red", word(row, 8, text)));
	run("gcheap stat %d", getpid());
	EXPECT_EQ(0, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "(?[31m???red)"));
	EXPECT_EQ(NULL, strchr(printed.text, '\033'));
}

static void run_comer(void)
{
	struct gcheap *heap = gcheap_open(NULL);

	must(heap && gcheap_alloc(heap, 10));
	_exit(KSFT_PASS);
}

static _Atomic bool stop;

static void *run_parent(void *unused)
{
	while (!stop) {
		pid_t pid = fork();

		must(pid >= 0);
		if (!pid)
			run_comer();
		must(child_succeeded(pid));
	}
	return unused;
}

TEST_F(command, processes_may_go_while_they_are_looked_at)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, run_parent, NULL));
	run("gcheap top -b -n %ld -d 0.1", scaled(20));
	EXPECT_EQ(0, printed.status);
	EXPECT_EQ(NULL, strstr(printed.text, "gcheap:"));
	stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F(command, stat_has_the_statistics_and_the_sizes)
{
	struct gcheap_stats stats;
	char line[64], text[64];
	const char *row;
	size_t i;

	run("gcheap stat %d", getpid());
	ASSERT_EQ(0, printed.status);
	stats = stats_of(self->heap);
	snprintf(line, sizeof(line), "  cycles       %10ld  ", value_now(self->heap, "cycles"));
	EXPECT_NE(NULL, strstr(printed.text, line));
	for (i = 0; i < stats.num_classes && stats.by_size[i].size != 64; i++)
		;
	ASSERT_LT(i, stats.num_classes);
	row = strstr(printed.text, "     64B ");
	ASSERT_NE(NULL, row);
	EXPECT_LE(3000, atol(word(row, 1, text)));
	EXPECT_EQ((long)stats.by_size[i].mallocs, atol(word(row, 1, text)));
	EXPECT_EQ((long)stats.by_size[i].frees, atol(word(row, 2, text)));
	EXPECT_NE(NULL, strstr(printed.text, "    larger "));
}

TEST_F(command, stat_fails_for_who_has_no_heap_or_is_not_there)
{
	run("gcheap stat 1");
	EXPECT_EQ(1, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "has no descriptor of a heap"));
	run("gcheap stat 1073741824");
	EXPECT_EQ(1, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "No such process"));
}

TEST_F(command, others_see_nothing_of_ones_heaps)
{
	pid_t parent = getpid(), pid = fork_child();

	if (!pid) {
		gcheap_close(self->heap);
		must(!setgid(1000) && !setuid(1000));
		run("gcheap stat %d", parent);
		must(printed.status == 1 && strstr(printed.text, "Permission denied"));
		run("gcheap top -b -n 1");
		must(!printed.status && !row_of(printed.text, parent));
		must(strstr(printed.text, "processes may not be looked at"));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

static long number_in(const char *line, const char *key)
{
	char start[64];
	const char *found;

	snprintf(start, sizeof(start), "\"%s\":", key);
	found = strstr(line, start);
	must(found && found < strchrnul(line, '\n'));
	return atol(found + strlen(start));
}

/* The path of this program */
static const char *self_path(void)
{
	static char path[256];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	must(length > 0);
	return path;
}

TEST(trace_tells_of_each_collection_once)
{
	const char *line;
	long nr = 0;

	line = run("TEST_COMMAND_TIMES=40 gcheap trace --json -- %s", self_path());
	EXPECT_EQ(7, printed.status);
	while (*line) {
		EXPECT_EQ('{', *line);
		EXPECT_EQ(++nr, number_in(line, "number"));
		EXPECT_EQ(1, number_in(line, "forced"));
		EXPECT_LT(0, number_in(line, "pause_ns"));
		EXPECT_LT(0, number_in(line, "live"));
		EXPECT_EQ(1, number_in(line, "processes"));
		line = strchr(line, '\n');
		ASSERT_NE(NULL, line);
		EXPECT_EQ('}', line[-1]);
		line++;
	}
	EXPECT_EQ(40, nr);
}

TEST(trace_prints_lines_for_people)
{
	run("TEST_COMMAND_TIMES=2 gcheap trace -o " LINES " %s; cat " LINES "; rm " LINES,
	    self_path());
	EXPECT_EQ(0, printed.status);
	EXPECT_EQ(0, strncmp(printed.text, "gc 1 of process ", 16));
	EXPECT_NE(NULL, strstr(printed.text, "\ngc 2 of process "));
	EXPECT_NE(NULL, strstr(printed.text, ", forced\n"));
}

TEST(trace_ends_as_its_command_does)
{
	run("TEST_COMMAND_TIMES=1 TEST_COMMAND_KILLED=1 gcheap trace %s", self_path());
	EXPECT_EQ(128 + SIGKILL, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "gc 1 of process "));
	run("gcheap trace -- sh -c 'exit 5'");
	EXPECT_EQ(5, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "no collection"));
	run("gcheap trace /nowhere");
	EXPECT_EQ(127, printed.status);
	run("gcheap trace /proc/version");
	EXPECT_EQ(126, printed.status);
	run("ls /tmp | grep '^gcheap-......$'");
	EXPECT_EQ(1, printed.status);
}

static void exec_traced(const char *script)
{
	execlp("gcheap", "gcheap", "trace", "--", "sh", "-c", script, NULL);
	must(false);
}

static int ended_with_ignored(int ignored, const char *script)
{
	pid_t pid = fork_child();

	if (!pid) {
		must(freopen("/dev/null", "w", stderr) && signal(ignored, SIG_IGN) != SIG_ERR);
		exec_traced(script);
	}
	return await_child(pid);
}

TEST(trace_leaves_its_command_what_signals_do)
{
	EXPECT_EQ(5 << 8, ended_with_ignored(SIGCHLD, "exit 5"));
	EXPECT_EQ(5 << 8, ended_with_ignored(SIGINT, "kill -INT $$; exit 5"));
	EXPECT_EQ(5 << 8, ended_with_ignored(SIGHUP, "kill -HUP $$ $PPID; exit 5"));
	run("gcheap trace -- sh -c 'kill -INT $$; exit 5'");
	EXPECT_EQ(128 + SIGINT, printed.status);
	run("gcheap trace -- sh -c 'kill -PIPE $$; exit 5'");
	EXPECT_EQ(128 + SIGPIPE, printed.status);
	run("gcheap trace -- sh -c 'trap \"exit 9\" TERM; kill $PPID; while :; do :; done'");
	EXPECT_EQ(9, printed.status);
}

static void write_lines(const char *text)
{
	FILE *file = fopen(LINES, "we");

	must(file && fputs(text, file) >= 0 && !fclose(file));
}

#define LINE(number, more)	"{\"pid\":1,\"heap\":\"0x10\",\"number\":" number more "}\n"

TEST(trace_takes_plain_text_only_and_counts_what_has_not_come)
{
	write_lines(LINE("3", "") LINE("4", ",\"\033[31m\":0") LINE("6", "") LINE("5", "")
		    LINE("8", ",\"\xc3\xa4\":0") "9\n" LINE("9", ""));
	run("gcheap trace --json -- sh -c 'cat " LINES " >$GCHEAP_TRACE'");
	EXPECT_EQ(0, printed.status);
	EXPECT_STREQ(LINE("3", "") LINE("6", "") LINE("5", "") LINE("9", "")
		     "gcheap: no line has come of 3 collections\n", printed.text);
	unlink(LINES);
}

static void trace_for_nobody(void)
{
	int ends[2];

	must(!pipe(ends) && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
	exec_traced("cat " LINES " >$GCHEAP_TRACE");
}

TEST(trace_survives_who_reads_it)
{
	pid_t pid;

	write_lines(LINE("1", ""));
	pid = fork_child();
	if (!pid)
		trace_for_nobody();
	EXPECT_EQ(1 << 8, await_child(pid));
	run("ls /tmp | grep '^gcheap-......$'");
	EXPECT_EQ(1, printed.status);
	unlink(LINES);
}

TEST(what_cannot_be_written_is_a_failure)
{
	static const char *const commands[] = { "--help", "--version", "top -n 1", "doctor" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		run("gcheap %s >/dev/full", commands[i]);
		EXPECT_EQ(1, printed.status) {
			TH_LOG("%s", commands[i]);
		}
	}
	write_lines(LINE("1", ""));
	run("gcheap trace -o /dev/full -- sh -c 'cat " LINES " >$GCHEAP_TRACE'");
	EXPECT_EQ(1, printed.status);
	EXPECT_STREQ("gcheap: /dev/full: No space left on device\n", printed.text);
	unlink(LINES);
}

/* What is to be gnuplot shows what it is given. */
TEST(trace_draws_into_a_file_whatever_its_name_is)
{
	write_lines(LINE("1", ""));
	ASSERT_EQ(0, mkdir(BIN, 0700));
	run("printf '#!/bin/sh\\ncat >&2\\n' >" BIN "/gnuplot; chmod +x " BIN "/gnuplot");
	run("PATH=" BIN ":$PATH; gcheap trace --plot \"|touch it's.svg\" -- %s",
	    "sh -c 'cat " LINES " >$GCHEAP_TRACE'");
	EXPECT_EQ(0, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "set output './|touch it''s.svg'\n"));
	run("rm -r " BIN " " LINES);
	EXPECT_EQ(0, printed.status);
}

TEST(trace_does_not_begin_what_it_cannot_draw)
{
	run("PATH=/selftests:/none gcheap trace --plot a.svg -- /bin/touch " RAN);
	EXPECT_EQ(1, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "install gnuplot-nox"));
	EXPECT_NE(0, access(RAN, F_OK));
}

TEST(doctor_finds_that_all_is_well)
{
	run("gcheap doctor");
	EXPECT_EQ(0, printed.status);
	EXPECT_NE(NULL, strstr(printed.text, "fine     module: loaded\n"));
	EXPECT_NE(NULL, strstr(printed.text, "fine     device: may be opened\n"));
	EXPECT_NE(NULL, strstr(printed.text, "fine     heap: made, and collected in "));
	EXPECT_EQ(NULL, strstr(printed.text, "missing"));
}

TEST(doctor_tells_who_may_not_open_the_device)
{
	pid_t pid;

	ASSERT_EQ(0, chmod("/dev/gcheap", 0600));
	pid = fork_child();
	if (!pid) {
		must(!setgid(1000) && !setuid(1000));
		run("gcheap doctor");
		must(printed.status == 1);
		must(strstr(printed.text, "missing  device: permitted to mode 600"));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	ASSERT_EQ(0, chmod("/dev/gcheap", 0666));
}

TEST(wrong_arguments_give_2_and_a_usage_line)
{
	static const char *const wrong[] = {
		"", "bogus", "top -x", "top more", "top -n 0", "top -n -1", "top -n 1x",
		"top -d 0", "top -d nan", "top -d 1x", "stat", "stat x", "stat -1", "stat 0",
		"stat 1 2", "stat 99999999999999999999", "trace", "trace -x true", "trace --plot",
		"trace --plot a.png true", "doctor now", "doctor -x",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		run("gcheap %s", wrong[i]);
		EXPECT_EQ(2, printed.status) {
			TH_LOG("%s", wrong[i]);
		}
		EXPECT_NE(NULL, strstr(printed.text, "\nusage: gcheap ")) {
			TH_LOG("%s", printed.text);
		}
	}
}

TEST(each_command_has_help)
{
	static const char *const commands[] = { "", "top", "stat", "trace", "doctor" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		run("gcheap %s --help", commands[i]);
		EXPECT_EQ(0, printed.status);
		EXPECT_EQ(0, strncmp(printed.text, "usage: gcheap ", 14));
		EXPECT_LE(5, (long)strlen(printed.text) / 40);
	}
	run("gcheap --version");
	EXPECT_EQ(0, printed.status);
	EXPECT_EQ(0, strncmp(printed.text, "gcheap ", 7));
}

TEST_HARNESS_MAIN
