// SPDX-License-Identifier: GPL-2.0
/*
 * Programs, processes and threads that begin and end in the middle of collections,
 * in every way there is, while others build structures in the heap they share.
 */
#include <spawn.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#include "common.h"

#define LINKS		200
#define BUILDERS	2

struct link {
	struct link *next;
	uint64_t seed;
	char data[56];
};

static struct link *build(struct gcheap *heap, uint64_t seed)
{
	struct link *list = NULL, *link;
	int i;

	for (i = 0; i < LINKS; i++) {
		link = gcheap_alloc(heap, sizeof(*link));
		must(link && all_zero(link, sizeof(*link)));
		link->next = list;
		link->seed = seed + i;
		fill(link->data, sizeof(link->data), link->seed);
		list = link;
	}
	return list;
}

static bool is_whole(const struct link *list)
{
	int i;

	for (i = 0; list; list = list->next, i++)
		if (!filled(list->data, sizeof(list->data), list->seed))
			return false;
	return i == LINKS;
}

static void build_and_check(struct gcheap *heap)
{
	struct link *list = build(heap, getpid());

	must(is_whole(build(heap, gettid())));
	must(is_whole(list));
}

static _Atomic bool stop;

static void *run_builder(void *heap)
{
	while (!stop)
		build_and_check(heap);
	return NULL;
}

static void start_builders(struct gcheap *heap)
{
	pthread_t thread;
	int i;

	for (i = 0; i < BUILDERS; i++)
		must(!pthread_create(&thread, NULL, run_builder, heap));
}

static char *const true_arguments[] = { "/proc/self/exe", "--true", NULL };

static void spawn(struct gcheap *heap)
{
	pid_t pid;

	must(!posix_spawn(&pid, true_arguments[0], NULL, NULL, true_arguments, NULL));
	must(child_succeeded(pid));
	build_and_check(heap);
}

/* The other threads are killed, and the thread that executes becomes the first. */
static void *execute(void *heap)
{
	build_and_check(heap);
	execv(true_arguments[0], true_arguments);
	return NULL;
}

static void execute_among_threads(struct gcheap *heap)
{
	pthread_t thread;
	pid_t pid = fork_child();

	if (!pid) {
		start_builders(heap);
		must(!pthread_create(&thread, NULL, execute, heap));
		for (;;)
			build_and_check(heap);
	}
	must(child_succeeded(pid));
}

static void exit_among_threads(struct gcheap *heap)
{
	pid_t pid = fork_child();

	if (!pid) {
		start_builders(heap);
		build_and_check(heap);
		_exit(KSFT_PASS);
	}
	must(child_succeeded(pid));
}

/* A process that builds until it is killed; it has begun. */
static pid_t start_building(struct gcheap *heap)
{
	int sock[2];
	pid_t pid;

	socket_pair(sock);
	pid = fork_child();
	if (!pid) {
		start_builders(heap);
		say(sock[1]);
		for (;;)
			build_and_check(heap);
	}
	hear(sock[0]);
	close(sock[0]);
	close(sock[1]);
	return pid;
}

static void end_building(pid_t pid)
{
	must(!kill(pid, SIGKILL));
	must(WIFSIGNALED(await_child(pid)));
}

static void be_killed(struct gcheap *heap)
{
	end_building(start_building(heap));
}

/* A process in the same address space, of which the C library knows nothing */
static int check_once(void *list)
{
	return !is_whole(list);
}

static void clone_bare(struct gcheap *heap)
{
	static char stack[64 * KIB] __attribute__((aligned(16)));
	pid_t pid = clone(check_once, stack + sizeof(stack), CLONE_VM | SIGCHLD,
			  build(heap, gettid()));

	must(pid > 0 && child_succeeded(pid));
}

static void change_namespaces(struct gcheap *heap)
{
	int old = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	pid_t pid = fork_child();

	must(old >= 0);
	if (!pid) {
		must(!unshare(CLONE_NEWUTS | CLONE_FS | CLONE_FILES));
		build_and_check(heap);
		must(!setns(old, CLONE_NEWUTS));
		build_and_check(heap);
		_exit(KSFT_PASS);
	}
	must(child_succeeded(pid));
	close(old);
}

static void trace_some_steps(pid_t tid)
{
	int i, status;

	must(!ptrace(PTRACE_SEIZE, tid, NULL, NULL));
	must(!ptrace(PTRACE_INTERRUPT, tid, NULL, NULL));
	must(waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status));
	for (i = 0; i < 5; i++) {
		must(!ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL));
		must(waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status));
	}
	must(!ptrace(PTRACE_DETACH, tid, NULL, NULL));
}

/* One that is traced, and traced no more, all of its life */
static void be_traced(struct gcheap *heap)
{
	pid_t pid = start_building(heap);
	int i;

	for (i = on_debug_kernel() ? 3 : 10; i; i--)
		trace_some_steps(pid);
	end_building(pid);
}

FIXTURE(storm) {
	struct gcheap *heap;
	pthread_t collector;
};

FIXTURE_VARIANT(storm) {
	void (*act)(struct gcheap *heap);
};

#define STORM(name)						\
	FIXTURE_VARIANT_ADD(storm, name) {			\
		.act = name,					\
	}

STORM(spawn);
STORM(execute_among_threads);
STORM(exit_among_threads);
STORM(be_killed);
STORM(clone_bare);
STORM(change_namespaces);
STORM(be_traced);

/* A busy machine may be slow to give up a process's memory: that is no failure. */
static void *run_collector(void *heap)
{
	long collections = 0;

	while (!stop) {
		if (!gcheap_collect(heap))
			collections++;
		else
			must(errno == EAGAIN);
	}
	return (void *)collections;
}

FIXTURE_SETUP(storm)
{
	if (variant->act == change_namespaces && access("/proc/self/ns/uts", F_OK))
		SKIP(return, "the kernel has no namespaces");
	self->heap = open_manual(64 * MIB);
	ASSERT_NE(NULL, self->heap);
	start_builders(self->heap);
	ASSERT_EQ(0, pthread_create(&self->collector, NULL, run_collector, self->heap));
}

FIXTURE_TEARDOWN(storm)
{
	/* Builders may be about to use it. */
}

TEST_F(storm, harms_nobody)
{
	struct link *list = build(self->heap, 1);
	void *collections;
	long i;

	for (i = repeated(200); i; i--) {
		variant->act(self->heap);
		ASSERT_TRUE(is_whole(list));
		list = build(self->heap, i);
	}
	stop = true;
	ASSERT_EQ(0, pthread_join(self->collector, &collections));
	EXPECT_LT(0, (long)collections);
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_TRUE(is_whole(list));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--true"))
		return KSFT_PASS;
	return test_harness_run(argc, argv);
}
