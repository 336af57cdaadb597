// SPDX-License-Identifier: GPL-2.0
/*
 * GCHEAP_SCAN_ALL: all that was written in private memory counts as roots.  Each place
 * is one that does not count without it.
 */
#include <malloc.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "common.h"

#define OBJECT_SIZE	64
#define PAGE		4096
#define NODES		100
#define STACK		(64 * KIB)
/* glibc has 32 in the thread's record. */
#define KEYS		40

FIXTURE(scan_all) {
	struct gcheap *heap;
};

FIXTURE_SETUP(scan_all)
{
	self->heap = open_manual(16 * MIB);
	ASSERT_TRUE(self->heap);
}

FIXTURE_TEARDOWN(scan_all)
{
	gcheap_close(self->heap);
}

static void scan_all(struct gcheap *heap, bool on)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_BEHAVIOUR,
		.behaviour = on ? GCHEAP_SCAN_ALL : 0,
	};

	must(!call(gcheap_fd(heap), GCHEAP_IOC_CONFIG, &config));
}

/* Only with it is the object kept that is in the place. */
static bool only_scan_all_keeps(struct gcheap *heap, uintptr_t object)
{
	scan_all(heap, true);
	collect(heap);
	churn(heap, OBJECT_SIZE);
	must(is_filled(heap, object, OBJECT_SIZE, 1));
	scan_all(heap, false);
	collect(heap);
	return !is_allocated(heap, object);
}

struct node {
	struct node *next;
	void *object;
};

/* Where the only pointer to the object is put */
struct place {
	uintptr_t object;
	void **word;
};

apart void put(void *arg)
{
	struct place *place = arg;

	*place->word = reveal(place->object);
}

TEST_F(scan_all, a_chain_in_malloc_memory)
{
	struct place place = { .object = new_hidden(self->heap, OBJECT_SIZE, 1) };
	static struct node *volatile first;
	struct node *node;
	int i;

	for (i = 0; i < NODES; i++) {
		node = calloc(1, sizeof(*node));
		ASSERT_TRUE(node);
		node->next = first;
		first = node;
		if (i == NODES / 2)
			place.word = &node->object;
	}
	in_thread(put, &place);
	EXPECT_TRUE(only_scan_all_keeps(self->heap, place.object));
}

FIXTURE(mapping) {
	struct gcheap *heap;
	struct place place;
	void *page;
};

FIXTURE_SETUP(mapping)
{
	self->heap = open_manual(16 * MIB);
	ASSERT_TRUE(self->heap);
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	self->place.object = new_hidden(self->heap, OBJECT_SIZE, 1);
	self->place.word = self->page;
	in_thread(put, &self->place);
}

FIXTURE_TEARDOWN(mapping)
{
	gcheap_close(self->heap);
	munmap(self->page, PAGE);
}

TEST_F(mapping, is_searched)
{
	EXPECT_TRUE(only_scan_all_keeps(self->heap, self->place.object));
}

TEST_F(mapping, is_searched_that_is_read_only_now)
{
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ));
	EXPECT_TRUE(only_scan_all_keeps(self->heap, self->place.object));
}

TEST_F(mapping, is_searched_that_nobody_may_read_now)
{
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_NONE));
	EXPECT_TRUE(only_scan_all_keeps(self->heap, self->place.object));
}

/* Either alone may have been for another reason. */
TEST_F(mapping, is_kept_out_by_two_signs)
{
	ASSERT_EQ(0, madvise(self->page, PAGE, MADV_WIPEONFORK));
	scan_all(self->heap, true);
	collect(self->heap);
	ASSERT_TRUE(is_allocated(self->heap, self->place.object));
	ASSERT_EQ(0, madvise(self->page, PAGE, MADV_DONTDUMP));
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, self->place.object));
}

struct holder {
	struct place place;
	pthread_barrier_t turn;
};

static void *hold_specific(void *arg)
{
	struct holder *holder = arg;
	pthread_key_t key;
	int i;

	for (i = 0; i < KEYS; i++)
		must(!pthread_key_create(&key, NULL));
	must(!pthread_setspecific(key, reveal(holder->place.object)));
	wipe_stack();
	pthread_barrier_wait(&holder->turn);
	pthread_barrier_wait(&holder->turn);
	return NULL;
}

static bool late_key_is_only_found_by_scan_all(struct gcheap *heap)
{
	struct holder holder = {
		.place.object = new_hidden(heap, OBJECT_SIZE, 1),
	};
	pthread_t thread;
	bool only;

	must(!pthread_barrier_init(&holder.turn, NULL, 2));
	must(!pthread_create(&thread, NULL, hold_specific, &holder));
	pthread_barrier_wait(&holder.turn);
	only = only_scan_all_keeps(heap, holder.place.object);
	pthread_barrier_wait(&holder.turn);
	must(!pthread_join(thread, NULL));
	return only;
}

/*
 * What the C library leaves of the address where it has passed by, on a stack or beside
 * one, keeps the object as well, now and then: not in each of some threads.  The memory
 * that it has for the late keys must not lie right behind a thread's stack, as a thread's own
 * arena does in one process of some ten.
 */
TEST_F(scan_all, what_a_thread_has_under_a_late_key)
{
	int tries = 0;

	ASSERT_EQ(1, mallopt(M_ARENA_MAX, 1));
	while (!late_key_is_only_found_by_scan_all(self->heap))
		ASSERT_GT(8, ++tries);
}

static ucontext_t outside, inside;
static uintptr_t local;

static void hold_local(void)
{
	void *volatile object = reveal(local);

	must(!swapcontext(&inside, &outside));
	must(object);
}

apart void enter_coroutine(void *stack)
{
	must(!getcontext(&inside));
	inside.uc_stack.ss_sp = stack;
	inside.uc_stack.ss_size = STACK;
	inside.uc_link = NULL;
	makecontext(&inside, hold_local, 0);
	must(!swapcontext(&outside, &inside));
}

TEST_F(scan_all, a_local_of_a_coroutine_that_waits)
{
	void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	ASSERT_NE(MAP_FAILED, stack);
	local = new_hidden(self->heap, OBJECT_SIZE, 1);
	in_thread(enter_coroutine, stack);
	/* Registers that were saved with it are data. */
	memset(&inside, 0, sizeof(inside));
	EXPECT_TRUE(only_scan_all_keeps(self->heap, local));
}

TEST_HARNESS_MAIN
