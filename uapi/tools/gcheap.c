// SPDX-License-Identifier: MIT OR GPL-2.0
/* gcheap: looks at garbage-collected heaps.  Each subcommand is a file of its own. */
#include <gcheap_version.h>
#include <string.h>

#include "tool.h"

static const char usage[] =
"usage: gcheap COMMAND [ARGUMENT...]\n"
"\n"
"  top       all heaps of the machine, again and again\n"
"  stat      one process's heaps: statistics, and sizes of objects\n"
"  trace     run a program, and tell of each collection\n"
"  doctor    whether programs can have heaps here, and what is missing\n"
"  help      this text\n"
"  --version tells which version this is\n"
"\n"
"gcheap COMMAND --help tells more of each; so does gcheap(1).\n"
"Exit status: 0, 1 when it failed, 2 when the arguments are wrong.\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "top", top_main },
	{ "stat", stat_main },
	{ "trace", trace_main },
	{ "doctor", doctor_main },
};

static int run(int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return usage_error(usage, "no command");
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(usage, stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("gcheap " GCHEAP_VERSION_STRING);
		return 0;
	}
	return usage_error(usage, "no such command: %s", argv[1]);
}

/* Who reads it must be able to tell that it is not all. */
int main(int argc, char **argv)
{
	int status = run(argc, argv);

	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fputs("gcheap: the output could not be written\n", stderr);
	return status ? status : STATUS_FAILED;
}
