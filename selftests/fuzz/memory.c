// SPDX-License-Identifier: GPL-2.0
/*
 * What the system's other calls do with a heap's memory: mappings, reading and
 * writing through the kernel, and wild stores.  See fuzz.h.
 *
 * Their errors are the kernel's own, of which only the unlikely ones are failures;
 * what <linux/gcheap.h> promises of mappings is looked at more closely.
 */
#include <linux/futex.h>
#include <sys/uio.h>

#include "fuzz.h"

static void allow_all(struct stream *s, const int *errors)
{
	while (*errors)
		call_allow(s, *errors++);
}

static void note_args(struct stream *s, uint64_t a, uint64_t b, uint64_t c,
		      uint64_t d)
{
	s->args[0] = a;
	s->args[1] = b;
	s->args[2] = c;
	s->args[3] = d;
}

/* A page in the area that nothing else uses */
static uintptr_t area_page(struct stream *s)
{
	return AREA_START + PAGE * below(&s->random, AREA_PAGES);
}

static uintptr_t map_address(struct stream *s, int *flags)
{
	uintptr_t elsewhere = area_page(s);

	switch (below(&s->random, 8)) {
	case 0:
		*flags |= MAP_FIXED_NOREPLACE;
		return elsewhere;
	case 1:
		return elsewhere;
	case 2:
		*flags |= MAP_FIXED;
		return s->base;
	case 3:
		*flags |= MAP_FIXED_NOREPLACE;
		return s->base;
	case 4:
		*flags |= MAP_FIXED_NOREPLACE;
		return s->base + PAGE;
	}
	return 0;
}

/**
 * do_map() - mmap of a heap
 * @s: stream
 */
void do_map(struct stream *s)
{
	static const int errors[] = {
		EINVAL, EEXIST, ENOMEM, EACCES, EAGAIN, EOVERFLOW, EPERM, EBUSY, 0
	};
	static const int extras[] = {
		MAP_POPULATE, MAP_NORESERVE, MAP_LOCKED, MAP_NONBLOCK, MAP_STACK,
	};
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED;
	bool attached = !one_in(&s->random, 16);
	uintptr_t address = map_address(s, &flags), at;
	uint64_t length = s->size, offset = 0, odd = any_value(s);
	bool spoiled = one_in(&s->random, 6);

	if (attached)
		do_attach(s);
	call_begin(s, "mmap");
	allow_all(s, errors);
	switch (below(&s->random, spoiled ? 6 : 1)) {
	case 1:
		length = odd;
		break;
	case 2:
		offset = PAGE * (1 + odd % 4);
		call_refuse(s, EINVAL);
		break;
	case 3:
		flags ^= MAP_SHARED | MAP_PRIVATE;
		call_refuse(s, EINVAL);
		break;
	case 4:
		prot = odd % 4;
		break;
	case 5:
		prot |= PROT_EXEC;
		call_refuse(s, EINVAL);
		break;
	}
	if (one_in(&s->random, 8))
		flags |= extras[below(&s->random, ARRAY_SIZE(extras))];
	/* What is there already is not to be replaced by something longer. */
	if (flags & MAP_FIXED && length > s->size)
		flags ^= MAP_FIXED ^ MAP_FIXED_NOREPLACE;
	/* All pages of a large one would be tried for. */
	if (length > HEAP_FILLED)
		flags &= ~(MAP_POPULATE | MAP_LOCKED);
	note_args(s, address, length, prot << 24 | flags, offset);
	at = (uintptr_t)mmap((void *)address, length, prot, flags, s->fd, offset);
	if (!call_end(s, at == -1ul ? -1 : 0))
		return;
	s->heap->base = at;
	s->heap->size = length;
}

/* Others may be at work in the heap, but the kernel does not stay in the middle. */
static void look_at_stats(struct stream *s, const struct gcheap_stats_page *page)
{
	struct gcheap_stats_page copy;
	uint32_t before, after;
	int tries;

	for (tries = 0; tries < 1000000; tries++) {
		/* Another thread may unmap what is beside its heap. */
		if (!copy_armed(s, &before, &page->sequence, sizeof(before)) ||
		    !copy_armed(s, &copy, page, sizeof(copy)) ||
		    !copy_armed(s, &after, &page->sequence, sizeof(after)))
			return;
		if (before % 2 || before != after)
			continue;
		if (!stats_are_sound(&copy.stats))
			complain(s, "the numbers shown contradict each other");
		return;
	}
	complain(s, "the numbers shown never come to rest");
}

/**
 * do_map_stats() - mmap of a heap's statistics, a look at them, and munmap
 * @s: stream
 */
void do_map_stats(struct stream *s)
{
	static const int errors[] = { EINVAL, EPERM, EACCES, ENOMEM, EAGAIN, 0 };
	uint64_t length = PAGE, offset = GCHEAP_STATS_OFFSET;
	int prot = PROT_READ, flags = MAP_SHARED;
	void *page;

	do_attach(s);
	call_begin(s, "mmap of statistics");
	allow_all(s, errors);
	switch (below(&s->random, 12)) {
	case 0:
		length += PAGE;
		call_refuse(s, EINVAL);
		break;
	case 1:
		offset ^= PAGE << below(&s->random, 40);
		call_refuse(s, EINVAL);
		break;
	case 2:
		flags = MAP_PRIVATE;
		call_refuse(s, EINVAL);
		break;
	case 3:
		prot |= PROT_WRITE;
		call_refuse(s, EACCES);
		break;
	case 4:
		prot |= PROT_EXEC;
		call_refuse(s, EINVAL);
		break;
	}
	note_args(s, 0, length, prot << 24 | flags, offset);
	page = mmap(NULL, length, prot, flags, s->fd, offset);
	if (!call_end(s, page == MAP_FAILED ? -1 : 0))
		return;
	look_at_stats(s, page);
	munmap(page, length);
}

/* A part of a heap's mapping, all of it, or more than it */
static void draw_range(struct stream *s, uintptr_t *start, size_t *length)
{
	uint64_t pages = s->size / PAGE, first = below(&s->random, pages + 1);
	uint64_t some = below(&s->random, 64);

	*start = s->base;
	*length = s->size;
	switch (below(&s->random, 8)) {
	case 0:
		*start += first * PAGE;
		*length = some * PAGE;
		break;
	case 1:
		*start += some * PAGE;
		*length -= some * PAGE;
		break;
	case 2:
		*length = some * PAGE;
		break;
	case 3:
		*start -= PAGE;
		*length += 2 * PAGE;
		break;
	case 4:
		*start += some;
		break;
	case 5:
		*length = some;
		break;
	}
}

static void do_munmap(struct stream *s)
{
	uintptr_t start;
	size_t length;

	call_begin(s, "munmap");
	call_allow(s, EINVAL);
	call_allow(s, ENOMEM);
	draw_range(s, &start, &length);
	/* Keep most of them: what is not mapped is no test. */
	if (length >= s->size && !one_in(&s->random, 4))
		length = PAGE;
	note_args(s, start, length, 0, 0);
	call_end(s, munmap((void *)start, length));
}

static void do_mremap(struct stream *s)
{
	static const int errors[] = { EINVAL, EFAULT, ENOMEM, EAGAIN, 0 };
	int flags = below(&s->random, 8);
	uintptr_t start, target = area_page(s);
	size_t length, other = any_value(s) % (64 * MIB);
	void *at;

	call_begin(s, "mremap");
	allow_all(s, errors);
	draw_range(s, &start, &length);
	if (one_in(&s->random, 2))
		other = length;
	if (one_in(&s->random, 16))
		length = 0;
	note_args(s, start, length, other, flags);
	at = mremap((void *)start, length, other, flags, (void *)target);
	if (call_end(s, at == MAP_FAILED ? -1 : 0) && (uintptr_t)at != start)
		complain(s, "a heap's mapping moved");
}

static void do_mprotect(struct stream *s)
{
	int prot = one_in(&s->random, 3) ? below(&s->random, 8) : 3;
	uintptr_t start;
	size_t length;

	call_begin(s, "mprotect");
	call_allow(s, EINVAL);
	call_allow(s, ENOMEM);
	call_allow(s, EACCES);
	draw_range(s, &start, &length);
	note_args(s, start, length, prot, 0);
	if (call_end(s, mprotect((void *)start, length, prot)) &&
	    prot & PROT_EXEC && length)
		complain(s, "a heap is executable");
	/* Most threads want to go on using it. */
	if (prot != 3 && !one_in(&s->random, 8))
		mprotect((void *)s->base, s->size, PROT_READ | PROT_WRITE);
}

/*
 * All but MADV_HWPOISON and MADV_SOFT_OFFLINE: they take pages away from the
 * machine for good.
 */
static void do_madvise(struct stream *s)
{
	static const int errors[] = {
		EINVAL, ENOMEM, EAGAIN, EIO, EPERM, EACCES, EOPNOTSUPP, EFAULT,
		EBUSY, EINTR, ENODEV, 0
	};
	int advice = below(&s->random, 27);
	uintptr_t start;
	size_t length;

	call_begin(s, "madvise");
	allow_all(s, errors);
	draw_range(s, &start, &length);
	if (one_in(&s->random, 8))
		advice = 27 + below(&s->random, 73);
	/* Each page of a large one would be asked for. */
	if (length > HEAP_FILLED)
		length = HEAP_FILLED;
	note_args(s, start, length, advice, 0);
	call_end(s, madvise((void *)start, length, advice));
}

static void do_lock(struct stream *s)
{
	static const int errors[] = { EINVAL, ENOMEM, EAGAIN, EPERM, EBUSY, EIO, 0 };
	uint64_t kind = below(&s->random, 4);
	unsigned char *map = (unsigned char *)s->arena->page;
	uintptr_t start;
	size_t length;
	long result;

	call_begin(s, "mlock, munlock, msync or mincore");
	allow_all(s, errors);
	draw_range(s, &start, &length);
	if (length > HEAP_FILLED)
		length = HEAP_FILLED;
	note_args(s, start, length, kind, 0);
	if (kind == 0)
		result = mlock((void *)start, length);
	else if (kind == 1)
		result = munlock((void *)start, length);
	else if (kind == 2)
		result = msync((void *)start, length, 1 + below(&s->random, 6));
	else
		result = mincore((void *)start, length % (4 * MIB), map);
	call_end(s, result);
}

/*
 * Files, with and without a cache in between.  EIO is what a file system says when
 * the two collide.
 */
static void do_transfer(struct stream *s)
{
	static const int errors[] = { EFAULT, EINVAL, ENOSPC, EIO, 0 };
	bool direct = one_in(&s->random, 8), out = one_in(&s->random, 2);
	uintptr_t address = heap_address(s);
	size_t length = below(&s->random, 2 * PAGE);
	off_t offset = below(&s->random, 64) * 512;
	int fd = direct ? s->fuzz->direct : s->fuzz->file;

	call_begin(s, "pread or pwrite");
	allow_all(s, errors);
	if (direct && one_in(&s->random, 2)) {
		address &= -512ul;
		length &= -512ul;
	}
	note_args(s, address, length, out, direct);
	call_end(s, out ? pwrite(fd, (void *)address, length, offset) :
			  pread(fd, (void *)address, length, offset));
}

static pid_t any_process(struct stream *s)
{
	struct member *member = &s->fuzz->crew->members[below(&s->random, MEMBERS / 8)];
	pid_t pid = member->pid;

	return pid > 0 ? pid : getpid();
}

/* Another process's heap, or this one's, read and written by the kernel */
static void do_process_memory(struct stream *s)
{
	static const int errors[] = { EFAULT, ESRCH, EPERM, EINVAL, ENOMEM, 0 };
	bool out = one_in(&s->random, 2), swap = one_in(&s->random, 2);
	struct iovec heap = {
		.iov_base = (void *)heap_address(s),
		.iov_len = below(&s->random, 2 * PAGE),
	};
	struct iovec own = {
		.iov_base = s->arena->page,
		.iov_len = below(&s->random, 2 * PAGE),
	};
	struct iovec *near = swap ? &heap : &own, far = heap;
	pid_t pid = any_process(s);

	call_begin(s, "process_vm_readv or process_vm_writev");
	allow_all(s, errors);
	note_args(s, pid, (uintptr_t)near->iov_base, (uintptr_t)far.iov_base, out);
	call_end(s, out ? process_vm_writev(pid, near, 1, &far, 1, 0) :
			  process_vm_readv(pid, near, 1, &far, 1, 0));
}

/* Pages of the heap go on a journey of their own, and may outlive it. */
static void do_splice(struct stream *s)
{
	static const int errors[] = { EFAULT, EAGAIN, EINVAL, EINTR, ENOMEM, 0 };
	struct iovec heap = {
		.iov_base = (void *)heap_address(s),
		.iov_len = below(&s->random, 4 * PAGE),
	};
	bool out = one_in(&s->random, 2);

	call_begin(s, "vmsplice");
	allow_all(s, errors);
	note_args(s, (uintptr_t)heap.iov_base, heap.iov_len, out, 0);
	if (out)
		call_end(s, vmsplice(s->fuzz->pipe[1], &heap, 1,
				     SPLICE_F_NONBLOCK | SPLICE_F_GIFT));
	else
		call_end(s, read(s->fuzz->pipe[0], heap.iov_base, heap.iov_len));
}

static void do_futex(struct stream *s)
{
	static const int errors[] = { EFAULT, EAGAIN, EINVAL, ETIMEDOUT, EINTR, 0 };
	const struct timespec soon = { .tv_nsec = 1000 };
	uintptr_t address = heap_address(s) & ~3ul;
	bool wait = one_in(&s->random, 3);

	call_begin(s, "futex");
	allow_all(s, errors);
	note_args(s, address, wait, 0, 0);
	call_end(s, syscall(SYS_futex, address, wait ? FUTEX_WAIT : FUTEX_WAKE, 0,
			    &soon, NULL, 0));
}

/* What programs store: pointers, numbers, and what only looks like a pointer */
static uint64_t word(struct stream *s)
{
	uint64_t value = draw(&s->random), kind = below(&s->random, 8);
	uintptr_t address = heap_address(s);

	if (kind == 0)
		return value;
	if (kind < 4)
		return 0;
	return kind == 4 ? (uintptr_t)s->arena + value % sizeof(*s->arena) : address;
}

/**
 * do_touch() - wild loads and stores, in objects, in free slots, and in the
 *	bitmaps that the collector reads
 * @s: stream
 */
void do_touch(struct stream *s)
{
	uint64_t words[64], nr = 1 + below(&s->random, ARRAY_SIZE(words)), i;
	bool in_bitmap = one_in(&s->random, 8), load = one_in(&s->random, 4);
	uintptr_t address = heap_address(s);
	uint64_t bits = below(&s->random, GCHEAP_REFILL_MAX * GCHEAP_SLAB_WORDS);

	for (i = 0; i < nr; i++)
		words[i] = word(s);
	if (in_bitmap)
		s->arena->live[0][bits] = words[0];
	else if (load)
		copy_armed(s, words, (void *)address, nr * 8);
	else
		copy_armed(s, (void *)address, words, nr * 8);
}

/**
 * do_memory() - one of the calls here
 * @s: stream
 */
void do_memory(struct stream *s)
{
	static const struct {
		unsigned int weight;
		void (*make)(struct stream *s);
	} calls[] = {
		{ 200, do_transfer }, { 200, do_process_memory }, { 130, do_futex },
		{ 100, do_splice }, { 100, do_mremap }, { 90, do_madvise },
		{ 90, do_mprotect }, { 50, do_lock }, { 40, do_munmap },
	};
	uint64_t i = 0, ticket = below(&s->random, 1000);

	while (ticket >= calls[i].weight)
		ticket -= calls[i++].weight;
	calls[i].make(s);
}
