// SPDX-License-Identifier: GPL-2.0
/* Processes that share a heap: born by fork, gone by exit, exec and SIGKILL. */
#include <sys/mman.h>

#include "common.h"

#define OBJECTS		5000

struct object {
	struct object *next;
	uint64_t size;
	uint64_t seed;
};

/* Each process's own, since data is copied by fork */
static struct object *volatile mine;

FIXTURE(fork) {
	struct gcheap *heap;
};

FIXTURE_SETUP(fork)
{
	self->heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(fork)
{
	gcheap_close(self->heap);
}

/* fork() of the C library, and the bare system call, of which it knows nothing */
FIXTURE_VARIANT(fork) {
	pid_t (*fork)(void);
};

static pid_t bare_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = syscall(SYS_fork);

	must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (syscall(SYS_getppid) != parent)
			_exit(KSFT_FAIL);
	}
	return pid;
}

FIXTURE_VARIANT_ADD(fork, by_the_library) {
	.fork = fork_child,
};

FIXTURE_VARIANT_ADD(fork, by_the_bare_call) {
	.fork = bare_fork,
};

/* Objects that are zero at first, and keep what this process puts in. */
static void keep_objects(struct gcheap *heap, uint64_t seed, long count)
{
	struct object *object;

	while (count--) {
		size_t size = sizeof(*object) + (seed + count) * 7919 % 500;

		object = gcheap_alloc(heap, size);
		must(object);
		must(all_zero(object, size));
		object->next = mine;
		object->size = size;
		object->seed = seed + count;
		fill(object + 1, size - sizeof(*object), object->seed);
		mine = object;
	}
}

static void check_objects(long count)
{
	const struct object *object = mine;

	for (; object; object = object->next, count--)
		must(filled(object + 1, object->size - sizeof(*object), object->seed));
	must(!count);
}

TEST_F(fork, no_slot_is_handed_out_twice)
{
	long count = scaled(OBJECTS), round;
	pid_t pid;

	/* Slabs that the parent has half used */
	keep_objects(self->heap, 1, count / 2);
	pid = variant->fork();
	for (round = 0; round < 4; round++) {
		keep_objects(self->heap, (pid ? 2 : 3) * 1000000 + round, count / 4);
		must(!gcheap_collect(self->heap));
	}
	check_objects(count / 2 + 4 * (count / 4));
	if (!pid)
		_exit(KSFT_PASS);
	EXPECT_TRUE(child_succeeded(pid));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	check_objects(count / 2 + 4 * (count / 4));
}

/* Generations, all of which allocate and collect */
static void bear(struct gcheap *heap, pid_t (*fork)(void), int depth)
{
	long count = scaled(500) * (depth + 1);
	pid_t pids[2];
	int i;

	for (i = 0; i < 2 && depth; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			keep_objects(heap, getpid(), scaled(500));
			bear(heap, fork, depth - 1);
			_exit(KSFT_PASS);
		}
	}
	keep_objects(heap, getpid(), count);
	must(!gcheap_collect(heap));
	for (i = 0; i < 2 && depth; i++)
		must(child_succeeded(pids[i]));
	must(!gcheap_collect(heap));
	for (const struct object *o = mine; o; o = o->next)
		must(filled(o + 1, o->size - sizeof(*o), o->seed));
}

TEST_F(fork, children_may_fork_themselves)
{
	bear(self->heap, variant->fork, 3);
}

/* While other threads allocate, which the child does not have */
static _Atomic bool stop;

static void *run_allocator(void *heap)
{
	struct object *volatile kept = NULL;
	uint64_t seed = gettid();
	long i;

	for (i = 0; !stop; i++) {
		struct object *object = gcheap_alloc(heap, 100);

		must(object);
		must(all_zero(object, 100));
		fill(object + 1, 100 - sizeof(*object), seed);
		object->next = i % 100 ? kept : NULL;
		kept = object;
		must(filled(kept + 1, 100 - sizeof(*object), seed));
	}
	return NULL;
}

TEST_F(fork, a_program_with_threads_may_fork)
{
	pthread_t threads[3];
	long i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_allocator, self->heap));
	for (i = 0; i < repeated(100); i++) {
		pid_t pid = variant->fork();

		if (!pid) {
			keep_objects(self->heap, getpid(), 50);
			must(!gcheap_collect(self->heap));
			check_objects(50);
			_exit(KSFT_PASS);
		}
		ASSERT_TRUE(child_succeeded(pid));
	}
	stop = true;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
}

TEST_F(fork, the_childs_garbage_goes_when_it_exits)
{
	struct gcheap_stats stats;
	pid_t pid = variant->fork();

	if (!pid) {
		keep_objects(self->heap, 1, OBJECTS);
		_exit(KSFT_PASS);
	}
	ASSERT_TRUE(child_succeeded(pid));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	stats = stats_of(self->heap);
	EXPECT_LE(OBJECTS, stats.mallocs);
	EXPECT_GT(OBJECTS / 100, stats.heap_objects);
}

TEST_F(fork, a_child_killed_in_the_middle_leaves_a_whole_heap)
{
	long count = scaled(1000), i;

	keep_objects(self->heap, 1, count);
	for (i = 0; i < 20; i++) {
		uint64_t before = stats_of(self->heap).num_gc;
		pid_t pid = variant->fork();

		if (!pid)
			for (;;) {
				mine = NULL;
				keep_objects(self->heap, 2, 100);
				must(!gcheap_collect(self->heap));
			}
		while (stats_of(self->heap).num_gc == before)
			sched_yield();
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_TRUE(WIFSIGNALED(await_child(pid)));
		check_objects(count);
	}
	ASSERT_EQ(0, gcheap_collect(self->heap));
	check_objects(count);
	EXPECT_GT(count + 200, stats_of(self->heap).heap_objects);
}

/* A process that waits in another program, until told to end */
static void wait_in_other_program(int sock)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", dup(sock));
	execl("/proc/self/exe", "waiter", "--wait", number, NULL);
	must(!"executed");
}

TEST_F(fork, what_a_child_knew_goes_when_it_executes_another_program)
{
	struct gcheap_stats stats;
	int fds[2];
	pid_t pid;

	socket_pair(fds);
	pid = variant->fork();
	if (!pid) {
		keep_objects(self->heap, 1, OBJECTS);
		/* Those in its slabs count when the slabs come back. */
		must(!gcheap_collect(self->heap));
		say(fds[1]);
		hear(fds[1]);
		wait_in_other_program(fds[1]);
	}
	hear(fds[0]);
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_LE(OBJECTS, stats_of(self->heap).heap_objects);
	say(fds[0]);
	hear(fds[0]);
	ASSERT_EQ(0, gcheap_collect(self->heap));
	stats = stats_of(self->heap);
	EXPECT_GT(OBJECTS / 100, stats.heap_objects);
	say(fds[0]);
	EXPECT_TRUE(child_succeeded(pid));
}

/* vfork(): the child runs in its parent's memory, and in its parent's caches. */
TEST_F(fork, a_vfork_child_may_allocate_before_it_executes)
{
	struct object *volatile by_child = NULL;
	int fds[2];
	pid_t pid;

	socket_pair(fds);
	keep_objects(self->heap, 1, 100);
	pid = vfork();
	if (!pid) {
		by_child = gcheap_alloc(self->heap, 5000);
		if (!by_child)
			_exit(KSFT_FAIL);
		fill(by_child, 5000, 9);
		execl("/proc/self/exe", "true", "--true", NULL);
		_exit(KSFT_FAIL);
	}
	ASSERT_LT(0, pid);
	EXPECT_TRUE(child_succeeded(pid));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	keep_objects(self->heap, 1000000, 1000);
	check_objects(1100);
	EXPECT_TRUE(filled(by_child, 5000, 9));
}

TEST_F(fork, vfork_children_may_allocate_much)
{
	long i;
	pid_t pid;

	keep_objects(self->heap, 1, 100);
	pid = vfork();
	if (!pid) {
		for (i = 0; i < 2000; i++)
			if (!gcheap_alloc(self->heap, 100 + i % 200))
				_exit(KSFT_FAIL);
		_exit(KSFT_PASS);
	}
	ASSERT_LT(0, pid);
	EXPECT_TRUE(child_succeeded(pid));
	keep_objects(self->heap, 1000000, 2000);
	check_objects(2100);
}

/* Root ranges */
static void *volatile *range;

apart void allocate_into_range(void *heap)
{
	range[0] = gcheap_alloc(heap, 64);
	must(range[0]);
	fill(range[0], 64, 5);
}

apart void clear_range(void *unused)
{
	(void)unused;
	range[0] = NULL;
}

TEST_F(fork, a_child_begins_with_its_parents_root_ranges)
{
	struct gcheap *heap = open_manual(0);
	uintptr_t object;
	int fds[2];
	pid_t pid;

	ASSERT_NE(NULL, heap);
	socket_pair(fds);
	range = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, range);
	ASSERT_EQ(0, gcheap_root_add(heap, (void *)range, 4096));
	in_thread(allocate_into_range, heap);
	object = hide(range[0]);
	pid = variant->fork();
	if (!pid) {
		say(fds[1]);
		hear(fds[1]);
		must(!gcheap_root_del(heap, (void *)range));
		say(fds[1]);
		hear(fds[1]);
		_exit(KSFT_PASS);
	}
	hear(fds[0]);
	in_thread(clear_range, NULL);
	/* The parent's own range is not the child's any more. */
	ASSERT_EQ(0, gcheap_root_del(heap, (void *)range));
	collect(heap);
	churn(heap, 64);
	EXPECT_TRUE(is_filled(heap, object, 64, 5));
	say(fds[0]);
	hear(fds[0]);
	collect(heap);
	EXPECT_FALSE(is_allocated(heap, object));
	say(fds[0]);
	EXPECT_TRUE(child_succeeded(pid));
	gcheap_close(heap);
}

/* A stopped process can be collected around, and goes on afterwards. */
TEST_F(fork, a_process_that_is_stopped_keeps_its_objects)
{
	pid_t pid = variant->fork();
	int status, i;

	if (!pid) {
		keep_objects(self->heap, 1, 1000);
		raise(SIGSTOP);
		check_objects(1000);
		keep_objects(self->heap, 2, 1000);
		check_objects(2000);
		_exit(KSFT_PASS);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, gcheap_collect(self->heap));
		keep_objects(self->heap, 1000 * i, 2000);
	}
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_TRUE(child_succeeded(pid));
	check_objects(6000);
}

/* Children that are born, and die, in the middle of stops */
TEST_F(fork, may_happen_while_the_world_stops)
{
	long i, count = repeated(500);
	pid_t mothers[3];
	int m;

	for (m = 0; m < 3; m++) {
		mothers[m] = variant->fork();
		if (mothers[m])
			continue;
		for (;;) {
			pid_t pid = variant->fork();

			if (!pid)
				_exit(KSFT_PASS);
			must(child_succeeded(pid));
		}
	}
	keep_objects(self->heap, 1, 1000);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, gcheap_collect(self->heap));
	for (m = 0; m < 3; m++) {
		EXPECT_EQ(0, kill(mothers[m], SIGKILL));
		EXPECT_TRUE(WIFSIGNALED(await_child(mothers[m])));
	}
	check_objects(1000);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--true"))
		return KSFT_PASS;
	if (argc == 3 && !strcmp(argv[1], "--wait")) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		say(atoi(argv[2]));
		hear(atoi(argv[2]));
		return KSFT_PASS;
	}
	return test_harness_run(argc, argv);
}
