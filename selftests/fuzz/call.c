// SPDX-License-Identifier: GPL-2.0
/* Drawing arguments, and judging what a call returned.  See fuzz.h. */
#include "fuzz.h"

/* Failures that are printed; the first one ends the run anyway. */
#define PRINTED		20

/**
 * call_begin() - a call is being drawn
 * @s: stream
 * @name: of the call
 *
 * EBADF is always possible, as another thread may have closed the descriptor.
 */
void call_begin(struct stream *s, const char *name)
{
	s->name = name;
	s->refused = false;
	memset(s->allowed, 0, sizeof(s->allowed));
	memset(s->args, 0, sizeof(s->args));
	call_allow(s, EBADF);
}

/**
 * call_allow() - an errno that the call may give
 * @s: stream
 * @error: errno
 */
void call_allow(struct stream *s, int error)
{
	s->allowed[error / 64] |= 1ull << error % 64;
}

/**
 * call_refuse() - the call must fail, and may do so with this errno
 * @s: stream
 * @error: errno
 */
void call_refuse(struct stream *s, int error)
{
	call_allow(s, error);
	s->refused = true;
}

/**
 * complain() - something is wrong: print it, and end the run
 * @s: stream
 * @what: what it is
 */
void complain(struct stream *s, const char *what)
{
	struct crew *crew = s->fuzz->crew;
	char text[512];
	int length;
	size_t i;

	if (crew->failures++ >= PRINTED)
		return;
	length = snprintf(text, sizeof(text), "# seed %lu stream %#lx call %lu: %s: %s;",
			  s->fuzz->seed, s->number, s->call, s->name, what);
	for (i = 0; i < ARRAY_SIZE(s->args); i++)
		length += snprintf(text + length, sizeof(text) - length, " %#lx",
				   s->args[i]);
	length += snprintf(text + length, sizeof(text) - length, "\n");
	if (write(STDOUT_FILENO, text, length) != length)
		abort();
	/* Not before that: processes end at once. */
	crew->stop = true;
}

/**
 * call_end() - judge a call
 * @s: stream
 * @result: what it returned; below zero for an errno
 *
 * Return: true when it succeeded.
 */
bool call_end(struct stream *s, long result)
{
	int error = result < 0 ? errno : 0;
	char text[80];

	s->made++;
	if (!error) {
		if (s->refused)
			complain(s, "succeeded, and must not");
		return true;
	}
	if (error >= ERRNOS || !(s->allowed[error / 64] & 1ull << error % 64)) {
		snprintf(text, sizeof(text), "errno %d is not documented for that",
			 error);
		complain(s, text);
	}
	return false;
}

/**
 * copy_armed() - copy from or to memory that may be gone
 * @s: stream
 * @to: to
 * @from: from
 * @bytes: how many
 *
 * Return: false when it was not accessible.
 */
bool copy_armed(struct stream *s, void *to, const void *from, size_t bytes)
{
	bool done = false;

	if (!sigsetjmp(s->fault, 0)) {
		s->armed = true;
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(to, from, bytes);
		atomic_signal_fence(memory_order_seq_cst);
		done = true;
	}
	s->armed = false;
	return done;
}

/**
 * choose_heap() - the heap that the call is about
 * @s: stream
 *
 * What was mapped nowhere yet is taken to be where nothing is; and so is a heap
 * that the kernel, for want of a better place, put among our own mappings.
 */
void choose_heap(struct stream *s)
{
	s->heap = &s->fuzz->heaps[below(&s->random, HEAPS)];
	s->fd = s->heap->fd;
	s->base = s->heap->base;
	if (!s->base || s->base >= AREA_END)
		s->base = AREA_START;
	s->size = s->heap->size;
}

/**
 * any_value() - a number at or near some limit
 * @s: stream
 *
 * Return: the number.
 */
uint64_t any_value(struct stream *s)
{
	uint64_t shift = below(&s->random, 64), value = 0;

	switch (below(&s->random, 6)) {
	case 0:
		return below(&s->random, 64);
	case 1:
		value = draw(&s->random) >> shift;
		break;
	case 2:
		value = 1ull << shift;
		break;
	case 3:
		value = s->size;
		break;
	case 4:
		value = PAGE * below(&s->random, 1024);
		break;
	}
	return value + below(&s->random, 3) - 1;
}

/* Near the beginning of a heap, where what is allocated is; sometimes anywhere */
static uint64_t heap_offset(struct stream *s)
{
	uint64_t offset = draw(&s->random), slab = below(&s->random, SLABS);

	switch (below(&s->random, 8)) {
	case 0:
		return offset % (s->size ? s->size : 1);
	case 1:
		return offset % 512 * PAGE;
	case 2:
		return s->size - offset % (2 * PAGE);
	case 3:
	case 4:
		if (s->slabs[slab] - s->base < s->size)
			return s->slabs[slab] - s->base + offset % PAGE;
		break;
	}
	return offset % (MIB + 1);
}

/**
 * heap_address() - an address in the chosen heap, seldom just outside
 * @s: stream
 *
 * Return: the address.
 */
uintptr_t heap_address(struct stream *s)
{
	uintptr_t address = s->base + heap_offset(s);

	if (!one_in(&s->random, 4))
		address &= ~7ul;
	return address;
}

/**
 * any_address() - an address that is only looked at, and not written to
 * @s: stream
 *
 * Return: the address.
 */
uintptr_t any_address(struct stream *s)
{
	uint64_t kind = below(&s->random, 16);
	uintptr_t bad = bad_pointer(s), in_heap = heap_address(s);

	if (kind == 0)
		return bad;
	if (kind == 1)
		return (uintptr_t)s->arena + below(&s->random, sizeof(*s->arena));
	if (kind == 2)
		return s->base - below(&s->random, 2 * PAGE);
	if (kind == 3)
		return (uintptr_t)&kind;
	if (kind == 4)
		return any_value(s);
	return in_heap;
}

/**
 * bad_pointer() - an address where no memory is
 * @s: stream
 *
 * Return: the address.
 */
uintptr_t bad_pointer(struct stream *s)
{
	static const uintptr_t pointers[] = {
		0, 1, 8, PAGE, 0x7ffffffff000, 0x7ffffffffff8, 0x800000000000,
		0xffff800000000000, 0xffff888000100000, 0xffffffff81000000,
		0xffffffffff600000, -PAGE, -8, -1,
	};
	uint64_t i = below(&s->random, ARRAY_SIZE(pointers) + 1);

	return i < ARRAY_SIZE(pointers) ? pointers[i] : (uintptr_t)s->arena->guard;
}
