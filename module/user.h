/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one user may take of the machine, all heaps together.
 *
 * Heaps are counted for who opened them, by the effective user id, or for who made the
 * user namespace that the opener is in; so are their memory, members and ranges of roots, whosever
 * process takes them: members trust each other.  Heaps that were opened with
 * CAP_SYS_RESOURCE in that namespace have no such limits, as with other limits of the
 * kernel's, and are counted nowhere: their user is NULL.
 *
 * It is not RLIMIT_MEMLOCK, by which io_uring's memory is counted: that is 8 MiB by
 * default, which is enough for keys and rings, and would leave a heap to nobody before
 * an administrator has been asked.
 *
 * Owns: the table of users.  A spinlock guards it and the references; the counts are
 * atomic, and can be changed with any lock held.  Nothing is waited for.
 */
#ifndef GCHEAP_USER_H
#define GCHEAP_USER_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct gc_user;

/**
 * enum gc_share - what is counted
 * @GC_HEAPS: heaps
 * @GC_MEMBERS: members
 * @GC_RANGES: ranges of roots
 * @GC_PAGES: pages for objects
 * @GC_URGENT: collections that begin with what the kernel keeps back: see scavenge.c
 * @GC_SHARES: how many kinds there are
 */
enum gc_share {
	GC_HEAPS,
	GC_MEMBERS,
	GC_RANGES,
	GC_PAGES,
	GC_URGENT,
	GC_SHARES,
};

kuid_t gc_user_outside(kuid_t user);
struct gc_user *gc_user_get(void);
void gc_user_put(struct gc_user *user);
bool gc_user_take(struct gc_user *user, enum gc_share what, long nr);
void gc_user_give(struct gc_user *user, enum gc_share what, long nr);

#endif /* GCHEAP_USER_H */
