// SPDX-License-Identifier: GPL-2.0
/*
 * The roots of a process:
 *
 *  - the registers of its threads,
 *  - their stacks, from the stack pointer (and the 128 bytes below it that the
 *    x86-64 ABI lets leaf functions use) to the end,
 *  - what was written in private mappings of files: data and bss of the program
 *    and of its libraries; the part of bss beyond the file's last page is
 *    anonymous memory right behind, or elsewhere: see elf.c,
 *  - thread-local storage, see tls.c,
 *  - hand-made ranges.
 *
 * In private memory only pages that somebody wrote to are read: others are not
 * in the page tables, or are the file's, or the page of zeros.  Nothing is
 * faulted in for being looked at, but what was swapped out, or is in a shared
 * file and not in memory.  For that mmap_lock is dropped, see fetch.h: so no VMA
 * is looked at twice without being looked for again, and none at all once an
 * error was noted.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/xarray.h>

#include "compat.h"
#include "fetch.h"
#include "heap.h"
#include "map.h"
#include "mutator.h"
#include "roots.h"
#include "rootset.h"
#include "stop.h"
#include "verify.h"
#include "written.h"

static_assert(WRITTEN_PAGES <= FETCH_PAGES);

#define RED_ZONE	128UL

/*
 * What lies above the thread pointer: the C library's own record of the thread,
 * less than 3 KiB in glibc, and never more than its stack's last pages.
 */
#define THREAD_RECORD	8192UL

/* What all waits for memory and locks of a stopped world may come to. */
#define PATIENCE	(2LL * NSEC_PER_SEC)

/**
 * gc_roots_init() - prepare a look at the roots
 * @roots: to be initialised
 * @heap: heap
 * @marker: for what is found
 * @verify: the second marker, or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int gc_roots_init(struct gc_roots *roots, struct gc_heap *heap,
		  struct gc_marker *marker, struct gc_verify *verify)
{
	*roots = (struct gc_roots) {
		.heap = heap,
		.marker = marker,
		.verify = verify,
		.patient = true,
		.patience = PATIENCE,
	};
	return gc_regs_init(&roots->regs);
}

/**
 * gc_roots_destroy() - undo gc_roots_init()
 * @roots: roots
 */
void gc_roots_destroy(struct gc_roots *roots)
{
	gc_regs_destroy(&roots->regs);
}

/*
 * For both markers a word is read once: a system call that is under way may
 * store to the memory.
 */
static void mark_words_twice(struct gc_roots *roots, const unsigned long *words,
			     size_t nr)
{
	unsigned long copy[32];
	size_t part, i;

	for (; nr; words += part, nr -= part) {
		part = min(nr, ARRAY_SIZE(copy));
		for (i = 0; i < part; i++)
			copy[i] = READ_ONCE(words[i]);
		gc_mark_words(roots->marker, copy, part);
		gc_verify_words(roots->verify, copy, part);
	}
}

static void mark_words(struct gc_roots *roots, const unsigned long *words,
		       size_t nr)
{
	if (unlikely(roots->verify))
		mark_words_twice(roots, words, nr);
	else
		gc_mark_words(roots->marker, words, nr);
}

static void mark_page(struct gc_roots *roots, struct page *page,
		      unsigned long from, unsigned long to)
{
	void *kaddr = kmap_local_page(page);

	mark_words(roots, kaddr + from, (to - from) / sizeof(long));
	kunmap_local(kaddr);
	roots->bytes += to - from;
}

static unsigned long mark_each(struct gc_roots *roots, struct page **pages,
			       unsigned long nr, unsigned long addr,
			       unsigned long end)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		unsigned long from = offset_in_page(addr);
		unsigned long to = min(PAGE_SIZE, from + end - addr);

		mark_page(roots, pages[i], from, to);
		addr += to - from;
	}
	return addr;
}

static void put_pages(struct page **pages, unsigned long nr)
{
	while (nr)
		put_page(pages[--nr]);
}

/* Pin pages, as far as they are in memory. */
static long pin(struct gc_roots *roots, unsigned long addr, unsigned long nr,
		struct page **pages)
{
	return gc_get_pages(roots->mm, addr & PAGE_MASK, nr, pages,
			    FOLL_NOFAULT | FOLL_DUMP, NULL);
}

static int lock(struct gc_roots *roots, struct mm_struct *mm)
{
	int err = gc_fetch_lock(mm, &roots->patience);

	if (err)
		return err;
	roots->mm = mm;
	roots->locked = true;
	memset(roots->vmas, 0, sizeof(roots->vmas));
	roots->heap_vma = gc_map_vma(roots->heap, mm);
	return 0;
}

static void unlock(struct gc_roots *roots)
{
	if (roots->locked)
		mmap_read_unlock(roots->mm);
	roots->locked = false;
	roots->heap_vma = NULL;
}

/*
 * Wait for pages that are not in memory.  Returns NULL, and notes the error, when
 * they do not come: then mmap_lock is not held any more.
 */
static struct gc_fetch *fetch_pages(struct gc_roots *roots, unsigned long addr,
				    unsigned long nr)
{
	struct gc_fetch *fetch;

	unlock(roots);
	fetch = gc_fetch_start(roots->mm, addr & PAGE_MASK, nr);
	if (!fetch) {
		roots->err = -ENOMEM;
		return NULL;
	}
	roots->err = gc_fetch_await(fetch, &roots->patience);
	if (roots->err == -ETIMEDOUT) {
		gc_fetch_abandon(fetch);
		roots->heap->stuck = fetch;
		return NULL;
	}
	if (!roots->err)
		roots->err = lock(roots, roots->mm);
	if (!roots->err)
		return fetch;
	gc_fetch_end(fetch);
	return NULL;
}

static unsigned long mark_fetched(struct gc_roots *roots, unsigned long addr,
				  unsigned long end, unsigned long nr)
{
	struct gc_fetch *fetch = fetch_pages(roots, addr, nr);
	unsigned long next = (addr & PAGE_MASK) + PAGE_SIZE;

	if (!fetch)
		return end;
	if (fetch->pinned > 0)
		next = mark_each(roots, fetch->pages, fetch->pinned, addr, end);
	gc_fetch_end(fetch);
	return next;
}

/*
 * Mark from at most @nr pages that begin in the page of @addr and are in memory;
 * none after @end.  Returns where to go on: @addr when there is none.
 */
static unsigned long mark_present(struct gc_roots *roots, unsigned long addr,
				  unsigned long end, unsigned long nr)
{
	struct page *pages[FETCH_PAGES];
	long pinned = pin(roots, addr, nr, pages);

	if (pinned <= 0)
		return addr;
	addr = mark_each(roots, pages, pinned, addr, end);
	put_pages(pages, pinned);
	return addr;
}

static void find_written(struct gc_roots *roots, struct gc_written *w,
			 unsigned long end)
{
	while (w->addr < end && !w->nr && gc_roots_go_on(roots))
		gc_written_look(w, roots->mm, end);
}

static unsigned long mark_private(struct gc_roots *roots, unsigned long addr,
				  unsigned long end)
{
	struct gc_written w = { .addr = addr & PAGE_MASK };
	unsigned long start = addr, before = roots->bytes, next;

	find_written(roots, &w, end);
	addr = clamp(w.addr, addr, end);
	if (w.taken) {
		next = mark_each(roots, w.pages, w.nr, addr, end);
		put_pages(w.pages, w.nr);
		addr = next;
	} else if (w.nr) {
		next = mark_present(roots, addr, end, w.nr);
		if (next == addr)
			next = mark_fetched(roots, addr, end, w.nr);
		addr = min(next, end);
	}
	roots->skipped += addr - start - (roots->bytes - before);
	return addr;
}

/*
 * Where the content of a shared mapping goes on.  In memory that is a file
 * without a disk, what nobody ever wrote is not there, and must not come to be
 * for being looked at.
 */
static unsigned long skip_hole(struct vm_area_struct *vma,
			       unsigned long addr, unsigned long end)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	unsigned long index = linear_page_index(vma, addr), next;

	if (mapping->host->i_sb->s_magic != TMPFS_MAGIC)
		return addr;
	if (!xa_find(&mapping->i_pages, &index, linear_page_index(vma, end - 1),
		     XA_PRESENT))
		return end;
	next = vma->vm_start + ((index - vma->vm_pgoff) << PAGE_SHIFT);
	return max(addr, next);
}

static unsigned long mark_shared(struct gc_roots *roots,
				 struct vm_area_struct *vma,
				 unsigned long addr, unsigned long end)
{
	unsigned long nr = min(FETCH_PAGES, ((end - 1) >> PAGE_SHIFT) + 1 -
					    (addr >> PAGE_SHIFT));
	unsigned long next = mark_present(roots, addr, end, nr);

	if (next != addr)
		return next;
	next = skip_hole(vma, addr, end);
	if (next != addr)
		return next;
	return mark_fetched(roots, addr, end, 1);
}

static void *heap_address(struct gc_roots *roots, unsigned long addr)
{
	unsigned long offset = addr - roots->heap->base, run = 1;
	struct gc_pages *gp = &roots->heap->slabs.pages;

	return page_address(*gc_pages_run(gp, offset >> PAGE_SHIFT, &run)) +
	       offset_in_page(offset);
}

/* A range of the heap itself, be it a stack or hand-made: no page table to ask. */
static void mark_heap(struct gc_roots *roots, unsigned long addr,
		      unsigned long end)
{
	struct gc_pages *gp = &roots->heap->slabs.pages;

	while (addr < end && !fatal_signal_pending(current)) {
		unsigned long nr = (addr - roots->heap->base) >> PAGE_SHIFT;
		size_t bytes = min(end - addr, PAGE_SIZE - offset_in_page(addr));

		if (nr >= gp->frontier)
			return;
		if (gc_pages_slab(gp, nr))
			mark_words(roots, heap_address(roots, addr),
				   bytes / sizeof(long));
		roots->bytes += bytes;
		addr += bytes;
		cond_resched();
	}
}

/* Mark from a mapping.  Returns where to go on, maybe in another one. */
static unsigned long mark_mapping(struct gc_roots *roots,
				  struct vm_area_struct *vma,
				  unsigned long addr, unsigned long end)
{
	unsigned long used_end = min(end, gc_map_used_end(vma));

	if (vma == roots->heap_vma)
		mark_heap(roots, addr, end);
	else if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return end;
	else if (!(vma->vm_flags & VM_SHARED))
		return mark_private(roots, addr, end);
	else if (vma->vm_file && addr < used_end)
		return mark_shared(roots, vma, addr, used_end);
	return end;
}

/**
 * gc_roots_go_on() - whether to look at more
 * @roots: roots
 *
 * Context: may sleep.
 *
 * Return: false when what was seen is worth nothing.
 */
bool gc_roots_go_on(struct gc_roots *roots)
{
	cond_resched();
	if (!roots->err && fatal_signal_pending(current))
		roots->err = -EINTR;
	return !roots->err;
}

static bool inside(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma && addr >= vma->vm_start && addr < vma->vm_end;
}

/**
 * gc_roots_vma() - the first mapping that ends behind an address
 * @roots: roots
 * @addr: user address
 *
 * Return: the mapping, valid until memory is read; or NULL.
 */
struct vm_area_struct *gc_roots_vma(struct gc_roots *roots, unsigned long addr)
{
	struct vm_area_struct *vma;
	unsigned int i;

	if (!roots->locked)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(roots->vmas); i++)
		if (inside(roots->vmas[i], addr))
			return roots->vmas[i];
	vma = find_vma(roots->mm, addr);
	if (inside(vma, addr))
		roots->vmas[roots->next_vma++ % ARRAY_SIZE(roots->vmas)] = vma;
	return vma;
}

/**
 * gc_roots_range() - take all words of a range for roots
 * @roots: roots
 * @start: user address
 * @end: end of the range
 *
 * What is not mapped, or cannot be read, is passed over.
 */
void gc_roots_range(struct gc_roots *roots, unsigned long start,
		    unsigned long end)
{
	start = round_up(start, sizeof(long));
	end = round_down(end, sizeof(long));
	while (start < end && gc_roots_go_on(roots)) {
		struct vm_area_struct *vma = gc_roots_vma(roots, start);

		if (!vma || vma->vm_start >= end)
			return;
		start = max(start, vma->vm_start);
		start = mark_mapping(roots, vma, start, min(end, vma->vm_end));
	}
}

static void copy_from_page(void *to, struct page *page, size_t offset,
			   size_t bytes)
{
	void *kaddr = kmap_local_page(page);

	memcpy(to, kaddr + offset, bytes);
	kunmap_local(kaddr);
}

static bool read_fetched(struct gc_roots *roots, unsigned long addr, void *to,
			 size_t bytes)
{
	struct gc_fetch *fetch = fetch_pages(roots, addr, 1);
	bool there;

	if (!fetch)
		return false;
	there = fetch->pinned == 1;
	if (there)
		copy_from_page(to, fetch->pages[0], offset_in_page(addr), bytes);
	gc_fetch_end(fetch);
	return there;
}

/* A page that is in memory, with a reference; or NULL. */
static struct page *take_page(struct gc_roots *roots,
			      struct vm_area_struct *vma, unsigned long addr)
{
	struct gc_written w = { .addr = addr & PAGE_MASK };
	struct page *page;

	if (!(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_SHARED)))
		gc_written_look(&w, roots->mm, w.addr + PAGE_SIZE);
	if (w.taken)
		return w.pages[0];
	return pin(roots, addr, 1, &page) == 1 ? page : NULL;
}

static bool read_part(struct gc_roots *roots, unsigned long addr, void *to,
		      size_t bytes)
{
	struct vm_area_struct *vma = gc_roots_vma(roots, addr);
	struct page *page;

	if (!inside(vma, addr))
		return false;
	page = take_page(roots, vma, addr);
	if (!page)
		return roots->patient && read_fetched(roots, addr, to, bytes);
	copy_from_page(to, page, offset_in_page(addr), bytes);
	put_page(page);
	return true;
}

/**
 * gc_roots_read() - read a process's memory
 * @roots: roots
 * @addr: user address
 * @to: buffer
 * @bytes: its size
 *
 * Return: true when all could be read.
 */
bool gc_roots_read(struct gc_roots *roots, unsigned long addr, void *to,
		   size_t bytes)
{
	while (bytes) {
		size_t part = min(bytes, PAGE_SIZE - offset_in_page(addr));

		if (!read_part(roots, addr, to, part))
			return false;
		addr += part;
		to += part;
		bytes -= part;
	}
	return true;
}

/*
 * Up to where a stack may go.  The C library puts the thread's record on top of
 * the stack that it maps for a thread; what follows is not this thread's, when
 * the kernel has merged neighbouring mappings.
 */
static unsigned long stack_end(const struct vm_area_struct *vma,
			       unsigned long sp, unsigned long thread_pointer)
{
	if (vma->vm_flags & VM_GROWSDOWN || thread_pointer < sp ||
	    !inside(vma, thread_pointer))
		return vma->vm_end;
	return min(vma->vm_end, thread_pointer + THREAD_RECORD);
}

/*
 * A thread whose stack pointer is not in the stack that it began with (a signal
 * handler on an alternate stack, a coroutine) has left frames there, nobody
 * knows how deep: all of that stack counts.
 */
static void mark_other_stack(struct gc_roots *roots, struct task_struct *task,
			     unsigned long thread_pointer, unsigned long low)
{
	unsigned long home = thread_group_leader(task) ?
			     READ_ONCE(roots->mm->start_stack) : thread_pointer;
	struct vm_area_struct *vma = gc_roots_vma(roots, home);

	if (!inside(vma, home) || inside(vma, low))
		return;
	gc_roots_range(roots, vma->vm_start,
		       stack_end(vma, vma->vm_start, thread_pointer));
}

static void mark_own_stack(struct gc_roots *roots, unsigned long start,
			   unsigned long end)
{
	gc_roots_range(roots, start, end);
	roots->stack_start = start;
	roots->stack_end = end;
}

static void mark_stack(struct gc_roots *roots, struct task_struct *task)
{
	unsigned long thread_pointer = roots->regs.thread_pointer;
	unsigned long sp = roots->regs.sp, low = sp - min(sp, RED_ZONE);
	struct vm_area_struct *vma = gc_roots_vma(roots, low);

	/* An empty stack begins at the end of its mapping. */
	if (vma && low < vma->vm_start && inside(vma, sp))
		low = vma->vm_start;
	/* A stack in an object of the heap: the stack pointer keeps the object. */
	if (inside(vma, low) && vma != roots->heap_vma)
		mark_own_stack(roots, low, stack_end(vma, low, thread_pointer));
	mark_other_stack(roots, task, thread_pointer, low);
}

static void mark_thread(struct gc_roots *roots, struct gc_mutator *m)
{
	if (!gc_regs_read(&roots->regs, m))
		return;
	mark_words(roots, roots->regs.words, roots->regs.nr);
	roots->stack_start = 0;
	roots->stack_end = 0;
	mark_stack(roots, m->task);
	gc_tls_mark(roots, roots->regs.thread_pointer);
	roots->threads++;
}

static void mark_threads(struct gc_roots *roots)
{
	struct gc_heap *heap = roots->heap;
	u64 round = gc_world_round(heap->world);
	struct gc_mutator *m;

	list_for_each_entry(m, &heap->mutator_list, node) {
		if (!gc_roots_go_on(roots))
			return;
		if (m->mm != roots->mm || m->retired || m->marked == round)
			continue;
		if (m->round == round || m->task == current) {
			m->marked = round;
			mark_thread(roots, m);
		}
	}
}

static bool is_file_data(const struct vm_area_struct *vma)
{
	return vma->vm_file && !(vma->vm_flags & VM_SHARED);
}

/*
 * Up to where a mapping is data or bss; @data_end is where the last such ended.
 * The heap of brk() may be merged with the program's bss, and is no root.
 */
static unsigned long data_part(const struct vm_area_struct *vma,
			       unsigned long data_end)
{
	struct mm_struct *mm = vma->vm_mm;

	if (is_file_data(vma))
		return vma->vm_end;
	if (vma->vm_file || vma->vm_start != data_end)
		return 0;
	if (vma->vm_start <= mm->brk && vma->vm_end > mm->start_brk)
		return max(vma->vm_start, mm->start_brk);
	return vma->vm_end;
}

/*
 * Data and bss, and what the files' headers tell.  Without an anon_vma nobody has
 * written to a private mapping.
 */
static void mark_data(struct gc_roots *roots)
{
	unsigned long addr = 0, data_end = 0;
	struct vm_area_struct *vma;

	gc_elf_begin(roots);
	while (gc_roots_go_on(roots) && (vma = gc_roots_vma(roots, addr))) {
		unsigned long start = vma->vm_start;
		unsigned long end = data_part(vma, data_end);
		bool elf = gc_elf_starts(vma);

		addr = vma->vm_end;
		if (end)
			data_end = end;
		/* From here on the mapping may be gone. */
		if (vma->anon_vma && end > start)
			gc_roots_range(roots, start, end);
		if (elf)
			gc_elf_look(roots, start);
	}
}

/* One pair: what was in use since the last collection, what was not. */
static void mark_pair(struct gc_roots *roots, unsigned long addr, bool age)
{
	unsigned long *pair = heap_address(roots, addr);

	if (age) {
		WRITE_ONCE(pair[1], READ_ONCE(pair[0]));
		WRITE_ONCE(pair[0], 0);
	}
	mark_words(roots, pair, 2);
}

static void mark_aging(struct gc_roots *roots, struct gc_root *root)
{
	u64 cycle = roots->heap->slabs.cycle + 1;
	bool age = root->aging->cycle != cycle;
	unsigned long addr;

	root->aging->round = gc_world_round(roots->heap->world);
	root->aging->cycle = cycle;
	for (addr = root->start; addr < root->start + root->length;
	     addr += 16) {
		mark_pair(roots, addr, age);
		if (!offset_in_page(addr) && !gc_roots_go_on(roots))
			return;
	}
}

/*
 * Pairs that no process has any more keep nothing, so they must not seem to: a
 * process that has the heap may register them again.  Their object, if it is
 * still there, cannot have become another one's memory before this collection.
 */
static void forget_aging(struct gc_roots *roots, struct gc_aging *aging)
{
	unsigned long addr;

	for (addr = aging->start; addr < aging->start + aging->length;
	     addr += sizeof(long)) {
		WRITE_ONCE(*(long *)heap_address(roots, addr), 0);
		if (!offset_in_page(addr))
			cond_resched();
	}
	gc_aging_forget(aging);
}

static void forget_agings(struct gc_roots *roots)
{
	u64 round = gc_world_round(roots->heap->world);
	struct gc_aging *aging, *next;

	list_for_each_entry_safe(aging, next, &roots->heap->agings, node)
		if (aging->round != round)
			forget_aging(roots, aging);
}

static void mark_rootset(struct gc_roots *roots, struct gc_rootset *set)
{
	struct rb_node *node;

	for (node = rb_first(&set->ranges); node && gc_roots_go_on(roots);
	     node = rb_next(node)) {
		struct gc_root *root = rb_entry(node, struct gc_root, node);

		/* The object that holds the range, if it is one of the heap. */
		mark_words(roots, &root->start, 1);
		if (root->aging)
			mark_aging(roots, root);
		else
			gc_roots_range(roots, root->start,
				       root->start + root->length);
	}
}

/* The mapping may go while its ranges are looked at; the set stays. */
static void mark_hand_made(struct gc_roots *roots)
{
	struct gc_rootset *set;

	if (!roots->heap_vma)
		return;
	set = roots->heap_vma->vm_private_data;
	gc_rootset_get(set);
	mark_rootset(roots, set);
	gc_rootset_put(set);
}

static int mark_process(struct gc_roots *roots, struct mm_struct *mm)
{
	roots->err = lock(roots, mm);
	if (roots->err)
		return roots->err;
	/* A fork that failed left its parent's VMAs there. */
	if (!check_stable_address_space(mm)) {
		/* Before the threads, of whose storage the headers tell. */
		mark_data(roots);
		mark_threads(roots);
		mark_hand_made(roots);
		roots->processes++;
	}
	unlock(roots);
	gc_roots_go_on(roots);
	return roots->err;
}

/* Objects that ALLOC has made and has not yet told its caller of. */
static void mark_landing(struct gc_roots *roots)
{
	struct gc_mutator *m;

	list_for_each_entry(m, &roots->heap->mutator_list, node) {
		/* Pairs with the release in gc_alloc_landed(). */
		unsigned long landing = smp_load_acquire(&m->landing);
		unsigned long word = roots->heap->base + landing - 1;

		if (landing)
			mark_words(roots, &word, 1);
	}
}

/* A thread that was found after its process was looked at. */
static struct gc_mutator *late_thread(struct gc_heap *heap)
{
	u64 round = gc_world_round(heap->world);
	struct gc_mutator *m;

	list_for_each_entry(m, &heap->mutator_list, node)
		if (m->round == round && m->marked != round && !m->retired)
			return m;
	return NULL;
}

static int mark_late_threads(struct gc_roots *roots)
{
	struct gc_mutator *m;

	while (!roots->err && (m = late_thread(roots->heap))) {
		roots->err = lock(roots, m->mm);
		if (roots->err)
			break;
		m->marked = m->round;
		if (!check_stable_address_space(m->mm)) {
			gc_elf_look_at_all(roots);
			mark_thread(roots, m);
		}
		unlock(roots);
		gc_roots_go_on(roots);
	}
	return roots->err;
}

/**
 * gc_roots_mark() - mark what all processes of a stopped world refer to
 * @roots: roots
 *
 * A fork() or clone() that was under way is found by looking again.  Memory and
 * registers of the child are what its parent's were.  But the parent may have
 * been killed since; then the child alone has them, be its memory found before
 * the child itself or with it.
 *
 * Context: may sleep; heap's lock held, the world stopped.
 *
 * Return: 0; -ENOMEM, -EINTR; or -ETIMEDOUT when memory of a process could not be
 * had.
 */
int gc_roots_mark(struct gc_roots *roots)
{
	struct gc_heap *heap = roots->heap;
	unsigned int done = 0;
	int err;

	lockdep_assert_held(&heap->lock);
	mark_landing(roots);
	do {
		const struct gc_members *members =
			gc_world_members(heap->world);

		for (; done < members->nr; done++) {
			err = mark_process(roots, members->mms[done]);
			if (err)
				return err;
		}
		err = mark_late_threads(roots);
		if (!err)
			err = gc_world_again(heap);
	} while (err > 0);
	if (!err)
		forget_agings(roots);
	return err;
}

static void sweep_mutator(struct gc_roots *roots, struct gc_mutator *m)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gc_slab *slab;

	list_for_each_entry(slab, &m->slabs, owner_node) {
		if (slab->live &&
		    gc_roots_read(roots, slab->live, unused,
				  slab->words * sizeof(long)))
			gc_slab_sweep_owned(&roots->heap->slabs, slab, unused);
		cond_resched();
	}
}

static void sweep_process(struct gc_roots *roots, struct mm_struct *mm)
{
	struct gc_mutator *m;

	if (lock(roots, mm))
		return;
	list_for_each_entry(m, &roots->heap->mutator_list, node)
		if (m->mm == mm && !m->retired)
			sweep_mutator(roots, m);
	unlock(roots);
}

/**
 * gc_roots_sweep_owned() - reclaim in slabs of threads that tell what they use
 * @roots: roots
 *
 * What a thread says in memory that is not there at once is as if not said.
 *
 * Context: may sleep; heap's lock held, the world stopped, marking complete.
 */
void gc_roots_sweep_owned(struct gc_roots *roots)
{
	const struct gc_members *members =
		gc_world_members(roots->heap->world);
	unsigned int i;

	roots->patient = false;
	for (i = 0; i < members->nr; i++)
		sweep_process(roots, members->mms[i]);
}
