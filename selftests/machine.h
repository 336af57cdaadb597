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

helper size_t nr_huge_pages(void)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "r");
	size_t nr;

	must(file && fscanf(file, "%zu", &nr) == 1);
	fclose(file);
	return nr;
}

/*
 * What the kernel keeps free for a while, since memory is fragmented: MemAvailable does
 * not tell of it.  Setting the least that it keeps free ends that.
 */
helper void keep_free_when_fragmented(const char *factor)
{
	char least[32] = "";
	FILE *file;

	must(write_to("/proc/sys/vm/watermark_boost_factor", factor));
	file = fopen("/proc/sys/vm/min_free_kbytes", "r");
	must(file && fgets(least, sizeof(least), file));
	fclose(file);
	must(write_to("/proc/sys/vm/min_free_kbytes", least));
}

/*
 * Have so much of the machine left, until give_memory_back().  Huge pages that nobody
 * has are taken in no time, and are nobody's who is killed.  False: it is more, as there
 * is no memory for huge pages that lies side by side.
 */
helper bool leave_memory(size_t bytes)
{
	size_t all;
	int tries;

	keep_free_when_fragmented("0");
	for (tries = 0; tries < 3; tries++) {
		all = available_memory();
		if (all < bytes + 4 * MIB)
			return true;
		if (tries)
			must(write_to("/proc/sys/vm/compact_memory", "1"));
		set_huge_pages(nr_huge_pages() + (all - bytes) / (2 * MIB));
	}
	return available_memory() < bytes + bytes / 2;
}

helper void give_memory_back(void)
{
	set_huge_pages(0);
	keep_free_when_fragmented("15000");
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
