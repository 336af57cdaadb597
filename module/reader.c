// SPDX-License-Identifier: GPL-2.0
/* Reading the memory of the processes of a stopped world.  See reader.h. */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/jiffies.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/xarray.h>

#include "compat.h"
#include "fetch.h"
#include "given_up.h"
#include "heap.h"
#include "map.h"
#include "reader.h"
#include "trace.h"
#include "written.h"

static_assert(WRITTEN_PAGES <= FETCH_PAGES);

/* A collection that nobody asked for waits no longer than that for pages, all in all. */
#define UNASKED_S	5

/**
 * gc_reader_init() - a reader that has read nothing
 * @r: to be initialised
 * @heap: heap
 * @words: is given what gc_reader_range() finds; must not sleep
 *
 * Context: may sleep; the world is not stopped.
 *
 * Return: 0; -ENOMEM, or -EINTR when the caller is being killed.
 */
int gc_reader_init(struct gc_reader *r, struct gc_heap *heap,
		   void (*words)(struct gc_reader *r,
				 const unsigned long *words, size_t nr))
{
	struct gc_fetcher *fetcher = gc_fetcher_take();

	if (IS_ERR(fetcher))
		return PTR_ERR(fetcher);
	*r = (struct gc_reader) {
		.heap = heap,
		.words = words,
		.fetcher = fetcher,
		.patient = true,
		.end = jiffies + UNASKED_S * HZ,
	};
	return 0;
}

/**
 * gc_reader_destroy() - undo gc_reader_init()
 * @r: reader, which has no process's lock
 *
 * Context: may sleep.
 */
void gc_reader_destroy(struct gc_reader *r)
{
	if (r->fetcher)
		gc_fetcher_keep(r->fetcher);
}

/* Pages' words go out as they are: whoever is given them reads each once. */
static void give_page(struct gc_reader *r, struct page *page,
		      unsigned long addr, unsigned long to)
{
	void *kaddr = kmap_local_page(page);
	unsigned long from = offset_in_page(addr);

	r->at = addr;
	r->words(r, kaddr + from, (to - from) / sizeof(long));
	kunmap_local(kaddr);
	r->bytes += to - from;
}

static unsigned long give_each(struct gc_reader *r, struct page **pages,
			       unsigned long nr, unsigned long addr,
			       unsigned long end)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		unsigned long from = offset_in_page(addr);
		unsigned long to = min(PAGE_SIZE, from + end - addr);

		give_page(r, pages[i], addr, to);
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
static long pin(struct gc_reader *r, unsigned long addr, unsigned long nr,
		struct page **pages)
{
	return gc_get_pages(r->mm, addr & PAGE_MASK, nr, pages,
			    FOLL_NOFAULT | FOLL_DUMP, NULL);
}

/**
 * gc_reader_lock() - begin to read a process's memory
 * @r: reader
 * @mm: its address space, a reference to its users
 *
 * Context: may sleep; mmap_lock of no process held.
 *
 * Return: true; or false when the error was noted.
 */
bool gc_reader_lock(struct gc_reader *r, struct mm_struct *mm)
{
	r->err = gc_fetch_lock(mm, r->heap->world);
	if (r->err)
		return false;
	r->mm = mm;
	r->locked = true;
	memset(r->vmas, 0, sizeof(r->vmas));
	r->heap_vma = gc_map_vma(r->heap, mm);
	return true;
}

/**
 * gc_reader_unlock() - undo gc_reader_lock(), unless an error has
 * @r: reader
 */
void gc_reader_unlock(struct gc_reader *r)
{
	if (r->locked)
		mmap_read_unlock(r->mm);
	r->locked = false;
	r->heap_vma = NULL;
}

/* A later collection need not wait for the same page once more. */
static void lose_fetcher(struct gc_reader *r)
{
	if (r->err == -ETIMEDOUT)
		r->heap->stuck = r->fetcher;
	else
		gc_fetcher_put(r->fetcher);
	r->fetcher = NULL;
}

static bool never_to_be_read(long err)
{
	return err == -EFAULT || err == -EHWPOISON;
}

/* Nobody can kill a kernel thread that collects; so it does not wait page after page. */
static bool is_late(const struct gc_reader *r)
{
	return current->flags & PF_KTHREAD && time_after(jiffies, r->end);
}

/* Whose page it was that the world has been held for */
static void tell_late(const struct gc_reader *r, u64 ns)
{
	struct task_struct *owner;

	rcu_read_lock();
	owner = gc_mm_owner(r->mm);
	if (owner)
		trace_gcheap_late(r->heap, owner, GC_LATE_PAGE, ns);
	rcu_read_unlock();
}

/*
 * Wait for pages that are not in memory.  Returns how many have come, all to be put,
 * or 0 when the first can never be read.  When an error was noted none has come, and
 * mmap_lock is not held any more.
 */
static unsigned long fetch_pages(struct gc_reader *r, unsigned long addr,
				 unsigned long nr)
{
	struct gc_fetcher *f = r->fetcher;
	u64 start;

	gc_reader_unlock(r);
	start = ktime_get_ns();
	r->err = is_late(r) ? -EDQUOT :
		 gc_fetch(f, r->mm, addr & PAGE_MASK, nr);
	if (trace_gcheap_late_enabled())
		tell_late(r, ktime_get_ns() - start);
	if (r->err == -EDQUOT) {
		r->err = -ETIMEDOUT;
		return 0;
	}
	if (r->err) {
		lose_fetcher(r);
		return 0;
	}
	if (f->pinned <= 0 && !never_to_be_read(f->pinned)) {
		r->err = -ETIMEDOUT;
		return 0;
	}
	if (!gc_reader_lock(r, r->mm)) {
		gc_fetch_put_pages(f);
		return 0;
	}
	return max(f->pinned, 0L);
}

/* A page that can never be read is as large as its mapping's pages are. */
static unsigned long give_fetched(struct gc_reader *r, unsigned long addr,
				  unsigned long end, unsigned long nr)
{
	unsigned long page = vma_kernel_pagesize(gc_reader_vma(r, addr));
	unsigned long next = round_down(addr, page) + page;
	unsigned long came = fetch_pages(r, addr, nr);

	if (came) {
		next = give_each(r, r->fetcher->pages, came, addr, end);
		gc_fetch_put_pages(r->fetcher);
	}
	return next;
}

/*
 * Give at most @nr pages that begin in the page of @addr and are in memory;
 * none after @end.  Returns where to go on: @addr when there is none.
 */
static unsigned long give_present(struct gc_reader *r, unsigned long addr,
				  unsigned long end, unsigned long nr)
{
	struct page *pages[FETCH_PAGES];
	long pinned = pin(r, addr, nr, pages);

	if (pinned <= 0)
		return addr;
	addr = give_each(r, pages, pinned, addr, end);
	put_pages(pages, pinned);
	return addr;
}

static void find_written(struct gc_reader *r, struct gc_written *w,
			 unsigned long end)
{
	while (w->addr < end && !w->nr && gc_reader_go_on(r))
		gc_written_look(w, r->mm, end);
}

static unsigned long give_private(struct gc_reader *r, unsigned long addr,
				  unsigned long end)
{
	struct gc_written w = { .addr = addr & PAGE_MASK };
	unsigned long start = addr, before = r->bytes, next;

	find_written(r, &w, end);
	addr = clamp(w.addr, addr, end);
	if (w.taken) {
		next = give_each(r, w.pages, w.nr, addr, end);
		put_pages(w.pages, w.nr);
		addr = next;
	} else if (w.nr) {
		next = give_present(r, addr, end, w.nr);
		if (next == addr)
			next = give_fetched(r, addr, end, w.nr);
		addr = min(next, end);
	}
	r->skipped += addr - start - (r->bytes - before);
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

static unsigned long give_shared(struct gc_reader *r,
				 struct vm_area_struct *vma,
				 unsigned long addr, unsigned long end)
{
	unsigned long nr = min(FETCH_PAGES, ((end - 1) >> PAGE_SHIFT) + 1 -
					    (addr >> PAGE_SHIFT));
	unsigned long next = give_present(r, addr, end, nr);

	if (next != addr)
		return next;
	next = skip_hole(vma, addr, end);
	if (next != addr)
		return next;
	return give_fetched(r, addr, end, 1);
}

/**
 * gc_reader_heap_address() - where the kernel has a word of the heap
 * @r: reader
 * @addr: user address in the heap
 *
 * Return: address, good up to the end of the page; NULL when no page is in use there.
 */
void *gc_reader_heap_address(const struct gc_reader *r, unsigned long addr)
{
	unsigned long offset = addr - r->heap->base;
	struct page *page = gc_pages_page(&r->heap->slabs.pages,
					  offset >> PAGE_SHIFT);

	return page ? page_address(page) + offset_in_page(offset) : NULL;
}

/* A range of the heap itself, be it a stack or hand-made: no page table to ask. */
static void give_heap(struct gc_reader *r, unsigned long addr,
		      unsigned long end)
{
	struct gc_pages *gp = &r->heap->slabs.pages;

	while (addr < end && gc_reader_go_on(r)) {
		size_t bytes = min(end - addr, PAGE_SIZE - offset_in_page(addr));
		void *words = gc_reader_heap_address(r, addr);

		if ((addr - r->heap->base) >> PAGE_SHIFT >= gp->frontier)
			return;
		r->at = addr;
		if (words)
			r->words(r, words, bytes / sizeof(long));
		r->bytes += bytes;
		addr += bytes;
	}
}

/* Part of a mapping.  Returns where to go on, maybe in another one. */
static unsigned long give_mapping(struct gc_reader *r,
				  struct vm_area_struct *vma,
				  unsigned long addr, unsigned long end)
{
	unsigned long used_end = min(end, gc_map_used_end(vma));

	if (vma == r->heap_vma)
		give_heap(r, addr, end);
	else if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return end;
	else if (!(vma->vm_flags & VM_SHARED))
		return give_private(r, addr, end);
	else if (vma->vm_file && addr < used_end)
		return give_shared(r, vma, addr, used_end);
	return end;
}

/**
 * gc_reader_go_on() - whether to look at more
 * @r: reader
 *
 * Context: may sleep.
 *
 * Return: false when what was seen is worth nothing.
 */
bool gc_reader_go_on(struct gc_reader *r)
{
	cond_resched();
	if (!r->err)
		r->err = gc_given_up();
	return !r->err;
}

/**
 * gc_reader_vma() - the first mapping that ends behind an address
 * @r: reader
 * @addr: user address
 *
 * Return: the mapping, valid until memory is read; or NULL.
 */
struct vm_area_struct *gc_reader_vma(struct gc_reader *r, unsigned long addr)
{
	struct vm_area_struct *vma;
	unsigned int i;

	if (!r->locked)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(r->vmas); i++)
		if (gc_vma_holds(r->vmas[i], addr))
			return r->vmas[i];
	vma = find_vma(r->mm, addr);
	if (gc_vma_holds(vma, addr))
		r->vmas[r->next_vma++ % ARRAY_SIZE(r->vmas)] = vma;
	return vma;
}

/**
 * gc_reader_some() - give the next words of a range
 * @r: reader
 * @start: user address
 * @end: end of the range
 *
 * They are next to each other, on FETCH_PAGES pages at most, or in the heap.
 *
 * Return: where the range goes on, @end when there is no more.
 */
unsigned long gc_reader_some(struct gc_reader *r, unsigned long start,
			     unsigned long end)
{
	unsigned long last = round_down(end, sizeof(long));
	struct vm_area_struct *vma;

	start = round_up(start, sizeof(long));
	vma = gc_reader_vma(r, start);
	if (!vma || max(start, vma->vm_start) >= last)
		return end;
	start = max(start, vma->vm_start);
	return give_mapping(r, vma, start, min(last, vma->vm_end));
}

/**
 * gc_reader_range() - give all words of a range
 * @r: reader
 * @start: user address
 * @end: end of the range
 *
 * What is not mapped, or cannot be read, is passed over.
 */
void gc_reader_range(struct gc_reader *r, unsigned long start,
		     unsigned long end)
{
	while (start < end && gc_reader_go_on(r))
		start = gc_reader_some(r, start, end);
}

static void copy_from_page(void *to, struct page *page, size_t offset,
			   size_t bytes)
{
	void *kaddr = kmap_local_page(page);

	memcpy(to, kaddr + offset, bytes);
	kunmap_local(kaddr);
}

static bool read_fetched(struct gc_reader *r, unsigned long addr, void *to,
			 size_t bytes)
{
	if (!fetch_pages(r, addr, 1))
		return false;
	copy_from_page(to, r->fetcher->pages[0], offset_in_page(addr), bytes);
	gc_fetch_put_pages(r->fetcher);
	return true;
}

/* A page that is in memory, with a reference; or NULL. */
static struct page *take_page(struct gc_reader *r,
			      struct vm_area_struct *vma, unsigned long addr)
{
	struct gc_written w = { .addr = addr & PAGE_MASK };
	struct page *page;

	if (!(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_SHARED)))
		gc_written_look(&w, r->mm, w.addr + PAGE_SIZE);
	if (w.taken)
		return w.pages[0];
	return pin(r, addr, 1, &page) == 1 ? page : NULL;
}

static bool read_part(struct gc_reader *r, unsigned long addr, void *to,
		      size_t bytes)
{
	struct vm_area_struct *vma = gc_reader_vma(r, addr);
	struct page *page;

	if (!gc_vma_holds(vma, addr))
		return false;
	page = take_page(r, vma, addr);
	if (!page)
		return r->patient && read_fetched(r, addr, to, bytes);
	copy_from_page(to, page, offset_in_page(addr), bytes);
	put_page(page);
	return true;
}

/**
 * gc_reader_read() - read a process's memory
 * @r: reader
 * @addr: user address
 * @to: buffer
 * @bytes: its size
 *
 * Return: true when all was read; false when some of it can never be, or the error
 * was noted, or, with a reader that is not patient, it is not in memory.
 */
bool gc_reader_read(struct gc_reader *r, unsigned long addr, void *to,
		    size_t bytes)
{
	while (bytes) {
		size_t part = min(bytes, PAGE_SIZE - offset_in_page(addr));

		if (!read_part(r, addr, to, part))
			return false;
		addr += part;
		to += part;
		bytes -= part;
	}
	return true;
}
