// SPDX-License-Identifier: GPL-2.0
/*
 * bench_roots: how long it takes to stop a thousand threads that sleep, and to look
 * at their stacks and at 4 GiB of bss in which a page is written.
 *
 *	bench_roots [THREADS [COLLECTIONS]]
 *
 * The machine must allow so much bss: vm.overcommit_memory=1 where it has less.
 */
#include <linux/gcheap.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <gcheap.h>

#define STACK	(64ul << 10)

#define must(condition)								\
do {										\
	if (!(condition)) {							\
		perror("bench_roots: " #condition);				\
		exit(1);							\
	}									\
} while (0)

static char *volatile bss[(4ul << 30) / sizeof(char *)];
static _Atomic long running;

static void *sleep_on(void *arg)
{
	running++;
	for (;;)
		pause();
	return arg;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print(const char *name, uint64_t *ns, long nr, long threads)
{
	qsort(ns, nr, sizeof(*ns), compare);
	printf("%-6s %10.1f %10.1f %10.1f %21.1f\n", name, ns[nr / 2] / 1e3,
	       ns[nr * 99 / 100] / 1e3, ns[nr - 1] / 1e3, ns[nr / 2] / 1e1 / threads);
}

int main(int argc, char **argv)
{
	const long threads = argc > 1 ? atol(argv[1]) : 1000;
	const long collections = argc > 2 ? atol(argv[2]) : 200;
	const struct gcheap_options options = { .percent = -1 };
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };
	struct gcheap *heap = gcheap_open(&options);
	uint64_t *stop, *mark, *pause_ns;
	pthread_attr_t attributes;
	pthread_t thread;
	long i;

	must(heap && threads > 0 && collections > 0);
	must(!pthread_attr_init(&attributes) && !pthread_attr_setstacksize(&attributes, STACK));
	for (i = 0; i < threads; i++)
		must(!pthread_create(&thread, &attributes, sleep_on, NULL));
	while (running < threads)
		sched_yield();
	bss[sizeof(bss) / sizeof(*bss) / 2] = (char *)1;
	stop = calloc(collections, sizeof(*stop));
	mark = calloc(collections, sizeof(*mark));
	pause_ns = calloc(collections, sizeof(*pause_ns));
	must(stop && mark && pause_ns);
	for (i = 0; i < collections; i++) {
		must(!gcheap_collect(heap));
		must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_STATS, &stats));
		stop[i] = stats.cycle.stop_ns;
		mark[i] = stats.cycle.mark_ns;
		pause_ns[i] = stats.cycle.pause_ns;
	}
	printf("%u threads, roots %llu KiB read, %llu KiB not; microseconds\n",
	       stats.cycle.threads, stats.cycle.root_bytes >> 10,
	       stats.cycle.root_skipped >> 10);
	printf("%-6s %10s %10s %10s %21s\n", "", "median", "p99", "longest",
	       "median by 100 threads");
	print("stop", stop, collections, threads);
	print("mark", mark, collections, threads);
	print("pause", pause_ns, collections, threads);
	return 0;
}
