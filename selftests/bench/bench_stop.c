// SPDX-License-Identifier: GPL-2.0
/*
 * bench_stop: how long it takes to stop all threads and to let them go, beside
 * bdwgc's stop of the same threads.
 *
 *	bench_stop [THREADS [SPINNING [BATCHES]]]
 *
 * Of so many threads some spin, the others sleep.  The two collectors take turns:
 * each batch is a process of its own with all threads, which collects twenty
 * times.  The heaps are empty, so that it is the stop that takes time.
 *
 *	stop	from the decision until all threads are held
 *	release	from the first word of it until the last of those who were held
 *		had a processor (gcheap), or were all told (bdwgc)
 */
#define GC_THREADS
#include <gc.h>
/* Each of the two has its own. */
#undef pthread_create

#include <errno.h>
#include <linux/gcheap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gcheap.h>

#define COLLECTIONS	20
#define BUCKETS		24
#define BAR		50

#define must(condition)								\
do {										\
	if (!(condition)) {							\
		fprintf(stderr, "bench_stop: %s (errno %d)\n", #condition, errno); \
		exit(1);							\
	}									\
} while (0)

enum { STOP, RELEASE, PHASES };

static const char *const phases[] = { "stop", "release" };

/**
 * struct collector - one of the two
 * @name: for people
 * @run: a batch: makes the threads, collects, and exits
 * @nr: samples of each phase
 * @ns: those, in memory that its processes share
 */
struct collector {
	const char *name;
	void (*run)(struct collector *c);
	size_t *nr;
	uint64_t *ns[PHASES];
};

static long threads = 64, spinning = 32, batches = 20;
static size_t capacity;
static _Atomic long running;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void add(struct collector *c, int phase, uint64_t ns)
{
	if (c->nr[phase] < capacity)
		c->ns[phase][c->nr[phase]++] = ns;
}

static void *spin(void *arg)
{
	volatile uint64_t count = 0;

	running++;
	for (;;)
		count++;
	return arg;
}

static void *sleep_on(void *arg)
{
	running++;
	for (;;)
		pause();
	return arg;
}

static void make_threads(int (*create)(pthread_t *thread, const pthread_attr_t *attr,
				       void *(*run)(void *arg), void *arg))
{
	pthread_t thread;
	long i;

	for (i = 0; i < threads; i++)
		must(!create(&thread, NULL, i < spinning ? spin : sleep_on, NULL));
	while (running < threads)
		sched_yield();
}

static struct gcheap_cycle cycle_of(struct gcheap *heap, uint64_t number)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats), .want_cycle = number };

	must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_STATS, &stats));
	return stats.cycle;
}

static void run_gcheap(struct collector *c)
{
	const struct gcheap_options options = { .percent = -1 };
	struct gcheap *heap = gcheap_open(&options);
	int i;

	must(heap);
	make_threads(pthread_create);
	for (i = 1; i <= COLLECTIONS; i++) {
		must(!gcheap_collect(heap));
		add(c, STOP, cycle_of(heap, i).stop_ns);
		if (i > 1)
			add(c, RELEASE, cycle_of(heap, i - 1).release_ns);
	}
}

static struct collector *measured;

/* Called by the thread that collects, in this order. */
static void on_event(GC_EventType event)
{
	static uint64_t begun;

	switch (event) {
	case GC_EVENT_PRE_STOP_WORLD:
	case GC_EVENT_PRE_START_WORLD:
		begun = now();
		break;
	case GC_EVENT_POST_STOP_WORLD:
		add(measured, STOP, now() - begun);
		break;
	case GC_EVENT_POST_START_WORLD:
		add(measured, RELEASE, now() - begun);
		break;
	default:
		break;
	}
}

static void run_bdwgc(struct collector *c)
{
	int i;

	GC_INIT();
	make_threads(GC_pthread_create);
	measured = c;
	GC_set_on_collection_event(on_event);
	for (i = 0; i < COLLECTIONS; i++)
		GC_gcollect();
}

static struct collector collectors[] = {
	{ .name = "gcheap", .run = run_gcheap },
	{ .name = "bdwgc", .run = run_bdwgc },
};

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	must(memory != MAP_FAILED);
	return memory;
}

static void run_batch(struct collector *c)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		c->run(c);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	must(WIFEXITED(status) && !WEXITSTATUS(status));
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double quantile(const struct collector *c, int phase, double part)
{
	return c->ns[phase][(size_t)((c->nr[phase] - 1) * part)] / 1e3;
}

static void print_quantiles(struct collector *c, int phase)
{
	qsort(c->ns[phase], c->nr[phase], sizeof(uint64_t), compare);
	printf("%-8s %-8s %7zu %10.1f %10.1f %10.1f %10.1f\n", phases[phase], c->name,
	       c->nr[phase], quantile(c, phase, 0.5), quantile(c, phase, 0.9),
	       quantile(c, phase, 0.99), quantile(c, phase, 1));
}

static int bucket_of(uint64_t ns)
{
	int bucket = 0;

	while (ns >= 2000 && bucket < BUCKETS - 1) {
		ns /= 2;
		bucket++;
	}
	return bucket;
}

static void print_histogram(const struct collector *c, int phase)
{
	size_t counts[BUCKETS] = {}, i;
	int bucket, last = 0;

	for (i = 0; i < c->nr[phase]; i++) {
		bucket = bucket_of(c->ns[phase][i]);
		counts[bucket]++;
		if (bucket > last)
			last = bucket;
	}
	printf("\n%s, %s\n", phases[phase], c->name);
	for (bucket = 0; bucket <= last; bucket++)
		printf("%9lu us %6zu %.*s\n", bucket ? 1ul << bucket : 0, counts[bucket],
		       (int)((counts[bucket] * BAR + c->nr[phase] - 1) / c->nr[phase]),
		       "##################################################");
}

int main(int argc, char **argv)
{
	struct collector *const end = collectors + 2;
	struct collector *c;
	int phase;
	long i;

	threads = argc > 1 ? atol(argv[1]) : threads;
	spinning = argc > 2 ? atol(argv[2]) : threads / 2;
	batches = argc > 3 ? atol(argv[3]) : batches;
	must(spinning >= 0 && spinning <= threads && batches > 0);
	capacity = 4 * COLLECTIONS * batches;
	for (c = collectors; c < end; c++) {
		c->nr = share(PHASES * sizeof(*c->nr));
		for (phase = 0; phase < PHASES; phase++)
			c->ns[phase] = share(capacity * sizeof(uint64_t));
	}
	for (i = 0; i < batches; i++)
		for (c = collectors; c < end; c++)
			run_batch(c);

	printf("%ld threads, %ld spinning, %ld processors; microseconds\n", threads, spinning,
	       sysconf(_SC_NPROCESSORS_ONLN));
	printf("%-8s %-8s %7s %10s %10s %10s %10s\n", "", "", "samples", "median", "p90",
	       "p99", "longest");
	for (phase = 0; phase < PHASES; phase++)
		for (c = collectors; c < end; c++)
			print_quantiles(c, phase);
	printf("bdwgc's median stop is %.1f times as long, its p99 %.1f times\n",
	       quantile(&collectors[1], STOP, 0.5) / quantile(&collectors[0], STOP, 0.5),
	       quantile(&collectors[1], STOP, 0.99) / quantile(&collectors[0], STOP, 0.99));
	for (phase = 0; phase < PHASES; phase++)
		for (c = collectors; c < end; c++)
			print_histogram(c, phase);
	return 0;
}
