// SPDX-License-Identifier: GPL-2.0
/* What nothing refers to is reclaimed by one collection. */
#include <sys/mman.h>

#include "common.h"

/* Of these many at least so many go; a few may be kept by words that look alike. */
#define COUNT		10000
#define GONE(count)	((count) / 100 * 99)
#define FEW		(COUNT / 100)

struct link {
	struct link *next;
	struct link *other;
};

/* Its address may be the heap's own, which the C library's stack frames know. */
TEST(the_first_object_goes_too)
{
	const struct gcheap_options options = { .percent = -1 };
	struct gcheap *heap = gcheap_open(&options);
	uintptr_t object;

	ASSERT_NE(NULL, heap);
	object = new_hidden(heap, 64, 1);
	ASSERT_TRUE(is_allocated(heap, object));
	collect(heap);
	EXPECT_FALSE(is_allocated(heap, object));
	gcheap_close(heap);
}

FIXTURE(garbage) {
	struct gcheap *heap;
};

FIXTURE_SETUP(garbage)
{
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(garbage)
{
	gcheap_close(self->heap);
}

struct dropping {
	struct gcheap *heap;
	void *(*alloc)(struct gcheap *heap, size_t size);
	size_t size;
	long count;
};

apart void drop(void *arg)
{
	const struct dropping *dropping = arg;
	long i;

	for (i = 0; i < dropping->count; i++) {
		char *object = dropping->alloc(dropping->heap, dropping->size);

		must(object);
		object[dropping->size - 1] = 1;
	}
}

static uint64_t collect_and_count(struct gcheap *heap)
{
	uint64_t before = stats_of(heap).frees;

	collect(heap);
	return stats_of(heap).frees - before;
}

static const size_t sizes[] = {
	1, 8, 16, 24, 100, 128, 129, 500, 1024, 3000, 8192, 10000, 32768,
};

TEST_F(garbage, of_any_size_goes)
{
	struct dropping dropping = { self->heap, gcheap_alloc, 0, scaled(COUNT) };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		dropping.size = sizes[i];
		in_thread(drop, &dropping);
		EXPECT_LE(GONE(dropping.count), collect_and_count(self->heap)) {
			TH_LOG("size %zu", sizes[i]);
		}
	}
}

TEST_F(garbage, without_pointers_goes)
{
	struct dropping dropping = { self->heap, gcheap_alloc_noscan, 0, scaled(COUNT) };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		dropping.size = sizes[i];
		in_thread(drop, &dropping);
		EXPECT_LE(GONE(dropping.count), collect_and_count(self->heap)) {
			TH_LOG("size %zu", sizes[i]);
		}
	}
}

TEST_F(garbage, of_large_objects_goes)
{
	struct dropping dropping = { self->heap, gcheap_alloc, 0, 1000 };

	for (dropping.size = 32769; dropping.size < 200000; dropping.size *= 2) {
		in_thread(drop, &dropping);
		EXPECT_LE(GONE(dropping.count), collect_and_count(self->heap));
	}
}

/* The thread that collects has itself dropped them, and holds their slabs. */
TEST_F(garbage, of_the_collecting_thread_goes)
{
	struct dropping dropping = { self->heap, gcheap_alloc, 64, COUNT };
	uint64_t before = stats_of(self->heap).frees;

	drop(&dropping);
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_LE(GONE(COUNT), stats_of(self->heap).frees - before);
}

#define ALL_VECTORS(with)							\
	with(0) with(1) with(2) with(3) with(4) with(5) with(6) with(7)		\
	with(8) with(9) with(10) with(11) with(12) with(13) with(14) with(15)
#define SET_VECTOR(i)	"movq %0, %%xmm" #i "\n\tpunpcklqdq %%xmm" #i ", %%xmm" #i "\n\t"
#define OR_VECTOR(i)	"movq %%xmm" #i ", %%rax\n\tor %%rax, %0\n\t" \
			"pextrq $1, %%xmm" #i ", %%rax\n\tor %%rax, %0\n\t"

/* No call keeps them, and none may have used them for long. */
TEST_F(garbage, in_vector_registers_of_the_collecting_thread_goes)
{
	const uintptr_t object = new_hidden(self->heap, 64, 1);

	asm volatile(ALL_VECTORS(SET_VECTOR) : : "r" (reveal(object)));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_FALSE(is_allocated(self->heap, object));
}

TEST_F(garbage, is_in_no_vector_register_when_slabs_are_fetched)
{
	uint64_t left = 0;
	void *object;

	asm volatile(ALL_VECTORS(SET_VECTOR) : : "r" (-1l));
	object = gcheap_alloc(self->heap, 100000);
	asm volatile(ALL_VECTORS(OR_VECTOR) : "+r" (left) : : "rax");
	EXPECT_NE(NULL, object);
	EXPECT_EQ(0, left);
}

/*
 * Allocate with @token in all registers that a call keeps, and count those that are in
 * frames afterwards.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
static __attribute__((naked, noinline))
uint64_t allocate_and_look(struct gcheap *heap, size_t size, uint64_t token,
			   void *(*alloc)(struct gcheap *heap, size_t size))
{
	asm("push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	    "sub $8, %rsp\n\t"
	    "mov %rdx, %rbx\n\tmov %rdx, %rbp\n\tmov %rdx, %r12\n\t"
	    "mov %rdx, %r13\n\tmov %rdx, %r14\n\tmov %rdx, %r15\n\t"
	    "call *%rcx\n\t"
	    "xor %eax, %eax\n\t"
	    "lea -1024(%rsp), %rcx\n"
	    "1:\tcmp %rbx, (%rcx)\n\t"
	    "jne 2f\n\t"
	    "inc %eax\n"
	    "2:\tadd $8, %rcx\n\t"
	    "cmp %rsp, %rcx\n\t"
	    "jne 1b\n\t"
	    "add $8, %rsp\n\t"
	    "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\t"
	    "ret");
}
#pragma GCC diagnostic pop

static void *collect_instead(struct gcheap *heap, size_t size)
{
	return (void *)(intptr_t)(size ? gcheap_release(heap) : gcheap_collect(heap));
}

/* One that stayed in a dead frame kept a list of 261,632 objects. */
TEST_F(garbage, is_in_no_frame_of_who_fetched_slabs)
{
	static const size_t sizes[] = { 1, 64, 32768, 32769, 1000000, 1ul << 40 };
	const uint64_t token = 0x746f6b656e746f6b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		gcheap_thread_release(self->heap);
		EXPECT_EQ(0, allocate_and_look(self->heap, sizes[i], token, gcheap_alloc)) {
			TH_LOG("size %zu", sizes[i]);
		}
		gcheap_thread_release(self->heap);
		EXPECT_EQ(0, allocate_and_look(self->heap, sizes[i], token, gcheap_alloc_noscan)) {
			TH_LOG("size %zu, no pointers in it", sizes[i]);
		}
	}
	for (i = 0; i < 2; i++) {
		ASSERT_NE(NULL, gcheap_alloc(self->heap, 64));
		EXPECT_EQ(0, allocate_and_look(self->heap, i, token, collect_instead));
	}
}

/* A ring in which everyone has two neighbours */
apart struct link *make_ring(struct gcheap *heap, long count)
{
	struct link *first = gcheap_alloc(heap, sizeof(*first)), *link = first;

	must(first);
	while (--count) {
		link->next = gcheap_alloc(heap, sizeof(*link));
		must(link->next);
		link->next->other = link;
		link = link->next;
	}
	link->next = first;
	first->other = link;
	return first;
}

apart void drop_ring(void *heap)
{
	make_ring(heap, COUNT);
}

TEST_F(garbage, that_refers_to_itself_goes)
{
	in_thread(drop_ring, self->heap);
	EXPECT_LE(GONE(COUNT), collect_and_count(self->heap));
}

/* The header is on the stack all the time, and allocated before what goes through. */
struct queue {
	struct link *first;
	struct link *last;
};

apart void pass_through(struct gcheap *heap, struct queue *queue, long count)
{
	while (count--) {
		struct link *link = gcheap_alloc(heap, sizeof(*link));

		must(link);
		if (queue->last)
			queue->last->next = link;
		else
			queue->first = link;
		queue->last = link;
		if (queue->first != link)
			queue->first = queue->first->next;
	}
}

struct queueing {
	struct gcheap *heap;
	uint64_t left;
};

apart void keep_header_of_queue(void *arg)
{
	struct queueing *queueing = arg;
	struct queue *volatile queue = gcheap_alloc(queueing->heap, sizeof(*queue));
	uint64_t before = stats_of(queueing->heap).heap_objects;

	must(queue);
	pass_through(queueing->heap, queue, COUNT);
	must(!gcheap_collect(queueing->heap));
	queueing->left = stats_of(queueing->heap).heap_objects - before;
	must(queue->first);
}

/*
 * A stack keeps what ends where it points, too: that must not be what was allocated
 * next, which leads to all that came after it.
 */
TEST_F(garbage, goes_that_went_through_a_queue_whose_header_is_kept)
{
	struct queueing queueing = { .heap = self->heap };

	in_thread(keep_header_of_queue, &queueing);
	EXPECT_GE(FEW, queueing.left);
}

/* A ring held by a word: in an object that is kept by a global */
static void *volatile *volatile keeper;

struct keeping {
	struct gcheap *heap;
	void *(*alloc)(struct gcheap *heap, size_t size);
};

apart void keep_ring(void *arg)
{
	const struct keeping *keeping = arg;

	keeper = keeping->alloc(keeping->heap, sizeof(*keeper));
	must(keeper);
	*keeper = make_ring(keeping->heap, COUNT);
}

apart void drop_keeper(void *arg)
{
	(void)arg;
	keeper = NULL;
}

TEST_F(garbage, goes_that_only_an_object_without_pointers_names)
{
	struct keeping keeping = { self->heap, gcheap_alloc_noscan };

	in_thread(keep_ring, &keeping);
	EXPECT_LE(GONE(COUNT), collect_and_count(self->heap));
	in_thread(drop_keeper, NULL);
}

TEST_F(garbage, is_not_what_an_object_with_pointers_names)
{
	struct keeping keeping = { self->heap, gcheap_alloc };

	in_thread(keep_ring, &keeping);
	EXPECT_GE(FEW, collect_and_count(self->heap));
	in_thread(drop_keeper, NULL);
	EXPECT_LE(GONE(COUNT), collect_and_count(self->heap));
}

/* Another process keeps a ring in its data; until it ends, or leaves the heap. */
static void hold_ring(struct gcheap *heap, int sock, bool leave)
{
	struct keeping keeping = { heap, gcheap_alloc };

	in_thread(keep_ring, &keeping);
	say(sock);
	hear(sock);
	if (leave) {
		gcheap_close(heap);
		say(sock);
		hear(sock);
	}
	_exit(KSFT_PASS);
}

static pid_t start_holder(struct gcheap *heap, int *sock, bool leave)
{
	int fds[2];
	pid_t pid;

	socket_pair(fds);
	pid = fork_child();
	if (!pid)
		hold_ring(heap, fds[1], leave);
	close(fds[1]);
	*sock = fds[0];
	hear(*sock);
	return pid;
}

TEST_F(garbage, goes_that_only_a_process_that_exited_knew)
{
	int sock;
	pid_t pid = start_holder(self->heap, &sock, false);

	EXPECT_GE(FEW, collect_and_count(self->heap));
	say(sock);
	ASSERT_TRUE(child_succeeded(pid));
	EXPECT_LE(GONE(COUNT), collect_and_count(self->heap));
}

TEST_F(garbage, goes_that_only_a_process_that_was_killed_knew)
{
	int sock;
	pid_t pid = start_holder(self->heap, &sock, false);

	EXPECT_GE(FEW, collect_and_count(self->heap));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(WIFSIGNALED(await_child(pid)));
	EXPECT_LE(GONE(COUNT), collect_and_count(self->heap));
}

TEST_F(garbage, goes_that_only_a_process_that_left_the_heap_knows)
{
	int sock;
	pid_t pid = start_holder(self->heap, &sock, true);

	EXPECT_GE(FEW, collect_and_count(self->heap));
	say(sock);
	hear(sock);
	EXPECT_LE(GONE(COUNT), collect_and_count(self->heap));
	say(sock);
	ASSERT_TRUE(child_succeeded(pid));
}

/* A thread that keeps a ring in a local variable until it is told to end */
struct thread {
	struct gcheap *heap;
	int sock;
	pid_t tid;
};

static void *hold_ring_in_local(void *arg)
{
	struct thread *thread = arg;
	struct link *volatile ring = make_ring(thread->heap, COUNT);

	thread->tid = gettid();
	say(thread->sock);
	hear(thread->sock);
	must(ring->next->other == ring);
	return NULL;
}

TEST_F(garbage, goes_that_only_a_thread_that_ended_knew)
{
	struct thread thread = { .heap = self->heap };
	pthread_t id;
	int fds[2];

	socket_pair(fds);
	thread.sock = fds[1];
	ASSERT_EQ(0, pthread_create(&id, NULL, hold_ring_in_local, &thread));
	hear(fds[0]);
	EXPECT_GE(FEW, collect_and_count(self->heap));
	say(fds[0]);
	ASSERT_EQ(0, pthread_join(id, NULL));
	await_thread_end(thread.tid);
	EXPECT_LE(GONE(COUNT), collect_and_count(self->heap));
}

/* Slabs that a killed process had, partly used */
TEST_F(garbage, goes_from_slabs_of_a_killed_process)
{
	struct dropping dropping = { self->heap, gcheap_alloc, 48, COUNT };
	pid_t pid = fork_child();

	if (!pid) {
		drop(&dropping);
		kill(getpid(), SIGKILL);
	}
	ASSERT_TRUE(WIFSIGNALED(await_child(pid)));
	collect(self->heap);
	EXPECT_GT(COUNT / 100, stats_of(self->heap).heap_objects);
}

TEST_HARNESS_MAIN
