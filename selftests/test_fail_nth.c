// SPDX-License-Identifier: GPL-2.0
/*
 * Each thing that works is done again with its n-th allocation, or copy from or
 * to the program's memory, failing: n = 1, 2, 3 ... until none fails.  Whatever
 * fails, the answer is success or a documented errno, what is kept stays as it
 * is, and the heap works on.  What was lost on the way, kmemleak finds.
 *
 * The fault comes from /proc/thread-self/fail-nth (Documentation/fault-injection
 * of the kernel), which the debug kernel has.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include "common.h"
#include "injection.h"

#define HEAP_SIZE	(64 * MIB)
#define LINKS		500
#define SLEEPERS	8

/* No chain has as many allocations. */
#define N_MAX		20000

struct link {
	struct link *next;
	uint64_t number;
	uint64_t check;
};

/* What must survive all of it */
static struct link *volatile kept;

struct scene {
	int fd;
	char *base;
	unsigned int n;
	bool came;
	int wake[2];
	pthread_t sleepers[SLEEPERS];
	pid_t child;
};

/* Opening it would be part of what may fail, so it stays open. */
static __thread int nth_file = -1;

/* From here on the calling thread's n-th one fails. */
static void arm(struct scene *scene)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", scene->n);

	if (nth_file < 0)
		nth_file = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	must(nth_file >= 0);
	must(pwrite(nth_file, text, length, 0) == length);
}

/* Up to here.  Looking at it is a copy, too, and so may be the n-th. */
static void disarm(struct scene *scene)
{
	int saved = errno;
	char text[16] = "";

	if (pread(nth_file, text, sizeof(text) - 1, 0) > 0 && !strcmp(text, "0\n"))
		scene->came = true;
	while (pwrite(nth_file, "0", 1, 0) != 1)
		must(errno == EFAULT);
	errno = saved;
}

/* Try one ioctl. */
static int try_call(struct scene *scene, unsigned long number, void *argument)
{
	int err;

	arm(scene);
	err = call(scene->fd, number, argument);
	disarm(scene);
	return err;
}

static int try_open(struct scene *scene)
{
	int fd, err;

	arm(scene);
	fd = open("/dev/gcheap", O_RDWR | O_CLOEXEC);
	err = fd < 0 ? errno : 0;
	disarm(scene);
	if (fd >= 0)
		must(!close(fd));
	return err;
}

/* The first mapping of a heap, with an object in it, and its end */
static int try_map(struct scene *scene)
{
	int fd = raw_open(HEAP_SIZE), err;
	void *base;

	must(!raw_attach(fd));
	arm(scene);
	base = mmap(NULL, HEAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	err = base == MAP_FAILED ? errno : 0;
	disarm(scene);
	if (err)
		base = raw_map(fd);
	must(base != MAP_FAILED);
	must(works_on(fd));
	must(!munmap(base, HEAP_SIZE));
	must(!close(fd));
	return err;
}

static int try_unmap_and_close(struct scene *scene)
{
	int fd = raw_open(HEAP_SIZE), err;
	void *base = raw_map(fd);

	must(base != MAP_FAILED);
	must(works_on(fd));
	arm(scene);
	err = munmap(base, HEAP_SIZE) ? errno : 0;
	close(fd);
	disarm(scene);
	if (err)
		must(!munmap(base, HEAP_SIZE));
	return err;
}

/* Its statistics, in a piece of the address space that has no page tables yet */
static int try_map_of_statistics(struct scene *scene)
{
	uint64_t offset = GCHEAP_STATS_OFFSET;
	char *place = scene->base + ((1ul + scene->n) << 30);
	void *page;
	int err;

	arm(scene);
	page = mmap(place, 4096, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, scene->fd,
		    offset);
	err = page == MAP_FAILED ? errno : 0;
	disarm(scene);
	if (err)
		return err;
	must(((struct gcheap_stats_page *)page)->stats.heap_objects >= LINKS);
	must(!munmap(page, 4096));
	return 0;
}

/* The first member of a heap */
static int try_become_member(struct scene *scene)
{
	struct scene other = *scene;
	struct gcheap_ioc_attach request = { .size = sizeof(request) };
	void *base;
	int err;

	other.fd = raw_open(HEAP_SIZE);
	err = try_call(&other, GCHEAP_IOC_ATTACH, &request);
	scene->came = other.came;
	base = mmap(NULL, HEAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, other.fd, 0);
	must(err ? base == MAP_FAILED && errno == EPERM : base != MAP_FAILED);
	if (base == MAP_FAILED)
		base = raw_map(other.fd);
	must(works_on(other.fd));
	must(!munmap(base, HEAP_SIZE));
	must(!close(other.fd));
	return err;
}

static int lowest_free_number(void)
{
	int fd = dup(0);

	must(fd >= 0 && !close(fd));
	return fd;
}

/* No descriptor is left behind by a call that could not tell of it. */
static int try_reopen(struct scene *scene)
{
	struct gcheap_ioc_reopen request = {
		.size = sizeof(request), .address = (uintptr_t)scene->base,
	};
	int before, err;

	/* Its first use opens a file. */
	arm(scene);
	disarm(scene);
	scene->came = false;
	before = lowest_free_number();
	err = try_call(scene, GCHEAP_IOC_REOPEN, &request);
	if (!err) {
		must(works_on(request.fd));
		must(!close(request.fd));
	}
	must(lowest_free_number() == before);
	return err;
}

/* A process of its own maps the heap. */
static int try_attach(struct scene *scene)
{
	int ends[2], answer[2];
	pid_t child;

	socket_pair(ends);
	child = fork_child();
	if (!child) {
		nth_file = -1;
		must(!munmap(scene->base, HEAP_SIZE));
		must(!raw_attach(scene->fd));
		arm(scene);
		answer[0] = mmap(scene->base, HEAP_SIZE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED_NOREPLACE, scene->fd,
				 0) == MAP_FAILED ? errno : 0;
		disarm(scene);
		must(answer[0] || works_on(scene->fd));
		answer[1] = scene->came;
		must(write(ends[1], answer, sizeof(answer)) == sizeof(answer));
		_exit(0);
	}
	must(child_succeeded(child));
	must(read(ends[0], answer, sizeof(answer)) == sizeof(answer));
	close(ends[0]);
	close(ends[1]);
	scene->came = answer[1];
	return answer[0];
}

static int try_info(struct scene *scene)
{
	struct gcheap_class_info classes[128];
	struct gcheap_ioc_info info = {
		.size = sizeof(info),
		.class_capacity = ARRAY_SIZE(classes),
		.classes = (uintptr_t)classes,
	};

	return try_call(scene, GCHEAP_IOC_INFO, &info);
}

static int try_config(struct scene *scene)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT,
		.percent = GCHEAP_PERCENT_OFF,
		.limit = HEAP_SIZE,
	};

	return try_call(scene, GCHEAP_IOC_CONFIG, &config);
}

static int try_stats(struct scene *scene)
{
	struct gcheap_class_stats classes[128];
	struct gcheap_ioc_stats stats = {
		.size = sizeof(stats),
		.class_capacity = ARRAY_SIZE(classes),
		.classes = (uintptr_t)classes,
	};

	return try_call(scene, GCHEAP_IOC_STATS, &stats);
}

static int try_object(struct scene *scene)
{
	struct gcheap_ioc_object object = {
		.size = sizeof(object), .address = (uintptr_t)kept,
	};

	return try_call(scene, GCHEAP_IOC_OBJECT, &object);
}

static int try_alloc_of(struct scene *scene, size_t bytes, unsigned int flags)
{
	struct gcheap_ioc_alloc alloc = {
		.size = sizeof(alloc), .flags = flags, .bytes = bytes,
	};
	int err = try_call(scene, GCHEAP_IOC_ALLOC, &alloc);

	must(err || all_zero((void *)alloc.address, bytes));
	return err;
}

static int try_alloc_small(struct scene *scene)
{
	must(!raw_collect(scene->fd));
	return try_alloc_of(scene, 200, 0);
}

static int try_alloc_noscan(struct scene *scene)
{
	must(!raw_collect(scene->fd));
	return try_alloc_of(scene, 3000, GCHEAP_NOSCAN);
}

/* More than there is yet: the heap has to grow, by several blocks. */
static int try_alloc_large(struct scene *scene)
{
	static size_t bytes = MIB;

	must(!raw_collect(scene->fd));
	bytes = bytes < HEAP_SIZE / 2 ? bytes + 64 * KIB : MIB;
	return try_alloc_of(scene, bytes, 0);
}

/* As many as one call takes; who is refused has them all as they were. */
static int try_free(struct scene *scene)
{
	static uint64_t objects[GCHEAP_FREE_MAX];
	struct gcheap_ioc_free request = {
		.size = sizeof(request),
		.nr = GCHEAP_FREE_MAX,
		.objects = (uintptr_t)objects,
	};
	int err, i;

	for (i = 0; i < GCHEAP_FREE_MAX; i++) {
		objects[i] = (uintptr_t)raw_alloc(scene->fd, 100);
		must(objects[i]);
	}
	err = try_call(scene, GCHEAP_IOC_FREE, &request);
	if (err == ENOMEM)
		must(!call(scene->fd, GCHEAP_IOC_FREE, &request));
	must(err == EFAULT || request.done == GCHEAP_FREE_MAX);
	return err;
}

static int try_walk(struct scene *scene)
{
	static struct gcheap_walked walked[GCHEAP_WALK_MAX];
	struct gcheap_ioc_walk walk = {
		.size = sizeof(walk),
		.capacity = GCHEAP_WALK_MAX,
		.objects = (uintptr_t)walked,
	};
	int err = try_call(scene, GCHEAP_IOC_WALK, &walk);

	must(err || walk.count > LINKS / 2);
	return err;
}

static int release_all(int fd)
{
	struct gcheap_ioc_collect request = {
		.size = sizeof(request), .flags = GCHEAP_COLLECT_RELEASE,
	};

	return call(fd, GCHEAP_IOC_COLLECT, &request);
}

/* The only free slots of the class are in slabs whose pages were given back. */
static int try_alloc_in_a_hole(struct scene *scene)
{
	static char *volatile survivor;
	static struct gcheap_ioc_stats before, after;
	int err, i;

	for (i = 0; !survivor || i % 7; i++) {
		survivor = raw_alloc(scene->fd, 8000);
		must(survivor);
	}
	fill(survivor, 8000, 1);
	must(!release_all(scene->fd));
	before.size = sizeof(before);
	must(!call(scene->fd, GCHEAP_IOC_STATS, &before));
	err = try_alloc_of(scene, 8000, 0);
	must(filled(survivor, 8000, 1));
	after.size = sizeof(after);
	must(!call(scene->fd, GCHEAP_IOC_STATS, &after));
	/* As much as it had, or whole slabs of 16 pages: not a part. */
	must(after.heap_sys == before.heap_sys ||
	     after.heap_sys >= before.heap_sys + 8 * 4096);
	return err;
}

/* A new heap each time: it has to grow. */
static int try_alloc_in_new_heap(struct scene *scene)
{
	struct scene other = *scene;
	int err;

	other.fd = raw_open(HEAP_SIZE);
	other.base = raw_map(other.fd);
	must(other.base != MAP_FAILED);
	err = try_alloc_of(&other, 5 * MIB, 0);
	must(works_on(other.fd));
	must(!munmap(other.base, HEAP_SIZE));
	must(!close(other.fd));
	scene->came = other.came;
	return err;
}

static void take_back(int fd)
{
	struct gcheap_ioc_release release = {
		.size = sizeof(release), .flags = GCHEAP_RELEASE_ALL,
	};

	must(!call(fd, GCHEAP_IOC_RELEASE, &release));
}

/* Slabs of another class each time, some of which come back with the next call */
static int try_refill(struct scene *scene)
{
	static struct gcheap_slab slabs[2][8];
	static uint64_t bits[8][GCHEAP_SLAB_WORDS];
	uint64_t live[8];
	struct gcheap_slab_return back[4];
	struct gcheap_ioc_refill refill = {
		.size = sizeof(refill),
		.want = 8,
		.live = (uintptr_t)live,
		.slabs = (uintptr_t)slabs[0],
		.class_index = scene->n % 61,
	};
	size_t i;
	int err;

	memset(bits, 0xff, sizeof(bits));
	for (i = 0; i < 8; i++)
		live[i] = (uintptr_t)bits[i];
	must(!call(scene->fd, GCHEAP_IOC_REFILL, &refill));
	for (i = 0; i < refill.got && i < 4; i++)
		back[i] = (struct gcheap_slab_return) {
			.start = slabs[0][i].start,
			.free = (uintptr_t)slabs[0][i].free,
		};
	refill = (struct gcheap_ioc_refill) {
		.size = sizeof(refill),
		.want = 8,
		.slabs = (uintptr_t)slabs[1],
		.class_index = (scene->n + 7) % 61,
		.back = (uintptr_t)back,
		.nr_back = i,
	};
	err = try_call(scene, GCHEAP_IOC_REFILL, &refill);
	for (i = 0; !err && i < refill.got; i++)
		must(all_zero((void *)slabs[1][i].start, 8));
	take_back(scene->fd);
	return err;
}

static int try_release(struct scene *scene)
{
	static struct gcheap_slab slabs[4];
	struct gcheap_slab_return back[4];
	struct gcheap_ioc_refill refill = {
		.size = sizeof(refill),
		.want = 4,
		.slabs = (uintptr_t)slabs,
		.class_index = 9,
	};
	struct gcheap_ioc_release release = {
		.size = sizeof(release), .back = (uintptr_t)back,
	};
	int err;

	must(!call(scene->fd, GCHEAP_IOC_REFILL, &refill));
	for (release.nr_back = 0; release.nr_back < refill.got; release.nr_back++)
		back[release.nr_back] = (struct gcheap_slab_return) {
			.start = slabs[release.nr_back].start,
			.free = (uintptr_t)slabs[release.nr_back].free,
		};
	err = try_call(scene, GCHEAP_IOC_RELEASE, &release);
	take_back(scene->fd);
	return err;
}

static uint64_t range[64];

static struct gcheap_ioc_root root_range(void)
{
	return (struct gcheap_ioc_root) {
		.size = sizeof(struct gcheap_ioc_root),
		.start = (uintptr_t)range,
		.length = sizeof(range),
	};
}

/* When it did not work there is nothing to delete, and when it did, there is. */
static int try_root_add(struct scene *scene)
{
	struct gcheap_ioc_root root = root_range();
	int err = try_call(scene, GCHEAP_IOC_ROOT_ADD, &root);

	root.length = 0;
	if (err == EFAULT)
		call(scene->fd, GCHEAP_IOC_ROOT_DEL, &root);
	else
		must(!call(scene->fd, GCHEAP_IOC_ROOT_DEL, &root) == !err);
	return err;
}

static int try_root_del(struct scene *scene)
{
	struct gcheap_ioc_root root = root_range();
	int err;

	must(!call(scene->fd, GCHEAP_IOC_ROOT_ADD, &root));
	root.length = 0;
	err = try_call(scene, GCHEAP_IOC_ROOT_DEL, &root);
	if (err)
		call(scene->fd, GCHEAP_IOC_ROOT_DEL, &root);
	return err;
}

/* A new table for them, if there is none yet, and a link */
static int try_link_add(struct scene *scene)
{
	struct gcheap_ioc_link link = { .size = sizeof(link), .object = (uintptr_t)kept };
	int err;

	link.word = (uintptr_t)raw_alloc(scene->fd, 64);
	must(link.word);
	err = try_call(scene, GCHEAP_IOC_LINK_ADD, &link);
	link.object = 0;
	if (err == EFAULT)
		call(scene->fd, GCHEAP_IOC_LINK_DEL, &link);
	else
		must(!call(scene->fd, GCHEAP_IOC_LINK_DEL, &link) == !err);
	/* The table goes with the last link. */
	must(!raw_collect(scene->fd));
	return err;
}

static int try_link_del(struct scene *scene)
{
	struct gcheap_ioc_link link = { .size = sizeof(link), .object = (uintptr_t)kept };
	int err;

	link.word = (uintptr_t)raw_alloc(scene->fd, 64);
	must(link.word);
	must(!call(scene->fd, GCHEAP_IOC_LINK_ADD, &link));
	link.object = 0;
	err = try_call(scene, GCHEAP_IOC_LINK_DEL, &link);
	if (err)
		call(scene->fd, GCHEAP_IOC_LINK_DEL, &link);
	return err;
}

static int try_aging_root(struct scene *scene)
{
	struct gcheap_ioc_root root = {
		.size = sizeof(root), .flags = GCHEAP_ROOT_AGING, .length = 64,
	};
	int err;

	root.start = (uintptr_t)raw_alloc(scene->fd, 64);
	must(root.start);
	err = try_call(scene, GCHEAP_IOC_ROOT_ADD, &root);
	must(!raw_collect(scene->fd));
	root.length = 0;
	call(scene->fd, GCHEAP_IOC_ROOT_DEL, &root);
	return err;
}

static int try_collect(struct scene *scene)
{
	struct gcheap_ioc_collect collection = { .size = sizeof(collection) };
	int i;

	for (i = 0; i < 20; i++)
		must(raw_alloc(scene->fd, 1000 * (i + 1)));
	return try_call(scene, GCHEAP_IOC_COLLECT, &collection);
}

#define WIDE	20000

/* One object that refers to so many that the queue of the marker has to grow */
static int try_collect_wide(struct scene *scene)
{
	static void **volatile wide;
	size_t i;
	int err;

	if (!wide) {
		wide = raw_alloc(scene->fd, WIDE * sizeof(void *));
		for (i = 0; wide && i < WIDE; i++) {
			wide[i] = raw_alloc(scene->fd, 16);
			must(wide[i]);
		}
	}
	must(wide);
	err = try_collect(scene);
	for (i = 0; i < WIDE; i += 997)
		must(all_zero(wide[i], 16));
	if (!scene->came)
		wide = NULL;
	return err;
}

static void *sleep_in_read(void *arg)
{
	const struct scene *scene = arg;

	hear(scene->wake[0]);
	return NULL;
}

/* Threads and a process that the heap does not know yet */
static int try_collect_with_strangers(struct scene *scene)
{
	int i, err;

	socket_pair(scene->wake);
	for (i = 0; i < SLEEPERS; i++)
		must(!pthread_create(&scene->sleepers[i], NULL, sleep_in_read, scene));
	scene->child = fork_child();
	if (!scene->child) {
		hear(scene->wake[0]);
		_exit(!works_on(scene->fd));
	}
	err = try_collect(scene);
	for (i = 0; i < SLEEPERS + 1; i++)
		say(scene->wake[1]);
	for (i = 0; i < SLEEPERS; i++)
		must(!pthread_join(scene->sleepers[i], NULL));
	must(child_succeeded(scene->child));
	close(scene->wake[0]);
	close(scene->wake[1]);
	return err;
}

/* A collection that an allocation makes due */
static int try_collect_when_due(struct scene *scene)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_PERCENT,
		.percent = 1,
	};
	int i, err;

	must(!raw_collect(scene->fd));
	for (i = 0; i < 40; i++)
		must(raw_alloc(scene->fd, 100000));
	must(!call(scene->fd, GCHEAP_IOC_CONFIG, &config));
	err = try_alloc_of(scene, 100000, 0);
	config.percent = GCHEAP_PERCENT_OFF;
	config.flags = GCHEAP_CONFIG_PERCENT;
	must(!call(scene->fd, GCHEAP_IOC_CONFIG, &config));
	return err;
}

/* A mapping that is new has no page tables yet; a child keeps what is in the heap. */
static int try_page_fault(struct scene *scene)
{
	uintptr_t object = hide(raw_alloc(scene->fd, 3 * MIB));
	pid_t keeper = fork_child();
	size_t i;

	while (!keeper)
		pause();
	must(!munmap(scene->base, HEAP_SIZE));
	must(raw_map(scene->fd) == scene->base);
	arm(scene);
	for (i = 0; i < 3 * MIB; i += MIB)
		*(volatile char *)(reveal(object) + i) = 1;
	disarm(scene);
	must(!kill(keeper, SIGKILL));
	await_child(keeper);
	return 0;
}

static int try_fork(struct scene *scene)
{
	struct gcheap_ioc_root root = root_range();
	pid_t child;
	int err;

	must(!call(scene->fd, GCHEAP_IOC_ROOT_ADD, &root));
	arm(scene);
	child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		/* There are hundreds of places, and most are not ours. */
		must(scene->n % 32 || works_on(scene->fd));
		_exit(0);
	}
	err = child < 0 ? errno : 0;
	disarm(scene);
	if (!err)
		must(child_succeeded(child));
	root.length = 0;
	must(!call(scene->fd, GCHEAP_IOC_ROOT_DEL, &root));
	return err;
}

/* A call by a thread that the heap does not know yet, and the thread's end */
static void *call_first(void *arg)
{
	struct scene *scene = arg;

	return (void *)(long)try_alloc_of(scene, 64, 0);
}

static int try_first_call_of_a_thread(struct scene *scene)
{
	pthread_t thread;
	void *err;

	must(!pthread_create(&thread, NULL, call_first, scene));
	must(!pthread_join(thread, &err));
	return (long)err;
}

/* A child of the heap becomes another program, or dies of trying. */
static int try_exec(struct scene *scene)
{
	char *const arguments[] = { "true", NULL };
	pid_t child = fork_child();

	if (!child) {
		nth_file = -1;
		must(raw_alloc(scene->fd, 64));
		arm(scene);
		execv("/proc/self/exe", arguments);
		disarm(scene);
		must(scene->n % 32 || works_on(scene->fd));
		_exit(scene->came);
	}
	/* It is killed when it is too late to go back, and else tells. */
	scene->came = await_child(child);
	return 0;
}

FIXTURE(fail_nth) {
	struct scene scene;
	bool enabled;
};

static bool chain_intact(void)
{
	struct link *link;
	uint64_t number = LINKS;

	for (link = kept; link; link = link->next)
		if (link->number != --number || link->check != pattern(number, 0))
			return false;
	return !number;
}

apart void make_chain(void *arg)
{
	const struct scene *scene = arg;
	uint64_t number;

	kept = NULL;
	for (number = 0; number < LINKS; number++) {
		struct link *link = raw_alloc(scene->fd, sizeof(*link));

		must(link);
		*link = (struct link) { kept, number, pattern(number, 0) };
		kept = link;
	}
}

FIXTURE_SETUP(fail_nth)
{
	if (access("/proc/thread-self/fail-nth", W_OK) ||
	    access(FAULTS "failslab", X_OK))
		SKIP(return, "this kernel has no fault injection, or it is root's");
	self->scene.fd = raw_open(HEAP_SIZE);
	self->scene.base = raw_map(self->scene.fd);
	ASSERT_NE(MAP_FAILED, self->scene.base);
	in_thread(make_chain, &self->scene);
	ASSERT_TRUE(faults_enable());
	self->enabled = true;
}

FIXTURE_TEARDOWN(fail_nth)
{
	if (!self->enabled)
		return;
	faults_disable();
	kept = NULL;
	munmap(self->scene.base, HEAP_SIZE);
	close(self->scene.fd);
}

FIXTURE_VARIANT(fail_nth) {
	int (*run)(struct scene *scene);
	/* Errors beside ENOMEM and EFAULT */
	int other;
};

#define CHAIN(name, error)							\
FIXTURE_VARIANT_ADD(fail_nth, name) { .run = try_##name, .other = (error) }

CHAIN(open, 0);
CHAIN(map, 0);
CHAIN(map_of_statistics, 0);
CHAIN(unmap_and_close, 0);
CHAIN(attach, 0);
CHAIN(become_member, 0);
CHAIN(reopen, 0);
CHAIN(info, 0);
CHAIN(config, 0);
CHAIN(stats, 0);
CHAIN(object, 0);
CHAIN(alloc_small, 0);
CHAIN(alloc_noscan, 0);
CHAIN(alloc_large, 0);
CHAIN(alloc_in_a_hole, 0);
CHAIN(alloc_in_new_heap, 0);
CHAIN(refill, 0);
CHAIN(release, 0);
CHAIN(free, 0);
CHAIN(walk, 0);
CHAIN(root_add, 0);
CHAIN(root_del, 0);
CHAIN(aging_root, 0);
CHAIN(link_add, 0);
CHAIN(link_del, 0);
CHAIN(collect, EAGAIN);
CHAIN(collect_wide, EAGAIN);
CHAIN(collect_with_strangers, EAGAIN);
CHAIN(collect_when_due, 0);
CHAIN(page_fault, 0);
CHAIN(fork, EAGAIN);
CHAIN(first_call_of_a_thread, 0);
CHAIN(exec, 0);

/* All that the heap has after a collection, which must be the same in the end */
static struct gcheap_ioc_stats stats_after_collection(int fd)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	wipe_stack();
	must(!raw_collect(fd));
	must(!call(fd, GCHEAP_IOC_STATS, &stats));
	return stats;
}

/* Takes as long as it takes, and says how far it is: see scripts/run-tests. */
TEST_F_TIMEOUT(fail_nth, loses_nothing_and_is_told, 3600)
{
	struct scene *scene = &self->scene;
	unsigned int faults = 0;
	int err;

	for (scene->n = 1; scene->n < N_MAX; scene->n++) {
		scene->came = false;
		err = variant->run(scene);
		ASSERT_TRUE(!err || err == ENOMEM || err == EFAULT ||
			    err == variant->other) {
			TH_LOG("n %u: %s", scene->n, strerror(err));
		}
		ASSERT_TRUE(chain_intact()) {
			TH_LOG("n %u", scene->n);
		}
		if (!scene->came)
			break;
		faults += !!err;
		if (!(scene->n % 50))
			TH_LOG("%u places so far", scene->n);
	}
	EXPECT_EQ(0, err);
	ASSERT_GT(N_MAX, scene->n);
	TH_LOG("%u places, of which %u are told", scene->n - 1, faults);
	EXPECT_TRUE(works_on(scene->fd));
	EXPECT_TRUE(chain_intact());
	/* What is left is the chain, and what the last calls may have left. */
	EXPECT_GT(LINKS + 200, stats_after_collection(scene->fd).heap_objects);
}

/*
 * exec's program, see try_exec(): it tells whether the fault came.
 *
 * All others begin anew without restartable sequences: the kernel reads their
 * descriptor whenever it returns to a thread that it interrupted, and a fault
 * there kills the program.
 */
__attribute__((constructor)) static void begin(int argc, char **argv)
{
	struct scene scene = {};

	if (argc == 1 && !strcmp(argv[0], "true")) {
		nth_file = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
		if (nth_file >= 0)
			disarm(&scene);
		_exit(scene.came || nth_file < 0);
	}
	if (getenv("GLIBC_TUNABLES"))
		return;
	must(!setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1));
	execv("/proc/self/exe", argv);
}

TEST_HARNESS_MAIN
