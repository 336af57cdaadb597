/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What may be watched of a heap, read in an instance of tracefs of a test's own, where no other
 * events are.
 */
#ifndef SELFTESTS_EVENTS_H
#define SELFTESTS_EVENTS_H

#include <sys/stat.h>

#include "common.h"

#define TRACING		"/sys/kernel/tracing/"

/**
 * struct watched - what is watched
 * @instance: folder of the instance; empty: there is none
 * @text: all events so far, when they were last looked at
 * @size: room in @text
 */
struct watched {
	char instance[96];
	char *text;
	size_t size;
};

/* @which: an event, as a folder of tracefs, or "" for all.  False where there is no tracefs. */
helper bool watch_begin(struct watched *w, const char *which)
{
	char path[192];

	*w = (struct watched) {};
	if (access(TRACING "events/gcheap", F_OK))
		return false;
	snprintf(w->instance, sizeof(w->instance), TRACING "instances/gcheap-%d", getpid());
	/* Another process of that number may have ended by itself. */
	rmdir(w->instance);
	must(!mkdir(w->instance, 0700));
	w->size = 4 * MIB;
	w->text = malloc(w->size);
	must(w->text);
	snprintf(path, sizeof(path), "%s/events/gcheap/%s/enable", w->instance, which);
	must(write_to(path, "1"));
	return true;
}

/* False when the instance cannot be taken away. */
helper bool watch_end(struct watched *w)
{
	free(w->text);
	return !w->instance[0] || !rmdir(w->instance);
}

/* All events so far */
helper void watch_look(struct watched *w)
{
	size_t length = 0;
	char path[160];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/trace", w->instance);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	while ((n = read(fd, w->text + length, w->size - 1 - length)) > 0)
		length += n;
	must(!n && length < w->size - 1);
	w->text[length] = '\0';
	close(fd);
}

/* The next event of a name and of a heap, behind the one before; NULL for none */
helper const char *next_event(const char *text, const char *name, long heap)
{
	char start[64];

	snprintf(start, sizeof(start), ": gcheap_%s: heap=%ld ", name, heap);
	text = strstr(text, start);
	return text ? text + 1 : NULL;
}

helper const char *last_event_of(const struct watched *w, const char *name, long heap)
{
	const char *found = NULL, *next = w->text;

	while ((next = next_event(next, name, heap)))
		found = next;
	return found;
}

helper const char *word_of(const char *event, const char *key)
{
	const char *end = strchrnul(event, '\n'), *found;
	char start[32];

	snprintf(start, sizeof(start), " %s=", key);
	found = strstr(event, start);
	must(found && found < end);
	return found + strlen(start);
}

helper long number_of(const char *event, const char *key)
{
	return strtol(word_of(event, key), NULL, 10);
}

#endif /* SELFTESTS_EVENTS_H */
