/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels we build for: 6.1 to 7.3.  No other file asks
 * for a version.  Nothing is owned here; each has the context and the locks of the
 * kernel's function that it stands for.
 */
#ifndef GCHEAP_COMPAT_H
#define GCHEAP_COMPAT_H

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/list_lru.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#include <asm/msr.h>
#include <asm/processor.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "gcheap needs Linux 6.1 or newer"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#define kthread_run_worker	kthread_create_worker
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define memcg_kmem_online	memcg_kmem_enabled

static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync	del_timer_sync
#endif

/* 6.18 gave the queue for work of any processor and length a new name. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define system_dfl_wq	system_unbound_wq
#endif

/* What visits the entries of a list: with the list's lock held */
typedef enum lru_status (*gc_lru_visit)(struct list_head *item, void *arg);

/**
 * struct gc_lru_walk - a walk over a list
 * @visit: called for each entry
 * @arg: its second argument
 */
struct gc_lru_walk {
	gc_lru_visit visit;
	void *arg;
};

/* 6.13 took the list's lock from the arguments of who walks it. */
static inline enum lru_status gc_lru_step(struct list_head *item,
					  struct list_lru_one *one,
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
					  spinlock_t *lock,
#endif
					  void *walk)
{
	const struct gc_lru_walk *w = walk;

	return w->visit(item, w->arg);
}

/* Once round a cgroup's list: what is put to its end is not visited again. */
static inline void gc_lru_walk(struct list_lru *list, struct shrink_control *sc,
			       gc_lru_visit visit, void *arg)
{
	struct gc_lru_walk walk = { .visit = visit, .arg = arg };
	unsigned long nr = list_lru_count_one(list, sc->nid, sc->memcg);

	list_lru_walk_one(list, sc->nid, sc->memcg, gc_lru_step, &walk, &nr);
}

/* The lists of all cgroups and nodes */
static inline void gc_lru_walk_all(struct list_lru *list, gc_lru_visit visit, void *arg)
{
	struct gc_lru_walk walk = { .visit = visit, .arg = arg };

	list_lru_walk(list, gc_lru_step, &walk, list_lru_count(list));
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define list_lru_add_obj	list_lru_add
#define list_lru_del_obj	list_lru_del
#endif

typedef unsigned long (*gc_shrink_call)(struct shrinker *shrinker,
					struct shrink_control *sc);

/*
 * A shrinker for each node and cgroup; pages of ours cost nobody any input to make
 * again.  Before 6.7 it is called from now on, after that when it is started.
 */
static inline struct shrinker *gc_shrinker_new(const char *name,
					       gc_shrink_call count,
					       gc_shrink_call scan)
{
	const unsigned int flags = SHRINKER_NUMA_AWARE | SHRINKER_MEMCG_AWARE;
	struct shrinker *shrinker;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	int err;

	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	shrinker->flags = flags;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	err = register_shrinker(shrinker, "%s", name);
	if (err) {
		kfree(shrinker);
		return ERR_PTR(err);
	}
#else
	shrinker = shrinker_alloc(flags, "%s", name);
	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	shrinker->seeks = 0;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
#endif
	return shrinker;
}

static inline void gc_shrinker_start(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_register(shrinker);
#endif
}

static inline void gc_shrinker_end(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	unregister_shrinker(shrinker);
	kfree(shrinker);
#else
	shrinker_free(shrinker);
#endif
}

/* A thread that has the address space; under RCU, NULL when it is not known. */
static inline struct task_struct *gc_mm_owner(struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	return rcu_dereference(mm->owner);
#else
	return NULL;
#endif
}

/* Whether a thread is on a processor; if not, all of it is in memory. */
static inline bool gc_task_on_cpu(struct task_struct *task)
{
#ifdef CONFIG_SMP
	/* Pairs with the release when the next thread has the processor. */
	return smp_load_acquire(&task->on_cpu);
#else
	return task == current;
#endif
}

/*
 * Count what the calling thread has entered into its page tables.  Before 6.2 each thread
 * has counters of its own, and adds them to the address space's at every 65th page
 * fault, of which there may be none for long.  The function that does it is not exported.
 */
static inline void gc_count_resident(void)
{
#ifdef SPLIT_RSS_COUNTING
	int i;

	for (i = 0; i < NR_MM_COUNTERS; i++) {
		atomic_long_add(current->rss_stat.count[i],
				&current->mm->rss_stat.count[i]);
		current->rss_stat.count[i] = 0;
	}
#endif
}

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
/*
 * 6.16 moved it behind the task.  x86_task_fpu(), which says so, is a function that is
 * not exported where the kernel has CONFIG_X86_DEBUG_FPU (asm/processor.h).
 */
static inline struct fpu *gc_task_fpu(struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
	return (struct fpu *)(task + 1);
#else
	return &task->thread.fpu;
#endif
}

/* 6.16 gave it its present name. */
#ifndef rdmsrq
#define rdmsrq	rdmsrl
#endif
#endif

/* Whether sigreturn gives an alternate stack back after it has restored registers. */
#define GC_SIGRETURN_REARMS_LAST	\
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0))

/* Threads of a process that never run its code: 6.4 added PF_USER_WORKER. */
#ifdef PF_USER_WORKER
#define GC_PF_NO_USER	(PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER)
#else
#define GC_PF_NO_USER	(PF_KTHREAD | PF_IO_WORKER)
#endif

static inline unsigned long gc_unmapped_area(struct file *file,
					     unsigned long addr,
					     unsigned long len,
					     unsigned long pgoff,
					     unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	return mm_get_unmapped_area(file, addr, len, pgoff, flags);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
#else
	return current->mm->get_unmapped_area(file, addr, len, pgoff, flags);
#endif
}

/*
 * Processors where an address space may be in use.  x86 keeps a superset for its own
 * needs; who does not, has all of them here.
 */
static inline void gc_add_cpus(struct cpumask *cpus, struct mm_struct *mm)
{
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	cpumask_or(cpus, cpus, mm_cpumask(mm));
#else
	cpumask_copy(cpus, cpu_online_mask);
#endif
}

/* Whether a thread is on a processor; if not, its registers are in memory. */
static inline bool gc_on_cpu(struct task_struct *task)
{
#ifdef CONFIG_SMP
	/* Pairs with the release in the kernel's finish_task(). */
	return smp_load_acquire(&task->on_cpu);
#else
	return false;
#endif
}

/*
 * Pin pages of another process, whose mmap_lock is held for reading; unless @locked
 * is NULL the lock is dropped while a page is waited for, and *@locked is 0 when
 * it was not taken again.
 */
static inline long gc_get_pages(struct mm_struct *mm, unsigned long addr,
				unsigned long nr, struct page **pages,
				unsigned int flags, int *locked)
{
	flags |= FOLL_FORCE;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, addr, nr, flags, pages, locked);
#else
	return get_user_pages_remote(mm, addr, nr, flags, pages, NULL,
				     locked);
#endif
}

/* Whether io_uring takes pages of a file for long, and marks none of them: see dirty.c */
#define GC_BUFFERS_UNMARKED						\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0) &&		\
	 LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0) &&		\
	 IS_ENABLED(CONFIG_IO_URING))

#endif /* GCHEAP_COMPAT_H */
