// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Heaps of the machine, from /proc/PID/fdinfo alone: those of processes that the caller may
 * look at.  A heap whose process has closed its descriptor is not seen.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

const struct heap_field heap_fields[NR_KEYS] = {
	[KEY_ID] = { "id", UNIT_COUNT, "number of the heap" },
	[KEY_SIZE] = { "size", UNIT_BYTES, "may become as large" },
	[KEY_LIMIT] = { "limit", UNIT_BYTES, "is collected earlier beyond that, 0: no limit" },
	[KEY_LIVE] = { "live", UNIT_BYTES, "lived at the last collection" },
	[KEY_GOAL] = { "goal", UNIT_BYTES, "where the next collection is due" },
	[KEY_ALLOCATED] = { "allocated", UNIT_BYTES, "ever allocated" },
	[KEY_RECLAIMED] = { "reclaimed", UNIT_BYTES, "ever reclaimed" },
	[KEY_RESIDENT] = { "resident", UNIT_BYTES, "memory held for objects" },
	[KEY_FREE] = { "free", UNIT_BYTES, "of it free" },
	[KEY_RELEASED] = { "released", UNIT_BYTES, "ever given back" },
	[KEY_META] = { "meta", UNIT_BYTES, "memory of the collector" },
	[KEY_PROCESSES] = { "processes", UNIT_COUNT, "processes that use it" },
	[KEY_THREADS] = { "threads", UNIT_COUNT, "threads that have used it" },
	[KEY_CYCLES] = { "cycles", UNIT_COUNT, "collections" },
	[KEY_PAUSE_LAST] = { "pause-last", UNIT_NS, "pause of the last one" },
	[KEY_PAUSE_TOTAL] = { "pause-total", UNIT_NS, "all pauses" },
	[KEY_PAUSE_MAX] = { "pause-max", UNIT_NS, "longest pause" },
	[KEY_COLLECTING] = { "collecting", UNIT_NS, "time spent collecting" },
	[KEY_HELPED] = { "helped", UNIT_NS, "as much of that by idle processors" },
};

/* What the file has, up to @size - 1 bytes; false when it is not to be had. */
static bool read_at(int folder, const char *name, char *text, size_t size)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while (length < size - 1 && (n = read(fd, text + length, size - 1 - length)) > 0)
		length += n;
	text[length] = '\0';
	close(fd);
	return length;
}

/* A line of fdinfo: key, colon, tab, number, unit */
static void parse_line(struct seen_heap *heap, const char *line)
{
	uint64_t value;
	char *unit;
	int i;

	for (i = 0; i < NR_KEYS; i++) {
		size_t length = strlen(heap_fields[i].name);

		if (strncmp(line, heap_fields[i].name, length) ||
		    strncmp(line + length, ":\t", 2))
			continue;
		value = strtoull(line + length + 2, &unit, 10);
		heap->values[i] = strncmp(unit, " KiB", 4) ? value : value * 1024;
		heap->known |= 1u << i;
	}
}

/* Whether it is a heap's */
static bool parse(struct seen_heap *heap, const char *text)
{
	static const char prefix[] = "\ngcheap-";
	const char *line = text;

	while ((line = strstr(line, prefix))) {
		line += strlen(prefix);
		parse_line(heap, line);
	}
	return heap->known & 1u << KEY_ID;
}

/*
 * The path of the cgroup that has a controller, or of the one of version 2 for "", or NULL.
 * A line is a number, controllers with commas in between, and the path, which may hold anything.
 */
static const char *find_group(const char *line, const char *controller)
{
	const size_t length = strlen(controller);

	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		line += strspn(line, "0123456789");
		do {
			const char *name = line + (*line == ':' || *line == ',');

			line = name + strcspn(name, ",:\n");
			if (line != name + length || strncmp(name, controller, length))
				continue;
			line = strchr(line, ':');
			return line ? line + 1 : NULL;
		} while (*line == ',');
	}
	return NULL;
}

static void describe_process(struct seen_heap *heap, int folder)
{
	const char *group;
	char text[4096];

	if (read_at(folder, "comm", text, sizeof(text)))
		text_safe(heap->comm, sizeof(heap->comm), text);
	if (!read_at(folder, "cgroup", text, sizeof(text)))
		return;
	group = find_group(text, "memory");
	if (!group)
		group = find_group(text, "");
	if (group)
		text_safe(heap->group, sizeof(heap->group), group);
}

static struct seen_heap *find_id(const struct heap_list *list, uint64_t id)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (list->heaps[i].values[KEY_ID] == id)
			return &list->heaps[i];
	return NULL;
}

static void add(struct heap_list *list, const struct seen_heap *heap)
{
	struct seen_heap *more;

	if (find_id(list, heap->values[KEY_ID]))
		return;
	more = realloc(list->heaps, (list->nr + 1) * sizeof(*more));
	if (!more) {
		perror("gcheap");
		exit(STATUS_FAILED);
	}
	list->heaps = more;
	list->heaps[list->nr++] = *heap;
}

/* Sockets, pipes and the like are no device's, and are most of what there is. */
static bool may_be_heap(int folder, const char *number)
{
	char path[300], target[8];

	snprintf(path, sizeof(path), "fd/%s", number);
	return readlinkat(folder, path, target, sizeof(target)) > 0 && target[0] == '/';
}

static void look_at(struct heap_list *list, int folder, pid_t pid, const char *number)
{
	struct seen_heap heap = { .pid = pid, .fd = atoi(number) };
	char path[300], text[4096];

	if (!may_be_heap(folder, number))
		return;
	snprintf(path, sizeof(path), "fdinfo/%s", number);
	if (!read_at(folder, path, text, sizeof(text)) || !parse(&heap, text))
		return;
	describe_process(&heap, folder);
	add(list, &heap);
}

static DIR *open_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

/**
 * heaps_of_process() - add what a process has
 * @list: list
 * @pid: process
 *
 * Return: 0, -ESRCH or -EACCES.
 */
int heaps_of_process(struct heap_list *list, pid_t pid)
{
	struct dirent *entry;
	char path[32];
	DIR *dir, *fds;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	dir = open_folder(AT_FDCWD, path);
	if (!dir)
		return -ESRCH;
	fds = open_folder(dirfd(dir), "fd");
	if (!fds)
		err = errno == EACCES || errno == EPERM ? -EACCES : -ESRCH;
	while (fds && (entry = readdir(fds)))
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at(list, dirfd(dir), pid, entry->d_name);
	if (fds)
		closedir(fds);
	closedir(dir);
	return err;
}

/**
 * heaps_find() - all heaps of processes that one may look at
 * @list: filled in; heaps_free() follows
 * @enough: it looks no further once that is set
 */
void heaps_find(struct heap_list *list, const volatile sig_atomic_t *enough)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	*list = (struct heap_list) {};
	if (!proc) {
		perror("gcheap: /proc");
		exit(STATUS_FAILED);
	}
	while (!*enough && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    heaps_of_process(list, atoi(entry->d_name)) == -EACCES)
			list->hidden++;
	closedir(proc);
}

/**
 * heaps_free() - undo heaps_find()
 * @list: list
 */
void heaps_free(struct heap_list *list)
{
	free(list->heaps);
	*list = (struct heap_list) {};
}
