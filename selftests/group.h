/* SPDX-License-Identifier: GPL-2.0 */
/* A memory cgroup of the test's own, below the root, for one test at a time. */
#ifndef GCHEAP_TEST_GROUP_H
#define GCHEAP_TEST_GROUP_H

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "common.h"

#define GROUP		"/sys/fs/cgroup/gcheap-test"

/* Who was in it may take a moment to be gone. */
helper bool group_remove_one(const char *path)
{
	time_t end = time(NULL) + 10;

	while (rmdir(path)) {
		if (errno == ENOENT)
			return true;
		if (errno != EBUSY || time(NULL) > end)
			return false;
		sched_yield();
	}
	return true;
}

/* With all that lie in it; false when somebody is there for long. */
helper bool group_remove(void)
{
	DIR *dir = opendir(GROUP);
	struct dirent *entry;
	char path[sizeof(GROUP) + sizeof(entry->d_name)];
	bool removed = true;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), GROUP "/%s", entry->d_name);
		removed &= group_remove_one(path);
	}
	if (dir)
		closedir(dir);
	return removed && group_remove_one(GROUP);
}

/*
 * Make it, with one limit: its file, and bytes.  What a test has left that was killed goes
 * before.  False: there are no memory cgroups.
 */
helper bool group_make(const char *limit, size_t bytes)
{
	char path[64], text[32];

	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	must(group_remove());
	if (mkdir(GROUP, 0700))
		return false;
	write_to(GROUP "/memory.swap.max", "0");
	snprintf(path, sizeof(path), GROUP "/%s", limit);
	snprintf(text, sizeof(text), "%zu", bytes);
	if (write_to(path, text))
		return true;
	must(group_remove());
	return false;
}

/* Another one in it, with no limit of its own: GROUP and a name */
helper void group_make_inner(const char *path)
{
	must(write_to(GROUP "/cgroup.subtree_control", "+memory"));
	must(!mkdir(path, 0700));
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

#endif /* GCHEAP_TEST_GROUP_H */
