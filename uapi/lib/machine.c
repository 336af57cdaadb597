// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * How much memory the process may have: the machine's, or what the memory cgroups
 * that it is in leave of that.
 *
 * Of cgroups only the second version is known, at its usual place; a process sees
 * those of its cgroup namespace, so in a container the container's own is the root.
 * Nothing here is a cancellation point or allocates.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "machine.h"

#define CGROUPS		"/sys/fs/cgroup"

/* Read a file as a string: all that fits; an empty one when it cannot be read. */
static void read_file(const char *path, char *text, size_t size)
{
	int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	long n;

	text[0] = '\0';
	if (fd < 0)
		return;
	n = syscall(SYS_read, fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	syscall(SYS_close, fd);
}

/* A number at the start of a text; all bits set when there is none, or too large a one */
static __u64 number_or_max(const char *text)
{
	__u64 value = 0;

	if (*text < '0' || *text > '9')
		return ~0ull;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *text - '0', &value))
			return ~0ull;
	return value;
}

/* memory.max is a number or "max", and the root has none. */
static __u64 group_max(const char *group)
{
	char path[PATH_MAX + 64], text[32];

	snprintf(path, sizeof(path), CGROUPS "%s/memory.max", group);
	read_file(path, text, sizeof(text));
	return number_or_max(text);
}

/* The least of the process's cgroup and those that it is in */
static __u64 groups_max(void)
{
	char text[PATH_MAX], *group, *end;
	__u64 least = ~0ull, max;

	read_file("/proc/self/cgroup", text, sizeof(text));
	/* The line of the second version; those of the first one come before it. */
	group = strstr(text, "0::/");
	if (!group)
		return least;
	group += strlen("0::");
	end = strchr(group, '\n');
	if (end)
		*end = '\0';
	while ((end = strrchr(group, '/'))) {
		max = group_max(group);
		if (max < least)
			least = max;
		*end = '\0';
	}
	max = group_max(group);
	return max < least ? max : least;
}

/**
 * gch_memory_bytes() - how much memory the process may have
 *
 * errno stays undefined.
 *
 * Return: bytes.
 */
__u64 gch_memory_bytes(void)
{
	__u64 max = groups_max(), all;
	struct sysinfo info;

	if (sysinfo(&info))
		return max;
	all = (__u64)info.totalram * info.mem_unit;
	return max < all ? max : all;
}
