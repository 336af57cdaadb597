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

/* What faults_choose() sets, of the kind that was chosen last */
static struct setting chosen[] = {
	{ .path = "task-filter", .value = "Y" },
	{ .path = "interval", .value = "1" },
	{ .path = "space", .value = "0" },
	{ .path = "times", .value = "-1" },
};

static const char *chosen_kind;

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
	char path[128];
	size_t i;

	faults_set(FAULTS "fail_page_alloc/", "ignore-gfp-highmem", "Y");
	for (i = 0; i < ARRAY_SIZE(chosen); i++) {
		snprintf(path, sizeof(path), "%s%s", kind, chosen[i].path);
		must(read_file(path, chosen[i].old, sizeof(chosen[i].old)));
		write_file(path, chosen[i].value);
	}
	chosen_kind = kind;
}

/* All is as it was before faults_enable(). */
helper void faults_disable(void)
{
	size_t i;

	for (i = 0; chosen_kind && i < ARRAY_SIZE(chosen); i++)
		faults_set(chosen_kind, chosen[i].path, chosen[i].old);
	chosen_kind = NULL;
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		write_file(settings[i].path, settings[i].old);
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
