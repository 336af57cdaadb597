// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * gcheap stat: what fdinfo tells of a process's heaps; and what only the heap itself does,
 * its statistics, by way of a copy of the process's descriptor (pidfd_getfd(2)), which takes
 * the permission to trace the process.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/gcheap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
"usage: gcheap stat PID\n"
"\n"
"Prints what is known of each heap that a process has: memory, collections, pauses; and, if\n"
"one may trace the process, how many objects of each size were allocated and reclaimed.\n"
"\n"
"  -h, --help           this text\n";

static const struct option options[] = {
	{ "help", no_argument, NULL, 'h' },
	{}
};

/* The kernel has fewer. */
#define CLASSES		256

static void print_fields(const struct seen_heap *heap)
{
	char text[TEXT_SIZE];
	int i;

	for (i = 0; i < NR_KEYS; i++) {
		uint64_t value = heap->values[i];

		if (!(heap->known & 1u << i))
			continue;
		if (heap_fields[i].unit == UNIT_BYTES)
			text_bytes(text, value);
		else if (heap_fields[i].unit == UNIT_NS)
			text_ns(text, value);
		else
			snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
		printf("  %-12s %10s  %s\n", heap_fields[i].name, text, heap_fields[i].means);
	}
}

/* Another file may have got the number: no call of a heap's is to reach it.  0 or an errno */
static int check_heap(int fd)
{
	struct stat file, device;

	if (fstat(fd, &file) || stat("/dev/gcheap", &device))
		return errno;
	return S_ISCHR(file.st_mode) && file.st_rdev == device.st_rdev ? 0 : ESRCH;
}

/* A copy of the descriptor, or -1 with errno */
static int borrow(const struct seen_heap *heap)
{
	int process = syscall(SYS_pidfd_open, heap->pid, 0);
	int fd = -1, err;

	if (process < 0)
		return -1;
	fd = syscall(SYS_pidfd_getfd, process, heap->fd, 0);
	err = errno;
	close(process);
	if (fd >= 0) {
		err = check_heap(fd);
		if (err) {
			close(fd);
			fd = -1;
		}
	}
	errno = err;
	return fd;
}

static void print_class(const struct gcheap_class_stats *class)
{
	unsigned long long objects = class->mallocs - class->frees;
	char size[TEXT_SIZE], bytes[TEXT_SIZE];

	if (!class->mallocs)
		return;
	printf("  %8s %14llu %14llu %14llu %8s\n",
	       class->object_size ? text_bytes(size, class->object_size) : "larger",
	       (unsigned long long)class->mallocs, (unsigned long long)class->frees, objects,
	       class->object_size ? text_bytes(bytes, objects * class->object_size) : "");
}

static void print_classes(const struct gcheap_ioc_stats *stats,
			  const struct gcheap_class_stats *classes)
{
	char alloc[TEXT_SIZE], inuse[TEXT_SIZE], idle[TEXT_SIZE];
	uint32_t i;

	printf("  %llu objects of %s; %s in use, %s idle; %llu of %llu collections asked for\n",
	       (unsigned long long)stats->heap_objects, text_bytes(alloc, stats->heap_alloc),
	       text_bytes(inuse, stats->heap_inuse), text_bytes(idle, stats->heap_idle),
	       (unsigned long long)stats->num_forced_gc, (unsigned long long)stats->num_gc);
	printf("  %8s %14s %14s %14s %8s\n", "SIZE", "ALLOCATED", "RECLAIMED", "OBJECTS",
	       "BYTES");
	for (i = 0; i < stats->class_count && i < CLASSES; i++)
		print_class(&classes[i]);
}

static void print_statistics(const struct seen_heap *heap)
{
	static struct gcheap_class_stats classes[CLASSES];
	struct gcheap_ioc_stats stats = {
		.size = sizeof(stats),
		.classes = (uintptr_t)classes,
		.class_capacity = CLASSES,
	};
	int fd = borrow(heap);

	if (fd < 0 && errno == EPERM) {
		printf("  sizes of objects: only who may trace the process is told\n");
		return;
	}
	if (fd < 0 && errno == ENOENT) {
		printf("  sizes of objects: there is no /dev/gcheap to ask for them\n");
		return;
	}
	if (fd < 0 || ioctl(fd, GCHEAP_IOC_STATS, &stats))
		printf("  sizes of objects: %s\n", strerror(errno));
	else
		print_classes(&stats, classes);
	if (fd >= 0)
		close(fd);
}

static int print_process(pid_t pid)
{
	struct heap_list list = {};
	int err = heaps_of_process(&list, pid);
	size_t i;

	for (i = 0; i < list.nr; i++) {
		const struct seen_heap *heap = &list.heaps[i];

		printf("%sprocess %d (%s), descriptor %d\n", i ? "\n" : "", heap->pid, heap->comm,
		       heap->fd);
		print_fields(heap);
		print_statistics(heap);
	}
	if (err)
		fprintf(stderr, "gcheap: process %d: %s\n", pid, strerror(-err));
	else if (!list.nr)
		fprintf(stderr, "gcheap: process %d has no descriptor of a heap\n", pid);
	err = err || !list.nr;
	heaps_free(&list);
	return err ? STATUS_FAILED : 0;
}

int stat_main(int argc, char **argv)
{
	uint64_t pid;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h')
			return usage_error(usage, NULL);
		fputs(usage, stdout);
		return 0;
	}
	if (argc - optind != 1)
		return usage_error(usage, "one number of a process is wanted");
	if (!text_number(argv[optind], 1u << 30, &pid))
		return usage_error(usage, "not a number of a process: %s", argv[optind]);
	return print_process(pid);
}
