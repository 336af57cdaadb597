/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slabs: runs of pages divided into slots of one size, and large objects, which
 * are slabs with a single slot.
 *
 * Life of a slab:
 *
 *	new -> OWNED <-> PARTIAL | FULL -> UNSWEPT -> PARTIAL | FULL | EMPTY | gone
 *	       OWNED  <- SPARSE <- PARTIAL
 *			 SPARSE <-> UNSWEPT
 *	       OWNED <-> EMPTY -> gone
 *
 * OWNED by a thread (a mutator): all its slots count as allocated, since the
 * kernel does not see which of them the thread has handed out, and it is not
 * swept; unless the thread keeps a bitmap where the collector can read it: then
 * slots are reclaimed that were handed out and not marked.  When the slab comes
 * back, slots that the thread says it did not use are free again.
 *
 * A program may free an object itself: then its slot is free at once, but for a few cases in
 * which only a collection can tell; see gc_slab_free_object().
 *
 * What is not marked is garbage, unless the kernel reads or writes it for
 * somebody: garbage on a page that is lent to a pipe or a device stays allocated,
 * is HELD, and the next sweep looks at it again.  What it refers to is not kept.
 *
 * Pages that no object of a PARTIAL slab has a byte on can be given back to the
 * machine.  Then it is SPARSE: it has holes, where there are free slots only, or
 * parts of them, and nobody reads or writes there.  The holes are filled before any
 * of its slots is handed out.
 *
 * A slab without an object is EMPTY: it stays with its class, which is likely to want it
 * again, and whole.  Its pages are free all the same: for whoever wants pages, or is to
 * give some back to the machine, it is taken apart.
 *
 * Marking ends with all slabs but the OWNED and the EMPTY becoming UNSWEPT; sweeping turns
 * mark bits into allocation bits.  Only slabs that are not UNSWEPT are handed
 * out, and all are swept before the next marking begins.  That end is at one instant,
 * however many there are: a PARTIAL, SPARSE or FULL slab is UNSWEPT when it came to its
 * list before (@epoch), whatever its @state says, and so are all that are in such a list
 * which nobody has looked at since (gc_slabs.settled).
 *
 * Mark bits are all zero between the end of sweeping and the next marking, in
 * every slab; those of OWNED slabs are cleared when marking ends.  That is not so when marks
 * are to stay (gc_slabs.sticky): then what is marked is *old*, and a further marking may
 * begin with that.  What is marked is allocated in any case.
 *
 * Everything here is under the heap's lock, gc_slab.state included: see gc_slab_state().
 */
#ifndef GCHEAP_SLAB_H
#define GCHEAP_SLAB_H

#include <linux/list.h>
#include <linux/types.h>

#include "pages.h"
#include "size_class.h"

enum gc_slab_state {
	SLAB_OWNED,
	SLAB_PARTIAL,
	SLAB_SPARSE,
	SLAB_FULL,
	SLAB_EMPTY,
	SLAB_UNSWEPT,
};

/**
 * struct gc_slab - a slab, or a large object
 * @object_size: bytes of a slot
 * @noscan: objects hold no pointers
 * @large: one object in whole pages
 * @state: see gc_slab_state()
 * @class_index: size class, SIZE_CLASS_COUNT when @large
 * @nr_alloc: bits set in the allocation bitmap
 * @nr_held: slots that the last sweep found to be held
 * @words: words of each bitmap
 * @unclean: free slots may not be zero
 * @owner: whoever has it while SLAB_OWNED
 * @node: in one of struct gc_slabs' lists
 * @owner_node: in the owner's list while SLAB_OWNED
 * @live: user address of the owner's bitmap, 0 if it keeps none
 * @cycle: collections completed when the slab, or a slot of it, was last handed out
 * @epoch: collections completed when it came to the list where it is
 * @nr_pages: pages of the slab, holes included
 * @holes: bit set: that page was given back; for none when @large
 * @looked_at: while PARTIAL or SPARSE: gc_slabs_release() finds no more to give back
 * @entered: address space whose page tables its pages were entered into last, when it
 *	was handed out; only to be compared, as it may be gone
 * @kaddr: the first slot in the kernel's address space, where holes are others'
 *	memory; NULL when @large, or when the pages do not lie side by side there
 * @offset: bytes from the heap's start to the first slot
 * @magic: slot number = (byte offset * magic) >> 32; 0 for a large object
 * @slots: number of slots
 * @scan_words: words of an object that are to be looked at, which lie at @kaddr; 0 when
 *	there are none, or elsewhere
 * @bits: bitmaps of the slots marked, allocated, and handed to the owner
 *
 * From @kaddr on is what marking touches: a cache line, with the marks of 256 slots.
 */
struct gc_slab {
	size_t object_size;
	u32 nr_alloc;
	u32 nr_held;
	u32 words;
	bool noscan;
	bool large;
	u8 state;
	u8 class_index;
	bool unclean;
	void *owner;
	struct list_head node;
	struct list_head owner_node;
	unsigned long live;
	u64 cycle;
	u64 epoch;
	unsigned long nr_pages;
	unsigned long holes;
	bool looked_at;
	const void *entered;
	void *kaddr;
	size_t offset;
	u32 magic;
	u32 slots;
	u32 scan_words;
	unsigned long bits[];
};

static_assert(offsetof(struct gc_slab, kaddr) % 64 == 0);

static inline unsigned long *gc_slab_mark_bits(struct gc_slab *slab)
{
	return slab->bits;
}

static inline unsigned long *gc_slab_alloc_bits(struct gc_slab *slab)
{
	return slab->bits + slab->words;
}

static inline unsigned long *gc_slab_handed_bits(struct gc_slab *slab)
{
	return slab->bits + 2 * slab->words;
}

/*
 * The lists of one class; the large objects have one set of lists too.  Among the
 * partial and the sparse slabs, those not looked at come first.
 */
struct gc_slab_lists {
	struct list_head partial;
	struct list_head sparse;
	struct list_head full;
	struct list_head empty;
	struct list_head unswept;
};

#define SLAB_LARGE	SIZE_CLASS_COUNT
#define SLAB_KINDS	(SIZE_CLASS_COUNT + 1)

/**
 * struct gc_slabs - all slabs of a heap: its portable part
 * @pages: pages that slabs are made of
 * @lists: by class and by noscan
 * @settled: bit set: among the lists of the kind, what is SLAB_UNSWEPT is where that belongs
 * @owned: all SLAB_OWNED ones
 * @nr_listed: number of SLAB_PARTIAL, SLAB_SPARSE and SLAB_FULL ones
 * @nr_unswept: number of SLAB_UNSWEPT ones
 * @nr_empty: number of SLAB_EMPTY ones
 * @empty_pages: their pages, which count in gc_pages.free
 * @spare: bytes of free slots in PARTIAL and SPARSE slabs that were not looked at: what
 *	may be given back, and more
 * @meta_bytes: memory of the slab structures
 * @total_alloc: bytes ever allocated
 * @total_freed: bytes ever reclaimed
 * @total_mallocs: objects ever allocated
 * @total_frees: objects ever reclaimed
 * @mallocs: objects ever allocated, by class
 * @frees: objects ever reclaimed, by class
 * @counted: bit set: one of these two has changed since it was last clear
 * @held: bytes of garbage that the last sweep of each slab found to be held; no
 *	part of the next two, so that what cannot be reclaimed does not have
 *	collections follow each other
 * @dangling: programs have freed objects, to which others may still seem to refer
 * @sticky: marks stay when slabs are swept
 * @marked: bytes marked by the last marking
 * @live: bytes marked by the last marking, with whatever was owned then
 * @since: bytes handed out since, less what came back unused
 * @cycle: markings completed
 */
struct gc_slabs {
	struct gc_pages pages;
	struct gc_slab_lists lists[SLAB_KINDS][2];
	DECLARE_BITMAP(settled, 2 * SLAB_KINDS);
	struct list_head owned;
	unsigned long nr_listed;
	unsigned long nr_unswept;
	unsigned long nr_empty;
	unsigned long empty_pages;
	u64 spare;
	size_t meta_bytes;
	u64 total_alloc;
	u64 total_freed;
	u64 total_mallocs;
	u64 total_frees;
	u64 mallocs[SLAB_KINDS];
	u64 frees[SLAB_KINDS];
	DECLARE_BITMAP(counted, SLAB_KINDS);
	u64 held;
	bool dangling;
	bool sticky;
	u64 marked;
	u64 live;
	s64 since;
	u64 cycle;
};

int gc_slabs_init(struct gc_slabs *gs, unsigned long limit_pages,
		  struct address_space *mapping);
void gc_slabs_empty(struct gc_slabs *gs);
void gc_slabs_destroy(struct gc_slabs *gs);

struct gc_slab *gc_slab_take(struct gc_slabs *gs, unsigned int class_index,
			     bool noscan, void *owner,
			     struct list_head *owner_list);
void gc_slab_clear_handed(struct gc_slabs *gs, struct gc_slab *slab);
void *gc_slab_piece(struct gc_slabs *gs, const struct gc_slab *slab, size_t at,
		    size_t *bytes);
void gc_slab_give_back(struct gc_slabs *gs, struct gc_slab *slab,
		       const unsigned long *unused);
long gc_slab_alloc_object(struct gc_slabs *gs, size_t bytes, bool noscan);

/**
 * enum gc_freed - what has become of an object that is to be freed
 * @OBJECT_FREED: its memory is free
 * @OBJECT_YOURS: it is in a slab of who frees it, who may hand the slot out again
 * @OBJECT_LATER: it is as it was, and left to a collection
 * @OBJECT_NONE: no object begins there
 */
enum gc_freed {
	OBJECT_FREED,
	OBJECT_YOURS,
	OBJECT_LATER,
	OBJECT_NONE,
};

enum gc_freed gc_slab_free_object(struct gc_slabs *gs, size_t offset, const void *owner,
				  bool marking);

struct gc_slab *gc_slab_next_object(struct gc_slabs *gs, size_t *offset,
				    unsigned long *looks);

bool gc_slabs_sweep(struct gc_slabs *gs, unsigned int nr);
u32 gc_slab_sweep_owned(struct gc_slabs *gs, struct gc_slab *slab,
			unsigned long *unused);
void gc_slabs_marked(struct gc_slabs *gs, u64 bytes, bool sticky);
void gc_slabs_settle(struct gc_slabs *gs);

/**
 * struct gc_release - how much memory is to be given back, at most
 * @pages: pages, of which one slab may give up a few more
 * @unmaps: ranges that are unmapped wherever the heap is mapped
 * @looks: slabs that are looked at
 * @before: slabs that were last handed out when so many collections were complete, or
 *	later, stay as they are
 */
struct gc_release {
	unsigned long pages;
	unsigned long unmaps;
	unsigned int looks;
	u64 before;
};

void gc_slab_recall(struct gc_slabs *gs, struct gc_slab *slab,
		    unsigned long *unused);
void gc_slabs_recalled(struct gc_slabs *gs);
unsigned long gc_slabs_release(struct gc_slabs *gs,
			       const struct gc_release *most);
unsigned long gc_slabs_release_free(struct gc_slabs *gs, unsigned long nr);
void gc_slabs_unmark(struct gc_slabs *gs);

typedef void (*gc_slab_visit)(struct gc_slab *slab, void *arg);
void gc_slabs_visit(struct gc_slabs *gs, gc_slab_visit visit, void *arg);

/**
 * gc_slab_find() - the slot that an offset lies in
 * @gs: slabs of the heap
 * @offset: bytes from the heap's start, any value
 * @index: out: number of the slot
 *
 * Context: heap's lock held.
 *
 * Return: the slab when there is a slot, be it allocated or not; or NULL.
 */
static __always_inline struct gc_slab *
gc_slab_find(struct gc_slabs *gs, size_t offset, u32 *index)
{
	struct gc_slab *slab;

	if (offset >> PAGE_SHIFT >= gs->pages.frontier)
		return NULL;
	slab = gc_pages_slab(&gs->pages, offset >> PAGE_SHIFT);
	if (!slab)
		return NULL;
	*index = ((offset - slab->offset) * slab->magic) >> 32;
	return *index < slab->slots ? slab : NULL;
}

/**
 * gc_slab_state() - where a slab is in its life
 * @gs: slabs of the heap
 * @slab: one of them
 *
 * Context: heap's lock held.
 *
 * Return: the state, see above.
 */
static inline enum gc_slab_state gc_slab_state(const struct gc_slabs *gs,
					       const struct gc_slab *slab)
{
	if (slab->state == SLAB_OWNED || slab->state == SLAB_EMPTY)
		return slab->state;
	return slab->epoch == gs->cycle ? slab->state : SLAB_UNSWEPT;
}

/* Bytes of objects allocated and not yet reclaimed. */
static inline u64 gc_slabs_allocated(const struct gc_slabs *gs)
{
	return gs->total_alloc - gs->total_freed;
}

#endif /* GCHEAP_SLAB_H */
