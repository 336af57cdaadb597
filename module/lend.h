/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Priority that those who are held lend to the collector.
 *
 * Who collects is whoever found it due, and may have less of the processor than
 * those it holds: be nice, or throttled by its cgroup.  So the first realtime thread
 * is parked at a lock that the collector has, and lends it its priority, which ends
 * a throttling too.  Only one is: of several, each would have to wait for the one
 * before it to run, which others may prevent.  For the same reason the collector
 * never waits for the lock, and goes on without.
 *
 * Among those who share processors fairly the kernel knows no inheritance.  For as
 * long as it holds others the collector is no nicer than the least nice of them; but
 * not less nice than it may make itself, or anybody is to begin with: its user, who
 * may set its niceness at any moment, could keep what another one has lent.
 *
 * Owns the lock, and the collector's niceness during a stop.  Threads of the world
 * wait for the collector; it waits for nobody here.
 */
#ifndef GCHEAP_LEND_H
#define GCHEAP_LEND_H

#include <linux/atomic.h>
#include <linux/rtmutex.h>
#include <linux/types.h>

struct task_struct;

/**
 * struct gc_lending - what a world lends its collector
 * @urgent: held by the collector while the world is stopped, if it could be had;
 *	then one realtime thread is parked here
 * @lends: it could
 * @lender: a thread waits for it
 * @own_nice: the collector's niceness before the stop
 * @nice: of the least nice who is held
 */
struct gc_lending {
	struct rt_mutex urgent;
	bool lends;
	atomic_t lender;
	int own_nice;
	int nice;
};

void gc_lending_init(struct gc_lending *lending);
void gc_lending_begin(struct gc_lending *lending);
void gc_lending_note(struct gc_lending *lending, struct task_struct *task);
void gc_lending_take(struct gc_lending *lending);
void gc_lending_end(struct gc_lending *lending);
bool gc_lending_wait(struct gc_lending *lending);

#endif /* GCHEAP_LEND_H */
