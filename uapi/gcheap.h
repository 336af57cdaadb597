/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * libgcheap: a garbage-collected heap that the kernel keeps, for C programs.
 *
 * Allocate, drop, never free: what nothing refers to any more is reclaimed.
 *
 * What counts as a reference is a pointer, stored at an address that is a multiple
 * of 8, to an object's first byte or into its middle,
 *
 * - in a register of any thread, on the stack that it runs on, on those that it
 *   was interrupted on by a signal, and in its thread-local variables;
 * - in global and static variables of the program and its libraries;
 * - in a range given to gcheap_root_add();
 * - in a living object of the heap, unless it is from gcheap_alloc_noscan().
 *
 * In registers and on stacks, an address one past an object's end counts for that
 * object, too; in the heap and in data it does not.
 *
 * Memory from malloc() or mmap() does not count.  Give it to gcheap_root_add(), or
 * open the heap with GCHEAP_SCAN_ALL.  Some of it is easily forgotten: what
 * std::vector and the like store, stacks of coroutines that do not run, C++
 * exceptions in flight, arguments of std::thread and std::async before the thread
 * has begun, pthread_setspecific() beyond a thread's first 32 keys.
 *
 * Anonymous memory that was given both MADV_WIPEONFORK and MADV_DONTDUMP is searched
 * neither as data, be it mapped or a page of static variables, nor under
 * GCHEAP_SCAN_ALL: only as a stack, a thread's own variables or registers saved there,
 * and as gcheap_root_add() says.
 *
 * What only the kernel holds never counts: data of epoll, user_data of io_uring,
 * values of timers and signals on their way, control blocks of asynchronous I/O,
 * what is in a pipe, a file, or memory shared with others.  Keep a second reference.
 *
 * Those who share a heap trust each other: each can write to all that is in it.
 *
 * All functions may be called by any thread at any time; none may be called by
 * a signal handler that can interrupt another of them on the same thread.
 */
#ifndef GCHEAP_H
#define GCHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gcheap_version.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gcheap;
struct gcheap_pool;
struct gcheap_weak;

/*
 * gcheap_options.flags: references in any memory of the process that is private and
 * writable count: malloc's, that from mmap(), all stacks.  Collections take longer,
 * in proportion to how much of that was ever written.
 *
 * It comes by itself in programs that run under Valgrind, or are built with
 * AddressSanitizer and have detect_stack_use_after_return on.
 */
#define GCHEAP_SCAN_ALL		0x1

/**
 * struct gcheap_options - how to make a heap; zero means the default
 * @size: hard limit of the heap's size in bytes, 1 MiB to 1 TiB; default: the
 *	machine's memory, but at most half of the addresses that RLIMIT_AS leaves
 * @limit: memory in bytes beyond which the heap is collected earlier than
 *	@percent says; default: none
 * @percent: growth over the live heap before the next collection; default: 100;
 *	negative: collect only when told to, or when the heap is full
 * @flags: GCHEAP_SCAN_ALL or zero
 */
struct gcheap_options {
	size_t size;
	size_t limit;
	int percent;
	unsigned int flags;
};

/* Entries of gcheap_stats.by_size */
#define GCHEAP_STATS_CLASSES	96

/**
 * struct gcheap_stats - Go's runtime.MemStats under C names
 * @total_alloc: bytes allocated since the heap was made, as many as the objects really
 *	have (gcheap_usable_size()); never falls
 * @mallocs: objects allocated since the heap was made
 * @frees: objects reclaimed since the heap was made
 * @heap_alloc: bytes of objects allocated and not yet reclaimed
 * @heap_objects: number of those: mallocs - frees
 * @heap_sys: bytes of memory held for objects, heap_idle + heap_inuse
 * @heap_idle: of them in no large object, and in no slab with an object
 * @heap_inuse: of them in slabs and large objects
 * @heap_released: bytes given back to the machine since the heap was made
 * @next_gc: heap_alloc at which the next collection is due; or later, as there is
 *	memory left from when the heap was larger, or when a limit is too small: see
 *	gcheap_set_limit()
 * @last_gc_ns: end of the last collection, ns since 1970; 0: none yet
 * @pause_total_ns: sum of all pauses
 * @pause_max_ns: longest pause
 * @num_gc: collections completed
 * @num_forced_gc: of them asked for by gcheap_collect()
 * @gc_sys: bytes of memory that the collector itself needs, ranges of roots included
 * @gc_cpu_ns: time spent collecting
 * @num_classes: entries of @by_size in use; the last is of the large objects
 * @by_size: counts of each size class by ascending size: @size bytes of a slot
 *	(0 for the large objects), @mallocs, @frees
 *
 * All are of one moment, and what is said of sums above holds; by_size adds up to
 * mallocs and frees.
 *
 * What is late: each thread takes objects from a cache, and total_alloc, mallocs,
 * heap_alloc, heap_objects and by_size have those only when it gets more memory for
 * objects of that size, collects, ends, or calls gcheap_thread_release(); or when they
 * are reclaimed.  Of each size that is no more than a thread takes in one go, 256 KiB.
 * And of a collection that is under way nothing is told before it is over.
 */
struct gcheap_stats {
	uint64_t total_alloc;
	uint64_t mallocs;
	uint64_t frees;
	uint64_t heap_alloc;
	uint64_t heap_objects;
	uint64_t heap_sys;
	uint64_t heap_idle;
	uint64_t heap_inuse;
	uint64_t heap_released;
	uint64_t next_gc;
	uint64_t last_gc_ns;
	uint64_t pause_total_ns;
	uint64_t pause_max_ns;
	uint64_t num_gc;
	uint64_t num_forced_gc;
	uint64_t gc_sys;
	uint64_t gc_cpu_ns;
	uint64_t num_classes;
	struct {
		uint64_t size;
		uint64_t mallocs;
		uint64_t frees;
	} by_size[GCHEAP_STATS_CLASSES];
};

/**
 * gcheap_open() - make a heap
 * @opts: how, or NULL for the defaults
 *
 * What @opts leaves at its default, the environment may set: GCHEAP_PERCENT (150,
 * 150%, off), GCHEAP_LIMIT and GCHEAP_SIZE: bytes, also in KiB, MiB, GiB, TiB, or
 * as 50% a part of the memory that the process may have, which is the machine's
 * or the least memory.max of its cgroups; GCHEAP_LIMIT=off is none.  A value that
 * is not one of these is not used, and a line on stderr says so.  What the program
 * gives, here or to gcheap_set_percent() and gcheap_set_limit(), prevails.  The
 * environment does not count in programs that are set-user-ID.
 *
 * With GCHEAP_TRACE=1 in the environment each collection of the heap prints a
 * line to stderr, and gcheap_close() two more: how often stopping all threads, and
 * letting them go, took how long.  With GCHEAP_TRACE=/FILE it is a line of JSON that is
 * added to the file instead; gcheap trace, the command, runs programs so.  The call makes the
 * file if there is none, for the user alone, and says on stderr when it cannot be written to.
 * A program that later becomes another user's, or changes its root, loses lines when it cannot
 * open the file any more.  None of it counts in programs that are set-user-ID.
 *
 * Return: the heap, or NULL with errno: ENOENT or ENODEV (module not loaded),
 * EPROTONOSUPPORT (the module is of another version), EACCES or EPERM (not
 * permitted to open the device), EINVAL (an option out of range), EAGAIN (memory
 * that will be is locked by mlockall(), and RLIMIT_MEMLOCK does not allow for a heap
 * of this size), EMFILE, ENFILE, ENOMEM.  gcheap_strerror() tells what helps.
 */
struct gcheap *gcheap_open(const struct gcheap_options *opts);

/**
 * gcheap_default() - the default heap of the process
 *
 * The first call opens it, as gcheap_open(NULL) does; all threads get the same.  It is for code
 * that is handed no heap.  A child of fork() goes on with its parent's, as with each heap;
 * a program that is execed has its own.  Who closes it has it opened anew by the next call:
 * so who does not own the program leaves it open.
 *
 * Return: the heap, or NULL with errno, as gcheap_open(); then the next call tries again.
 */
struct gcheap *gcheap_default(void);

/**
 * gcheap_attach() - use a heap behind a descriptor that was passed or inherited
 * @fd: descriptor of a heap; it stays the caller's, and may be closed
 *
 * The heap is mapped at the same address as in its other processes, so that
 * pointers into it may be passed among them.  Attaching a heap that this
 * process has mapped already (inherited by fork, or attached before) works too.
 *
 * A heap that no process has attached any more is empty: see gcheap_close().
 *
 * Return: the heap, or NULL with errno: EBADF or ENOTTY (not a heap), EEXIST
 * (the addresses are occupied in this process), EPROTONOSUPPORT, EAGAIN, EMFILE,
 * ENOMEM: as gcheap_open().
 */
struct gcheap *gcheap_attach(int fd);

/**
 * gcheap_fd() - the heap's descriptor
 * @heap: heap
 *
 * For passing to another process.  It stays the heap's, and has FD_CLOEXEC set.
 *
 * A program that closes it, by closefrom(3) or otherwise, can go on: the library
 * gets another one as soon as it needs it, for which it opens /dev/gcheap.  A file
 * that has got the number meanwhile is let alone.
 *
 * Return: the descriptor; or -1 with errno when it was closed and there is no other
 * to be had: EBADF (the device cannot be opened, or the heap is not mapped any more),
 * EMFILE, ENFILE, ENOMEM.  Each other function may fail with these, too, then.
 */
int gcheap_fd(const struct gcheap *heap);

/**
 * gcheap_strerror() - what an errno from this library means, and what helps
 * @err: errno
 *
 * Return: a line without its end; that of strerror() for what the library does not
 * give.
 */
const char *gcheap_strerror(int err);

/**
 * gcheap_version() - which version of the library this is
 *
 * A program that was compiled with GCHEAP_VERSION_STRING may run with a later one.
 *
 * Return: three numbers with dots between, as "0.1.0".
 */
const char *gcheap_version(void);

/**
 * gcheap_close() - stop using a heap
 * @heap: heap, or NULL
 *
 * The heap's memory is unmapped from this process: no thread may use it, its
 * objects, or its pools any more.  When all its processes did so, or have ended, all
 * objects are gone, and their memory is given back, though descriptors of the heap may
 * still be about, in other processes or on their way there.  Who attaches then finds it
 * empty.  Whoever passes a heap on closes it when the other has attached it.
 */
void gcheap_close(struct gcheap *heap);

/**
 * gcheap_alloc() - an object that may hold pointers
 * @heap: heap
 * @size: bytes; 0 is taken as 1
 *
 * A heap that is full is collected before memory is refused.  When that was of no
 * use some times in a row, it takes no more than half of the time from then on:
 * other refusals come without.  So a program that drops much after many of them
 * calls gcheap_collect() before it tries again.
 *
 * It takes up to 2 KiB of the stack, more where collections are printed, and makes zero
 * 1 KiB of what it has taken.
 *
 * Return: zeroed memory, aligned to 16 bytes (8 when @size <= 8), or NULL with
 * errno ENOMEM when a collection could not help either.
 */
void *gcheap_alloc(struct gcheap *heap, size_t size);

/**
 * gcheap_alloc_noscan() - an object that holds no pointers
 * @heap: heap
 * @size: bytes; 0 is taken as 1
 *
 * As gcheap_alloc(), but what the object holds keeps nothing else; unless it is a
 * stack, from the stack pointer on, while a thread runs there.
 *
 * Return: as gcheap_alloc().
 */
void *gcheap_alloc_noscan(struct gcheap *heap, size_t size);

/**
 * gcheap_alloc_array() - an array that may hold pointers
 * @heap: heap
 * @count: elements
 * @size: bytes of each
 *
 * As gcheap_alloc() of @count times @size bytes; 0 bytes are taken as 1.
 *
 * Return: as gcheap_alloc(); NULL with errno ENOMEM, too, when that is more than a size_t
 * can hold.
 */
void *gcheap_alloc_array(struct gcheap *heap, size_t count, size_t size);

/**
 * gcheap_alloc_array_noscan() - an array that holds no pointers
 * @heap: heap
 * @count: elements
 * @size: bytes of each
 *
 * As gcheap_alloc_noscan() of @count times @size bytes.
 *
 * Return: as gcheap_alloc_array().
 */
void *gcheap_alloc_array_noscan(struct gcheap *heap, size_t count, size_t size);

/**
 * gcheap_calloc() - gcheap_alloc_array(), under the name that others know
 * @heap: heap
 * @count: elements
 * @size: bytes of each
 *
 * Return: as gcheap_alloc_array().
 */
void *gcheap_calloc(struct gcheap *heap, size_t count, size_t size);

/**
 * gcheap_alloc_many() - several objects of one size that may hold pointers
 * @heap: heap
 * @size: bytes of each; 0 is taken as 1
 * @objects: array of @count pointers, filled in from its start
 * @count: how many
 *
 * They are what as many calls of gcheap_alloc() give.  What keeps them is @objects only if
 * that lies where references count: in an array from malloc() they may be gone before the
 * function returns.  What @objects held before is written over one by one.
 *
 * Return: how many there are in @objects; when that is less than @count, errno is ENOMEM.
 */
size_t gcheap_alloc_many(struct gcheap *heap, size_t size, void **objects, size_t count);

/**
 * gcheap_alloc_many_noscan() - several objects of one size that hold no pointers
 * @heap: heap
 * @size: bytes of each; 0 is taken as 1
 * @objects: array of @count pointers, filled in from its start
 * @count: how many
 *
 * As gcheap_alloc_many(), with gcheap_alloc_noscan().
 *
 * Return: as gcheap_alloc_many().
 */
size_t gcheap_alloc_many_noscan(struct gcheap *heap, size_t size, void **objects,
				size_t count);

/**
 * gcheap_memalign() - an object at an aligned address that may hold pointers
 * @heap: heap
 * @alignment: power of two, of any size
 * @size: bytes; 0 is taken as 1
 *
 * Up to a page, 4096 bytes, the address is the object's start.  Beyond that it may be one in
 * the middle of an object with up to @alignment bytes more: any address in it keeps it, as
 * it does others; gcheap_base() gives its start, which is what gcheap_free() and
 * gcheap_realloc() take; and gcheap_usable_size() is from that start, too.  gcheap_realloc()
 * preserves no alignment beyond that of gcheap_alloc().
 *
 * Return: zeroed memory of at least @size bytes from a multiple of @alignment on; or NULL with
 * errno EINVAL (@alignment is no power of two), or ENOMEM, as gcheap_alloc().
 */
void *gcheap_memalign(struct gcheap *heap, size_t alignment, size_t size);

/**
 * gcheap_memalign_noscan() - an object at an aligned address that holds no pointers
 * @heap: heap
 * @alignment: power of two, of any size
 * @size: bytes; 0 is taken as 1
 *
 * As gcheap_memalign(), with gcheap_alloc_noscan().
 *
 * Return: as gcheap_memalign().
 */
void *gcheap_memalign_noscan(struct gcheap *heap, size_t alignment, size_t size);

/**
 * gcheap_strdup() - a copy of a string
 * @heap: heap
 * @string: string, anywhere
 *
 * The copy is from gcheap_alloc_noscan().
 *
 * Return: the copy, or NULL with errno ENOMEM.
 */
char *gcheap_strdup(struct gcheap *heap, const char *string);

/**
 * gcheap_strndup() - a copy of a string's beginning
 * @heap: heap
 * @string: bytes, anywhere, of which no more than @most are looked at
 * @most: bytes that are copied at most; a zero ends the string before
 *
 * The copy is from gcheap_alloc_noscan(), and ends with a zero in any case.
 *
 * Return: as gcheap_strdup().
 */
char *gcheap_strndup(struct gcheap *heap, const char *string, size_t most);

/**
 * gcheap_realloc() - an object of another size with the same content
 * @heap: heap
 * @p: start of an object of the heap, or NULL: then as gcheap_alloc()
 * @size: bytes; 0 is taken as 1
 *
 * Bytes beyond the old object's size, and all that gcheap_usable_size() tells
 * beyond @size, are zero.  So when @p is returned, what was in its object beyond
 * @size is gone, also for others who use it.  When a new object is returned,
 * @p's stays as it was.  Scanned or not as @p's object is.
 *
 * Makes no system call for an object that the calling thread has allocated lately,
 * unless it takes one to allocate the new object.
 *
 * Return: @p when its object has room and is not much too large, else a new
 * object; or NULL with errno ENOMEM, or EINVAL when @p is no object's start.
 */
void *gcheap_realloc(struct gcheap *heap, void *p, size_t size);

/**
 * gcheap_free() - the program is done with an object
 * @heap: heap
 * @object: start of an object of the heap, or NULL, which is ignored
 *
 * Nobody has to call it: what nothing refers to is reclaimed in any case.  Who does takes
 * care that nobody uses the object any more, in any thread or process of the heap, nor the
 * kernel (a read() into it that is under way), nor as a pool or a range of roots, and takes
 * back before what was said of it to gcheap_weak_new() and gcheap_link_add(), be it the object
 * or where the word is: or that is true of what is allocated there next.  Pointers to it
 * that are left behind are no references: they may keep what is allocated there next, or
 * not, as long as they are not stored anew.
 *
 * What the calling thread has allocated lately may be what it allocates next, and no system
 * call is made, unless there was a collection since then; for all else there is one, see
 * gcheap_free_many(), and then its memory is free, for all.  There are objects that a
 * collection is left to find: those that another thread has allocated lately, and while a
 * collection is under way those that it has found already.  Until then a second call for
 * such an object is no error either.  Statistics do not count an object that the calling
 * thread has freed before they have counted it as allocated.
 *
 * Return: 0; or -1 with errno EINVAL when no object that is in use begins at @object, as it
 * was freed or reclaimed before, and then nothing was changed; ENOMEM, or as gcheap_fd().
 */
int gcheap_free(struct gcheap *heap, void *object);

/**
 * gcheap_free_many() - the program is done with several objects
 * @heap: heap
 * @objects: array of pointers as for gcheap_free(), which stays as it is
 * @count: length of the array
 *
 * As that many calls of gcheap_free(), but with one system call for up to 64 that need one.
 *
 * Return: how many were freed, or NULL.  When that is less than @count, errno is EINVAL if the
 * others are no objects that are in use; else, as for gcheap_free(), it was given up, and some
 * of those that come last may not have been freed.
 */
size_t gcheap_free_many(struct gcheap *heap, void *const *objects, size_t count);

/**
 * gcheap_usable_size() - bytes of an object
 * @heap: heap
 * @p: start of an object, or a pointer into it
 *
 * Makes no system call for an object that the calling thread has allocated lately.
 *
 * Return: bytes that may be used from @p's object's start, 0 when @p points
 * into no object.
 */
size_t gcheap_usable_size(struct gcheap *heap, const void *p);

/**
 * gcheap_base() - the object around an address
 * @heap: heap
 * @p: any address
 *
 * Makes no system call for what the calling thread has in its cache.  There it takes
 * what it may hand out yet for an object, too, and what was reclaimed.
 *
 * Return: start of the object around @p, or NULL.
 */
void *gcheap_base(struct gcheap *heap, const void *p);

/**
 * gcheap_walk() - look at all objects, by ascending address
 * @heap: heap
 * @visit: called for each, with its start, its bytes and @arg; anything but 0 ends the walk
 * @arg: for @visit
 *
 * Those are visited that are there all the time, be they referred to or not: who wants only
 * what lives collects before.  Others allocate and free meanwhile, and so may @visit; but
 * nothing is collected, see gcheap_disable().  Objects are missing that other threads have
 * allocated lately: those that have to be seen call gcheap_thread_release() before.
 *
 * @visit must not leave it otherwise than by returning.
 *
 * Return: 0; what @visit returned, if that was not 0; or -1 with errno, as
 * gcheap_disable(), or ENOMEM.
 */
int gcheap_walk(struct gcheap *heap, int (*visit)(void *object, size_t size, void *arg),
		void *arg);

/**
 * gcheap_contains() - whether an address is one of the heap's
 * @heap: heap
 * @p: any address
 *
 * Makes no system call.  Not all of a heap's addresses are those of an object:
 * gcheap_base() tells.
 *
 * Return: true when @p lies in the range of addresses that the heap has.
 */
bool gcheap_contains(const struct gcheap *heap, const void *p);

/**
 * gcheap_collect() - collect now, as runtime.GC()
 * @heap: heap
 *
 * It does so each time, also when it is of no use; but not while gcheap_disable() says so.
 *
 * Return: 0 when all garbage is reclaimed, or -1 with errno ENOMEM, EAGAIN.
 */
int gcheap_collect(struct gcheap *heap);

/**
 * gcheap_release() - collect, and give free memory back, as debug.FreeOSMemory()
 * @heap: heap
 *
 * Memory that the heap has no use for goes back to the machine by itself, but only
 * after some seconds; this does it now, and leaves nothing for what is allocated next:
 * each page goes that no object has a byte on, but for those of slabs that other
 * threads have.
 *
 * Return: 0 when all garbage is reclaimed and what was free is given back; or -1 with
 * errno ENOMEM, EAGAIN: then only what was free before is.
 */
int gcheap_release(struct gcheap *heap);

/**
 * gcheap_thread_release() - give back what the calling thread has in its cache
 * @heap: heap
 *
 * Each thread allocates from memory of its own, which others cannot use: of each size
 * that it allocates some KiB, and more when it allocates fast.  Collections take that
 * from threads that have been idle for one of them, and from others when all together
 * hold more than a quarter of what lives.  This does it now, for a thread that will not
 * allocate for long.  And for exact statistics: what it has allocated is counted.
 */
void gcheap_thread_release(struct gcheap *heap);

/**
 * gcheap_read_stats() - how the heap is doing, as runtime.ReadMemStats()
 * @heap: heap
 * @out: filled in
 *
 * Makes no system call, waits for nobody, and takes nothing from the cache of the
 * calling thread: the kernel keeps the numbers in a page that the library has mapped.
 * Where that was not to be had, it asks the kernel.  struct gcheap_stats says which
 * of them are late.
 *
 * Return: 0, or -1 with errno: as gcheap_fd(), and only if the kernel had to be asked.
 */
int gcheap_read_stats(struct gcheap *heap, struct gcheap_stats *out);

/**
 * gcheap_disable() - no collections for now, as GC_disable()
 * @heap: heap
 *
 * Until gcheap_enable() has been called as often no collection begins, whoever asks for it, and
 * one that is under way is given up: when this returns, nothing will be reclaimed until
 * then, be it referred to or not.  The heap grows, and what it has no room for, or the
 * machine no memory, is refused.  It is so for all processes of the heap, and ends with the
 * one that has called this, or when that closes the heap; a child of fork() has not called it.
 *
 * Return: 0; or -1 with errno EINVAL (it has called it 65,535 times), EBUSY (in a child of
 * vfork(), whose parent's it would be), or as gcheap_fd().
 */
int gcheap_disable(struct gcheap *heap);

/**
 * gcheap_enable() - take back one gcheap_disable() of this process
 * @heap: heap
 *
 * Does not collect by itself.
 *
 * Return: 0; or -1 with errno EINVAL when there is none left to take back, EBUSY in a child of
 * vfork(), or as gcheap_fd().
 */
int gcheap_enable(struct gcheap *heap);

/**
 * gcheap_set_percent() - growth before the next collection, as SetGCPercent()
 * @heap: heap
 * @percent: 1 to 100000; negative: collect only when told to, or when full;
 *	0 is taken as 1
 *
 * Return: the percentage before (-1: off), or -2 with errno EINVAL.
 */
int gcheap_set_percent(struct gcheap *heap, int percent);

/**
 * gcheap_set_limit() - collect earlier when memory is scarce, as
 *	SetMemoryLimit()
 * @heap: heap
 * @bytes: limit, 0 for none
 *
 * A soft limit: when it is too small for what lives, the heap grows beyond it, up
 * to what the percentage says, rather than be collected for more than half of the
 * time for long.
 *
 * Return: 0, or -1 with errno.
 */
int gcheap_set_limit(struct gcheap *heap, size_t bytes);

/**
 * gcheap_root_add() - let a range of memory count as roots
 * @heap: heap
 * @start: its first byte, a multiple of 8
 * @size: bytes
 *
 * Return: 0, or -1 with errno: EEXIST (a range begins there already), EINVAL,
 * EFAULT (no user memory), ENOSPC (this process has 65,536 ranges), ENOMEM.
 */
int gcheap_root_add(struct gcheap *heap, const void *start, size_t size);

/**
 * gcheap_root_del() - take back gcheap_root_add()
 * @heap: heap
 * @start: as given there
 *
 * Return: 0, or -1 with errno ENOENT (no range begins there).
 */
int gcheap_root_del(struct gcheap *heap, const void *start);

/**
 * gcheap_pool_new() - a pool of objects for reuse, as sync.Pool
 * @heap: heap
 * @size: bytes of each object
 *
 * What lies unused in a pool is dropped by the second collection after it was
 * put there.  The pool is usable in all processes of the heap.
 *
 * Return: the pool, or NULL with errno ENOMEM.
 */
struct gcheap_pool *gcheap_pool_new(struct gcheap *heap, size_t size);

/**
 * gcheap_pool_get() - an object from the pool, or a new one
 * @pool: pool
 *
 * Return: an object with whatever it held when it was put, zeroed when it is
 * new; NULL with errno ENOMEM.
 */
void *gcheap_pool_get(struct gcheap_pool *pool);

/**
 * gcheap_pool_put() - give an object to the pool
 * @pool: pool
 * @obj: object of the pool's size or larger, not used by the caller any more;
 *	NULL is ignored
 */
void gcheap_pool_put(struct gcheap_pool *pool, void *obj);

/**
 * gcheap_pool_free() - end a pool
 * @pool: pool, or NULL
 */
void gcheap_pool_free(struct gcheap_pool *pool);

/**
 * gcheap_weak_new() - a reference that does not keep its object
 * @heap: heap
 * @object: address of an object, or in it
 *
 * It is an object of the heap itself, of 8 bytes, and goes when nothing refers to it any
 * more: so keep it where references count.  All processes of the heap may use it.  It takes
 * a system call, and some 40 bytes of the kernel's memory as long as both are there.
 *
 * Return: the reference; or NULL with errno EINVAL (no object is there), ENOMEM.
 */
struct gcheap_weak *gcheap_weak_new(struct gcheap *heap, void *object);

/**
 * gcheap_weak_get() - the object that a weak reference refers to
 * @weak: reference
 *
 * Makes no system call, and may be called by signal handlers.  As long as the caller has the
 * answer where references count, the object is there.
 *
 * Return: the address that gcheap_weak_new() was given; or NULL when a collection has found
 * nothing else that refers to the object, or the reference was freed.
 */
void *gcheap_weak_get(const struct gcheap_weak *weak);

/**
 * gcheap_weak_free() - have a weak reference refer to nothing
 * @heap: heap
 * @weak: reference, or NULL
 *
 * What the kernel keeps for it is given back; without this, that is when the reference or its
 * object goes.
 */
void gcheap_weak_free(struct gcheap *heap, struct gcheap_weak *weak);

/**
 * gcheap_link_add() - have a word made zero when an object goes
 * @heap: heap
 * @word: where it is: in an object of the heap, at a multiple of 8
 * @object: address of an object, or in it
 *
 * What is in the word is the caller's business: in an object from gcheap_alloc_noscan() an
 * address keeps nothing; elsewhere it must not look like one (~address).  Who reads it there
 * does so as with volatile, makes the address of it, and then reads the word once more: if it
 * has not changed, the address may be used.
 *
 * If the object that the word is in goes first, that is all.  For each word there is one
 * object at most, the last one that was given.
 *
 * Return: 0, or -1 with errno EINVAL (@word is not such a word, or no object is at @object),
 * ENOMEM.
 */
int gcheap_link_add(struct gcheap *heap, void *word, const void *object);

/**
 * gcheap_link_del() - take back gcheap_link_add()
 * @heap: heap
 * @word: as given there
 *
 * Return: 0, or -1 with errno: ENOENT (nothing is known of the word, or it was made zero
 * meanwhile), EINVAL.
 */
int gcheap_link_del(struct gcheap *heap, void *word);

/**
 * gcheap_alloc_more() - an object when an inline function did not find one
 * @heap: heap
 * @size: bytes
 * @flags: 1 for one that holds no pointers, else 0
 *
 * For the inline functions below: in a program it does what those do that it has names for.
 *
 * Return: as gcheap_alloc().
 */
void *gcheap_alloc_more(struct gcheap *heap, size_t size, unsigned int flags);

/* gcheap_alloc() and gcheap_alloc_noscan(), for the inline functions of these names */
void *gcheap_alloc_call(struct gcheap *heap, size_t size);
void *gcheap_alloc_noscan_call(struct gcheap *heap, size_t size);

/*
 * What follows is no program's business.  It has gcheap_alloc() and gcheap_alloc_noscan()
 * done in place, without a call, where the size is a constant: nearly each time the object
 * is the next one of some that the thread has in a row.  Not done with GCHEAP_NO_INLINE
 * defined, without optimization, in C89, or where the C library is not glibc.  A file needs
 * that definition if it has functions for less of a processor than the rest of it (the
 * attribute target), or coroutines that change threads and -mno-tls-direct-seg-refs.
 *
 * Programs that were compiled with it keep working with a library that does not have these
 * things where they are here: that has new ones under other names, and leaves in
 * gcheap_cache_1, for all threads, the address of a number that is no heap's.
 */

/* It is another struct to the library. */
#define GCHEAP_ALIAS	__attribute__((may_alias))

/**
 * struct gcheap_inline_heap - what a heap begins with
 * @id: its number
 * @bin_at: for size n at (n + 7) / 8: where in a cache the bin of its class is, in bytes;
 *	the next one is for objects that hold no pointers
 */
struct gcheap_inline_heap {
	uint64_t id;
	uint16_t bin_at[4097];
} GCHEAP_ALIAS;

/**
 * struct gcheap_inline_cache - what a thread's cache begins with
 * @id: number of its heap
 */
struct gcheap_inline_cache {
	uint64_t id;
} GCHEAP_ALIAS;

/**
 * struct gcheap_inline_bin - some free objects in a row
 * @next: address of the first
 * @end: address where they end
 * @library: the library's own
 * @object_size: bytes of each
 * @library_too: the library's own
 */
struct gcheap_inline_bin {
	uint64_t next;
	uint64_t end;
	uint64_t library[2];
	uint64_t object_size;
	uint64_t library_too[3];
} GCHEAP_ALIAS;

/* Sizes up to this are found in bin_at. */
#define GCHEAP_INLINE_MAX	32768

#ifdef __GLIBC__
#define GCHEAP_TLS	__attribute__((tls_model("initial-exec")))
#else
#define GCHEAP_TLS
#endif

/* The calling thread's cache that it used last, or what is none */
extern __thread const struct gcheap_inline_cache *gcheap_cache_1 GCHEAP_TLS;

#if defined(__x86_64__) && defined(__LP64__) && defined(__GLIBC__) && \
	defined(__OPTIMIZE__) && !defined(GCHEAP_NO_INLINE) && \
	(defined(__cplusplus) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L))

/*
 * The object is the thread's as soon as the instruction has added its size, and the
 * collector finds its address in the register.  Should the kernel take the thread's free
 * objects back, it makes the end zero: so that is read afterwards.
 */
__attribute__((gnu_inline, always_inline, no_instrument_function)) extern inline
void *gcheap_inline_alloc(struct gcheap *heap, size_t size, unsigned int noscan)
{
	const struct gcheap_inline_heap *of = (const struct gcheap_inline_heap *)heap;
	const struct gcheap_inline_cache *cache = gcheap_cache_1;
	struct gcheap_inline_bin *bin;
	uint64_t object;

	if (__builtin_expect(of->id == cache->id, 1)) {
		bin = (struct gcheap_inline_bin *)((uintptr_t)cache + of->bin_at[(size + 7) / 8]);
		bin += noscan;
		object = bin->object_size;
		__asm__ __volatile__("xaddq %0, %1" : "+r" (object), "+m" (bin->next) : :
				     "memory", "cc");
		if (__builtin_expect(object < bin->end, 1))
			return (void *)object;
	}
	return gcheap_alloc_more(heap, size, noscan);
}

__attribute__((gnu_inline, always_inline, no_instrument_function)) extern inline
void *gcheap_alloc(struct gcheap *heap, size_t size)
{
	if (__builtin_constant_p(size) && size <= GCHEAP_INLINE_MAX)
		return gcheap_inline_alloc(heap, size, 0);
	return gcheap_alloc_call(heap, size);
}

__attribute__((gnu_inline, always_inline, no_instrument_function)) extern inline
void *gcheap_alloc_noscan(struct gcheap *heap, size_t size)
{
	if (__builtin_constant_p(size) && size <= GCHEAP_INLINE_MAX)
		return gcheap_inline_alloc(heap, size, 1);
	return gcheap_alloc_noscan_call(heap, size);
}
#endif

#ifdef __cplusplus
}
#endif

#endif /* GCHEAP_H */
