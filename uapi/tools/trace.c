// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * gcheap trace: runs a program whose heaps tell of their collections.
 *
 * They do so by a pipe with a name, in a folder that only its owner may enter, which the
 * library finds in GCHEAP_TRACE; so do all that the program runs.  It ends with the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
"usage: gcheap trace [--json] [-o FILE] [--plot FILE.svg] [--] COMMAND [ARGUMENT...]\n"
"\n"
"Runs a program, and prints a line for each collection of its heaps, and of those of the\n"
"programs that it runs.\n"
"\n"
"  -j, --json           lines of JSON: struct gcheap_cycle of <linux/gcheap.h>\n"
"  -o, --output FILE    where to; without it, to stderr\n"
"  -p, --plot FILE.svg  also draw a picture of the heap, its goal, what lives, and pauses;\n"
"                       takes gnuplot\n"
"  -h, --help           this text\n"
"\n"
"Exit status: the command's; 128 and the signal's number when that has ended it; 126 and 127\n"
"when it cannot be run, or not be found.\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "output", required_argument, NULL, 'o' },
	{ "plot", required_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

#define PIPE_BYTES	1048576

/**
 * struct tracing - a program that runs
 * @json: print lines as they come
 * @picture: file to draw, or NULL
 * @to: where lines go
 * @plot: what is to be drawn
 * @folder: has the pipe
 * @pipe: the pipe's path
 * @fd: the pipe
 * @child: the program
 * @heard: collections
 * @used: bytes in @text
 * @text: what came and is no whole line yet
 */
struct tracing {
	bool json;
	const char *picture;
	FILE *to;
	struct plot *plot;
	char folder[512];
	char pipe[528];
	int fd;
	pid_t child;
	uint64_t heard;
	size_t used;
	char text[65536];
};

static void hear_line(struct tracing *t, char *line)
{
	uint64_t pid, base;

	if (!*line || !cycle_heap(line, &pid, &base))
		return;
	t->heard++;
	if (t->json)
		fprintf(t->to, "%s\n", line);
	else
		cycle_print(t->to, line);
	fflush(t->to);
	if (t->plot)
		plot_add(t->plot, line);
}

/* Whole lines; a part of one stays for the next time. */
static void hear_lines(struct tracing *t)
{
	char *line = t->text, *end;

	while ((end = memchr(line, '\n', t->text + t->used - line))) {
		*end = '\0';
		hear_line(t, line);
		line = end + 1;
	}
	t->used -= line - t->text;
	memmove(t->text, line, t->used);
	if (t->used == sizeof(t->text))
		t->used = 0;
}

static void hear(struct tracing *t)
{
	ssize_t n;

	while ((n = read(t->fd, t->text + t->used, sizeof(t->text) - t->used)) > 0) {
		t->used += n;
		hear_lines(t);
	}
}

static bool make_pipe(struct tracing *t)
{
	const char *folder = getenv("TMPDIR");

	if (!folder || *folder != '/' || strlen(folder) > 400)
		folder = "/tmp";
	snprintf(t->folder, sizeof(t->folder), "%s/gcheap-XXXXXX", folder);
	if (!mkdtemp(t->folder)) {
		fprintf(stderr, "gcheap: %s: %s\n", folder, strerror(errno));
		return false;
	}
	snprintf(t->pipe, sizeof(t->pipe), "%s/pipe", t->folder);
	if (!mkfifo(t->pipe, 0600)) {
		/* Open at both ends: then it never ends, and nobody fails to open it. */
		t->fd = open(t->pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (t->fd >= 0) {
			fcntl(t->fd, F_SETPIPE_SZ, PIPE_BYTES);
			return true;
		}
		unlink(t->pipe);
	}
	perror("gcheap: a pipe");
	rmdir(t->folder);
	return false;
}

static void remove_pipe(struct tracing *t)
{
	close(t->fd);
	unlink(t->pipe);
	rmdir(t->folder);
}

static volatile sig_atomic_t child_to_end;

/* Who ends us means the program; then we end with it. */
static void pass_on(int signal)
{
	if (child_to_end)
		kill(child_to_end, signal);
}

static void nothing(int signal)
{
	(void)signal;
}

/* What is typed at the terminal reaches the program by itself. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = nothing;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
}

static bool start(struct tracing *t, char **command)
{
	t->child = fork();
	if (t->child < 0) {
		perror("gcheap: fork");
		return false;
	}
	if (!t->child) {
		setenv("GCHEAP_TRACE", t->pipe, 1);
		execvp(command[0], command);
		fprintf(stderr, "gcheap: %s: %s\n", command[0], strerror(errno));
		_exit(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUNNABLE);
	}
	child_to_end = t->child;
	return true;
}

/* Until the program has ended */
static int follow(struct tracing *t)
{
	struct pollfd fds[2] = {
		{ .fd = t->fd, .events = POLLIN },
		{ .fd = syscall(SYS_pidfd_open, t->child, 0), .events = POLLIN },
	};
	int status;

	while (!fds[1].revents && fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0)
			fds[1].revents = 0;
		hear(t);
	}
	while (waitpid(t->child, &status, 0) < 0 && errno == EINTR)
		;
	child_to_end = 0;
	hear(t);
	close(fds[1].fd);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(struct tracing *t, char **command)
{
	int status = STATUS_FAILED;

	if (!make_pipe(t))
		return status;
	if (t->picture)
		t->plot = plot_new();
	catch_signals();
	if (start(t, command))
		status = follow(t);
	remove_pipe(t);
	if (!t->heard && status != STATUS_NOT_FOUND && status != STATUS_NOT_RUNNABLE)
		fputs("gcheap: no collection: none was due, or the program has no heap\n", stderr);
	if (t->plot && plot_draw(t->plot, t->picture) && !status)
		status = STATUS_FAILED;
	return status;
}

static bool is_svg(const char *path)
{
	size_t length = strlen(path);

	return length > 4 && !strcmp(path + length - 4, ".svg") && !strpbrk(path, "\n\r");
}

static int check_picture(const struct tracing *t)
{
	if (!t->picture)
		return 0;
	if (!is_svg(t->picture))
		return usage_error(usage, "not the name of an .svg file: %s", t->picture);
	if (plot_possible())
		return 0;
	fputs("gcheap: there is no gnuplot to draw with: install gnuplot-nox\n", stderr);
	return STATUS_FAILED;
}

int trace_main(int argc, char **argv)
{
	static struct tracing t;
	const char *output = NULL;
	int c;

	t.to = stderr;
	/* What follows the command is the command's. */
	while ((c = getopt_long(argc, argv, "+jo:p:h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			t.json = true;
			break;
		case 'o':
			output = optarg;
			break;
		case 'p':
			t.picture = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return usage_error(usage, NULL);
		}
	}
	if (optind == argc)
		return usage_error(usage, "no command to run");
	c = check_picture(&t);
	if (c)
		return c;
	if (output) {
		t.to = fopen(output, "we");
		if (!t.to) {
			fprintf(stderr, "gcheap: %s: %s\n", output, strerror(errno));
			return STATUS_FAILED;
		}
	}
	return run(&t, argv + optind);
}
