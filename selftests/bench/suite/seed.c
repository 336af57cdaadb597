// SPDX-License-Identifier: GPL-2.0
/*
 * seed [OBJECTS]: objects of 1 KiB, which may hold pointers, are allocated and dropped;
 * and then as many that are kept.
 */
#include "bench.h"

#define SIZE	1024

struct object {
	struct object *next;
	char data[SIZE - sizeof(struct object *)];
};

/* Where a compiler cannot know that it is used no more */
static struct object *volatile seen;

static void allocate_dropped(long nr)
{
	while (nr--) {
		struct object *object = get(sizeof(*object));

		object->next = NULL;
		seen = object;
		put(object);
	}
}

static struct object *allocate_kept(long nr)
{
	struct object *list = NULL;

	while (nr--) {
		struct object *object = get(sizeof(*object));

		object->next = list;
		list = object;
	}
	return list;
}

static long drop(struct object *list)
{
	long nr = 0;

	for (struct object *next; list; list = next) {
		next = list->next;
		put(list);
		nr++;
	}
	return nr;
}

int main(int argc, char **argv)
{
	long nr = bench_number(argc, argv, 1, 100000);
	struct object *list;

	allocator_begin();
	bench_begin();
	allocate_dropped(nr);
	bench_end("seed-dropped");
	seen = NULL;
	bench_begin();
	list = allocate_kept(nr);
	bench_end("seed-kept");
	must(drop(list) == nr);
	return 0;
}
