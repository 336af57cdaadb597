// SPDX-License-Identifier: MIT OR GPL-2.0
/* A collection, as the library tells of it: one line of JSON, with numbers only. */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* Behind a key's colon, or NULL */
static const char *find(const char *line, const char *key)
{
	char start[48];
	const char *found;

	snprintf(start, sizeof(start), "\"%s\":", key);
	found = strstr(line, start);
	return found ? found + strlen(start) : NULL;
}

/**
 * cycle_field() - a number of a collection
 * @line: line of JSON
 * @key: its name, as in struct gcheap_cycle
 * @value: out; 0 when the line has none
 *
 * Return: whether the line has one.
 */
bool cycle_field(const char *line, const char *key, uint64_t *value)
{
	const char *found = find(line, key);

	*value = found ? strtoull(found, NULL, 10) : 0;
	return found;
}

/**
 * cycle_heap() - which heap a collection was of
 * @line: line of JSON
 * @pid: out: process that made it
 * @base: out: its address there
 *
 * Return: whether it is a line of the library's.
 */
bool cycle_heap(const char *line, uint64_t *pid, uint64_t *base)
{
	const char *found = find(line, "heap");

	if (line[0] != '{' || line[strlen(line) - 1] != '}' || !found || *found != '"')
		return false;
	*base = strtoull(found + 1, NULL, 16);
	return cycle_field(line, "pid", pid);
}

static uint64_t number(const char *line, const char *key)
{
	uint64_t value;

	cycle_field(line, key, &value);
	return value;
}

static const char *time_of(const char *line, const char *key, char text[TEXT_SIZE])
{
	return text_ns(text, number(line, key));
}

static const char *size_of(const char *line, const char *key, char text[TEXT_SIZE])
{
	uint64_t bytes = number(line, key);

	return bytes == UINT64_MAX ? "none" : text_bytes(text, bytes);
}

/**
 * cycle_print() - a line for people
 * @to: where
 * @line: line of JSON
 */
void cycle_print(FILE *to, const char *line)
{
	char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE], d[TEXT_SIZE];

	fprintf(to, "gc %llu of process %llu at %.3fs: pause %s (stop %s, roots %s)",
		(unsigned long long)number(line, "number"),
		(unsigned long long)number(line, "pid"), number(line, "start_ns") / 1e9,
		time_of(line, "pause_ns", a), time_of(line, "stop_ns", b),
		time_of(line, "roots_ns", c));
	if (number(line, "concurrent_ns"))
		fprintf(to, ", %s beside the program", time_of(line, "concurrent_ns", a));
	fprintf(to, ", heap %s->%s, live %s, goal %s", size_of(line, "before", a),
		size_of(line, "after", b), size_of(line, "live", c), size_of(line, "goal", d));
	fprintf(to, ", %llu threads, %llu processes%s\n",
		(unsigned long long)number(line, "threads"),
		(unsigned long long)number(line, "processes"),
		number(line, "forced") ? ", forced" : number(line, "minor") ? ", minor" : "");
}
