// SPDX-License-Identifier: GPL-2.0
/* mmap, page faults, and filling page tables ahead.  See map.h. */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "heap.h"
#include "map.h"
#include "member.h"
#include "rootset.h"
#include "stats.h"
#include "stop.h"

#define GCHEAP_FS_MAGIC		0x67636870

/* Pages that one fault maps, when they follow and are in use. */
#define FAULT_AROUND		16UL

/*
 * Where a first mapping goes: far from where programs, libraries, sanitizers
 * and other collectors put theirs, so that the same place is free in the next
 * process too.  The place is drawn by lot, as all others are.
 */
#define AREA_START		0x200000000000UL
#define AREA_SIZE		0x200000000000UL

static struct vfsmount *mount;
static int mount_count;

static int fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, GCHEAP_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type fs_type = {
	.name = "gcheap",
	.owner = THIS_MODULE,
	.init_fs_context = fs_init_context,
	.kill_sb = kill_anon_super,
};

static const struct address_space_operations heap_aops = {
	.dirty_folio = noop_dirty_folio,
};

/**
 * gc_map_inode() - an inode whose address_space is one heap's
 *
 * The file system is pinned by its inodes alone, so that the module can go when
 * no heap is left.
 *
 * Return: the inode or ERR_PTR().
 */
struct inode *gc_map_inode(void)
{
	struct inode *inode;
	int err = simple_pin_fs(&fs_type, &mount, &mount_count);

	if (err)
		return ERR_PTR(err);
	inode = alloc_anon_inode(mount->mnt_sb);
	if (IS_ERR(inode)) {
		simple_release_fs(&mount, &mount_count);
		return inode;
	}
	inode->i_mapping->a_ops = &heap_aops;
	return inode;
}

/**
 * gc_map_put_inode() - undo gc_map_inode()
 * @inode: inode that nobody maps any more
 */
void gc_map_put_inode(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&mount, &mount_count);
}

/*
 * Hold the page behind a number, if one is in use there: with a reference, and locked,
 * so that it is not given back before we have entered it into a page table.  A page
 * that was given back while we looked may have become somebody else's: its reference
 * is only borrowed for a moment, as the page cache does (filemap_get_entry() in the
 * kernel), and it is not locked, as its owner may count on nobody knowing it yet.  With
 * our reference it is not given back; unless it was on its way already, which the
 * second look finds.
 */
static struct page *hold_page(struct gc_pages *gp, unsigned long nr, bool wait)
{
	struct folio *folio;
	struct page *page;

	for (;;) {
		rcu_read_lock();
		page = gc_pages_page(gp, nr);
		folio = page ? page_folio(page) : NULL;
		if (folio && !folio_try_get(folio)) {
			rcu_read_unlock();
			cpu_relax();
			continue;
		}
		rcu_read_unlock();
		if (!folio)
			return NULL;
		if (gc_pages_page(gp, nr) != page || page_folio(page) != folio)
			goto put;
		if (wait)
			folio_lock(folio);
		else if (!folio_trylock(folio))
			break;
		if (gc_pages_page(gp, nr) == page)
			return page;
		folio_unlock(folio);
put:
		folio_put(folio);
	}
	folio_put(folio);
	return NULL;
}

/*
 * Hold pages that follow each other and are in use; how many, at most @max.  The first
 * one is waited for, if @wait.
 */
static unsigned long hold_pages(struct gc_heap *heap, struct page **pages,
				unsigned long first, unsigned long max, bool wait)
{
	unsigned long nr;

	for (nr = 0; nr < max; nr++) {
		pages[nr] = hold_page(&heap->slabs.pages, first + nr,
				      wait && !nr);
		if (!pages[nr])
			break;
	}
	return nr;
}

static void let_go(struct page **pages, unsigned long nr)
{
	while (nr--) {
		unlock_page(pages[nr]);
		put_page(pages[nr]);
	}
}

/*
 * Map the pages from a fault's address on as far as they are in use.  When there is
 * an entry in the page table for the first one already, it may be another thread's,
 * which has been quicker, or a marker of the kernel's that the fault is to take
 * away: userfaultfd's, of a page that is to be write-protected when it comes.
 * The kernel proper knows which, as it does when the page table itself has gone
 * meanwhile, or there is no memory for one.
 */
static vm_fault_t map_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct gc_heap *heap = vma->vm_file->private_data;
	unsigned long addr = vmf->address & PAGE_MASK;
	struct page *pages[FAULT_AROUND];
	unsigned long nr, left, max;

	max = min(FAULT_AROUND, (vma->vm_end - addr) >> PAGE_SHIFT);
	nr = hold_pages(heap, pages, vmf->pgoff, max, true);
	if (!nr)
		return VM_FAULT_SIGBUS;
	left = nr;
	vm_insert_pages(vma, addr, pages, &left);
	if (left < nr) {
		let_go(pages, nr);
		return VM_FAULT_NOPAGE;
	}
	/* The kernel would take it from us as if it were a file's. */
	if (PageHWPoison(pages[0])) {
		let_go(pages, nr);
		return VM_FAULT_HWPOISON;
	}
	let_go(pages + 1, nr - 1);
	vmf->page = pages[0];
	return VM_FAULT_LOCKED;
}

static int map_refuse_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int map_refuse_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int map_mprotect(struct vm_area_struct *vma, unsigned long start,
			unsigned long end, unsigned long flags)
{
	if (flags & VM_EXEC)
		return -EACCES;
	return start == vma->vm_start && end == vma->vm_end ? 0 : -EINVAL;
}

/*
 * fork() copied the parent's VMA: its child begins with the same roots, and uses
 * the heap as its parent does.  Should there be no memory to note that, it is
 * noted when the next stop finds the mapping.
 */
static void map_open(struct vm_area_struct *vma)
{
	struct gc_heap *heap = vma->vm_file->private_data;

	gc_rootset_get(vma->vm_private_data);
	spin_lock(&heap->map_lock);
	heap->mappings++;
	spin_unlock(&heap->map_lock);
	gc_member_attach(heap, vma->vm_mm);
}

static void map_close(struct vm_area_struct *vma)
{
	struct gc_heap *heap = vma->vm_file->private_data;
	bool last;

	gc_member_unmapped(heap, vma->vm_mm);
	gc_rootset_put(vma->vm_private_data);
	spin_lock(&heap->map_lock);
	last = !--heap->mappings;
	if (last)
		WRITE_ONCE(heap->emptying, true);
	spin_unlock(&heap->map_lock);
	if (last)
		queue_delayed_work(system_dfl_wq, &heap->emptier, 0);
}

static const struct vm_operations_struct map_ops = {
	.open = map_open,
	.close = map_close,
	.may_split = map_refuse_split,
	.mremap = map_refuse_mremap,
	.mprotect = map_mprotect,
	.fault = map_fault,
};

/* The first mapping decides where all are. */
static int count_mapping(struct gc_heap *heap, unsigned long start,
			 unsigned long size)
{
	int err = 0;

	spin_lock(&heap->map_lock);
	/* Zero is what tells that there is no base. */
	if (size != heap->size || !start || (heap->base && heap->base != start))
		err = -EINVAL;
	else if (heap->emptying)
		err = -EBUSY;
	if (!err) {
		WRITE_ONCE(heap->base, start);
		heap->mappings++;
	}
	spin_unlock(&heap->map_lock);
	return err;
}

/**
 * gc_map_mmap() - mmap of a heap
 * @file: the heap's file
 * @vma: what is asked for
 *
 * Context: mmap_lock held for writing.
 *
 * Return: 0, or as <linux/gcheap.h> says.
 */
int gc_map_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct gc_heap *heap = file->private_data;
	struct gc_rootset *roots;
	int err;

	if (in_compat_syscall() || !(vma->vm_flags & VM_SHARED) ||
	    vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (vma->vm_pgoff && vma->vm_pgoff != GC_STATS_PGOFF)
		return -EINVAL;
	if (!gc_member_attached(heap, vma->vm_mm))
		return -EPERM;
	if (vma->vm_pgoff)
		return gc_stats_mmap(heap, vma);
	roots = gc_rootset_new();
	if (!roots)
		return -ENOMEM;
	gc_rootset_count(roots, &heap->rootset_bytes, heap->user);
	err = gc_stop_newcomer(heap->world);
	if (err)
		goto put_roots;
	err = count_mapping(heap, vma->vm_start, vma->vm_end - vma->vm_start);
	if (err)
		goto put_roots;
	/* It stays VM_MAYWRITE: at one that is not, a look for what was written ends. */
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTEXPAND);
	vm_flags_clear(vma, VM_MAYEXEC);
	vma->vm_private_data = roots;
	vma->vm_ops = &map_ops;
	return 0;

put_roots:
	gc_rootset_put(roots);
	return err;
}

/*
 * Is there room?  The kernel proper says so by taking the address up: what it has
 * below a stack for growing is no room.
 */
static bool is_free(struct file *file, unsigned long addr, unsigned long len)
{
	return gc_unmapped_area(file, addr, len, 0, 0) == addr;
}

static unsigned long first_area(struct file *file, unsigned long addr,
				unsigned long len)
{
	unsigned long area;

	/* The top of the addresses is rounded up to zero, which is no place. */
	if (round_up(addr, PMD_SIZE))
		addr = round_up(addr, PMD_SIZE);
	else
		addr = AREA_START + round_down(get_random_u64() % AREA_SIZE,
					       PMD_SIZE);
	if (addr < TASK_SIZE && len <= TASK_SIZE - addr &&
	    is_free(file, addr, len))
		return addr;
	/* Page tables are shared out best when the heap begins with one. */
	area = gc_unmapped_area(file, 0, len + PMD_SIZE, 0, 0);
	return IS_ERR_VALUE(area) ? area : round_up(area, PMD_SIZE);
}

/**
 * gc_map_vma() - a process's mapping of the heap
 * @heap: heap
 * @mm: address space; its mmap_lock is held
 *
 * Return: the VMA, or NULL.
 */
struct vm_area_struct *gc_map_vma(struct gc_heap *heap, struct mm_struct *mm)
{
	unsigned long base = READ_ONCE(heap->base);
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	if (!base)
		return NULL;
	vma = find_vma(mm, base);
	if (!vma || vma->vm_ops != &map_ops ||
	    vma->vm_file->private_data != heap)
		return NULL;
	return vma;
}

/* Anywhere. */
static unsigned long stats_area(struct file *file, unsigned long addr,
				unsigned long len, unsigned long flags)
{
	if (len != PAGE_SIZE)
		return -EINVAL;
	if (!gc_member_attached(file->private_data, current->mm))
		return -EPERM;
	return gc_unmapped_area(file, addr, len, GC_STATS_PGOFF, flags);
}

/**
 * gc_map_area() - the address of a mapping to be
 * @file: the heap's file
 * @addr: wish of the caller
 * @len: bytes
 * @pgoff: offset in the file, pages
 * @flags: MAP_*
 *
 * Also called for MAP_FIXED.  The kernel proper does not look for what is there
 * already when we give an address.
 *
 * Context: mmap_lock held for writing.
 *
 * Return: the address or -errno, as <linux/gcheap.h> says.
 */
unsigned long gc_map_area(struct file *file, unsigned long addr,
			  unsigned long len, unsigned long pgoff,
			  unsigned long flags)
{
	struct gc_heap *heap = file->private_data;
	unsigned long base = READ_ONCE(heap->base);

	if (in_compat_syscall())
		return -EINVAL;
	if (pgoff == GC_STATS_PGOFF)
		return stats_area(file, addr, len, flags);
	if (pgoff || len != READ_ONCE(heap->size))
		return -EINVAL;
	if (flags & MAP_FIXED && base && addr != base)
		return -EINVAL;
	/* Before anything makes room for the mapping. */
	if (!gc_member_attached(heap, current->mm))
		return -EPERM;
	if (flags & MAP_FIXED && READ_ONCE(heap->emptying))
		return -EBUSY;
	/* Its own mapping may be the last one, and all that is in the heap go with it. */
	if (gc_map_vma(heap, current->mm))
		return -EEXIST;
	if (flags & MAP_FIXED)
		return addr;
	if (!base)
		return first_area(file, addr, len);
	if (base > TASK_SIZE || len > TASK_SIZE - base)
		return -EINVAL;
	return is_free(file, base, len) ? base : -EEXIST;
}

/**
 * gc_map_file() - the file of the heap that the calling process maps somewhere
 * @addr: user address
 *
 * Context: may sleep; mmap_lock not held.
 *
 * Return: the file, with a reference for the caller; or ERR_PTR(): -ENOENT when
 * no heap is mapped there, -EINTR.
 */
struct file *gc_map_file(unsigned long addr)
{
	struct file *file = ERR_PTR(-ENOENT);
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(current->mm))
		return ERR_PTR(-EINTR);
	vma = vma_lookup(current->mm, addr);
	if (vma && vma->vm_ops == &map_ops)
		file = get_file(vma->vm_file);
	mmap_read_unlock(current->mm);
	return file;
}

/**
 * gc_map_used_end() - the end of what can hold anything in a mapping
 * @vma: any mapping; its mmap_lock is held
 *
 * A heap is mapped as large as it may become, and there are no pages behind its
 * frontier.
 *
 * Return: user address.
 */
unsigned long gc_map_used_end(const struct vm_area_struct *vma)
{
	struct gc_heap *heap;
	unsigned long pages;

	if (vma->vm_ops != &map_ops)
		return vma->vm_end;
	heap = vma->vm_file->private_data;
	pages = READ_ONCE(heap->slabs.pages.frontier);
	return min(vma->vm_end, vma->vm_start + (pages << PAGE_SHIFT));
}

/**
 * gc_map_check() - whether the calling process maps the heap
 * @heap: heap
 *
 * Return: 0, -ENXIO, or -EINTR.
 */
int gc_map_check(struct gc_heap *heap)
{
	bool mapped;

	if (!current->mm)
		return -ENXIO;
	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	mapped = gc_map_vma(heap, current->mm);
	mmap_read_unlock(current->mm);
	return mapped ? 0 : -ENXIO;
}

/**
 * gc_map_check_any() - whether any process maps the heap
 * @heap: heap
 *
 * Who takes memory for the heap asks it, since the process may have unmapped the heap
 * while it waited for the lock: nobody would give the memory back, if this was the last
 * mapping.  If the last one goes later, what was taken goes with it.
 *
 * Context: heap's lock held.
 *
 * Return: 0 or -ENXIO.
 */
int gc_map_check_any(struct gc_heap *heap)
{
	lockdep_assert_held(&heap->lock);
	return READ_ONCE(heap->mappings) ? 0 : -ENXIO;
}

/**
 * gc_map_emptied() - the heap is empty, and can be mapped again
 * @heap: heap
 *
 * Context: heap's lock held.
 */
void gc_map_emptied(struct gc_heap *heap)
{
	spin_lock(&heap->map_lock);
	WRITE_ONCE(heap->emptying, false);
	spin_unlock(&heap->map_lock);
	/* wake_up_var() looks for waiters first: they look after they are there. */
	smp_mb();
	wake_up_var(&heap->emptying);
}

/**
 * gc_map_await_emptied() - wait until a heap that nobody maps is empty
 * @heap: heap
 *
 * Context: may sleep; no lock held.
 *
 * Return: 0 or -EINTR.
 */
int gc_map_await_emptied(struct gc_heap *heap)
{
	return wait_var_event_killable(&heap->emptying,
				       !READ_ONCE(heap->emptying)) ? -EINTR : 0;
}

/*
 * Stops at what is mapped already: then the rest is, or a fault brings it; in a process
 * that is being killed; and at what is in use no more, as another thread had the heap
 * unmapped and mapped again.
 */
static void populate(struct gc_heap *heap, struct vm_area_struct *vma,
		     const struct gc_page_run *pages_of)
{
	unsigned long first = pages_of->first, nr = pages_of->nr, run, left;
	struct page *pages[FAULT_AROUND];
	int err;

	while (nr && !fatal_signal_pending(current)) {
		run = hold_pages(heap, pages, first, min(nr, FAULT_AROUND),
				 false);
		if (!run)
			return;
		left = run;
		err = vm_insert_pages(vma, vma->vm_start + (first << PAGE_SHIFT),
				      pages, &left);
		let_go(pages, run);
		if (err)
			return;
		first += run;
		nr -= run;
		cond_resched();
	}
}

/**
 * gc_map_populate() - enter pages into the caller's page tables ahead
 * @heap: heap
 * @runs: pages, which belong to slabs that the caller was given
 * @nr: how many runs
 *
 * Only to save faults: whatever fails here is left to them.
 *
 * Context: may sleep; heap's lock not held.
 */
void gc_map_populate(struct gc_heap *heap, const struct gc_page_run *runs,
		     unsigned int nr)
{
	struct vm_area_struct *vma;
	unsigned int i;

	if (mmap_read_lock_killable(current->mm))
		return;
	vma = gc_map_vma(heap, current->mm);
	for (i = 0; vma && i < nr; i++)
		populate(heap, vma, &runs[i]);
	mmap_read_unlock(current->mm);
	gc_count_resident();
}

/* Enters some of the pages from @first on.  Returns the first that it did not look at. */
static unsigned long populate_some(struct gc_heap *heap, struct vm_area_struct *vma,
				   unsigned long first)
{
	struct page *pages[FAULT_AROUND];
	unsigned long run = hold_pages(heap, pages, first, FAULT_AROUND, false);
	unsigned long left = run;
	int err;

	if (!run)
		return first + 1;
	err = vm_insert_pages(vma, vma->vm_start + (first << PAGE_SHIFT), pages,
			      &left);
	let_go(pages, run);
	return first + run - left + !!err;
}

/*
 * One chunk.  Returns whether the address space still has the heap, is not busy, and has
 * users but us: its memory goes when we leave it.
 */
static bool populate_chunk(struct gc_heap *heap, unsigned long first)
{
	struct vm_area_struct *vma;

	if (atomic_read(&current->mm->mm_users) == 1 ||
	    !mmap_read_trylock(current->mm))
		return false;
	vma = gc_map_vma(heap, current->mm);
	if (vma) {
		unsigned long end = min(first + CHUNK_PAGES, vma_pages(vma));

		while (first < end)
			first = populate_some(heap, vma, first);
	}
	mmap_read_unlock(current->mm);
	cond_resched();
	return vma;
}

/**
 * gc_map_populate_all() - enter all pages in use into the page tables of an address space
 * @heap: heap
 *
 * What is there already stays as it is; what cannot be entered is left out.
 *
 * Context: a kernel thread that has taken the address space on (kthread_use_mm()); may
 * sleep.
 */
void gc_map_populate_all(struct gc_heap *heap)
{
	unsigned long first;

	for (first = 0; first < READ_ONCE(heap->slabs.pages.frontier);
	     first += CHUNK_PAGES)
		if (!populate_chunk(heap, first))
			return;
}
