// SPDX-License-Identifier: GPL-2.0
/*
 * Who is a member of a heap: who said so, by ATTACH, and their children.  Who only
 * has a descriptor, or maps it as it would map any buffer, is not: it is not
 * stopped, its words are no roots, and nothing that it can do with the descriptor
 * harms it.  A member can have a descriptor again when all were closed.
 */
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#include "common.h"

#define HEAP_SIZE	(16 * MIB)
#define PAGE		4096
#define RW		(PROT_READ | PROT_WRITE)
#define SOMEBODY	12345
#define OVERFLOW_UID	65534

/* Options of this program, when it executes itself */
#define EXECUTED	"--maps-what-it-inherited"

/* What a process refers to; a root where it is a member */
static void *volatile word;

static void *map_at(int fd, void *address, int flags)
{
	return mmap(address, raw_info(fd).heap_size, RW, MAP_SHARED | flags, fd, 0);
}

static bool map_is_refused(int fd)
{
	return map_at(fd, NULL, 0) == MAP_FAILED && errno == EPERM;
}

/* A collection, and how many processes it has looked at */
static unsigned int processes_collected(int fd)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!raw_collect(fd));
	must(!call(fd, GCHEAP_IOC_STATS, &stats));
	return stats.cycle.processes;
}

/*
 * An object that only a thread which is gone has ever known, of a size of its own:
 * the address of a neighbour is that of its end, which keeps it.
 */
#define LONELY_BYTES	200

struct lonely {
	int fd;
	uintptr_t hidden;
	bool found;
};

apart void make_object(void *arg)
{
	struct lonely *lonely = arg;
	void *object = raw_alloc(lonely->fd, LONELY_BYTES);

	must(object);
	lonely->hidden = hide(object);
}

static uintptr_t lonely_object(int fd)
{
	struct lonely lonely = { .fd = fd };

	in_thread(make_object, &lonely);
	return lonely.hidden;
}

apart void look_for_object(void *arg)
{
	struct lonely *lonely = arg;
	struct gcheap_ioc_object object = {
		.size = sizeof(object), .address = (uintptr_t)reveal(lonely->hidden),
	};

	lonely->found = !call(lonely->fd, GCHEAP_IOC_OBJECT, &object);
}

static bool is_object(int fd, uintptr_t hidden)
{
	struct lonely lonely = { .fd = fd, .hidden = hidden };

	in_thread(look_for_object, &lonely);
	return lonely.found;
}

TEST(mmap_without_attach_is_eperm)
{
	int fd = raw_open(HEAP_SIZE);
	char *place = mmap(NULL, HEAP_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, place);
	*place = 'x';
	EXPECT_TRUE(map_is_refused(fd));
	EXPECT_EQ(MAP_FAILED, map_at(fd, place, 0));
	EXPECT_EQ(EPERM, errno);
	/* What is at a fixed place is to stay when nothing comes there. */
	EXPECT_EQ(MAP_FAILED, map_at(fd, place, MAP_FIXED));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ('x', *place);
	EXPECT_EQ(0, raw_info(fd).base);
	/* Another heap's members are nobody to this one. */
	ASSERT_NE(MAP_FAILED, raw_map(raw_open(HEAP_SIZE)));
	EXPECT_TRUE(map_is_refused(fd));

	ASSERT_EQ(0, raw_attach(fd));
	ASSERT_EQ(0, raw_attach(fd));
	ASSERT_EQ(place, map_at(fd, place, MAP_FIXED));
	EXPECT_TRUE(works_on(fd));
	EXPECT_EQ(1, processes_collected(fd));
	EXPECT_EQ(0, raw_attach(fd));
	/* It is a member, mapped or not. */
	ASSERT_EQ(0, munmap(place, HEAP_SIZE));
	while (map_at(fd, NULL, 0) != place)
		ASSERT_EQ(EBUSY, errno);
	EXPECT_TRUE(works_on(fd));
}

/* Gets a descriptor, and later an address: a value that it keeps in its data */
static void be_stranger(int sock)
{
	uintptr_t hidden;
	int fd = receive_fd(sock);

	must(map_is_refused(fd));
	must(read(sock, &hidden, sizeof(hidden)) == sizeof(hidden));
	word = reveal(hidden);
	must(map_is_refused(fd));
	must(raw_collect(fd) == ENXIO);
	say(sock);
	hear(sock);
	must(!raw_attach(fd));
	must(map_at(fd, NULL, 0) != MAP_FAILED);
	must(works_on(fd));
	say(sock);
	must(read(sock, &hidden, sizeof(hidden)) == sizeof(hidden));
	word = reveal(hidden);
	say(sock);
	hear(sock);
	_exit(KSFT_PASS);
}

TEST(a_descriptor_that_is_passed_makes_nobody_a_member)
{
	uintptr_t hidden;
	int ends[2], fd;
	pid_t stranger;

	socket_pair(ends);
	stranger = fork_child();
	if (!stranger)
		be_stranger(ends[1]);
	fd = raw_open(HEAP_SIZE);
	ASSERT_NE(MAP_FAILED, raw_map(fd));
	send_fd(ends[0], fd);
	hidden = lonely_object(fd);
	ASSERT_EQ(sizeof(hidden), write(ends[0], &hidden, sizeof(hidden)));
	hear(ends[0]);
	/* Neither stopped nor read */
	EXPECT_EQ(1, processes_collected(fd));
	EXPECT_FALSE(is_object(fd, hidden));

	say(ends[0]);
	/* The stranger collects, too, before it has the address. */
	hear(ends[0]);
	hidden = lonely_object(fd);
	ASSERT_EQ(sizeof(hidden), write(ends[0], &hidden, sizeof(hidden)));
	hear(ends[0]);
	EXPECT_EQ(2, processes_collected(fd));
	EXPECT_TRUE(is_object(fd, hidden));
	say(ends[0]);
	EXPECT_TRUE(child_succeeded(stranger));
	EXPECT_EQ(1, processes_collected(fd));
	EXPECT_FALSE(is_object(fd, hidden));
	close(ends[0]);
	close(ends[1]);
}

TEST(a_child_that_inherits_the_mapping_is_a_member)
{
	int ends[2], fd = raw_open(HEAP_SIZE);
	uintptr_t hidden;
	pid_t child;

	ASSERT_NE(MAP_FAILED, raw_map(fd));
	socket_pair(ends);
	child = fork_child();
	if (!child) {
		must(works_on(fd));
		say(ends[1]);
		must(read(ends[1], &hidden, sizeof(hidden)) == sizeof(hidden));
		word = reveal(hidden);
		say(ends[1]);
		hear(ends[1]);
		_exit(KSFT_PASS);
	}
	/* Its collection is over. */
	hear(ends[0]);
	hidden = lonely_object(fd);
	ASSERT_EQ(sizeof(hidden), write(ends[0], &hidden, sizeof(hidden)));
	hear(ends[0]);
	EXPECT_EQ(2, processes_collected(fd));
	EXPECT_TRUE(is_object(fd, hidden));
	say(ends[0]);
	EXPECT_TRUE(child_succeeded(child));
	EXPECT_EQ(1, processes_collected(fd));
	EXPECT_FALSE(is_object(fd, hidden));
}

TEST(a_child_that_does_not_inherit_the_mapping_is_none)
{
	int fd = raw_open(HEAP_SIZE);
	char *base = raw_map(fd);
	pid_t child;

	ASSERT_NE(MAP_FAILED, base);
	ASSERT_EQ(0, madvise(base, HEAP_SIZE, MADV_DONTFORK));
	child = fork_child();
	if (!child) {
		must(map_is_refused(fd));
		must(!raw_attach(fd));
		must(map_at(fd, NULL, 0) == base);
		must(works_on(fd));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(child));
}

/* The new program, which inherited a descriptor */
__attribute__((constructor)) static void executed(int argc, char **argv)
{
	int fd;

	if (argc != 3 || strcmp(argv[1], EXECUTED))
		return;
	fd = atoi(argv[2]);
	must(map_is_refused(fd));
	must(!raw_attach(fd));
	must(map_at(fd, NULL, 0) != MAP_FAILED);
	must(works_on(fd));
	_exit(KSFT_PASS);
}

static void execute(int fd, bool forked)
{
	char number[16];
	pid_t child;

	snprintf(number, sizeof(number), "%d", fd);
	child = forked ? fork() : vfork();
	must(child >= 0);
	if (!child) {
		execl("/proc/self/exe", "test_consent", EXECUTED, number, NULL);
		_exit(KSFT_FAIL);
	}
	must(child_succeeded(child));
}

TEST(a_program_that_is_executed_is_no_member)
{
	int fd = raw_open(HEAP_SIZE);

	ASSERT_EQ(0, fcntl(fd, F_SETFD, 0));
	ASSERT_EQ(0, raw_attach(fd));
	execute(fd, true);
	/* Waits until the heap, which that one mapped alone, is empty. */
	ASSERT_EQ(0, raw_attach(fd));
	ASSERT_NE(MAP_FAILED, map_at(fd, NULL, 0));
	execute(fd, true);
	execute(fd, false);
	EXPECT_TRUE(works_on(fd));
	EXPECT_EQ(1, processes_collected(fd));
}

static void *attach_by_thread(void *arg)
{
	return (void *)(long)raw_attach((long)arg);
}

/* Membership is the address space's. */
TEST(threads_and_vfork_children_attach_for_the_process)
{
	int first = raw_open(HEAP_SIZE), second = raw_open(HEAP_SIZE);
	pthread_t thread;
	void *err;
	pid_t child;

	ASSERT_EQ(0, pthread_create(&thread, NULL, attach_by_thread, (void *)(long)first));
	ASSERT_EQ(0, pthread_join(thread, &err));
	ASSERT_EQ(NULL, err);
	EXPECT_NE(MAP_FAILED, map_at(first, NULL, 0));
	child = vfork();
	if (!child)
		_exit(raw_attach(second));
	EXPECT_TRUE(child_succeeded(child));
	EXPECT_NE(MAP_FAILED, map_at(second, NULL, 0));
	EXPECT_TRUE(works_on(first));
	EXPECT_TRUE(works_on(second));
}

TEST(info_tells_who_opened_the_heap)
{
	int ends[2], fd = raw_open(HEAP_SIZE);
	pid_t child;

	EXPECT_EQ(geteuid(), raw_info(fd).uid);
	if (geteuid())
		SKIP(return, "only root can be somebody else");
	socket_pair(ends);
	child = fork_child();
	if (!child) {
		must(!setresuid(-1, SOMEBODY, -1));
		send_fd(ends[1], raw_open(HEAP_SIZE));
		/* It is about the heap, not about who asks, or maps it. */
		must(raw_info(fd).uid == 0);
		must(raw_map(fd) != MAP_FAILED);
		_exit(KSFT_PASS);
	}
	ASSERT_TRUE(child_succeeded(child));
	EXPECT_EQ(0, raw_info(fd).uid);
	fd = receive_fd(ends[0]);
	EXPECT_EQ(SOMEBODY, raw_info(fd).uid);
	child = fork_child();
	if (!child) {
		/* Where there are no user namespaces there is nothing to see. */
		must(unshare(CLONE_NEWUSER) || raw_info(fd).uid == OVERFLOW_UID);
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(child));
}

/* What a program may do to a file that it was given, each at once */
TEST(a_descriptor_alone_does_nothing_to_its_holder)
{
	int fd = raw_open(HEAP_SIZE), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int pipes[2], on = 1;
	struct pollfd events = { .fd = fd, .events = POLLIN | POLLOUT };
	char bytes[16] = {};

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	EXPECT_EQ(-1, read(fd, bytes, sizeof(bytes)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(fd, bytes, sizeof(bytes)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(fd, bytes, sizeof(bytes), 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, lseek(fd, 100, SEEK_SET));
	EXPECT_EQ(1, poll(&events, 1, -1));
	EXPECT_EQ(-1, sendfile(fd, file, NULL, 1));
	EXPECT_EQ(-1, sendfile(pipes[1], fd, NULL, 1));
	EXPECT_EQ(-1, splice(fd, NULL, pipes[1], NULL, 1, 0));
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(-1, fsync(fd));
	EXPECT_EQ(ENOTTY, call(fd, FIOASYNC, &on));
	EXPECT_EQ(0, call(fd, FIONBIO, &on));
	EXPECT_EQ(ENXIO, raw_collect(fd));
	EXPECT_EQ(NULL, raw_alloc(fd, 100));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_TRUE(map_is_refused(fd));
	close(file);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

static int reopen(int by, const void *address, int *fd)
{
	struct gcheap_ioc_reopen request = {
		.size = sizeof(request), .address = (uintptr_t)address,
	};
	int err = call(by, GCHEAP_IOC_REOPEN, &request);

	*fd = err ? -1 : request.fd;
	return err;
}

FIXTURE(reopen) {
	char *base;
	uintptr_t object;
	int by;
	int fd;
};

/* A heap whose descriptor was closed, and somebody else's descriptor */
FIXTURE_SETUP(reopen)
{
	int fd = raw_open(HEAP_SIZE);

	self->base = raw_map(fd);
	ASSERT_NE(MAP_FAILED, self->base);
	self->object = lonely_object(fd);
	ASSERT_EQ(0, close(fd));
	self->by = raw_open(2 * MIB);
	self->fd = -1;
}

FIXTURE_TEARDOWN(reopen)
{
	close(self->by);
	if (self->fd >= 0)
		close(self->fd);
}

TEST_F(reopen, gives_a_descriptor_of_the_heap_that_is_mapped)
{
	ASSERT_EQ(0, reopen(self->by, self->base + HEAP_SIZE - 1, &self->fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ((uintptr_t)self->base, raw_info(self->fd).base);
	EXPECT_TRUE(is_object(self->fd, self->object));
	EXPECT_TRUE(works_on(self->fd));
	EXPECT_FALSE(is_object(self->fd, self->object));
	/* The one that it was asked by is as it was. */
	EXPECT_EQ(0, raw_info(self->by).base);
	EXPECT_EQ(ENXIO, raw_collect(self->by));
	/* A descriptor of the heap itself will do, too. */
	close(self->by);
	ASSERT_EQ(0, reopen(self->fd, self->base, &self->by));
	EXPECT_NE(self->fd, self->by);
	EXPECT_TRUE(works_on(self->by));
}

TEST_F(reopen, works_in_a_child_that_inherited_the_mapping)
{
	pid_t child = fork_child();

	if (!child) {
		must(!reopen(self->by, self->base, &self->fd));
		must(works_on(self->fd));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(child));
}

TEST_F(reopen, where_no_heap_is_mapped_is_enoent)
{
	void *const places[] = {
		NULL, (void *)1, self->base - 1, self->base + HEAP_SIZE, &self->fd,
		(void *)word, (void *)-1, (void *)0xffff888000000000ul,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		EXPECT_EQ(ENOENT, reopen(self->by, places[i], &self->fd));
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	EXPECT_EQ(ENOENT, reopen(self->by, self->base, &self->fd));
}

/* The number that the next descriptor gets */
static int next_number(void)
{
	int fd = dup(STDIN_FILENO);

	must(fd >= 0 && !close(fd));
	return fd;
}

TEST_F(reopen, a_refused_call_leaves_no_descriptor_behind)
{
	struct gcheap_ioc_reopen *request = mmap(NULL, PAGE, RW,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int number = next_number();
	struct rlimit limit;

	ASSERT_NE(MAP_FAILED, request);
	*request = (struct gcheap_ioc_reopen) {
		.size = sizeof(*request), .flags = 1, .address = (uintptr_t)self->base,
	};
	EXPECT_EQ(EINVAL, call(self->by, GCHEAP_IOC_REOPEN, request));
	request->flags = 0;
	ASSERT_EQ(0, mprotect(request, PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, call(self->by, GCHEAP_IOC_REOPEN, request));
	EXPECT_EQ(number, next_number());
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = number;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(EMFILE, reopen(self->by, self->base, &self->fd));
}

TEST_HARNESS_MAIN
