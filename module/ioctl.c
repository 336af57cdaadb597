// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls: one table, one dispatcher that copies structures in and out, and
 * a handler for each that is only its own logic.  <linux/gcheap.h> is the
 * contract.
 *
 * The dispatcher writes the structure back before it calls the handler too: so
 * a caller whose memory cannot be written learns it before anything is changed.
 */
#include <linux/fs.h>
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "collect.h"
#include "gfp.h"
#include "heap.h"
#include "ioctl.h"
#include "map.h"
#include "mutator.h"
#include "roots.h"
#include "rootset.h"

union ioctl_args {
	u32 size;
	struct gcheap_ioc_info info;
	struct gcheap_ioc_config config;
	struct gcheap_ioc_alloc alloc;
	struct gcheap_ioc_refill refill;
	struct gcheap_ioc_release release;
	struct gcheap_ioc_collect collect;
	struct gcheap_ioc_stats stats;
	struct gcheap_ioc_root root;
	struct gcheap_ioc_object object;
};

/* The ABI's structures have no holes and no surprises in their sizes. */
static_assert(sizeof(struct gcheap_class_info) == 16);
static_assert(sizeof(struct gcheap_ioc_info) == 56);
static_assert(sizeof(struct gcheap_ioc_config) == 32);
static_assert(sizeof(struct gcheap_slab) == 24 + 8 * GCHEAP_SLAB_WORDS);
static_assert(sizeof(struct gcheap_slab_return) == 16);
static_assert(sizeof(struct gcheap_ioc_refill) == 56);
static_assert(sizeof(struct gcheap_ioc_release) == 24);
static_assert(sizeof(struct gcheap_ioc_alloc) == 40);
static_assert(sizeof(struct gcheap_ioc_collect) == 40);
static_assert(sizeof(struct gcheap_cycle) == 120);
static_assert(sizeof(struct gcheap_ioc_stats) == 168 + 120);
static_assert(sizeof(struct gcheap_ioc_root) == 24);
static_assert(sizeof(struct gcheap_ioc_object) == 32);
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

static int ioctl_info(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_info *info = &args->info;
	struct gcheap_class_info __user *to = u64_to_user_ptr(info->classes);
	u32 nr = min_t(u32, info->class_capacity, SIZE_CLASS_COUNT);
	int err;

	if (info->flags || info->reserved)
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
	return 0;
}

#define CONFIG_FLAGS	(GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT | \
			 GCHEAP_CONFIG_HEAP_SIZE)

static bool config_valid(const struct gcheap_ioc_config *config)
{
	if (config->flags & ~CONFIG_FLAGS || config->reserved)
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
	int err = 0;

	size = round_up(size, SZ_2M);
	spin_lock(&heap->map_lock);
	if (heap->base)
		err = -EBUSY;
	else
		WRITE_ONCE(heap->size, size);
	spin_unlock(&heap->map_lock);
	if (!err)
		heap->slabs.pages.limit = size >> PAGE_SHIFT;
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
	if (config->flags & GCHEAP_CONFIG_HEAP_SIZE)
		err = config_size(heap, config->heap_size);
	if (!err && config->flags & GCHEAP_CONFIG_PERCENT)
		heap->percent = config->percent;
	if (!err && config->flags & GCHEAP_CONFIG_LIMIT)
		heap->limit = config->limit;
	heap->goal = gc_heap_goal(heap);
	mutex_unlock(&heap->lock);
	*config = old;
	return err;
}

/* A collection that could not be had is no reason to refuse memory. */
static int collect_if_due(struct gc_heap *heap, u64 more)
{
	int err = gc_heap_due(heap, more) ? gc_collect(heap, false) : 0;

	return err == -EINTR ? err : 0;
}

static long alloc_object(struct gc_heap *heap, size_t bytes, bool noscan)
{
	long offset = gc_slab_alloc_object(&heap->slabs, bytes, noscan);

	if (offset != -ENOMEM)
		return offset;
	if (gc_collect(heap, true))
		return -ENOMEM;
	return gc_slab_alloc_object(&heap->slabs, bytes, noscan);
}

static int alloc_locked(struct gc_heap *heap, struct gcheap_ioc_alloc *alloc)
{
	bool noscan = alloc->flags & GCHEAP_NOSCAN;
	struct gc_mutator *m = gc_mutator_current(heap);
	struct gc_slab *slab;
	long offset;
	u32 index;
	int err;

	if (IS_ERR(m))
		return PTR_ERR(m);
	err = collect_if_due(heap, alloc->bytes);
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
	unsigned long first, nr;
	int err;

	if (alloc->flags & ~GCHEAP_NOSCAN || !alloc->bytes)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	/* The first page is no object's: see gc_pages.reserved. */
	if (alloc->bytes > heap->size - PAGE_SIZE)
		return -ENOMEM;
	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	err = alloc_locked(heap, alloc);
	mutex_unlock(&heap->lock);
	if (err)
		return err;
	first = (alloc->address - heap->base) >> PAGE_SHIFT;
	nr = DIV_ROUND_UP(offset_in_page(alloc->address) + alloc->usable,
			  PAGE_SIZE);
	gc_map_populate(heap, first, nr);
	return 0;
}

/* The object is in its caller's memory now, where the roots are. */
static void alloc_landed(struct gc_heap *heap)
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

/**
 * struct giving_back - slabs that a call gives back, copied from the caller
 * @nr: how many
 * @slabs: array
 * @starts: addresses of the slabs
 * @unused: bitmap for each, if it was given
 * @has_unused: whether it was
 */
struct giving_back {
	u32 nr;
	struct gc_slab **slabs;
	u64 *starts;
	u64 (*unused)[GCHEAP_SLAB_WORDS];
	bool *has_unused;
};

static void giving_back_free(struct giving_back *g)
{
	kvfree(g->slabs);
	kvfree(g->starts);
	kvfree(g->unused);
	kvfree(g->has_unused);
}

static int giving_back_copy(struct giving_back *g, u64 from)
{
	struct gcheap_slab_return __user *array = u64_to_user_ptr(from);
	struct gcheap_slab_return one;
	u32 i;

	for (i = 0; i < g->nr; i++) {
		if (copy_from_user(&one, array + i, sizeof(one)))
			return -EFAULT;
		g->starts[i] = one.start;
		g->has_unused[i] = one.free;
		if (one.free &&
		    copy_from_user(g->unused[i], u64_to_user_ptr(one.free),
				   sizeof(g->unused[i])))
			return -EFAULT;
	}
	return 0;
}

static int giving_back_init(struct giving_back *g, u32 nr, u64 from)
{
	int err;

	*g = (struct giving_back) { .nr = nr };
	if (!nr)
		return 0;
	if (nr > GCHEAP_RELEASE_MAX)
		return -EINVAL;
	g->slabs = kvcalloc(nr, sizeof(*g->slabs), GC_GFP);
	g->starts = kvcalloc(nr, sizeof(*g->starts), GC_GFP);
	g->unused = kvcalloc(nr, sizeof(*g->unused), GC_GFP);
	g->has_unused = kvcalloc(nr, sizeof(*g->has_unused),
				 GC_GFP);
	err = -ENOMEM;
	if (g->slabs && g->starts && g->unused && g->has_unused)
		err = giving_back_copy(g, from);
	if (err)
		giving_back_free(g);
	return err;
}

static struct gc_slab *owned_slab(struct gc_heap *heap, struct gc_mutator *m,
				  u64 start)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(&heap->slabs, start - heap->base, &index);
	if (!slab || slab->state != SLAB_OWNED || slab->owner != m ||
	    heap->base + slab->offset != start)
		return NULL;
	return slab;
}

/* All or nothing; a slab that is named twice is not the caller's either. */
static int giving_back_find(struct gc_heap *heap, struct giving_back *g,
			    struct gc_mutator *m)
{
	u32 i;

	for (i = 0; i < g->nr; i++) {
		struct gc_slab *slab = owned_slab(heap, m, g->starts[i]);

		if (!slab)
			goto undo;
		g->slabs[i] = slab;
		slab->owner = NULL;
	}
	return 0;
undo:
	while (i--)
		g->slabs[i]->owner = m;
	return -EPERM;
}

static int give_back(struct gc_heap *heap, struct giving_back *g,
		     struct gc_mutator *m)
{
	int err = giving_back_find(heap, g, m);
	u32 i;

	for (i = 0; !err && i < g->nr; i++) {
		unsigned long *unused = (unsigned long *)g->unused[i];

		gc_slab_give_back(&heap->slabs, g->slabs[i],
				  g->has_unused[i] ? unused : NULL);
	}
	return err;
}

static int ioctl_release(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_release *release = &args->release;
	struct giving_back g;
	struct gc_mutator *m;
	int err;

	if (release->flags & ~GCHEAP_RELEASE_ALL || release->reserved)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	err = giving_back_init(&g, release->nr_back, release->back);
	if (err)
		return err;
	err = -EINTR;
	if (mutex_lock_killable(&heap->lock))
		goto free;
	m = gc_mutator_current(heap);
	err = IS_ERR(m) ? PTR_ERR(m) : give_back(heap, &g, m);
	if (!err && release->flags & GCHEAP_RELEASE_ALL)
		gc_mutator_give_back_all(heap, m);
	mutex_unlock(&heap->lock);
free:
	giving_back_free(&g);
	return err;
}

/* Describe a slab that was just taken, for its owner. */
static void describe(struct gc_heap *heap, struct gc_slab *slab,
		     struct gcheap_slab *to)
{
	*to = (struct gcheap_slab) {
		.start = heap->base + slab->offset,
		.class_index = slab->class_index,
		.flags = slab->noscan ? GCHEAP_NOSCAN : 0,
		.nr_free = bitmap_weight(gc_slab_handed_bits(slab),
					 slab->slots),
	};
	bitmap_copy((unsigned long *)to->free, gc_slab_handed_bits(slab),
		    slab->slots);
}

/* At least one slab, with the help of a collection; the others if it is easy. */
static struct gc_slab *take_slab(struct gc_heap *heap, struct gc_mutator *m,
				 const struct gcheap_ioc_refill *refill)
{
	bool noscan = refill->flags & GCHEAP_NOSCAN;
	struct gc_slab *slab;

	slab = gc_slab_take(&heap->slabs, refill->class_index, noscan, m,
			    &m->slabs);
	if (slab != ERR_PTR(-ENOMEM) || refill->got)
		return slab;
	if (gc_collect(heap, true))
		return slab;
	return gc_slab_take(&heap->slabs, refill->class_index, noscan, m,
			    &m->slabs);
}

/**
 * struct refilling - what a REFILL has taken so far
 * @live: where the thread is going to keep the bitmap of each slab
 * @slabs: slabs taken
 * @out: their description for the thread
 */
struct refilling {
	u64 live[GCHEAP_REFILL_MAX];
	struct gc_slab *slabs[GCHEAP_REFILL_MAX];
	struct gcheap_slab out[GCHEAP_REFILL_MAX];
};

static int refill_locked(struct gc_heap *heap, struct gc_mutator *m,
			 struct gcheap_ioc_refill *refill,
			 struct giving_back *g, struct refilling *r)
{
	int err;

	err = give_back(heap, g, m);
	if (!err)
		err = collect_if_due(heap, 0);
	if (err)
		return err;
	refill->got = 0;
	while (refill->got < refill->want) {
		struct gc_slab *slab = take_slab(heap, m, refill);

		if (IS_ERR(slab)) {
			err = PTR_ERR(slab);
			break;
		}
		slab->live = r->live[refill->got];
		r->slabs[refill->got] = slab;
		describe(heap, slab, &r->out[refill->got++]);
		if (gc_heap_due(heap, 0))
			break;
	}
	gc_heap_report(heap);
	refill->cycle = heap->slabs.cycle;
	return refill->got ? 0 : err;
}

/*
 * Clear the slots and enter them into the page tables.  The slabs are the
 * caller's, who is busy: nobody takes them away.
 */
static void prepare_slabs(struct gc_heap *heap, struct gc_slab **slabs, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		gc_slab_clear_handed(slabs[i]);
		gc_map_populate(heap, slabs[i]->offset >> PAGE_SHIFT,
				slabs[i]->nr_pages);
	}
}

static void refill_undo(struct gc_heap *heap, struct gc_slab **slabs, u32 nr)
{
	u32 i;

	mutex_lock(&heap->lock);
	for (i = 0; i < nr; i++)
		gc_slab_give_back(&heap->slabs, slabs[i],
				  gc_slab_handed_bits(slabs[i]));
	mutex_unlock(&heap->lock);
}

static int refill_to_user(struct gc_heap *heap,
			  struct gcheap_ioc_refill *refill,
			  struct giving_back *g, struct refilling *r)
{
	struct gc_mutator *m;
	int err;

	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	m = gc_mutator_current(heap);
	err = IS_ERR(m) ? PTR_ERR(m) : refill_locked(heap, m, refill, g, r);
	if (!err)
		m->busy = true;
	mutex_unlock(&heap->lock);
	if (err)
		return err;
	prepare_slabs(heap, r->slabs, refill->got);
	if (copy_to_user(u64_to_user_ptr(refill->slabs), r->out,
			 refill->got * sizeof(*r->out))) {
		refill_undo(heap, r->slabs, refill->got);
		err = -EFAULT;
	}
	/* Pairs with the acquire in mutator_needed(). */
	smp_store_release(&m->busy, false);
	return err;
}

/* All that can fail because of the caller's memory, before anything changes. */
static int refill_prepare(const struct gcheap_ioc_refill *refill,
			  struct refilling *r)
{
	if (refill->live &&
	    copy_from_user(r->live, u64_to_user_ptr(refill->live),
			   refill->want * sizeof(*r->live)))
		return -EFAULT;
	if (clear_user(u64_to_user_ptr(refill->slabs),
		       refill->want * sizeof(*r->out)))
		return -EFAULT;
	return 0;
}

/*
 * A vfork child has its parent's memory, its thread-local storage included, but
 * is a thread of its own to us: slabs that it got would come back when it execs,
 * while the parent's C library still allocates from them.
 */
static bool is_vfork_child(void)
{
	return current->vfork_done;
}

static int ioctl_refill(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_refill *refill = &args->refill;
	struct refilling *r;
	struct giving_back g;
	int err;

	if (refill->flags & ~GCHEAP_NOSCAN ||
	    refill->class_index >= SIZE_CLASS_COUNT ||
	    !refill->want || refill->want > GCHEAP_REFILL_MAX)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	if (is_vfork_child())
		return -EBUSY;
	r = kvmalloc(sizeof(*r), GC_GFP);
	if (!r)
		return -ENOMEM;
	memset(r->live, 0, sizeof(r->live));
	err = giving_back_init(&g, refill->nr_back, refill->back);
	if (err)
		goto free_refilling;
	err = refill_prepare(refill, r);
	if (!err)
		err = refill_to_user(heap, refill, &g, r);
	giving_back_free(&g);
free_refilling:
	kvfree(r);
	return err;
}

static int ioctl_collect(struct gc_heap *heap, union ioctl_args *args)
{
	int err;

	if (args->collect.flags)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	err = gc_collect_now(heap, &args->collect);
	mutex_unlock(&heap->lock);
	return err;
}

static void stats_cycle(struct gc_heap *heap, struct gcheap_ioc_stats *stats)
{
	u64 number = stats->want_cycle ? stats->want_cycle :
					 heap->slabs.cycle;
	struct gcheap_cycle *cycle = &heap->cycles[number % GCHEAP_CYCLES];

	stats->cycle = (struct gcheap_cycle) {};
	if (number && cycle->number == number)
		stats->cycle = *cycle;
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

static void stats_fill(struct gc_heap *heap, struct gcheap_ioc_stats *stats)
{
	struct gc_slabs *gs = &heap->slabs;
	unsigned int i;

	stats->mallocs = 0;
	stats->frees = 0;
	for (i = 0; i < SLAB_KINDS; i++) {
		stats->mallocs += gs->mallocs[i];
		stats->frees += gs->frees[i];
	}
	stats->total_alloc = gs->total_alloc;
	stats->heap_alloc = gc_slabs_allocated(gs);
	stats->heap_objects = stats->mallocs - stats->frees;
	stats->heap_sys = gs->pages.frontier << PAGE_SHIFT;
	stats->heap_idle = (gs->pages.free + min(gs->pages.frontier,
						 gs->pages.reserved)) <<
			   PAGE_SHIFT;
	stats->heap_inuse = stats->heap_sys - stats->heap_idle;
	stats->heap_released = 0;
	stats->next_gc = heap->goal;
	stats->last_gc_ns = heap->last_gc_ns;
	stats->pause_total_ns = heap->pause_total_ns;
	stats->pause_max_ns = heap->pause_max_ns;
	stats->num_gc = gs->cycle;
	stats->num_forced_gc = heap->num_forced;
	stats->gc_sys = gc_heap_meta_bytes(heap);
	stats->gc_cpu_ns = heap->gc_cpu_ns;
	stats->class_count = SLAB_KINDS;
	gc_collect_released(heap);
	stats_cycle(heap, stats);
}

static int ioctl_stats(struct gc_heap *heap, union ioctl_args *args)
{
	struct gcheap_ioc_stats *stats = &args->stats;
	struct gcheap_class_stats *classes;
	u32 nr = min_t(u32, stats->class_capacity, SLAB_KINDS);
	int err = 0;

	if (stats->flags)
		return -EINVAL;
	classes = kvcalloc(SLAB_KINDS, sizeof(*classes), GC_GFP);
	if (!classes)
		return -ENOMEM;
	if (mutex_lock_killable(&heap->lock)) {
		err = -EINTR;
		goto free;
	}
	stats_fill(heap, stats);
	stats_classes(heap, classes);
	mutex_unlock(&heap->lock);
	if (stats->classes && copy_to_user(u64_to_user_ptr(stats->classes),
					   classes, nr * sizeof(*classes)))
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
	if (err)
		gc_aging_abandon(aging);
	return err;
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
	if (root->flags & GCHEAP_ROOT_AGING)
		return add_aging(heap, set, root);
	return gc_rootset_add(set, root->start, root->length, NULL);
}

/*
 * Both locks, and no waiting for mmap_lock with the heap's: whoever has it may be
 * in a page fault, served by one who wants the heap.
 */
static int lock_roots(struct gc_heap *heap)
{
	for (;;) {
		if (mutex_lock_killable(&heap->lock))
			return -EINTR;
		if (mmap_read_trylock(current->mm))
			return 0;
		mutex_unlock(&heap->lock);
		if (mmap_read_lock_killable(current->mm))
			return -EINTR;
		mmap_read_unlock(current->mm);
	}
}

static int change_roots_locked(struct gc_heap *heap,
			       const struct gcheap_ioc_root *root)
{
	int err = lock_roots(heap);

	if (err)
		return err;
	err = change_roots(heap, root);
	mmap_read_unlock(current->mm);
	mutex_unlock(&heap->lock);
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
	mutex_unlock(&heap->lock);
	return err;
}

/**
 * struct ioctl_op - one call
 * @cmd: number, with the size of the structure that we know
 * @size: that size
 * @least: size of the structure's first version
 * @handler: does it
 * @landed: called when the result is in the caller's memory, or could not be
 *	put there
 */
struct ioctl_op {
	unsigned int cmd;
	size_t size;
	size_t least;
	int (*handler)(struct gc_heap *heap, union ioctl_args *args);
	void (*landed)(struct gc_heap *heap);
};

#define OP(number, type, last, function, after)			\
	{ .cmd = (number), .size = sizeof(struct type),		\
	  .least = offsetofend(struct type, last),		\
	  .handler = (function), .landed = (after) }

static const struct ioctl_op ioctl_ops[] = {
	OP(GCHEAP_IOC_INFO, gcheap_ioc_info, reserved, ioctl_info, NULL),
	OP(GCHEAP_IOC_CONFIG, gcheap_ioc_config, heap_size, ioctl_config, NULL),
	OP(GCHEAP_IOC_ALLOC, gcheap_ioc_alloc, cycle, ioctl_alloc, alloc_landed),
	OP(GCHEAP_IOC_REFILL, gcheap_ioc_refill, live, ioctl_refill, NULL),
	OP(GCHEAP_IOC_RELEASE, gcheap_ioc_release, back, ioctl_release, NULL),
	OP(GCHEAP_IOC_COLLECT, gcheap_ioc_collect, cycle, ioctl_collect, NULL),
	OP(GCHEAP_IOC_STATS, gcheap_ioc_stats, cycle, ioctl_stats, NULL),
	OP(GCHEAP_IOC_ROOT_ADD, gcheap_ioc_root, length, ioctl_root_add, NULL),
	OP(GCHEAP_IOC_ROOT_DEL, gcheap_ioc_root, length, ioctl_root_del, NULL),
	OP(GCHEAP_IOC_OBJECT, gcheap_ioc_object, usable, ioctl_object, NULL),
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

static int run_op(const struct ioctl_op *op, struct gc_heap *heap,
		  void __user *to, union ioctl_args *args, size_t size)
{
	bool writes = op->cmd & IOC_OUT;
	int err;

	if (writes && copy_to_user(to, args, size))
		return -EFAULT;
	err = op->handler(heap, args);
	if (!err && writes && copy_to_user(to, args, size))
		err = -EFAULT;
	if (op->landed)
		op->landed(heap);
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
