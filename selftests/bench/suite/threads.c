// SPDX-License-Identifier: GPL-2.0
/* threads [TIMES]: a thread begins, allocates one object, and ends, so many times. */
#include "bench.h"

#include <pthread.h>

static void *run(void *unused)
{
	long *object = get(64);

	(void)unused;
	*object = 1;
	put(object);
	return NULL;
}

int main(int argc, char **argv)
{
	long times = bench_number(argc, argv, 1, 1000);
	pthread_t thread;

	allocator_begin();
	bench_begin();
	while (times--) {
		must(!pthread_create(&thread, NULL, run, NULL));
		must(!pthread_join(thread, NULL));
	}
	bench_end("threads");
	return 0;
}
