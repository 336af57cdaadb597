// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls without the library: what they do, and that each bad call gets the
 * errno that linux/gcheap.h promises, after which the heap works on.
 */
#include <sys/mman.h>
#include <termios.h>

#include "common.h"

#define HEAP_SIZE	(64 * MIB)
#define KERNEL_ADDRESS	((void *)0xffff888000000000ul)

/* Any structure, in a page of which it may be the end */
union request {
	struct {
		uint32_t size;
		uint32_t flags;
	};
	struct gcheap_ioc_info info;
	struct gcheap_ioc_config config;
	struct gcheap_ioc_alloc alloc;
	struct gcheap_ioc_refill refill;
	struct gcheap_ioc_release release;
	struct gcheap_ioc_collect collect;
	struct gcheap_ioc_stats stats;
	struct gcheap_ioc_root root;
	struct gcheap_ioc_object object;
	struct gcheap_ioc_attach attach;
	struct gcheap_ioc_reopen reopen;
	struct gcheap_ioc_free free;
	struct gcheap_ioc_hold hold;
	struct gcheap_ioc_walk walk;
	struct gcheap_ioc_link link;
	char room[1024];
};

/* A call that is in order, and what it needs */
struct operation {
	const char *name;
	unsigned long number;
	uint32_t size;
	uint32_t known_flags;
	bool mapped;
	void (*prepare)(union request *request, void *base);
};

static struct gcheap_slab slabs[GCHEAP_REFILL_MAX];
static uint64_t root_range[4] __attribute__((aligned(16)));

static void prepare_nothing(union request *request, void *base)
{
	(void)request;
	(void)base;
}

static void prepare_alloc(union request *request, void *base)
{
	(void)base;
	request->alloc.bytes = 100;
}

static void prepare_refill(union request *request, void *base)
{
	(void)base;
	request->refill.want = 1;
	request->refill.slabs = (uintptr_t)slabs;
}

static void prepare_root(union request *request, void *base)
{
	(void)base;
	request->root.start = (uintptr_t)root_range;
	request->root.length = sizeof(root_range);
}

static void prepare_del(union request *request, void *base)
{
	(void)base;
	request->root.start = (uintptr_t)root_range;
}

static void prepare_object(union request *request, void *base)
{
	request->object.address = (uintptr_t)base;
}

static void prepare_reopen(union request *request, void *base)
{
	request->reopen.address = (uintptr_t)base;
}

/* One that begins nowhere: nothing is changed. */
static void prepare_free(union request *request, void *base)
{
	static uint64_t object;

	object = (uintptr_t)base + 1;
	request->free.nr = 1;
	request->free.objects = (uintptr_t)&object;
}

/* Those that follow are not collections. */
static void prepare_hold(union request *request, void *base)
{
	(void)base;
	request->hold.change = 1;
}

static void prepare_walk(union request *request, void *base)
{
	static struct gcheap_walked walked;

	(void)base;
	request->walk.capacity = 1;
	request->walk.objects = (uintptr_t)&walked;
}

static void prepare_link(union request *request, void *base)
{
	request->link.word = (uintptr_t)base;
	request->link.object = (uintptr_t)base;
}

static void prepare_unlink(union request *request, void *base)
{
	request->link.word = (uintptr_t)base;
}

#define OPERATION(number_, structure, flags_, mapped_, prepare_)		\
	{									\
		.name = #number_, .number = GCHEAP_IOC_##number_,		\
		.size = sizeof(struct structure), .known_flags = flags_,	\
		.mapped = mapped_, .prepare = prepare_,				\
	}

/* ROOT_DEL follows ROOT_ADD, and LINK_DEL LINK_ADD, so that each in turn succeeds. */
static const struct operation operations[] = {
	OPERATION(INFO, gcheap_ioc_info, 0, false, prepare_nothing),
	OPERATION(CONFIG, gcheap_ioc_config,
		  GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT | GCHEAP_CONFIG_HEAP_SIZE |
		  GCHEAP_CONFIG_BEHAVIOUR, false, prepare_nothing),
	OPERATION(ALLOC, gcheap_ioc_alloc, GCHEAP_NOSCAN, true, prepare_alloc),
	OPERATION(REFILL, gcheap_ioc_refill, GCHEAP_NOSCAN, true, prepare_refill),
	OPERATION(RELEASE, gcheap_ioc_release, GCHEAP_RELEASE_ALL, true, prepare_nothing),
	OPERATION(COLLECT, gcheap_ioc_collect, GCHEAP_COLLECT_RELEASE, true, prepare_nothing),
	OPERATION(STATS, gcheap_ioc_stats, 0, false, prepare_nothing),
	OPERATION(ROOT_ADD, gcheap_ioc_root, GCHEAP_ROOT_AGING, true, prepare_root),
	OPERATION(ROOT_DEL, gcheap_ioc_root, 0, true, prepare_del),
	OPERATION(OBJECT, gcheap_ioc_object, 0, false, prepare_object),
	OPERATION(ATTACH, gcheap_ioc_attach, 0, false, prepare_nothing),
	OPERATION(REOPEN, gcheap_ioc_reopen, 0, false, prepare_reopen),
	OPERATION(FREE, gcheap_ioc_free, 0, true, prepare_free),
	OPERATION(WALK, gcheap_ioc_walk, 0, true, prepare_walk),
	OPERATION(HOLD, gcheap_ioc_hold, 0, true, prepare_hold),
	OPERATION(LINK_ADD, gcheap_ioc_link, 0, true, prepare_link),
	OPERATION(LINK_DEL, gcheap_ioc_link, 0, true, prepare_unlink),
};

/* The object that OBJECT finds */
static void *volatile first;

FIXTURE(abi) {
	int fd;
	char *base;
	/* A page, and one after it that is not there */
	char *page;
	char *nowhere;
};

FIXTURE_SETUP(abi)
{
	self->fd = raw_open(HEAP_SIZE);
	self->base = raw_map(self->fd);
	ASSERT_NE(MAP_FAILED, self->base);
	first = raw_alloc(self->fd, 100);
	ASSERT_NE(NULL, first);
	self->page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	self->nowhere = self->page + 4096;
	ASSERT_EQ(0, munmap(self->nowhere, 4096));
}

FIXTURE_TEARDOWN(abi)
{
	struct gcheap_ioc_hold hold = { .size = sizeof(hold), .change = -1 };

	while (!call(self->fd, GCHEAP_IOC_HOLD, &hold))
		continue;
	EXPECT_TRUE(works_on(self->fd));
	close(self->fd);
}

static union request *prepare(const struct operation *op, void *where)
{
	union request *request = where;

	memset(request, 0, op->size);
	request->size = op->size;
	op->prepare(request, first);
	return request;
}

/* For the messages of tests that go through all operations */
#define EXPECT_ERRNO(op, expected, seen)					\
do {										\
	int seen_ = (seen);							\
										\
	EXPECT_EQ(expected, seen_) {						\
		TH_LOG("%s", (op)->name);					\
	}									\
} while (0)

#define for_each_operation(op)							\
	for ((op) = operations; (op) < operations + ARRAY_SIZE(operations); (op)++)

/* A second time is an error. */
static bool only_once(const struct operation *op)
{
	return op->number == GCHEAP_IOC_ROOT_ADD || op->number == GCHEAP_IOC_ROOT_DEL ||
	       op->number == GCHEAP_IOC_LINK_DEL;
}

TEST_F(abi, calls_in_order_succeed)
{
	const struct operation *op;

	for_each_operation(op)
		EXPECT_ERRNO(op, 0, call(self->fd, op->number, prepare(op, self->page)));
}

/* At any address: nothing asks for alignment. */
TEST_F(abi, a_structure_may_be_misaligned)
{
	const struct operation *op;

	for_each_operation(op) {
		struct operation copy = *op;
		union request request;

		prepare(&copy, &request);
		memcpy(self->page + 1, &request, op->size);
		EXPECT_ERRNO(op, 0, call(self->fd, op->number, self->page + 1));
		memcpy(self->nowhere - op->size, &request, op->size);
		if (only_once(op))
			continue;
		EXPECT_ERRNO(op, 0, call(self->fd, op->number, self->nowhere - op->size));
	}
}

TEST_F(abi, a_structure_that_is_not_there_is_efault)
{
	const struct operation *op;
	int i;

	for_each_operation(op) {
		EXPECT_ERRNO(op, EFAULT, call(self->fd, op->number, NULL));
		EXPECT_ERRNO(op, EFAULT, call(self->fd, op->number, (void *)1));
		EXPECT_ERRNO(op, EFAULT, call(self->fd, op->number, self->nowhere));
		EXPECT_ERRNO(op, EFAULT, call(self->fd, op->number, KERNEL_ADDRESS));
		EXPECT_ERRNO(op, EFAULT, call(self->fd, op->number, (void *)-8));
		/* Its size can be read, the rest not, or not all. */
		for (i = 4; i < op->size; i += 4) {
			char *start = self->nowhere - i;

			*(uint32_t *)start = op->size;
			EXPECT_ERRNO(op, EFAULT, call(self->fd, op->number, start));
		}
	}
}

TEST_F(abi, a_structure_that_cannot_be_written_is_efault)
{
	const struct operation *op;
	uint64_t mallocs;

	for_each_operation(op) {
		bool writes = op->number & IOC_OUT;
		struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

		prepare(op, self->page);
		ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_STATS, &stats));
		mallocs = stats.mallocs + stats.num_gc;
		ASSERT_EQ(0, mprotect(self->page, 4096, PROT_READ));
		EXPECT_ERRNO(op, writes ? EFAULT : 0, call(self->fd, op->number, self->page));
		ASSERT_EQ(0, mprotect(self->page, 4096, PROT_READ | PROT_WRITE));
		ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_STATS, &stats));
		/* Nothing was done. */
		EXPECT_EQ(mallocs, stats.mallocs + stats.num_gc);
	}
}

/* Where a call may name its heap, or NULL */
static __u64 *name_in(const struct operation *op, union request *request)
{
	switch (op->number) {
	case GCHEAP_IOC_CONFIG:
		return &request->config.heap;
	case GCHEAP_IOC_COLLECT:
		return &request->collect.heap;
	case GCHEAP_IOC_STATS:
		return &request->stats.heap;
	case GCHEAP_IOC_FREE:
		return &request->free.heap;
	case GCHEAP_IOC_WALK:
		return &request->walk.heap;
	case GCHEAP_IOC_HOLD:
		return &request->hold.heap;
	case GCHEAP_IOC_ROOT_ADD:
	case GCHEAP_IOC_ROOT_DEL:
		return &request->root.heap;
	case GCHEAP_IOC_LINK_ADD:
	case GCHEAP_IOC_LINK_DEL:
		return &request->link.heap;
	}
	return NULL;
}

/* Where the structure of the call's first version ended */
static uint32_t least_size(const struct operation *op)
{
	union request request;
	__u64 *heap = name_in(op, &request);

	if (op->number == GCHEAP_IOC_LINK_ADD || op->number == GCHEAP_IOC_LINK_DEL)
		return op->size;
	if (heap)
		return (char *)heap - (char *)&request;
	if (op->number == GCHEAP_IOC_INFO)
		return offsetof(struct gcheap_ioc_info, uid);
	if (op->number == GCHEAP_IOC_REFILL)
		return offsetof(struct gcheap_ioc_refill, cache);
	return op->size;
}

TEST_F(abi, a_size_too_small_is_einval)
{
	const struct operation *op;
	uint32_t size;

	for_each_operation(op)
		for (size = 0; size < least_size(op); size++) {
			prepare(op, self->page)->size = size;
			EXPECT_ERRNO(op, EINVAL, call(self->fd, op->number, self->page));
		}
}

TEST_F(abi, an_older_structure_is_taken_and_not_written_beyond_its_end)
{
	uint32_t size = offsetof(struct gcheap_ioc_info, uid);
	struct gcheap_ioc_info info = { .size = size, .uid = 0x1234567 };

	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_INFO, &info));
	EXPECT_EQ((uintptr_t)self->base, info.base);
	EXPECT_EQ(size, info.size);
	EXPECT_EQ(0x1234567, info.uid);
}

TEST_F(abi, a_larger_structure_is_taken_when_the_rest_is_zero)
{
	const struct operation *op;
	uint32_t more;

	for_each_operation(op) {
		if (only_once(op))
			continue;
		for (more = 1; more <= 64; more *= 2) {
			memset(self->page, 0, 4096);
			prepare(op, self->page)->size = op->size + more;
			EXPECT_ERRNO(op, 0, call(self->fd, op->number, self->page));
		}
	}
}

TEST_F(abi, a_larger_structure_is_e2big_when_the_rest_is_not_zero)
{
	const struct operation *op;
	uint32_t more;

	for_each_operation(op)
		for (more = 1; more <= 64; more *= 2) {
			memset(self->page, 0, 4096);
			prepare(op, self->page)->size = op->size + more;
			self->page[op->size + more - 1] = 1;
			EXPECT_ERRNO(op, E2BIG, call(self->fd, op->number, self->page));
		}
}

TEST_F(abi, a_huge_size_is_refused)
{
	const struct operation *op;

	for_each_operation(op) {
		int error;

		memset(self->page, 0, 4096);
		prepare(op, self->page)->size = UINT32_MAX;
		error = call(self->fd, op->number, self->page);
		EXPECT_TRUE(error == E2BIG || error == EFAULT);
	}
}

TEST_F(abi, unknown_flags_are_einval)
{
	const struct operation *op;
	int bit;

	for_each_operation(op)
		for (bit = 0; bit < 32; bit++) {
			if (op->known_flags & 1u << bit)
				continue;
			prepare(op, self->page)->flags = 1u << bit;
			EXPECT_ERRNO(op, EINVAL, call(self->fd, op->number, self->page));
		}
}

TEST_F(abi, reserved_fields_that_are_not_zero_are_einval)
{
	union request request = { .info = { .size = sizeof(request.info), .reserved = 1 } };

	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_INFO, &request));
	request = (union request){ .info = { .size = sizeof(request.info), .behaviour = 1 } };
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_INFO, &request));
	request = (union request){ .reopen = { .size = sizeof(request.reopen), .reserved = 1 } };
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REOPEN, &request));
	request = (union request){ .config = { .size = sizeof(request.config),
					       .behaviour = GCHEAP_SCAN_ALL } };
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_CONFIG, &request));
	request = (union request){ .release = { .size = sizeof(request.release), .reserved = 1 } };
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_RELEASE, &request));
}

TEST_F(abi, unknown_calls_are_enotty)
{
	unsigned int number;
	struct termios terminal;
	int available;

	for (number = 0x11; number < 0x100; number++)
		EXPECT_EQ(ENOTTY, call(self->fd, _IOWR(GCHEAP_IOC_MAGIC, number, uint64_t),
				       self->page));
	EXPECT_EQ(ENOTTY, call(self->fd, _IO(GCHEAP_IOC_MAGIC, 0), self->page));
	EXPECT_EQ(ENOTTY, call(self->fd, _IOWR('g', 0, struct gcheap_ioc_info), self->page));
	EXPECT_EQ(ENOTTY, call(self->fd, TCGETS, &terminal));
	EXPECT_EQ(ENOTTY, call(self->fd, FIONREAD, &available));
}

/* A mapping in the calling process */
static void expect_unmapped(struct __test_metadata *_metadata, int fd, void *page)
{
	const struct operation *op;

	for_each_operation(op)
		if (op->mapped)
			EXPECT_ERRNO(op, ENXIO, call(fd, op->number, prepare(op, page)));
}

TEST_F(abi, before_mmap_there_is_enxio)
{
	int fd = raw_open(HEAP_SIZE);
	struct gcheap_ioc_object object = {
		.size = sizeof(object), .address = (uintptr_t)first,
	};

	expect_unmapped(_metadata, fd, self->page);
	EXPECT_EQ(0, raw_info(fd).base);
	EXPECT_EQ(ENOENT, call(fd, GCHEAP_IOC_OBJECT, &object));
	object.address = 0;
	EXPECT_EQ(ENOENT, call(fd, GCHEAP_IOC_OBJECT, &object));
	ASSERT_NE(MAP_FAILED, raw_map(fd));
	EXPECT_TRUE(works_on(fd));
	close(fd);
}

TEST_F(abi, after_munmap_there_is_enxio)
{
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	expect_unmapped(_metadata, self->fd, self->page);
	ASSERT_EQ(self->base, raw_map(self->fd));
}

TEST_F(abi, in_a_process_that_unmapped_it_there_is_enxio)
{
	pid_t pid = fork_child();

	if (!pid) {
		must(!munmap(self->base, HEAP_SIZE));
		expect_unmapped(_metadata, self->fd, self->page);
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

/* INFO */
TEST_F(abi, info_fills_in_as_many_classes_as_fit)
{
	struct gcheap_class_info classes[4] = {};
	struct gcheap_ioc_info info = {
		.size = sizeof(info), .classes = (uintptr_t)classes, .class_capacity = 2,
	};

	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_INFO, &info));
	EXPECT_EQ((uintptr_t)self->base, info.base);
	EXPECT_EQ(HEAP_SIZE, info.heap_size);
	EXPECT_EQ(4096, info.page_size);
	EXPECT_EQ(GCHEAP_ABI_VERSION, info.abi_version);
	EXPECT_LT(10, info.class_count);
	EXPECT_EQ(8, classes[0].object_size);
	EXPECT_EQ(16, classes[1].object_size);
	EXPECT_EQ(0, classes[2].object_size);
	info.classes = (uintptr_t)self->nowhere;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_INFO, &info));
	info.class_capacity = 0;
	EXPECT_EQ(0, call(self->fd, GCHEAP_IOC_INFO, &info));
	info.class_capacity = UINT32_MAX;
	info.classes = (uintptr_t)KERNEL_ADDRESS;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_INFO, &info));
}

/* CONFIG */
static struct gcheap_ioc_config config_of(int fd)
{
	struct gcheap_ioc_config config = { .size = sizeof(config) };

	must(!call(fd, GCHEAP_IOC_CONFIG, &config));
	return config;
}

TEST_F(abi, config_out_of_range_is_einval_and_changes_nothing)
{
	static const struct gcheap_ioc_config bad[] = {
		{ .flags = GCHEAP_CONFIG_PERCENT, .percent = 0 },
		{ .flags = GCHEAP_CONFIG_PERCENT, .percent = -2 },
		{ .flags = GCHEAP_CONFIG_PERCENT, .percent = INT32_MIN },
		{ .flags = GCHEAP_CONFIG_PERCENT, .percent = GCHEAP_PERCENT_MAX + 1 },
		{ .flags = GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT,
		  .percent = 0, .limit = 12345678 },
		{ .flags = GCHEAP_CONFIG_HEAP_SIZE, .heap_size = 0 },
		{ .flags = GCHEAP_CONFIG_HEAP_SIZE, .heap_size = GCHEAP_SIZE_MIN - 1 },
		{ .flags = GCHEAP_CONFIG_HEAP_SIZE, .heap_size = GCHEAP_SIZE_MAX + 1 },
		{ .flags = GCHEAP_CONFIG_HEAP_SIZE, .heap_size = UINT64_MAX },
		{ .flags = GCHEAP_CONFIG_BEHAVIOUR, .behaviour = 2 * GCHEAP_SCAN_ALL },
		{ .flags = GCHEAP_CONFIG_BEHAVIOUR, .behaviour = UINT32_MAX },
		{ .flags = GCHEAP_CONFIG_PERCENT, .percent = 200,
		  .behaviour = GCHEAP_SCAN_ALL },
	};
	int fd = raw_open(HEAP_SIZE);
	struct gcheap_ioc_config before = config_of(fd), after;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct gcheap_ioc_config config = bad[i];

		config.size = sizeof(config);
		EXPECT_EQ(EINVAL, call(fd, GCHEAP_IOC_CONFIG, &config));
	}
	after = config_of(fd);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	close(fd);
}

TEST_F(abi, config_returns_what_was_before)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT,
		.percent = 70, .limit = 32 * MIB,
	};

	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	EXPECT_EQ(GCHEAP_PERCENT_OFF, config.percent);
	EXPECT_EQ(0, config.limit);
	EXPECT_EQ(HEAP_SIZE, config.heap_size);
	config = config_of(self->fd);
	EXPECT_EQ(70, config.percent);
	EXPECT_EQ(32 * MIB, config.limit);
	/* Values of what is not to be set are not looked at. */
	config.flags = 0;
	config.percent = 0;
	config.heap_size = 1;
	EXPECT_EQ(0, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	EXPECT_EQ(70, config_of(self->fd).percent);
}

TEST_F(abi, behaviours_are_set_read_back_and_told)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config), .flags = GCHEAP_CONFIG_BEHAVIOUR,
		.behaviour = GCHEAP_SCAN_ALL,
	};

	EXPECT_EQ(0, raw_info(self->fd).behaviour);
	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	EXPECT_EQ(0, config.behaviour);
	EXPECT_EQ(GCHEAP_SCAN_ALL, config_of(self->fd).behaviour);
	EXPECT_EQ(GCHEAP_SCAN_ALL, raw_info(self->fd).behaviour);
	EXPECT_TRUE(works_on(self->fd));
	config.behaviour = 0;
	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	EXPECT_EQ(GCHEAP_SCAN_ALL, config.behaviour);
	EXPECT_EQ(0, raw_info(self->fd).behaviour);
}

TEST_F(abi, the_size_of_a_mapped_heap_is_ebusy)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_HEAP_SIZE | GCHEAP_CONFIG_PERCENT,
		.heap_size = 2 * HEAP_SIZE, .percent = 70,
	};

	EXPECT_EQ(EBUSY, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	EXPECT_EQ(GCHEAP_PERCENT_OFF, config_of(self->fd).percent);
	EXPECT_EQ(HEAP_SIZE, config_of(self->fd).heap_size);
	/* Also when it is not mapped any more: it has its place. */
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	EXPECT_EQ(EBUSY, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	ASSERT_EQ(self->base, raw_map(self->fd));
}

TEST_F(abi, a_size_is_rounded_up_to_2_mib)
{
	int fd = raw_open(GCHEAP_SIZE_MIN);

	EXPECT_EQ(2 * MIB, raw_info(fd).heap_size);
	ASSERT_NE(MAP_FAILED, raw_map(fd));
	EXPECT_TRUE(works_on(fd));
	close(fd);
	fd = raw_open(GCHEAP_SIZE_MAX);
	EXPECT_EQ(GCHEAP_SIZE_MAX, raw_info(fd).heap_size);
	ASSERT_NE(MAP_FAILED, raw_map(fd));
	EXPECT_TRUE(works_on(fd));
	close(fd);
}

/* ALLOC */
static int alloc_errno(int fd, uint64_t bytes, uint32_t flags)
{
	struct gcheap_ioc_alloc alloc = {
		.size = sizeof(alloc), .flags = flags, .bytes = bytes,
	};

	return call(fd, GCHEAP_IOC_ALLOC, &alloc);
}

TEST_F(abi, alloc_of_impossible_sizes_is_refused)
{
	EXPECT_EQ(EINVAL, alloc_errno(self->fd, 0, 0));
	EXPECT_EQ(EINVAL, alloc_errno(self->fd, 0, GCHEAP_NOSCAN));
	EXPECT_EQ(ENOMEM, alloc_errno(self->fd, HEAP_SIZE + 1, 0));
	EXPECT_EQ(ENOMEM, alloc_errno(self->fd, UINT64_MAX, 0));
	EXPECT_EQ(ENOMEM, alloc_errno(self->fd, UINT64_MAX, GCHEAP_NOSCAN));
	EXPECT_EQ(ENOMEM, alloc_errno(self->fd, UINT64_MAX - 4095, 0));
	EXPECT_EQ(ENOMEM, alloc_errno(self->fd, 1ull << 63, 0));
}

/* REFILL and RELEASE */
static int refill(int fd, uint32_t class, struct gcheap_slab *slab)
{
	struct gcheap_ioc_refill request = {
		.size = sizeof(request), .class_index = class, .want = 1,
		.slabs = (uintptr_t)slab,
	};

	return call(fd, GCHEAP_IOC_REFILL, &request);
}

static int release(int fd, uint64_t start, const __u64 *free)
{
	struct gcheap_slab_return back = { .start = start, .free = (uintptr_t)free };
	struct gcheap_ioc_release request = {
		.size = sizeof(request), .nr_back = 1, .back = (uintptr_t)&back,
	};

	return call(fd, GCHEAP_IOC_RELEASE, &request);
}

static uint64_t objects(int fd)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!call(fd, GCHEAP_IOC_STATS, &stats));
	return stats.heap_objects;
}

/* 64 bytes */
#define CLASS	4

TEST_F(abi, refill_gives_slabs_of_free_slots)
{
	struct gcheap_class_info classes[CLASS + 1];
	struct gcheap_ioc_info info = {
		.size = sizeof(info), .classes = (uintptr_t)classes,
		.class_capacity = CLASS + 1,
	};
	struct gcheap_ioc_refill request = {
		.size = sizeof(request), .class_index = CLASS,
		.want = GCHEAP_REFILL_MAX, .slabs = (uintptr_t)slabs,
		.flags = GCHEAP_NOSCAN,
	};
	uint32_t i, slot;

	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_INFO, &info));
	ASSERT_EQ(64, classes[CLASS].object_size);
	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_REFILL, &request));
	ASSERT_LE(1, request.got);
	ASSERT_GE(GCHEAP_REFILL_MAX, request.got);
	for (i = 0; i < request.got; i++) {
		const struct gcheap_slab *slab = &slabs[i];
		uint32_t free = 0;

		EXPECT_EQ(CLASS, slab->class_index);
		EXPECT_EQ(GCHEAP_NOSCAN, slab->flags);
		EXPECT_EQ(0, slab->reserved);
		EXPECT_LE((uintptr_t)self->base, slab->start);
		EXPECT_GE((uintptr_t)self->base + HEAP_SIZE,
			  slab->start + classes[CLASS].slab_size);
		for (slot = 0; slot < GCHEAP_SLAB_SLOTS; slot++) {
			if (!(slab->free[slot / 64] & 1ull << slot % 64))
				continue;
			free++;
			ASSERT_GT(classes[CLASS].slots, slot);
			EXPECT_TRUE(all_zero((char *)slab->start + slot * 64, 64));
			fill((char *)slab->start + slot * 64, 64, slot);
		}
		EXPECT_EQ(slab->nr_free, free);
		EXPECT_LT(0, free);
	}
	for (i = 0; i < request.got; i++)
		EXPECT_EQ(0, release(self->fd, slabs[i].start, slabs[i].free));
}

TEST_F(abi, refill_out_of_range_is_einval)
{
	struct gcheap_ioc_refill good = {
		.size = sizeof(good), .want = 1, .slabs = (uintptr_t)slabs,
	}, bad;

	bad = good;
	bad.class_index = raw_info(self->fd).class_count;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	bad.class_index = UINT32_MAX;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	bad = good;
	bad.want = 0;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	bad.want = GCHEAP_REFILL_MAX + 1;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	bad.want = UINT32_MAX;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	bad = good;
	bad.nr_back = GCHEAP_RELEASE_MAX + 1;
	bad.back = (uintptr_t)self->page;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	bad.nr_back = UINT32_MAX;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_REFILL, &bad));
}

TEST_F(abi, refill_with_bad_arrays_is_efault)
{
	struct gcheap_ioc_refill good = {
		.size = sizeof(good), .want = 1, .slabs = (uintptr_t)slabs,
	}, bad = good;
	void *const places[] = { NULL, self->nowhere, KERNEL_ADDRESS };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		bad = good;
		bad.slabs = (uintptr_t)places[i];
		EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_REFILL, &bad));
		bad = good;
		bad.nr_back = 1;
		bad.back = (uintptr_t)places[i];
		EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	}
	bad = good;
	bad.slabs = (uintptr_t)self->nowhere - 8;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	ASSERT_EQ(0, mprotect(self->page, 4096, PROT_READ));
	bad.slabs = (uintptr_t)self->page;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_REFILL, &bad));
	/* No slab got lost on the way: none was allocated from. */
	EXPECT_EQ(1, objects(self->fd));
}

TEST_F(abi, a_slab_comes_back_once)
{
	ASSERT_EQ(0, refill(self->fd, CLASS, slabs));
	EXPECT_EQ(0, release(self->fd, slabs[0].start, slabs[0].free));
	EXPECT_EQ(EPERM, release(self->fd, slabs[0].start, slabs[0].free));
	EXPECT_EQ(1, objects(self->fd));
}

TEST_F(abi, a_slab_that_comes_back_used_up_is_allocated)
{
	ASSERT_EQ(0, refill(self->fd, CLASS, slabs));
	EXPECT_EQ(0, release(self->fd, slabs[0].start, NULL));
	EXPECT_EQ(1 + slabs[0].nr_free, objects(self->fd));
}

/* Other threads' slabs, and what is none */
struct theft {
	int fd;
	uint64_t start;
	int error;
};

static void steal(void *arg)
{
	struct theft *theft = arg;

	theft->error = release(theft->fd, theft->start, NULL);
}

TEST_F(abi, slabs_that_are_not_the_callers_are_eperm)
{
	struct theft theft = { .fd = self->fd };
	uint64_t start, info_end = (uintptr_t)self->base + HEAP_SIZE;
	size_t i;

	ASSERT_EQ(0, refill(self->fd, CLASS, slabs));
	start = slabs[0].start;
	theft.start = start;
	in_thread(steal, &theft);
	EXPECT_EQ(EPERM, theft.error);
	const uint64_t wrong[] = {
		0, 1, start + 64, start + 1, start - 4096, start + 4096 * 1000,
		(uintptr_t)first, info_end - 4096, info_end, info_end + 4096,
		(uintptr_t)self->base - 4096, (uintptr_t)slabs,
		(uintptr_t)KERNEL_ADDRESS, UINT64_MAX, UINT64_MAX - 4095, 1ull << 63,
	};

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(EPERM, release(self->fd, wrong[i], NULL));
	EXPECT_EQ(0, release(self->fd, start, slabs[0].free));
}

TEST_F(abi, a_slab_of_another_process_is_eperm)
{
	pid_t pid;

	ASSERT_EQ(0, refill(self->fd, CLASS, slabs));
	pid = fork_child();
	if (!pid) {
		must(release(self->fd, slabs[0].start, NULL) == EPERM);
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(0, release(self->fd, slabs[0].start, slabs[0].free));
}

TEST_F(abi, of_several_slabs_all_come_back_or_none)
{
	struct gcheap_slab_return back[3] = {};
	struct gcheap_ioc_release request = {
		.size = sizeof(request), .nr_back = 3, .back = (uintptr_t)back,
	};
	struct gcheap_ioc_refill more = {
		.size = sizeof(more), .want = 1, .nr_back = 3,
		.slabs = (uintptr_t)&slabs[2], .back = (uintptr_t)back,
	};

	ASSERT_EQ(0, refill(self->fd, CLASS, &slabs[0]));
	ASSERT_EQ(0, refill(self->fd, CLASS + 1, &slabs[1]));
	back[0].start = slabs[0].start;
	back[1].start = slabs[1].start;
	/* A stranger among them */
	back[2].start = slabs[1].start + 64;
	EXPECT_EQ(EPERM, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	EXPECT_EQ(EPERM, call(self->fd, GCHEAP_IOC_REFILL, &more));
	/* One of them twice */
	back[2].start = slabs[0].start;
	EXPECT_EQ(EPERM, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	EXPECT_EQ(EPERM, call(self->fd, GCHEAP_IOC_REFILL, &more));
	/* A bitmap that is not there */
	back[2] = (struct gcheap_slab_return){};
	back[1].free = (uintptr_t)self->nowhere;
	request.nr_back = 2;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	back[0].free = (uintptr_t)slabs[0].free;
	back[1].free = (uintptr_t)slabs[1].free;
	EXPECT_EQ(0, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	EXPECT_EQ(1, objects(self->fd));
}

TEST_F(abi, release_out_of_range_is_refused)
{
	struct gcheap_ioc_release request = {
		.size = sizeof(request), .nr_back = GCHEAP_RELEASE_MAX + 1,
		.back = (uintptr_t)self->page,
	};

	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	request.nr_back = UINT32_MAX;
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	request.nr_back = 1;
	request.back = 0;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	request.back = (uintptr_t)self->nowhere - 8;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	request.back = (uintptr_t)KERNEL_ADDRESS;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_RELEASE, &request));
}

/* Slots that a slab came with in use cannot be freed by giving it back. */
TEST_F(abi, free_bits_of_others_slots_are_ignored)
{
	static __u64 all[GCHEAP_SLAB_WORDS];
	void *volatile kept[10];
	struct gcheap_ioc_object object = { .size = sizeof(object) };
	uint64_t before;
	size_t i;

	memset(all, 0xff, sizeof(all));
	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		kept[i] = raw_alloc(self->fd, 64);
		ASSERT_NE(NULL, kept[i]);
		fill(kept[i], 64, i);
	}
	before = objects(self->fd);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, refill(self->fd, CLASS, &slabs[i]));
		ASSERT_EQ(0, release(self->fd, slabs[i].start, all));
	}
	EXPECT_EQ(before, objects(self->fd));
	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		object.address = (uintptr_t)kept[i];
		EXPECT_EQ(0, call(self->fd, GCHEAP_IOC_OBJECT, &object));
		EXPECT_TRUE(filled(kept[i], 64, i));
	}
}

TEST_F(abi, all_slabs_come_back_at_once)
{
	struct gcheap_ioc_release request = {
		.size = sizeof(request), .flags = GCHEAP_RELEASE_ALL,
	};

	ASSERT_EQ(0, refill(self->fd, CLASS, &slabs[0]));
	ASSERT_EQ(0, refill(self->fd, CLASS + 1, &slabs[1]));
	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_RELEASE, &request));
	EXPECT_EQ(EPERM, release(self->fd, slabs[0].start, NULL));
	EXPECT_EQ(EPERM, release(self->fd, slabs[1].start, NULL));
}

TEST_F(abi, collect_takes_the_callers_slabs)
{
	ASSERT_EQ(0, refill(self->fd, CLASS, slabs));
	ASSERT_EQ(0, raw_collect(self->fd));
	EXPECT_EQ(EPERM, release(self->fd, slabs[0].start, NULL));
}

/* Slots that were handed out, as far as the kernel knows, and nobody points to */
TEST_F(abi, collect_reclaims_what_was_taken_from_slabs)
{
	struct gcheap_ioc_collect request = { .size = sizeof(request) };
	uint64_t before = objects(self->fd), cycle;

	ASSERT_EQ(0, refill(self->fd, CLASS, slabs));
	ASSERT_EQ(0, release(self->fd, slabs[0].start, NULL));
	slabs[0].start = 0;
	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_COLLECT, &request));
	EXPECT_LE(slabs[0].nr_free - 2, request.freed_objects);
	EXPECT_EQ(request.freed_objects * 64, request.freed_bytes);
	EXPECT_LT(0, request.pause_ns);
	EXPECT_GE(before + 2, objects(self->fd));
	cycle = request.cycle;
	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_COLLECT, &request));
	EXPECT_EQ(cycle + 1, request.cycle);
}

/* What is in a thread's slab is not touched, referred to or not. */
struct refilling {
	int fd;
	int sock;
};

static void *run_owner(void *arg)
{
	const struct refilling *owner = arg;
	struct gcheap_slab slab;
	uint32_t slot;

	must(!refill(owner->fd, CLASS, &slab));
	slab.start = hide((void *)slab.start);
	say(owner->sock);
	hear(owner->sock);
	slab.start = (uintptr_t)reveal(slab.start);
	for (slot = 0; slot < GCHEAP_SLAB_SLOTS; slot++)
		if (slab.free[slot / 64] & 1ull << slot % 64)
			must(all_zero((char *)slab.start + slot * 64, 64));
	must(!release(owner->fd, slab.start, slab.free));
	return NULL;
}

TEST_F(abi, a_slab_that_a_thread_owns_is_not_swept)
{
	struct refilling owner = { .fd = self->fd };
	pthread_t thread;
	int fds[2], i;

	socket_pair(fds);
	owner.sock = fds[1];
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_owner, &owner));
	hear(fds[0]);
	ASSERT_EQ(0, raw_collect(self->fd));
	for (i = 0; i < 5000; i++) {
		void *object = raw_alloc(self->fd, 64);

		ASSERT_NE(NULL, object);
		fill(object, 64, i);
	}
	say(fds[0]);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

static int call_by_name(int fd, const struct operation *op, const void *name)
{
	union request request;
	__u64 *heap = name_in(op, prepare(op, &request));

	if (!heap)
		return -1;
	*heap = (uintptr_t)name;
	return call(fd, op->number, &request);
}

TEST_F(abi, a_call_that_names_another_heap_is_enxio)
{
	int other = raw_open(HEAP_SIZE), unmapped = raw_open(HEAP_SIZE);
	char *base = raw_map(other);
	const struct operation *op;
	int err;

	ASSERT_NE(MAP_FAILED, base);
	for_each_operation(op) {
		err = call_by_name(self->fd, op, base);
		if (err < 0)
			continue;
		EXPECT_ERRNO(op, ENXIO, err);
		EXPECT_ERRNO(op, ENXIO, call_by_name(self->fd, op, self->base + 4096));
		EXPECT_ERRNO(op, ENXIO, call_by_name(unmapped, op, self->base));
		EXPECT_ERRNO(op, 0, call_by_name(self->fd, op, self->base));
	}
	ASSERT_EQ(0, munmap(base, HEAP_SIZE));
	close(other);
	close(unmapped);
}

TEST_F(abi, a_structure_may_end_before_the_heaps_name)
{
	const struct operation *op;
	union request request;
	__u64 *heap;

	for_each_operation(op) {
		heap = name_in(op, prepare(op, &request));
		if (!heap || least_size(op) == op->size)
			continue;
		request.size = least_size(op);
		*heap = -1;
		EXPECT_ERRNO(op, 0, call(self->fd, op->number, &request));
		EXPECT_EQ(-1, *heap);
	}
}

/* ROOT_ADD and ROOT_DEL */
static int root_add(int fd, const void *start, uint64_t length, uint32_t flags)
{
	struct gcheap_ioc_root root = {
		.size = sizeof(root), .flags = flags,
		.start = (uintptr_t)start, .length = length,
	};

	return call(fd, GCHEAP_IOC_ROOT_ADD, &root);
}

static int root_del(int fd, const void *start)
{
	struct gcheap_ioc_root root = { .size = sizeof(root), .start = (uintptr_t)start };

	return call(fd, GCHEAP_IOC_ROOT_DEL, &root);
}

TEST_F(abi, root_ranges_out_of_range_are_refused)
{
	char *range = (char *)root_range;

	EXPECT_EQ(EINVAL, root_add(self->fd, range + 1, 16, 0));
	EXPECT_EQ(EINVAL, root_add(self->fd, range + 4, 16, 0));
	EXPECT_EQ(EINVAL, root_add(self->fd, range, 0, 0));
	EXPECT_EQ(EINVAL, root_add(self->fd, range, 7, 0));
	EXPECT_EQ(EFAULT, root_add(self->fd, KERNEL_ADDRESS, 16, 0));
	EXPECT_EQ(EFAULT, root_add(self->fd, range, UINT64_MAX, 0));
	EXPECT_EQ(EFAULT, root_add(self->fd, range, UINT64_MAX - 7, 0));
	EXPECT_EQ(EFAULT, root_add(self->fd, range, 1ull << 62, 0));
	EXPECT_EQ(EFAULT, root_add(self->fd, (void *)-8, 8, 0));
	EXPECT_EQ(EINVAL, call(self->fd, GCHEAP_IOC_ROOT_DEL, &(struct gcheap_ioc_root){
			.size = sizeof(struct gcheap_ioc_root),
			.start = (uintptr_t)range, .length = 8 }));
}

TEST_F(abi, a_root_range_is_added_and_deleted_once)
{
	EXPECT_EQ(ENOENT, root_del(self->fd, root_range));
	EXPECT_EQ(0, root_add(self->fd, root_range, 16, 0));
	EXPECT_EQ(EEXIST, root_add(self->fd, root_range, 16, 0));
	EXPECT_EQ(EEXIST, root_add(self->fd, root_range, 8, 0));
	EXPECT_EQ(ENOENT, root_del(self->fd, &root_range[1]));
	/* One that overlaps begins elsewhere. */
	EXPECT_EQ(0, root_add(self->fd, &root_range[1], 16, 0));
	EXPECT_EQ(0, root_del(self->fd, root_range));
	EXPECT_EQ(ENOENT, root_del(self->fd, root_range));
	EXPECT_EQ(0, root_del(self->fd, &root_range[1]));
}

TEST_F(abi, a_root_range_need_not_be_mapped)
{
	static const char *const nowhere = (char *)0x10000;

	EXPECT_EQ(0, root_add(self->fd, nowhere, 16, 0));
	EXPECT_EQ(0, root_add(self->fd, self->page, 3 * 4096, 0));
	EXPECT_EQ(0, root_add(self->fd, nowhere + 16, 1ull << 46, 0));
	EXPECT_EQ(0, raw_collect(self->fd));
	ASSERT_EQ(0, mprotect(self->page, 4096, PROT_NONE));
	EXPECT_EQ(0, raw_collect(self->fd));
	ASSERT_EQ(0, mprotect(self->page, 4096, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, root_del(self->fd, nowhere));
	EXPECT_EQ(0, root_del(self->fd, nowhere + 16));
	EXPECT_EQ(0, root_del(self->fd, self->page));
}

/* Addresses without memory, as reading so many ranges is not the point */
TEST_F(abi, more_root_ranges_than_there_may_be_are_enospc)
{
	char *const nowhere = (char *)0x10000;
	long i;
	pid_t pid;

	if (on_debug_kernel())
		SKIP(return, "so many take minutes there, and KUnit has the last of them");
	for (i = 0; i < GCHEAP_ROOTS_MAX; i++)
		ASSERT_EQ(0, root_add(self->fd, nowhere + 8 * i, 8, 0));
	EXPECT_EQ(ENOSPC, root_add(self->fd, nowhere + 8 * i, 8, 0));
	EXPECT_EQ(EEXIST, root_add(self->fd, nowhere, 8, 0));
	/* A child begins with as many. */
	pid = fork_child();
	if (!pid) {
		must(root_add(self->fd, nowhere + 8 * i, 8, 0) == ENOSPC);
		must(!root_del(self->fd, nowhere));
		must(!root_add(self->fd, nowhere + 8 * i, 8, 0));
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(ENOSPC, root_add(self->fd, nowhere + 8 * i, 8, 0));
	EXPECT_EQ(0, root_del(self->fd, nowhere));
	EXPECT_EQ(0, root_add(self->fd, nowhere + 8 * i, 8, 0));
	/* munmap forgets them. */
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	ASSERT_EQ(self->base, raw_map(self->fd));
	EXPECT_EQ(0, root_add(self->fd, nowhere, 8, 0));
}

TEST_F(abi, aging_ranges_lie_in_one_object)
{
	char *object = raw_alloc(self->fd, 1024);

	ASSERT_NE(NULL, object);
	EXPECT_EQ(EFAULT, root_add(self->fd, root_range, 16, GCHEAP_ROOT_AGING));
	EXPECT_EQ(EFAULT, root_add(self->fd, self->base + HEAP_SIZE / 2, 16,
				   GCHEAP_ROOT_AGING));
	EXPECT_EQ(EFAULT, root_add(self->fd, object, 2048, GCHEAP_ROOT_AGING));
	EXPECT_EQ(EFAULT, root_add(self->fd, object + 1008, 32, GCHEAP_ROOT_AGING));
	EXPECT_EQ(EINVAL, root_add(self->fd, object + 8, 16, GCHEAP_ROOT_AGING));
	EXPECT_EQ(EINVAL, root_add(self->fd, object, 24, GCHEAP_ROOT_AGING));
	EXPECT_EQ(EINVAL, root_add(self->fd, object, 8, GCHEAP_ROOT_AGING));
	EXPECT_EQ(0, root_add(self->fd, object, 1024, GCHEAP_ROOT_AGING));
	EXPECT_EQ(0, raw_collect(self->fd));
	EXPECT_EQ(0, root_del(self->fd, object));
}

TEST_F(abi, aging_ranges_age)
{
	uint64_t *pairs = raw_alloc(self->fd, 64), word;

	ASSERT_NE(NULL, pairs);
	word = (uintptr_t)raw_alloc(self->fd, 200);
	pairs[0] = word;
	pairs[3] = word;
	ASSERT_EQ(0, root_add(self->fd, pairs, 32, GCHEAP_ROOT_AGING));
	ASSERT_EQ(0, raw_collect(self->fd));
	EXPECT_EQ(0, pairs[0]);
	EXPECT_EQ(word, pairs[1]);
	EXPECT_EQ(0, pairs[3]);
	ASSERT_EQ(0, raw_collect(self->fd));
	EXPECT_EQ(0, pairs[1]);
	EXPECT_EQ(0, root_del(self->fd, pairs));
}

/* LINK_ADD and LINK_DEL */
static int link_call(int fd, unsigned long number, const void *word, const void *object)
{
	struct gcheap_ioc_link link = {
		.size = sizeof(link), .word = (uintptr_t)word, .object = (uintptr_t)object,
	};

	return call(fd, number, &link);
}

TEST_F(abi, links_that_are_not_aligned_or_not_whole_are_einval)
{
	uint64_t *words = first;
	int i;

	for (i = 1; i < 8; i++) {
		char *word = (char *)words + i;

		EXPECT_EQ(EINVAL, link_call(self->fd, GCHEAP_IOC_LINK_ADD, word, words));
		EXPECT_EQ(EINVAL, link_call(self->fd, GCHEAP_IOC_LINK_DEL, word, NULL));
	}
	EXPECT_EQ(EINVAL, link_call(self->fd, GCHEAP_IOC_LINK_ADD, words, NULL));
	EXPECT_EQ(EINVAL, link_call(self->fd, GCHEAP_IOC_LINK_DEL, words, words));
}

TEST_F(abi, links_that_do_not_lie_in_an_object_are_efault)
{
	char *const nothing[] = {
		NULL, (char *)8, self->page, self->base - 8, self->base,
		self->base + HEAP_SIZE - 8, self->base + HEAP_SIZE,
		self->base + HEAP_SIZE / 2, KERNEL_ADDRESS, (char *)-8,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nothing); i++) {
		EXPECT_EQ(EFAULT, link_call(self->fd, GCHEAP_IOC_LINK_ADD, nothing[i], first));
		EXPECT_EQ(ENOENT, link_call(self->fd, GCHEAP_IOC_LINK_DEL, nothing[i], NULL));
		if (!nothing[i])
			continue;
		EXPECT_EQ(ENOENT, link_call(self->fd, GCHEAP_IOC_LINK_ADD, first, nothing[i]));
	}
	EXPECT_EQ(ENOENT, link_call(self->fd, GCHEAP_IOC_LINK_DEL, first, NULL));
}

/* OBJECT */
static int object_at(int fd, const void *address, uint64_t *start)
{
	struct gcheap_ioc_object object = {
		.size = sizeof(object), .address = (uintptr_t)address,
	};
	int error = call(fd, GCHEAP_IOC_OBJECT, &object);

	*start = object.start;
	return error;
}

TEST_F(abi, addresses_without_an_object_are_enoent)
{
	char *const nothing[] = {
		NULL, (char *)1, self->page, self->base - 1, self->base + HEAP_SIZE - 1,
		self->base + HEAP_SIZE, self->base + HEAP_SIZE / 2, KERNEL_ADDRESS,
		(char *)-1,
	};
	uint64_t start;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nothing); i++)
		EXPECT_EQ(ENOENT, object_at(self->fd, nothing[i], &start));
	EXPECT_EQ(0, object_at(self->fd, (char *)first + 99, &start));
	EXPECT_EQ((uintptr_t)first, start);
}

TEST_F(abi, a_slot_that_no_thread_has_is_enoent)
{
	uint64_t start;
	char *object = raw_alloc(self->fd, 8000);

	ASSERT_NE(NULL, object);
	EXPECT_EQ(0, object_at(self->fd, object, &start));
	EXPECT_EQ(ENOENT, object_at(self->fd, object + 8192, &start));
}

/* STATS */
TEST_F(abi, stats_fill_in_as_many_classes_as_fit)
{
	struct gcheap_class_stats classes[3] = {};
	struct gcheap_ioc_stats stats = {
		.size = sizeof(stats), .classes = (uintptr_t)classes, .class_capacity = 2,
	};

	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_STATS, &stats));
	EXPECT_EQ(raw_info(self->fd).class_count + 1, stats.class_count);
	EXPECT_EQ(8, classes[0].object_size);
	EXPECT_EQ(16, classes[1].object_size);
	EXPECT_EQ(0, classes[2].object_size);
	stats.classes = (uintptr_t)self->nowhere;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_STATS, &stats));
	stats.classes = (uintptr_t)KERNEL_ADDRESS;
	stats.class_capacity = UINT32_MAX;
	EXPECT_EQ(EFAULT, call(self->fd, GCHEAP_IOC_STATS, &stats));
	stats.classes = 0;
	EXPECT_EQ(0, call(self->fd, GCHEAP_IOC_STATS, &stats));
	stats.want_cycle = UINT64_MAX;
	EXPECT_EQ(0, call(self->fd, GCHEAP_IOC_STATS, &stats));
	EXPECT_EQ(0, stats.cycle.number);
}

/* A structure in the heap's own memory, and one that another thread changes */
TEST_F(abi, structures_may_lie_in_the_heap)
{
	union request *request = raw_alloc(self->fd, sizeof(*request));
	const struct operation *op;

	ASSERT_NE(NULL, request);
	for_each_operation(op)
		EXPECT_ERRNO(op, 0, call(self->fd, op->number, prepare(op, request)));
}

static _Atomic bool stop;

static void *run_scribbler(void *arg)
{
	volatile uint32_t *words = arg;
	uint32_t i;

	for (i = 1; !stop; i = i * 1664525 + 1013904223)
		words[i >> 16 & 15] = i % 3 ? i & 0xff : i;
	return NULL;
}

TEST_F(abi, structures_that_change_meanwhile_harm_nobody)
{
	const struct operation *op;
	pthread_t thread;
	long i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, run_scribbler, self->page));
	for (i = 0; i < scaled(2000); i++)
		for_each_operation(op)
			call(self->fd, op->number, prepare(op, self->page));
	stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	call(self->fd, GCHEAP_IOC_ROOT_DEL, prepare(&operations[8], self->page));
}

/* mmap */
static int map_errno(int fd, void *address, size_t length, int prot, int flags, off_t offset)
{
	void *mapped = mmap(address, length, prot, flags, fd, offset);

	if (mapped == MAP_FAILED)
		return errno;
	munmap(mapped, length);
	return 0;
}

#define RW	(PROT_READ | PROT_WRITE)

TEST_F(abi, mmap_in_another_manner_is_einval)
{
	int fd = raw_open(HEAP_SIZE), i;

	/* Before it has a place, and after */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, raw_attach(fd));
		EXPECT_EQ(EINVAL, map_errno(fd, NULL, HEAP_SIZE / 2, RW, MAP_SHARED, 0));
		EXPECT_EQ(EINVAL, map_errno(fd, NULL, HEAP_SIZE + 4096, RW, MAP_SHARED, 0));
		EXPECT_EQ(EINVAL, map_errno(fd, NULL, 4096, RW, MAP_SHARED, 0));
		EXPECT_EQ(EINVAL, map_errno(fd, NULL, HEAP_SIZE, RW, MAP_SHARED, 4096));
		EXPECT_EQ(EINVAL, map_errno(fd, NULL, HEAP_SIZE, RW, MAP_PRIVATE, 0));
		EXPECT_EQ(EINVAL, map_errno(fd, NULL, HEAP_SIZE, RW | PROT_EXEC,
					    MAP_SHARED, 0));
		EXPECT_EQ(0, map_errno(fd, NULL, HEAP_SIZE, RW, MAP_SHARED, 0));
	}
	ASSERT_NE(MAP_FAILED, raw_map(fd));
	EXPECT_TRUE(works_on(fd));
	close(fd);
}

TEST_F(abi, a_second_mmap_is_refused)
{
	char *elsewhere = self->base + 2 * HEAP_SIZE;

	EXPECT_EQ(EEXIST, map_errno(self->fd, NULL, HEAP_SIZE, RW, MAP_SHARED, 0));
	EXPECT_EQ(EEXIST, map_errno(self->fd, self->base, HEAP_SIZE, RW, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, map_errno(self->fd, elsewhere, HEAP_SIZE, RW,
				    MAP_SHARED | MAP_FIXED, 0));
	EXPECT_EQ(EINVAL, map_errno(self->fd, elsewhere, HEAP_SIZE, RW,
				    MAP_SHARED | MAP_FIXED_NOREPLACE, 0));
	EXPECT_EQ(EEXIST, map_errno(self->fd, self->base, HEAP_SIZE, RW,
				    MAP_SHARED | MAP_FIXED_NOREPLACE, 0));
}

/* Who may map the first page may still not have a heap there; the program is above. */
TEST(no_heap_is_at_address_zero)
{
	int fd = raw_open(2 * MIB);
	void *top = (void *)-4096ul;
	char *base;

	ASSERT_EQ(0, raw_attach(fd));
	EXPECT_NE(0, map_errno(fd, NULL, 2 * MIB, RW, MAP_SHARED | MAP_FIXED, 0));
	EXPECT_EQ(0, raw_info(fd).base);
	base = mmap(top, 2 * MIB, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)base);
	EXPECT_EQ((uintptr_t)base, raw_info(fd).base);
	EXPECT_TRUE(works_on(fd));
	close(fd);
	ASSERT_EQ(0, munmap(base, 2 * MIB));
}

TEST_F(abi, an_occupied_place_is_eexist)
{
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	/* Until it is empty it cannot be mapped anyway. */
	ASSERT_EQ(0, raw_attach(self->fd));
	ASSERT_EQ(self->base + MIB, mmap(self->base + MIB, 4096, PROT_READ,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(EEXIST, map_errno(self->fd, NULL, HEAP_SIZE, RW, MAP_SHARED, 0));
	EXPECT_EQ(EEXIST, map_errno(self->fd, self->base, HEAP_SIZE, RW,
				    MAP_SHARED | MAP_FIXED_NOREPLACE, 0));
	ASSERT_EQ(0, munmap(self->base + MIB, 4096));
	ASSERT_EQ(self->base, raw_map(self->fd));
}

/* The collector is told by the caller's own death only. */
TEST_F(abi, a_call_in_a_process_that_is_killed_harms_nobody)
{
	int round;

	for (round = 0; round < 20; round++) {
		pid_t pid = fork_child();

		if (!pid)
			for (;;) {
				raw_alloc(self->fd, 1000);
				raw_collect(self->fd);
			}
		while (!raw_alloc(self->fd, 100000))
			ASSERT_EQ(0, raw_collect(self->fd));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		await_child(pid);
	}
}

/* Options of open() and descriptors that make no sense here */
TEST_F(abi, read_write_and_seek_are_refused)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, 4096));
}

TEST_F(abi, attaching_what_is_no_heap_is_enotty)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	EXPECT_EQ(NULL, gcheap_attach(null));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(NULL, gcheap_attach(-1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(NULL, gcheap_attach(self->page[0] ? 1 : 12345));
	EXPECT_EQ(EBADF, errno);
}

TEST_HARNESS_MAIN
