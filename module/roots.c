// SPDX-License-Identifier: GPL-2.0
/*
 * The roots of a process:
 *
 *  - the registers of its threads,
 *  - their stacks, see stack.c,
 *  - what was written in private mappings of files: data and bss of the program
 *    and of its libraries; the part of bss beyond the file's last page is
 *    anonymous memory right behind, or elsewhere: see elf.c,
 *  - thread-local storage, see tls.c,
 *  - what the C library keeps of threads that are gone, see records.h,
 *  - hand-made ranges,
 *  - in a heap with GCHEAP_SCAN_ALL: all else that was written in private mappings,
 *    whether it may be written, or even read, just now or not: mprotect() takes
 *    nothing from who can undo it.
 *
 * reader.c reads the memory of processes; what it reads comes back to one place
 * here, which hands it to the marker.
 *
 * Lock order and who waits for whom: as in reader.h; heap's lock is held, and the
 * world stopped, all the time.
 */
#include <linux/container_of.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "elf.h"
#include "heap.h"
#include "member.h"
#include "mutator.h"
#include "roots.h"
#include "rootset.h"
#include "stop.h"
#include "verify.h"

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
		if (roots->ends) {
			gc_mark_words_and_ends(roots->marker, copy, part);
			gc_verify_words_and_ends(roots->verify, copy, part);
		} else {
			gc_mark_words(roots->marker, copy, part);
			gc_verify_words(roots->verify, copy, part);
		}
	}
}

/* All roots come by here. */
static void mark_words(struct gc_roots *roots, const unsigned long *words,
		       size_t nr)
{
	if (unlikely(roots->verify))
		mark_words_twice(roots, words, nr);
	else if (roots->ends)
		gc_mark_words_and_ends(roots->marker, words, nr);
	else
		gc_mark_words(roots->marker, words, nr);
}

static void mark_read(struct gc_reader *r, const unsigned long *words,
		      size_t nr)
{
	struct gc_roots *roots = container_of(r, struct gc_roots, reader);

	if (gc_stacks_take(&roots->stacks, words, nr))
		mark_words(roots, words, nr);
}

/**
 * gc_roots_init() - prepare a look at the roots
 * @roots: to be initialised
 * @heap: heap
 * @marker: for what is found
 * @verify: the second marker, or NULL
 *
 * Context: may sleep; the world is not stopped.
 *
 * Return: 0; -ENOMEM, or -EINTR when the caller is being killed.
 */
int gc_roots_init(struct gc_roots *roots, struct gc_heap *heap,
		  struct gc_marker *marker, struct gc_verify *verify)
{
	int err;

	*roots = (struct gc_roots) {
		.heap = heap,
		.marker = marker,
		.verify = verify,
	};
	err = gc_reader_init(&roots->reader, heap, mark_read);
	if (err)
		return err;
	err = gc_stacks_init(&roots->stacks, &roots->reader);
	if (err)
		goto destroy_reader;
	err = gc_regs_init(&roots->regs);
	if (err)
		goto destroy_stacks;
	return 0;

destroy_stacks:
	gc_stacks_destroy(&roots->stacks);
destroy_reader:
	gc_reader_destroy(&roots->reader);
	return err;
}

/**
 * gc_roots_destroy() - undo gc_roots_init()
 * @roots: roots
 */
void gc_roots_destroy(struct gc_roots *roots)
{
	gc_regs_destroy(&roots->regs);
	gc_stacks_destroy(&roots->stacks);
	gc_reader_destroy(&roots->reader);
}

static void mark_thread(struct gc_roots *roots, struct gc_mutator *m)
{
	struct gc_regs *regs = &roots->regs;
	struct gc_span stack;

	if (!gc_regs_read(regs, m))
		return;
	roots->ends = true;
	mark_words(roots, regs->words, regs->nr);
	stack = gc_stacks_mark(&roots->stacks, regs, m->task);
	roots->ends = false;
	gc_tls_mark(&roots->reader, &roots->tls, regs->thread_pointer, stack);
	gc_member_note(m->member, regs->thread_pointer, RECORD_READ);
	roots->threads++;
}

static void mark_threads(struct gc_roots *roots, struct gc_member *member)
{
	struct gc_reader *r = &roots->reader;
	u64 round = gc_world_round(roots->heap->world);
	struct gc_mutator *m;

	list_for_each_entry(m, &member->mutators, member_node) {
		if (!gc_reader_go_on(r))
			return;
		if (m->retired || m->marked == round)
			continue;
		if (m->round == round || m->task == current) {
			m->marked = round;
			mark_thread(roots, m);
		}
	}
}

static unsigned long mark_record(void *arg, unsigned long entry)
{
	struct gc_reader *r = arg;
	struct vm_area_struct *vma;
	unsigned long end, self;

	if (entry & RECORD_READ || r->err)
		return entry;
	vma = gc_reader_vma(r, entry);
	if (!gc_vma_holds(vma, entry))
		return 0;
	end = min(vma->vm_end, entry + THREAD_RECORD);
	/* An error is not a reason to forget it. */
	if (!gc_reader_read(r, entry, &self, sizeof(self)))
		return r->err ? entry : 0;
	if (self != entry)
		return 0;
	gc_reader_range(r, entry, end);
	return entry;
}

/* Of those threads that were not looked at; what is no record any more is forgotten. */
static void mark_records(struct gc_roots *roots, struct gc_member *member)
{
	gc_records_visit(&member->records, mark_record, &roots->reader);
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

static bool is_searched(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_SHARED | VM_IO | VM_PFNMAP));
}

/*
 * Data and bss, or all private memory, and what the files' headers tell.  Without
 * an anon_vma nobody has written to a private mapping.
 */
static void mark_data(struct gc_roots *roots, const struct gc_member *member)
{
	bool all = READ_ONCE(roots->heap->scan_all) ||
		   READ_ONCE(member->records.incomplete);
	unsigned long addr = 0, data_end = 0;
	struct gc_reader *r = &roots->reader;
	struct vm_area_struct *vma;

	gc_tls_begin(&roots->tls);
	while (gc_reader_go_on(r) && (vma = gc_reader_vma(r, addr))) {
		unsigned long start = vma->vm_start;
		unsigned long end = data_part(vma, data_end);
		bool elf = gc_elf_starts(vma);

		addr = vma->vm_end;
		if (end)
			data_end = end;
		if (all && is_searched(vma))
			end = vma->vm_end;
		/* From here on the mapping may be gone. */
		if (vma->anon_vma && end > start && !gc_vma_kept_out(vma))
			gc_reader_range(r, start, end);
		if (elf)
			gc_elf_look(r, &roots->tls, start);
	}
}

/*
 * Where the kernel has a word of an aging range.  NULL for a slot that its owner gave back
 * unused: that is no object's any more, and its page may have gone.
 */
static unsigned long *aging_word(struct gc_roots *roots, unsigned long addr)
{
	struct gc_heap *heap = roots->heap;
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(&heap->slabs, addr - heap->base, &index);
	if (!slab || !test_bit(index, gc_slab_alloc_bits(slab)))
		return NULL;
	return gc_reader_heap_address(&roots->reader, addr);
}

/* One pair: what was in use since the last collection, what was not */
static void mark_pair(struct gc_roots *roots, unsigned long addr, bool age)
{
	unsigned long *pair = aging_word(roots, addr);

	if (!pair)
		return;
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
		if (!offset_in_page(addr) && !gc_reader_go_on(&roots->reader))
			return;
	}
}

/*
 * Pairs that no process has any more keep nothing, so they must not seem to: a
 * process that has the heap may register them again.  Their object, if it is
 * still there, cannot have become another one's memory before this collection: who frees it
 * asks the kernel (gc_stats_sweeps()), which has them forgotten then (free.c).
 */
static void forget_aging(struct gc_roots *roots, struct gc_aging *aging)
{
	unsigned long addr, *word;

	for (addr = aging->start; addr < aging->start + aging->length;
	     addr += sizeof(long)) {
		word = aging_word(roots, addr);
		if (word)
			WRITE_ONCE(*word, 0);
		if (!offset_in_page(addr) && !gc_reader_go_on(&roots->reader))
			return;
	}
	gc_aging_forget(aging);
}

/* Returns 0, or why that was not done to the end. */
static int forget_agings(struct gc_roots *roots)
{
	u64 round = gc_world_round(roots->heap->world);
	struct gc_reader *r = &roots->reader;
	struct gc_aging *aging, *next;

	list_for_each_entry_safe(aging, next, &roots->heap->agings, node) {
		if (!gc_reader_go_on(r))
			break;
		if (aging->freed)
			gc_aging_free(aging);
		else if (aging->round != round)
			forget_aging(roots, aging);
	}
	return r->err;
}

static void mark_rootset(struct gc_roots *roots, struct gc_rootset *set)
{
	struct gc_reader *r = &roots->reader;
	struct rb_node *node;

	for (node = rb_first(&set->ranges); node && gc_reader_go_on(r);
	     node = rb_next(node)) {
		struct gc_root *root = rb_entry(node, struct gc_root, node);

		if (root->aging && root->aging->freed)
			continue;
		/* The object that holds the range, if it is one of the heap. */
		mark_words(roots, &root->start, 1);
		if (root->aging)
			mark_aging(roots, root);
		else
			gc_reader_range(r, root->start,
					root->start + root->length);
	}
}

/* The mapping may go while its ranges are looked at; the set stays. */
static void mark_hand_made(struct gc_roots *roots)
{
	struct vm_area_struct *vma = roots->reader.heap_vma;
	struct gc_rootset *set;

	if (!vma)
		return;
	set = vma->vm_private_data;
	gc_rootset_get(set);
	mark_rootset(roots, set);
	gc_rootset_put(set);
}

static int mark_process(struct gc_roots *roots, struct gc_member *member)
{
	struct gc_reader *r = &roots->reader;
	struct mm_struct *mm = member->mm;

	if (!gc_reader_lock(r, mm))
		return r->err;
	/* A fork that failed left its parent's VMAs there. */
	if (!check_stable_address_space(mm)) {
		/* Before the threads, of whose storage the headers tell. */
		mark_data(roots, member);
		gc_records_begin(&member->records);
		mark_threads(roots, member);
		mark_records(roots, member);
		mark_hand_made(roots);
		roots->processes++;
	}
	gc_reader_unlock(r);
	gc_reader_go_on(r);
	return r->err;
}

/* Those that were not looked at before. */
static int mark_members(struct gc_roots *roots)
{
	struct gc_world *world = roots->heap->world;
	u64 round = gc_world_round(world);
	struct gc_member *member;
	int err;

	list_for_each_entry(member, gc_world_members(world), present) {
		if (member->marked == round)
			continue;
		member->marked = round;
		err = mark_process(roots, member);
		if (err)
			return err;
	}
	return 0;
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
	struct gc_reader *r = &roots->reader;
	struct gc_mutator *m;

	while (!r->err && (m = late_thread(roots->heap))) {
		if (!gc_reader_lock(r, m->mm))
			break;
		m->marked = m->round;
		if (!check_stable_address_space(m->mm)) {
			gc_elf_look_at_all(r, &roots->tls);
			mark_thread(roots, m);
		}
		gc_reader_unlock(r);
		gc_reader_go_on(r);
	}
	return r->err;
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
	int err;

	lockdep_assert_held(&heap->lock);
	mark_landing(roots);
	do {
		err = mark_members(roots);
		if (err)
			return err;
		err = mark_late_threads(roots);
		if (!err)
			err = gc_world_again(heap);
	} while (err > 0);
	return err ? err : forget_agings(roots);
}
