// SPDX-License-Identifier: GPL-2.0
/*
 * A program with threads, whose roots are all that the compiler, the linker and the
 * C library make: built with several of them, and run by test_hosts.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <gcheap.h>

#define THREADS		3
#define LINKS		200
#define ROUNDS		50

#define must(condition)								\
do {										\
	if (!(condition)) {							\
		fprintf(stderr, "# %s:%d: must hold: %s\n",			\
			__FILE__, __LINE__, #condition);			\
		_Exit(1);							\
	}									\
} while (0)

struct link {
	struct link *next;
	uint64_t number;
	uint64_t inverse;
};

/* Data that is written, data that is zero at first, thread-local storage of both kinds */
static struct link none;
static struct link *in_data = &none;
static struct link *in_bss;
static __thread struct link *in_tls = &none;
static __thread struct link *in_tls_bss;

static struct gcheap *heap;

static struct link *build(void)
{
	struct link *list = NULL, *link;
	uint64_t i;

	for (i = 0; i < LINKS; i++) {
		link = gcheap_alloc(heap, sizeof(*link) + i);
		must(link && !link->next && !link->number);
		link->next = list;
		link->number = i;
		link->inverse = ~i;
		list = link;
	}
	return list;
}

static void check(const struct link *list)
{
	uint64_t i = LINKS;

	for (; list; list = list->next) {
		i--;
		must(list->number == i && list->inverse == ~i);
	}
	must(!i);
}

/* So that local variables are where a checker wants them */
static __attribute__((noinline, noclone)) void build_at(struct link **list)
{
	*list = build();
}

/* What functions that have returned have left below */
static __attribute__((noinline, noclone, no_sanitize_address)) void wipe_stack(void)
{
	volatile char room[8192];
	size_t i;

	for (i = 0; i < sizeof(room); i++)
		room[i] = 0;
}

/* Nothing but a variable of a function that runs has the list. */
static __attribute__((noinline, noclone)) void keep_in_frame(void)
{
	struct link *list, *link;

	build_at(&list);
	wipe_stack();
	must(!gcheap_collect(heap));
	for (link = list; link; link = link->next)
		must(gcheap_base(heap, link) == link);
	check(list);
}

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=1:detect_leaks=0";
}
#endif

static void *work(void *arg)
{
	struct link *local;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		in_tls = build();
		in_tls_bss = build();
		build_at(&local);
		check(in_tls);
		check(in_tls_bss);
		check(local);
	}
	return arg;
}

int main(void)
{
	const struct gcheap_options options = { .percent = -1 };
	pthread_t threads[THREADS];
	int i;

	heap = gcheap_open(&options);
	must(heap);
	keep_in_frame();
	in_data = build();
	in_bss = build();
	for (i = 0; i < THREADS; i++)
		must(!pthread_create(&threads[i], NULL, work, NULL));
	for (i = 0; i < ROUNDS; i++) {
		must(!gcheap_collect(heap));
		check(in_data);
		check(in_bss);
		in_bss = build();
	}
	for (i = 0; i < THREADS; i++)
		must(!pthread_join(threads[i], NULL));
	must(!gcheap_collect(heap));
	check(in_data);
	check(in_bss);
	gcheap_close(heap);
	return 0;
}
