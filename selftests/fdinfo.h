/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc tells of a heap. */
#ifndef SELFTESTS_FDINFO_H
#define SELFTESTS_FDINFO_H

#include "common.h"

/* All that there is to read */
helper void read_lines(pid_t pid, int number, char *text, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	length = read(fd, text, size - 1);
	must(length > 0 && length < size - 1);
	text[length] = '\0';
	close(fd);
}

/* The number behind a key, in bytes where it has a unit; -1 when there is none */
helper long value_of(const char *text, const char *key)
{
	char line[64];
	const char *found;
	char *unit;
	long value;

	snprintf(line, sizeof(line), "\ngcheap-%s:\t", key);
	found = strstr(text, line);
	if (!found)
		return -1;
	value = strtol(found + strlen(line), &unit, 0);
	return strncmp(unit, " KiB\n", 5) ? value : value * 1024;
}

helper long value_now(struct gcheap *heap, const char *key)
{
	char text[4096];

	read_lines(getpid(), gcheap_fd(heap), text, sizeof(text));
	return value_of(text, key);
}

#endif /* SELFTESTS_FDINFO_H */
