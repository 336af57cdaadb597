// SPDX-License-Identifier: MIT OR GPL-2.0
/* Numbers and names as people read them. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tool.h"

/**
 * text_safe() - a name that others have chosen, without what a terminal may obey
 * @to: where
 * @size: of it
 * @from: the name, up to its end or a line's
 */
void text_safe(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i] && from[i] != '\n'; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

/**
 * text_bytes() - a size with three or four digits
 * @to: where
 * @bytes: size
 *
 * Return: @to.
 */
const char *text_bytes(char to[TEXT_SIZE], uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	double value = bytes;
	int unit = 0;

	while (value >= 999.5 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	snprintf(to, TEXT_SIZE, unit && value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return to;
}

/**
 * text_ns() - a time with three or four digits
 * @to: where
 * @ns: time
 *
 * Return: @to.
 */
const char *text_ns(char to[TEXT_SIZE], uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = ns;
	int unit = 0;

	while (value >= 999.5 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(to, TEXT_SIZE, unit && value < 99.95 ? "%.1f%s" : "%.0f%s", value, units[unit]);
	return to;
}

/**
 * text_number() - a positive number that somebody has typed
 * @text: all of it
 * @most: largest that is valid
 * @value: out
 *
 * Return: whether it is one.
 */
bool text_number(const char *text, uint64_t most, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && !*end && *value && *value <= most;
}

/**
 * text_seconds() - a time that somebody has typed, a tenth of a second to a day
 * @text: all of it
 * @value: out
 *
 * Return: whether it is one.
 */
bool text_seconds(const char *text, double *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	*value = strtod(text, &end);
	return !*end && *value >= 0.1 && *value <= 86400;
}

/**
 * usage_error() - say what is wrong with the arguments, and what would be right
 * @usage: the subcommand's usage, whose first line is printed
 * @format: what is wrong; as printf(); NULL: getopt() has said so
 *
 * Return: STATUS_USAGE.
 */
int usage_error(const char *usage, const char *format, ...)
{
	const char *end = usage;
	va_list arguments;

	if (format) {
		fputs("gcheap: ", stderr);
		va_start(arguments, format);
		vfprintf(stderr, format, arguments);
		va_end(arguments);
		fputc('\n', stderr);
	}
	while (*end && *end != '\n')
		end++;
	fprintf(stderr, "%.*s\n", (int)(end - usage), usage);
	return STATUS_USAGE;
}
