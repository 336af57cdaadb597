// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a process that cannot be read for want of memory: the collection gives up,
 * and loses nothing.  The page is in memory, but not in the page tables, and for them
 * a page is needed, which the n-th fault in the kernel's thread that brings pages
 * takes away.
 */
#include <dirent.h>
#include <sys/mman.h>

#include "common.h"
#include "injection.h"

#define FETCHERS	16
#define N_MAX		100
#define OBJECT_SIZE	64
#define PAGE		4096

/* All that one table of the lowest level maps */
#define TABLE		(2 * MIB)

FIXTURE(scarce_roots) {
	struct gcheap *heap;
	uintptr_t object;
	int file;
	char *place;
	int fetchers[FETCHERS];
	int nr;
};

struct putting {
	uintptr_t object;
	void **word;
};

apart void put(void *arg)
{
	struct putting *putting = arg;

	*putting->word = reveal(putting->object);
}

static void *map_there(int file, void *place)
{
	void *page = mmap(place, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			  file, 0);

	must(page == place);
	return page;
}

static bool is_fetcher(const char *pid)
{
	char path[300], name[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	must(read(fd, name, sizeof(name) - 1) >= 0);
	close(fd);
	return !strcmp(name, "gcheap_fetch\n");
}

/* Those that are kept for the next collection */
static int find_fetchers(int *fetchers)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	char path[300];
	int nr = 0;

	must(processes);
	while (nr < FETCHERS && (entry = readdir(processes))) {
		if (!is_fetcher(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fail-nth", entry->d_name);
		fetchers[nr] = open(path, O_RDWR | O_CLOEXEC);
		must(fetchers[nr++] >= 0);
	}
	closedir(processes);
	return nr;
}

FIXTURE_SETUP(scarce_roots)
{
	struct putting putting;

	if (access("/proc/thread-self/fail-nth", W_OK) || access(FAULTS "fail_page_alloc", X_OK))
		SKIP(return, "this kernel has no fault injection, or it is root's");
	ASSERT_TRUE(faults_enable());
	self->heap = open_manual(16 * MIB);
	ASSERT_TRUE(self->heap);
	self->object = new_hidden(self->heap, OBJECT_SIZE, 1);
	self->file = memfd_create("roots", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(self->file, PAGE));
	self->place = mmap(NULL, 3 * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->place);
	self->place += TABLE - (uintptr_t)self->place % TABLE;
	putting.object = self->object;
	putting.word = map_there(self->file, self->place);
	in_thread(put, &putting);
	/* From now on there is a fetcher. */
	collect(self->heap);
	self->object = new_hidden(self->heap, OBJECT_SIZE, 1);
	putting.object = self->object;
	in_thread(put, &putting);
	self->nr = find_fetchers(self->fetchers);
	ASSERT_LT(0, self->nr);
	ASSERT_EQ(0, gcheap_root_add(self->heap, self->place, PAGE));
}

FIXTURE_TEARDOWN(scarce_roots)
{
	if (!self->heap)
		return;
	while (self->nr)
		close(self->fetchers[--self->nr]);
	gcheap_close(self->heap);
	faults_disable();
}

/* From here on the n-th of each fails. */
static void arm(const int *fetchers, int nr, int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n), i;

	for (i = 0; i < nr; i++)
		must(pwrite(fetchers[i], text, length, 0) == length);
}

/* Returns whether one failed. */
static bool disarm(const int *fetchers, int nr)
{
	bool came = false;
	char text[16];
	int i;

	for (i = 0; i < nr; i++) {
		memset(text, 0, sizeof(text));
		must(pread(fetchers[i], text, sizeof(text) - 1, 0) > 0);
		came |= !strcmp(text, "0\n");
		must(pwrite(fetchers[i], "0", 1, 0) == 1);
	}
	return came;
}

apart void try_collect(void *heap)
{
	must(!gcheap_collect(heap) || errno == EAGAIN);
}

TEST_F(scarce_roots, are_not_passed_over)
{
	int n;

	for (n = 1; n < N_MAX; n++) {
		/* The page is in the file, and what maps it is new. */
		must(!munmap(self->place, TABLE));
		map_there(self->file, self->place);
		arm(self->fetchers, self->nr, n);
		in_thread(try_collect, self->heap);
		if (!disarm(self->fetchers, self->nr))
			break;
		ASSERT_TRUE(is_allocated(self->heap, self->object)) {
			TH_LOG("n %d", n);
		}
	}
	TH_LOG("%d places", n - 1);
	EXPECT_LT(1, n);
	EXPECT_GT(N_MAX, n);
	collect(self->heap);
	EXPECT_TRUE(is_filled(self->heap, self->object, OBJECT_SIZE, 1));
}

TEST_HARNESS_MAIN
