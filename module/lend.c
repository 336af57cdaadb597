// SPDX-License-Identifier: GPL-2.0
/* Priority for who collects.  See lend.h. */
#include <linux/sched.h>
#include <linux/sched/prio.h>

#include "lend.h"

/**
 * gc_lending_init() - nobody collects
 * @lending: to be initialised
 */
void gc_lending_init(struct gc_lending *lending)
{
	rt_mutex_init(&lending->urgent);
	atomic_set(&lending->lender, 0);
}

/**
 * gc_lending_begin() - the caller is about to hold others
 * @lending: of its world
 *
 * Context: may sleep; the world is not stopped yet.
 */
void gc_lending_begin(struct gc_lending *lending)
{
	WRITE_ONCE(lending->lends, rt_mutex_trylock(&lending->urgent));
	lending->own_nice = task_nice(current);
	lending->nice = MAX_NICE;
}

/**
 * gc_lending_note() - a thread is going to be held
 * @lending: of its world
 * @task: the thread
 *
 * Context: any; gc_lending_take() follows.
 */
void gc_lending_note(struct gc_lending *lending, struct task_struct *task)
{
	lending->nice = min(lending->nice, task_nice(task));
}

/* Of a realtime thread it is what it has when it is one no more. */
static bool niceness_counts(void)
{
	return current->policy == SCHED_NORMAL ||
	       current->policy == SCHED_BATCH;
}

/**
 * gc_lending_take() - be no nicer than those who were noted
 * @lending: of the caller's stop
 *
 * Context: may sleep.
 */
void gc_lending_take(struct gc_lending *lending)
{
	int nice = lending->nice;

	/* Not asked without need: a refusal is written to the audit log. */
	if (nice < 0 && task_nice(current) > nice && !can_nice(current, nice))
		nice = 0;
	if (niceness_counts() && task_nice(current) > nice)
		set_user_nice(current, nice);
}

/**
 * gc_lending_end() - give back what was lent
 * @lending: of the caller's stop; everyone runs on
 *
 * Whatever it is by now, it is not less than before.
 *
 * Context: may sleep.
 */
void gc_lending_end(struct gc_lending *lending)
{
	if (lending->nice < lending->own_nice &&
	    task_nice(current) < lending->own_nice)
		set_user_nice(current, lending->own_nice);
	if (lending->lends)
		rt_mutex_unlock(&lending->urgent);
}

/**
 * gc_lending_wait() - be parked where it lends the collector one's priority
 * @lending: of the world that holds the caller
 *
 * Context: may sleep, killable.
 *
 * Return: false when the caller is to wait elsewhere.
 */
bool gc_lending_wait(struct gc_lending *lending)
{
	/* Whichever way it is when the world has just been stopped anew. */
	if (!READ_ONCE(lending->lends) || current->prio >= MAX_RT_PRIO ||
	    atomic_cmpxchg(&lending->lender, 0, 1))
		return false;
	if (!rt_mutex_lock_killable(&lending->urgent))
		rt_mutex_unlock(&lending->urgent);
	atomic_set(&lending->lender, 0);
	return true;
}
