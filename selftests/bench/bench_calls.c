// SPDX-License-Identifier: GPL-2.0
/*
 * bench_calls: what an allocation costs, beside one that is followed by a look at the
 * heap's statistics, or at the object.
 *
 *	bench_calls [TIMES]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <gcheap.h>

#define must(condition)								\
do {										\
	if (!(condition)) {							\
		perror("bench_calls: " #condition);				\
		exit(1);							\
	}									\
} while (0)

typedef void (*call_on)(struct gcheap *heap, void *object);

static void at_nothing(struct gcheap *heap, void *object)
{
	must(heap && object);
}

static void at_statistics(struct gcheap *heap, void *object)
{
	struct gcheap_stats stats;

	must(object && !gcheap_read_stats(heap, &stats));
}

static void at_base(struct gcheap *heap, void *object)
{
	must(gcheap_base(heap, (char *)object + 8) == object);
}

static void at_size(struct gcheap *heap, void *object)
{
	must(gcheap_usable_size(heap, object) == 64);
}

static void at_size_with_realloc(struct gcheap *heap, void *object)
{
	must(gcheap_realloc(heap, object, 60) == object);
}

static const struct {
	const char *name;
	call_on look;
} looks[] = {
	{ "gcheap_alloc() alone", at_nothing },
	{ "gcheap_read_stats()", at_statistics },
	{ "gcheap_base()", at_base },
	{ "gcheap_usable_size()", at_size },
	{ "gcheap_realloc() in place", at_size_with_realloc },
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static double measure(struct gcheap *heap, call_on look, long times)
{
	uint64_t start = now();
	long i;

	for (i = 0; i < times; i++)
		look(heap, gcheap_alloc(heap, 64));
	return (double)(now() - start) / times;
}

int main(int argc, char **argv)
{
	const long times = argc > 1 ? atol(argv[1]) : 10000;
	struct gcheap *heap = gcheap_open(NULL);
	size_t i;

	must(heap && times > 0);
	printf("%-28s %12s\n", "each time after an allocation", "ns");
	for (i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
		measure(heap, looks[i].look, times / 10 + 1);
		printf("%-28s %12.1f\n", looks[i].name, measure(heap, looks[i].look, times));
	}
	gcheap_close(heap);
	return 0;
}
