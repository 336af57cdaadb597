// SPDX-License-Identifier: GPL-2.0
/* Each thread gets memory of the NUMA node that it runs on, as long as there is any. */
#include <linux/mempolicy.h>
#include <sys/mman.h>

#include "common.h"

#define OBJECT_SIZE	1024
#define OBJECTS		((int)(8 * MIB / OBJECT_SIZE))

/* Where one thread after the other runs */
#define PROCESSORS	2

static int node_of(const void *address)
{
	int node = -1;

	must(!syscall(SYS_get_mempolicy, &node, NULL, 0, address, MPOL_F_NODE | MPOL_F_ADDR));
	return node;
}

static void run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

static int own_node(void)
{
	unsigned int processor, node;

	must(!syscall(SYS_getcpu, &processor, &node, NULL));
	return node;
}

/**
 * struct share - what a thread allocates
 * @heap: heap
 * @processor: where it runs
 * @objects: what it keeps
 * @near: how many of them are on its node
 * @node: that node
 */
struct share {
	struct gcheap *heap;
	int processor;
	void **objects;
	int near;
	int node;
};

static void *allocate_share(void *arg)
{
	struct share *share = arg;
	int i;

	run_on(share->processor);
	share->node = own_node();
	share->near = 0;
	for (i = 0; i < OBJECTS; i++) {
		share->objects[i] = gcheap_alloc(share->heap, OBJECT_SIZE);
		must(share->objects[i]);
		*(int *)share->objects[i] = i;
		share->near += node_of(share->objects[i]) == share->node;
	}
	return NULL;
}

static void allocate_in_thread(struct share *share)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, allocate_share, share));
	must(!pthread_join(thread, NULL));
}

FIXTURE(numa) {
	struct gcheap *heap;
	struct share shares[PROCESSORS];
};

FIXTURE_SETUP(numa)
{
	int i;

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "the machine has one node");
	self->heap = open_manual(128 * MIB);
	ASSERT_NE(NULL, self->heap);
	for (i = 0; i < PROCESSORS; i++) {
		self->shares[i] = (struct share) {
			.heap = self->heap, .processor = i,
			.objects = mmap(NULL, OBJECTS * sizeof(void *), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		};
		ASSERT_NE(MAP_FAILED, self->shares[i].objects);
		must(!gcheap_root_add(self->heap, self->shares[i].objects,
				      OBJECTS * sizeof(void *)));
	}
}

FIXTURE_TEARDOWN(numa)
{
	gcheap_close(self->heap);
}

TEST_F(numa, each_thread_has_memory_of_its_node)
{
	int i;

	for (i = 0; i < PROCESSORS; i++)
		allocate_in_thread(&self->shares[i]);
	EXPECT_NE(self->shares[0].node, self->shares[1].node);
	for (i = 0; i < PROCESSORS; i++)
		EXPECT_LE(OBJECTS / 10 * 9, self->shares[i].near);
}

/* What one thread has dropped is not the memory that another one gets first. */
TEST_F(numa, memory_that_comes_again_is_of_the_node)
{
	struct gcheap_stats stats;
	int round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < PROCESSORS; i++)
			allocate_in_thread(&self->shares[(i + round) % PROCESSORS]);
		for (i = 0; i < PROCESSORS; i++) {
			EXPECT_LE(OBJECTS / 10 * 9, self->shares[i].near);
			memset(self->shares[i].objects, 0, OBJECTS * sizeof(void *));
		}
		ASSERT_EQ(0, gcheap_collect(self->heap));
	}
	/* Nor does the heap become larger than what is needed. */
	stats = stats_of(self->heap);
	EXPECT_GE(24 * MIB, stats.heap_sys);
}

/* Little is left of the node: then what there is does. */
TEST_F(numa, heap_that_is_full_takes_what_there_is)
{
	struct gcheap *heap = open_manual(4 * MIB);
	size_t bytes = 0;

	ASSERT_NE(NULL, heap);
	run_on(0);
	while (bytes < 3 * MIB / 2) {
		ASSERT_NE(NULL, gcheap_alloc(heap, OBJECT_SIZE));
		bytes += OBJECT_SIZE;
	}
	ASSERT_EQ(0, gcheap_collect(heap));
	run_on(1);
	for (bytes = 0; bytes < 3 * MIB; bytes += OBJECT_SIZE) {
		void **object = gcheap_alloc(heap, OBJECT_SIZE);

		ASSERT_NE(NULL, object);
		*object = self->shares[0].objects[0];
		self->shares[0].objects[0] = object;
	}
	gcheap_close(heap);
}

TEST_HARNESS_MAIN
