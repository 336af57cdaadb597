// SPDX-License-Identifier: GPL-2.0
/*
 * The module's checks of itself, as the user sees them: what a program does to
 * memory that was reclaimed is reported in the kernel's log.
 *
 * The lines name this program, by which whoever reads the log for complaints
 * knows those that were asked for.
 */
#include "common.h"

#define PARAMETERS	"/sys/module/gcheap/parameters/"

static bool set_parameter(const char *name, char value, char *old)
{
	char path[128];
	int fd;
	bool done;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = (!old || read(fd, old, 1) == 1) && pwrite(fd, &value, 1, 0) == 1;
	close(fd);
	return done;
}

FIXTURE(checks) {
	struct gcheap *heap;
	int log;
	char verify;
	char poison;
};

FIXTURE_SETUP(checks)
{
	if (!set_parameter("poison", 'Y', &self->poison) ||
	    !set_parameter("verify", 'Y', &self->verify))
		SKIP(return, "only root may set the module's parameters");
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->log);
	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
}

FIXTURE_TEARDOWN(checks)
{
	if (!self->heap)
		return;
	gcheap_close(self->heap);
	close(self->log);
	set_parameter("poison", self->poison, NULL);
	set_parameter("verify", self->verify, NULL);
}

/* Whether a line with both texts came since the last look. */
static bool log_has(int log, const char *one, const char *other)
{
	char line[2048];
	bool found = false;
	ssize_t length;

	for (;;) {
		length = read(log, line, sizeof(line) - 1);
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			break;
		line[length] = 0;
		found |= strstr(line, one) && strstr(line, other);
	}
	must(errno == EAGAIN);
	return found;
}

/* A byte of an object, and how the log writes its address */
struct place {
	uintptr_t object;
	size_t offset;
	char text[32];
};

apart void store_here(void *arg)
{
	struct place *place = arg;
	char *byte = (char *)reveal(place->object) + place->offset;

	*byte = 1;
	snprintf(place->text, sizeof(place->text), "%p in slab", (void *)byte);
}

static struct place store(uintptr_t object, size_t offset)
{
	struct place place = { .object = object, .offset = offset };

	in_thread(store_here, &place);
	return place;
}

static const size_t sizes[] = { 8, 64, 1000, 32768, 100000 };

TEST_F(checks, report_a_store_to_a_reclaimed_object)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		uintptr_t object = new_hidden(self->heap, sizes[i], 1);
		struct place place;

		collect(self->heap);
		ASSERT_FALSE(is_allocated(self->heap, object));
		place = store(object, sizes[i] - 1);
		churn(self->heap, sizes[i]);
		EXPECT_TRUE(log_has(self->log, "gcheap: fault", place.text)) {
			TH_LOG("%zu bytes, %s", sizes[i], place.text);
		}
		collect(self->heap);
	}
}

/* The control: the same without the store */
TEST_F(checks, report_nothing_when_the_program_does_right)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		new_hidden(self->heap, sizes[i], 1);
		collect(self->heap);
		churn(self->heap, sizes[i]);
		collect(self->heap);
	}
	EXPECT_FALSE(log_has(self->log, "gcheap: fault", ""));
}

apart void allocate_raw_hidden(void *arg)
{
	struct hidden *hidden = arg;
	struct gcheap_ioc_alloc alloc = {
		.size = sizeof(alloc), .bytes = hidden->size,
	};

	must(!ioctl(gcheap_fd(hidden->heap), GCHEAP_IOC_ALLOC, &alloc));
	hidden->object = hide((void *)alloc.address);
	hidden->size = alloc.usable;
}

/* The slots beside an object from ALLOC are no thread's. */
TEST_F(checks, report_a_store_past_the_end_of_an_object)
{
	struct hidden object = { .heap = self->heap, .size = 1000 };
	struct hidden next = { .heap = self->heap, .size = 1000 };
	struct place place;

	in_thread(allocate_raw_hidden, &object);
	place = store(object.object, object.size);
	in_thread(allocate_raw_hidden, &next);
	EXPECT_TRUE(log_has(self->log, "gcheap: fault", place.text)) {
		TH_LOG("%s", place.text);
	}
}

/* Poison is for heaps that are made while it is on. */
TEST_F(checks, leave_a_heap_alone_that_was_made_without_them)
{
	struct gcheap *heap;
	uintptr_t object;

	ASSERT_TRUE(set_parameter("poison", 'N', NULL));
	heap = open_manual(0);
	ASSERT_NE(NULL, heap);
	ASSERT_TRUE(set_parameter("poison", 'Y', NULL));
	object = new_hidden(heap, 64, 1);
	collect(heap);
	store(object, 0);
	churn(heap, 64);
	EXPECT_FALSE(log_has(self->log, "gcheap: fault", ""));
	gcheap_close(heap);
}

TEST_F(checks, print_a_line_for_each_collection_when_asked_to)
{
	char trace;

	ASSERT_TRUE(set_parameter("trace", 'N', &trace));
	collect(self->heap);
	EXPECT_FALSE(log_has(self->log, "gcheap: gc ", ", forced"));
	ASSERT_TRUE(set_parameter("trace", 'Y', NULL));
	collect(self->heap);
	ASSERT_TRUE(set_parameter("trace", trace, NULL));
	EXPECT_TRUE(log_has(self->log, "gcheap: gc ", ", forced"));
}

TEST_HARNESS_MAIN
