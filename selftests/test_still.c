// SPDX-License-Identifier: GPL-2.0
/*
 * A process that cannot run does not hold up a collection beside it, keeps what it
 * has, and goes on afterwards: one that is traced, frozen, waits for a vfork child,
 * sleeps in a file system that does not answer, or writes its core file; one whose
 * first thread has ended.
 */
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common.h"

#define OBJECT_SIZE	64
#define SEED		5
#define CGROUPS		"/sys/fs/cgroup"

/* Shared with the child: it is to spin no more. */
static _Atomic bool *go;

FIXTURE(still) {
	struct gcheap *heap;
	int sock;
	pid_t child;
	uintptr_t *object;
};

FIXTURE_SETUP(still)
{
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
	self->object = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, self->object);
	go = (void *)(self->object + 1);
}

FIXTURE_TEARDOWN(still)
{
	gcheap_close(self->heap);
}

/* An object that only this stack refers to, while something is done */
apart void hold_while(struct gcheap *heap, uintptr_t *hidden, void (*wait)(int sock), int sock)
{
	void *volatile object = gcheap_alloc(heap, OBJECT_SIZE);

	must(object);
	fill(object, OBJECT_SIZE, SEED);
	*hidden = hide(object);
	wait(sock);
	must(filled(object, OBJECT_SIZE, SEED));
}

static void start_child(FIXTURE_DATA(still) *self, void (*wait)(int sock))
{
	int socks[2];

	socket_pair(socks);
	self->sock = socks[0];
	self->child = fork_child();
	if (!self->child) {
		hold_while(self->heap, self->object, wait, socks[1]);
		_exit(KSFT_PASS);
	}
	close(socks[1]);
}

/* Collections beside it, all of which succeed, and over whatever they reclaim */
static bool collects(FIXTURE_DATA(still) *self)
{
	long i;

	for (i = scaled(200); i; i--)
		collect(self->heap);
	churn(self->heap, OBJECT_SIZE);
	return is_filled(self->heap, *self->object, OBJECT_SIZE, SEED);
}

static void say_and_spin(int sock)
{
	say(sock);
	while (!*go)
		;
}

static void say_and_hear(int sock)
{
	say(sock);
	hear(sock);
}

TEST_F(still, when_it_is_traced)
{
	int status;

	start_child(self, say_and_spin);
	hear(self->sock);
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->child, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->child, NULL, NULL));
	ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_TRUE(collects(self));
	*go = true;
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->child, NULL, NULL));
	EXPECT_TRUE(child_succeeded(self->child));
}

/* gdb looks at each system call; stops and works for threads are not in its way. */
TEST_F(still, when_its_system_calls_are_traced)
{
	int status, calls = 0;

	start_child(self, say_and_hear);
	hear(self->sock);
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->child, NULL, PTRACE_O_TRACESYSGOOD));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->child, NULL, NULL));
	for (;;) {
		ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
		if (!WIFSTOPPED(status))
			break;
		if (calls++ < 4)
			EXPECT_TRUE(collects(self));
		if (calls == 1)
			say(self->sock);
		ASSERT_EQ(0, ptrace(PTRACE_SYSCALL, self->child, NULL, NULL));
	}
	EXPECT_LE(3, calls);
	EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void put_text(const char *folder, const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static bool file_has(const char *folder, const char *file, const char *text)
{
	char path[256], content[256] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && read(fd, content, sizeof(content) - 1) >= 0);
	close(fd);
	return strstr(content, text);
}

TEST_F(still, when_it_is_frozen)
{
	char folder[] = CGROUPS "/gcheap-XXXXXX", number[16];

	if (access(CGROUPS "/cgroup.procs", W_OK) || !mkdtemp(folder))
		SKIP(return, "no control groups of version 2 in " CGROUPS);
	start_child(self, say_and_spin);
	hear(self->sock);
	snprintf(number, sizeof(number), "%d", self->child);
	put_text(folder, "cgroup.procs", number);
	put_text(folder, "cgroup.freeze", "1");
	while (!file_has(folder, "cgroup.events", "frozen 1"))
		sched_yield();
	EXPECT_TRUE(collects(self));
	*go = true;
	put_text(folder, "cgroup.freeze", "0");
	EXPECT_TRUE(child_succeeded(self->child));
	/* It may not be empty yet. */
	while (rmdir(folder))
		must(errno == EBUSY);
}

static void wait_for_vfork_child(int sock)
{
	pid_t pid = vfork();

	must(pid >= 0);
	if (!pid) {
		say_and_hear(sock);
		_exit(KSFT_PASS);
	}
	must(child_succeeded(pid));
}

TEST_F(still, when_it_waits_for_a_vfork_child)
{
	start_child(self, wait_for_vfork_child);
	hear(self->sock);
	EXPECT_TRUE(collects(self));
	say(self->sock);
	EXPECT_TRUE(child_succeeded(self->child));
}

struct second_thread {
	struct gcheap *heap;
	uintptr_t *object;
	int sock;
	pid_t first;
};

static void *run_second_thread(void *arg)
{
	struct second_thread *second = arg;
	char path[64], text[256];
	int fd;

	/* Until the first one is a zombie */
	do {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", getpid(), second->first);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		memset(text, 0, sizeof(text));
		must(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
	} while (!strstr(text, ") Z "));
	hold_while(second->heap, second->object, say_and_hear, second->sock);
	_exit(KSFT_PASS);
}

TEST_F(still, when_its_first_thread_has_ended)
{
	static struct second_thread second;
	pthread_t thread;
	int socks[2];

	socket_pair(socks);
	self->child = fork_child();
	if (!self->child) {
		second = (struct second_thread) {
			.heap = self->heap, .object = self->object, .sock = socks[1],
			.first = getpid(),
		};
		must(!pthread_create(&thread, NULL, run_second_thread, &second));
		syscall(SYS_exit, 0);
	}
	self->sock = socks[0];
	hear(self->sock);
	EXPECT_TRUE(collects(self));
	say(self->sock);
	EXPECT_TRUE(child_succeeded(self->child));
}

/* The core file goes to a program that does not read it, before it is told to. */
static void dump_core(int sock)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	must(!setrlimit(RLIMIT_CORE, &all));
	say(sock);
	raise(SIGQUIT);
}

/* Of two pipes with names: the first says that it has begun, the second go on. */
static int open_fifo(const char *folder, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	mkfifo(path, 0600);
	fd = open(path, O_RDWR | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

static void read_core(const char *folder)
{
	char chunk[4096];

	say(open_fifo(folder, "begun"));
	hear(open_fifo(folder, "go"));
	while (read(STDIN_FILENO, chunk, sizeof(chunk)) > 0)
		;
	exit(KSFT_PASS);
}

TEST_F(still, when_it_writes_its_core_file)
{
	static const char file[] = "/proc/sys/kernel/core_pattern";
	char folder[] = "/tmp/gcheap-XXXXXX", pattern[128], program[64] = "", old[128] = "";
	int status, fd, begun, go;

	ASSERT_NE(NULL, mkdtemp(folder));
	begun = open_fifo(folder, "begun");
	go = open_fifo(folder, "go");
	fd = open(file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, old, sizeof(old) - 1));
	ASSERT_LT(0, readlink("/proc/self/exe", program, sizeof(program) - 1));
	snprintf(pattern, sizeof(pattern), "|%s --core %s", program, folder);
	ASSERT_LT(0, pwrite(fd, pattern, strlen(pattern), 0));
	start_child(self, dump_core);
	hear(self->sock);
	hear(begun);
	/* It runs no more code of its own; what it had may go. */
	collects(self);
	say(go);
	status = await_child(self->child);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT && WCOREDUMP(status));
	ASSERT_LT(0, pwrite(fd, old, strlen(old), 0));
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--core"))
		read_core(argv[2]);
	return test_harness_run(argc, argv);
}
