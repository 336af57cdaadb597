// SPDX-License-Identifier: GPL-2.0
/* Marking by several.  See crew.h. */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <uapi/linux/sched/types.h>

#include "crew.h"

/* More of them wait for each other rather than for memory. */
#define HELPERS_MAX	7

/* So much is marked sooner than somebody else is awake. */
#define WORTH_WORDS	16384U

/* Words that a collector looks at before it looks who wants a part of the rest */
#define TURN_WORDS	2048UL

static int helpers = -1;
module_param(helpers, int, 0444);
MODULE_PARM_DESC(helpers, "kernel threads that mark beside collectors when processors are idle (default -1: one less than processors, 7 at most; 0: none)");

static struct task_struct *threads[HELPERS_MAX];
static unsigned int nr_threads;

/* Where helpers wait for something to do */
static DECLARE_WAIT_QUEUE_HEAD(idle);

static DEFINE_SPINLOCK(lock);
/* Those with work for a helper; who has waited longest is the first. */
static LIST_HEAD(crews);

/* Something has changed; the lock is held. */
static void find_place(struct gc_crew *crew)
{
	bool work = crew->queue.nr && crew->spare.nr >= GC_LASTING_SEGMENTS &&
		    !READ_ONCE(crew->waiting);

	list_del_init(&crew->node);
	if (work)
		list_add_tail(&crew->node, &crews);
}

static bool is_work(void)
{
	return !list_empty_careful(&crews);
}

/* Take a part of a queue, and what is needed to look at it. */
static struct gc_crew *join(struct gc_marker *m)
{
	struct gc_crew *crew;
	bool more;

	spin_lock(&lock);
	crew = list_first_entry_or_null(&crews, struct gc_crew, node);
	if (!crew) {
		spin_unlock(&lock);
		return NULL;
	}
	gc_marker_join(m, crew->gs, crew->base, &crew->queue, &crew->spare);
	WRITE_ONCE(crew->helping, crew->helping + 1);
	find_place(crew);
	more = is_work();
	spin_unlock(&lock);
	if (more)
		wake_up(&idle);
	return crew;
}

/* Give everything back; from then on @crew may be gone. */
static void leave(struct gc_crew *crew, struct gc_marker *m, u64 ns)
{
	struct gc_segments queue = {};

	gc_marker_leave(m, &queue);
	spin_lock(&lock);
	gc_segments_move(&queue, &crew->queue, UINT_MAX);
	gc_segments_move(&m->spare, &crew->spare, UINT_MAX);
	crew->overflowed |= m->overflowed;
	crew->scanned += m->scanned;
	crew->marked += m->marked;
	crew->ns += ns;
	WRITE_ONCE(crew->helping, crew->helping - 1);
	find_place(crew);
	spin_unlock(&lock);
}

/* Whoever has a part of a queue runs. */
static void help(void)
{
	struct gc_crew *crew;
	struct gc_marker m;
	u64 start;

	preempt_disable();
	start = local_clock();
	crew = join(&m);
	if (crew) {
		gc_mark_some(&m, GC_LASTING_WORDS);
		leave(crew, &m, local_clock() - start);
	}
	preempt_enable();
}

static int helper(void *unused)
{
	for (;;) {
		wait_event_idle_exclusive(idle, is_work() || kthread_should_stop());
		if (kthread_should_stop())
			return 0;
		help();
		/* Who is woken where a lazy kernel runs a helper would wait for the next tick. */
		schedule();
	}
}

/**
 * gc_crew_begin() - there is something to mark, which nobody helps with as yet
 * @crew: to be initialised
 */
void gc_crew_begin(struct gc_crew *crew)
{
	*crew = (struct gc_crew) {};
	INIT_LIST_HEAD(&crew->node);
}

/* Let helpers find it. */
static void open(struct gc_crew *crew, struct gc_marker *m)
{
	crew->gs = m->gs;
	crew->base = m->base;
	crew->open = true;
	m->shared = true;
	m->most_spare = nr_threads * GC_LASTING_SEGMENTS;
}

/*
 * What a helper needs, and the collector's own spare ones; what helpers have too many of
 * comes back.
 */
static void share_spare(struct gc_crew *crew, struct gc_marker *m)
{
	const unsigned int least = GC_LASTING_SEGMENTS, most = nr_threads * least;

	if (crew->spare.nr > most)
		gc_segments_move(&crew->spare, &m->spare, crew->spare.nr - most);
	else if (crew->spare.nr < least)
		gc_segments_move(&m->spare, &crew->spare, least - crew->spare.nr);
}

/* There is something for the next one who has nothing to do. */
static void give_part(struct gc_crew *crew, struct gc_marker *m)
{
	struct mark_segment *part = NULL;
	bool none = !READ_ONCE(crew->queue.nr);

	/* Whoever is not seen here, as he is about to wait, is seen at the next turn. */
	if (crew->scarce || !waitqueue_active(&idle))
		return;
	if (none || READ_ONCE(crew->spare.nr) < GC_LASTING_SEGMENTS)
		crew->scarce = !gc_marker_stock(m, GC_LASTING_SEGMENTS + 1);
	if (none && !crew->scarce)
		part = gc_marker_split(m);
	spin_lock(&lock);
	if (part)
		gc_segments_push(&crew->queue, part);
	share_spare(crew, m);
	find_place(crew);
	spin_unlock(&lock);
	if (is_work())
		wake_up(&idle);
}

/*
 * The collector's own queue is empty.  Helpers have what they have for as long as they run:
 * it is not worth it to sleep.  Returns false when all is marked.
 */
static bool take_part(struct gc_crew *crew, struct gc_marker *m)
{
	struct mark_segment *part;
	unsigned int helping;

	WRITE_ONCE(crew->waiting, true);
	do {
		while (!READ_ONCE(crew->queue.nr) && READ_ONCE(crew->helping)) {
			cpu_relax();
			cond_resched();
		}
		spin_lock(&lock);
		part = gc_segments_pop(&crew->queue);
		helping = crew->helping;
		crew->waiting = !part && helping;
		find_place(crew);
		spin_unlock(&lock);
	} while (!part && helping);
	if (part)
		gc_marker_adopt(m, part);
	return part;
}

static bool take_turn(struct gc_crew *crew, struct gc_marker *m, unsigned long words)
{
	bool more = gc_mark_some(m, words);

	if (!more)
		return take_part(crew, m);
	give_part(crew, m);
	return true;
}

/**
 * gc_crew_mark() - mark a part of what the objects marked so far lead to
 * @crew: crew of the marking
 * @m: the collector's marker
 * @words: about so many are looked at by the collector itself
 *
 * What takes long, helpers may take parts of; until gc_crew_end() they may go on with it.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: whether there is more to do, as gc_mark_some().
 */
bool gc_crew_mark(struct gc_crew *crew, struct gc_marker *m, unsigned long words)
{
	u64 start = m->scanned, end = start + words;
	bool more = true;

	if (!crew->open && nr_threads && crew->words >= WORTH_WORDS)
		open(crew, m);
	if (!crew->open)
		more = gc_mark_some(m, words);
	else
		while (more && m->scanned < end)
			more = take_turn(crew, m, min(end - m->scanned, TURN_WORDS));
	crew->words += m->scanned - start;
	return more;
}

/**
 * gc_crew_end() - nobody helps any more
 * @crew: crew; gc_crew_mark() may come again
 * @m: the collector's marker, which has the queue to itself again
 *
 * Context: may sleep; heap's lock held, as for gc_crew_mark().
 *
 * Return: nanoseconds that they have taken.
 */
u64 gc_crew_end(struct gc_crew *crew, struct gc_marker *m)
{
	u64 ns;

	if (!crew->open)
		return 0;
	/* No more come, and those that are there will be gone when the lock is free. */
	WRITE_ONCE(crew->waiting, true);
	spin_lock(&lock);
	find_place(crew);
	while (crew->helping) {
		spin_unlock(&lock);
		while (READ_ONCE(crew->helping))
			cpu_relax();
		spin_lock(&lock);
	}
	spin_unlock(&lock);
	gc_segments_move(&crew->queue, &m->more, UINT_MAX);
	gc_segments_move(&crew->spare, &m->spare, UINT_MAX);
	m->overflowed |= crew->overflowed;
	m->scanned += crew->scanned;
	m->marked += crew->marked;
	m->shared = false;
	ns = crew->ns;
	*crew = (struct gc_crew) { .words = crew->words };
	INIT_LIST_HEAD(&crew->node);
	return ns;
}

static void stop_threads(void)
{
	while (nr_threads)
		kthread_stop(threads[--nr_threads]);
}

/**
 * gc_crew_init() - the module is loaded
 *
 * Return: 0 or a negative errno.
 */
int gc_crew_init(void)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_IDLE,
	};
	unsigned int wanted = helpers < 0 ? num_online_cpus() - 1 : helpers;
	struct task_struct *thread;
	int err;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return 0;
	wanted = min(wanted, HELPERS_MAX);
	while (nr_threads < wanted) {
		thread = kthread_create(helper, NULL, "gcheap_helper/%u", nr_threads);
		err = PTR_ERR_OR_ZERO(thread);
		if (!err)
			threads[nr_threads++] = thread;
		if (!err)
			err = sched_setattr_nocheck(thread, &attr);
		if (err) {
			stop_threads();
			return err;
		}
		wake_up_process(thread);
	}
	return 0;
}

/**
 * gc_crew_exit() - no heap is left
 */
void gc_crew_exit(void)
{
	stop_threads();
}
