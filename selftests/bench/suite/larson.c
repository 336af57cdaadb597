// SPDX-License-Identifier: GPL-2.0
/*
 * larson [ROUNDS [TIMES [THREADS]]]: a server as Per-Ake Larson and Murali Krishnan
 * describe it ("Memory Allocation for Long-Running Server Applications", ISMM 1998).
 * Each thread replaces some of its objects at random, of 10 to 500 bytes, and leaves them
 * to a new thread, which goes on with them: most are given back by another thread than
 * the one that has allocated them.
 */
#include "bench.h"

#include <pthread.h>

#define MOST_THREADS	64
#define OBJECTS		1000
#define LEAST		10
#define MOST		500

/**
 * struct work - what one thread hands on to the next
 * @objects: objects that are in use
 * @times: how many of them a thread replaces
 * @rounds: threads that are still to come
 * @state: of the random numbers
 */
struct work {
	char *objects[OBJECTS];
	long times;
	long rounds;
	uint64_t state;
};

static struct work works[MOST_THREADS];

/* Threads that are on their way, or chains of them */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_ended = PTHREAD_COND_INITIALIZER;
static long going;

static char *new_object(struct work *work)
{
	size_t size = LEAST + bench_random(&work->state, MOST - LEAST + 1);
	char *object = get(size);

	object[0] = 1;
	object[size - 1] = 1;
	return object;
}

static void end(void)
{
	must(!pthread_mutex_lock(&lock));
	if (!--going)
		must(!pthread_cond_signal(&all_ended));
	must(!pthread_mutex_unlock(&lock));
}

static void begin(struct work *work);

static void *serve(void *arg)
{
	struct work *work = arg;
	long i;

	for (i = 0; i < work->times; i++) {
		long n = bench_random(&work->state, OBJECTS);

		put(work->objects[n]);
		work->objects[n] = new_object(work);
	}
	if (--work->rounds)
		begin(work);
	else
		end();
	return NULL;
}

static void begin(struct work *work)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, serve, work));
	must(!pthread_detach(thread));
}

static void fill(struct work *work)
{
	long i;

	for (i = 0; i < OBJECTS; i++)
		work->objects[i] = new_object(work);
}

static void serve_all(long threads)
{
	long i;

	going = threads;
	for (i = 0; i < threads; i++)
		begin(&works[i]);
	must(!pthread_mutex_lock(&lock));
	while (going)
		must(!pthread_cond_wait(&all_ended, &lock));
	must(!pthread_mutex_unlock(&lock));
}

int main(int argc, char **argv)
{
	long rounds = bench_number(argc, argv, 1, 20);
	long times = bench_number(argc, argv, 2, 10000);
	long threads = bench_number(argc, argv, 3, 2), i, n;

	if (rounds < 1 || threads < 1 || threads > MOST_THREADS)
		return 1;
	allocator_begin();
	for (i = 0; i < threads; i++) {
		works[i].times = times;
		works[i].rounds = rounds;
		works[i].state = i + 1;
		fill(&works[i]);
	}
	bench_begin();
	serve_all(threads);
	bench_end("larson");
	for (i = 0; i < threads; i++)
		for (n = 0; n < OBJECTS; n++)
			must(works[i].objects[n][0] == 1);
	return 0;
}
