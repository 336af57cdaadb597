// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * gcheap top: heaps of the machine, the largest first, and their memory by cgroup.
 *
 * On a terminal the screen is drawn anew each time, with escapes that all terminals know;
 * elsewhere, or with -b or -n, one table comes after the other.
 */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
"usage: gcheap top [-b] [-n TIMES] [-d SECONDS]\n"
"\n"
"Shows all heaps of processes that one may look at, by the memory that they hold.\n"
"\n"
"  -b, --batch          tables one after the other, not a screen; so it is, too, when the\n"
"                       output is no terminal\n"
"  -n, --times TIMES    how often, as tables; without it until q is typed, or it is\n"
"                       interrupted\n"
"  -d, --delay SECONDS  from one time to the next (2)\n"
"  -h, --help           this text\n"
"\n"
"HELD is memory for objects, LIVE what the last collection found to be alive, GOAL where the\n"
"next one is due, GARBAGE/S what was reclaimed in a second since the time before (- the first\n"
"time), GCS all collections, LAST and LONGEST how long they held the program, PROCS processes\n"
"that share it.  A heap is listed under the cgroup of the process that is shown, which need\n"
"not be the one that pays: that is the one of who has opened it.\n";

static const struct option options[] = {
	{ "batch", no_argument, NULL, 'b' },
	{ "times", required_argument, NULL, 'n' },
	{ "delay", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

/**
 * struct view - what is shown
 * @screen: on a terminal, else one table after the other
 * @rows: lines that there is room for
 * @before: what was seen the last time
 * @now: what is seen
 * @seconds: time between these two, 0 at first
 */
struct view {
	bool screen;
	int rows;
	struct heap_list before;
	struct heap_list now;
	double seconds;
};

static volatile sig_atomic_t ended, resized, suspended;
static struct termios old_terminal;
static bool terminal_known;

static void note_end(int signal)
{
	(void)signal;
	ended = 1;
}

static void note_size(int signal)
{
	(void)signal;
	resized = 1;
}

static void note_suspend(int signal)
{
	(void)signal;
	suspended = 1;
}

static void screen_end(void)
{
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (terminal_known)
		tcsetattr(STDIN_FILENO, TCSANOW, &old_terminal);
}

/* A screen of its own, no cursor, long lines cut; what is typed is there at once. */
static void screen_begin(void)
{
	struct termios raw;

	terminal_known = !tcgetattr(STDIN_FILENO, &old_terminal);
	if (terminal_known) {
		raw = old_terminal;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
}

/* Whoever has the terminal meanwhile finds it as it was. */
static void suspend(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, before;

	suspended = 0;
	screen_end();
	sigaction(SIGTSTP, &action, &before);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &before, NULL);
	screen_begin();
}

static int screen_rows(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row)
		return 24;
	return size.ws_row;
}

static void end_line(struct view *v)
{
	/* What the line before had there is not to stay. */
	fputs(v->screen ? "\033[K\n" : "\n", stdout);
	v->rows--;
}

static int by_memory(const void *a, const void *b)
{
	const struct seen_heap *one = a, *other = b;
	uint64_t x = one->values[KEY_RESIDENT], y = other->values[KEY_RESIDENT];

	return x < y ? 1 : x > y ? -1 : one->pid - other->pid;
}

static const struct seen_heap *find_before(const struct view *v, uint64_t id)
{
	size_t i;

	for (i = 0; i < v->before.nr; i++)
		if (v->before.heaps[i].values[KEY_ID] == id)
			return &v->before.heaps[i];
	return NULL;
}

static const char *garbage_rate(const struct view *v, const struct seen_heap *heap,
				char text[TEXT_SIZE])
{
	const struct seen_heap *before = find_before(v, heap->values[KEY_ID]);
	uint64_t reclaimed = heap->values[KEY_RECLAIMED];

	if (!before || v->seconds <= 0 || reclaimed < before->values[KEY_RECLAIMED])
		return "-";
	return text_bytes(text, (reclaimed - before->values[KEY_RECLAIMED]) / v->seconds);
}

static void show_heap(struct view *v, const struct seen_heap *heap)
{
	const uint64_t *values = heap->values;
	char held[TEXT_SIZE], live[TEXT_SIZE], goal[TEXT_SIZE], rate[TEXT_SIZE];
	char last[TEXT_SIZE], longest[TEXT_SIZE];

	printf("%7d %7s %7s %7s %9s %7llu %7s %7s %5llu %s", heap->pid,
	       text_bytes(held, values[KEY_RESIDENT]), text_bytes(live, values[KEY_LIVE]),
	       heap->known & 1u << KEY_GOAL ? text_bytes(goal, values[KEY_GOAL]) : "-",
	       garbage_rate(v, heap, rate), (unsigned long long)values[KEY_CYCLES],
	       text_ns(last, values[KEY_PAUSE_LAST]), text_ns(longest, values[KEY_PAUSE_MAX]),
	       (unsigned long long)values[KEY_PROCESSES], heap->comm);
	end_line(v);
}

/* Heaps of one cgroup lie together then. */
static int by_group(const void *a, const void *b)
{
	const struct seen_heap *one = a, *other = b;

	return strcmp(one->group, other->group);
}

static void show_groups(struct view *v)
{
	const struct heap_list *list = &v->now;
	char held[TEXT_SIZE], meta[TEXT_SIZE];
	size_t i, first;

	qsort(list->heaps, list->nr, sizeof(*list->heaps), by_group);
	for (i = 0; i < list->nr && (!v->screen || v->rows > 0); ) {
		uint64_t bytes = 0, tables = 0;

		for (first = i; i < list->nr &&
		     !strcmp(list->heaps[i].group, list->heaps[first].group); i++) {
			bytes += list->heaps[i].values[KEY_RESIDENT];
			tables += list->heaps[i].values[KEY_META];
		}
		printf("%7s %7s %7zu %s", text_bytes(held, bytes), text_bytes(meta, tables),
		       i - first, list->heaps[first].group);
		end_line(v);
	}
}

static size_t nr_groups(struct heap_list *list)
{
	size_t i, nr = list->nr ? 1 : 0;

	qsort(list->heaps, list->nr, sizeof(*list->heaps), by_group);
	for (i = 1; i < list->nr; i++)
		nr += strcmp(list->heaps[i].group, list->heaps[i - 1].group) != 0;
	return nr;
}

static void show_summary(struct view *v)
{
	const struct heap_list *list = &v->now;
	char held[TEXT_SIZE], text[32];
	uint64_t bytes = 0;
	time_t now = time(NULL);
	size_t i;

	for (i = 0; i < list->nr; i++)
		bytes += list->heaps[i].values[KEY_RESIDENT];
	strftime(text, sizeof(text), "%H:%M:%S", localtime(&now));
	printf("%s  %zu heaps hold %s", text, list->nr, text_bytes(held, bytes));
	if (list->hidden)
		printf("; %zu processes may not be looked at", list->hidden);
	end_line(v);
}

static void show(struct view *v)
{
	struct heap_list *list = &v->now;
	int groups = nr_groups(list);
	size_t i;

	v->rows = screen_rows() - 1;
	if (v->screen)
		fputs("\033[H", stdout);
	show_summary(v);
	end_line(v);
	printf("%7s %7s %7s %7s %9s %7s %7s %7s %5s %s", "PID", "HELD", "LIVE", "GOAL",
	       "GARBAGE/S", "GCS", "LAST", "LONGEST", "PROCS", "COMMAND");
	end_line(v);
	qsort(list->heaps, list->nr, sizeof(*list->heaps), by_memory);
	/* Some room is for the cgroups. */
	groups = groups > v->rows / 3 ? v->rows / 3 : groups;
	for (i = 0; i < list->nr && (!v->screen || v->rows > groups + 2); i++)
		show_heap(v, &list->heaps[i]);
	end_line(v);
	printf("%7s %7s %7s %s", "HELD", "TABLES", "HEAPS", "CGROUP");
	end_line(v);
	show_groups(v);
	if (v->screen)
		fputs("\033[J", stdout);
	else
		putchar('\n');
	fflush(stdout);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Waits for a key, or a signal that comes from now on; returns whether q was typed. */
static bool is_quit(struct pollfd *keys, double seconds, const sigset_t *heard)
{
	const struct timespec left = { seconds, (seconds - (time_t)seconds) * 1e9 };
	char key;

	if (ppoll(keys, 1, &left, heard) <= 0)
		return false;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key == 'q';
	keys->fd = -1;
	return false;
}

/* Until it is time for the next look; returns whether there is to be one. */
static bool await(const struct view *v, double until)
{
	struct pollfd keys = { .fd = v->screen ? STDIN_FILENO : -1, .events = POLLIN };
	sigset_t all, heard;
	bool quit = false;
	double left;

	/* None comes between the look at what it would set and the wait. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &heard);
	while (!ended && !resized && !suspended && !quit && (left = until - now()) > 0)
		quit = is_quit(&keys, left, &heard);
	resized = 0;
	sigprocmask(SIG_SETMASK, &heard, NULL);
	if (suspended)
		suspend();
	return !ended && !quit;
}

static bool watch(struct view *v, uint64_t times, double delay)
{
	double last = 0, start;
	bool more = true;

	while (more) {
		start = now();
		heaps_find(&v->now, &ended);
		v->seconds = last ? start - last : 0;
		last = start;
		if (!ended)
			show(v);
		heaps_free(&v->before);
		v->before = v->now;
		more = (!times || --times) && await(v, start + delay) && !ferror(stdout);
	}
	heaps_free(&v->before);
	return !ferror(stdout);
}

/* One that is ignored stays so, as nohup(1) has it. */
static void catch_signal(int signal, void (*handler)(int signal))
{
	struct sigaction action = { .sa_handler = handler }, before;

	sigaction(signal, NULL, &before);
	if (before.sa_handler != SIG_IGN)
		sigaction(signal, &action, NULL);
}

static void catch_signals(const struct view *v)
{
	catch_signal(SIGINT, note_end);
	catch_signal(SIGQUIT, note_end);
	catch_signal(SIGTERM, note_end);
	catch_signal(SIGHUP, note_end);
	if (!v->screen)
		return;
	catch_signal(SIGWINCH, note_size);
	catch_signal(SIGTSTP, note_suspend);
}

int top_main(int argc, char **argv)
{
	struct view v = { .screen = isatty(STDOUT_FILENO) };
	double delay = 2;
	uint64_t times = 0;
	int c;

	while ((c = getopt_long(argc, argv, "bn:d:h", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			v.screen = false;
			break;
		case 'n':
			if (!text_number(optarg, UINT64_MAX, &times))
				return usage_error(usage, "not a number of times: %s", optarg);
			break;
		case 'd':
			if (!text_seconds(optarg, &delay))
				return usage_error(usage, "not 0.1 to 86400 seconds: %s", optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return usage_error(usage, NULL);
		}
	}
	if (optind < argc)
		return usage_error(usage, "what is %s?", argv[optind]);
	/* Who says how often wants to see what it told once it has ended. */
	v.screen &= !times;
	catch_signals(&v);
	if (v.screen) {
		atexit(screen_end);
		screen_begin();
	}
	return watch(&v, times, delay) ? 0 : STATUS_FAILED;
}
