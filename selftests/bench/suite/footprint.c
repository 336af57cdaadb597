// SPDX-License-Identifier: GPL-2.0
/*
 * footprint [OBJECTS]: how much memory the program of trace.h takes: at most while objects
 * come and go, when nine of ten were dropped, and when others have taken their place.
 * Before it is looked at for the latter two, what is free is given back, where there is a
 * call for that.
 */
#include "bench.h"

#include "../../trace.h"

static struct trace trace;

static void sample(struct trace *unused)
{
	(void)unused;
	bench_sample();
}

/* What is held now counts, not what once was. */
static void end(const char *name)
{
	uint64_t took = bench_now() - bench.begin;

	bench_print(name, took, held());
}

int main(int argc, char **argv)
{
	uint64_t live;

	trace.nr = bench_number(argc, argv, 1, 20000);
	if (trace.nr < 100 || trace.nr > TRACE_MAX)
		return 1;
	/* Its own pages are there from the start on. */
	memset(trace.sizes, 1, sizeof(trace.sizes));
	memset(trace.objects, 1, sizeof(trace.objects));
	memset(trace.objects, 0, sizeof(trace.objects));
	allocator_begin();
	trace.get = get_data;
	trace.put = put;
	trace.watch = sample;
	trace.random = 1;
	bench_begin();
	trace_fill(&trace);
	trace_churn(&trace, 2 * trace.nr);
	bench_end("footprint-peak");
	live = trace.live;
	bench_begin();
	trace_drop_most(&trace);
	give_back();
	end("footprint-dropped");
	bench_begin();
	trace_refill(&trace, live);
	give_back();
	end("footprint-refilled");
	return !trace_is_whole(&trace);
}
