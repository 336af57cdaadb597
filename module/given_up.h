/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a collector ends before it is through.  Nothing is owned here, and no lock
 * taken: whoever may take long asks now and then.
 */
#ifndef GCHEAP_GIVEN_UP_H
#define GCHEAP_GIVEN_UP_H

#include <linux/errno.h>
#include <linux/freezer.h>
#include <linux/sched/signal.h>

/**
 * gc_given_up() - whether the caller is to end what it does, and try no more
 *
 * A system that suspends waits for each process, but not for long: the collector
 * freezes on its way to user mode, and so does whoever waited for it.
 *
 * The answer may be another one the next time: who got an error has to return it.
 *
 * Return: 0; -EINTR when the caller is being killed, -ETIMEDOUT when it is to be
 * frozen.
 */
static inline int gc_given_up(void)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return freezing(current) ? -ETIMEDOUT : 0;
}

#endif /* GCHEAP_GIVEN_UP_H */
