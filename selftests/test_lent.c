// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the kernel reads or writes for somebody is not reclaimed before it is
 * done: what is in a pipe, what is registered for I/O.
 */
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "common.h"

#define PIPE_SIZE	(1 * MIB)

/* A thread that lends an object to a pipe, and lives on if told so */
struct lender {
	struct gcheap *heap;
	size_t size;
	bool stays;
	int pipe[2];
	int talk[2];
	uintptr_t object;
	pthread_t thread;
};

apart void lend(struct lender *lender)
{
	struct iovec part = { .iov_len = lender->size };

	part.iov_base = gcheap_alloc(lender->heap, lender->size);
	must(part.iov_base);
	fill(part.iov_base, part.iov_len, 1);
	lender->object = hide(part.iov_base);
	must(vmsplice(lender->pipe[1], &part, 1, 0) == (ssize_t)lender->size);
	memset(&part, 0, sizeof(part));
	asm volatile("" : : "r" (&part) : "memory");
}

/* The library tells of the slots that it has given out a word at a time. */
apart void use_up(struct lender *lender)
{
	int i;

	for (i = 0; lender->stays && i < 64; i++)
		must(gcheap_alloc(lender->heap, lender->size));
}

static void *run_lender(void *arg)
{
	struct lender *lender = arg;

	lend(lender);
	use_up(lender);
	wipe_stack();
	say(lender->talk[1]);
	if (lender->stays)
		hear(lender->talk[1]);
	return NULL;
}

FIXTURE(lent) {
	struct lender lender;
};

FIXTURE_VARIANT(lent) {
	size_t size;
	bool stays;
};

FIXTURE_VARIANT_ADD(lent, of_64_bytes) {
	.size = 64,
};

FIXTURE_VARIANT_ADD(lent, of_64_bytes_in_a_slab_of_a_thread) {
	.size = 64, .stays = true,
};

FIXTURE_VARIANT_ADD(lent, over_two_pages) {
	.size = 5824,
};

FIXTURE_VARIANT_ADD(lent, of_8192_bytes) {
	.size = 8192,
};

FIXTURE_VARIANT_ADD(lent, large) {
	.size = 200000,
};

FIXTURE_SETUP(lent)
{
	struct lender *lender = &self->lender;

	lender->heap = open_manual(16 * MIB);
	ASSERT_NE(NULL, lender->heap);
	lender->size = variant->size;
	lender->stays = variant->stays;
	ASSERT_EQ(0, pipe2(lender->pipe, O_CLOEXEC));
	ASSERT_LE(PIPE_SIZE, fcntl(lender->pipe[1], F_SETPIPE_SZ, PIPE_SIZE));
	socket_pair(lender->talk);
	ASSERT_EQ(0, pthread_create(&lender->thread, NULL, run_lender, lender));
	hear(lender->talk[0]);
	if (!lender->stays)
		ASSERT_EQ(0, pthread_join(lender->thread, NULL));
}

FIXTURE_TEARDOWN(lent)
{
	struct lender *lender = &self->lender;

	if (lender->stays) {
		say(lender->talk[0]);
		pthread_join(lender->thread, NULL);
	}
	close(lender->pipe[0]);
	close(lender->pipe[1]);
	close(lender->talk[0]);
	close(lender->talk[1]);
	gcheap_close(lender->heap);
}

static void read_all(int fd, void *to, size_t size)
{
	ssize_t part;

	for (; size; to += part, size -= part) {
		part = read(fd, to, size);
		must(part > 0);
	}
}

/* What is in the pipe is the page, not what was in it at the time. */
TEST_F(lent, what_is_in_a_pipe_is_not_reclaimed)
{
	static char data[200000];
	struct lender *lender = &self->lender;
	int round;

	for (round = 0; round < 3; round++) {
		collect(lender->heap);
		churn(lender->heap, lender->size);
		EXPECT_TRUE(is_allocated(lender->heap, lender->object));
	}
	read_all(lender->pipe[0], data, lender->size);
	EXPECT_TRUE(filled(data, lender->size, 1));
}

TEST_F(lent, what_was_in_a_pipe_is_reclaimed_when_it_is_read)
{
	static char data[200000];
	struct lender *lender = &self->lender;

	collect(lender->heap);
	ASSERT_TRUE(is_allocated(lender->heap, lender->object));
	read_all(lender->pipe[0], data, lender->size);
	collect(lender->heap);
	EXPECT_FALSE(is_allocated(lender->heap, lender->object));
}

TEST_F(lent, what_it_refers_to_is_reclaimed)
{
	struct lender *lender = &self->lender;
	uintptr_t son = new_hidden(lender->heap, 48, 2);

	*(void **)reveal(lender->object) = reveal(son);
	collect(lender->heap);
	EXPECT_TRUE(is_allocated(lender->heap, lender->object));
	EXPECT_FALSE(is_allocated(lender->heap, son));
}

TEST_F(lent, heap_that_ends_leaves_it_to_the_pipe)
{
	static char data[200000];
	struct lender *lender = &self->lender;

	if (lender->stays)
		SKIP(return, "its thread has the heap");
	gcheap_close(lender->heap);
	read_all(lender->pipe[0], data, lender->size);
	EXPECT_TRUE(filled(data, lender->size, 1));
	lender->heap = open_manual(16 * MIB);
}

/* More than the heap would be collected for, 8 MiB */
#define MUCH		64
#define MUCH_SIZE	(128 * KIB)

TEST(garbage_that_cannot_go_does_not_have_collections_follow_each_other)
{
	static struct lender lenders[MUCH];
	struct gcheap *heap = gcheap_open(NULL);
	uint64_t before;
	long i;

	ASSERT_NE(NULL, heap);
	for (i = 0; i < MUCH; i++) {
		lenders[i] = (struct lender) { .heap = heap, .size = MUCH_SIZE };
		ASSERT_EQ(0, pipe2(lenders[i].pipe, O_CLOEXEC));
		ASSERT_LE(MUCH_SIZE, fcntl(lenders[i].pipe[1], F_SETPIPE_SZ, MUCH_SIZE));
		lend(&lenders[i]);
	}
	collect(heap);
	ASSERT_LT(MUCH / 2 * MUCH_SIZE, stats_of(heap).heap_alloc);
	before = stats_of(heap).num_gc;
	for (i = 0; i < 16 * MIB / 1024; i++)
		ASSERT_NE(NULL, gcheap_alloc(heap, 1024));
	EXPECT_LT(stats_of(heap).num_gc - before, 16);
	for (i = 0; i < MUCH; i++) {
		close(lenders[i].pipe[0]);
		close(lenders[i].pipe[1]);
	}
	collect(heap);
	EXPECT_GT(MUCH / 4 * MUCH_SIZE, stats_of(heap).heap_alloc);
	gcheap_close(heap);
}

#define BUFFER		(16 * KIB)

/* One request of io_uring's in flight: a pipe is read into a registered buffer. */
struct ring {
	int fd;
	int pipe[2];
	struct io_uring_params params;
	void *rings;
	struct io_uring_sqe *entries;
	size_t rings_size;
	size_t entries_size;
	struct gcheap *heap;
	uintptr_t buffer;
	_Atomic bool begun;
	_Atomic bool over;
};

static bool ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;

	ring->fd = syscall(SYS_io_uring_setup, 4, p);
	if (ring->fd < 0)
		return false;
	must(p->features & IORING_FEAT_SINGLE_MMAP);
	ring->rings_size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->entries_size = p->sq_entries * sizeof(*ring->entries);
	ring->rings = mmap(NULL, ring->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   ring->fd, IORING_OFF_SQ_RING);
	ring->entries = mmap(NULL, ring->entries_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     ring->fd, IORING_OFF_SQES);
	must(ring->rings != MAP_FAILED && ring->entries != MAP_FAILED);
	must(!pipe2(ring->pipe, O_CLOEXEC));
	return true;
}

static void ring_close(struct ring *ring)
{
	must(!munmap(ring->rings, ring->rings_size));
	must(!munmap(ring->entries, ring->entries_size));
	close(ring->fd);
	close(ring->pipe[0]);
	close(ring->pipe[1]);
}

static _Atomic unsigned int *ring_word(struct ring *ring, unsigned int offset)
{
	return ring->rings + offset;
}

/*
 * Begins to read; nothing but the kernel knows the buffer afterwards.  Only newer
 * kernels register memory of a file: @buffer is 0 if they do not.
 */
apart void ring_begin(void *arg)
{
	struct ring *ring = arg;
	struct iovec part = { .iov_len = BUFFER };
	struct io_uring_sqe entry = {
		.opcode = IORING_OP_READ_FIXED, .fd = ring->pipe[0], .len = BUFFER,
	};

	part.iov_base = gcheap_alloc(ring->heap, BUFFER);
	must(part.iov_base);
	if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &part, 1)) {
		must(errno == EOPNOTSUPP);
		return;
	}
	ring->buffer = hide(part.iov_base);
	entry.addr = (uintptr_t)part.iov_base;
	ring->entries[0] = entry;
	((unsigned int *)(ring->rings + ring->params.sq_off.array))[0] = 0;
	*ring_word(ring, ring->params.sq_off.tail) = 1;
	must(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1);
	memset(ring->entries, 0, ring->entries_size);
	memset(&entry, 0, sizeof(entry));
	memset(&part, 0, sizeof(part));
	asm volatile("" : : "r" (&entry), "r" (&part) : "memory");
}

/* What a thread has asked for is given up when it ends. */
static void *begin_and_stay(void *arg)
{
	struct ring *ring = arg;

	ring_begin(ring);
	wipe_stack();
	ring->begun = true;
	while (!ring->over)
		sched_yield();
	return NULL;
}

static void ring_await(struct ring *ring)
{
	struct io_uring_cqe *done = ring->rings + ring->params.cq_off.cqes;

	must(!syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	must(*ring_word(ring, ring->params.cq_off.tail) == 1);
	must(done->res == BUFFER);
}

#define OTHERS		64

TEST(data_of_a_read_in_flight_does_not_land_in_other_objects)
{
	static char data[BUFFER];
	static char *others[OTHERS];
	struct ring ring = {};
	pthread_t thread;
	int i;

	if (!ring_open(&ring))
		SKIP(return, "no io_uring");
	ring.heap = open_manual(16 * MIB);
	ASSERT_NE(NULL, ring.heap);
	ASSERT_EQ(0, pthread_create(&thread, NULL, begin_and_stay, &ring));
	while (!ring.begun)
		sched_yield();
	if (!ring.buffer)
		SKIP(return, "the kernel does not register a heap's memory");
	collect(ring.heap);
	EXPECT_TRUE(is_allocated(ring.heap, ring.buffer));
	for (i = 0; i < OTHERS; i++) {
		others[i] = gcheap_alloc(ring.heap, BUFFER);
		ASSERT_NE(NULL, others[i]);
		fill(others[i], BUFFER, i);
	}
	memset(data, 0xee, sizeof(data));
	ASSERT_EQ(BUFFER, write(ring.pipe[1], data, BUFFER));
	ring_await(&ring);
	for (i = 0; i < OTHERS; i++)
		EXPECT_TRUE(filled(others[i], BUFFER, i));
	EXPECT_EQ(0, memcmp(reveal(ring.buffer), data, BUFFER));
	ring.over = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ring_close(&ring);
	/* The kernel ends the ring when nobody has to wait for it. */
	do {
		collect(ring.heap);
	} while (is_allocated(ring.heap, ring.buffer));
	gcheap_close(ring.heap);
}

TEST_HARNESS_MAIN
