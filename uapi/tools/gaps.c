// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Which collections trace has not heard of: the library drops a line rather than wait, and a
 * heap's collections have numbers.
 *
 * What comes first of a heap may be its hundredth: a program can attach a heap of others.  And
 * what comes last need not be the last one.  So only what is missing in between is counted.
 */
#include <stdlib.h>

#include "tool.h"

/**
 * struct told_heap - a heap that lines came of
 * @pid: process that made it
 * @base: its address there
 * @last: largest number
 * @came: bit set: the number that is less than that by so much has come
 * @missed: numbers before @last that have not come
 */
struct told_heap {
	uint64_t pid;
	uint64_t base;
	uint64_t last;
	uint64_t came;
	uint64_t missed;
};

/* The one that came last of all is likely to come again. */
static struct told_heap *find(const struct gaps *gaps, uint64_t pid, uint64_t base)
{
	size_t i;

	for (i = gaps->nr; i--; )
		if (gaps->heaps[i].pid == pid && gaps->heaps[i].base == base)
			return &gaps->heaps[i];
	return NULL;
}

static struct told_heap *more(struct gaps *gaps)
{
	if (gaps->nr == gaps->room) {
		gaps->room = gaps->room ? 2 * gaps->room : 64;
		gaps->heaps = realloc(gaps->heaps, gaps->room * sizeof(*gaps->heaps));
		if (!gaps->heaps) {
			perror("gcheap");
			exit(STATUS_FAILED);
		}
	}
	return &gaps->heaps[gaps->nr++];
}

static void go_on(struct told_heap *heap, uint64_t number)
{
	uint64_t step = number - heap->last;

	heap->missed += step - 1;
	heap->came = step < 64 ? heap->came << step | 1 : 1;
	heap->last = number;
}

/* Processes that share a heap may overtake each other. */
static bool is_late(const struct told_heap *heap, uint64_t number)
{
	uint64_t age = heap->last - number;

	return age < 64 && !(heap->came & 1ull << age);
}

/**
 * gaps_add() - a line has come
 * @gaps: what was missed
 * @line: line of JSON
 */
void gaps_add(struct gaps *gaps, const char *line)
{
	uint64_t pid, base, number;
	struct told_heap *heap;

	cycle_heap(line, &pid, &base);
	cycle_field(line, "number", &number);
	heap = find(gaps, pid, base);
	if (!heap) {
		heap = more(gaps);
		*heap = (struct told_heap) {
			.pid = pid, .base = base, .last = number, .came = 1,
		};
	} else if (number > heap->last) {
		go_on(heap, number);
	} else if (is_late(heap, number)) {
		heap->came |= 1ull << (heap->last - number);
		heap->missed -= heap->missed > 0;
	} else {
		/* Another heap is where it was. */
		gaps->missed += heap->missed;
		heap->missed = 0;
		heap->last = number;
		heap->came = 1;
	}
}

/**
 * gaps_end() - say how many are missing, if any, and end it
 * @gaps: what was missed
 */
void gaps_end(struct gaps *gaps)
{
	size_t i;

	for (i = 0; i < gaps->nr; i++)
		gaps->missed += gaps->heaps[i].missed;
	if (gaps->missed)
		fprintf(stderr, "gcheap: no line has come of %llu collections\n",
			(unsigned long long)gaps->missed);
	free(gaps->heaps);
	*gaps = (struct gaps) {};
}
