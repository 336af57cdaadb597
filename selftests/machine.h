/* SPDX-License-Identifier: GPL-2.0 */
/* How much memory the machine uses: for tests which want to see it come back. */
#ifndef GCHEAP_TEST_MACHINE_H
#define GCHEAP_TEST_MACHINE_H

#include "common.h"

/*
 * Free pages that each processor keeps at hand, in bytes.  /proc/meminfo does not
 * take them for free, and they come and go by tens of MiB.
 */
helper long memory_at_hand(void)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	long pages = 0, value;
	char line[128];

	must(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %ld", &value) == 1)
			pages += value;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/* What the machine uses, in bytes: what is neither free nor a cache of files */
helper long used_memory(void)
{
	static const char *const names[] = { "MemFree:", "Buffers:", "Cached:" };
	FILE *file = fopen("/proc/meminfo", "r");
	long used = 0, value;
	char line[128], name[64];
	size_t i;

	must(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %ld", name, &value) != 2)
			continue;
		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (!strcmp(name, names[i]))
				used -= value * 1024;
		if (!strcmp(name, "MemTotal:"))
			used += value * 1024;
	}
	fclose(file);
	return used - memory_at_hand();
}

/* What programs could have without anybody being killed, in bytes */
helper size_t available_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	size_t kib = 0;

	must(file);
	while (!kib && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %zu", &kib) == 1)
			break;
	fclose(file);
	return kib * KIB;
}

helper void set_huge_pages(size_t nr)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", nr);
	must(write_to("/proc/sys/vm/nr_hugepages", text));
}

/*
 * Have so much of the machine left, until give_memory_back().  Huge pages that nobody
 * has are taken in no time, and are nobody's who is killed.
 */
helper void leave_memory(size_t bytes)
{
	size_t all = available_memory();

	if (all > bytes)
		set_huge_pages((all - bytes) / (2 * MIB));
}

helper void give_memory_back(void)
{
	set_huge_pages(0);
}

/*
 * What is freed after a grace period, or by a worker, is freed soon; nothing says
 * when.  So measure until it is as it should be, or too much time has passed.
 */
helper bool comes_true(bool (*condition)(const void *arg), const void *arg)
{
	const struct timespec moment = { .tv_nsec = 50000000 };
	int tries;

	for (tries = 0; tries < 200; tries++) {
		if (condition(arg))
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

#endif /* GCHEAP_TEST_MACHINE_H */
