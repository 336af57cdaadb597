// SPDX-License-Identifier: GPL-2.0
/* Pages and locks that others may keep from us for ever.  See fetch.h. */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "fetch.h"
#include "gfp.h"

static struct workqueue_struct *fetchers;

/**
 * gc_fetch_init() - make the queue of fetches
 *
 * Return: 0 or -ENOMEM.
 */
int gc_fetch_init(void)
{
	fetchers = alloc_workqueue("gcheap_fetch", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return fetchers ? 0 : -ENOMEM;
}

/**
 * gc_fetch_exit() - undo gc_fetch_init()
 */
void gc_fetch_exit(void)
{
	destroy_workqueue(fetchers);
}

static void fetch_release(struct kref *ref)
{
	kfree(container_of(ref, struct gc_fetch, ref));
}

/**
 * gc_fetch_put() - drop a reference
 * @fetch: fetch, abandoned
 */
void gc_fetch_put(struct gc_fetch *fetch)
{
	kref_put(&fetch->ref, fetch_release);
}

static void fetch_give_back(struct kref *wanted)
{
	struct gc_fetch *fetch = container_of(wanted, struct gc_fetch, wanted);
	long i;

	for (i = 0; i < fetch->pinned; i++)
		put_page(fetch->pages[i]);
	mmput_async(fetch->mm);
}

/**
 * gc_fetch_abandon() - the pages are not wanted any more
 * @fetch: fetch; the reference stays the caller's
 *
 * Once the work is done nothing of the process is held.  That matters when the
 * reference is the heap's: the process may be the last one that has the heap.
 *
 * Context: may sleep.
 */
void gc_fetch_abandon(struct gc_fetch *fetch)
{
	kref_put(&fetch->wanted, fetch_give_back);
}

/**
 * gc_fetch_end() - abandon a fetch, and drop the reference
 * @fetch: fetch
 *
 * Context: may sleep.
 */
void gc_fetch_end(struct gc_fetch *fetch)
{
	gc_fetch_abandon(fetch);
	gc_fetch_put(fetch);
}

static void fetch_work(struct work_struct *work)
{
	struct gc_fetch *fetch = container_of(work, struct gc_fetch, work);
	int locked = 1;

	mmap_read_lock(fetch->mm);
	fetch->pinned = gc_get_pages(fetch->mm, fetch->addr, fetch->nr,
				     fetch->pages, FOLL_DUMP, &locked);
	if (locked)
		mmap_read_unlock(fetch->mm);
	complete_all(&fetch->done);
	gc_fetch_end(fetch);
	/* gc_fetch_exit() waits for whoever is between this and its return. */
	module_put(THIS_MODULE);
}

/**
 * gc_fetch_start() - have pages brought
 * @mm: address space; the caller has a reference to its users
 * @addr: address of the first
 * @nr: how many, at most FETCH_PAGES
 *
 * Return: the fetch with a reference, or NULL without memory.
 */
struct gc_fetch *gc_fetch_start(struct mm_struct *mm, unsigned long addr,
				unsigned long nr)
{
	struct gc_fetch *fetch = kzalloc(sizeof(*fetch), GC_GFP);

	if (!fetch)
		return NULL;
	kref_init(&fetch->ref);
	kref_init(&fetch->wanted);
	init_completion(&fetch->done);
	INIT_WORK(&fetch->work, fetch_work);
	mmget(mm);
	fetch->mm = mm;
	fetch->addr = addr;
	fetch->nr = nr;
	kref_get(&fetch->ref);
	kref_get(&fetch->wanted);
	__module_get(THIS_MODULE);
	queue_work(fetchers, &fetch->work);
	return fetch;
}

/**
 * gc_fetch_done() - whether a fetch has come to an end
 * @fetch: fetch
 *
 * Return: true when it has.
 */
bool gc_fetch_done(struct gc_fetch *fetch)
{
	return completion_done(&fetch->done);
}

/**
 * gc_fetch_await() - wait for pages
 * @fetch: fetch
 * @patience: nanoseconds that the caller may wait; less what it did
 *
 * Context: may sleep; mmap_lock of no process held.
 *
 * Return: 0, -ETIMEDOUT, or -EINTR when the caller is being killed.
 */
int gc_fetch_await(struct gc_fetch *fetch, s64 *patience)
{
	u64 start = ktime_get_ns();
	unsigned long most = nsecs_to_jiffies(max(*patience, 0LL));
	long left;

	left = wait_for_completion_killable_timeout(&fetch->done, most + 1);
	*patience -= ktime_get_ns() - start;
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/**
 * gc_fetch_lock() - take mmap_lock for reading
 * @mm: address space
 * @patience: nanoseconds that the caller may wait; less what it did
 *
 * There is no lock of the kernel's that one waits for with an end.  As nobody
 * whom the world holds takes it meanwhile, the first who tries has it.
 *
 * Return: 0, -ETIMEDOUT, or -EINTR when the caller is being killed.
 */
int gc_fetch_lock(struct mm_struct *mm, s64 *patience)
{
	u64 start = ktime_get_ns();
	int err = 0;

	while (!mmap_read_trylock(mm)) {
		if (fatal_signal_pending(current))
			err = -EINTR;
		else if (ktime_get_ns() - start > max(*patience, 0LL))
			err = -ETIMEDOUT;
		if (err)
			break;
		usleep_range(50, 200);
	}
	*patience -= ktime_get_ns() - start;
	return err;
}
