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
"  -j, --json           lines of JSON: struct gcheap_cycle of <linux/gcheap.h>, but for\n"
"                       release_ns\n"
"  -o, --output FILE    where to; without it, to stderr\n"
"  -p, --plot FILE.svg  also draw a picture of the heap, its goal, what lives, and pauses;\n"
"                       takes gnuplot\n"
"  -h, --help           this text\n"
"\n"
"Exit status: the command's; 128 and the signal's number when that has ended it; 126 and 127\n"
"when it cannot be run, or not be found.  It is 1 when the command has succeeded, and lines\n"
"could not be written or the picture not be drawn, or there was nothing to draw.\n";

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
 * @output: its name, or NULL: it is stderr
 * @err: errno of the first line that could not be written, or 0
 * @plot: what is to be drawn
 * @gaps: which lines did not come
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
	const char *output;
	int err;
	struct plot *plot;
	struct gaps gaps;
	char folder[512];
	char pipe[528];
	int fd;
	pid_t child;
	uint64_t heard;
	size_t used;
	char text[65536];
};

/* It goes to a terminal, and is JSON: who else writes to the pipe does not count. */
static bool is_plain(const char *line, size_t length)
{
	while (length && *line >= ' ' && *line <= '~') {
		line++;
		length--;
	}
	return !length;
}

static void hear_line(struct tracing *t, const char *line)
{
	uint64_t pid, base;

	if (!*line || !cycle_heap(line, &pid, &base))
		return;
	t->heard++;
	gaps_add(&t->gaps, line);
	if (t->json)
		fprintf(t->to, "%s\n", line);
	else
		cycle_print(t->to, line);
	if ((fflush(t->to) || ferror(t->to)) && !t->err)
		t->err = errno;
	if (t->plot)
		plot_add(t->plot, line);
}

/* Whole lines; a part of one stays for the next time. */
static void hear_lines(struct tracing *t)
{
	char *line = t->text, *end;

	while ((end = memchr(line, '\n', t->text + t->used - line))) {
		*end = '\0';
		if (is_plain(line, end - line))
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
		*t->folder = '\0';
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
	}
	perror("gcheap: a pipe");
	return false;
}

static void remove_pipe(struct tracing *t)
{
	if (!*t->folder)
		return;
	unlink(t->pipe);
	rmdir(t->folder);
	*t->folder = '\0';
}

static struct tracing tracing;

static void remove_pipe_at_exit(void)
{
	remove_pipe(&tracing);
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
static const struct {
	int signal;
	void (*handler)(int signal);
} caught[] = {
	{ SIGTERM, pass_on }, { SIGHUP, pass_on }, { SIGINT, nothing }, { SIGQUIT, nothing },
	/* The program is waited for, and outlives who reads what it tells. */
	{ SIGCHLD, SIG_DFL }, { SIGPIPE, SIG_IGN },
};

#define NR_CAUGHT	(sizeof(caught) / sizeof(*caught))
#define NR_PASSED	4

static struct sigaction handled_before[NR_CAUGHT];
static sigset_t blocked_before;

/* None is heard before the program runs.  What is ignored stays so, as nohup(1) has it. */
static void catch_signals(void)
{
	sigset_t all;
	size_t i;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &blocked_before);
	for (i = 0; i < NR_CAUGHT; i++) {
		struct sigaction action = {
			.sa_handler = caught[i].handler,
			.sa_flags = SA_RESTART,
		};

		sigaction(caught[i].signal, NULL, &handled_before[i]);
		if (handled_before[i].sa_handler != SIG_IGN || action.sa_handler == SIG_DFL)
			sigaction(caught[i].signal, &action, NULL);
	}
}

/* The first @nr are as they were. */
static void give_back_signals(size_t nr)
{
	while (nr--)
		sigaction(caught[nr].signal, &handled_before[nr], NULL);
}

static void run_child(const struct tracing *t, char **command)
{
	int err;

	give_back_signals(NR_CAUGHT);
	sigprocmask(SIG_SETMASK, &blocked_before, NULL);
	setenv("GCHEAP_TRACE", t->pipe, 1);
	execvp(command[0], command);
	err = errno;
	fprintf(stderr, "gcheap: %s: %s\n", command[0], strerror(err));
	_exit(err == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUNNABLE);
}

static bool start(struct tracing *t, char **command)
{
	t->child = fork();
	if (!t->child)
		run_child(t, command);
	if (t->child < 0)
		perror("gcheap: fork");
	else
		child_to_end = t->child;
	sigprocmask(SIG_SETMASK, &blocked_before, NULL);
	return t->child > 0;
}

/* Then its number may become another's, who is sent no signal. */
static bool has_ended(const struct tracing *t, int *status)
{
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	pid = waitpid(t->child, status, WNOHANG);
	if (pid)
		child_to_end = 0;
	sigprocmask(SIG_SETMASK, &blocked_before, NULL);
	return pid;
}

/* Until the program has ended */
static int follow(struct tracing *t)
{
	struct pollfd fds[2] = {
		{ .fd = t->fd, .events = POLLIN },
		{ .fd = syscall(SYS_pidfd_open, t->child, 0), .events = POLLIN },
	};
	int status = STATUS_FAILED << 8;

	do {
		/* Without a descriptor of it, the program is looked at now and then. */
		poll(fds, 2, fds[1].fd < 0 ? 100 : -1);
		hear(t);
	} while (!has_ended(t, &status));
	hear(t);
	if (fds[1].fd >= 0)
		close(fds[1].fd);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Returns whether all lines have been written. */
static bool end_output(struct tracing *t)
{
	if (t->output && fclose(t->to) && !t->err)
		t->err = errno;
	if (t->err)
		fprintf(stderr, "gcheap: %s: %s\n", t->output ? t->output : "stderr",
			strerror(t->err));
	return !t->err;
}

static int run(struct tracing *t, char **command)
{
	int status = STATUS_FAILED;
	bool complete;

	catch_signals();
	atexit(remove_pipe_at_exit);
	if (!make_pipe(t))
		return status;
	if (t->picture)
		t->plot = plot_new();
	if (start(t, command))
		status = follow(t);
	remove_pipe(t);
	give_back_signals(NR_PASSED);
	complete = end_output(t);
	if (!t->heard && status != STATUS_NOT_FOUND && status != STATUS_NOT_RUNNABLE)
		fputs("gcheap: no collection: none was due, or the program has no heap\n", stderr);
	gaps_end(&t->gaps);
	if (t->plot && plot_draw(t->plot, t->picture))
		complete = false;
	return status || complete ? status : STATUS_FAILED;
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
	struct tracing *t = &tracing;
	int c;

	t->to = stderr;
	/* What follows the command is the command's. */
	while ((c = getopt_long(argc, argv, "+jo:p:h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			t->json = true;
			break;
		case 'o':
			t->output = optarg;
			break;
		case 'p':
			t->picture = optarg;
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
	c = check_picture(t);
	if (c)
		return c;
	if (t->output) {
		t->to = fopen(t->output, "we");
		if (!t->to) {
			fprintf(stderr, "gcheap: %s: %s\n", t->output, strerror(errno));
			return STATUS_FAILED;
		}
	}
	return run(t, argv + optind);
}
