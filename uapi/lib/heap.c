// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Opening, attaching and closing heaps.
 *
 * Entries of the list (list.c) and their reference counts change under the lock
 * GCH_HEAPS only.  Nothing that is a cancellation point is called under it.  (The
 * child of a fork that happened in the middle keeps a descriptor too many.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cache.h"
#include "call.h"
#include "checker.h"
#include "environment.h"
#include "list.h"
#include "lock.h"
#include "pool.h"
#include "stats.h"
#include "trace.h"

/* A thread holds at most so much of one class, and of a small heap less. */
#define BIN_BYTES	(256u << 10)
#define BIN_HEAP_PART	256

/* Sizes of heaps are multiples of this. */
#define SIZE_STEP	(2u << 20)

static __u32 slabs_wanted(__u64 heap_size, __u32 slab_size)
{
	__u64 bytes = heap_size / BIN_HEAP_PART;
	__u64 slabs;

	if (bytes > BIN_BYTES)
		bytes = BIN_BYTES;
	slabs = bytes / slab_size;
	if (slabs > GCH_BIN_SLABS)
		slabs = GCH_BIN_SLABS;
	return slabs ? slabs : 1;
}

/* How many bytes from a cache's beginning a class's bins are */
static __u16 bins_at(__u32 class_index)
{
	return offsetof(struct gch_cache, bins) + 2 * class_index * sizeof(struct gch_bin);
}

/* The tables by which a size becomes a class, from the kernel's own. */
static void set_classes(struct gcheap *heap, const struct gcheap_class_info *info, __u32 count)
{
	__u32 size = 0;
	__u32 i;

	heap->class_count = 0;
	heap->max_small = 0;
	for (i = 0; i < count && info[i].object_size <= GCH_SMALL_MAX; i++) {
		heap->classes[i].object_size = info[i].object_size;
		heap->classes[i].slab_size = info[i].slab_size;
		heap->classes[i].slots = info[i].slots;
		heap->classes[i].words = (info[i].slots + 63) / 64;
		heap->classes[i].want_max = slabs_wanted(heap->size, info[i].slab_size);
		for (; size <= info[i].object_size; size += GCH_SIZE_STEP)
			heap->bin_at[size / GCH_SIZE_STEP] = bins_at(i);
		heap->max_small = info[i].object_size;
		heap->class_count++;
	}
	for (; size <= GCH_SMALL_MAX; size += GCH_SIZE_STEP)
		heap->bin_at[size / GCH_SIZE_STEP] = bins_at(GCH_CLASSES_MAX);
}

static int read_info(int fd, struct gcheap_ioc_info *info, struct gcheap_class_info *classes)
{
	int err;

	*info = (struct gcheap_ioc_info) {
		.size = sizeof(*info),
		.classes = (uintptr_t)classes,
		.class_capacity = classes ? GCH_CLASSES_MAX : 0,
	};
	err = gch_fd_call(fd, GCHEAP_IOC_INFO, info);
	if (err)
		return err;
	return info->abi_version == GCHEAP_ABI_VERSION ? 0 : -EPROTONOSUPPORT;
}

/* Another process may have made the heap, and known nothing of this one. */
static int scan_all_if_checked(int fd)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_BEHAVIOUR,
		.behaviour = GCHEAP_SCAN_ALL,
	};

	return gch_is_checked() ? gch_fd_call(fd, GCHEAP_IOC_CONFIG, &config) : 0;
}

/*
 * Between the two calls another process may have unmapped the heap as the last one:
 * then the first waits until it is empty.
 */
static int attach_and_map(int fd, const struct gcheap_ioc_info *info, void **base)
{
	struct gcheap_ioc_attach attach = { .size = sizeof(attach) };
	int err;

	do {
		err = gch_fd_call(fd, GCHEAP_IOC_ATTACH, &attach);
		if (err)
			return err;
		*base = mmap((void *)(uintptr_t)info->base, info->heap_size,
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | (info->base ? MAP_FIXED_NOREPLACE : 0), fd, 0);
	} while (*base == MAP_FAILED && errno == EBUSY);
	return *base == MAP_FAILED ? -errno : 0;
}

/* Map the heap behind @fd and describe it; the lock is held. */
static int heap_map(struct gcheap *heap, int fd)
{
	/* Valgrind does not know that the kernel fills it. */
	struct gcheap_class_info classes[GCH_CLASSES_MAX] = {};
	struct gcheap_ioc_info info;
	__u32 count;
	void *base;
	int err;

	err = read_info(fd, &info, classes);
	if (!err)
		err = scan_all_if_checked(fd);
	if (!err)
		err = attach_and_map(fd, &info, &base);
	if (err)
		return err;
	heap->fd = fd;
	heap->refs = 1;
	heap->base = (uintptr_t)base;
	heap->size = info.heap_size;
	heap->page = gch_stats_map(fd);
	heap->traced = NULL;
	count = info.class_count < GCH_CLASSES_MAX ? info.class_count : GCH_CLASSES_MAX;
	set_classes(heap, classes, count);
	return 0;
}

static void heap_unmap(const struct gcheap *heap)
{
	gch_stats_unmap(heap->page);
	munmap((void *)(uintptr_t)heap->base, heap->size);
}

/* Bytes of addresses that the process has in use; 0 when that cannot be known */
static __u64 addresses_used(void)
{
	int fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0)
		return 0;
	syscall(SYS_read, fd, text, sizeof(text) - 1);
	syscall(SYS_close, fd);
	return strtoull(text, NULL, 10) * sysconf(_SC_PAGESIZE);
}

/*
 * Where addresses are limited (RLIMIT_AS) a heap of the default size has no more
 * than half of those that are left: stacks, malloc and libraries want some, too.
 */
static __u64 addresses_left(void)
{
	struct rlimit limit;
	__u64 used;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return ~0ull;
	used = addresses_used();
	return limit.rlim_cur > used ? (limit.rlim_cur - used) / 2 : 0;
}

static int set_size(int fd, __u64 size)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_HEAP_SIZE,
		.heap_size = size / SIZE_STEP * SIZE_STEP,
	};

	return gch_fd_call(fd, GCHEAP_IOC_CONFIG, &config);
}

/*
 * Map a new heap of the default size.  What seemed to be left may be elsewhere
 * than in one piece, or gone by now.
 */
static int map_default(struct gcheap *heap, int fd)
{
	const __u64 left = addresses_left();
	struct gcheap_ioc_config config = { .size = sizeof(config) };
	__u64 size;
	int err;

	err = gch_fd_call(fd, GCHEAP_IOC_CONFIG, &config);
	if (err || left >= config.heap_size)
		return err ? err : heap_map(heap, fd);
	for (size = left; size >= SIZE_STEP; size /= 2) {
		err = set_size(fd, size);
		if (!err)
			err = heap_map(heap, fd);
		if (err != -ENOMEM)
			return err;
	}
	return -ENOMEM;
}

static int configure(int fd, const struct gcheap_options *opts)
{
	struct gcheap_ioc_config config = { .size = sizeof(config) };

	if (opts->flags & ~GCHEAP_SCAN_ALL)
		return -EINVAL;
	if (opts->flags) {
		config.flags |= GCHEAP_CONFIG_BEHAVIOUR;
		config.behaviour = GCHEAP_SCAN_ALL;
	}
	if (opts->percent) {
		config.flags |= GCHEAP_CONFIG_PERCENT;
		config.percent = opts->percent < 0 ? GCHEAP_PERCENT_OFF : opts->percent;
	}
	if (opts->limit) {
		config.flags |= GCHEAP_CONFIG_LIMIT;
		config.limit = opts->limit;
	}
	if (opts->size) {
		config.flags |= GCHEAP_CONFIG_HEAP_SIZE;
		config.heap_size = opts->size;
	}
	return config.flags ? gch_fd_call(fd, GCHEAP_IOC_CONFIG, &config) : 0;
}

static int open_locked(int fd, const struct gcheap_options *opts, struct gcheap **out)
{
	struct gcheap *heap = gch_heap_entry();
	int err;

	if (!heap)
		return -ENOMEM;
	err = opts->size ? heap_map(heap, fd) : map_default(heap, fd);
	if (err)
		return err;
	err = gch_trace_start(heap);
	if (err) {
		heap_unmap(heap);
		return err;
	}
	gch_heap_publish(heap);
	*out = heap;
	return 0;
}

/* What answers to this call is not what the device is supposed to be. */
static int device_error(int err)
{
	return err == -ENOTTY ? -ENODEV : err;
}

struct gcheap *gcheap_open(const struct gcheap_options *opts)
{
	struct gcheap_options options = {};
	struct gcheap *heap;
	int fd, err;

	if (opts)
		options = *opts;
	gch_environment(&options);
	err = gch_lock_init();
	if (err)
		goto fail;
	fd = gch_device_open();
	err = fd;
	if (fd < 0)
		goto fail;
	fd = gch_fd_move(fd);
	err = device_error(configure(fd, &options));
	if (err)
		goto fail_close;
	gch_lock(GCH_HEAPS);
	err = gch_cache_init();
	if (!err)
		err = device_error(open_locked(fd, &options, &heap));
	gch_unlock(GCH_HEAPS);
	if (err)
		goto fail_close;
	return heap;

fail_close:
	syscall(SYS_close, fd);
fail:
	errno = -err;
	return NULL;
}

/*
 * When this process has the heap already, that keeps the descriptor that it has.
 * Its base alone would not tell: another heap of this process may have the same.
 */
static struct gcheap *heap_behind(int fd, const struct gcheap_ioc_info *info)
{
	struct gcheap *heap = info->base ? gch_heap_at(info->base) : NULL;

	return heap && gch_fd_mapped(fd) ? heap : NULL;
}

static int attach_locked(int fd, struct gcheap **out)
{
	struct gcheap_ioc_info info;
	struct gcheap *heap;
	int err;

	err = read_info(fd, &info, NULL);
	if (err)
		return err;
	heap = heap_behind(fd, &info);
	if (heap) {
		syscall(SYS_close, fd);
		heap->refs++;
		*out = heap;
		return 0;
	}
	heap = gch_heap_entry();
	if (!heap)
		return -ENOMEM;
	err = heap_map(heap, fd);
	if (err)
		return err;
	gch_heap_publish(heap);
	*out = heap;
	return 0;
}

struct gcheap *gcheap_attach(int fd)
{
	struct gcheap *heap;
	int err;

	err = gch_lock_init();
	if (err)
		goto fail;
	fd = gch_fd_dup(fd);
	err = fd;
	if (fd < 0)
		goto fail;
	gch_lock(GCH_HEAPS);
	err = gch_cache_init();
	if (!err)
		err = attach_locked(fd, &heap);
	gch_unlock(GCH_HEAPS);
	if (err)
		goto fail_close;
	return heap;

fail_close:
	syscall(SYS_close, fd);
fail:
	errno = -err;
	return NULL;
}

/* Heaps are not in memory that could not be written. */
int gcheap_fd(const struct gcheap *heap)
{
	int fd = gch_fd_of((struct gcheap *)heap);

	if (fd >= 0)
		return fd;
	errno = -fd;
	return -1;
}

/* End this process's part in a heap. */
static void close_locked(struct gcheap *heap)
{
	if (--heap->refs)
		return;
	gch_cache_drop(heap);
	gch_trace_stop(heap);
	gch_pool_forget(heap);
	gch_heap_retract(heap);
	gch_fd_close(heap);
	heap_unmap(heap);
}

void gcheap_close(struct gcheap *heap)
{
	int saved = errno;

	if (!heap)
		return;
	gch_lock(GCH_HEAPS);
	close_locked(heap);
	gch_unlock(GCH_HEAPS);
	errno = saved;
}
