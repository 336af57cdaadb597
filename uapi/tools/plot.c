// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A picture of a heap's collections: how large it was, where it was due, what lived, and how
 * long the program stood still.  gnuplot draws it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

/**
 * struct dot - one collection
 * @pid: process that made the heap
 * @base: the heap there
 * @start_ns: when it began
 * @before: bytes of the heap then
 * @after: and when it was over
 * @live: bytes that live
 * @goal: bytes at which it was due; UINT64_MAX: none
 * @pause_ns: longest pause
 */
struct dot {
	uint64_t pid;
	uint64_t base;
	uint64_t start_ns;
	uint64_t before;
	uint64_t after;
	uint64_t live;
	uint64_t goal;
	uint64_t pause_ns;
};

struct plot {
	size_t nr;
	size_t room;
	struct dot *dots;
};

/**
 * plot_possible() - whether there is a gnuplot
 *
 * Return: that.
 */
bool plot_possible(void)
{
	const char *folder = getenv("PATH");
	char path[4096];

	while (folder && *folder) {
		int length = strcspn(folder, ":");

		snprintf(path, sizeof(path), "%.*s/gnuplot", length, folder);
		if (!access(path, X_OK))
			return true;
		folder += length;
		folder += *folder == ':';
	}
	return false;
}

/**
 * plot_new() - a picture without anything
 *
 * Return: the picture, plot_draw() ends it.
 */
struct plot *plot_new(void)
{
	struct plot *plot = calloc(1, sizeof(*plot));

	if (!plot) {
		perror("gcheap");
		exit(STATUS_FAILED);
	}
	return plot;
}

/**
 * plot_add() - one more collection
 * @plot: picture
 * @line: line of JSON
 */
void plot_add(struct plot *plot, const char *line)
{
	struct dot *dot;

	if (plot->nr == plot->room) {
		plot->room = plot->room ? 2 * plot->room : 1024;
		plot->dots = realloc(plot->dots, plot->room * sizeof(*plot->dots));
		if (!plot->dots) {
			perror("gcheap");
			exit(STATUS_FAILED);
		}
	}
	dot = &plot->dots[plot->nr++];
	cycle_heap(line, &dot->pid, &dot->base);
	cycle_field(line, "start_ns", &dot->start_ns);
	cycle_field(line, "before", &dot->before);
	cycle_field(line, "after", &dot->after);
	cycle_field(line, "live", &dot->live);
	cycle_field(line, "goal", &dot->goal);
	cycle_field(line, "pause_ns", &dot->pause_ns);
}

static bool is_of(const struct dot *dot, const struct dot *other)
{
	return dot->pid == other->pid && dot->base == other->base;
}

static size_t count_of(const struct plot *plot, const struct dot *heap)
{
	size_t i, nr = 0;

	for (i = 0; i < plot->nr; i++)
		nr += is_of(&plot->dots[i], heap);
	return nr;
}

/* Of several heaps, the one that has most: candidates are their first collections. */
static const struct dot *busiest(const struct plot *plot)
{
	const struct dot *best = &plot->dots[0];
	size_t i, most = 0, tried = 0;

	for (i = 0; i < plot->nr && tried < 64; i++) {
		size_t nr;

		if (i && is_of(&plot->dots[i], &plot->dots[i - 1]))
			continue;
		tried++;
		nr = count_of(plot, &plot->dots[i]);
		if (nr > most) {
			most = nr;
			best = &plot->dots[i];
		}
	}
	return best;
}

/*
 * A string of gnuplot's in single quotes has nothing that is special but those.  A file's name
 * that begins with | would be a command, and one with ~ in somebody's folder.
 */
static void write_path(FILE *to, const char *path)
{
	fputs(*path == '/' ? "'" : "'./", to);
	for (; *path; path++)
		fputs(*path == '\'' ? "''" : (char[]){ *path, '\0' }, to);
	fputc('\'', to);
}

static void write_script(FILE *to, const char *path, const struct dot *heap)
{
	fputs("set terminal svg size 900,600 dynamic background rgb 'white'\nset output ", to);
	write_path(to, path);
	fprintf(to, "\nset multiplot layout 2,1 title 'heap of process %llu'\n",
		(unsigned long long)heap->pid);
	fputs("set grid\nset lmargin 10\nset key left top\nset xrange [0:*]\n"
	      "set yrange [0:*]\nset ylabel 'MiB'\n"
	      "plot $heap using 1:2 with lines lw 1.5 title 'heap', \\\n"
	      "$cycles using 1:3 with fsteps lw 1.5 title 'goal', \\\n"
	      "$cycles using 1:2 with linespoints pt 7 ps 0.4 title 'live'\n"
	      "set ylabel 'pause, ms'\nset xlabel 'seconds since the heap was made'\n"
	      "plot $cycles using 1:4 with impulses lw 1.5 notitle, \\\n"
	      "$cycles using 1:4 with points pt 7 ps 0.4 notitle\n"
	      "unset multiplot\n", to);
}

#define MIB	1048576.0

static void write_data(FILE *to, const struct plot *plot, const struct dot *heap)
{
	size_t i;

	fputs("$heap << END\n", to);
	for (i = 0; i < plot->nr; i++) {
		const struct dot *dot = &plot->dots[i];

		if (is_of(dot, heap))
			fprintf(to, "%.6f %.4f\n%.6f %.4f\n", dot->start_ns / 1e9,
				dot->before / MIB, dot->start_ns / 1e9, dot->after / MIB);
	}
	fputs("END\n$cycles << END\n", to);
	for (i = 0; i < plot->nr; i++) {
		const struct dot *dot = &plot->dots[i];

		if (!is_of(dot, heap))
			continue;
		fprintf(to, "%.6f %.4f ", dot->start_ns / 1e9, dot->live / MIB);
		if (dot->goal == UINT64_MAX)
			fputs("NaN", to);
		else
			fprintf(to, "%.4f", dot->goal / MIB);
		fprintf(to, " %.6f\n", dot->pause_ns / 1e6);
	}
	fputs("END\n", to);
}

static int run_gnuplot(const struct plot *plot, const char *path)
{
	const struct dot *heap = busiest(plot);
	size_t others = plot->nr - count_of(plot, heap);
	FILE *to = popen("exec gnuplot", "w");
	int status;

	if (!to) {
		perror("gcheap: gnuplot");
		return STATUS_FAILED;
	}
	if (others)
		fprintf(stderr, "gcheap: %zu collections of other heaps are not in the picture\n",
			others);
	write_data(to, plot, heap);
	write_script(to, path, heap);
	status = pclose(to);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "gcheap: gnuplot could not draw %s\n", path);
		return STATUS_FAILED;
	}
	return 0;
}

/**
 * plot_draw() - draw the picture, and end it
 * @plot: picture
 * @path: file to write
 *
 * Return: 0 or STATUS_FAILED.
 */
int plot_draw(struct plot *plot, const char *path)
{
	int status = STATUS_FAILED;

	if (plot->nr) {
		fprintf(stderr, "gcheap: drawing %s: %zu collections\n", path, plot->nr);
		status = run_gnuplot(plot, path);
	} else {
		fprintf(stderr, "gcheap: nothing to draw\n");
	}
	free(plot->dots);
	free(plot);
	return status;
}
