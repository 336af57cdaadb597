// SPDX-License-Identifier: GPL-2.0
/*
 * Who belongs to a heap, and who is let alone: processors where no member runs are
 * not interrupted; members that are gone are forgotten; a process that shares its
 * memory with a member, without being a thread of it, is stopped as all are.
 */
#include <sys/mman.h>

#include "common.h"

#define STOPS		1000
#define OBJECT_SIZE	64
#define SEED		11
#define CHILDREN	300

/* More than a few members take, less than all children do */
#define GROWTH_MAX	(64 * KIB)

FIXTURE(members) {
	struct gcheap *heap;
};

FIXTURE_SETUP(members)
{
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(members)
{
	gcheap_close(self->heap);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

/* Function calls that a processor was interrupted for */
static uint64_t calls_on(int cpu)
{
	FILE *file = fopen("/proc/interrupts", "r");
	char line[4096];
	uint64_t calls = 0;
	bool found = false;
	char *at;

	must(file);
	while (!found && fgets(line, sizeof(line), file)) {
		at = strstr(line, "CAL:");
		found = at;
		for (at += 4; found && cpu >= 0; cpu--)
			calls = strtoull(at, &at, 10);
	}
	must(found);
	fclose(file);
	return calls;
}

static void spin_on(int cpu)
{
	run_on(cpu);
	for (;;)
		asm volatile("pause");
}

static void *sleep_on(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* In a process that never ran on the other processor, beside a thread to be held */
static void collect_often(void)
{
	struct gcheap *heap = gcheap_open(NULL);
	pthread_t thread;
	uint64_t before;
	int i;

	must(heap);
	must(!pthread_create(&thread, NULL, sleep_on, NULL));
	must(!gcheap_collect(heap));
	before = calls_on(1);
	for (i = 0; i < STOPS; i++)
		must(!gcheap_collect(heap));
	must(calls_on(1) - before < STOPS / 10);
	gcheap_close(heap);
	_exit(KSFT_PASS);
}

TEST(a_processor_without_members_is_not_interrupted)
{
	pid_t stranger, member;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one processor");
	/* Memory that is checked, and what verify takes, has all processors flush theirs. */
	if (release_has("-gcheap"))
		SKIP(return, "a debugging kernel interrupts all processors by itself");
	stranger = fork_child();
	if (!stranger)
		spin_on(1);
	run_on(0);
	member = fork_child();
	if (!member)
		collect_often();
	EXPECT_EQ(KSFT_PASS, await_child(member));
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}

TEST_F(members, the_dead_are_forgotten)
{
	uint64_t before = stats_of(self->heap).gc_sys;
	pid_t child;
	int i;

	for (i = scaled(CHILDREN); i; i--) {
		child = fork_child();
		if (!child)
			_exit(KSFT_PASS);
		await_child(child);
	}
	EXPECT_GT(GROWTH_MAX, stats_of(self->heap).gc_sys - before);
}

/* Shared with the process that shares all */
struct sharer {
	uintptr_t object;
	_Atomic bool has_it;
	_Atomic bool go;
	_Atomic bool good;
};

/* It has no thread-local storage of its own: so nothing of the C library here. */
static int share(void *arg)
{
	struct sharer *sharer = arg;
	void *volatile object = reveal(sharer->object);

	sharer->has_it = true;
	while (!sharer->go)
		asm volatile("pause");
	sharer->good = filled(object, OBJECT_SIZE, SEED);
	return KSFT_PASS;
}

TEST_F(members, a_process_that_shares_memory_is_stopped)
{
	struct hidden hidden = { .heap = self->heap, .size = OBJECT_SIZE, .seed = SEED };
	struct sharer *sharer = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *stack = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	pid_t child;
	long i;

	ASSERT_NE(MAP_FAILED, sharer);
	ASSERT_NE(MAP_FAILED, stack);
	in_thread(allocate_hidden, &hidden);
	sharer->object = hidden.object;
	child = clone(share, stack + MIB, CLONE_VM | SIGCHLD, sharer);
	ASSERT_LT(0, child);
	while (!sharer->has_it)
		sched_yield();
	for (i = scaled(50); i; i--)
		must(!gcheap_collect(self->heap));
	churn(self->heap, OBJECT_SIZE);
	sharer->go = true;
	EXPECT_EQ(KSFT_PASS, await_child(child));
	EXPECT_TRUE(sharer->good);
	munmap(stack, MIB);
	munmap(sharer, MIB);
}

TEST_HARNESS_MAIN
