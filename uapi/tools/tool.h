/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What the subcommands of gcheap share.
 *
 * What other processes have a say in, names of programs and of cgroups, is printed by way of
 * text_safe() only: it may hold what a terminal obeys.  A process that goes away while it is
 * looked at is no error.
 */
#ifndef GCHEAP_TOOL_H
#define GCHEAP_TOOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Of the command's own; trace has its command's, and what env(1) gives. */
#define STATUS_FAILED		1
#define STATUS_USAGE		2
#define STATUS_NOT_RUNNABLE	126
#define STATUS_NOT_FOUND	127

#define TEXT_SIZE	32
#define COMM_SIZE	32
#define GROUP_SIZE	256

/* What fdinfo tells, by the order of heap_keys[] */
enum heap_key {
	KEY_ID,
	KEY_SIZE,
	KEY_LIMIT,
	KEY_LIVE,
	KEY_GOAL,
	KEY_ALLOCATED,
	KEY_RECLAIMED,
	KEY_RESIDENT,
	KEY_FREE,
	KEY_RELEASED,
	KEY_META,
	KEY_PROCESSES,
	KEY_THREADS,
	KEY_CYCLES,
	KEY_PAUSE_LAST,
	KEY_PAUSE_TOTAL,
	KEY_PAUSE_MAX,
	KEY_COLLECTING,
	KEY_HELPED,
	NR_KEYS,
};

enum unit {
	UNIT_COUNT,
	UNIT_BYTES,
	UNIT_NS,
};

/**
 * struct heap_field - a line of fdinfo
 * @name: without "gcheap-"
 * @unit: of its number
 * @means: in some words
 */
struct heap_field {
	const char *name;
	enum unit unit;
	const char *means;
};

extern const struct heap_field heap_fields[NR_KEYS];

/**
 * struct seen_heap - a heap, as one of its descriptors shows it
 * @pid: process that has the descriptor
 * @fd: its number there
 * @comm: name of the process's program, safe to print
 * @group: its memory cgroup, safe to print
 * @known: bit set: there was a line
 * @values: the numbers, in bytes where they are sizes
 */
struct seen_heap {
	pid_t pid;
	int fd;
	char comm[COMM_SIZE];
	char group[GROUP_SIZE];
	uint32_t known;
	uint64_t values[NR_KEYS];
};

/**
 * struct heap_list - heaps, each once
 * @nr: how many
 * @heaps: by ascending number of process
 * @hidden: processes of others, which may not be looked at
 */
struct heap_list {
	size_t nr;
	struct seen_heap *heaps;
	size_t hidden;
};

/* heaps.c */
void heaps_find(struct heap_list *list, const volatile sig_atomic_t *enough);
int heaps_of_process(struct heap_list *list, pid_t pid);
void heaps_free(struct heap_list *list);

/* text.c */
void text_safe(char *to, size_t size, const char *from);
const char *text_bytes(char to[TEXT_SIZE], uint64_t bytes);
const char *text_ns(char to[TEXT_SIZE], uint64_t ns);
bool text_number(const char *text, uint64_t most, uint64_t *value);
bool text_seconds(const char *text, double *value);
int usage_error(const char *usage, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* plot.c */
struct plot;
bool plot_possible(void);
struct plot *plot_new(void);
void plot_add(struct plot *plot, const char *line);
int plot_draw(struct plot *plot, const char *path);

/**
 * struct gaps - collections of heaps that nothing was heard of
 * @nr: how many heaps
 * @room: how many there is room for
 * @heaps: those
 * @missed: of heaps that are no more
 */
struct gaps {
	size_t nr;
	size_t room;
	struct told_heap *heaps;
	uint64_t missed;
};

/* gaps.c */
void gaps_add(struct gaps *gaps, const char *line);
void gaps_end(struct gaps *gaps);

/* cycle.c: a line of JSON, as the library writes it */
bool cycle_field(const char *line, const char *key, uint64_t *value);
bool cycle_heap(const char *line, uint64_t *pid, uint64_t *base);
void cycle_print(FILE *to, const char *line);

int top_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int trace_main(int argc, char **argv);
int doctor_main(int argc, char **argv);

#endif /* GCHEAP_TOOL_H */
