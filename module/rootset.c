// SPDX-License-Identifier: GPL-2.0
/* Sets of hand-made roots.  See rootset.h. */
#include <linux/err.h>
#include <linux/gcheap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "gfp.h"
#include "rootset.h"
#include "user.h"

/**
 * gc_rootset_new() - an empty set
 *
 * Return: the set with one reference, or NULL.
 */
struct gc_rootset *gc_rootset_new(void)
{
	struct gc_rootset *set = kzalloc(sizeof(*set), GC_GFP);

	if (!set)
		return NULL;
	refcount_set(&set->ref, 1);
	set->ranges = RB_ROOT;
	return set;
}

static void count(const struct gc_rootset *set, long bytes)
{
	if (set->bytes)
		atomic_long_add(bytes, set->bytes);
}

/**
 * gc_rootset_count() - count what a set takes, and all copies of it
 * @set: set without ranges
 * @bytes: counter of memory that outlives them, or NULL
 * @user: user who outlives them, and is to have no more ranges than allowed; or NULL
 */
void gc_rootset_count(struct gc_rootset *set, atomic_long_t *bytes,
		      struct gc_user *user)
{
	set->bytes = bytes;
	set->user = user;
	count(set, sizeof(*set));
}

/* The pairs at an address, or those of that length that were there; or NULL */
static struct gc_aging *find(struct list_head *agings, unsigned long start, unsigned long length)
{
	struct gc_aging *aging, *freed = NULL;

	list_for_each_entry(aging, agings, node) {
		cond_resched();
		if (aging->start != start)
			continue;
		if (!aging->freed)
			return aging;
		if (aging->length == length)
			freed = aging;
	}
	return freed;
}

/**
 * gc_aging_get() - the pairs at an address, known before or not
 * @agings: the heap's list of all
 * @start: user address
 * @length: bytes
 *
 * Context: may sleep; heap's lock held.
 *
 * Those whose object was freed are found by the same length, too: they are so again when a set
 * has taken over the reference.
 *
 * Return: the pairs with one more reference; or ERR_PTR(-ENOMEM), or
 * ERR_PTR(-EEXIST) when they are known with another length, and their object was not freed.
 */
struct gc_aging *gc_aging_get(struct list_head *agings, unsigned long start,
			      unsigned long length)
{
	struct gc_aging *aging;

	aging = find(agings, start, length);
	if (aging && aging->length != length)
		return ERR_PTR(-EEXIST);
	if (aging) {
		refcount_inc(&aging->ref);
		return aging;
	}
	aging = kzalloc(sizeof(*aging), GC_GFP);
	if (!aging)
		return ERR_PTR(-ENOMEM);
	/* One for the list. */
	refcount_set(&aging->ref, 2);
	aging->start = start;
	aging->length = length;
	list_add(&aging->node, agings);
	return aging;
}

/**
 * gc_aging_put() - drop a reference
 * @aging: pairs, or NULL
 */
void gc_aging_put(struct gc_aging *aging)
{
	if (aging && refcount_dec_and_test(&aging->ref))
		kfree(aging);
}

/**
 * gc_aging_abandon() - drop a reference that no set has taken over
 * @aging: pairs; those that nobody ever had are forgotten, words and all as they
 *	are
 *
 * Context: heap's lock held.
 */
void gc_aging_abandon(struct gc_aging *aging)
{
	gc_aging_put(aging);
	if (!aging->had && refcount_read(&aging->ref) == 1)
		gc_aging_forget(aging);
}

/**
 * gc_aging_free() - the object was freed in which pairs are
 * @aging: pairs
 *
 * As long as a process has the range they stay in the list, to be found when it is registered
 * again: that process need not do so.
 *
 * Context: heap's lock held.
 */
void gc_aging_free(struct gc_aging *aging)
{
	aging->freed = true;
	if (refcount_read(&aging->ref) == 1)
		gc_aging_forget(aging);
}

/**
 * gc_aging_forget() - take pairs from the heap's list
 * @aging: pairs
 *
 * Context: heap's lock held.
 */
void gc_aging_forget(struct gc_aging *aging)
{
	list_del(&aging->node);
	gc_aging_put(aging);
}

static void root_free(const struct gc_rootset *set, struct gc_root *root)
{
	count(set, -(long)sizeof(*root));
	gc_user_give(set->user, GC_RANGES, 1);
	gc_aging_put(root->aging);
	kfree(root);
}

/**
 * gc_rootset_get() - one more mapping has the set
 * @set: set
 */
void gc_rootset_get(struct gc_rootset *set)
{
	refcount_inc(&set->ref);
}

/**
 * gc_rootset_put() - one mapping less has the set
 * @set: set; freed with the last
 *
 * Context: may sleep.
 */
void gc_rootset_put(struct gc_rootset *set)
{
	struct gc_root *root, *next;

	if (!refcount_dec_and_test(&set->ref))
		return;
	rbtree_postorder_for_each_entry_safe(root, next, &set->ranges, node) {
		root_free(set, root);
		cond_resched();
	}
	count(set, -(long)sizeof(*set));
	kfree(set);
}

/**
 * gc_rootset_shared() - whether the set must be copied before it is changed
 * @set: set of the calling process, whose mmap_lock is held, so that it does
 *	not fork meanwhile
 *
 * Return: true when another process has it too.
 */
bool gc_rootset_shared(const struct gc_rootset *set)
{
	return refcount_read(&set->ref) > 1;
}

static void root_insert(struct gc_rootset *set, struct gc_root *new)
{
	struct rb_node **link = &set->ranges.rb_node, *parent = NULL;

	while (*link) {
		struct gc_root *root = rb_entry(*link, struct gc_root, node);

		parent = *link;
		link = new->start < root->start ? &parent->rb_left :
						  &parent->rb_right;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, &set->ranges);
	set->nr++;
	count(set, sizeof(*new));
}

/* A range that is counted for the set's user, and not in the set yet. */
static struct gc_root *root_new(struct gc_rootset *set)
{
	struct gc_root *root;

	if (!gc_user_take(set->user, GC_RANGES, 1))
		return ERR_PTR(-ENOSPC);
	root = kzalloc(sizeof(*root), GC_GFP);
	if (root)
		return root;
	gc_user_give(set->user, GC_RANGES, 1);
	return ERR_PTR(-ENOMEM);
}

/**
 * gc_rootset_copy() - a set of one's own
 * @set: set to copy
 *
 * Context: may sleep.
 *
 * Return: the copy with one reference; or NULL, when there is no memory, or the user
 * has too many ranges.
 */
struct gc_rootset *gc_rootset_copy(const struct gc_rootset *set)
{
	struct gc_rootset *copy = gc_rootset_new();
	struct rb_node *node;

	if (!copy)
		return NULL;
	gc_rootset_count(copy, set->bytes, set->user);
	for (node = rb_first(&set->ranges); node; node = rb_next(node)) {
		const struct gc_root *root = rb_entry(node, struct gc_root,
						      node);
		struct gc_root *new = root_new(copy);

		if (IS_ERR(new)) {
			gc_rootset_put(copy);
			return NULL;
		}
		new->start = root->start;
		new->length = root->length;
		new->aging = root->aging;
		if (new->aging)
			refcount_inc(&new->aging->ref);
		root_insert(copy, new);
		cond_resched();
	}
	return copy;
}

/**
 * gc_rootset_find() - the range that begins at an address
 * @set: set
 * @start: address
 *
 * Return: the range or NULL.
 */
struct gc_root *gc_rootset_find(const struct gc_rootset *set,
				unsigned long start)
{
	struct rb_node *node = set->ranges.rb_node;

	while (node) {
		struct gc_root *root = rb_entry(node, struct gc_root, node);

		if (root->start == start)
			return root;
		node = start < root->start ? node->rb_left : node->rb_right;
	}
	return NULL;
}

/**
 * gc_rootset_add() - add a range
 * @set: set that is not shared
 * @start: address
 * @length: bytes
 * @aging: pairs that it is of, whose reference the set takes over; or NULL
 *
 * Return: 0, -EEXIST, -ENOSPC when the set is full or the user has too many ranges,
 * or -ENOMEM; then the reference stays the caller's.
 */
int gc_rootset_add(struct gc_rootset *set, unsigned long start,
		   unsigned long length, struct gc_aging *aging)
{
	struct gc_root *root;

	if (gc_rootset_find(set, start))
		return -EEXIST;
	if (set->nr >= GCHEAP_ROOTS_MAX)
		return -ENOSPC;
	root = root_new(set);
	if (IS_ERR(root))
		return PTR_ERR(root);
	root->start = start;
	root->length = length;
	root->aging = aging;
	if (aging) {
		aging->had = true;
		aging->freed = false;
	}
	root_insert(set, root);
	return 0;
}

/**
 * gc_rootset_del() - remove a range
 * @set: set that is not shared
 * @start: address that it begins at
 *
 * Return: 0 or -ENOENT.
 */
int gc_rootset_del(struct gc_rootset *set, unsigned long start)
{
	struct gc_root *root = gc_rootset_find(set, start);

	if (!root)
		return -ENOENT;
	rb_erase(&root->node, &set->ranges);
	set->nr--;
	root_free(set, root);
	return 0;
}
