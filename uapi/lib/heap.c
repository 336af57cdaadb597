// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Opening, attaching and closing heaps.
 *
 * A struct gcheap lies in memory of its own, is in the list of all heaps for
 * ever, and is used again for another heap after it was closed.  Its id is what
 * makes it a heap: written last when one is opened, taken away first when it is
 * closed.  So at each instant, also at that of a fork by another thread, the
 * list is whole and each entry in it is either a complete heap or free.  (The
 * child of a fork that happened in the middle keeps a descriptor too many.)
 *
 * The list, ids and reference counts change under the lock (lock.c) only.
 * Reading the list and ids needs no lock.  Nothing that is a cancellation point
 * is called under it.
 *
 * None of this memory is a root for the collector (memory.c): a base address kept
 * here keeps no object.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache.h"
#include "heap.h"
#include "lock.h"
#include "memory.h"
#include "pool.h"
#include "trace.h"

#define DEVICE		"/dev/gcheap"

/* A thread holds at most so much of one class, and of a small heap less. */
#define BIN_BYTES	(256u << 10)
#define BIN_HEAP_PART	256

/* Both are 0 in a process without heaps. */
static struct gcheap *heaps;
static __u64 last_id;

static int call(int fd, unsigned long number, void *request)
{
	int saved = errno;
	int err;

	if (!ioctl(fd, number, request))
		return 0;
	err = -errno;
	errno = saved;
	return err;
}

/**
 * gch_call() - ask the kernel
 * @heap: heap
 * @number: GCHEAP_IOC_*
 * @request: its structure
 *
 * errno stays as it is.
 *
 * Return: 0 or a negative errno.
 */
int gch_call(const struct gcheap *heap, unsigned long number, void *request)
{
	return call(heap->fd, number, request);
}

/**
 * gch_heap_at() - the heap of this process with a certain base
 * @base: address of the heap
 *
 * Return: the heap, or NULL when none is open there.
 */
struct gcheap *gch_heap_at(__u64 base)
{
	struct gcheap *heap;

	for (heap = __atomic_load_n(&heaps, __ATOMIC_ACQUIRE); heap; heap = heap->next)
		if (!gch_heap_is(heap, 0) && heap->base == base)
			return heap;
	return NULL;
}

/* An entry of the list that is no heap now; the lock is held. */
static struct gcheap *heap_entry(void)
{
	struct gcheap *heap;

	for (heap = __atomic_load_n(&heaps, __ATOMIC_ACQUIRE); heap; heap = heap->next)
		if (gch_heap_is(heap, 0))
			return heap;
	heap = gch_map(sizeof(*heap));
	if (!heap)
		return NULL;
	heap->next = __atomic_load_n(&heaps, __ATOMIC_ACQUIRE);
	__atomic_store_n(&heaps, heap, __ATOMIC_RELEASE);
	return heap;
}

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

/* The tables by which a size becomes a class, from the kernel's own. */
static void set_classes(struct gcheap *heap, const struct gcheap_class_info *info, __u32 count)
{
	__u32 size = 0;
	__u32 i;

	heap->class_count = 0;
	heap->max_small = 0;
	for (i = 0; i < count && info[i].object_size <= GCH_SMALL_MAX; i++) {
		heap->classes[i].object_size = info[i].object_size;
		heap->classes[i].words = (info[i].slots + 63) / 64;
		heap->classes[i].want_max = slabs_wanted(heap->size, info[i].slab_size);
		for (; size <= info[i].object_size; size += GCH_SIZE_STEP)
			heap->bin_of[size / GCH_SIZE_STEP] = 2 * i;
		heap->max_small = info[i].object_size;
		heap->class_count++;
	}
}

static int read_info(int fd, struct gcheap_ioc_info *info, struct gcheap_class_info *classes)
{
	int err;

	*info = (struct gcheap_ioc_info) {
		.size = sizeof(*info),
		.classes = (uintptr_t)classes,
		.class_capacity = classes ? GCH_CLASSES_MAX : 0,
	};
	err = call(fd, GCHEAP_IOC_INFO, info);
	if (err)
		return err;
	return info->abi_version == GCHEAP_ABI_VERSION ? 0 : -ENODEV;
}

/* Map the heap behind @fd and describe it; the lock is held. */
static int heap_map(struct gcheap *heap, int fd)
{
	struct gcheap_ioc_attach attach = { .size = sizeof(attach) };
	struct gcheap_class_info classes[GCH_CLASSES_MAX];
	struct gcheap_ioc_info info;
	__u32 count;
	void *base;
	int err;

	err = read_info(fd, &info, classes);
	if (!err)
		err = call(fd, GCHEAP_IOC_ATTACH, &attach);
	if (err)
		return err;
	base = mmap((void *)(uintptr_t)info.base, info.heap_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (info.base ? MAP_FIXED_NOREPLACE : 0), fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	heap->fd = fd;
	heap->refs = 1;
	heap->base = (uintptr_t)base;
	heap->size = info.heap_size;
	heap->traced = NULL;
	count = info.class_count < GCH_CLASSES_MAX ? info.class_count : GCH_CLASSES_MAX;
	set_classes(heap, classes, count);
	return 0;
}

static void heap_unmap(const struct gcheap *heap)
{
	munmap((void *)(uintptr_t)heap->base, heap->size);
}

static void heap_publish(struct gcheap *heap)
{
	__atomic_store_n(&heap->id, ++last_id, __ATOMIC_RELEASE);
}

static int configure(int fd, const struct gcheap_options *opts)
{
	struct gcheap_ioc_config config = { .size = sizeof(config) };

	if (!opts)
		return 0;
	if (opts->flags)
		return -EINVAL;
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
	return call(fd, GCHEAP_IOC_CONFIG, &config);
}

static int open_locked(int fd, struct gcheap **out)
{
	struct gcheap *heap = heap_entry();
	int err;

	if (!heap)
		return -ENOMEM;
	err = heap_map(heap, fd);
	if (err)
		return err;
	err = gch_trace_start(heap);
	if (err) {
		heap_unmap(heap);
		return err;
	}
	heap_publish(heap);
	*out = heap;
	return 0;
}

struct gcheap *gcheap_open(const struct gcheap_options *opts)
{
	struct gcheap *heap;
	int fd, err;

	err = gch_lock_init();
	if (err)
		goto fail;
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	err = configure(fd, opts);
	if (err)
		goto fail_close;
	gch_lock();
	err = gch_cache_init();
	if (!err)
		err = open_locked(fd, &heap);
	gch_unlock();
	if (err)
		goto fail_close;
	return heap;

fail_close:
	close(fd);
fail:
	errno = -err;
	return NULL;
}

/*
 * Is the heap behind @fd mapped in this process?  A call that needs a mapping
 * and does nothing tells: its base alone would not, as another heap of this
 * process may have the same.
 */
static bool is_mapped(int fd)
{
	struct gcheap_ioc_release nothing = { .size = sizeof(nothing) };

	return call(fd, GCHEAP_IOC_RELEASE, &nothing) != -ENXIO;
}

/* When this process had the heap already, it keeps the descriptor that it had. */
static int attach_locked(int fd, struct gcheap **out)
{
	struct gcheap_ioc_info info;
	struct gcheap *heap;
	int err;

	err = read_info(fd, &info, NULL);
	if (err)
		return err;
	heap = info.base ? gch_heap_at(info.base) : NULL;
	if (heap && is_mapped(fd)) {
		heap->refs++;
		*out = heap;
		return 0;
	}
	heap = heap_entry();
	if (!heap)
		return -ENOMEM;
	err = heap_map(heap, fd);
	if (err)
		return err;
	heap_publish(heap);
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
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	gch_lock();
	err = gch_cache_init();
	if (!err)
		err = attach_locked(fd, &heap);
	gch_unlock();
	if (err)
		goto fail_close;
	if (heap->fd != fd)
		close(fd);
	return heap;

fail_close:
	close(fd);
fail:
	errno = -err;
	return NULL;
}

int gcheap_fd(const struct gcheap *heap)
{
	return heap->fd;
}

/* End this process's part in a heap, and return its descriptor. */
static int close_locked(struct gcheap *heap)
{
	if (--heap->refs)
		return -1;
	gch_cache_drop(heap);
	gch_trace_stop(heap);
	gch_pool_forget(heap);
	/* From here on the other threads' caches of it are known as stale. */
	__atomic_store_n(&heap->id, 0, __ATOMIC_SEQ_CST);
	heap_unmap(heap);
	return heap->fd;
}

void gcheap_close(struct gcheap *heap)
{
	int saved = errno;
	int fd;

	if (!heap)
		return;
	gch_lock();
	fd = close_locked(heap);
	gch_unlock();
	if (fd >= 0)
		close(fd);
	errno = saved;
}
