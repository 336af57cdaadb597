// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * GCHEAP_TRACE=1: a line for each collection, in the manner of Go's gctrace.
 *
 * The process that made the heap prints, and its children of fork: each
 * collection is printed once among them, by whoever is first to hear of it from
 * a call into the kernel.  They share the number of the last one printed, in a
 * page of shared memory; raising it is the right to print.
 *
 * When the heap's maker closes it, two lines tell how often stopping all threads and
 * letting them go took how long.
 *
 * GCHEAP_TRACE=/FILE: a line of JSON for each collection goes there instead, which is how
 * gcheap trace learns of them.  The file is opened anew for each, as a program may close
 * descriptors that it knows nothing of, and write to others of the same number.  It is made
 * when a heap is, and never later: then the program may have another user, or another root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "say.h"
#include "trace.h"

/* The last one is for all that took longer. */
#define BUCKETS		24

#define PATH_SIZE	512

/**
 * struct gch_trace - what processes that print collections of a heap share
 * @done: number of the last collection printed
 * @maker: process that made the heap
 * @path: file that lines of JSON go to, or empty
 * @stops: collections by the time that stopping took: entry i is for less than
 *	2^(i+1) microseconds and no less than half of that
 * @releases: the same for letting go
 */
struct gch_trace {
	__u64 done;
	pid_t maker;
	char path[PATH_SIZE];
	__u32 stops[BUCKETS];
	__u32 releases[BUCKETS];
};

/* The first time that tracing does not work: the program is not to break because of it. */
static void complain(const char *value, const char *why)
{
	static bool said;
	char line[256];
	int n;

	if (__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		return;
	n = snprintf(line, sizeof(line), "gcheap: GCHEAP_TRACE=%.80s: no line is written: %s\n",
		     value, why);
	gch_say(STDERR_FILENO, line, n);
}

static int open_file(const char *path, int flags)
{
	flags |= O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

/* One that there is may be a link, to /proc/self/fd/2, say; none is followed to make a file. */
static void make_file(const char *path)
{
	int fd = open_file(path, 0);

	if (fd < 0 && errno == ENOENT)
		fd = open_file(path, O_CREAT | O_NOFOLLOW);
	if (fd < 0)
		complain(path, strerror(errno));
	else
		syscall(SYS_close, fd);
}

/* Whether there is something to trace to; nothing, and 0, are like no variable. */
static bool is_usable(const char *value)
{
	if (!value || !*value || !strcmp(value, "0"))
		return false;
	if (!strcmp(value, "1") || (*value == '/' && strlen(value) < PATH_SIZE))
		return true;
	complain(value, "it is not 1, or a path from / on of less than 512 bytes");
	return false;
}

/**
 * gch_trace_start() - look whether the heap's collections are to be printed
 * @heap: heap, not yet seen by others
 *
 * Return: 0 or -ENOMEM.
 */
int gch_trace_start(struct gcheap *heap)
{
	const char *value = secure_getenv("GCHEAP_TRACE");
	struct gch_trace *page;

	if (!is_usable(value))
		return 0;
	page = mmap(NULL, sizeof(*heap->traced), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -errno;
	page->maker = getpid();
	if (*value == '/') {
		memcpy(page->path, value, strlen(value));
		make_file(page->path);
	}
	heap->traced = page;
	return 0;
}

static void count(__u32 *buckets, __u64 ns)
{
	__u64 us = ns / 1000;
	int i = 0;

	while ((us /= 2) && i < BUCKETS - 1)
		i++;
	__atomic_fetch_add(&buckets[i], 1, __ATOMIC_RELAXED);
}

static void print_times(const char *what, const __u32 *buckets)
{
	char line[64 + BUCKETS * 32];
	int i, n;

	n = snprintf(line, sizeof(line), "gc %s by time:", what);
	for (i = 0; i < BUCKETS; i++)
		if (buckets[i])
			n += snprintf(line + n, sizeof(line) - n, " %u below %u us,",
				      buckets[i], 2u << i);
	line[n - 1] = '\n';
	gch_say(STDERR_FILENO, line, n);
}

/**
 * gch_trace_stop() - print what is missing, and no more
 * @heap: heap, not used by others any more
 */
void gch_trace_stop(struct gcheap *heap)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	if (!heap->traced)
		return;
	if (!gch_call(heap, GCHEAP_IOC_STATS, &stats)) {
		gch_trace_print(heap, stats.num_gc);
		if (stats.num_gc)
			count(heap->traced->releases, stats.cycle.release_ns);
	}
	if (heap->traced->done && heap->traced->maker == getpid() && !*heap->traced->path) {
		print_times("stops", heap->traced->stops);
		print_times("releases", heap->traced->releases);
	}
	munmap(heap->traced, sizeof(*heap->traced));
	heap->traced = NULL;
}

static double ms(__u64 ns)
{
	return (double)ns / 1e6;
}

static int format_cycle(char *line, size_t size, const struct gcheap_cycle *c)
{
	const bool small = c->before < (10u << 20) && c->goal < (10u << 20);
	const char *unit = small ? "KB" : "MB";
	const int shift = small ? 10 : 20;
	int n;

	n = snprintf(line, size, "gc %llu @%.3fs: %.3f+%.3f+%.3f ms stop/mark/sweep",
		     c->number, (double)c->start_ns / 1e9,
		     ms(c->stop_ns), ms(c->mark_ns), ms(c->sweep_ns));
	n += snprintf(line + n, size - n, ", pause %.3f ms, release %.3f ms",
		      ms(c->pause_ns), ms(c->release_ns));
	n += snprintf(line + n, size - n, ", %llu->%llu->%llu %s, goal %llu %s",
		      c->before >> shift, c->after >> shift, c->live >> shift, unit,
		      c->goal >> shift, unit);
	n += snprintf(line + n, size - n, ", %u threads, %u processes", c->threads, c->processes);
	n += snprintf(line + n, size - n, ", roots %llu KB read %llu KB skipped",
		      c->root_bytes >> 10, c->root_skipped >> 10);
	if (c->concurrent_ns)
		n += snprintf(line + n, size - n,
			      ", %.3f ms beside the program, %u pauses, %llu pages written, %u assists",
			      ms(c->concurrent_ns), c->pauses, c->dirty_pages, c->assists);
	n += snprintf(line + n, size - n, "%s\n",
		      c->forced ? ", forced" : c->minor ? ", minor" : "");
	return n;
}

/*
 * Where a pipe is full, or nobody reads it, the line is lost.  The base tells the heaps of a
 * process apart.
 */
static void tell_file(const struct gcheap *heap, const struct gcheap_cycle *c)
{
	const struct {
		const char *name;
		__u64 value;
	} fields[] = {
		{ "number", c->number }, { "start_ns", c->start_ns },
		{ "stop_ns", c->stop_ns }, { "mark_ns", c->mark_ns },
		{ "sweep_ns", c->sweep_ns }, { "pause_ns", c->pause_ns },
		{ "before", c->before }, { "after", c->after }, { "live", c->live },
		{ "goal", c->goal }, { "root_bytes", c->root_bytes },
		{ "root_skipped", c->root_skipped }, { "threads", c->threads },
		{ "processes", c->processes }, { "forced", c->forced },
		{ "pauses", c->pauses }, { "roots_ns", c->roots_ns },
		{ "dirty_ns", c->dirty_ns }, { "flip_ns", c->flip_ns },
		{ "concurrent_ns", c->concurrent_ns }, { "dirty_pages", c->dirty_pages },
		{ "floating", c->floating }, { "looks", c->looks },
		{ "assists", c->assists }, { "minor", c->minor },
	};
	char line[1280];	/* more than all numbers at their largest */
	size_t i;
	int n, fd;

	n = snprintf(line, sizeof(line), "{\"pid\":%d,\"heap\":\"0x%llx\"",
		     heap->traced->maker, (unsigned long long)heap->base);
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		n += snprintf(line + n, sizeof(line) - n, ",\"%s\":%llu", fields[i].name,
			      (unsigned long long)fields[i].value);
	n += snprintf(line + n, sizeof(line) - n, "}\n");
	fd = open_file(heap->traced->path, 0);
	if (fd < 0)
		return;
	gch_say(fd, line, n);
	syscall(SYS_close, fd);
}

static void print_cycle(struct gcheap *heap, __u64 number)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats), .want_cycle = number };
	char line[512];	/* more than all numbers at their largest */

	if (gch_call(heap, GCHEAP_IOC_STATS, &stats) || !stats.cycle.number)
		return;
	if (*heap->traced->path) {
		tell_file(heap, &stats.cycle);
		return;
	}
	gch_say(STDERR_FILENO, line, format_cycle(line, sizeof(line), &stats.cycle));
	count(heap->traced->stops, stats.cycle.stop_ns);
	/* Its own release may be under way, the one before is over. */
	stats.want_cycle = number - 1;
	if (number > 1 && !gch_call(heap, GCHEAP_IOC_STATS, &stats) && stats.cycle.number)
		count(heap->traced->releases, stats.cycle.release_ns);
}

/**
 * gch_trace_print() - print the collections up to one that nobody printed yet
 * @heap: heap that is traced
 * @cycle: number of the last collection to print
 *
 * errno stays as it is.
 */
void gch_trace_print(struct gcheap *heap, __u64 cycle)
{
	__u64 done = __atomic_load_n(&heap->traced->done, __ATOMIC_RELAXED);
	int saved = errno;

	while (done < cycle) {
		if (!__atomic_compare_exchange_n(&heap->traced->done, &done, done + 1, true,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		print_cycle(heap, ++done);
	}
	errno = saved;
}
