/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for the memory of a process with patience that ends.
 *
 * While the world is stopped, the collector needs mmap_lock of each process, and
 * pages that are not in memory.  Either may depend on a thread that is held: of a
 * server of the file system (FUSE) that a page comes from, say.  Then the
 * collector has to give up, so that the thread can go on.
 *
 * Nobody can give up on a page fault.  So faults are left to a kernel thread, which
 * finishes some time, and which the collector waits for no longer than it wants.
 * Patience is about progress: each page that comes renews it, and so does each thread
 * that is parked while somebody else has the lock, as it may have been that thread.
 *
 * Each collection has a thread of its own, from before the stop: making one may
 * take memory, and memory may take somebody who is held.  Those that are not wanted
 * any more are kept for the next collection, a few of them.  A thread that was given
 * up, since its page does not come, is killed after a while, as a process that waits
 * for the page could be; and at once when its user has too many such.  So nobody's
 * pages are in the way of anybody else's.
 *
 * Owns: the threads that are kept, and the list of those that were given up.
 * Locks: one for each of the two; nothing is waited for, and no other lock taken,
 * with either.
 */
#ifndef GCHEAP_FETCH_H
#define GCHEAP_FETCH_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

struct gc_world;
struct mm_struct;
struct page;
struct task_struct;

/* Pages fetched at a time. */
#define FETCH_PAGES	16UL

/*
 * What a thread is at.
 *	IDLE	nothing; @mm and @pages of the last fetch are the collector's
 *	WANTED	pages are wanted of it
 *	LOST	nobody waits for them any more: when they come it ends
 *	ENDED	it has given back all that it had
 */
enum gc_fetch_state {
	FETCH_IDLE,
	FETCH_WANTED,
	FETCH_LOST,
	FETCH_ENDED,
};

/**
 * struct gc_fetcher - a kernel thread that brings pages of processes
 * @ref: who waits for it or has given it up, and the thread
 * @task: the thread, a reference
 * @wait: where each of both waits for the other
 * @state: see above
 * @kept: in the list of those that nobody uses
 * @lost: in the hash of those that were given up, by @user
 * @user: on whose behalf
 * @life: kills the thread when it was given up long ago
 * @mm: address space; a reference to its users while the thread is at work
 * @addr: address of the first page wanted
 * @nr: how many are wanted, at most FETCH_PAGES
 * @pinned: how many are there, each with a reference; or -errno
 * @pages: these
 */
struct gc_fetcher {
	struct kref ref;
	struct task_struct *task;
	wait_queue_head_t wait;
	int state;
	struct list_head kept;
	struct hlist_node lost;
	kuid_t user;
	struct timer_list life;
	struct mm_struct *mm;
	unsigned long addr;
	unsigned long nr;
	long pinned;
	struct page *pages[FETCH_PAGES];
};

void gc_fetch_exit(void);

struct gc_fetcher *gc_fetcher_take(void);
void gc_fetcher_keep(struct gc_fetcher *f);
int gc_fetch(struct gc_fetcher *f, struct mm_struct *mm, unsigned long addr,
	     unsigned long nr);
void gc_fetch_put_pages(struct gc_fetcher *f);
bool gc_fetcher_ended(struct gc_fetcher *f);
void gc_fetcher_kill(struct gc_fetcher *f);
void gc_fetcher_put(struct gc_fetcher *f);

int gc_fetch_lock(struct mm_struct *mm, struct gc_world *world);

#endif /* GCHEAP_FETCH_H */
