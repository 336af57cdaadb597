/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program whose objects come and go at random, and are of all sizes from 16 bytes to
 * 64 KiB: as many between each power of two and the next.  It does the same whoever
 * allocates, and each time.
 *
 * All objects are in one array of the program's data, where collectors find them.
 */
#ifndef GCHEAP_TEST_TRACE_H
#define GCHEAP_TEST_TRACE_H

#include <stdint.h>
#include <string.h>

#define TRACE_MAX	1000000

/**
 * struct trace - objects that are in use
 * @get: allocates; gives NULL only where the program ends
 * @put: gives back, or NULL where nobody has to
 * @watch: called now and then
 * @nr: length of @objects that is used
 * @live: bytes asked for, of all that are in use
 * @random: state of the random numbers
 * @sizes: bytes asked for
 * @objects: the objects, NULL for none
 */
struct trace {
	void *(*get)(size_t bytes);
	void (*put)(void *object);
	void (*watch)(struct trace *trace);
	long nr;
	uint64_t live;
	uint64_t random;
	uint32_t sizes[TRACE_MAX];
	char *objects[TRACE_MAX];
};

/* Marsaglia's xorshift */
static inline uint64_t trace_random(struct trace *trace, uint64_t below)
{
	trace->random ^= trace->random << 13;
	trace->random ^= trace->random >> 7;
	trace->random ^= trace->random << 17;
	return (trace->random >> 11) % below;
}

/* From @least on, @doublings powers of two; each is as likely as the other. */
static inline size_t trace_size(struct trace *trace, size_t least,
				unsigned int doublings)
{
	size_t size = least << trace_random(trace, doublings);

	return size + trace_random(trace, size);
}

static inline void trace_drop(struct trace *trace, long i)
{
	if (!trace->objects[i])
		return;
	if (trace->put)
		trace->put(trace->objects[i]);
	trace->live -= trace->sizes[i];
	trace->objects[i] = NULL;
}

static inline void trace_set(struct trace *trace, long i, size_t size)
{
	trace_drop(trace, i);
	trace->objects[i] = trace->get(size);
	memset(trace->objects[i], i | 1, size);
	trace->sizes[i] = size;
	trace->live += size;
}

static inline void trace_fill(struct trace *trace)
{
	long i;

	for (i = 0; i < trace->nr; i++)
		trace_set(trace, i, trace_size(trace, 16, 12));
}

static inline void trace_churn(struct trace *trace, long times)
{
	long i;

	for (i = 0; i < times; i++) {
		trace_set(trace, trace_random(trace, trace->nr),
			  trace_size(trace, 16, 12));
		if (i % (trace->nr / 100) == 0)
			trace->watch(trace);
	}
}

/* One of ten stays. */
static inline void trace_drop_most(struct trace *trace)
{
	long i;

	for (i = 0; i < trace->nr; i++)
		if (trace_random(trace, 10))
			trace_drop(trace, i);
}

/* Objects of 1 to 16 KiB, until there is as much as before */
static inline void trace_refill(struct trace *trace, uint64_t live)
{
	long i;

	for (i = 0; i < TRACE_MAX && trace->live < live; i++)
		if (!trace->objects[i])
			trace_set(trace, i, trace_size(trace, 1024, 4));
}

/* Each object still has its first and last byte. */
static inline int trace_is_whole(const struct trace *trace)
{
	long i;

	for (i = 0; i < TRACE_MAX; i++) {
		const char *object = trace->objects[i];

		if (object && (object[0] != (char)(i | 1) ||
			       object[trace->sizes[i] - 1] != (char)(i | 1)))
			return 0;
	}
	return 1;
}

#endif /* GCHEAP_TEST_TRACE_H */
