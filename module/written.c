// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages of private memory somebody wrote to, told from the page tables, and
 * those pages.
 *
 * What was never written to is not in the tables, or is a file's, or the page of
 * zeros, small or huge: all others are anonymous.  They are taken in the walk that
 * finds them: get_user_pages() would have to find each again, which for a thread's
 * stack costs more than to look at its words.
 *
 * Threads that are held may yet be in a page fault, and other parts of the kernel
 * move pages about: all of them empty an entry for a moment, with the table's lock
 * held.  So an entry counts only under that lock.  Upper tables stay as long as
 * mmap_lock is held for reading, lowest ones as long as the RCU read lock.
 *
 * Lock order: mmap_lock, lock of a page table.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>

#include "written.h"

/* Tables looked at in one go. */
#define WALK_BATCH	64

static bool is_anonymous(unsigned long pfn)
{
	return pfn_valid(pfn) && PageAnon(pfn_to_page(pfn));
}

static bool entry_written(pte_t pte)
{
	if (pte_none(pte))
		return false;
	if (!pte_present(pte))
		return true;
	return !pte_special(pte) && is_anonymous(pte_pfn(pte));
}

static void take(struct gc_written *w, unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	get_page(page);
	w->pages[w->nr++] = page;
	w->taken = true;
}

/* Pages from @w->addr on that are there, or else that are not. */
static void take_run(struct gc_written *w, const pte_t *entry,
		     unsigned long end)
{
	unsigned long addr;

	for (addr = w->addr; addr < end && w->nr < WRITTEN_PAGES;
	     addr += PAGE_SIZE) {
		pte_t pte = READ_ONCE(*entry++);

		if (!entry_written(pte) ||
		    (w->nr && pte_present(pte) != w->taken))
			return;
		if (pte_present(pte))
			take(w, pte_pfn(pte));
		else
			w->nr++;
	}
}

static void look_in_table(struct gc_written *w, struct mm_struct *mm,
			  pmd_t *upper, pmd_t pmd, unsigned long end)
{
	spinlock_t *lock = pte_lockptr(mm, &pmd);
	const pte_t *entry = pte_offset_kernel(&pmd, w->addr);

	spin_lock(lock);
	/* If it is not the table any more, the next look finds what is. */
	if (pmd_val(READ_ONCE(*upper)) == pmd_val(pmd)) {
		while (w->addr < end && !entry_written(READ_ONCE(*entry))) {
			w->addr += PAGE_SIZE;
			entry++;
		}
		take_run(w, entry, end);
	}
	spin_unlock(lock);
}

/* They may have been written to: whoever wants them has to ask for them. */
static void leave(struct gc_written *w, unsigned long end)
{
	w->nr = min_t(unsigned long, WRITTEN_PAGES,
		      DIV_ROUND_UP(end - w->addr, PAGE_SIZE));
}

/* Part of a huge page, of whichever kind. */
static void take_huge(struct gc_written *w, pmd_t pmd, unsigned long end)
{
	unsigned long pfn = pmd_pfn(pmd) + pte_index(w->addr);
	unsigned long addr = w->addr;

	if (!is_anonymous(pfn)) {
		w->addr = end;
		return;
	}
	for (; addr < end && w->nr < WRITTEN_PAGES; addr += PAGE_SIZE)
		take(w, pfn++);
}

static void look_at_middle(struct gc_written *w, struct mm_struct *mm,
			   pmd_t *upper, unsigned long end)
{
	spinlock_t *lock = pmd_lockptr(mm, upper);
	pmd_t pmd = READ_ONCE(*upper);

	if (!pmd_none(pmd) && pmd_present(pmd) && !pmd_leaf(pmd)) {
		look_in_table(w, mm, upper, pmd, end);
		return;
	}
	spin_lock(lock);
	pmd = READ_ONCE(*upper);
	if (pmd_none(pmd))
		w->addr = end;
	else if (!pmd_present(pmd))
		leave(w, end);
	else if (pmd_leaf(pmd))
		take_huge(w, pmd, end);
	spin_unlock(lock);
}

static pud_t read_upper(struct mm_struct *mm, pud_t *upper)
{
	pud_t pud = READ_ONCE(*upper);

	if (!pud_none(pud))
		return pud;
	spin_lock(&mm->page_table_lock);
	pud = READ_ONCE(*upper);
	spin_unlock(&mm->page_table_lock);
	return pud;
}

/* In one table of the lowest level, or in what has none. */
static void look_once(struct gc_written *w, struct mm_struct *mm,
		      unsigned long end)
{
	unsigned long addr = w->addr;
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *upper, pud;

	w->addr = pgd_addr_end(addr, end);
	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return;
	p4d = p4d_offset(pgd, addr);
	w->addr = p4d_addr_end(addr, end);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return;
	upper = pud_offset(p4d, addr);
	pud = read_upper(mm, upper);
	w->addr = pud_addr_end(addr, end);
	if (pud_none(pud))
		return;
	w->addr = addr;
	if (pud_leaf(pud) || !pud_present(pud))
		leave(w, pud_addr_end(addr, end));
	else
		look_at_middle(w, mm, pmd_offset(upper, addr),
			       pmd_addr_end(addr, end));
}

/**
 * gc_written_look() - look for pages that somebody wrote to
 * @w: @addr, of a page, is where to begin; the result, which may be that none was
 *	found so far
 * @mm: address space
 * @end: where to end; all up to there is one private mapping
 *
 * Context: mmap_lock held.
 */
void gc_written_look(struct gc_written *w, struct mm_struct *mm,
		     unsigned long end)
{
	unsigned int left = WALK_BATCH;

	mmap_assert_locked(mm);
	w->nr = 0;
	w->taken = false;
	rcu_read_lock();
	while (w->addr < end && !w->nr && left--)
		look_once(w, mm, end);
	rcu_read_unlock();
}
