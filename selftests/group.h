/* SPDX-License-Identifier: GPL-2.0 */
/* A memory cgroup of the test's own, below the root, for one test at a time. */
#ifndef GCHEAP_TEST_GROUP_H
#define GCHEAP_TEST_GROUP_H

#include <sys/stat.h>

#include "common.h"

#define GROUP		"/sys/fs/cgroup/gcheap-test"

/* Make it, with one limit: its file, and bytes.  False: there are no memory cgroups. */
helper bool group_make(const char *limit, size_t bytes)
{
	char path[64], text[32];

	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0700) && errno != EEXIST)
		return false;
	write_to(GROUP "/memory.swap.max", "0");
	snprintf(path, sizeof(path), GROUP "/%s", limit);
	snprintf(text, sizeof(text), "%zu", bytes);
	return write_to(path, text);
}

/* Another one in it, with no limit of its own: GROUP and a name */
helper void group_make_inner(const char *path)
{
	must(write_to(GROUP "/cgroup.subtree_control", "+memory"));
	must(!mkdir(path, 0700) || errno == EEXIST);
}

helper void group_enter_inner(const char *path)
{
	char procs[64];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	must(write_to(procs, "0"));
}

/* The calling process, and its children from now on */
helper void group_enter(void)
{
	must(write_to(GROUP "/cgroup.procs", "0"));
}

/* How often something has happened: a word of memory.events */
helper long group_events(const char *what)
{
	FILE *file = fopen(GROUP "/memory.events", "r");
	char line[64], name[32];
	long times = -1, value;

	must(file);
	while (times < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "%31s %ld", name, &value) == 2 && !strcmp(name, what))
			times = value;
	fclose(file);
	return times;
}

/* Who was in it may take a moment to be gone. */
helper void group_remove_inner(const char *path)
{
	while (rmdir(path) && errno == EBUSY)
		sched_yield();
}

helper void group_remove(void)
{
	group_remove_inner(GROUP);
}

#endif /* GCHEAP_TEST_GROUP_H */
