// SPDX-License-Identifier: GPL-2.0
/* Objects are ordinary memory to the kernel and to other processes. */
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "common.h"

#define SMALL		1000
#define LARGE		(MIB + 100)

FIXTURE(memory) {
	struct gcheap *heap;
	char *object;
};

/* In a slab, and of whole pages */
FIXTURE_VARIANT(memory) {
	size_t size;
};

FIXTURE_VARIANT_ADD(memory, of_a_small_object) {
	.size = SMALL,
};

FIXTURE_VARIANT_ADD(memory, of_a_large_object) {
	.size = LARGE,
};

FIXTURE_SETUP(memory)
{
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
	self->object = gcheap_alloc(self->heap, variant->size);
	ASSERT_NE(NULL, self->object);
}

FIXTURE_TEARDOWN(memory)
{
	gcheap_close(self->heap);
}

static int temporary_file(const char *folder, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/gcheap-test-%d", folder, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);
	unlink(path);
	return fd;
}

/* The file's content is put into an object that was never touched. */
static void write_and_read(struct gcheap *heap, int fd, char *object, size_t size)
{
	char *copy = gcheap_alloc(heap, size);

	must(copy);
	fill(object, size, 5);
	must(write(fd, object, size) == (ssize_t)size);
	must(!gcheap_collect(heap));
	must(lseek(fd, 0, SEEK_SET) == 0);
	must(read(fd, copy, size) == (ssize_t)size);
	must(filled(copy, size, 5));
	must(filled(object, size, 5));
}

TEST_F(memory, can_be_written_to_a_file_and_read_back)
{
	int fd = temporary_file("/tmp", 0);

	ASSERT_LE(0, fd);
	write_and_read(self->heap, fd, self->object, variant->size);
}

TEST_F(memory, can_be_written_and_read_directly)
{
	const char *disk = getenv("GCHEAP_DISK");
	char *object;
	int fd;

	if (!disk)
		SKIP(return, "no disk: GCHEAP_DISK is not set");
	fd = temporary_file(disk, O_DIRECT);
	ASSERT_LE(0, fd);
	object = gcheap_alloc(self->heap, 64 * KIB);
	ASSERT_NE(NULL, object);
	write_and_read(self->heap, fd, object, 64 * KIB);
}

/* Collections go on while the file system works on the pages. */
static void *run_collector(void *arg)
{
	int i;

	for (i = 0; i < 50; i++)
		must(!gcheap_collect(arg));
	return NULL;
}

TEST_F(memory, can_be_read_into_while_collections_go_on)
{
	const char *disk = getenv("GCHEAP_DISK");
	int fd = temporary_file(disk ? disk : "/tmp", disk ? O_DIRECT : 0), i;
	char *object = gcheap_alloc(self->heap, 64 * KIB);
	pthread_t thread;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, object);
	fill(object, 64 * KIB, 6);
	ASSERT_EQ(64 * KIB, pwrite(fd, object, 64 * KIB, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_collector, self->heap));
	for (i = 0; i < 20; i++) {
		char *copy = gcheap_alloc(self->heap, 64 * KIB);

		ASSERT_NE(NULL, copy);
		ASSERT_EQ(64 * KIB, pread(fd, copy, 64 * KIB, 0));
		ASSERT_TRUE(filled(copy, 64 * KIB, 6));
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

static ssize_t read_all(int fd, char *to, size_t size)
{
	size_t done = 0;
	ssize_t part;

	while (done < size) {
		part = read(fd, to + done, size - done);
		if (part <= 0)
			return part;
		done += part;
	}
	return done;
}

TEST_F(memory, can_go_through_a_pipe)
{
	char *copy = gcheap_alloc(self->heap, variant->size);
	int fds[2];
	pid_t pid;

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	fill(self->object, variant->size, 7);
	pid = fork_child();
	if (!pid) {
		must(write(fds[1], self->object, variant->size) == (ssize_t)variant->size);
		_exit(KSFT_PASS);
	}
	EXPECT_EQ(variant->size, read_all(fds[0], copy, variant->size));
	EXPECT_TRUE(filled(copy, variant->size, 7));
	EXPECT_TRUE(child_succeeded(pid));
}

/* The pipe refers to the pages themselves: they must outlive the heap. */
TEST_F(memory, can_be_lent_to_a_pipe)
{
	struct gcheap *heap = open_manual(0);
	struct iovec part = { .iov_len = 4096 };
	static char copy[4096];
	int fds[2];

	ASSERT_NE(NULL, heap);
	part.iov_base = gcheap_alloc(heap, 40000);
	ASSERT_NE(NULL, part.iov_base);
	fill(part.iov_base, 4096, 8);
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(4096, vmsplice(fds[1], &part, 1, 0));
	gcheap_close(heap);
	churn(self->heap, 40000);
	EXPECT_EQ(4096, read_all(fds[0], copy, 4096));
	EXPECT_TRUE(filled(copy, 4096, 8));
}

/* Another process, that does not map the heap */
TEST_F(memory, can_be_read_and_written_by_process_vm_calls)
{
	char *copy = calloc(1, variant->size);
	struct iovec there = { self->object, variant->size };
	struct iovec here = { copy, variant->size };
	pid_t parent = getpid(), pid;
	int fds[2];

	socket_pair(fds);
	fill(self->object, variant->size, 9);
	pid = fork_child();
	if (!pid) {
		gcheap_close(self->heap);
		must(process_vm_readv(parent, &here, 1, &there, 1, 0) ==
		     (ssize_t)variant->size);
		must(filled(copy, variant->size, 9));
		fill(copy, variant->size, 10);
		must(process_vm_writev(parent, &here, 1, &there, 1, 0) ==
		     (ssize_t)variant->size);
		_exit(KSFT_PASS);
	}
	prctl(PR_SET_PTRACER, pid);
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_TRUE(filled(self->object, variant->size, 10));
}

TEST_F(memory, can_be_read_and_written_through_proc)
{
	char *copy = calloc(1, variant->size);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	fill(self->object, variant->size, 11);
	EXPECT_EQ(variant->size, pread(fd, copy, variant->size, (off_t)self->object));
	EXPECT_TRUE(filled(copy, variant->size, 11));
	fill(copy, variant->size, 12);
	EXPECT_EQ(variant->size, pwrite(fd, copy, variant->size, (off_t)self->object));
	EXPECT_TRUE(filled(self->object, variant->size, 12));
}

/* A futex that is shared between processes, not private */
static void wait_for(_Atomic uint32_t *word, uint32_t value)
{
	uint32_t seen;

	while ((seen = *word) != value)
		syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL);
}

static void change_to(_Atomic uint32_t *word, uint32_t value)
{
	*word = value;
	syscall(SYS_futex, word, FUTEX_WAKE, 1);
}

TEST_F(memory, can_hold_a_futex_between_processes)
{
	_Atomic uint32_t *word = (void *)(self->object + variant->size - 8);
	uint32_t i;
	pid_t pid;

	word = (void *)((uintptr_t)word & ~7ul);
	pid = fork_child();
	if (!pid) {
		for (i = 1; i < 200; i += 2) {
			wait_for(word, i);
			change_to(word, i + 1);
		}
		_exit(KSFT_PASS);
	}
	await_blocked(pid, pid, SYS_futex);
	for (i = 0; i < 200; i += 2) {
		wait_for(word, i);
		if (i % 20 == 0)
			ASSERT_EQ(0, gcheap_collect(self->heap));
		change_to(word, i + 1);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

/* A wake-up that finds a sleeper proves that both mean the same word. */
TEST_F(memory, can_hold_a_futex_that_finds_its_sleeper)
{
	uint32_t *word = (uint32_t *)self->object;
	pid_t pid = fork_child();

	if (!pid) {
		must(!syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL));
		_exit(KSFT_PASS);
	}
	await_blocked(pid, pid, SYS_futex);
	ASSERT_EQ(0, gcheap_collect(self->heap));
	ASSERT_EQ(1, syscall(SYS_futex, word, FUTEX_WAKE, 1));
	EXPECT_TRUE(child_succeeded(pid));
}

TEST_F(memory, is_shared_with_a_child)
{
	pid_t pid;

	fill(self->object, variant->size, 13);
	pid = fork_child();
	if (!pid) {
		must(filled(self->object, variant->size, 13));
		fill(self->object, variant->size, 14);
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_TRUE(filled(self->object, variant->size, 14));
}

TEST_F(memory, keeps_its_content_when_page_tables_are_dropped)
{
	uintptr_t page = (uintptr_t)self->object & ~4095ul;
	size_t size = (variant->size + 8191) & ~4095ul;

	fill(self->object, variant->size, 15);
	EXPECT_EQ(0, madvise((void *)page, size, MADV_DONTNEED));
	EXPECT_TRUE(filled(self->object, variant->size, 15));
	EXPECT_EQ(0, madvise((void *)page, size, MADV_DONTNEED));
	EXPECT_EQ(0, gcheap_collect(self->heap));
	EXPECT_TRUE(filled(self->object, variant->size, 15));
}

/* A system call whose buffer is an object that nobody else refers to */
static void *run_reader(void *arg)
{
	struct hidden *hidden = arg;
	char *buffer = gcheap_alloc(hidden->heap, hidden->size);
	ssize_t length;

	must(buffer);
	hidden->object = hide(buffer);
	length = read(hidden->seed, buffer, hidden->size);
	must(length == 5);
	must(!memcmp(buffer, "hello", 5));
	return NULL;
}

TEST_F(memory, stays_while_a_call_is_about_to_fill_it)
{
	struct hidden hidden = { .heap = self->heap, .size = variant->size };
	pthread_t thread;
	int fds[2], i;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	hidden.seed = fds[0];
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_reader, &hidden));
	while (!*(volatile uintptr_t *)&hidden.object)
		sched_yield();
	for (i = 0; i < 3; i++) {
		collect(self->heap);
		churn(self->heap, variant->size);
	}
	ASSERT_EQ(5, write(fds[1], "hello", 5));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_HARNESS_MAIN
