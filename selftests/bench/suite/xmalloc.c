// SPDX-License-Identifier: GPL-2.0
/*
 * xmalloc [BATCHES]: one thread allocates objects of 16 to 512 bytes, and another one gives
 * them back, in batches, as in malloc-test by Chuck Lever and David Boreham ("malloc()
 * Performance in a Multithreaded Linux Environment", USENIX 2000).
 */
#include "bench.h"

#include <pthread.h>

#define BATCH	120
#define QUEUE	16

struct batch {
	long *objects[BATCH];
};

/* What was allocated and not yet given back: the batches from @taken to @added */
static struct batch *queue[QUEUE];
static long added, taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_room = PTHREAD_COND_INITIALIZER;
static pthread_cond_t has_batch = PTHREAD_COND_INITIALIZER;

static void add(struct batch *batch)
{
	must(!pthread_mutex_lock(&lock));
	while (added - taken == QUEUE)
		must(!pthread_cond_wait(&has_room, &lock));
	queue[added++ % QUEUE] = batch;
	must(!pthread_cond_signal(&has_batch));
	must(!pthread_mutex_unlock(&lock));
}

static struct batch *take(void)
{
	struct batch *batch;

	must(!pthread_mutex_lock(&lock));
	while (added == taken)
		must(!pthread_cond_wait(&has_batch, &lock));
	batch = queue[taken % QUEUE];
	queue[taken++ % QUEUE] = NULL;
	must(!pthread_cond_signal(&has_room));
	must(!pthread_mutex_unlock(&lock));
	return batch;
}

static void *allocate(void *arg)
{
	long nr = *(long *)arg, i;
	uint64_t state = 1;

	while (nr--) {
		struct batch *batch = get(sizeof(*batch));

		for (i = 0; i < BATCH; i++) {
			batch->objects[i] = get(16 + bench_random(&state, 497));
			*batch->objects[i] = i;
		}
		add(batch);
	}
	return NULL;
}

static void give_all_back(long nr)
{
	long i;

	while (nr--) {
		struct batch *batch = take();

		for (i = 0; i < BATCH; i++) {
			must(*batch->objects[i] == i);
			put(batch->objects[i]);
		}
		put(batch);
	}
}

int main(int argc, char **argv)
{
	long nr = bench_number(argc, argv, 1, 2000);
	pthread_t thread;

	allocator_begin();
	bench_begin();
	must(!pthread_create(&thread, NULL, allocate, &nr));
	give_all_back(nr);
	must(!pthread_join(thread, NULL));
	bench_end("xmalloc");
	return 0;
}
