// SPDX-License-Identifier: GPL-2.0
/*
 * What a program does to the mapping of a heap: refused, or done as documented,
 * and without harm to the heap.
 */
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "common.h"

#define HEAP_SIZE	(16 * MIB)
#define PAGE		4096
#define OBJECT_SIZE	(3 * MIB)
#define RW		(PROT_READ | PROT_WRITE)

/* Newer than some C libraries */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	0x8000
#endif

/* Processor time in which a page comes, or never, in seconds */
#define FAULT_SECONDS	20

static void *volatile object;

FIXTURE(vma) {
	int fd;
	char *base;
	char *middle;
	pid_t keeper;
};

FIXTURE_SETUP(vma)
{
	self->keeper = 0;
	self->fd = raw_open(HEAP_SIZE);
	self->base = raw_map(self->fd);
	ASSERT_NE(MAP_FAILED, self->base);
	object = raw_alloc(self->fd, OBJECT_SIZE);
	ASSERT_NE(NULL, object);
	fill(object, OBJECT_SIZE, 3);
	self->middle = (char *)object + MIB;
}

/* Whatever was tried: the content is there, and the heap works. */
FIXTURE_TEARDOWN(vma)
{
	EXPECT_TRUE(filled(object, OBJECT_SIZE, 3));
	EXPECT_TRUE(works_on(self->fd));
	EXPECT_TRUE(filled(object, OBJECT_SIZE, 3));
	close(self->fd);
	if (self->keeper) {
		EXPECT_EQ(0, kill(self->keeper, SIGKILL));
		EXPECT_TRUE(WIFSIGNALED(await_child(self->keeper)));
	}
}

/* Another process that maps the heap, which would be empty if nobody did */
static pid_t keep_mapped(void)
{
	pid_t pid = fork_child();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

/* The errno of a call that returns an address or -1 */
#define ERRNO(result)	((long)(result) == -1 ? errno : 0)

TEST_F(vma, cannot_be_moved_grown_or_shrunk)
{
	char *elsewhere = self->base + 2 * HEAP_SIZE;

	EXPECT_EQ(EINVAL, ERRNO(mremap(self->base, HEAP_SIZE, HEAP_SIZE / 2, 0)));
	EXPECT_EQ(EINVAL, ERRNO(mremap(self->base, HEAP_SIZE, HEAP_SIZE,
				       MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere)));
	EXPECT_EQ(EINVAL, ERRNO(mremap(self->middle, PAGE, PAGE,
				       MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere)));
	/* Refused before the heap is asked. */
	EXPECT_NE(0, ERRNO(mremap(self->base, HEAP_SIZE, 2 * HEAP_SIZE, 0)));
	EXPECT_NE(0, ERRNO(mremap(self->base, HEAP_SIZE, 2 * HEAP_SIZE, MREMAP_MAYMOVE)));
	EXPECT_NE(0, ERRNO(mremap(self->base, 0, HEAP_SIZE, MREMAP_MAYMOVE)));
	EXPECT_NE(0, ERRNO(mremap(self->base, HEAP_SIZE, HEAP_SIZE,
				  MREMAP_MAYMOVE | MREMAP_DONTUNMAP)));
}

TEST_F(vma, cannot_be_unmapped_in_part)
{
	EXPECT_EQ(EINVAL, ERRNO(munmap(self->base, PAGE)));
	EXPECT_EQ(EINVAL, ERRNO(munmap(self->middle, PAGE)));
	EXPECT_EQ(EINVAL, ERRNO(munmap(self->base + HEAP_SIZE - PAGE, PAGE)));
	EXPECT_EQ(EINVAL, ERRNO(munmap(self->base + HEAP_SIZE - PAGE, 2 * PAGE)));
}

TEST_F(vma, cannot_be_mapped_over_in_part)
{
	char *const places[] = { self->base, self->middle, self->base + HEAP_SIZE - PAGE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		EXPECT_NE(0, ERRNO(mmap(places[i], PAGE, RW, MAP_FIXED | MAP_PRIVATE |
					MAP_ANONYMOUS, -1, 0)));
}

TEST_F(vma, cannot_be_protected_in_part)
{
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protections); i++) {
		EXPECT_NE(0, ERRNO(mprotect(self->middle, PAGE, protections[i])));
		EXPECT_NE(0, ERRNO(mprotect(self->base, PAGE, protections[i])));
	}
	EXPECT_EQ(EINVAL, ERRNO(mprotect(self->middle, PAGE, PROT_READ)));
}

TEST_F(vma, cannot_be_executable)
{
	EXPECT_EQ(EACCES, ERRNO(mprotect(self->base, HEAP_SIZE, PROT_READ | PROT_EXEC)));
	EXPECT_EQ(EACCES, ERRNO(mprotect(self->base, HEAP_SIZE, RW | PROT_EXEC)));
}

/* How a child fares that writes to an address */
static int signal_of_write(volatile char *address)
{
	pid_t pid = fork_child();
	int status;

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		*address = *address;
		_exit(0);
	}
	status = await_child(pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_F(vma, can_be_made_read_only_as_a_whole)
{
	ASSERT_EQ(0, mprotect(self->base, HEAP_SIZE, PROT_READ));
	EXPECT_EQ(SIGSEGV, signal_of_write(self->middle));
	EXPECT_TRUE(filled(object, OBJECT_SIZE, 3));
	/* The kernel needs no leave of the mapping's. */
	EXPECT_NE(NULL, raw_alloc(self->fd, 100));
	EXPECT_EQ(0, raw_collect(self->fd));
	ASSERT_EQ(0, mprotect(self->base, HEAP_SIZE, RW));
	EXPECT_EQ(0, signal_of_write(self->middle));
}

TEST_F(vma, can_be_made_inaccessible_as_a_whole)
{
	ASSERT_EQ(0, mprotect(self->base, HEAP_SIZE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, signal_of_write(self->middle));
	EXPECT_NE(NULL, raw_alloc(self->fd, 100));
	EXPECT_EQ(0, raw_collect(self->fd));
	ASSERT_EQ(0, mprotect(self->base, HEAP_SIZE, RW));
}

TEST_F(vma, gives_a_bus_error_where_there_is_no_object)
{
	EXPECT_EQ(SIGBUS, signal_of_write(self->base + HEAP_SIZE - 1));
	EXPECT_EQ(0, signal_of_write(self->middle));
}

TEST_F(vma, keeps_its_content_when_page_tables_are_dropped)
{
	EXPECT_EQ(0, ERRNO(madvise(self->middle, PAGE, MADV_DONTNEED)));
	EXPECT_TRUE(filled(object, OBJECT_SIZE, 3));
	EXPECT_EQ(0, ERRNO(madvise(self->base, HEAP_SIZE, MADV_DONTNEED)));
	EXPECT_EQ(0, raw_collect(self->fd));
	EXPECT_TRUE(filled(object, OBJECT_SIZE, 3));
}

/* What is refused and what is ignored is the kernel's business. */
TEST_F(vma, is_not_harmed_by_any_advice)
{
	struct {
		char *start;
		size_t size;
	} const parts[] = {
		{ self->base, HEAP_SIZE }, { self->base, PAGE }, { self->middle, 8 * PAGE },
		{ self->base + HEAP_SIZE - PAGE, PAGE },
	};
	size_t i;
	int advice, error;

	for (advice = 0; advice <= MADV_COLLAPSE; advice++)
		for (i = 0; i < ARRAY_SIZE(parts); i++) {
			madvise(parts[i].start, parts[i].size, advice);
			ASSERT_TRUE(filled(object, OBJECT_SIZE, 3)) {
				TH_LOG("advice %d", advice);
			}
		}
	/* Linux 7.3 refuses it to mappings of devices, 6.12 does not. */
	error = ERRNO(madvise(self->base, HEAP_SIZE, MADV_DOFORK));
	EXPECT_TRUE(!error || error == EINVAL);
}

TEST_F(vma, is_not_harmed_by_calls_about_memory)
{
	static unsigned char resident[HEAP_SIZE / PAGE];

	mlock(self->base, HEAP_SIZE);
	mlock(self->middle, PAGE);
	munlock(self->middle, PAGE);
	munlock(self->base, HEAP_SIZE);
	mlockall(MCL_CURRENT);
	munlockall();
	msync(self->base, HEAP_SIZE, MS_SYNC);
	msync(self->middle, PAGE, MS_ASYNC | MS_INVALIDATE);
	mincore(self->base, HEAP_SIZE, resident);
	remap_file_pages(self->base, PAGE, 0, 16, 0);
	syscall(SYS_pkey_mprotect, self->middle, PAGE, PROT_READ, 0);
}

TEST_F(vma, can_be_kept_from_children)
{
	pid_t pid;

	ASSERT_EQ(0, madvise(self->base, HEAP_SIZE, MADV_DONTFORK));
	EXPECT_EQ(SIGSEGV, signal_of_write(self->middle));
	pid = fork_child();
	if (!pid) {
		must(raw_collect(self->fd) == ENXIO);
		must(!raw_alloc(self->fd, 100) && errno == ENXIO);
		must(raw_map(self->fd) == self->base);
		must(filled(object, OBJECT_SIZE, 3));
		must(works_on(self->fd));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_TRUE(works_on(self->fd));
	if (madvise(self->base, HEAP_SIZE, MADV_DOFORK)) {
		ASSERT_EQ(EINVAL, errno);
		return;
	}
	EXPECT_EQ(0, signal_of_write(self->middle));
}

/* Whether it is refused or not, in a child only the child's view may change. */
TEST_F(vma, is_not_wiped_by_fork)
{
	pid_t pid;

	madvise(self->base, HEAP_SIZE, MADV_WIPEONFORK);
	pid = fork_child();
	if (!pid) {
		works_on(self->fd);
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	madvise(self->base, HEAP_SIZE, MADV_KEEPONFORK);
}

TEST_F(vma, can_be_unmapped_and_mapped_again)
{
	int round;

	self->keeper = keep_mapped();
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
		EXPECT_EQ(ENXIO, raw_collect(self->fd));
		EXPECT_EQ(NULL, raw_alloc(self->fd, 100));
		EXPECT_EQ(ENXIO, errno);
		ASSERT_EQ(self->base, raw_map(self->fd));
		EXPECT_TRUE(filled(object, OBJECT_SIZE, 3));
		EXPECT_TRUE(works_on(self->fd));
	}
}

TEST_F(vma, can_be_mapped_over_as_a_whole)
{
	self->keeper = keep_mapped();
	ASSERT_EQ(self->base, mmap(self->base, HEAP_SIZE, RW, MAP_FIXED | MAP_PRIVATE |
				   MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	EXPECT_EQ(0, self->middle[0]);
	EXPECT_EQ(ENXIO, raw_collect(self->fd));
	EXPECT_EQ(EEXIST, ERRNO(raw_map(self->fd)));
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	ASSERT_EQ(self->base, raw_map(self->fd));
}

/* The old mapping would go first, and all that is in the heap with it. */
TEST_F(vma, cannot_be_mapped_over_by_itself)
{
	EXPECT_EQ(EEXIST, ERRNO(mmap(self->base, HEAP_SIZE, RW, MAP_FIXED | MAP_SHARED,
				     self->fd, 0)));
}

TEST_F(vma, goes_with_a_larger_range_that_is_unmapped)
{
	self->keeper = keep_mapped();
	ASSERT_EQ(0, munmap(self->base - PAGE, HEAP_SIZE + 2 * PAGE));
	EXPECT_EQ(ENXIO, raw_collect(self->fd));
	ASSERT_EQ(self->base, raw_map(self->fd));
}

/* Another heap's mapping in its place is not this heap's. */
TEST_F(vma, of_another_heap_does_not_count)
{
	int other = raw_open(HEAP_SIZE);

	self->keeper = keep_mapped();
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	ASSERT_EQ(0, raw_attach(other));
	ASSERT_EQ(self->base, mmap(self->base, HEAP_SIZE, RW, MAP_FIXED | MAP_SHARED,
				   other, 0));
	EXPECT_EQ(ENXIO, raw_collect(self->fd));
	EXPECT_EQ(EEXIST, ERRNO(raw_map(self->fd)));
	EXPECT_TRUE(works_on(other));
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	ASSERT_EQ(self->base, raw_map(self->fd));
	close(other);
}

/* A stack that ends just behind a place; it may grow down into it. */
static void *map_stack_behind(char *end)
{
	void *stack = mmap(end + 16 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			   MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0);

	must(stack == end + 16 * PAGE);
	return stack;
}

TEST_F(vma, leaves_stacks_room_to_grow)
{
	char *wish = self->base + 4 * HEAP_SIZE, *place;
	void *stack = map_stack_behind(wish + HEAP_SIZE);
	int other = raw_open(HEAP_SIZE);

	self->keeper = keep_mapped();
	ASSERT_EQ(0, raw_attach(other));
	place = mmap(wish, HEAP_SIZE, RW, MAP_SHARED, other, 0);
	ASSERT_NE(MAP_FAILED, place);
	EXPECT_NE(wish, place);
	ASSERT_EQ(0, munmap(place, HEAP_SIZE));
	close(other);
	/* The wish was as good as any. */
	ASSERT_EQ(0, munmap(stack, PAGE));
	other = raw_open(HEAP_SIZE);
	ASSERT_EQ(0, raw_attach(other));
	EXPECT_EQ(wish, mmap(wish, HEAP_SIZE, RW, MAP_SHARED, other, 0));
	ASSERT_EQ(0, munmap(wish, HEAP_SIZE));
	close(other);

	/* A heap that has its place has no other. */
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	stack = map_stack_behind(self->base + HEAP_SIZE);
	EXPECT_EQ(EEXIST, ERRNO(raw_map(self->fd)));
	ASSERT_EQ(0, munmap(stack, PAGE));
	ASSERT_EQ(self->base, raw_map(self->fd));
}

/*
 * Has the kernel note down which pages are to be write-protected when they come.
 * It does so for any mapping since 6.7, but not in all versions for one of a
 * device's.
 */
static bool protect_by_userfaultfd(char *base, size_t length)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC };
	struct uffdio_register range = {
		.range = { (uintptr_t)base, length },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = range.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &range))
		return false;
	must(!ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
	return true;
}

TEST_F(vma, comes_also_where_userfaultfd_write_protects_it)
{
	const struct rlimit time = { FAULT_SECONDS, FAULT_SECONDS };
	pid_t pid = fork_child();
	int status;

	if (!pid) {
		must(!setrlimit(RLIMIT_CPU, &time));
		must(!madvise(self->base, HEAP_SIZE, MADV_DONTNEED));
		if (!protect_by_userfaultfd(self->base, HEAP_SIZE))
			_exit(KSFT_SKIP);
		must(filled(object, OBJECT_SIZE, 3));
		fill(object, OBJECT_SIZE, 3);
		must(works_on(self->fd));
		_exit(KSFT_PASS);
	}
	status = await_child(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		SKIP(return, "this kernel's userfaultfd does not know of heaps");
	EXPECT_EQ(0, status);
}

/* The mapping alone keeps the heap alive. */
TEST_F(vma, outlives_the_descriptor)
{
	int fd = raw_open(HEAP_SIZE);
	char *base = raw_map(fd);
	char *kept;

	ASSERT_NE(MAP_FAILED, base);
	kept = raw_alloc(fd, MIB);
	ASSERT_NE(NULL, kept);
	fill(kept, MIB, 4);
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(filled(kept, MIB, 4));
	EXPECT_EQ(0, ERRNO(madvise(base, HEAP_SIZE, MADV_DONTNEED)));
	EXPECT_TRUE(filled(kept, MIB, 4));
	EXPECT_EQ(0, munmap(base, HEAP_SIZE));
}

/* Threads that fault, unmap and collect at once */
static _Atomic bool stop;

static void *run_dropper(void *base)
{
	while (!stop)
		madvise(base, HEAP_SIZE, MADV_DONTNEED);
	return NULL;
}

static void *run_toucher(void *arg)
{
	(void)arg;
	while (!stop)
		must(filled(object, OBJECT_SIZE, 3));
	return NULL;
}

TEST_F(vma, can_fault_and_drop_pages_while_collections_go_on)
{
	pthread_t threads[2];
	long i;

	ASSERT_EQ(0, pthread_create(&threads[0], NULL, run_dropper, self->base));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, run_toucher, NULL));
	for (i = 0; i < repeated(200); i++) {
		ASSERT_NE(NULL, raw_alloc(self->fd, 5000));
		ASSERT_EQ(0, raw_collect(self->fd));
	}
	stop = true;
	ASSERT_EQ(0, pthread_join(threads[0], NULL));
	ASSERT_EQ(0, pthread_join(threads[1], NULL));
}

/* Mapping and unmapping while another process collects */
TEST_F(vma, can_come_and_go_in_one_process_while_another_collects)
{
	long i;
	pid_t pid = fork_child();

	if (!pid)
		for (;;) {
			must(!munmap(self->base, HEAP_SIZE));
			must(raw_map(self->fd) == self->base);
			must(filled(self->middle - MIB, PAGE, 3));
		}
	for (i = 0; i < repeated(200); i++)
		ASSERT_EQ(0, raw_collect(self->fd));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_TRUE(WIFSIGNALED(await_child(pid)));
}

TEST_HARNESS_MAIN
