// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of processes that is not to be had while they are held: a page that comes
 * from a FUSE server, which is held itself; an address space that another call
 * has locked.  The collection gives up, the program runs on, and the next
 * collection that can be had sees all.
 */
#include <dirent.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "machine.h"

#define PAGE		4096
#define SPARSE		(64 * MIB)
#define OBJECT_SIZE	64
#define FORKERS		100

/**
 * struct server - a file system of one file, which is mounted on a file
 * @path: where
 * @fuse: the kernel's requests
 * @page: what the file's last page holds; all others are zeros
 * @pages: how many it has, 0 for one
 * @late: nanoseconds that each answer to READ takes, instead of the next two
 * @control: it answers no READ before it has heard a word here
 * @reading: it says a word here when there is one to answer
 */
struct server {
	char path[32];
	int fuse;
	char *page;
	int pages;
	long late;
	int control;
	int reading;
};

static void answer(struct server *server, uint64_t unique, int error,
		   const void *body, size_t size)
{
	struct fuse_out_header header = {
		.len = sizeof(header) + size, .error = error, .unique = unique,
	};
	struct iovec parts[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)body, .iov_len = size },
	};

	/* ENOENT: whoever asked was killed. */
	must(writev(server->fuse, parts, 2) > 0 || errno == ENOENT);
}

static size_t file_size(const struct server *server)
{
	return (server->pages ? server->pages : 1) * PAGE;
}

static void answer_read(struct server *server, const struct fuse_in_header *in)
{
	static const char zeros[PAGE];
	const struct fuse_read_in *read = (void *)(in + 1);
	const struct timespec late = { .tv_nsec = server->late };
	bool last = read->offset == file_size(server) - PAGE;

	must(read->size == PAGE);
	if (server->late) {
		nanosleep(&late, NULL);
	} else {
		say(server->reading);
		hear(server->control);
	}
	answer(server, in->unique, 0, last ? server->page : zeros, PAGE);
}

static void serve_one(struct server *server, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = PAGE, .max_write = PAGE,
		/* Who waits for a page can be killed. */
		.flags = FUSE_ASYNC_READ,
	};
	struct fuse_attr_out attr = {
		.attr_valid = 1000,
		.attr = { .ino = 1, .size = file_size(server), .mode = S_IFREG | 0666, .nlink = 1 },
	};
	struct fuse_open_out open = {};

	switch (in->opcode) {
	case FUSE_INIT:
		answer(server, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_GETATTR:
		answer(server, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(server, in->unique, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
		answer_read(server, in);
		break;
	case FUSE_FORGET:
		break;
	default:
		answer(server, in->unique, -ENOSYS, NULL, 0);
	}
}

static void serve(struct server *server)
{
	static char request[16 * PAGE];

	/* Ends when the file system is unmounted. */
	while (read(server->fuse, request, sizeof(request)) > 0)
		serve_one(server, (void *)request);
	_exit(KSFT_PASS);
}

/* False where the kernel has no FUSE. */
static bool mount_file(struct server *server)
{
	char options[128];
	int fd;

	server->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (server->fuse < 0)
		return false;
	snprintf(server->path, sizeof(server->path), "/tmp/gcheap-XXXXXX");
	fd = mkstemp(server->path);
	must(fd >= 0);
	close(fd);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100000,user_id=0,group_id=0,allow_other",
		 server->fuse);
	must(!mount("gcheap", server->path, "fuse", MS_NOSUID | MS_NODEV, options));
	return true;
}

FIXTURE(waiting) {
	struct gcheap *heap;
	struct server server;
	uintptr_t object;
	void *volatile *page;
	int go;
	int asked;
	pid_t child;
};

struct filling {
	void **page;
	uintptr_t object;
};

apart void put_in_file(void *arg)
{
	struct filling *filling = arg;

	filling->page[7] = reveal(filling->object);
}

FIXTURE_SETUP(waiting)
{
	struct filling filling;
	int go[2], asked[2];

	self->server.page = shared_page();
	if (!mount_file(&self->server))
		SKIP(return, "the kernel has no FUSE");
	self->heap = open_manual(16 * MIB);
	ASSERT_TRUE(self->heap);
	self->object = new_hidden(self->heap, OBJECT_SIZE, 1);
	filling.page = (void **)self->server.page;
	filling.object = self->object;
	in_thread(put_in_file, &filling);
	must(!pipe(go) && !pipe(asked));
	self->go = go[1];
	self->asked = asked[0];
	self->server.control = go[0];
	self->server.reading = asked[1];
}

FIXTURE_TEARDOWN(waiting)
{
	if (!self->heap)
		return;
	umount2(self->server.path, MNT_DETACH);
	unlink(self->server.path);
	if (self->child) {
		kill(self->child, SIGKILL);
		await_child(self->child);
	}
	gcheap_close(self->heap);
}

static pid_t start_server(struct server *server)
{
	pid_t child = fork_child();

	if (!child)
		serve(server);
	close(server->fuse);
	return child;
}

/* One that is not held */
static pid_t start_server_without(struct gcheap *heap, struct server *server)
{
	pid_t child = fork_child();

	if (!child) {
		gcheap_close(heap);
		serve(server);
	}
	close(server->fuse);
	return child;
}

static void *volatile *map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat stat;
	void *page;

	must(fd >= 0);
	/* The kernel learns the file's size. */
	must(!fstat(fd, &stat));
	page = mmap(NULL, stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(page != MAP_FAILED);
	close(fd);
	return page;
}

/* A collection as soon as one can be had */
apart void collect_at_last(void *heap)
{
	while (gcheap_collect(heap)) {
		must(errno == EAGAIN);
		sched_yield();
	}
}

apart void collect_in_vain(void *heap)
{
	must(gcheap_collect(heap) && errno == EAGAIN);
}

/* The server is one of those who are held. */
TEST_F(waiting, a_server_that_is_held)
{
	self->child = start_server(&self->server);
	/* Once the world runs on, nothing but that keeps it from answering. */
	say(self->go);
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, PAGE));
	in_thread(collect_in_vain, self->heap);
	EXPECT_TRUE(is_allocated(self->heap, self->object));
	in_thread(collect_at_last, self->heap);
	EXPECT_TRUE(is_allocated(self->heap, self->object));
	churn(self->heap, OBJECT_SIZE);
	EXPECT_TRUE(is_filled(self->heap, self->object, OBJECT_SIZE, 1));
	ASSERT_EQ(0, gcheap_root_del(self->heap, (void *)self->page));
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, self->object));
}

/* Patience is about progress: all that comes at last is waited for. */
TEST_F(waiting, a_server_that_is_slow)
{
	const int pages = 12;

	self->server.pages = pages;
	self->server.late = 250000000;
	self->child = start_server_without(self->heap, &self->server);
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, pages * PAGE));
	collect(self->heap);
	EXPECT_TRUE(is_allocated(self->heap, self->object));
}

static void set_idle(const char *ms)
{
	must(write_to("/sys/module/gcheap/parameters/idle_ms", ms));
}

/* Nobody can kill who makes it: it ends after five seconds, all pages together. */
TEST_F(waiting, a_server_that_is_slow_when_nobody_asked_for_a_collection)
{
	const int pages = 12;

	self->server.pages = pages;
	self->server.late = 900000000;
	self->child = start_server_without(self->heap, &self->server);
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, pages * PAGE));
	ASSERT_NE(NULL, gcheap_alloc(self->heap, 8 * MIB));
	ASSERT_EQ(-1, gcheap_set_percent(self->heap, 1000));
	set_idle("100");
	ASSERT_NE(NULL, gcheap_alloc(self->heap, MIB));
	while (!stats_of(self->heap).gc_cpu_ns)
		usleep(10000);
	set_idle("2000");
	EXPECT_EQ(0, stats_of(self->heap).num_gc);
	EXPECT_TRUE(is_allocated(self->heap, self->object));
}

/* It does not answer at all: collections end, though in vain, and memory is had. */
TEST_F(waiting, a_server_that_is_silent)
{
	int i;

	self->child = start_server(&self->server);
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, PAGE));
	for (i = 0; i < 100; i++) {
		in_thread(collect_in_vain, self->heap);
		ASSERT_TRUE(gcheap_alloc(self->heap, 1000));
	}
	say(self->go);
	in_thread(collect_at_last, self->heap);
	EXPECT_TRUE(is_allocated(self->heap, self->object));
}

/* Not even one who has died does the heap harm: its page is waited for no more. */
TEST_F(waiting, a_server_that_dies)
{
	self->child = start_server(&self->server);
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, PAGE));
	in_thread(collect_in_vain, self->heap);
	kill(self->child, SIGKILL);
	await_child(self->child);
	self->child = 0;
	in_thread(collect_at_last, self->heap);
	EXPECT_FALSE(is_allocated(self->heap, self->object));
}

/* Reads another process's memory, and has its address space locked meanwhile. */
struct peek {
	pid_t pid;
	const volatile void *where;
	pid_t tid;
	_Atomic bool begun;
};

static void *peek(void *arg)
{
	struct peek *peek = arg;
	char path[32], c;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", peek->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	peek->tid = gettid();
	peek->begun = true;
	must(pread(fd, &c, 1, (off_t)peek->where) == 1);
	close(fd);
	return NULL;
}

static void map_when_told(int sock)
{
	hear(sock);
	must(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	say(sock);
	hear(sock);
	_exit(KSFT_PASS);
}

/* A process that has the heap waits to change its address space. */
TEST_F(waiting, an_address_space_that_is_locked)
{
	struct peek order = {};
	pthread_t thread;
	int sock[2];
	pid_t other;

	self->child = start_server(&self->server);
	self->page = map_file(self->server.path);
	socket_pair(sock);
	other = fork_child();
	if (!other)
		map_when_told(sock[1]);
	order.pid = other;
	order.where = self->page;
	must(!pthread_create(&thread, NULL, peek, &order));
	hear(self->asked);
	say(sock[0]);
	await_blocked(other, other, SYS_mmap);
	in_thread(collect_in_vain, self->heap);
	say(self->go);
	must(!pthread_join(thread, NULL));
	hear(sock[0]);
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, self->object));
	say(sock[0]);
	EXPECT_TRUE(child_succeeded(other));
}

struct counters {
	_Atomic uint64_t with;
	_Atomic uint64_t without;
	_Atomic bool watched;
};

/* What a process that does not have the heap knows of one that collects */
struct collection {
	struct gcheap *heap;
	_Atomic pid_t tid;
	_Atomic bool watched;
};

static pid_t start_counting(struct gcheap *not_to_have, _Atomic uint64_t *counter)
{
	pid_t child = fork_child();

	if (child)
		return child;
	if (not_to_have) {
		gcheap_close(not_to_have);
		must(open_manual(4 * MIB));
	}
	for (;;)
		++*counter;
}

/* The world is stopped when the server is asked: who runs on, and who does not? */
static pid_t start_watching(struct gcheap *heap, struct counters *counters, int asked, int go)
{
	uint64_t with, without;
	pid_t child = fork_child();

	if (child)
		return child;
	gcheap_close(heap);
	counters->watched = true;
	hear(asked);
	with = counters->with;
	without = counters->without;
	while (counters->without < without + 100000)
		sched_yield();
	must(counters->with == with);
	say(go);
	_exit(KSFT_PASS);
}

TEST_F(waiting, who_has_another_heap_is_not_stopped)
{
	struct counters *counters = shared_page();
	pid_t with, without, watcher;

	with = start_counting(NULL, &counters->with);
	without = start_counting(self->heap, &counters->without);
	while (!counters->with || !counters->without)
		sched_yield();
	watcher = start_watching(self->heap, counters, self->asked, self->go);
	/* Before that it has the heap, too. */
	while (!counters->watched)
		sched_yield();
	self->child = start_server_without(self->heap, &self->server);
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, PAGE));
	in_thread(collect_at_last, self->heap);
	EXPECT_TRUE(is_allocated(self->heap, self->object));
	EXPECT_TRUE(child_succeeded(watcher));
	kill(with, SIGKILL);
	kill(without, SIGKILL);
	await_child(with);
	await_child(without);
}

/**
 * struct turns - two heaps that are stopped at the same time
 * @first: one, which the fixture's server holds up
 * @second: the other, which @server holds up
 * @server: in the place of the fixture's
 * @go: as in the fixture
 * @asked: as in the fixture
 * @begin: the second heap is to be collected
 * @ready: processes that have closed the heaps that they are not to have
 * @over: the runner is to end
 */
struct turns {
	struct gcheap *first;
	struct gcheap *second;
	struct server server;
	int go;
	int asked;
	int begin[2];
	_Atomic int ready;
	_Atomic bool over;
};

static pid_t fork_without(struct turns *turns, struct gcheap *one, struct gcheap *two)
{
	pid_t child = fork_child();

	if (child)
		return child;
	gcheap_close(one);
	if (two)
		gcheap_close(two);
	turns->ready++;
	return 0;
}

static pid_t start_second_collector(struct turns *turns)
{
	pid_t child = fork_without(turns, turns->first, NULL);
	void *volatile *page;

	if (child)
		return child;
	page = map_file(turns->server.path);
	must(!gcheap_root_add(turns->second, (void *)page, PAGE));
	hear(turns->begin[0]);
	in_thread(collect_here, turns->second);
	_exit(KSFT_PASS);
}

static struct gcheap_cycle cycle_of(int fd)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!call(fd, GCHEAP_IOC_STATS, &stats));
	return stats.cycle;
}

/* When all have left */
static uint64_t stable_release(int fd)
{
	uint64_t release;

	do {
		release = cycle_of(fd).release_ns;
	} while (cycle_of(fd).release_ns != release);
	return release;
}

static pid_t start_turns(struct turns *turns, int asked, int go)
{
	/* The heap, but not its mapping */
	int first = dup(gcheap_fd(turns->first)), i;
	pid_t child = fork_without(turns, turns->first, turns->second);
	uint64_t last = 0, now;

	if (child) {
		close(first);
		return child;
	}
	hear(asked);
	say(turns->begin[1]);
	hear(turns->asked);
	/* Both are stopped: the first goes on. */
	say(go);
	while (!cycle_of(first).number)
		sched_yield();
	for (i = 0; i < scaled(1000); i++) {
		now = cycle_of(first).release_ns;
		must(now > last);
		last = now;
		sched_yield();
	}
	say(turns->go);
	_exit(KSFT_PASS);
}

static void *run_on(void *arg)
{
	struct turns *turns = arg;

	turns->ready++;
	while (!turns->over)
		;
	return NULL;
}

/*
 * A thread that a stop of another heap parks on its way out has not left; if it had,
 * the first heap's next stop would be on time to park it again, and so on.
 */
TEST_F(waiting, who_leaves_one_stop_for_another_has_not_left)
{
	struct turns *turns = shared_page();
	pid_t children[4];
	int go[2], asked[2], i;
	pthread_t runner;

	turns->first = self->heap;
	turns->second = open_manual(16 * MIB);
	turns->server.page = shared_page();
	ASSERT_TRUE(mount_file(&turns->server));
	must(!pipe(go) && !pipe(asked) && !pipe(turns->begin));
	turns->server.control = go[0];
	turns->server.reading = asked[1];
	turns->go = go[1];
	turns->asked = asked[0];
	children[0] = fork_without(turns, turns->first, turns->second);
	if (!children[0])
		serve(&self->server);
	children[1] = fork_without(turns, turns->first, turns->second);
	if (!children[1])
		serve(&turns->server);
	children[2] = start_second_collector(turns);
	children[3] = start_turns(turns, self->asked, self->go);
	ASSERT_EQ(0, pthread_create(&runner, NULL, run_on, turns));
	while (turns->ready < 5)
		sched_yield();
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, PAGE));
	in_thread(collect_here, self->heap);
	EXPECT_TRUE(child_succeeded(children[2]));
	EXPECT_TRUE(child_succeeded(children[3]));
	turns->over = true;
	ASSERT_EQ(0, pthread_join(runner, NULL));
	/* Now all have left, and it stays so. */
	stable_release(gcheap_fd(self->heap));
	umount2(turns->server.path, MNT_DETACH);
	unlink(turns->server.path);
	for (i = 0; i < 2; i++) {
		kill(children[i], SIGKILL);
		await_child(children[i]);
	}
	gcheap_close(turns->second);
}

/* What is told of a collection is not overwritten by one that is none. */
TEST_F(waiting, a_stop_that_was_given_up_tells_of_no_release)
{
	struct turns *turns = shared_page();
	pthread_t runner;
	uint64_t release;

	ASSERT_EQ(0, pthread_create(&runner, NULL, run_on, turns));
	while (!turns->ready)
		sched_yield();
	/* A thread that has no processor is not parked, and has nothing to leave. */
	do {
		collect(self->heap);
		release = stable_release(gcheap_fd(self->heap));
	} while (!release);
	self->child = start_server(&self->server);
	self->page = map_file(self->server.path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, PAGE));
	in_thread(collect_in_vain, self->heap);
	EXPECT_EQ(release, stable_release(gcheap_fd(self->heap)));
	turns->over = true;
	ASSERT_EQ(0, pthread_join(runner, NULL));
}

/* Who collects, and waits for a process's memory, has stopped the world. */
static pid_t start_waiting_for_stop(struct gcheap *heap, struct collection *collection, int go)
{
	pid_t parent = getpid();
	pid_t child = fork_child();

	if (child)
		return child;
	gcheap_close(heap);
	collection->watched = true;
	while (!collection->tid)
		sched_yield();
	await_blocked(parent, collection->tid, SYS_ioctl);
	say(go);
	_exit(KSFT_PASS);
}

apart void collect_watched(void *arg)
{
	struct collection *collection = arg;

	collection->tid = gettid();
	must(!gcheap_collect(collection->heap));
}

static void *run_forker(void *arg)
{
	pid_t pid;

	hear(*(int *)arg);
	pid = syscall(SYS_fork);
	if (!pid)
		syscall(SYS_exit_group, KSFT_PASS);
	must(pid > 0 && child_succeeded(pid));
	return NULL;
}

static void fork_when_told(int sock)
{
	pthread_t threads[FORKERS];
	const int count = scaled(FORKERS);
	int i;

	for (i = 0; i < count; i++)
		must(!pthread_create(&threads[i], NULL, run_forker, &sock));
	say(sock);
	for (i = 0; i < count; i++)
		must(!pthread_join(threads[i], NULL));
	_exit(KSFT_PASS);
}

static int forking(pid_t pid)
{
	char path[32];
	struct dirent *entry;
	int count = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	must(tasks);
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.' &&
		    blocked_in(pid, atoi(entry->d_name)) == SYS_fork)
			count++;
	closedir(tasks);
	return count;
}

/* More children than works for them were made ready: once more, with one for each. */
TEST_F(waiting, each_thread_may_have_a_child_in_one_stop)
{
	struct collection *collection = shared_page();
	const int count = scaled(FORKERS);
	pid_t watcher, other;
	struct peek order = {};
	pthread_t thread;
	int i, sock[2];

	self->child = start_server_without(self->heap, &self->server);
	self->page = map_file(self->server.path);
	socket_pair(sock);
	other = fork_child();
	if (!other)
		fork_when_told(sock[1]);
	hear(sock[0]);
	order.pid = other;
	order.where = self->page;
	must(!pthread_create(&thread, NULL, peek, &order));
	hear(self->asked);
	for (i = 0; i < count; i++)
		say(sock[0]);
	while (forking(other) < count)
		sched_yield();
	collection->heap = self->heap;
	watcher = start_waiting_for_stop(self->heap, collection, self->go);
	while (!collection->watched)
		sched_yield();
	in_thread(collect_watched, collection);
	EXPECT_TRUE(child_succeeded(watcher));
	EXPECT_TRUE(child_succeeded(other));
	must(!pthread_join(thread, NULL));
}

/* Files of heaps, works for threads, and fetches, of all processes */
static long module_references(void)
{
	FILE *file = fopen("/sys/module/gcheap/refcnt", "re");
	long references;

	must(file && fscanf(file, "%ld", &references) == 1);
	fclose(file);
	return references;
}

static bool references_are_back(const void *before)
{
	return module_references() <= *(const long *)before;
}

/* A process whose last collection gave up waiting for its own memory */
static void give_up_and_exit(const char *path)
{
	struct gcheap *heap = open_manual(4 * MIB);
	void *volatile *page = map_file(path);

	must(!gcheap_root_add(heap, (void *)page, PAGE));
	in_thread(collect_in_vain, heap);
	_exit(KSFT_PASS);
}

/* The heap must not hold the process that holds the heap. */
TEST_F(waiting, a_heap_ends_with_the_process_that_was_not_waited_for)
{
	long before;
	pid_t pid;

	self->child = start_server(&self->server);
	before = module_references();
	pid = fork_child();
	if (!pid)
		give_up_and_exit(self->server.path);
	EXPECT_TRUE(child_succeeded(pid));
	say(self->go);
	EXPECT_TRUE(comes_true(references_are_back, &before));
}

/* The server stays silent, yet a process that was killed is gone after a while. */
TEST_F_TIMEOUT(waiting, a_process_ends_whose_memory_never_comes, 90)
{
	long before;
	pid_t pid;

	self->child = start_server(&self->server);
	before = module_references();
	pid = fork_child();
	if (!pid)
		give_up_and_exit(self->server.path);
	EXPECT_TRUE(child_succeeded(pid));
	while (!references_are_back(&before))
		sched_yield();
	say(self->go);
}

/* More than have a thread each that waits for them; the debug kernel takes long. */
#define CROWD		520
#define CROWD_DEBUG	130
#define CROWDED_UID	4321

/* Each has one page that does not come. */
static void collect_in_a_crowd(void *volatile *page, _Atomic int *tried)
{
	struct gcheap *heap;

	heap = open_manual(4 * MIB);
	must(heap);
	must(!setresuid(CROWDED_UID, CROWDED_UID, CROWDED_UID));
	must(!gcheap_root_add(heap, (void *)page, PAGE));
	in_thread(collect_in_vain, heap);
	++*tried;
	for (;;)
		pause();
}

/* However many pages of one user do not come, those of another do. */
TEST_F_TIMEOUT(waiting, one_user_is_not_in_the_way_of_another, 120)
{
	_Atomic int *tried = shared_page();
	struct server *other = shared_page();
	const int count = on_debug_kernel() ? CROWD_DEBUG : CROWD;
	pid_t crowd[CROWD], silent;
	void *volatile *page;
	int i;

	gcheap_close(self->heap);
	other->page = self->server.page;
	other->late = 1;
	ASSERT_TRUE(mount_file(other));
	silent = start_server(&self->server);
	self->child = start_server(other);
	/* Once it is asked for a page it answers nothing. */
	page = map_file(self->server.path);
	for (i = 0; i < count; i++) {
		crowd[i] = fork_child();
		if (!crowd[i])
			collect_in_a_crowd(page, tried);
	}
	while (*tried < count)
		sched_yield();
	self->heap = open_manual(4 * MIB);
	self->page = map_file(other->path);
	ASSERT_EQ(0, gcheap_root_add(self->heap, (void *)self->page, PAGE));
	collect(self->heap);
	umount2(other->path, MNT_DETACH);
	unlink(other->path);
	kill(silent, SIGKILL);
	await_child(silent);
	for (i = 0; i < count; i++) {
		kill(crowd[i], SIGKILL);
		await_child(crowd[i]);
	}
}

struct sparse {
	struct gcheap *heap;
	uintptr_t object;
	void *volatile *word;
};

apart void put_in_sparse(void *arg)
{
	struct sparse *sparse = arg;

	*sparse->word = reveal(sparse->object);
}

/* Looking at shared memory must not fill it. */
TEST(sparse_shared_roots_stay_sparse)
{
	struct gcheap *heap = open_manual(16 * MIB);
	struct sparse sparse = { .heap = heap };
	int fd = memfd_create("sparse", MFD_CLOEXEC);
	struct stat before, after;
	char *memory;

	ASSERT_EQ(0, ftruncate(fd, SPARSE));
	memory = mmap(NULL, SPARSE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	sparse.object = new_hidden(heap, OBJECT_SIZE, 1);
	sparse.word = (void *volatile *)(memory + SPARSE / 2 + 8);
	in_thread(put_in_sparse, &sparse);
	/* In the file, but not in the page table */
	ASSERT_EQ(0, madvise(memory, SPARSE, MADV_DONTNEED));
	ASSERT_EQ(0, fstat(fd, &before));
	ASSERT_EQ(0, gcheap_root_add(heap, memory, SPARSE));
	collect(heap);
	EXPECT_TRUE(is_allocated(heap, sparse.object));
	ASSERT_EQ(0, fstat(fd, &after));
	EXPECT_EQ(before.st_blocks, after.st_blocks);
	*sparse.word = NULL;
	collect(heap);
	EXPECT_FALSE(is_allocated(heap, sparse.object));
	gcheap_close(heap);
}

static long huge_pages(const char *set)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", set ? "r+" : "r");
	long nr = -1;

	if (!file)
		return -1;
	if (set)
		fputs(set, file);
	else
		must(fscanf(file, "%ld", &nr) == 1);
	fclose(file);
	return nr;
}

/* Nor do holes in files of huge pages come to be for being looked at. */
TEST(sparse_huge_roots_stay_sparse)
{
	const size_t size = 4 * 2 * MIB;
	struct gcheap *heap;
	struct sparse sparse;
	struct stat before, after;
	bool known = huge_pages(NULL) >= 0;
	int file;
	char *map;

	if (known)
		huge_pages("8");
	if (huge_pages(NULL) < 8)
		SKIP(return, "no huge pages to be had");
	file = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
	ASSERT_NE(MAP_FAILED, map);
	heap = open_manual(4 * MIB);
	ASSERT_TRUE(heap);
	sparse.object = new_hidden(heap, OBJECT_SIZE, 1);
	sparse.word = (void *)(map + 2 * 2 * MIB + 8);
	in_thread(put_in_sparse, &sparse);
	must(!fstat(file, &before));
	ASSERT_EQ(0, gcheap_root_add(heap, map, size));
	collect(heap);
	must(!fstat(file, &after));
	EXPECT_EQ(before.st_blocks, after.st_blocks);
	EXPECT_TRUE(is_filled(heap, sparse.object, OBJECT_SIZE, 1));
	gcheap_close(heap);
	munmap(map, size);
	close(file);
	huge_pages("0");
}

TEST_HARNESS_MAIN
