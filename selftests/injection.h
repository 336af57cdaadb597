/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What may be made to fail: allocations, and copies from and to the program's memory
 * (Documentation/fault-injection of the kernel; the debug kernel has it).
 */
#ifndef GCHEAP_TEST_INJECTION_H
#define GCHEAP_TEST_INJECTION_H

#include "common.h"

#define FAULTS		"/sys/kernel/debug/"

/* What allocations may be made to fail, and what it was before */
static struct setting {
	const char *path;
	const char *value;
	char old[16];
} settings[] = {
	{ .path = FAULTS "failslab/ignore-gfp-wait", .value = "N" },
	{ .path = FAULTS "failslab/verbose", .value = "0" },
	{ .path = FAULTS "fail_page_alloc/ignore-gfp-wait", .value = "N" },
	{ .path = FAULTS "fail_page_alloc/ignore-gfp-highmem", .value = "N" },
	{ .path = FAULTS "fail_page_alloc/min-order", .value = "0" },
	{ .path = FAULTS "fail_page_alloc/verbose", .value = "0" },
	{ .path = FAULTS "fail_usercopy/verbose", .value = "0" },
};

helper bool read_file(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, to, size - 1);
	close(fd);
	must(length >= 0);
	to[length] = 0;
	return true;
}

helper void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0);
	must(write(fd, text, strlen(text)) == strlen(text));
	close(fd);
}

helper bool faults_enable(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		if (!read_file(settings[i].path, settings[i].old,
			       sizeof(settings[i].old)))
			return false;
		write_file(settings[i].path, settings[i].value);
	}
	return true;
}

helper void faults_disable(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		write_file(settings[i].path, settings[i].old);
}

#endif /* GCHEAP_TEST_INJECTION_H */
