// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * GCHEAP_PERCENT, GCHEAP_LIMIT, GCHEAP_SIZE: what the user sets for a program that
 * is not his own, as Go's GOGC and GOMEMLIMIT.
 *
 * The program knows better: they are the defaults of what it leaves open.  Values are
 * the same in all locales.  One that is not understood is said on stderr, once, and
 * is not used: the user did not write the program, and it must not break because of
 * him; nor should he believe in a limit that is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "environment.h"
#include "machine.h"
#include "say.h"

/* The end of a value: what it is counted in */
struct unit {
	const char *name;
	unsigned int shift;
};

static const struct unit units[] = {
	{ "", 0 }, { "B", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 },
};

/* Digits, at least one; returns what follows, or NULL when it is too much. */
static const char *parse_number(const char *text, __u64 *value)
{
	const char *end = text;

	for (*value = 0; *end >= '0' && *end <= '9'; end++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *end - '0', value))
			return NULL;
	return end > text ? end : NULL;
}

static bool apply_unit(const char *name, __u64 *value)
{
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(name, units[i].name))
			return !__builtin_mul_overflow(*value, 1ull << units[i].shift, value);
	return false;
}

/* Bytes, in a unit, or a part of the memory that the process may have */
static bool parse_bytes(const char *text, __u64 *bytes)
{
	const char *unit = parse_number(text, bytes);

	if (!unit)
		return false;
	if (strcmp(unit, "%"))
		return apply_unit(unit, bytes);
	if (*bytes > 100)
		return false;
	*bytes = gch_memory_bytes() / 100 * *bytes;
	return true;
}

static bool parse_size(const char *text, struct gcheap_options *opts)
{
	__u64 bytes;

	if (!parse_bytes(text, &bytes) || bytes < GCHEAP_SIZE_MIN || bytes > GCHEAP_SIZE_MAX)
		return false;
	opts->size = bytes;
	return true;
}

static bool parse_limit(const char *text, struct gcheap_options *opts)
{
	__u64 bytes = 0;

	if (strcmp(text, "off") && !parse_bytes(text, &bytes))
		return false;
	opts->limit = bytes;
	return true;
}

/* As in gcheap_set_percent(), 0 is taken as 1: it is not the default. */
static bool parse_percent(const char *text, struct gcheap_options *opts)
{
	const char *unit;
	__u64 percent;

	if (!strcmp(text, "off")) {
		opts->percent = -1;
		return true;
	}
	unit = parse_number(text, &percent);
	if (!unit || (strcmp(unit, "") && strcmp(unit, "%")) || percent > GCHEAP_PERCENT_MAX)
		return false;
	opts->percent = percent ? percent : 1;
	return true;
}

/**
 * struct variable - a variable of the environment
 * @name: its name
 * @wanted: what it may be
 * @parse: set the option from its value; false when that is not understood
 * @said: the user knows that it is not
 */
struct variable {
	const char *name;
	const char *wanted;
	bool (*parse)(const char *text, struct gcheap_options *opts);
	bool said;
};

/* A program without stderr is not told. */
static void complain(struct variable *variable, const char *value)
{
	char line[256];
	int n;

	if (__atomic_exchange_n(&variable->said, true, __ATOMIC_RELAXED))
		return;
	n = snprintf(line, sizeof(line), "gcheap: %s=%.80s is not used: it is not %s\n",
		     variable->name, value, variable->wanted);
	gch_say(STDERR_FILENO, line, n);
}

/* Programs that have more rights than their user are not his to set up. */
static void use(struct variable *variable, struct gcheap_options *opts)
{
	const char *value = secure_getenv(variable->name);

	if (value && *value && !variable->parse(value, opts))
		complain(variable, value);
}

/**
 * gch_environment() - set options that the program has left open
 * @opts: options; those that are zero are set when the environment says how
 */
void gch_environment(struct gcheap_options *opts)
{
	static struct variable percent = {
		.name = "GCHEAP_PERCENT",
		.wanted = "0 to 100000, or off",
		.parse = parse_percent,
	};
	static struct variable limit = {
		.name = "GCHEAP_LIMIT",
		.wanted = "bytes, as 64MiB, a part of memory, as 50%, or off",
		.parse = parse_limit,
	};
	static struct variable size = {
		.name = "GCHEAP_SIZE",
		.wanted = "1MiB to 1TiB, or a part of memory, as 50%",
		.parse = parse_size,
	};

	if (!opts->percent)
		use(&percent, opts);
	if (!opts->limit)
		use(&limit, opts);
	if (!opts->size)
		use(&size, opts);
}
