// SPDX-License-Identifier: GPL-2.0
/* The numbers that a heap tells of itself, and the page that shows them.  See stats.h. */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/preempt.h>

#include "compat.h"
#include "gfp.h"
#include "heap.h"
#include "member.h"
#include "mutator.h"
#include "stats.h"
#include "stop.h"

static_assert(sizeof(struct gcheap_stats_page) == 16 + sizeof(struct gcheap_ioc_stats));
static_assert(sizeof(struct gcheap_stats_page) +
	      SLAB_KINDS * sizeof(struct gcheap_class_stats) <= PAGE_SIZE);

/**
 * gc_stats_meta_bytes() - memory that a heap takes beside its objects
 * @heap: heap
 *
 * Without what the parameter verify takes.
 *
 * Context: any; exact with the heap's lock held, else each summand is as it was at
 * some moment.
 *
 * Return: bytes.
 */
size_t gc_stats_meta_bytes(const struct gc_heap *heap)
{
	return sizeof(*heap) + PAGE_SIZE + READ_ONCE(heap->slabs.meta_bytes) +
	       READ_ONCE(heap->slabs.pages.meta_bytes) +
	       gc_dirty_bytes(&heap->dirty) +
	       gc_links_bytes(&heap->links) +
	       READ_ONCE(heap->nr_mutators) * sizeof(struct gc_mutator) +
	       READ_ONCE(heap->nr_members) * sizeof(struct gc_member) +
	       atomic_long_read(&heap->records_bytes) +
	       atomic_long_read(&heap->rootset_bytes);
}

/**
 * gc_stats_released() - note how long the last collection's release has taken
 * @heap: heap
 *
 * Nobody waits for it, so it is looked at when somebody asks, and before the
 * next stop; not after one that was given up, whose release it is then.
 *
 * Context: heap's lock held.
 */
void gc_stats_released(struct gc_heap *heap)
{
	u64 last = heap->slabs.cycle;

	if (last && heap->last_round == gc_world_round(heap->world))
		heap->cycles[last % GCHEAP_CYCLES].release_ns =
			gc_world_release_ns(heap->world);
}

static void fill_cycle(struct gc_heap *heap, struct gcheap_ioc_stats *stats)
{
	u64 number = stats->want_cycle ? stats->want_cycle :
					 heap->slabs.cycle;
	struct gcheap_cycle *cycle = &heap->cycles[number % GCHEAP_CYCLES];

	gc_stats_released(heap);
	if (number && cycle->number == number)
		stats->cycle = *cycle;
	else
		stats->cycle = (struct gcheap_cycle) {};
}

/**
 * gc_stats_fill() - how the heap is doing
 * @heap: heap
 * @stats: all that GCHEAP_IOC_STATS gives, but the counts of classes
 *
 * Context: heap's lock held; does not sleep.
 */
void gc_stats_fill(struct gc_heap *heap, struct gcheap_ioc_stats *stats)
{
	struct gc_slabs *gs = &heap->slabs;
	struct gc_pages *gp = &gs->pages;

	stats->total_alloc = gs->total_alloc;
	stats->mallocs = gs->total_mallocs;
	stats->frees = gs->total_frees;
	stats->heap_alloc = gc_slabs_allocated(gs);
	stats->heap_objects = gs->total_mallocs - gs->total_frees;
	stats->heap_sys = gc_pages_backed(gp) << PAGE_SHIFT;
	stats->heap_idle = (gp->free + min(gp->frontier, gp->reserved)) <<
			   PAGE_SHIFT;
	stats->heap_inuse = stats->heap_sys - stats->heap_idle;
	stats->heap_released = gp->released << PAGE_SHIFT;
	stats->next_gc = heap->goal;
	stats->last_gc_ns = heap->last_gc_ns;
	stats->pause_total_ns = heap->pause_total_ns;
	stats->pause_max_ns = heap->pause_max_ns;
	stats->num_gc = gs->cycle;
	stats->num_forced_gc = heap->num_forced;
	stats->gc_sys = gc_stats_meta_bytes(heap);
	stats->gc_cpu_ns = heap->gc_cpu_ns;
	stats->class_count = SLAB_KINDS;
	fill_cycle(heap, stats);
}

static struct gcheap_class_stats *classes_of(struct gcheap_stats_page *page)
{
	return (void *)page + page->classes;
}

/**
 * gc_stats_publish() - bring the page up to date
 * @heap: heap
 *
 * Whoever reads meanwhile sees by the sequence that it has to try again.
 *
 * Context: heap's lock held; does not sleep.
 */
void gc_stats_publish(struct gc_heap *heap)
{
	struct gcheap_stats_page *page = heap->stats_page;
	struct gcheap_class_stats *classes = classes_of(page);
	struct gc_slabs *gs = &heap->slabs;
	unsigned int i;

	lockdep_assert_held(&heap->lock);
	preempt_disable();
	WRITE_ONCE(page->sequence, page->sequence + 1);
	/* Who sees any of what follows sees that; readers are in user space. */
	smp_wmb();
	gc_stats_fill(heap, &page->stats);
	for_each_set_bit(i, gs->counted, SLAB_KINDS) {
		classes[i].mallocs = gs->mallocs[i];
		classes[i].frees = gs->frees[i];
	}
	/* Who sees the sequence that is even again sees all of it. */
	smp_wmb();
	WRITE_ONCE(page->sequence, page->sequence + 1);
	preempt_enable();
	bitmap_zero(gs->counted, SLAB_KINDS);
}

/**
 * gc_stats_sweeps() - say in the page that slots of slabs that threads have may go
 * @heap: heap
 *
 * From then on who frees an object in one asks the kernel.
 *
 * Context: heap's lock held; the world stopped, before any of them goes; or something is known
 * of an object that whoever frees it later is to have forgotten.
 */
void gc_stats_sweeps(struct gc_heap *heap)
{
	WRITE_ONCE(heap->stats_page->sweeps, heap->stats_page->sweeps + 1);
}

/**
 * gc_stats_init() - make the page of a new heap
 * @heap: heap that nobody uses yet; all else of it is there
 *
 * Return: 0 or -ENOMEM.
 */
int gc_stats_init(struct gc_heap *heap)
{
	struct gcheap_stats_page *page = (void *)get_zeroed_page(GC_GFP);
	struct gcheap_class_stats *classes;
	unsigned int i;

	if (!page)
		return -ENOMEM;
	page->classes = sizeof(*page);
	page->stats.size = sizeof(page->stats);
	classes = classes_of(page);
	for (i = 0; i < SIZE_CLASS_COUNT; i++)
		classes[i].object_size = size_classes[i].object_size;
	gc_stats_fill(heap, &page->stats);
	heap->stats_page = page;
	return 0;
}

/**
 * gc_stats_destroy() - the heap ends
 * @heap: heap; no mapping of the page is left
 */
void gc_stats_destroy(struct gc_heap *heap)
{
	/* Somebody may have a reference to it: then the last one frees it. */
	free_page((unsigned long)heap->stats_page);
}

static void expect(struct gc_heap *heap, const char *what, u64 found,
		   u64 expected)
{
	if (found != expected)
		gc_fault(&heap->slabs.pages.faults, (struct gc_fault) {
			.what = what,
			.found = found,
			.expected = expected,
		});
}

/**
 * gc_stats_audit() - check that the numbers which the page shows agree
 * @heap: heap; faults go to its pages
 *
 * Context: heap's lock held.
 */
void gc_stats_audit(struct gc_heap *heap)
{
	const struct gcheap_class_stats *classes = classes_of(heap->stats_page);
	const struct gcheap_ioc_stats *stats = &heap->stats_page->stats;
	u64 mallocs = 0, frees = 0, bytes = 0;
	unsigned int i;

	lockdep_assert_held(&heap->lock);
	for (i = 0; i < SLAB_KINDS; i++) {
		mallocs += classes[i].mallocs;
		frees += classes[i].frees;
		bytes += (classes[i].mallocs - classes[i].frees) *
			 classes[i].object_size;
	}
	expect(heap, "shown: sequence is even",
	       heap->stats_page->sequence % 2, 0);
	expect(heap, "shown: mallocs of all classes", mallocs, stats->mallocs);
	expect(heap, "shown: frees of all classes", frees, stats->frees);
	expect(heap, "shown: frees and objects", stats->frees + stats->heap_objects,
	       stats->mallocs);
	expect(heap, "shown: memory idle and in use",
	       stats->heap_idle + stats->heap_inuse, stats->heap_sys);
	/* The rest are large objects, in whole pages. */
	expect(heap, "shown: bytes of small objects are of all",
	       bytes <= stats->heap_alloc, true);
	expect(heap, "shown: bytes of large objects",
	       offset_in_page(stats->heap_alloc - bytes), 0);
}

/* What MADV_DONTNEED took out of the page table comes again. */
static vm_fault_t page_fault(struct vm_fault *vmf)
{
	struct gc_heap *heap = vmf->vma->vm_file->private_data;

	vmf->page = virt_to_page(heap->stats_page);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct page_ops = {
	.fault = page_fault,
};

/**
 * gc_stats_mmap() - mmap of the page
 * @heap: heap that the calling process has attached to
 * @vma: what is asked for, shared
 *
 * Context: mmap_lock held for writing.
 *
 * Return: 0, or as <linux/gcheap.h> says.
 */
int gc_stats_mmap(struct gc_heap *heap, struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTEXPAND);
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &page_ops;
	return vm_insert_page(vma, vma->vm_start,
			      virt_to_page(heap->stats_page));
}
