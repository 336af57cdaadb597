// SPDX-License-Identifier: GPL-2.0
/*
 * Stopping the world without signals.
 *
 * The protocol.  The collector, who holds the heap's lock,
 *
 *  0. lets those leave whom the last stop parked: who is woken at its end and
 *     finds the next one begun would park again, and might never get on.  Who
 *     uses several heaps, and is parked by another one's stop on its way out, has
 *     not left;
 *  1. says so: world->stopped;
 *  2. looks for members: all address spaces that map the heap;
 *  3. looks for threads of members that it has not seen in this round, and
 *     queues a task work on each: QUEUED;
 *  4. interrupts all processors where members may run, and waits until each has
 *     taken the interrupt, and saved the registers of whom it met there;
 *  5. repeats 2 to 4 until nothing is new.
 *
 * A thread runs its task work before it executes another user instruction: it
 * parks there (PARKED) until the world is started again, or it is killed.  A
 * thread that sleeps in the kernel is left asleep, with its work queued.
 *
 * Why step 4 is enough: on its way to user mode a thread reads its flags with
 * interrupts off, and keeps them off until it is there.  A flag that was set
 * before is seen.  One that is set after finds the interrupt pending, which is
 * then taken in user mode; and its return reads the flags again.
 *
 * Where members may run is what mm_cpumask() says, read after all flags were set.
 * A processor enters itself there, with a full barrier, before it loads an address
 * space (switch_mm_irqs_off()), and leaves when it has loaded another one, since the
 * kernel sends it there what it must forget of the page tables.  That is so, too,
 * where processors are told of that by an instruction (INVLPGB): the address space
 * may lose its global number and need interrupts again.  So a processor that is
 * not found there enters itself later, only then takes a thread to user mode, and
 * on the way reads flags that were set before; there is a full barrier in between
 * on both sides.
 *
 * Who leaves a processor, or works for a moment with another address space, takes
 * the one out of the mask before the registers are saved.  Until they are, the
 * thread counts as being there (task_struct.on_cpu): where threads that were found
 * are is interrupted too.
 *
 * Threads that are born meanwhile:
 *  - a child of fork() or clone() by a member is either found in step 3, as it
 *    is listed before its parent reaches sched_process_fork, or that tracepoint,
 *    which comes before the child's first instruction, sees the world stopped
 *    and queues a work on the child ("newborn");
 *  - a process that maps the heap queues a work on itself in mmap ("newcomer").
 *    When it runs, the mapping is there: so it is found in step 2, or the work
 *    sees the world stopped.
 * Should there be more newborns than a world has works for, it is "breached":
 * someone ran, and what was marked is worth nothing.  As a thread that is held has
 * at most one child, the next attempt has one for each thread.
 *
 * Who is parked may be one that writing to a disk depends on (a file system in user
 * space, a network block device).  So memory that the collector asks for meanwhile,
 * itself or in the kernel's functions, is taken from what can be had without: else
 * the two would wait for each other.  Whether all do so, and wait for no lock of
 * someone who does not, lockdep tells.
 *
 * The first realtime thread is parked where it lends the collector its priority, see
 * lend.h.  All others are parked at a wait queue, where the system may freeze them
 * when it suspends.
 *
 * Slabs may be recalled from a thread that is held.  It is told by its own work, so
 * before its next user instruction, and owns none until then: a stop that comes while
 * the work has not run, or writes to the thread's memory, finds nothing to recall.
 *
 * A queued work holds the mutator, the world and the module, not the heap.  It
 * cannot be taken back from a thread: that is what may keep the module from
 * being unloaded while a thread which once used a heap is asleep.
 *
 * selftests/models/stop.pml says the same to Spin.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rbtree.h>
#include <linux/rculist.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/task_work.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <linux/wait.h>

#include "compat.h"
#include "gfp.h"
#include "given_up.h"
#include "heap.h"
#include "lend.h"
#include "member.h"
#include "mutator.h"
#include "regs.h"
#include "stats.h"
#include "stop.h"
#include "trace.h"

/* Children that may be born in the first stop. */
#define NEWBORNS	64

/*
 * How long a stop waits for those whom the last one parked: as long as a thread
 * that has slept waits for a processor at most, unless it is kept from running.
 */
#define LEAVE_MS	20

/* Then the last of them is on its way to user mode, and is to get there. */
#define TURN_US		20

/* A processor that takes longer than that to be interrupted is worth to be told of. */
#define LATE_NS		(100 * NSEC_PER_USEC)

/* Process numbers looked at before others get a turn. */
#define NUMBERS_STEP	512

/**
 * struct gc_newborn - the work that parks a child of fork() or clone()
 * @work: task work
 * @world: a reference while the work is queued
 * @free: in gc_world.newborns while it is not
 */
struct gc_newborn {
	struct callback_head work;
	struct gc_world *world;
	struct llist_node free;
};

/**
 * struct gc_nursery - memory of works for children
 * @node: in gc_world.nurseries, as long as the world is
 * @newborns: works
 */
struct gc_nursery {
	struct list_head node;
	struct gc_newborn newborns[];
};

/**
 * struct gc_world - the threads of all processes that map a heap
 * @ref: the heap, and each queued work
 * @heap: number of the heap, for who watches; set by the first stop
 * @lock: guards changes of @stopped and @round, and who takes from @newborns
 * @wait: where threads are parked
 * @lending: what the collector is lent
 * @parked: threads that are, or were and may be parked by other worlds before
 *	they are in user mode
 * @left: where the next collector waits for the last of them
 * @started_ns: end of the last stop, monotonic
 * @left_ns: when the last of those left whom it had parked
 * @stopped: threads have to park
 * @breached: one could not be parked
 * @gfp_scope: how the collector could ask for memory before
 * @members: struct gc_member found in this stop, by @present, in the order found;
 *	each has a reference to the users of its address space
 * @nr_members: length of @members
 * @cpus: processors where one of them may run
 * @round: number of the stop
 * @pass: number of the look for threads
 * @threads: found in the last stop
 * @capacity: works for children
 * @nurseries: memory of those works
 * @newborns: those that are free
 * @rcu: fork's probe may still look at @stopped when the world goes
 */
struct gc_world {
	struct kref ref;
	u64 heap;
	raw_spinlock_t lock;	/* stopped, round, taking from newborns */
	wait_queue_head_t wait;
	struct gc_lending lending;
	atomic_t parked;
	wait_queue_head_t left;
	u64 started_ns;
	u64 left_ns;
	bool stopped;
	bool breached;
	unsigned int gfp_scope;
	struct list_head members;
	unsigned int nr_members;
	cpumask_var_t cpus;
	u64 round;
	u64 pass;
	unsigned int threads;
	unsigned int capacity;
	struct list_head nurseries;
	struct llist_head newborns;
	struct rcu_head rcu;
};

static struct tracepoint *fork_tracepoint;

#ifdef CONFIG_LOCKDEP
/* Held by the collector while its world is stopped. */
static struct lockdep_map stopped_map =
	STATIC_LOCKDEP_MAP_INIT("gcheap_stopped", &stopped_map);
#endif

/* Works for so many children; all that exist stay where they are. */
static int newborns_reserve(struct gc_world *world, unsigned int capacity)
{
	struct gc_nursery *nursery;
	unsigned int more, i;

	if (capacity <= world->capacity)
		return 0;
	more = capacity - world->capacity;
	nursery = kvmalloc(struct_size(nursery, newborns, more), GC_GFP);
	if (!nursery)
		return -ENOMEM;
	list_add(&nursery->node, &world->nurseries);
	world->capacity = capacity;
	for (i = 0; i < more; i++)
		llist_add(&nursery->newborns[i].free, &world->newborns);
	return 0;
}

/**
 * gc_world_new() - a world that nobody is in
 *
 * Return: the world with one reference, or NULL.
 */
struct gc_world *gc_world_new(void)
{
	struct gc_world *world = kzalloc(sizeof(*world), GC_GFP);

	if (!world)
		return NULL;
	kref_init(&world->ref);
	raw_spin_lock_init(&world->lock);
	init_waitqueue_head(&world->wait);
	gc_lending_init(&world->lending);
	init_waitqueue_head(&world->left);
	INIT_LIST_HEAD(&world->members);
	INIT_LIST_HEAD(&world->nurseries);
	init_llist_head(&world->newborns);
	if (!zalloc_cpumask_var(&world->cpus, GC_GFP))
		goto free_world;
	if (newborns_reserve(world, NEWBORNS))
		goto free_cpus;
	return world;

free_cpus:
	free_cpumask_var(world->cpus);
free_world:
	kfree(world);
	return NULL;
}

static void world_release(struct kref *ref)
{
	struct gc_world *world = container_of(ref, struct gc_world, ref);
	struct gc_nursery *nursery, *next;

	list_for_each_entry_safe(nursery, next, &world->nurseries, node)
		kvfree(nursery);
	free_cpumask_var(world->cpus);
	kfree_rcu(world, rcu);
}

/**
 * gc_world_put() - drop a reference
 * @world: world
 */
void gc_world_put(struct gc_world *world)
{
	kref_put(&world->ref, world_release);
}

/* Those who are about to die run no more code of the program. */
static bool world_holds_me(struct gc_world *world)
{
	return READ_ONCE(world->stopped) && !(current->flags & PF_EXITING) &&
	       !fatal_signal_pending(current);
}

static void wait_patiently(struct gc_world *world)
{
	wait_event_state(world->wait, !READ_ONCE(world->stopped),
			 (TASK_KILLABLE | TASK_FREEZABLE));
}

static void wait_for_start(struct gc_world *world)
{
	while (world_holds_me(world)) {
		if (!gc_lending_wait(&world->lending))
			wait_patiently(world);
	}
}

/* The time is there for who finds that nobody is parked any more. */
static void note_time(struct gc_world *world)
{
	if (!READ_ONCE(world->stopped))
		WRITE_ONCE(world->left_ns, ktime_get_ns());
}

/* Whoever is killed leaves before it is time. */
static void tell_left(struct gc_world *world)
{
	if (trace_gcheap_release_enabled() && !READ_ONCE(world->stopped))
		trace_gcheap_release(READ_ONCE(world->heap),
				     ktime_get_ns() - READ_ONCE(world->started_ns));
}

static void leave(struct gc_world *world)
{
	if (!atomic_dec_and_test(&world->parked))
		return;
	tell_left(world);
	wake_up(&world->left);
}

static void park(struct gc_world *world)
{
	if (!world_holds_me(world))
		return;
	atomic_inc(&world->parked);
	wait_for_start(world);
	note_time(world);
	leave(world);
}

static void work_done(struct gc_world *world)
{
	gc_world_put(world);
	/* gc_stop_exit() waits for whoever is between this and its return. */
	module_put(THIS_MODULE);
}

static int queue_work_on_task(struct task_struct *task, struct gc_world *world,
			      struct callback_head *work, task_work_func_t func)
{
	int err;

	__module_get(THIS_MODULE);
	kref_get(&world->ref);
	init_task_work(work, func);
	err = task_work_add(task, work, TWA_RESUME);
	if (err)
		work_done(world);
	return err;
}

/*
 * FREE is set under the lock, together with the last look at the world: the
 * next stop either is seen here, or finds FREE and queues the work anew.
 */
static bool mutator_park_step(struct gc_mutator *m)
{
	bool held;

	spin_lock(&m->lock);
	held = world_holds_me(m->world);
	m->hold = held ? HOLD_PARKED : HOLD_FREE;
	spin_unlock(&m->lock);
	return held;
}

/* Whoever has not slept since was not parked by anyone. */
static bool has_slept(struct gc_mutator *m)
{
	unsigned long sleeps = current->nvcsw;
	bool slept = m->sleeps != sleeps;

	m->sleeps = sleeps;
	return slept;
}

static void leaving_work(struct callback_head *work)
{
	struct gc_mutator *m = container_of(work, struct gc_mutator, leaving);
	struct gc_world *world = m->world;

	if (has_slept(m) &&
	    !task_work_add(current, &m->leaving, TWA_RESUME))
		return;
	WRITE_ONCE(m->leaves, false);
	leave(world);
	gc_mutator_put(m);
	work_done(world);
}

/*
 * The stop of another heap may be next to park the thread, and then again this
 * one's.  So it counts until all works that it had were run, and no other one has
 * parked it.  The work is run at least twice, as the first time it may be run before
 * others that are queued.
 */
static void leave_later(struct gc_mutator *m)
{
	if (m->leaves) {
		leave(m->world);
		return;
	}
	WRITE_ONCE(m->leaves, true);
	m->sleeps = current->nvcsw - 1;
	kref_get(&m->ref);
	if (!queue_work_on_task(current, m->world, &m->leaving, leaving_work))
		return;
	WRITE_ONCE(m->leaves, false);
	leave(m->world);
	gc_mutator_put(m);
}

static void mutator_work(struct callback_head *work)
{
	struct gc_mutator *m = container_of(work, struct gc_mutator, work);
	struct gc_world *world = m->world;

	if (mutator_park_step(m)) {
		atomic_inc(&world->parked);
		do {
			wait_for_start(world);
		} while (mutator_park_step(m));
		note_time(world);
		leave_later(m);
	}
	gc_mutator_obey(m);
	gc_mutator_put(m);
	work_done(world);
}

static void newborn_work(struct callback_head *work)
{
	struct gc_newborn *newborn = container_of(work, struct gc_newborn, work);
	struct gc_world *world = newborn->world;

	park(world);
	llist_add(&newborn->free, &world->newborns);
	work_done(world);
}

static void newcomer_work(struct callback_head *work)
{
	struct gc_newborn *newcomer = container_of(work, struct gc_newborn,
						   work);
	struct gc_world *world = newcomer->world;

	kfree(newcomer);
	park(world);
	work_done(world);
}

/* Whether a stop has found that an address space maps the heap. */
static bool is_found(const struct gc_member *member)
{
	return READ_ONCE(member->round) == READ_ONCE(member->world->round);
}

static struct gc_member *find_found(const struct gc_world *world,
				    struct mm_struct *mm)
{
	struct gc_member *member = gc_member_find(world, mm);

	return member && is_found(member) ? member : NULL;
}

static void newborn_park(struct gc_world *world, struct task_struct *child)
{
	/* One at a time takes from the list, under the world's lock. */
	struct llist_node *free = llist_del_first(&world->newborns);
	struct gc_newborn *newborn;

	if (!free) {
		WRITE_ONCE(world->breached, true);
		return;
	}
	newborn = llist_entry(free, struct gc_newborn, free);
	newborn->world = world;
	if (queue_work_on_task(child, world, &newborn->work, newborn_work))
		llist_add(free, &world->newborns);
}

/* Only of a stopped world it is known that its heap is there. */
static void born_in(struct gc_member *member, struct task_struct *child)
{
	struct gc_world *world = member->world;

	if (!READ_ONCE(world->stopped))
		return;
	raw_spin_lock(&world->lock);
	if (world->stopped && is_found(member))
		newborn_park(world, child);
	raw_spin_unlock(&world->lock);
}

/* A thread of members: it shares their address space. */
static void born(struct task_struct *child)
{
	struct gc_member *member;
	struct rhlist_head *pos;

	rhl_for_each_entry_rcu(member, pos, gc_members_of(child->mm), hash) {
		gc_member_note(member, gc_regs_thread_pointer(child), 0);
		born_in(member, child);
	}
}

/*
 * A process whose parent is a member is taken for one too, as it may have the
 * mapping.  Is it found in a stop just now, then its threads are looked for after
 * that, and it is listed.
 */
static void forked(struct mm_struct *parent_mm, struct task_struct *child)
{
	struct gc_member *member;
	struct rhlist_head *pos;

	rhl_for_each_entry_rcu(member, pos, gc_members_of(parent_mm), hash)
		if (READ_ONCE(member->world->stopped) &&
		    !find_found(member->world, child->mm))
			born_in(member, child);
}

/*
 * sched_process_fork: the child is listed, and has not run.  Who is no member, and
 * whose world is not stopped, takes no lock here.
 */
static void probe_fork(void *data, struct task_struct *parent,
		       struct task_struct *child)
{
	/* The child is listed before we look; the collector does it reversed. */
	smp_mb();
	rcu_read_lock();
	if (child->mm)
		born(child);
	if (child->mm && parent->mm && parent->mm != child->mm)
		forked(parent->mm, child);
	rcu_read_unlock();
}

/**
 * gc_stop_newcomer() - the calling process is about to map the heap
 * @world: of the heap
 *
 * Context: may sleep; mmap_lock held.
 *
 * Return: 0 or -ENOMEM.
 */
int gc_stop_newcomer(struct gc_world *world)
{
	struct gc_newborn *newcomer = kmalloc(sizeof(*newcomer),
					      GC_GFP);
	int err;

	if (!newcomer)
		return -ENOMEM;
	newcomer->world = world;
	err = queue_work_on_task(current, world, &newcomer->work,
				 newcomer_work);
	if (err)
		kfree(newcomer);
	return err;
}

static void world_publish(struct gc_world *world)
{
	raw_spin_lock(&world->lock);
	WRITE_ONCE(world->round, world->round + 1);
	world->threads = 0;
	world->breached = false;
	WRITE_ONCE(world->stopped, true);
	raw_spin_unlock(&world->lock);
}

/**
 * struct look - one look for members
 * @heap: heap
 * @spare: members for address spaces that are none
 * @wanting: address spaces for which there was none
 * @err: -ENOMEM when one could not be entered
 */
struct look {
	struct gc_heap *heap;
	struct list_head spare;
	unsigned int wanting;
	int err;
};

/* Only what fork could not enter, for want of memory. */
static void look_enter(struct look *l, struct mm_struct *mm)
{
	struct gc_member *member;

	member = list_first_entry_or_null(&l->spare, struct gc_member, node);
	if (!member) {
		l->wanting++;
		return;
	}
	list_del_init(&member->node);
	/* Nobody has noted which threads it had until now. */
	WRITE_ONCE(member->records.incomplete, true);
	l->err = gc_member_enter(l->heap, member, mm);
	if (!l->err)
		return;
	list_add(&member->node, &l->spare);
	if (l->err == -EEXIST)
		l->err = 0;
}

/* Returns whether the address space is a member, or not used any more. */
static bool look_at(struct gc_world *world, struct mm_struct *mm)
{
	struct gc_member *member;
	bool fresh;

	rcu_read_lock();
	member = gc_member_find(world, mm);
	fresh = member && !is_found(member) && mmget_not_zero(mm);
	rcu_read_unlock();
	if (fresh) {
		WRITE_ONCE(member->round, world->round);
		list_add_tail(&member->present, &world->members);
		world->nr_members++;
	}
	return member || !atomic_read(&mm->mm_users);
}

static void look_for(struct look *l, struct mm_struct *mm)
{
	if (look_at(l->heap->world, mm))
		return;
	look_enter(l, mm);
	look_at(l->heap->world, mm);
}

/*
 * The kernel does not export its walk of the interval tree; a plain walk of the
 * red-black tree beneath gives all mappings too.
 */
static void look_through(struct look *l)
{
	struct address_space *mapping = l->heap->inode->i_mapping;
	struct rb_node *node;

	l->wanting = 0;
	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node && !l->err;
	     node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node, struct vm_area_struct,
						      shared.rb);

		/* Who maps only the page of statistics has nothing of the heap's. */
		if (vma->vm_pgoff != GC_STATS_PGOFF)
			look_for(l, vma->vm_mm);
		cond_resched();
	}
	i_mmap_unlock_read(mapping);
}

static void look_reserve(struct look *l)
{
	unsigned int i;

	for (i = 0; i < l->wanting && !l->err; i++) {
		struct gc_member *member = gc_member_alloc();

		if (member)
			list_add(&member->node, &l->spare);
		else
			l->err = -ENOMEM;
	}
}

/* Add the address spaces that map the heap and have not been found yet. */
static int members_find(struct gc_heap *heap)
{
	struct look l = {
		.heap = heap,
		.spare = LIST_HEAD_INIT(l.spare),
	};
	struct gc_member *member, *next;

	do {
		look_through(&l);
		look_reserve(&l);
	} while (l.wanting && !l.err);
	list_for_each_entry_safe(member, next, &l.spare, node)
		gc_member_put(member);
	return l.err;
}

static void members_drop(struct gc_world *world)
{
	struct gc_member *member, *next;

	list_for_each_entry_safe(member, next, &world->members, present) {
		list_del_init(&member->present);
		mmput_async(member->mm);
		cond_resched();
	}
	world->nr_members = 0;
}

/* Have a thread park before its next user instruction, if it does not yet. */
static void mutator_hold(struct gc_world *world, struct gc_mutator *m)
{
	bool undo = false;

	spin_lock(&m->lock);
	if (m->hold == HOLD_FREE) {
		m->hold = HOLD_QUEUED;
		kref_get(&m->ref);
		undo = queue_work_on_task(m->task, world, &m->work,
					  mutator_work);
		if (undo)
			m->hold = HOLD_FREE;
	}
	spin_unlock(&m->lock);
	if (undo)
		gc_mutator_put(m);
}

/**
 * struct catch - one look for threads
 * @heap: heap
 * @spare: mutators for threads that have none
 * @wanting: threads for which there was none
 * @found: threads that had not been seen in this round
 * @err: -ENOMEM when a thread could not be entered
 */
struct catch {
	struct gc_heap *heap;
	struct list_head spare;
	unsigned int wanting;
	unsigned int found;
	int err;
};

static struct gc_mutator *catch_mutator(struct catch *c,
					struct task_struct *task,
					struct gc_member *member)
{
	struct gc_mutator *m = gc_mutator_find(c->heap, task);

	if (m && m->member == member)
		return m;
	m = list_first_entry_or_null(&c->spare, struct gc_mutator, node);
	if (!m)
		return NULL;
	if (gc_mutator_find(c->heap, task))
		gc_mutator_retire(c->heap, gc_mutator_find(c->heap, task));
	list_del_init(&m->node);
	c->err = gc_mutator_add(c->heap, m, task, member);
	if (!c->err)
		return m;
	list_add(&m->node, &c->spare);
	return NULL;
}

/* Returns whether the thread had been found before. */
static bool catch_thread(struct catch *c, struct task_struct *task,
			 struct gc_member *member)
{
	struct gc_world *world = c->heap->world;
	struct gc_mutator *m;

	if (READ_ONCE(task->mm) != member->mm)
		return false;
	if (task == current) {
		m = gc_mutator_find(c->heap, current);
		if (m)
			m->pass = world->pass;
		return true;
	}
	if (READ_ONCE(task->flags) & (GC_PF_NO_USER | PF_EXITING))
		return false;
	m = catch_mutator(c, task, member);
	if (!m) {
		c->wanting++;
		return false;
	}
	m->pass = world->pass;
	if (m->round == world->round)
		return true;
	WRITE_ONCE(m->round, world->round);
	gc_lending_note(&world->lending, task);
	world->threads++;
	c->found++;
	mutator_hold(world, m);
	return false;
}

/* Returns how many threads of a process had been found before. */
static unsigned int catch_process(struct catch *c, struct task_struct *process,
				  struct gc_member *member)
{
	unsigned int before = 0;
	struct task_struct *task;

	for_each_thread(process, task)
		before += catch_thread(c, task, member);
	return before;
}

/*
 * A child that fork() still makes owns its address space already.  What is queued on
 * it before it is listed is lost.
 */
static bool is_listed(struct task_struct *task)
{
	return pid_task(task_pid(task), PIDTYPE_PID) == task;
}

static unsigned int catch_owner(struct catch *c, struct gc_member *member)
{
	struct task_struct *owner;
	unsigned int before = 0;

	rcu_read_lock();
	owner = gc_mm_owner(member->mm);
	if (owner && is_listed(owner))
		before = catch_process(c, owner, member);
	rcu_read_unlock();
	return before;
}

/* The processes of threads that are known, and were not looked at in this pass. */
static unsigned int catch_known(struct catch *c, struct gc_member *member)
{
	unsigned int before = 0;
	struct gc_mutator *m;

	list_for_each_entry(m, &member->mutators, member_node) {
		if (m->retired || m->pass == c->heap->world->pass ||
		    READ_ONCE(m->task->mm) != member->mm ||
		    READ_ONCE(m->task->flags) & PF_EXITING)
			continue;
		rcu_read_lock();
		before += catch_process(c, m->task, member);
		rcu_read_unlock();
		cond_resched();
	}
	return before;
}

/*
 * Most members are one process, and it can be found from them.  Returns whether
 * nobody else can have the address space: each thread that has it, born or about
 * to be, counts among its users.  So when all users that were there before we
 * looked are threads that had been found before that, and one is this stop's own
 * reference, then nobody was missed; whoever came later is their child.  Other
 * references to the users only make us look further.
 */
static bool catch_member(struct catch *c, struct gc_member *member)
{
	unsigned int users = atomic_read(&member->mm->mm_users), before;

	/* The users are counted before the threads are listed. */
	smp_mb();
	before = catch_owner(c, member);
	before += catch_known(c, member);
	return users == before + 1;
}

static bool catch_members(struct catch *c)
{
	struct gc_world *world = c->heap->world;
	struct gc_member *member;
	bool all = true;

	c->wanting = 0;
	world->pass++;
	list_for_each_entry(member, &world->members, present) {
		all &= catch_member(c, member);
		cond_resched();
	}
	return all;
}

/* A process's address space is that of each of its threads, but who has ended. */
static struct mm_struct *process_mm(struct task_struct *process)
{
	struct mm_struct *mm = READ_ONCE(process->mm);
	struct task_struct *task;

	if (likely(mm))
		return mm;
	for_each_thread(process, task) {
		mm = READ_ONCE(task->mm);
		if (mm)
			return mm;
	}
	return NULL;
}

static void catch_if_found(struct catch *c, struct task_struct *process)
{
	struct gc_member *member;
	struct mm_struct *mm;

	if (READ_ONCE(process->flags) & PF_KTHREAD)
		return;
	mm = process_mm(process);
	member = mm ? find_found(c->heap->world, mm) : NULL;
	if (member)
		catch_process(c, process, member);
}

/*
 * Look at all processes of the machine: by number, so that others get a turn now
 * and then, and each that is there all the time is met.
 */
static void catch_everywhere(struct catch *c)
{
	struct task_struct *process;
	unsigned int steps = 0;
	struct pid *pid;
	int number = 1;

	c->wanting = 0;
	rcu_read_lock();
	while ((pid = idr_get_next(&init_pid_ns.idr, &number))) {
		process = pid_task(pid, PIDTYPE_TGID);
		if (process)
			catch_if_found(c, process);
		number++;
		if (++steps % NUMBERS_STEP)
			continue;
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
	}
	rcu_read_unlock();
}

static void catch_reserve(struct catch *c)
{
	unsigned int i;

	for (i = 0; i < c->wanting && !c->err; i++) {
		struct gc_mutator *m = gc_mutator_alloc();

		if (m)
			list_add(&m->node, &c->spare);
		else
			c->err = -ENOMEM;
	}
}

static void catch_end(struct catch *c)
{
	struct gc_mutator *m, *next;

	list_for_each_entry_safe(m, next, &c->spare, node)
		gc_mutator_put(m);
}

/* Returns the number of threads that were new, or -ENOMEM. */
static int world_catch(struct gc_heap *heap)
{
	struct catch c = {
		.heap = heap,
		.spare = LIST_HEAD_INIT(c.spare),
	};

	/* Members are published before the threads are listed: see probe_fork(). */
	smp_mb();
	do {
		if (!catch_members(&c) && !c.found && !c.wanting)
			catch_everywhere(&c);
		catch_reserve(&c);
	} while (c.wanting && !c.err);
	catch_end(&c);
	return c.err ? c.err : c.found;
}

/**
 * struct interruption - of the processors where members may run
 * @heap: heap
 * @start_ns: when it was asked for; 0: nobody wants to know how long it took
 * @missed: a thread of it was there whose registers could not be saved
 */
struct interruption {
	struct gc_heap *heap;
	u64 start_ns;
	bool missed;
};

/* Whoever is met there after long has kept interrupts off. */
static void tell_late(const struct interruption *i)
{
	u64 ns = ktime_get_ns() - i->start_ns;

	if (ns >= LATE_NS)
		trace_gcheap_late(i->heap, current, GC_LATE_INTERRUPT, ns);
}

/* Runs on the processor, on top of whatever it was doing. */
static void interrupt(void *arg)
{
	struct interruption *i = arg;
	struct gc_mutator *m;
	bool held;

	if (i->start_ns)
		tell_late(i);
	rcu_read_lock();
	m = gc_mutator_find(i->heap, current);
	held = m && READ_ONCE(m->round) == i->heap->world->round;
	rcu_read_unlock();
	if (held && !gc_regs_save())
		WRITE_ONCE(i->missed, true);
}

/* Those who are leaving a processor, and whose registers are not saved yet. */
static void add_cpus_of_threads(struct gc_world *world,
				struct gc_member *member)
{
	struct gc_mutator *m;

	list_for_each_entry(m, &member->mutators, member_node) {
		if (m->round == world->round && gc_on_cpu(m->task))
			cpumask_set_cpu(task_cpu(m->task), world->cpus);
		cond_resched();
	}
}

static void choose_cpus(struct gc_world *world)
{
	struct gc_member *member;

	cpumask_clear(world->cpus);
	/* All works are queued before we look; see above. */
	smp_mb();
	list_for_each_entry(member, &world->members, present) {
		gc_add_cpus(world->cpus, member->mm);
		add_cpus_of_threads(world, member);
	}
}

/*
 * When it returns, whoever had been caught in user mode is in the kernel, and his
 * registers are in memory.  What cannot be interrupted yet is over soon.
 */
static void interrupt_members(struct gc_heap *heap)
{
	struct interruption i = { .heap = heap };

	do {
		i.missed = false;
		i.start_ns = trace_gcheap_late_enabled() ? ktime_get_ns() : 0;
		choose_cpus(heap->world);
		on_each_cpu_mask(heap->world->cpus, interrupt, &i, true);
		cond_resched();
	} while (i.missed && !fatal_signal_pending(current));
}

/**
 * gc_world_again() - look for members and threads until nothing is new
 * @heap: heap, whose world is stopped
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: number of members and threads that are new, -ENOMEM, or as gc_given_up().
 */
int gc_world_again(struct gc_heap *heap)
{
	struct gc_world *world = heap->world;
	unsigned int before = world->nr_members;
	int found, threads = 0, err;

	lockdep_assert_held(&heap->lock);
	do {
		found = members_find(heap);
		if (found)
			return found;
		found = world_catch(heap);
		if (found > 0) {
			threads += found;
			gc_lending_take(&world->lending);
			interrupt_members(heap);
		}
		err = gc_given_up();
		if (err)
			return err;
	} while (found > 0);
	return found < 0 ? found : threads + world->nr_members - before;
}

static void tell_who_stays(struct gc_heap *heap, u64 ns)
{
	struct gc_mutator *m;

	list_for_each_entry(m, &heap->mutator_list, node)
		if (READ_ONCE(m->leaves))
			trace_gcheap_late(heap, m->task, GC_LATE_LEAVING, ns);
}

/**
 * gc_world_settle() - let those leave whom the last stop parked
 * @heap: heap, whose world is not stopped
 *
 * Nobody is held up by them who holds nobody up: it takes no longer than a
 * thread waits for a processor, and some of them may stay behind.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0, or -EINTR when the caller is being killed.
 */
int gc_world_settle(struct gc_heap *heap)
{
	struct gc_world *world = heap->world;
	u64 start = ktime_get_ns();
	long err;

	if (!atomic_read(&world->parked))
		return 0;
	err = wait_event_killable_timeout(world->left,
					  !atomic_read(&world->parked),
					  msecs_to_jiffies(LEAVE_MS));
	if (err < 0)
		return -EINTR;
	if (!err && trace_gcheap_late_enabled())
		tell_who_stays(heap, ktime_get_ns() - start);
	usleep_range(TURN_US, 2 * TURN_US);
	return 0;
}

/**
 * gc_world_release_ns() - how long the last of those who were parked took to leave
 * @world: world that is not stopped
 *
 * Context: heap's lock held.
 *
 * Return: the time since the end of the last stop, up to now if some are there
 * yet; 0 if nobody was parked.
 */
u64 gc_world_release_ns(struct gc_world *world)
{
	u64 left;

	/* Pairs with the full barrier of the atomic operation in leave(). */
	if (atomic_read_acquire(&world->parked))
		left = ktime_get_ns();
	else
		left = READ_ONCE(world->left_ns);
	return left > world->started_ns ? left - world->started_ns : 0;
}

/**
 * gc_world_stop() - stop all threads of all processes that map the heap
 * @heap: heap
 *
 * When it returns 0, none of them but the caller executes another user
 * instruction before gc_world_start().  No signal is sent, and no system call
 * is disturbed.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0, -ENOMEM, or -EINTR; then the world is not stopped.
 */
int gc_world_stop(struct gc_heap *heap)
{
	struct gc_world *world = heap->world;
	u64 start = ktime_get_ns();
	int err = 0;

	if (world->breached)
		err = newborns_reserve(world, world->threads + NEWBORNS);
	if (err)
		return err;
	gc_lending_begin(&world->lending);
	world->gfp_scope = memalloc_noio_save();
	WRITE_ONCE(world->heap, heap->inode->i_ino);
	lock_map_acquire(&stopped_map);
	world_publish(world);
	err = gc_world_again(heap);
	trace_gcheap_stop(heap, world->nr_members, world->threads, ktime_get_ns() - start,
			  min(err, 0));
	if (err < 0) {
		gc_world_start(heap);
		return err;
	}
	return 0;
}

/**
 * gc_world_start() - let everyone run on
 * @heap: heap, whose world is stopped
 *
 * Context: may sleep; heap's lock held.
 */
void gc_world_start(struct gc_heap *heap)
{
	struct gc_world *world = heap->world;

	lockdep_assert_held(&heap->lock);
	raw_spin_lock(&world->lock);
	WRITE_ONCE(world->started_ns, ktime_get_ns());
	WRITE_ONCE(world->stopped, false);
	raw_spin_unlock(&world->lock);
	/* All are woken at the priority that is lent. */
	wake_up_all(&world->wait);
	gc_lending_end(&world->lending);
	lock_map_release(&stopped_map);
	memalloc_noio_restore(world->gfp_scope);
	members_drop(world);
}

/**
 * gc_world_parked() - how many threads are parked
 * @world: stopped world
 *
 * Return: their number, which others may change at any time.
 */
int gc_world_parked(const struct gc_world *world)
{
	return atomic_read(&world->parked);
}

/**
 * gc_world_breached() - whether someone may have run since the stop
 * @world: stopped world
 *
 * Return: true when what was seen since then is worth nothing.
 */
bool gc_world_breached(struct gc_world *world)
{
	return READ_ONCE(world->breached);
}

/**
 * gc_world_members() - the address spaces of a stopped world
 * @world: stopped world
 *
 * Context: heap's lock held; gc_world_again() adds to its end.
 *
 * Return: list of struct gc_member by @present.
 */
struct list_head *gc_world_members(struct gc_world *world)
{
	return &world->members;
}

/**
 * gc_world_round() - number of the present stop
 * @world: stopped world
 *
 * Return: what gc_mutator.round is for all that are held.
 */
u64 gc_world_round(struct gc_world *world)
{
	return world->round;
}

static void tracepoint_look(struct tracepoint *tp, void *arg)
{
	if (!strcmp(tp->name, "sched_process_fork"))
		fork_tracepoint = tp;
}

/* Before any world is: reclaiming memory may have to wait for one. */
static void tell_lockdep(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	lock_map_acquire(&stopped_map);
	lock_map_release(&stopped_map);
	fs_reclaim_release(GFP_KERNEL);
}

/**
 * gc_stop_init() - be told of new threads
 *
 * Return: 0, or -EOPNOTSUPP when the kernel has no tracepoints.
 */
int gc_stop_init(void)
{
	tell_lockdep();
	for_each_kernel_tracepoint(tracepoint_look, NULL);
	if (!fork_tracepoint) {
		pr_err("this kernel has no tracepoint sched_process_fork (CONFIG_TRACEPOINTS): not loaded\n");
		return -EOPNOTSUPP;
	}
	return tracepoint_probe_register(fork_tracepoint, probe_fork, NULL);
}

/**
 * gc_stop_exit() - undo gc_stop_init(), and wait for the last task work
 */
void gc_stop_exit(void)
{
	tracepoint_probe_unregister(fork_tracepoint, probe_fork, NULL);
	tracepoint_synchronize_unregister();
	/*
	 * A task work drops its reference to us some instructions too early.  Where
	 * the kernel may take the processor from it there, this waits until it is
	 * through (TASKS_RCU, see Kbuild); else nothing more than RCU is needed.
	 */
	synchronize_rcu_tasks();
}
