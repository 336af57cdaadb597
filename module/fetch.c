// SPDX-License-Identifier: GPL-2.0
/* Pages and locks that others may keep from us for ever.  See fetch.h. */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat.h"
#include "fetch.h"
#include "given_up.h"
#include "stop.h"
#include "user.h"

/* How long nothing at all may come. */
#define PATIENCE_S	2

/* How long a page that was given up may keep a thread, and its process's memory. */
#define LIFE_S		10

/* Threads that wait for pages which were given up, for each user */
#define LOST_MAX	64

/* Threads that are kept: so many collections at a time need not make one. */
#define KEPT_MAX	8

static LIST_HEAD(kept);
static unsigned int nr_kept;
static DEFINE_SPINLOCK(kept_lock);

static DEFINE_HASHTABLE(lost, 6);
static DEFINE_SPINLOCK(lost_lock);

static bool lost_too_many(kuid_t user)
{
	struct gc_fetcher *f;
	unsigned int nr = 0;

	spin_lock(&lost_lock);
	hash_for_each_possible(lost, f, lost, __kuid_val(user))
		nr += uid_eq(f->user, user);
	spin_unlock(&lost_lock);
	return nr >= LOST_MAX;
}

static void lost_add(struct gc_fetcher *f)
{
	spin_lock(&lost_lock);
	hash_add(lost, &f->lost, __kuid_val(f->user));
	spin_unlock(&lost_lock);
}

static void lost_del(struct gc_fetcher *f)
{
	spin_lock(&lost_lock);
	hash_del(&f->lost);
	spin_unlock(&lost_lock);
}

static void fetcher_release(struct kref *ref)
{
	struct gc_fetcher *f = container_of(ref, struct gc_fetcher, ref);

	put_task_struct(f->task);
	kfree(f);
}

/**
 * gc_fetcher_put() - drop a reference
 * @f: fetcher that was given up
 */
void gc_fetcher_put(struct gc_fetcher *f)
{
	kref_put(&f->ref, fetcher_release);
}

/**
 * gc_fetcher_ended() - whether a fetcher has come to an end
 * @f: fetcher that was given up
 *
 * Return: true when it has.
 */
bool gc_fetcher_ended(struct gc_fetcher *f)
{
	/* Pairs with the release in end_lost(). */
	return smp_load_acquire(&f->state) == FETCH_ENDED;
}

/**
 * gc_fetcher_kill() - nobody wants to know any more whether the page comes
 * @f: fetcher that was given up
 *
 * It ends as soon as a process could that waits for the page and is killed.
 */
void gc_fetcher_kill(struct gc_fetcher *f)
{
	send_sig(SIGKILL, f->task, 1);
}

/* The timer runs before the fetcher is lost for sure. */
static void life_over(struct timer_list *timer)
{
	struct gc_fetcher *f = container_of(timer, struct gc_fetcher, life);
	int state = READ_ONCE(f->state);

	if (state == FETCH_WANTED)
		mod_timer(&f->life, jiffies + HZ);
	else if (state == FETCH_LOST)
		gc_fetcher_kill(f);
}

static void bring(struct gc_fetcher *f)
{
	int locked = 1;

	if (mmap_read_lock_killable(f->mm)) {
		f->pinned = -EINTR;
	} else {
		f->pinned = gc_get_pages(f->mm, f->addr, f->nr, f->pages,
					 FOLL_DUMP, &locked);
		if (locked)
			mmap_read_unlock(f->mm);
	}
	/* The process may be the last one that has the heap. */
	mmput_async(f->mm);
}

/**
 * gc_fetch_put_pages() - the collector is done with what was fetched
 * @f: fetcher, after gc_fetch()
 */
void gc_fetch_put_pages(struct gc_fetcher *f)
{
	long i;

	for (i = 0; i < f->pinned; i++)
		put_page(f->pages[i]);
	f->pinned = 0;
}

/* Nothing of the process, nor of the heap, is held any more. */
static void __noreturn end_lost(struct gc_fetcher *f)
{
	timer_delete_sync(&f->life);
	gc_fetch_put_pages(f);
	lost_del(f);
	/* Pairs with the acquire in gc_fetcher_ended(). */
	smp_store_release(&f->state, FETCH_ENDED);
	gc_fetcher_put(f);
	module_put_and_kthread_exit(0);
}

static bool is_back(struct gc_fetcher *f)
{
	/* Pairs with the full barrier of the cmpxchg() in fetch_thread(). */
	return smp_load_acquire(&f->state) == FETCH_IDLE;
}

static bool is_called(struct gc_fetcher *f)
{
	return kthread_should_stop() || READ_ONCE(f->state) != FETCH_IDLE;
}

static int fetch_thread(void *arg)
{
	struct gc_fetcher *f = arg;

	allow_kernel_signal(SIGKILL);
	for (;;) {
		wait_event_idle(f->wait, is_called(f));
		if (kthread_should_stop())
			return 0;
		/* Pairs with the release in gc_fetch(). */
		if (smp_load_acquire(&f->state) == FETCH_WANTED)
			bring(f);
		else
			mmput_async(f->mm);
		if (cmpxchg(&f->state, FETCH_WANTED, FETCH_IDLE) !=
		    FETCH_WANTED)
			end_lost(f);
		wake_up(&f->wait);
	}
}

static struct gc_fetcher *fetcher_new(void)
{
	/* Not charged to the process: the next one may have it. */
	struct gc_fetcher *f = kzalloc(sizeof(*f), GFP_KERNEL | __GFP_NOWARN);
	struct task_struct *task;

	if (!f)
		return ERR_PTR(-ENOMEM);
	kref_init(&f->ref);
	init_waitqueue_head(&f->wait);
	timer_setup(&f->life, life_over, 0);
	task = kthread_create(fetch_thread, f, "gcheap_fetch");
	if (IS_ERR(task)) {
		kfree(f);
		return ERR_CAST(task);
	}
	f->task = get_task_struct(task);
	wake_up_process(task);
	return f;
}

static struct gc_fetcher *kept_pop(void)
{
	struct gc_fetcher *f;

	spin_lock(&kept_lock);
	f = list_first_entry_or_null(&kept, struct gc_fetcher, kept);
	if (f) {
		list_del(&f->kept);
		nr_kept--;
	}
	spin_unlock(&kept_lock);
	return f;
}

static bool kept_push(struct gc_fetcher *f)
{
	bool room;

	spin_lock(&kept_lock);
	room = nr_kept < KEPT_MAX;
	if (room) {
		list_add(&f->kept, &kept);
		nr_kept++;
	}
	spin_unlock(&kept_lock);
	return room;
}

static void fetcher_stop(struct gc_fetcher *f)
{
	kthread_stop(f->task);
	gc_fetcher_put(f);
}

/**
 * gc_fetcher_take() - have a fetcher at hand
 *
 * Context: may sleep; no world is stopped by the caller.
 *
 * Return: a fetcher, or ERR_PTR(-ENOMEM); ERR_PTR(-EINTR) when the caller is being
 * killed.
 */
struct gc_fetcher *gc_fetcher_take(void)
{
	struct gc_fetcher *f = kept_pop();

	return f ? f : fetcher_new();
}

/**
 * gc_fetcher_keep() - undo gc_fetcher_take()
 * @f: fetcher that was not given up
 *
 * Context: may sleep.
 */
void gc_fetcher_keep(struct gc_fetcher *f)
{
	if (!kept_push(f))
		fetcher_stop(f);
}

/**
 * gc_fetch_exit() - end all fetchers that are kept
 *
 * Others hold the module, or are held by who does.
 */
void gc_fetch_exit(void)
{
	struct gc_fetcher *f;

	while ((f = kept_pop()))
		fetcher_stop(f);
}

/*
 * All is prepared before the thread is told, as it may end at once.  Returns false
 * when the pages have come after all.
 */
static bool give_up(struct gc_fetcher *f)
{
	__module_get(THIS_MODULE);
	kref_get(&f->ref);
	lost_add(f);
	mod_timer(&f->life, jiffies + LIFE_S * HZ);
	if (cmpxchg(&f->state, FETCH_WANTED, FETCH_LOST) == FETCH_WANTED)
		return true;
	timer_delete_sync(&f->life);
	lost_del(f);
	gc_fetcher_put(f);
	module_put(THIS_MODULE);
	return false;
}

/**
 * gc_fetch() - have pages brought
 * @f: fetcher
 * @mm: address space; the caller has a reference to its users
 * @addr: address of the first
 * @nr: how many, at most FETCH_PAGES
 *
 * Context: may sleep; mmap_lock of no process held.
 *
 * Return: 0 when @f tells what has come, until gc_fetch_put_pages(); or -ETIMEDOUT,
 * or -EINTR when the caller is being killed: then @f is given up, and the caller's
 * reference is all that it has of it.  -EDQUOT when the user's pages that were given
 * up are too many already, and @f is as before.
 */
int gc_fetch(struct gc_fetcher *f, struct mm_struct *mm, unsigned long addr,
	     unsigned long nr)
{
	long left;

	f->user = gc_user_outside(current_uid());
	if (lost_too_many(f->user))
		return -EDQUOT;
	mmget(mm);
	f->mm = mm;
	f->addr = addr;
	f->nr = nr;
	/* Pairs with the acquire in fetch_thread(). */
	smp_store_release(&f->state, FETCH_WANTED);
	wake_up(&f->wait);
	left = wait_event_killable_timeout(f->wait, is_back(f),
					   PATIENCE_S * HZ);
	if (left > 0 || !give_up(f))
		return 0;
	if (left || lost_too_many(f->user))
		gc_fetcher_kill(f);
	return left ? -EINTR : -ETIMEDOUT;
}

/**
 * gc_fetch_lock() - take mmap_lock for reading
 * @mm: address space
 * @world: that is stopped
 *
 * There is no lock of the kernel's that one waits for with an end.  As nobody
 * whom the world holds takes it meanwhile, the first who tries has it.  But many who
 * are not parked yet may be in line for it.
 *
 * Return: 0, -ETIMEDOUT, or as gc_given_up().
 */
int gc_fetch_lock(struct mm_struct *mm, struct gc_world *world)
{
	int err, parked = -1, before;
	u64 end = 0;

	while (!mmap_read_trylock(mm)) {
		err = gc_given_up();
		if (err)
			return err;
		before = parked;
		parked = gc_world_parked(world);
		if (parked != before)
			end = ktime_get_ns() + PATIENCE_S * NSEC_PER_SEC;
		else if (ktime_get_ns() > end)
			return -ETIMEDOUT;
		usleep_range(50, 200);
	}
	return 0;
}
