// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls: one table, one dispatcher that copies structures in and out, and
 * a handler for each that is only its own logic.  <linux/gcheap.h> is the
 * contract.
 *
 * The dispatcher writes the structure back before it calls the handler too: so
 * a caller whose memory cannot be written learns it before anything is changed.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>

#include "backing.h"
#include "collect.h"
#include "free.h"
#include "gfp.h"
#include "heap.h"
#include "ioctl.h"
#include "map.h"
#include "member.h"
#include "mutator.h"
#include "refill.h"
#include "roots.h"
#include "rootset.h"
#include "scavenge.h"
#include "shrink.h"
#include "stats.h"
#include "trace.h"
#include "walk.h"

/* Bytes of an object that do no harm to anybody while it is tried whether they are there */
#define LITTLE		(CHUNK_PAGES << PAGE_SHIFT)

/**
 * struct reopening - a REOPEN under way
 * @reopen: what the caller sees of it
 * @file: the heap's file; a reference until it is the caller's descriptor
 */
struct reopening {
	struct gcheap_ioc_reopen reopen;
	struct file *file;
};

union ioctl_args {
	u32 size;
	struct gcheap_ioc_info info;
	struct gcheap_ioc_config config;
	struct gcheap_ioc_alloc alloc;
	struct gcheap_ioc_free free;
	struct gcheap_ioc_refill refill;
	struct gcheap_ioc_release release;
	struct gcheap_ioc_collect collect;
	struct gcheap_ioc_hold hold;
	struct gcheap_ioc_stats stats;
	struct gcheap_ioc_root root;
	struct gcheap_ioc_object object;
	struct gcheap_ioc_attach attach;
	struct gcheap_ioc_walk walk;
	struct gcheap_ioc_link link;
	struct reopening reopening;
};

/* The ABI's structures have no holes and no surprises in their sizes. */
static_assert(sizeof(struct gcheap_class_info) == 16);
static_assert(sizeof(struct gcheap_ioc_info) == 64);
static_assert(sizeof(struct gcheap_ioc_config) == 40);
static_assert(sizeof(struct gcheap_slab) == 24 + 8 * GCHEAP_SLAB_WORDS);
static_assert(sizeof(struct gcheap_slab_return) == 16);
static_assert(sizeof(struct gcheap_bin) == 32);
static_assert(sizeof(struct gcheap_cache) == 32);
static_assert(sizeof(struct gcheap_ioc_refill) == 64);
static_assert(sizeof(struct gcheap_ioc_release) == 24);
static_assert(sizeof(struct gcheap_ioc_alloc) == 40);
static_assert(sizeof(struct gcheap_ioc_free) == 40);
static_assert(sizeof(struct gcheap_ioc_collect) == 48);
static_assert(sizeof(struct gcheap_ioc_hold) == 24);
static_assert(sizeof(struct gcheap_cycle) == 184);
static_assert(sizeof(struct gcheap_ioc_stats) == 168 + 184 + 8);
static_assert(sizeof(struct gcheap_ioc_root) == 32);
static_assert(sizeof(struct gcheap_ioc_object) == 32);
static_assert(sizeof(struct gcheap_ioc_attach) == 8);
static_assert(sizeof(struct gcheap_ioc_reopen) == 24);
static_assert(sizeof(struct gcheap_walked) == 24);
static_assert(sizeof(struct gcheap_ioc_walk) == 40);
static_assert(sizeof(struct gcheap_ioc_link) == 32);
static_assert(sizeof(unsigned long) == sizeof(u64));

/* Classes copied to the caller at a time. */
#define INFO_BATCH	16U

static int info_classes(struct gcheap_class_info __user *to, u32 nr)
{
	struct gcheap_class_info batch[INFO_BATCH];
	u32 first, i, part;

	for (first = 0; first < nr; first += part) {
		part = min(nr - first, INFO_BATCH);
		for (i = 0; i < part; i++) {
			const struct size_class *class = &size_classes[first + i];

			batch[i] = (struct gcheap_class_info) {
				.object_size = class->object_size,
				.slab_size = class->pages << PAGE_SHIFT,
				.slots = class->slots,
			};
		}
		if (copy_to_user(to + first, batch, part * sizeof(*batch)))
			return -EFAULT;
	}
	return 0;
}

static u32 behaviour(const struct gc_heap *heap)
{
	return READ_ONCE(heap->scan_all) ? GCHEAP_SCAN_ALL : 0;
}

static int ioctl_info(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_info *info = &args->info;
	struct gcheap_class_info __user *to = u64_to_user_ptr(info->classes);
	u32 nr = min_t(u32, info->class_capacity, SIZE_CLASS_COUNT);
	int err;

	if (info->flags || info->behaviour || info->reserved)
		return -EINVAL;
	err = to ? info_classes(to, nr) : 0;
	if (err)
		return err;
	spin_lock(&heap->map_lock);
	info->base = heap->base;
	info->heap_size = heap->size;
	spin_unlock(&heap->map_lock);
	info->page_size = PAGE_SIZE;
	info->abi_version = GCHEAP_ABI_VERSION;
	info->class_count = SIZE_CLASS_COUNT;
	info->max_small = SIZE_CLASS_MAX;
	info->behaviour = behaviour(heap);
	info->uid = from_kuid_munged(current_user_ns(), heap->opener);
	return 0;
}

#define CONFIG_FLAGS	(GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT | \
			 GCHEAP_CONFIG_HEAP_SIZE | GCHEAP_CONFIG_BEHAVIOUR)

static bool config_valid(const struct gcheap_ioc_config *config)
{
	u32 known = config->flags & GCHEAP_CONFIG_BEHAVIOUR ?
		    GCHEAP_SCAN_ALL : 0;

	if (config->flags & ~CONFIG_FLAGS || config->behaviour & ~known)
		return false;
	if (config->flags & GCHEAP_CONFIG_PERCENT &&
	    config->percent != GCHEAP_PERCENT_OFF &&
	    (config->percent < 1 || config->percent > GCHEAP_PERCENT_MAX))
		return false;
	return !(config->flags & GCHEAP_CONFIG_HEAP_SIZE) ||
	       (config->heap_size >= GCHEAP_SIZE_MIN &&
		config->heap_size <= GCHEAP_SIZE_MAX);
}

static int config_size(struct gc_heap *heap, u64 size)
{
	struct gc_region **top;
	int err = 0;

	size = round_up(size, SZ_2M);
	top = gc_pages_new_top(size >> PAGE_SHIFT);
	if (!top)
		return -ENOMEM;
	/* Who maps it next looks for pages. */
	spin_lock(&heap->map_lock);
	if (heap->base) {
		err = -EBUSY;
	} else {
		WRITE_ONCE(heap->size, size);
		top = gc_pages_set_limit(&heap->slabs.pages, size >> PAGE_SHIFT,
					 top);
	}
	spin_unlock(&heap->map_lock);
	kfree(top);
	return err;
}

static int ioctl_config(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_config *config = &args->config, old = *config;
	int err = 0;

	if (!config_valid(config))
		return -EINVAL;
	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	old.percent = heap->percent;
	old.limit = heap->limit;
	old.heap_size = heap->size;
	old.behaviour = behaviour(heap);
	if (config->flags & GCHEAP_CONFIG_HEAP_SIZE)
		err = config_size(heap, config->heap_size);
	if (!err && config->flags & GCHEAP_CONFIG_PERCENT)
		heap->percent = config->percent;
	if (!err && config->flags & GCHEAP_CONFIG_LIMIT)
		heap->limit = config->limit;
	if (!err && config->flags & GCHEAP_CONFIG_BEHAVIOUR)
		WRITE_ONCE(heap->scan_all,
			   config->behaviour & GCHEAP_SCAN_ALL);
	if (config->flags) {
		/* What the goal was by other settings does not count. */
		heap->held_goal = 0;
		gc_heap_pace(heap);
	}
	gc_heap_unlock(heap);
	*config = old;
	return err;
}

static long try_alloc_object(struct gc_heap *heap, size_t bytes, bool noscan)
{
	if (bytes > LITTLE && !gc_shrink_may_have(heap, DIV_ROUND_UP(bytes, PAGE_SIZE)))
		return -ENOMEM;
	return gc_slab_alloc_object(&heap->slabs, bytes, noscan);
}

static long alloc_object(struct gc_heap *heap, size_t bytes, bool noscan)
{
	long offset = try_alloc_object(heap, bytes, noscan);

	if (offset != -ENOMEM || !gc_collect_for_room(heap))
		return offset;
	offset = try_alloc_object(heap, bytes, noscan);
	if (offset >= 0)
		heap->fruitless = 0;
	return offset;
}

static int alloc_locked(struct gc_heap *heap, struct gcheap_ioc_alloc *alloc)
{
	bool noscan = alloc->flags & GCHEAP_NOSCAN;
	struct gc_mutator *m;
	struct gc_slab *slab;
	long offset;
	u32 index;
	int err;

	err = gc_map_check_any(heap);
	if (err)
		return err;
	m = gc_mutator_current(heap);
	if (IS_ERR(m))
		return PTR_ERR(m);
	gc_scavenge_note(heap);
	err = gc_collect_if_due(heap, alloc->bytes);
	if (err)
		return err;
	offset = alloc_object(heap, alloc->bytes, noscan);
	if (offset < 0)
		return offset;
	gc_heap_report(heap);
	WRITE_ONCE(m->landing, offset + 1);
	slab = gc_slab_find(&heap->slabs, offset, &index);
	alloc->address = heap->base + offset;
	alloc->usable = slab->object_size;
	alloc->cycle = heap->slabs.cycle;
	return 0;
}

static int ioctl_alloc(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_alloc *alloc = &args->alloc;
	struct gc_page_run run;
	struct gc_wish wish = { .pages = DIV_ROUND_UP(alloc->bytes, PAGE_SIZE) };
	bool scarce;
	int err;

	if (alloc->flags & ~GCHEAP_NOSCAN || !alloc->bytes)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	/* The first page is no object's: see gc_pages.reserved. */
	if (alloc->bytes > heap->size - PAGE_SIZE)
		return -ENOMEM;
	do {
		if (mutex_lock_killable(&heap->lock))
			return -EINTR;
		gc_shrink_try(heap, &wish);
		err = alloc_locked(heap, alloc);
		scarce = gc_shrink_tried(heap, &wish, err);
		gc_heap_unlock(heap);
	} while (scarce && gc_shrink_make_way(heap, &wish));
	if (err)
		return err;
	run.first = (alloc->address - heap->base) >> PAGE_SHIFT;
	run.nr = DIV_ROUND_UP(offset_in_page(alloc->address) + alloc->usable,
			      PAGE_SIZE);
	gc_map_populate(heap, &run, 1);
	return 0;
}

/* The object is in its caller's memory now, where the roots are. */
static void alloc_landed(struct gc_heap *heap, union ioctl_args *args, int err)
{
	struct gc_mutator *m;

	rcu_read_lock();
	m = gc_mutator_find(heap, current);
	if (m) {
		/* Pairs with the acquire in mark_landing(). */
		smp_store_release(&m->landing, 0);
	}
	rcu_read_unlock();
}

static int ioctl_refill(struct gc_heap *heap, union ioctl_args *args)
{
	return gc_refill(heap, &args->refill);
}

static int ioctl_release(struct gc_heap *heap, union ioctl_args *args)
{
	return gc_release(heap, &args->release);
}

static int ioctl_free(struct gc_heap *heap, union ioctl_args *args)
{
	return gc_free(heap, &args->free);
}

static int ioctl_collect(struct gc_heap *heap, union ioctl_args *args)
{
	unsigned long rounds;
	bool locked;
	int err;

	if (args->collect.flags & ~GCHEAP_COLLECT_RELEASE)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	if (mutex_lock_killable(&heap->asking))
		return -EINTR;
	err = -EINTR;
	locked = !mutex_lock_killable(&heap->lock);
	if (locked) {
		gc_scavenge_note(heap);
		err = gc_collect_now(heap, &args->collect, &locked);
	}
	mutex_unlock(&heap->asking);
	if (!locked)
		return err;
	rounds = args->collect.flags & GCHEAP_COLLECT_RELEASE ?
		 gc_scavenge_rounds(heap) : 0;
	while (rounds-- && gc_scavenge_some(heap)) {
		gc_heap_unlock(heap);
		cond_resched();
		if (mutex_lock_killable(&heap->lock))
			return -EINTR;
	}
	gc_heap_unlock(heap);
	return err;
}

static void stats_classes(struct gc_heap *heap, struct gcheap_class_stats *to)
{
	unsigned int i;

	for (i = 0; i < SLAB_KINDS; i++) {
		to[i].object_size = i < SIZE_CLASS_COUNT ?
				    size_classes[i].object_size : 0;
		to[i].mallocs = heap->slabs.mallocs[i];
		to[i].frees = heap->slabs.frees[i];
	}
}

static int ioctl_stats(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_stats *stats = &args->stats;
	struct gcheap_class_stats *classes = NULL;
	u32 nr = min_t(u32, stats->class_capacity, SLAB_KINDS);
	int err = 0;

	if (stats->flags)
		return -EINVAL;
	/* Who asks for none of them is told also where there is no memory. */
	if (stats->classes && nr) {
		classes = gc_shrink_alloc(SLAB_KINDS, sizeof(*classes));
		if (!classes)
			return -ENOMEM;
	}
	if (mutex_lock_killable(&heap->lock)) {
		err = -EINTR;
		goto free;
	}
	gc_stats_fill(heap, stats);
	if (classes)
		stats_classes(heap, classes);
	gc_heap_unlock(heap);
	if (classes && copy_to_user(u64_to_user_ptr(stats->classes), classes,
				    nr * sizeof(*classes)))
		err = -EFAULT;
free:
	kvfree(classes);
	return err;
}

/* An aging range: whole pairs, in one object that is allocated. */
static bool aging_valid(struct gc_heap *heap, const struct gcheap_ioc_root *root)
{
	u64 start = root->start - heap->base;
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(&heap->slabs, start, &index);
	return slab && test_bit(index, gc_slab_alloc_bits(slab)) &&
	       root->length <= slab->offset +
			       (index + 1) * slab->object_size - start;
}

/*
 * The calling process's own set of roots.  mmap_lock, held for reading, keeps
 * the process from forking; the heap's lock keeps its other threads from here.
 */
static int own_rootset(struct gc_heap *heap, struct gc_rootset **set)
{
	struct vm_area_struct *vma = gc_map_vma(heap, current->mm);
	struct gc_rootset *copy;

	if (!vma)
		return -ENXIO;
	*set = vma->vm_private_data;
	if (!gc_rootset_shared(*set))
		return 0;
	copy = gc_rootset_copy(*set);
	if (!copy)
		return -ENOMEM;
	gc_rootset_put(*set);
	vma->vm_private_data = copy;
	*set = copy;
	return 0;
}

static int add_aging(struct gc_heap *heap, struct gc_rootset *set,
		     const struct gcheap_ioc_root *root)
{
	struct gc_aging *aging;
	int err;

	if (!aging_valid(heap, root))
		return -EFAULT;
	if (gc_rootset_find(set, root->start))
		return -EEXIST;
	aging = gc_aging_get(&heap->agings, root->start, root->length);
	if (IS_ERR(aging))
		return PTR_ERR(aging);
	err = gc_rootset_add(set, root->start, root->length, aging);
	if (err) {
		gc_aging_abandon(aging);
		return err;
	}
	/* Who frees the object is to ask, so that the pairs are forgotten. */
	gc_stats_sweeps(heap);
	return 0;
}

/* A range in what was freed is none; see struct gc_aging. */
static void make_way(struct gc_rootset *set, unsigned long start)
{
	const struct gc_root *old = gc_rootset_find(set, start);

	if (old && old->aging && old->aging->freed)
		gc_rootset_del(set, start);
}

static int change_roots(struct gc_heap *heap, const struct gcheap_ioc_root *root)
{
	struct gc_rootset *set;
	int err;

	err = own_rootset(heap, &set);
	if (err)
		return err;
	if (!root->length)
		return gc_rootset_del(set, root->start);
	make_way(set, root->start);
	if (root->flags & GCHEAP_ROOT_AGING)
		return add_aging(heap, set, root);
	return gc_rootset_add(set, root->start, root->length, NULL);
}

/*
 * Both locks, and no waiting for mmap_lock with the heap's: whoever has it may be
 * in a page fault, served by one who wants the heap.
 */
static int lock_with_mappings(struct gc_heap *heap)
{
	for (;;) {
		if (mutex_lock_killable(&heap->lock))
			return -EINTR;
		if (mmap_read_trylock(current->mm))
			return 0;
		gc_heap_unlock(heap);
		if (mmap_read_lock_killable(current->mm))
			return -EINTR;
		mmap_read_unlock(current->mm);
	}
}

static int change_roots_locked(struct gc_heap *heap,
			       const struct gcheap_ioc_root *root)
{
	int err = lock_with_mappings(heap);

	if (err)
		return err;
	err = change_roots(heap, root);
	mmap_read_unlock(current->mm);
	gc_heap_unlock(heap);
	return err;
}

static int ioctl_root_add(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_root *root = &args->root;
	u64 unit = root->flags & GCHEAP_ROOT_AGING ? 16 : 8;
	int err;

	if (root->flags & ~GCHEAP_ROOT_AGING || !root->start ||
	    root->start % unit || root->length < unit)
		return -EINVAL;
	if (root->flags & GCHEAP_ROOT_AGING && root->length % unit)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	if (root->start >= TASK_SIZE || root->length > TASK_SIZE - root->start)
		return -EFAULT;
	return change_roots_locked(heap, root);
}

static int ioctl_root_del(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_root *root = &args->root;
	int err;

	if (root->flags || root->length)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	return change_roots_locked(heap, root);
}

static int change_holds(struct gc_heap *heap, struct gcheap_ioc_hold *hold)
{
	int holds;

	if (!gc_map_vma(heap, current->mm))
		return -ENXIO;
	holds = gc_member_hold(heap, current->mm, hold->change);
	if (holds < 0)
		return holds;
	if (hold->change > 0)
		gc_collect_hold(heap);
	hold->holds = holds;
	return 0;
}

static int ioctl_hold(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_hold *hold = &args->hold;
	int err;

	if (hold->flags || (hold->change != 1 && hold->change != -1))
		return -EINVAL;
	/* It would be its parent's, and not end with it. */
	if (gc_is_vfork_child())
		return -EBUSY;
	err = gc_map_check(heap);
	if (err)
		return err;
	err = lock_with_mappings(heap);
	if (err)
		return err;
	err = change_holds(heap, hold);
	mmap_read_unlock(current->mm);
	gc_heap_unlock(heap);
	return err;
}

static int ioctl_object(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_object *object = &args->object;
	struct gc_slab *slab;
	int err = -ENOENT;
	u32 index;

	if (object->flags)
		return -EINVAL;
	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	slab = gc_slab_find(&heap->slabs, object->address - heap->base, &index);
	if (slab && test_bit(index, gc_slab_alloc_bits(slab))) {
		object->start = heap->base + slab->offset +
				index * slab->object_size;
		object->usable = slab->object_size;
		object->flags = slab->noscan ? GCHEAP_NOSCAN : 0;
		err = 0;
	}
	gc_heap_unlock(heap);
	return err;
}

static int ioctl_walk(struct gc_heap *heap, union ioctl_args *args)
{
	return gc_walk(heap, &args->walk);
}

static int change_link(struct gc_heap *heap, const struct gcheap_ioc_link *link)
{
	size_t word = link->word - heap->base;

	if (!link->object)
		return gc_links_del(&heap->links, &heap->slabs, word);
	return gc_links_add(&heap->links, &heap->slabs, word,
			    link->object - heap->base);
}

static int change_link_locked(struct gc_heap *heap, const struct gcheap_ioc_link *link)
{
	int err;

	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	err = gc_map_check_any(heap);
	if (!err)
		err = change_link(heap, link);
	gc_heap_unlock(heap);
	return err;
}

static int ioctl_link_add(struct gc_heap *heap, union ioctl_args *args)
{
	const struct gcheap_ioc_link *link = &args->link;
	int err;

	if (link->flags || link->word % sizeof(long) || !link->object)
		return -EINVAL;
	err = gc_map_check(heap);
	return err ? err : change_link_locked(heap, link);
}

static int ioctl_link_del(struct gc_heap *heap, union ioctl_args *args)
{
	const struct gcheap_ioc_link *link = &args->link;
	int err;

	if (link->flags || link->word % sizeof(long) || link->object)
		return -EINVAL;
	err = gc_map_check(heap);
	return err ? err : change_link_locked(heap, link);
}

static int ioctl_attach(struct gc_heap *heap, union ioctl_args *args)
{
	int err;

	if (args->attach.flags)
		return -EINVAL;
	err = gc_map_await_emptied(heap);
	if (err)
		return err;
	return gc_member_attach(heap, current->mm);
}

/*
 * The caller gets a descriptor of what it maps, and so no more than it has.  The
 * descriptor begins to exist when its number is in the caller's memory.
 */
static int ioctl_reopen(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_reopen *reopen = &args->reopening.reopen;
	struct file *file;
	int fd;

	if (reopen->flags || reopen->reserved)
		return -EINVAL;
	file = gc_map_file(reopen->address);
	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		fput(file);
		return fd;
	}
	reopen->fd = fd;
	args->reopening.file = file;
	return 0;
}

static void reopen_landed(struct gc_heap *heap, union ioctl_args *args, int err)
{
	struct reopening *reopening = &args->reopening;

	if (!reopening->file)
		return;
	if (!err) {
		fd_install(reopening->reopen.fd, reopening->file);
		return;
	}
	put_unused_fd(reopening->reopen.fd);
	fput(reopening->file);
}

/**
 * struct ioctl_op - one call
 * @cmd: number, with the size of the structure that we know
 * @size: that size
 * @least: size of the structure's first version
 * @names: where in the structure a base may be that names the heap, or 0
 * @handler: does it
 * @landed: called when the result is in the caller's memory, or with an error
 *	when there is none or it could not be put there
 */
struct ioctl_op {
	unsigned int cmd;
	size_t size;
	size_t least;
	size_t names;
	int (*handler)(struct gc_heap *heap, union ioctl_args *args);
	void (*landed)(struct gc_heap *heap, union ioctl_args *args, int err);
};

#define OP(number, type, last, function, after)			\
	{ .cmd = (number), .size = sizeof(struct type),		\
	  .least = offsetofend(struct type, last),		\
	  .handler = (function), .landed = (after) }

/* A call that another heap would do just as well */
#define OP_NAMED(number, type, last, function)			\
	{ .cmd = (number), .size = sizeof(struct type),		\
	  .least = offsetofend(struct type, last),		\
	  .names = offsetof(struct type, heap),			\
	  .handler = (function) }

static const struct ioctl_op ioctl_ops[] = {
	OP(GCHEAP_IOC_INFO, gcheap_ioc_info, behaviour, ioctl_info, NULL),
	OP_NAMED(GCHEAP_IOC_CONFIG, gcheap_ioc_config, heap_size, ioctl_config),
	OP(GCHEAP_IOC_ALLOC, gcheap_ioc_alloc, cycle, ioctl_alloc, alloc_landed),
	OP(GCHEAP_IOC_REFILL, gcheap_ioc_refill, live, ioctl_refill, NULL),
	OP(GCHEAP_IOC_RELEASE, gcheap_ioc_release, back, ioctl_release, NULL),
	OP_NAMED(GCHEAP_IOC_FREE, gcheap_ioc_free, results, ioctl_free),
	OP_NAMED(GCHEAP_IOC_COLLECT, gcheap_ioc_collect, cycle, ioctl_collect),
	OP_NAMED(GCHEAP_IOC_HOLD, gcheap_ioc_hold, holds, ioctl_hold),
	OP_NAMED(GCHEAP_IOC_STATS, gcheap_ioc_stats, cycle, ioctl_stats),
	OP_NAMED(GCHEAP_IOC_ROOT_ADD, gcheap_ioc_root, length, ioctl_root_add),
	OP_NAMED(GCHEAP_IOC_ROOT_DEL, gcheap_ioc_root, length, ioctl_root_del),
	OP(GCHEAP_IOC_OBJECT, gcheap_ioc_object, usable, ioctl_object, NULL),
	OP_NAMED(GCHEAP_IOC_WALK, gcheap_ioc_walk, cursor, ioctl_walk),
	OP(GCHEAP_IOC_ATTACH, gcheap_ioc_attach, flags, ioctl_attach, NULL),
	OP(GCHEAP_IOC_REOPEN, gcheap_ioc_reopen, reserved, ioctl_reopen,
	   reopen_landed),
	OP_NAMED(GCHEAP_IOC_LINK_ADD, gcheap_ioc_link, heap, ioctl_link_add),
	OP_NAMED(GCHEAP_IOC_LINK_DEL, gcheap_ioc_link, heap, ioctl_link_del),
};

/* The structure's size in the number may be another version's. */
static const struct ioctl_op *find_op(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctl_ops); i++)
		if (!((cmd ^ ioctl_ops[i].cmd) & ~IOCSIZE_MASK))
			return &ioctl_ops[i];
	return NULL;
}

/* Whether this is the heap that the caller means. */
static int check_name(const struct ioctl_op *op, struct gc_heap *heap,
		      const union ioctl_args *args)
{
	u64 name = op->names ? *(const u64 *)((const char *)args + op->names) : 0;
	int err = name ? gc_map_check(heap) : 0;

	return !err && name && name != heap->base ? -ENXIO : err;
}

static int run_op(const struct ioctl_op *op, struct gc_heap *heap,
		  void __user *to, union ioctl_args *args, size_t size)
{
	bool writes = op->cmd & IOC_OUT;
	int err;

	if (writes && copy_to_user(to, args, size))
		return -EFAULT;
	err = check_name(op, heap, args);
	if (!err)
		err = op->handler(heap, args);
	if (err == -ENOMEM)
		trace_gcheap_enomem(heap, op->cmd);
	if (!err && writes && copy_to_user(to, args, size))
		err = -EFAULT;
	if (op->landed)
		op->landed(heap, args, err);
	return err;
}

/**
 * gc_ioctl() - ioctl of a heap
 * @file: the heap's file
 * @cmd: number
 * @arg: address of the structure
 *
 * Return: 0, or as <linux/gcheap.h> says.
 */
long gc_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ioctl_op *op = find_op(cmd);
	void __user *from = (void __user *)arg;
	union ioctl_args args;
	u32 size;
	int err;

	if (!op)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)from))
		return -EFAULT;
	if (size < op->least)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	memset(&args, 0, sizeof(args));
	err = copy_struct_from_user(&args, op->size, from, size);
	if (err)
		return err;
	/* The caller may have changed it since. */
	args.size = size;
	return run_op(op, file->private_data, from, &args,
		      min_t(size_t, size, op->size));
}
