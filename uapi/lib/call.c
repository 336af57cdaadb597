// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Calls into the kernel, and the descriptor that they are made by.
 *
 * A descriptor is a number that the whole program can close, on purpose or not:
 * closefrom(3) and its like leave nothing there, and then another file, or even
 * another heap, gets the number.  So
 *
 * - it is moved up, to where a program that counts on small numbers does not look;
 * - what a call gives is believed when it lies in the heap.  Calls whose answer
 *   does not tell which heap it came from are made after asking the kernel, so that
 *   no other file gets them, and name the heap, so that no other heap does them;
 * - after an error the kernel is asked whether this is the heap.  When it is not,
 *   the mapping, which nobody can close, leads to a new descriptor (REOPEN), and
 *   the call is repeated.  The old number is never closed: it is somebody else's.
 *   When it is, and the error is one of another file, the call is repeated too;
 * - it is closed only when it is still the heap's.
 *
 * What else another heap may have done for us is undone, as far as it harms: slabs
 * go back.  COLLECT takes slabs from the calling thread without its knowing, so
 * before it the thread gives back those of all heaps (cache.c); then nothing that
 * other threads do to the number, at whatever moment, harms an object.
 *
 * All threads see the new descriptor, and one of them gets it, under the lock
 * GCH_DESCRIPTORS.  A child of vfork() that closed its parent's descriptors may put
 * there a number of its own table: its parent finds out in the same way.
 *
 * Nothing here is a cancellation point.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "lock.h"

#define DEVICE		"/dev/gcheap"

/* Where descriptors go: the first place that is there and not full */
static const int places[] = { 200, 50, STDERR_FILENO + 1, 0 };

/* Another thread may take each new descriptor away at once, but not for ever. */
#define TRIES		16

/*
 * Another heap says that slabs are not the thread's, or that it is not what was
 * named, another file that it knows no such call, and a number that nobody has is no
 * descriptor; by the time that we look, the number may be ours again.  Who says it
 * that often is the heap.
 */
#define REFUSALS	8

static void close_fd(int fd)
{
	syscall(SYS_close, fd);
}

/**
 * gch_device_open() - open the device
 *
 * Return: a descriptor of a new heap, or a negative errno.
 */
int gch_device_open(void)
{
	int fd = syscall(SYS_openat, AT_FDCWD, DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* A node that no driver is behind, of one kind or another */
	return errno == ENXIO ? -ENODEV : -errno;
}

/**
 * gch_fd_dup() - a descriptor's double, as far up as there is room
 * @fd: descriptor
 *
 * The table of descriptors grows to 256 entries for it: 2 KiB.
 *
 * Return: the new descriptor, or a negative errno.
 */
int gch_fd_dup(int fd)
{
	unsigned int i;
	int new = -1;

	for (i = 0; new < 0 && i < sizeof(places) / sizeof(*places); i++)
		new = fcntl(fd, F_DUPFD_CLOEXEC, places[i]);
	return new < 0 ? -errno : new;
}

/**
 * gch_fd_move() - move a descriptor up, if there is room
 * @fd: descriptor, closed when it moves
 *
 * Return: the descriptor.
 */
int gch_fd_move(int fd)
{
	int new = fd < places[0] ? gch_fd_dup(fd) : -1;

	if (new < 0)
		return fd;
	close_fd(new > fd ? fd : new);
	return new > fd ? new : fd;
}

/**
 * gch_fd_call() - ask the kernel by any descriptor
 * @fd: descriptor
 * @number: GCHEAP_IOC_*
 * @request: its structure
 *
 * errno stays as it is.
 *
 * Return: 0 or a negative errno.
 */
int gch_fd_call(int fd, unsigned long number, void *request)
{
	int saved = errno;
	int err = ioctl(fd, number, request);

	if (err > 0)
		err = -ENOTTY;	/* We have no such calls. */
	else if (err)
		err = -errno;
	errno = saved;
	return err;
}

/**
 * gch_fd_mapped() - is the heap behind a descriptor mapped in this process?
 * @fd: descriptor of a heap
 *
 * A call that needs a mapping and does nothing tells.
 *
 * Return: true when it is.
 */
bool gch_fd_mapped(int fd)
{
	struct gcheap_ioc_release nothing = { .size = sizeof(nothing) };

	return gch_fd_call(fd, GCHEAP_IOC_RELEASE, &nothing) != -ENXIO;
}

/*
 * Is this a descriptor of the heap?  Others may have the same base, but only one is
 * mapped there.
 */
static bool is_fd_of(const struct gcheap *heap, int fd)
{
	struct gcheap_ioc_info info = { .size = sizeof(info) };

	return !gch_fd_call(fd, GCHEAP_IOC_INFO, &info) && info.base == heap->base &&
	       gch_fd_mapped(fd);
}

static int fd_now(const struct gcheap *heap)
{
	return __atomic_load_n(&heap->fd, __ATOMIC_RELAXED);
}

/* EBADF is what gcheap.h promises when it cannot be had at all. */
static int reopen_error(int err)
{
	switch (err) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -EINTR:
		return err;
	}
	return -EBADF;
}

/* The lock is held. */
static int reopen(struct gcheap *heap)
{
	struct gcheap_ioc_reopen request = { .size = sizeof(request), .address = heap->base };
	int device = gch_device_open();
	int err;

	if (device < 0)
		return reopen_error(device);
	err = gch_fd_call(device, GCHEAP_IOC_REOPEN, &request);
	/* Another thread was faster, and has closed it; it may be a new file's by now. */
	if (err == -EBADF || err == -ENOTTY)
		return 0;
	close_fd(device);
	if (err)
		return reopen_error(err);
	__atomic_store_n(&heap->fd, gch_fd_move(request.fd), __ATOMIC_RELAXED);
	return 0;
}

/* See to it that the heap has its descriptor; errno stays as it is. */
static int mend(struct gcheap *heap)
{
	int saved = errno;
	int err = 0;

	gch_lock(GCH_DESCRIPTORS);
	if (!is_fd_of(heap, heap->fd))
		err = reopen(heap);
	gch_unlock(GCH_DESCRIPTORS);
	errno = saved;
	return err;
}

/**
 * gch_fd_of() - the heap's descriptor
 * @heap: heap
 *
 * Return: a descriptor that is the heap's at this moment; or -EBADF, -EMFILE,
 * -ENFILE, -ENOMEM or -EINTR when it was closed and there is no other to be had.
 */
int gch_fd_of(struct gcheap *heap)
{
	int tries, fd, err;

	for (tries = 0; tries < TRIES; tries++) {
		fd = fd_now(heap);
		if (is_fd_of(heap, fd))
			return fd;
		err = mend(heap);
		if (err)
			return err;
	}
	return -EBADF;
}

/**
 * gch_fd_close() - close the heap's descriptor, if it still is
 * @heap: heap, mapped, not used by others any more
 */
void gch_fd_close(struct gcheap *heap)
{
	int fd = fd_now(heap);

	if (is_fd_of(heap, fd))
		close_fd(fd);
}

/* Calls that another heap would answer just as well */
static bool is_anonymous(unsigned long number)
{
	switch (number) {
	case GCHEAP_IOC_ALLOC:
	case GCHEAP_IOC_REFILL:
	case GCHEAP_IOC_RELEASE:
	case GCHEAP_IOC_OBJECT:
	case GCHEAP_IOC_FREE:
		return false;
	}
	return true;
}

/* Calls that would be done by another heap are told which one is meant. */
static void name_heap(const struct gcheap *heap, unsigned long number, void *request)
{
	switch (number) {
	case GCHEAP_IOC_CONFIG:
		((struct gcheap_ioc_config *)request)->heap = heap->base;
		break;
	case GCHEAP_IOC_COLLECT:
		((struct gcheap_ioc_collect *)request)->heap = heap->base;
		break;
	case GCHEAP_IOC_FREE:
		((struct gcheap_ioc_free *)request)->heap = heap->base;
		break;
	case GCHEAP_IOC_HOLD:
		((struct gcheap_ioc_hold *)request)->heap = heap->base;
		break;
	case GCHEAP_IOC_WALK:
		((struct gcheap_ioc_walk *)request)->heap = heap->base;
		break;
	case GCHEAP_IOC_STATS:
		((struct gcheap_ioc_stats *)request)->heap = heap->base;
		break;
	case GCHEAP_IOC_ROOT_ADD:
	case GCHEAP_IOC_ROOT_DEL:
		((struct gcheap_ioc_root *)request)->heap = heap->base;
		break;
	case GCHEAP_IOC_LINK_ADD:
	case GCHEAP_IOC_LINK_DEL:
		((struct gcheap_ioc_link *)request)->heap = heap->base;
		break;
	}
}

/* What is not the heap may say these; when the heap does, it does nothing. */
static bool is_refusal(int err)
{
	switch (err) {
	case -EPERM:
	case -ENXIO:
	case -EBADF:
	case -ENOTTY:
	case -EINVAL:
	case -EIO:
		return true;
	}
	return false;
}

static bool is_in(const struct gcheap *heap, __u64 address)
{
	return address - heap->base < heap->size;
}

static const struct gcheap_slab *slabs_of(const struct gcheap_ioc_refill *refill)
{
	return (const void *)(uintptr_t)refill->slabs;
}

/* Can what a call gave be from the heap? */
static bool is_from(const struct gcheap *heap, unsigned long number, const void *request)
{
	const struct gcheap_ioc_refill *refill = request;

	switch (number) {
	case GCHEAP_IOC_ALLOC:
		return is_in(heap, ((const struct gcheap_ioc_alloc *)request)->address);
	case GCHEAP_IOC_OBJECT:
		return is_in(heap, ((const struct gcheap_ioc_object *)request)->start);
	case GCHEAP_IOC_REFILL:
		return refill->got && refill->got <= refill->want &&
		       is_in(heap, slabs_of(refill)->start);
	}
	return true;
}

/* Slabs of another heap: it gets them back, or has them when the thread ends. */
static void give_back(int fd, const struct gcheap_ioc_refill *refill)
{
	const struct gcheap_slab *slabs = slabs_of(refill);
	struct gcheap_slab_return back[GCH_BIN_SLABS];
	struct gcheap_ioc_release release = {
		.size = sizeof(release),
		.nr_back = refill->got,
		.back = (uintptr_t)back,
	};
	__u32 i;

	if (!refill->got || refill->got > refill->want || refill->got > GCH_BIN_SLABS)
		return;
	for (i = 0; i < refill->got; i++) {
		back[i].start = slabs[i].start;
		back[i].free = (uintptr_t)slabs[i].free;
	}
	gch_fd_call(fd, GCHEAP_IOC_RELEASE, &release);
}

/* Make the request what it was; what else ALLOC gave is the other heap's garbage. */
static void undo(int fd, unsigned long number, void *request)
{
	switch (number) {
	case GCHEAP_IOC_ALLOC:
		((struct gcheap_ioc_alloc *)request)->address = 0;
		break;
	case GCHEAP_IOC_OBJECT:
		((struct gcheap_ioc_object *)request)->flags = 0;
		break;
	case GCHEAP_IOC_REFILL:
		give_back(fd, request);
		((struct gcheap_ioc_refill *)request)->got = 0;
		break;
	}
}

/**
 * gch_call() - ask the kernel
 * @heap: heap
 * @number: GCHEAP_IOC_*
 * @request: its structure
 *
 * errno stays as it is.
 *
 * Return: 0 or a negative errno: the call's, or as gch_fd_of().
 */
int gch_call(struct gcheap *heap, unsigned long number, void *request)
{
	const bool anonymous = is_anonymous(number);
	int refused = 0, tries, fd, err;

	name_heap(heap, number, request);
	for (tries = 0; tries < TRIES; tries++) {
		fd = fd_now(heap);
		if (!anonymous || is_fd_of(heap, fd)) {
			err = gch_fd_call(fd, number, request);
			if (likely(!err && is_from(heap, number, request)))
				return 0;
			if (!err)
				undo(fd, number, request);
			else if (is_fd_of(heap, fd) &&
				 (!is_refusal(err) || ++refused == REFUSALS))
				return err;
		}
		err = mend(heap);
		if (err)
			return err;
	}
	return -EBADF;
}
