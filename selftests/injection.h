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

/* One file of a kind: FAULTS "failslab/" or another */
helper void faults_set(const char *kind, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", kind, name);
	write_file(path, value);
}

/* Only of threads that faults_begin(), as often as it may be; the program's pages never. */
helper void faults_choose(const char *kind)
{
	faults_set(FAULTS "fail_page_alloc/", "ignore-gfp-highmem", "Y");
	faults_set(kind, "task-filter", "Y");
	faults_set(kind, "interval", "1");
	faults_set(kind, "space", "0");
	faults_set(kind, "times", "-1");
}

helper void faults_of_a_hundred(const char *kind, unsigned int nr)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", nr);
	faults_set(kind, "probability", text);
}

/* Opened before, as opening it may fail. */
static __thread int faulty = -1;

/* From here on the calling thread's allocations may fail. */
helper void faults_begin(void)
{
	if (faulty < 0)
		faulty = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	must(pwrite(faulty, "1", 1, 0) == 1);
}

/* Up to here */
helper void faults_end(void)
{
	int saved = errno;

	while (pwrite(faulty, "0", 1, 0) != 1)
		must(errno == ENOMEM || errno == EFAULT);
	errno = saved;
}

#endif /* GCHEAP_TEST_INJECTION_H */
