/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hand-made roots of a process: the ranges that ROOT_ADD gave.
 *
 * A set belongs to a mapping of the heap (vm_private_data).  fork() makes both
 * processes share it, and the first that changes it makes a copy.  Readers hold
 * the heap's lock, or own the set alone; gc_rootset_get() is for any context.
 */
#ifndef GCHEAP_ROOTSET_H
#define GCHEAP_ROOTSET_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct gc_user;

/**
 * struct gc_aging - pairs of words in the heap that age, see GCHEAP_ROOT_AGING
 * @ref: the heap, and each set that has the range: the pairs age once a
 *	collection, not once for each process
 * @node: in gc_heap.agings; under the heap's lock
 * @start: user address
 * @length: bytes
 * @cycle: collection in which they aged last
 * @round: stop in which a process was last found to have the range
 * @had: a set has had the range
 * @freed: their object was freed by a call: what lies there is none of theirs, unless it is
 *	registered, too, as theirs was: then whoever had the range has that
 */
struct gc_aging {
	refcount_t ref;
	struct list_head node;
	unsigned long start;
	unsigned long length;
	u64 cycle;
	u64 round;
	bool had;
	bool freed;
};

/**
 * struct gc_root - one range
 * @node: in gc_rootset.ranges, by @start
 * @start: user address
 * @length: bytes
 * @aging: for an aging range, else NULL
 */
struct gc_root {
	struct rb_node node;
	unsigned long start;
	unsigned long length;
	struct gc_aging *aging;
};

/**
 * struct gc_rootset - the ranges of a process
 * @ref: mappings that share the set
 * @nr: number of ranges, at most GCHEAP_ROOTS_MAX
 * @ranges: struct gc_root by address
 * @bytes: where the memory that it takes is counted, or NULL
 * @user: for whom the ranges are counted, see user.h
 */
struct gc_rootset {
	refcount_t ref;
	unsigned int nr;
	struct rb_root ranges;
	atomic_long_t *bytes;
	struct gc_user *user;
};

struct gc_aging *gc_aging_get(struct list_head *agings, unsigned long start,
			      unsigned long length);
void gc_aging_put(struct gc_aging *aging);
void gc_aging_abandon(struct gc_aging *aging);
void gc_aging_free(struct gc_aging *aging);
void gc_aging_forget(struct gc_aging *aging);

struct gc_rootset *gc_rootset_new(void);
void gc_rootset_count(struct gc_rootset *set, atomic_long_t *bytes,
		      struct gc_user *user);
void gc_rootset_get(struct gc_rootset *set);
void gc_rootset_put(struct gc_rootset *set);
bool gc_rootset_shared(const struct gc_rootset *set);
struct gc_rootset *gc_rootset_copy(const struct gc_rootset *set);
int gc_rootset_add(struct gc_rootset *set, unsigned long start,
		   unsigned long length, struct gc_aging *aging);
int gc_rootset_del(struct gc_rootset *set, unsigned long start);
struct gc_root *gc_rootset_find(const struct gc_rootset *set,
				unsigned long start);

#endif /* GCHEAP_ROOTSET_H */
