/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * gcheap: a garbage-collected heap for user processes, /dev/gcheap.
 *
 * open() makes a heap, ATTACH makes the calling process a member of it, mmap()
 * of the descriptor maps it, further ioctl()s allocate from it and collect it.
 * The last close() of the descriptor and munmap() of the mapping, in all
 * processes, end it.
 *
 * open
 *	EMFILE	   the process has as many descriptors as it may, or the user as many
 *		   heaps
 *	ENOMEM	   no memory
 *
 * Limits of a user
 *	All heaps that one user has opened (the effective user id, as the initial
 *	user namespace has it) together have no more than four parameters of the module
 *	allow: user_heaps (EMFILE), user_memory, in percent of the machine's memory
 *	(ENOMEM), user_members (ENOMEM), user_ranges (ENOSPC).  A heap that was
 *	opened with CAP_SYS_RESOURCE in the initial user namespace is not counted.
 *	RLIMIT_MEMLOCK does not matter.
 *
 * Members
 *	Those who map a heap trust each other completely: each can write all that
 *	is in it, has the others stopped by a collection, at a time and for as
 *	long as it likes, and learns from what a collection reclaims what words
 *	are in their memory and registers.  So a descriptor alone, or a
 *	mapping of it by a program that takes it for something else, makes
 *	nobody a member: ATTACH comes before mmap, and does so for the calling
 *	process, until it execs or ends.  A child of fork() that inherits the
 *	mapping is a member as its parent is; one that does not inherit it has
 *	to attach itself.  INFO tells who opened the heap.
 *
 * mmap
 *	Offset 0, MAP_SHARED, length exactly gcheap_ioc_info.heap_size.  The
 *	first mapping chooses the heap's base; every other process must map it
 *	there (the kernel proposes that address by itself).
 *	EINVAL	   another length, offset, MAP_PRIVATE, PROT_EXEC, another base,
 *		   or a 32-bit process
 *	EPERM	   no ATTACH by this process
 *	EEXIST	   the base's range is occupied in this process, be it by the
 *		   heap itself, over which MAP_FIXED does not map it either
 *	EBUSY	   the last mapping has gone, and the heap is not empty yet: see
 *		   below.  ATTACH waits for that
 *	The mapping is one piece: mremap(), mprotect() of a part and munmap()
 *	of a part are EINVAL, mprotect(PROT_EXEC) is EACCES.
 *	madvise(MADV_DONTNEED) drops page table entries only; the content stays.
 *
 *
 * mmap of the statistics
 *	Offset GCHEAP_STATS_OFFSET, MAP_SHARED, PROT_READ or PROT_NONE, length a page: what
 *	GCHEAP_IOC_STATS tells, kept up to date by the kernel, to be read without a
 *	call.  See struct gcheap_stats_page.
 *	EINVAL	   another length, MAP_PRIVATE, PROT_EXEC, or a 32-bit process
 *	EPERM	   no ATTACH by this process
 *	EACCES	   PROT_WRITE; mprotect(PROT_WRITE or PROT_EXEC) later
 *	It may be mapped anywhere, more than once, before the heap and after it has
 *	been unmapped.  A child of fork() inherits it, exec ends it.  It keeps the heap,
 *	with its settings and for the limits of its user, as a descriptor does; but it
 *	is no mapping of the heap as meant below: it keeps nothing that is in
 *	the heap, and makes nobody a member.
 *
 * The last mapping
 *	When no process maps the heap any more, be it that they unmapped it, have
 *	ended, or run other programs, all its objects are gone and all its memory is
 *	given back: a descriptor keeps none.  Slabs are no thread's any more, ranges of
 *	roots are forgotten.  It can be mapped again, where it was, and is empty then
 *	in any case.  Its settings stay, its statistics go on, and those who have
 *	attached to it need not do so again.
 *
 * ioctl
 *	Each structure begins with its own size, as the caller knows it.
 *	A shorter one than the kernel's is filled up with zeros, a longer one is
 *	taken when what the kernel does not know is zero.  Errors of all calls:
 *	ENOTTY	   unknown call number, or a 32-bit process
 *	EFAULT	   the structure, or an array that it names, is not accessible
 *	EINVAL	   size smaller than the structure's first version, an unknown
 *		   flag, a reserved field that is not zero, a value out of range
 *	E2BIG	   size larger than the kernel's, and the rest not all zero
 *	ENOMEM	   the kernel has no memory for the call itself
 *	EINTR	   the caller is being killed
 *	Whoever gets an error can rely on nothing having been changed, unless
 *	the call below says otherwise.  Those who need a mapping of the heap in
 *	the calling process (REFILL, RELEASE, ALLOC, FREE, COLLECT, HOLD, WALK,
 *	ROOT_ADD, ROOT_DEL, LINK_ADD, LINK_DEL) give ENXIO without.
 *	A descriptor is a number, which another thread may close, and another
 *	heap be given.  A call that has the field heap may name the heap that it
 *	is meant for, by its base, and gives ENXIO when that is not where the
 *	calling process maps the descriptor's heap; 0 names none.  What ALLOC,
 *	REFILL and OBJECT give tells by itself, and so does RELEASE, unless it is
 *	of all slabs.
 *
 * /proc/PID/fdinfo/FD
 *	A line for each of these, in the form that drm-usage-stats.rst in the
 *	kernel's documentation describes: key, colon, tab, number, unit.  Memory
 *	is in KiB, time in ns.  Reading it waits for nobody: each number is as it was at
 *	some moment, also while a collection is under way.
 *	gcheap-id	   the same for all descriptors of a heap, in all processes
 *	gcheap-base	   address of the heap, 0x0 before the first mmap
 *	gcheap-size	   as gcheap_ioc_info.heap_size
 *	gcheap-limit	   as gcheap_ioc_config.limit
 *	gcheap-live	   objects that the last collection found to be alive
 *	gcheap-goal	   of objects, where the next one is due; no line when it never is
 *	gcheap-allocated   of objects, ever allocated, as late as gcheap_ioc_stats has it
 *	gcheap-reclaimed   of objects, ever reclaimed, likewise
 *	gcheap-resident	   memory held for objects
 *	gcheap-free	   of it, in no slab or large object
 *	gcheap-released	   memory ever given back to the machine
 *	gcheap-meta	   memory that the collector itself needs
 *	gcheap-processes   members, those included that have ended since the last
 *			   collection
 *	gcheap-threads	   threads that have used the heap, likewise
 *	gcheap-cycles	   collections completed
 *	gcheap-pause-last  pause of the last one, the longest if it had several
 *	gcheap-pause-total sum of all pauses
 *	gcheap-pause-max   longest pause
 *	gcheap-collecting  time spent collecting
 *	gcheap-helped	   as much of that by kernel threads, on idle processors
 *
 * ABI versions (gcheap_ioc_info.abi_version)
 *	1	   had no ATTACH: whoever mapped a heap was a member of it; no
 *		   REOPEN; no GCHEAP_CONFIG_BEHAVIOUR and GCHEAP_SCAN_ALL, in
 *		   whose place there was a field that is zero; no field heap, and
 *		   gcheap_ioc_info ended before uid.
 *		   A program for it gets EPERM from mmap.
 *	2	   had neither next nor end in struct gcheap_bin.
 *	3	   had a shorter struct gcheap_cycle, which said nothing of what is
 *		   done while the program runs.
 *	4	   had no FREE, HOLD and WALK, neither LINK_ADD nor LINK_DEL, and no field
 *		   sweeps in struct gcheap_stats_page.
 *	5	   this one.
 */
#ifndef _UAPI_LINUX_GCHEAP_H
#define _UAPI_LINUX_GCHEAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GCHEAP_ABI_VERSION	5

/* A slab has at most so many slots, hence so many words of bitmap. */
#define GCHEAP_SLAB_SLOTS	1024
#define GCHEAP_SLAB_WORDS	(GCHEAP_SLAB_SLOTS / 64)

/* More slabs than these in one REFILL or RELEASE are EINVAL. */
#define GCHEAP_REFILL_MAX	64
#define GCHEAP_RELEASE_MAX	256

/* More objects than these in one FREE are EINVAL. */
#define GCHEAP_FREE_MAX		256

/**
 * struct gcheap_class_info - one size class
 * @object_size: bytes of a slot
 * @slab_size: bytes of a slab
 * @slots: slots in a slab
 * @reserved: zero
 */
struct gcheap_class_info {
	__u32 object_size;
	__u32 slab_size;
	__u32 slots;
	__u32 reserved;
};

/**
 * struct gcheap_ioc_info - GCHEAP_IOC_INFO: what this heap is
 * @size: sizeof(struct gcheap_ioc_info)
 * @flags: in: zero
 * @base: out: address of the heap, 0 before the first mmap
 * @heap_size: out: bytes to map; the hard limit of the heap's size
 * @page_size: out: bytes of a page
 * @abi_version: out: GCHEAP_ABI_VERSION of the module
 * @class_count: out: number of size classes
 * @max_small: out: largest size that a slab serves; larger ones are whole pages
 * @classes: in: array of struct gcheap_class_info to fill, or 0
 * @class_capacity: in: entries of @classes; as many as there are, and fit, are
 *	filled in, by ascending size
 * @behaviour: in: zero; out: as gcheap_ioc_config.behaviour
 * @uid: out: effective user id of who opened the heap, as the caller's user
 *	namespace knows it (the overflow id, 65534, when it does not)
 * @reserved: zero
 */
struct gcheap_ioc_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 base;
	__aligned_u64 heap_size;
	__u32 page_size;
	__u32 abi_version;
	__u32 class_count;
	__u32 max_small;
	__aligned_u64 classes;
	__u32 class_capacity;
	__u32 behaviour;
	__u32 uid;
	__u32 reserved;
};

/**
 * struct gcheap_ioc_attach - GCHEAP_IOC_ATTACH: become a member of the heap
 * @size: sizeof(struct gcheap_ioc_attach)
 * @flags: zero
 *
 * The calling process may map the heap from now on, until it execs or ends;
 * so may a vfork child's parent, whose memory the child has.  Before mmap it has
 * no other effect, but that it waits until a heap that nobody maps any more is empty.
 * Who is a member already stays one.
 *
 * ENOMEM: no memory, or the process is a member of 256 heaps, or the user has too many
 *	members.
 */
struct gcheap_ioc_attach {
	__u32 size;
	__u32 flags;
};

/* gcheap_ioc_config.flags: which fields to set */
#define GCHEAP_CONFIG_PERCENT	0x1
#define GCHEAP_CONFIG_LIMIT	0x2
#define GCHEAP_CONFIG_HEAP_SIZE	0x4
#define GCHEAP_CONFIG_BEHAVIOUR	0x8

/*
 * gcheap_ioc_config.behaviour: each private writable mapping of a member counts
 * as roots, as far as it was ever written: malloc's memory and all stacks included.
 * Not what was given both MADV_WIPEONFORK and MADV_DONTDUMP.  (Without SCAN_ALL that is
 * no root either, when it is part of a program's data, or lies right behind it.)
 */
#define GCHEAP_SCAN_ALL		0x1

/* gcheap_ioc_config.percent: the heap is collected only when told, or full */
#define GCHEAP_PERCENT_OFF	(-1)

/* gcheap_ioc_config.percent: the most otherwise */
#define GCHEAP_PERCENT_MAX	100000

/* gcheap_ioc_config.heap_size: bounds, in bytes */
#define GCHEAP_SIZE_MIN		0x100000ULL
#define GCHEAP_SIZE_MAX		0x10000000000ULL

/**
 * struct gcheap_ioc_config - GCHEAP_IOC_CONFIG: set and read back the settings
 * @size: sizeof(struct gcheap_ioc_config)
 * @flags: GCHEAP_CONFIG_*: the fields to set; the others are only read
 * @percent: growth of the heap over what lived at the last collection before
 *	the next one, 1 to GCHEAP_PERCENT_MAX, or GCHEAP_PERCENT_OFF; 100 at
 *	first
 * @behaviour: set of GCHEAP_SCAN_ALL, from the next collection on; none at
 *	first.  Zero unless @flags says to set it
 * @limit: bytes of memory beyond which the heap is collected earlier than
 *	@percent says; 0 is none, and the setting at first.  A soft limit: when
 *	more than that is live, the heap grows on.  Collections because of it
 *	take half of the time at most, in the long run; what @percent says is
 *	due at once
 * @heap_size: bytes to reserve, rounded up to 2 MiB, GCHEAP_SIZE_MIN to
 *	GCHEAP_SIZE_MAX; at first the machine's memory, rounded up likewise
 * @heap: in: 0, or the heap's base, see above
 *
 * out: all other fields hold the values from before the call.
 * EBUSY: @heap_size after the first mmap, that is when the heap has a base.
 */
struct gcheap_ioc_config {
	__u32 size;
	__u32 flags;
	__s32 percent;
	__u32 behaviour;
	__aligned_u64 limit;
	__aligned_u64 heap_size;
	__aligned_u64 heap;
};

/* A class of size class_index, whose objects are never scanned for pointers */
#define GCHEAP_NOSCAN		0x1

/**
 * struct gcheap_slab - a slab in a thread's hands
 * @start: address of its first slot
 * @class_index: size class; slot i is at @start + i * object_size
 * @flags: GCHEAP_NOSCAN or zero
 * @nr_free: bits set in @free
 * @reserved: zero
 * @free: bit i set: slot i is free, and the thread's to hand out
 */
struct gcheap_slab {
	__aligned_u64 start;
	__u32 class_index;
	__u32 flags;
	__u32 nr_free;
	__u32 reserved;
	__aligned_u64 free[GCHEAP_SLAB_WORDS];
};

/**
 * struct gcheap_slab_return - a slab that a thread gives back
 * @start: address of its first slot
 * @free: address of an array of GCHEAP_SLAB_WORDS 64-bit words, bit i set: slot
 *	i was never handed out; 0: all that came with REFILL were.  Bits of
 *	slots that did not come as free are ignored
 */
struct gcheap_slab_return {
	__aligned_u64 start;
	__aligned_u64 free;
};

/**
 * struct gcheap_bin - what a thread has at hand of one class
 * @next: address of the first of some free slots in a row, which are among the 64 from
 *	@base on
 * @end: address where they end; there are none when @next is not below
 * @word: further free slots among the 64 from @base on
 * @base: address of the slot of @word's lowest bit, which is the first one of a word
 *	of its slab's bitmap; 0 for none
 */
struct gcheap_bin {
	__aligned_u64 next;
	__aligned_u64 end;
	__aligned_u64 word;
	__aligned_u64 base;
};

/**
 * struct gcheap_cache - how a thread takes slots, in its own memory
 * @busy: the thread's: not 0 while it changes anything that the kernel reads here,
 *	but for taking a slot as said below, or is in a call that names its slabs
 * @revoked: the kernel's: becomes 1 when the thread's slabs were recalled
 * @bins: address of an array of struct gcheap_bin: 2 * class_index, and the next one
 *	for GCHEAP_NOSCAN
 * @stride: bytes from one of them to the next, as @bins a multiple of 8
 * @nr_bins: how many there are
 * @heap: base of the heap whose slabs these are
 *
 * A collection recalls all slabs of a thread that holds more than 16 KiB of slots which
 * are in nobody's use, and has not called REFILL since the collection before; and of
 * as many other threads as hold, all together, more than a quarter of what lives.
 * Before its next instruction the thread finds @revoked, and zero in @end and @word of each
 * bin that had a slab.  From then on none of its slabs is its own any more, and RELEASE of
 * one is EPERM.  A process with a thread that cannot be told, as the memory cannot be
 * written any more, is killed; but not for want of memory, which the thread waits for.
 *
 * A slot that is free in its slab's @live bitmap, and from @next to @end or in @word of
 * the bin where these stand for its part of the bitmap, goes to others.  So a thread that
 * is not busy takes one by a single instruction, which adds the slot's size to @next and
 * tells what that was before (xadd); it has a slot if that is below @end, which it reads
 * only then.  Whatever else it does to a bin, it sets @busy, changes it, and clears @busy,
 * in this order, as a signal handler of its own would see it.
 *
 * Nothing is recalled from a thread that is busy, in vfork(), clone() or clone3(),
 * whose child may use its slabs meanwhile, in any call by the numbers of another ABI,
 * or in a call of the heap; nor when what is named here, or the bitmap of one of its
 * slabs, is not in memory; nor when @heap is another one, as a REFILL that went to that
 * one by mistake has told it of the cache; nor when it has named another cache, or none,
 * for slabs that it had already; nor when its process has unmapped the heap since its
 * last REFILL.  What was recalled before that, the thread is told all the same.
 */
struct gcheap_cache {
	__u32 busy;
	__u32 revoked;
	__aligned_u64 bins;
	__u32 stride;
	__u32 nr_bins;
	__aligned_u64 heap;
};

/**
 * struct gcheap_ioc_refill - GCHEAP_IOC_REFILL: slabs for the calling thread
 * @size: sizeof(struct gcheap_ioc_refill)
 * @flags: GCHEAP_NOSCAN or zero
 * @class_index: size class wanted
 * @want: in: at most so many slabs, 1 to GCHEAP_REFILL_MAX
 * @got: out: so many were given, at least 1
 * @nr_back: in: entries of @back, at most GCHEAP_RELEASE_MAX
 * @slabs: array of struct gcheap_slab, @want entries, filled by the kernel
 * @back: array of struct gcheap_slab_return: slabs that the thread gives back
 *	first, of any class
 * @cycle: out: collections completed so far
 * @live: array of @want addresses, or 0: where the thread is going to keep the
 *	bitmap of each slab it gets, see below
 * @cache: address of the thread's struct gcheap_cache, a multiple of 8, the same in
 *	all its calls; or 0: its slabs are not recalled.  It stays there until the
 *	thread itself takes it away, after it has given its slabs back or set @busy,
 *	or has ended
 *
 * The slots are zero.  The slab belongs to the calling thread until it gives it
 * back, ends, execs, or calls COLLECT.  Until then nothing there is reclaimed,
 * as the kernel does not see which slots were handed out, unless the thread
 * tells: @live names for each slab an array of GCHEAP_SLAB_WORDS 64-bit words
 * (0 for none), in which the thread sets all bits before the call.  The bit of a
 * slot that came as free may be cleared once the slot's address is in the
 * program's hands, and then stays so, unless the program is done with the object: see
 * struct gcheap_ioc_free.  A collection reads the array while the
 * thread is held, and reclaims slots whose bit is clear and which nothing
 * refers to; they come as free again when the slab was given back.  A thread that
 * names its @cache has its slabs taken back when it is idle.
 *
 * ENOMEM: no memory, or no more for this user, also not after a collection; or
 *	without, when some in a row have been of no use, less time has passed
 *	since the last one than that took, and little was allocated since.
 *	COLLECT is always done.  The slabs in @back were taken back all the same,
 *	unless there was no memory for the call itself: RELEASE tells, by EPERM.
 * EPERM: a slab in @back is not the calling thread's; none was taken back.
 * EBUSY: the caller is a vfork child that has not yet execed; use ALLOC.
 */
struct gcheap_ioc_refill {
	__u32 size;
	__u32 flags;
	__u32 class_index;
	__u32 want;
	__u32 got;
	__u32 nr_back;
	__aligned_u64 slabs;
	__aligned_u64 back;
	__aligned_u64 cycle;
	__aligned_u64 live;
	__aligned_u64 cache;
};

/* gcheap_ioc_release.flags: all slabs of the calling thread come back */
#define GCHEAP_RELEASE_ALL	0x1

/**
 * struct gcheap_ioc_release - GCHEAP_IOC_RELEASE: give slabs back
 * @size: sizeof(struct gcheap_ioc_release)
 * @flags: GCHEAP_RELEASE_ALL: after those in @back, all others of the calling
 *	thread too
 * @nr_back: entries of @back, at most GCHEAP_RELEASE_MAX
 * @reserved: zero
 * @back: array of struct gcheap_slab_return
 *
 * Without slabs it tells whether this process maps the heap, by ENXIO.
 *
 * EPERM: a slab in @back is not the calling thread's; none was taken back.
 */
struct gcheap_ioc_release {
	__u32 size;
	__u32 flags;
	__u32 nr_back;
	__u32 reserved;
	__aligned_u64 back;
};

/**
 * struct gcheap_ioc_alloc - GCHEAP_IOC_ALLOC: one object of any size
 * @size: sizeof(struct gcheap_ioc_alloc)
 * @flags: GCHEAP_NOSCAN or zero
 * @bytes: in: wanted, 1 to heap_size
 * @address: out: the object, zeroed, aligned to 16 bytes (8 when @bytes <= 8,
 *	a page when it is larger than max_small)
 * @usable: out: bytes of the object
 * @cycle: out: collections completed so far
 *
 * ENOMEM: no memory, as for REFILL; or @bytes is more than the heap can hold, which
 *	is heap_size less a page.
 */
struct gcheap_ioc_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
	__aligned_u64 address;
	__aligned_u64 usable;
	__aligned_u64 cycle;
};

/* What has become of an object that FREE was given */
#define GCHEAP_FREED		0
#define GCHEAP_FREE_YOURS	1
#define GCHEAP_FREE_LATER	2
#define GCHEAP_FREE_NONE	3

/**
 * struct gcheap_ioc_free - GCHEAP_IOC_FREE: the program is done with objects
 * @size: sizeof(struct gcheap_ioc_free)
 * @flags: zero
 * @nr: objects, 1 to GCHEAP_FREE_MAX
 * @done: out: how many of them were objects
 * @objects: array of @nr 64-bit words: addresses of the objects' first bytes
 * @results: array of @nr bytes to be filled in, or 0:
 *	GCHEAP_FREED: the object's memory is free.
 *	GCHEAP_FREE_YOURS: it is in a slab of the calling thread, and now a slot that came as
 *	free with it; that makes it zero, sets its bit where it keeps the slab's bitmap, if
 *	it does, and may hand it out again.
 *	GCHEAP_FREE_LATER: a collection is left to find that nothing refers to it, as
 *	only that can know: another thread has its slab since before it was allocated, or
 *	a collection is under way which has found it, or it is on the same slab
 *	as garbage that a device or a pipe may read yet.
 *	GCHEAP_FREE_NONE: no object begins there, or it is garbage already; nothing was
 *	changed.
 * @heap: in: 0, or the heap's base, see above
 *
 * They are freed one after the other: who names an object twice gets GCHEAP_FREE_NONE for the
 * second time, but for GCHEAP_FREE_YOURS and GCHEAP_FREE_LATER.  It is the caller's business
 * that no pointer to it is used any more, in all processes, and by the kernel: what it
 * does for the caller, into memory that is another object by then, is not held up.  Links in
 * it are taken back before, and so are ranges of roots; those of pairs that age end with it.
 *
 * A thread needs no call for a slot that came as free with one of its slabs, and that it
 * has handed out, as long as gcheap_stats_page.sweeps is what it was when that
 * REFILL had returned: the object's address being where references count until then, it sets
 * the bit in the bitmap itself.  Once that has changed, the object may have been
 * reclaimed before it was freed (for the second time), which the call tells.
 *
 * A thread that has named its @cache is busy in it from before the call until it has set the
 * bits of what is GCHEAP_FREE_YOURS: or its slab may be taken back in between.
 *
 * With the module's parameter verify, collections of the heap that the program runs beside are
 * verified no more.
 */
struct gcheap_ioc_free {
	__u32 size;
	__u32 flags;
	__u32 nr;
	__u32 done;
	__aligned_u64 objects;
	__aligned_u64 results;
	__aligned_u64 heap;
};

/* Give all pages that no object is on back to the machine after the collection. */
#define GCHEAP_COLLECT_RELEASE	1U

/**
 * struct gcheap_ioc_collect - GCHEAP_IOC_COLLECT: collect now
 * @size: sizeof(struct gcheap_ioc_collect)
 * @flags: GCHEAP_COLLECT_RELEASE or zero
 * @freed_bytes: out: bytes of the objects reclaimed
 * @freed_objects: out: number of the objects reclaimed
 * @pause_ns: out: how long the program stood still, at the longest
 * @cycle: out: collections completed so far, this one included
 * @heap: in: 0, or the heap's base, see above
 *
 * All slabs of the calling thread come back first: it must not hand out
 * further slots from them.  Returns when all garbage is reclaimed.
 *
 * With GCHEAP_COLLECT_RELEASE pages that no object has a byte on go back to the
 * machine, also of slabs that no thread has, and their contents are gone; when the
 * collection itself could not be had, what was free before it.  The heap takes memory
 * again when it is needed.
 *
 * Each call has a collection of its own, which begins after it; one that was under way is
 * completed before.
 *
 * ENOMEM: no memory for the collection; nothing was reclaimed by it.
 * EAGAIN: it could not be completed, as a HOLD is in force, or the threads could not be
 *	held, or the memory of a process not be had (it is on a file system that does
 *	not answer), or the caller was frozen, as when the machine was suspended;
 *	nothing was reclaimed by it.
 */
struct gcheap_ioc_collect {
	__u32 size;
	__u32 flags;
	__aligned_u64 freed_bytes;
	__aligned_u64 freed_objects;
	__aligned_u64 pause_ns;
	__aligned_u64 cycle;
	__aligned_u64 heap;
};

/* A process's calls of HOLD beyond these, without as many that take them back, are EINVAL. */
#define GCHEAP_HOLDS_MAX	65535

/**
 * struct gcheap_ioc_hold - GCHEAP_IOC_HOLD: no collections for now
 * @size: sizeof(struct gcheap_ioc_hold)
 * @flags: zero
 * @change: 1: one reason more for the calling process; -1: one less
 * @holds: out: how many it has now
 * @heap: in: 0, or the heap's base, see above
 *
 * As long as a process that maps the heap has any, no collection begins, for whatever reason:
 * COLLECT is EAGAIN, and memory that only a collection could give is refused.  One that is
 * under way is given up: on return nothing will be reclaimed any more.  They end when
 * the process unmaps the heap, execs, or ends.  A child of fork() has none.
 *
 * EINVAL: @change is another one, or takes back more than there are, or there are
 *	GCHEAP_HOLDS_MAX.
 * EBUSY: the caller is a vfork child that has not yet execed: it would be its parent's.
 */
struct gcheap_ioc_hold {
	__u32 size;
	__u32 flags;
	__s32 change;
	__u32 holds;
	__aligned_u64 heap;
};

/**
 * struct gcheap_class_stats - counts of one size class since the heap was made
 * @object_size: bytes of a slot
 * @mallocs: objects allocated
 * @frees: objects reclaimed
 */
struct gcheap_class_stats {
	__aligned_u64 object_size;
	__aligned_u64 mallocs;
	__aligned_u64 frees;
};

/**
 * struct gcheap_cycle - one collection
 * @number: 1 for the heap's first
 * @start_ns: from the heap's making to the collection's start
 * @stop_ns: until all threads were held; of several stops, in the one that took longest
 * @mark_ns: marking in that pause, roots included, and all that the next three tell of
 * @sweep_ns: sweeping as far as it was done with the world stopped or at once
 * @pause_ns: from the decision to stop until all may run on, likewise
 * @release_ns: from then until the last of those who were parked did; until now, as
 *	long as some still wait for a processor
 * @before: heap_alloc at its start, bytes
 * @after: heap_alloc after marking, as if all garbage were swept, bytes
 * @live: bytes marked
 * @goal: heap_alloc at which it was due, bytes
 * @root_bytes: bytes of roots read
 * @root_skipped: bytes of roots not read, as never written
 * @threads: threads whose roots were read
 * @processes: processes whose roots were read
 * @forced: 1 when COLLECT asked for it
 * @pauses: how often the world was stopped; when @concurrent_ns is not 0, marking went on
 *	in between while the program ran
 * @roots_ns: in the longest pause: reading what the processes refer to
 * @dirty_ns: in it: looking in page tables for what was written to meanwhile, and noting
 *	what is to be looked at again
 * @flip_ns: in it: making what is not marked garbage, once all was marked
 * @concurrent_ns: marking, and looking for what was written to, while the program ran
 * @dirty_pages: pages that were looked at again, since they may have been written to
 * @floating: bytes that are marked though nothing refers to them any more; known with the
 *	module's parameter verify only
 * @looks: how often it was looked for pages that were written to
 * @assists: parts of the marking that threads did which allocated
 * @minor: 1 when what had lived through an earlier one counted as alive
 * @reserved: 0
 */
struct gcheap_cycle {
	__aligned_u64 number;
	__aligned_u64 start_ns;
	__aligned_u64 stop_ns;
	__aligned_u64 mark_ns;
	__aligned_u64 sweep_ns;
	__aligned_u64 pause_ns;
	__aligned_u64 release_ns;
	__aligned_u64 before;
	__aligned_u64 after;
	__aligned_u64 live;
	__aligned_u64 goal;
	__aligned_u64 root_bytes;
	__aligned_u64 root_skipped;
	__u32 threads;
	__u32 processes;
	__u32 forced;
	__u32 pauses;
	__aligned_u64 roots_ns;
	__aligned_u64 dirty_ns;
	__aligned_u64 flip_ns;
	__aligned_u64 concurrent_ns;
	__aligned_u64 dirty_pages;
	__aligned_u64 floating;
	__u32 looks;
	__u32 assists;
	__u32 minor;
	__u32 reserved;
};

/* Collections that GCHEAP_IOC_STATS still remembers */
#define GCHEAP_CYCLES		16

/**
 * struct gcheap_ioc_stats - GCHEAP_IOC_STATS: Go's MemStats
 * @size: sizeof(struct gcheap_ioc_stats)
 * @flags: zero
 * @total_alloc: bytes allocated since the heap was made, in whole slots and pages, not
 *	as they were asked for; never falls
 * @mallocs: objects allocated since the heap was made
 * @frees: objects reclaimed since the heap was made
 * @heap_alloc: bytes of objects allocated and not yet reclaimed: @total_alloc, less
 *	all slots and pages that were reclaimed
 * @heap_objects: number of those: @mallocs - @frees
 * @heap_sys: bytes of memory held for objects: @heap_idle + @heap_inuse
 * @heap_idle: of them in no large object, and in no slab with an object
 * @heap_inuse: of them in slabs and large objects; pages of slabs that were given back
 *	are in none of these three
 * @heap_released: bytes given back to the machine since the heap was made
 * @next_gc: heap_alloc at which the next collection is due; or later, as there is
 *	memory left from when the heap was larger, or because of
 *	gcheap_ioc_config.limit
 * @last_gc_ns: end of the last collection, CLOCK_REALTIME; 0: none yet
 * @pause_total_ns: sum of all pauses
 * @pause_max_ns: longest pause
 * @num_gc: collections completed
 * @num_forced_gc: of them asked for by COLLECT
 * @gc_sys: bytes of memory that the collector itself needs
 * @gc_cpu_ns: time spent collecting
 * @classes: in: array of struct gcheap_class_stats to fill, or 0
 * @class_capacity: in: entries of @classes
 * @class_count: out: number of size classes, one more for the large objects
 *	(object_size 0)
 * @want_cycle: in: number of the collection to tell of in @cycle, 0 for the
 *	last one
 * @cycle: out: that collection; number 0 when it is not remembered
 * @heap: in: 0, or the heap's base, see above
 *
 * What is late: slots that a thread holds and may have handed out count as allocated
 * when it gives the slab back, by REFILL, RELEASE, COLLECT or its end, and those that
 * a collection reclaims at once, as allocated and as reclaimed; until then total_alloc,
 * mallocs, heap_alloc and heap_objects do not have them, be they in use or not, but
 * heap_inuse has the slab.  All else is exact, and all of one moment: the sums above
 * hold, and those over all classes give @mallocs and @frees.
 */
struct gcheap_ioc_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 total_alloc;
	__aligned_u64 mallocs;
	__aligned_u64 frees;
	__aligned_u64 heap_alloc;
	__aligned_u64 heap_objects;
	__aligned_u64 heap_sys;
	__aligned_u64 heap_idle;
	__aligned_u64 heap_inuse;
	__aligned_u64 heap_released;
	__aligned_u64 next_gc;
	__aligned_u64 last_gc_ns;
	__aligned_u64 pause_total_ns;
	__aligned_u64 pause_max_ns;
	__aligned_u64 num_gc;
	__aligned_u64 num_forced_gc;
	__aligned_u64 gc_sys;
	__aligned_u64 gc_cpu_ns;
	__aligned_u64 classes;
	__u32 class_capacity;
	__u32 class_count;
	__aligned_u64 want_cycle;
	struct gcheap_cycle cycle;
	__aligned_u64 heap;
};

/*
 * Where in a heap's file there is a struct gcheap_stats_page, instead of memory for
 * objects
 */
#define GCHEAP_STATS_OFFSET	0x100000000000ULL

/**
 * struct gcheap_stats_page - the statistics of a heap, as the kernel has them ready
 * @sequence: odd while the kernel writes, and another number afterwards
 * @classes: bytes from the page's start to an array of @stats.class_count
 *	struct gcheap_class_stats
 * @sweeps: changes when a collection may reclaim slots of slabs that threads have, while all
 *	of them are held, so that each sees it with its next instruction; and when a range is
 *	registered that is GCHEAP_ROOT_AGING.  Not covered by @sequence
 * @stats: what GCHEAP_IOC_STATS would give for the last collection; @stats.size is of
 *	how many bytes the kernel knows
 *
 * To read: read @sequence, by an acquiring load; when it is even, copy what is wanted;
 * put an acquiring fence after that, and read @sequence again.  If it was odd, or has
 * changed, try again: the kernel writes for less than some microseconds, in one piece,
 * unless the machine itself stands still.  Who has tried in vain for some dozens of times
 * calls GCHEAP_IOC_STATS.
 *
 * All numbers are of one moment, when no call, and nothing that the kernel does for the
 * heap by itself, was changing it; a change is seen at the latest when the call that
 * made it returns.  So while a collection is under way they are those from before;
 * but a COLLECT that gives memory back does so piece by piece, and they are those after
 * one.  The call does not do so: it waits, and then tells the same.  Of gc_sys, what
 * threads, processes and ranges of roots take is as it was then; the call looks at it
 * anew, and so does the page after it.  release_ns of the last collection is likewise
 * until the moment at which the page was written.
 *
 * It is charged to who opened the heap, and is never swapped.
 */
struct gcheap_stats_page {
	__u32 sequence;
	__u32 classes;
	__aligned_u64 sweeps;
	struct gcheap_ioc_stats stats;
};

/*
 * gcheap_ioc_root.flags: the range lies in one object of the heap and is an
 * array of pairs of words.  At the start of each collection the first word of
 * each pair moves to the second, and the first becomes zero; then the second is
 * a root.  So what a cache holds is kept through one collection after its last
 * use, and not through a second one.
 *
 * Several processes may register the same range (of the same length, else
 * EEXIST): it ages once a collection.  When none has it any more, the next
 * collection makes all its words zero.  It ends when its object is freed by a call; where it
 * is registered once more then, at the same place and of the same length, it is so for all
 * that had it.
 */
#define GCHEAP_ROOT_AGING	0x1

/* Ranges that a process may have in one heap */
#define GCHEAP_ROOTS_MAX	65536

/**
 * struct gcheap_ioc_root - GCHEAP_IOC_ROOT_ADD and ROOT_DEL: a range of roots
 * @size: sizeof(struct gcheap_ioc_root)
 * @flags: GCHEAP_ROOT_AGING or zero; zero for ROOT_DEL
 * @start: address in the calling process, a multiple of 8 (16 when aging)
 * @length: bytes, at least 8 (a multiple of 16 when aging); zero for ROOT_DEL
 * @heap: in: 0, or the heap's base, see above
 *
 * Every aligned word in the range that points into an object keeps it; a range
 * in the heap also keeps the object that it begins in.  The
 * range is the calling process's; a child of fork() begins with its parent's
 * ranges; exec, exit and munmap of the heap forget them.  Parts of it that are
 * not mapped, or cannot be read, at the time of a collection are passed over.
 *
 * ROOT_ADD:
 * EEXIST: a range begins at @start already, which has not ended with its object.
 * EFAULT: the range is not one of user addresses, or when aging not inside one
 *	object of the heap.
 * ENOSPC: the process has GCHEAP_ROOTS_MAX ranges, or the user too many.
 * ENOMEM: no memory; or the process has its parent's ranges, and the user may not
 *	have as many once more.
 * ROOT_DEL:
 * ENOENT: no range begins at @start.
 * ENOMEM: as for ROOT_ADD.
 */
struct gcheap_ioc_root {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 heap;
};

/**
 * struct gcheap_ioc_object - GCHEAP_IOC_OBJECT: the object around an address
 * @size: sizeof(struct gcheap_ioc_object)
 * @flags: in: zero; out: GCHEAP_NOSCAN or zero
 * @address: in: any address
 * @start: out: the object's first byte
 * @usable: out: its bytes
 *
 * ENOENT: no object there, or a slot that no thread was given yet.
 */
struct gcheap_ioc_object {
	__u32 size;
	__u32 flags;
	__aligned_u64 address;
	__aligned_u64 start;
	__aligned_u64 usable;
};

/* More objects than these in one WALK are EINVAL. */
#define GCHEAP_WALK_MAX		256

/**
 * struct gcheap_walked - an object of the heap
 * @start: its first byte
 * @usable: its bytes
 * @flags: GCHEAP_NOSCAN or zero
 * @reserved: zero
 */
struct gcheap_walked {
	__aligned_u64 start;
	__aligned_u64 usable;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct gcheap_ioc_walk - GCHEAP_IOC_WALK: the heap's objects, by address
 * @size: sizeof(struct gcheap_ioc_walk)
 * @flags: zero
 * @capacity: entries of @objects, 1 to GCHEAP_WALK_MAX
 * @count: out: so many were filled in, perhaps none
 * @objects: array of struct gcheap_walked to fill in
 * @cursor: in: 0 to begin, then what the last call gave; out: for the next call, 0 when
 *	there is no object any more
 * @heap: in: 0, or the heap's base, see above
 *
 * Those that are there at the moment of the call, be they referred to or not, but for what
 * the last collection has found to be garbage; one that is there during all calls is
 * given once.  Objects are missing that a thread has allocated lately, from a slab that it
 * has not given back, and that have come with it.
 *
 * EINVAL: @cursor is beyond the heap.
 */
struct gcheap_ioc_walk {
	__u32 size;
	__u32 flags;
	__u32 capacity;
	__u32 count;
	__aligned_u64 objects;
	__aligned_u64 cursor;
	__aligned_u64 heap;
};

/**
 * struct gcheap_ioc_reopen - GCHEAP_IOC_REOPEN: a descriptor of a mapped heap
 * @size: sizeof(struct gcheap_ioc_reopen)
 * @flags: zero
 * @address: any address in the calling process's mapping of the heap
 * @fd: out: a new descriptor of the heap, close-on-exec
 * @reserved: zero
 *
 * For a process whose descriptors were all closed, by closefrom(3) or daemon(3):
 * the heap lives on while it is mapped, and this gives a descriptor of it.  Any
 * descriptor of /dev/gcheap will do for the call; that one's heap is not touched.
 *
 * ENOENT: no heap is mapped there.
 * EMFILE, ENFILE: no more descriptors for this process, files for the machine.
 */
struct gcheap_ioc_reopen {
	__u32 size;
	__u32 flags;
	__aligned_u64 address;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct gcheap_ioc_link - GCHEAP_IOC_LINK_ADD and LINK_DEL: a disappearing link
 * @size: sizeof(struct gcheap_ioc_link)
 * @flags: zero
 * @word: address of a word in an object of the heap, a multiple of 8
 * @object: any address in the object that the word is to follow; zero for LINK_DEL
 * @heap: in: 0, or the heap's base, see above
 *
 * The collection that finds nothing to refer to the object makes the word zero, while all
 * threads are held, and the link is no more.  What the word is does not matter, and it is not
 * looked at.  A link keeps no object; but what is in the word may: so let it lie in an
 * object with GCHEAP_NOSCAN, or hold something else than an address.
 *
 * Who reads an address from the word by one instruction has either zero or an object that
 * lives, as long as the address is in the register or wherever else references count.  Who
 * has to make the address out of what is in the word, reads that once more afterwards: if
 * it is the same, so it is with the address.
 *
 * A link belongs to the object that the word lies in, not to a process: it is gone when that
 * object is.  There is one for each word at most: a further LINK_ADD says which object it is
 * about from then on.
 *
 * The heap's user has 64 bytes of user_memory less for each.
 *
 * LINK_ADD:
 * EFAULT: @word lies in no object of the heap.
 * ENOENT: there is no object at @object.
 * LINK_DEL:
 * ENOENT: there is no link at @word.
 */
struct gcheap_ioc_link {
	__u32 size;
	__u32 flags;
	__aligned_u64 word;
	__aligned_u64 object;
	__aligned_u64 heap;
};

#define GCHEAP_IOC_MAGIC	0xC6

#define GCHEAP_IOC_INFO		_IOWR(GCHEAP_IOC_MAGIC, 0x00, struct gcheap_ioc_info)
#define GCHEAP_IOC_CONFIG	_IOWR(GCHEAP_IOC_MAGIC, 0x01, struct gcheap_ioc_config)
#define GCHEAP_IOC_ALLOC	_IOWR(GCHEAP_IOC_MAGIC, 0x02, struct gcheap_ioc_alloc)
#define GCHEAP_IOC_REFILL	_IOWR(GCHEAP_IOC_MAGIC, 0x03, struct gcheap_ioc_refill)
#define GCHEAP_IOC_RELEASE	_IOW(GCHEAP_IOC_MAGIC, 0x04, struct gcheap_ioc_release)
#define GCHEAP_IOC_COLLECT	_IOWR(GCHEAP_IOC_MAGIC, 0x05, struct gcheap_ioc_collect)
#define GCHEAP_IOC_STATS	_IOWR(GCHEAP_IOC_MAGIC, 0x06, struct gcheap_ioc_stats)
#define GCHEAP_IOC_ROOT_ADD	_IOW(GCHEAP_IOC_MAGIC, 0x07, struct gcheap_ioc_root)
#define GCHEAP_IOC_ROOT_DEL	_IOW(GCHEAP_IOC_MAGIC, 0x08, struct gcheap_ioc_root)
#define GCHEAP_IOC_OBJECT	_IOWR(GCHEAP_IOC_MAGIC, 0x09, struct gcheap_ioc_object)
#define GCHEAP_IOC_ATTACH	_IOW(GCHEAP_IOC_MAGIC, 0x0A, struct gcheap_ioc_attach)
#define GCHEAP_IOC_REOPEN	_IOWR(GCHEAP_IOC_MAGIC, 0x0B, struct gcheap_ioc_reopen)
#define GCHEAP_IOC_FREE		_IOWR(GCHEAP_IOC_MAGIC, 0x0C, struct gcheap_ioc_free)
#define GCHEAP_IOC_HOLD		_IOWR(GCHEAP_IOC_MAGIC, 0x0D, struct gcheap_ioc_hold)
#define GCHEAP_IOC_WALK		_IOWR(GCHEAP_IOC_MAGIC, 0x0E, struct gcheap_ioc_walk)
#define GCHEAP_IOC_LINK_ADD	_IOW(GCHEAP_IOC_MAGIC, 0x0F, struct gcheap_ioc_link)
#define GCHEAP_IOC_LINK_DEL	_IOW(GCHEAP_IOC_MAGIC, 0x10, struct gcheap_ioc_link)

#endif /* _UAPI_LINUX_GCHEAP_H */
