// SPDX-License-Identifier: GPL-2.0
/*
 * The stacks of a thread: the one that its stack pointer is in, the one that it began
 * with, and those that signal frames lead to.
 *
 * A handler on an alternate stack has interrupted code on another one, be it a
 * coroutine's.  Where, is said by the frame that the kernel has put on the alternate
 * stack.  So all stacks are looked through for frames, and what they name is a stack of
 * the thread, too.  Frames that are left over on a stack's unused part are as good as
 * any other: at worst they keep some garbage.
 *
 * A thread that is not parked may be anywhere in the kernel, also on its way through a
 * frame.  In sigreturn its stack pointer is the old one again while other registers, the
 * vector state last of all, are yet in the frame, which then is below the stack
 * pointer or on the alternate stack.  When a signal is delivered the frame is
 * complete before the first register is overwritten.  So registers are read first,
 * and then all frames that there are at these places.  Who has a queued task work goes
 * through one frame at most: the work is run before the next one is built.
 * selftests/models/frame.pml says the same to Spin.
 *
 * Which stacks coroutines have that do not run, only the program knows.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "gfp.h"
#include "heap.h"
#include "records.h"
#include "stack.h"

/* Stacks that there is room for at first, without more memory: a page */
#define SPANS_MIN	(PAGE_SIZE / sizeof(struct gc_span))

/**
 * gc_stacks_init() - stacks of no thread yet
 * @stacks: to be initialised
 * @r: reads them
 *
 * Return: 0 or -ENOMEM.
 */
int gc_stacks_init(struct gc_stacks *stacks, struct gc_reader *r)
{
	*stacks = (struct gc_stacks) { .r = r, .capacity = SPANS_MIN };
	stacks->spans = kvmalloc_array(SPANS_MIN, sizeof(*stacks->spans), GC_GFP);
	return stacks->spans ? 0 : -ENOMEM;
}

/**
 * gc_stacks_destroy() - undo gc_stacks_init()
 * @stacks: stacks
 */
void gc_stacks_destroy(struct gc_stacks *stacks)
{
	kvfree(stacks->spans);
}

static bool grow(struct gc_stacks *stacks)
{
	unsigned int capacity = 2 * stacks->capacity;
	struct gc_span *spans = kvmalloc_array(capacity, sizeof(*spans), GC_GFP);

	if (!spans) {
		stacks->r->err = -ENOMEM;
		return false;
	}
	memcpy(spans, stacks->spans, stacks->nr * sizeof(*spans));
	kvfree(stacks->spans);
	stacks->spans = spans;
	stacks->capacity = capacity;
	return true;
}

/* The span of the list that an address is in, or else none. */
static const struct gc_span *span_with(const struct gc_stacks *stacks,
				       unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < stacks->nr; i++)
		if (gc_span_holds(&stacks->spans[i], addr))
			return &stacks->spans[i];
	return NULL;
}

/* Where, from @start on, the list has the next span, or @end. */
static unsigned long next_span(const struct gc_stacks *stacks,
			       unsigned long start, unsigned long end)
{
	unsigned int i;

	for (i = 0; i < stacks->nr; i++)
		if (stacks->spans[i].start > start)
			end = min(end, stacks->spans[i].start);
	return end;
}

/* Add what is in none of the list. */
static void add(struct gc_stacks *stacks, struct gc_span span)
{
	const struct gc_span *old;
	unsigned long end;

	for (; span.start < span.end && gc_reader_go_on(stacks->r);
	     span.start = end) {
		old = span_with(stacks, span.start);
		if (old) {
			end = old->end;
			continue;
		}
		end = next_span(stacks, span.start, span.end);
		if (stacks->nr < stacks->capacity || grow(stacks))
			stacks->spans[stacks->nr++] =
				(struct gc_span) { span.start, end };
	}
}

static bool is_stack_memory(const struct vm_area_struct *vma)
{
	return !vma->vm_file && vma->vm_flags & (VM_READ | VM_WRITE) &&
	       !(vma->vm_flags & (VM_SHARED | VM_IO | VM_PFNMAP));
}

/*
 * Where the mappings end that follow each other from @vma on.  mlock(), madvise() and
 * the like make several mappings of a stack; those are known by their common anon_vma.
 */
static unsigned long run_end(const struct gc_stacks *stacks,
			     const struct vm_area_struct *vma, bool common)
{
	unsigned long end = vma->vm_end;
	const struct vm_area_struct *next;

	for (;;) {
		next = gc_reader_vma(stacks->r, end);
		if (!next || next->vm_start != end || !is_stack_memory(next) ||
		    (common && next->anon_vma != vma->anon_vma))
			return end;
		end = next->vm_end;
	}
}

/* Where the pieces begin of what was one mapping once. */
static unsigned long run_start(const struct gc_stacks *stacks,
			       const struct vm_area_struct *vma)
{
	unsigned long start = vma->vm_start;
	const struct vm_area_struct *last;

	for (;;) {
		last = gc_reader_vma(stacks->r, start - 1);
		if (!last || last->vm_end != start || !is_stack_memory(last) ||
		    last->anon_vma != vma->anon_vma)
			return start;
		start = last->vm_start;
	}
}

/*
 * Up to where a stack may go.  The C library puts the thread's record on top of
 * the stack that it maps for a thread; what follows is not this thread's, when
 * the kernel has merged neighbouring mappings.
 */
static unsigned long stack_end(const struct gc_stacks *stacks,
			       const struct vm_area_struct *vma,
			       unsigned long sp)
{
	unsigned long thread_pointer = stacks->thread_pointer;
	unsigned long end = run_end(stacks, vma, false);

	if (vma->vm_flags & VM_GROWSDOWN)
		return end;
	if (thread_pointer >= sp && thread_pointer < end)
		return min(end, thread_pointer + THREAD_RECORD);
	return run_end(stacks, vma, true);
}

/* The object of the heap that an address is in; nothing if there is none. */
static struct gc_span object_with(const struct gc_stacks *stacks,
				  unsigned long addr)
{
	struct gc_heap *heap = stacks->r->heap;
	struct gc_slab *slab;
	unsigned long start;
	u32 index;

	slab = gc_slab_find(&heap->slabs, addr - heap->base, &index);
	if (!slab)
		return (struct gc_span) {};
	start = heap->base + slab->offset + index * slab->object_size;
	return (struct gc_span) { start, start + slab->object_size };
}

/*
 * In the heap, a stack ends with its object.  The stack pointer has the object marked,
 * but ends of others count on a stack only, and there may be signal frames; and while
 * a thread runs on it, also what was allocated without pointers has some.
 */
static struct gc_span stack_in_heap(const struct gc_stacks *stacks,
				    unsigned long low, unsigned long sp)
{
	struct gc_span object = object_with(stacks, sp);

	return (struct gc_span) { low, max(object.end, sp) };
}

/*
 * What a stack pointer says to be in use; nothing when it points nowhere.  An empty
 * stack ends where it points to, and may have another mapping behind it, or one below
 * the red zone.
 */
static struct gc_span stack_of(struct gc_stacks *stacks, unsigned long sp)
{
	unsigned long low = sp - min(sp, FRAME_RED_ZONE);
	struct vm_area_struct *vma = gc_reader_vma(stacks->r, sp);

	if (!gc_vma_holds(vma, sp))
		vma = gc_reader_vma(stacks->r, low);
	if (!gc_vma_holds(vma, sp) && !gc_vma_holds(vma, low))
		return (struct gc_span) {};
	if (vma == stacks->r->heap_vma)
		return stack_in_heap(stacks, low, sp);
	return (struct gc_span) { low, stack_end(stacks, vma, low) };
}

/* A word of a stack that has been read. */
static bool read_word(struct gc_stacks *stacks, unsigned long addr,
		      unsigned long *word)
{
	struct gc_reader *r = stacks->r;
	unsigned long *in_heap;

	if (!gc_vma_holds(gc_reader_vma(r, addr), addr))
		return false;
	if (!gc_vma_holds(r->heap_vma, addr))
		return gc_reader_read(r, addr, word, sizeof(*word));
	in_heap = gc_reader_heap_address(r, addr);
	if (!in_heap)
		return false;
	*word = READ_ONCE(*in_heap);
	return true;
}

/* The stack that was in use when a signal came. */
static void follow(struct gc_stacks *stacks, unsigned long magic)
{
	unsigned long sp;

	if (!read_word(stacks, gc_frame_sp(magic), &sp))
		return;
	/* In the heap, it is what keeps the object. */
	stacks->r->words(stacks->r, &sp, 1);
	add(stacks, stack_of(stacks, sp));
}

/*
 * Read the next part of a stack; afterwards @found tells of the frames there.  Returns
 * where to go on.
 */
static unsigned long read_part(struct gc_stacks *stacks, unsigned long start,
			       unsigned long end)
{
	unsigned long next;

	if (gc_vma_holds(stacks->r->heap_vma, start))
		end = min(end, start + STACK_PART / 2);
	bitmap_zero(stacks->found, STACK_MAGICS);
	stacks->part = 0;
	stacks->reading = true;
	next = gc_reader_some(stacks->r, start, end);
	stacks->reading = false;
	return next;
}

static void read_stack(struct gc_stacks *stacks, struct gc_span span)
{
	unsigned long i;

	while (span.start < span.end && gc_reader_go_on(stacks->r)) {
		span.start = read_part(stacks, span.start, span.end);
		for_each_set_bit(i, stacks->found, STACK_MAGICS)
			follow(stacks, stacks->part + i * FRAME_ALIGN);
	}
}

/* All of a frame, but not where it leads to. */
static void read_frame(struct gc_stacks *stacks, unsigned long magic)
{
	struct gc_span frame = gc_frame_span(magic);

	stacks->frames_only = false;
	while (frame.start < frame.end && gc_reader_go_on(stacks->r))
		frame.start = read_part(stacks, frame.start, frame.end);
	stacks->frames_only = true;
}

static void read_frames(struct gc_stacks *stacks, struct gc_span span)
{
	DECLARE_BITMAP(found, STACK_MAGICS);
	unsigned long part, i;

	stacks->frames_only = true;
	while (span.start < span.end && gc_reader_go_on(stacks->r)) {
		span.start = read_part(stacks, span.start, span.end);
		bitmap_copy(found, stacks->found, STACK_MAGICS);
		part = stacks->part;
		for_each_set_bit(i, found, STACK_MAGICS)
			read_frame(stacks, part + i * FRAME_ALIGN);
	}
	stacks->frames_only = false;
}

/**
 * gc_stacks_take() - be given words of memory that is read
 * @stacks: stacks of the thread whose roots are being looked for
 * @words: words; their address is @stacks->r->at
 * @nr: their number
 *
 * Context: does not sleep.
 *
 * Return: true when they are roots.
 */
bool gc_stacks_take(struct gc_stacks *stacks, const unsigned long *words,
		    size_t nr)
{
	size_t offset;

	if (!stacks->reading)
		return true;
	if (!stacks->part)
		stacks->part = round_down(stacks->r->at, FRAME_ALIGN);
	offset = stacks->r->at - stacks->part;
	if (offset < STACK_PART)
		gc_frames_note(stacks->found, offset, words,
			       min(nr, (STACK_PART - offset) / sizeof(long)));
	return !stacks->frames_only;
}

static const struct gc_span *alternate_with(const struct gc_regs *regs,
					    unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs->alternate); i++)
		if (gc_span_holds(&regs->alternate[i], addr))
			return &regs->alternate[i];
	return NULL;
}

/* The stack that a thread began with, up to where it may go; empty if that is gone. */
static struct gc_span first_stack(struct gc_stacks *stacks, unsigned long in)
{
	struct vm_area_struct *vma = gc_reader_vma(stacks->r, in);
	unsigned long start;

	if (!gc_vma_holds(vma, in))
		return (struct gc_span) {};
	if (vma == stacks->r->heap_vma)
		return object_with(stacks, in);
	start = run_start(stacks, vma);
	return (struct gc_span) { start, stack_end(stacks, vma, start) };
}

/*
 * A thread whose stack pointer is not in the stack that it began with (a signal
 * handler on an alternate stack, a coroutine) has left frames there, nobody
 * knows how deep: all of that stack counts.
 */
static bool add_unless_on(struct gc_stacks *stacks, const struct gc_regs *regs,
			  unsigned long low, unsigned long in,
			  unsigned long top)
{
	struct gc_span span = first_stack(stacks, in);

	if (gc_span_holds(&span, low) && low <= top &&
	    !alternate_with(regs, low))
		return true;
	add(stacks, span);
	return false;
}

/*
 * A leader has begun with the program's stack; or, in the child of a fork() by another
 * thread, with the one that its thread pointer is on.  What else is there, of who has
 * executed a program since, may be any memory.  Another stack may have been merged with
 * a thread's, from above.
 */
static void add_first(struct gc_stacks *stacks, struct task_struct *task,
		      const struct gc_regs *regs, unsigned long low)
{
	unsigned long start = READ_ONCE(stacks->r->mm->start_stack);
	unsigned long thread_pointer = regs->thread_pointer;

	if (thread_group_leader(task) &&
	    (add_unless_on(stacks, regs, low, start, ULONG_MAX) ||
	     !(READ_ONCE(task->flags) & PF_FORKNOEXEC)))
		return;
	add_unless_on(stacks, regs, low, thread_pointer, thread_pointer);
}

/*
 * A handler may be on its alternate stack while the stack pointer is not: it has gone
 * over to a coroutine, be its stack a part of the thread's first one, or merged with
 * it; or the thread is on its way through a frame.  What earlier handlers have left
 * there cannot be told from that.
 */
static void add_alternates(struct gc_stacks *stacks, const struct gc_regs *regs)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs->alternate); i++)
		add(stacks, regs->alternate[i]);
}

static void read_all(struct gc_stacks *stacks)
{
	unsigned int i;

	for (i = 0; i < stacks->nr && gc_reader_go_on(stacks->r); i++)
		read_stack(stacks, stacks->spans[i]);
}

/**
 * gc_stacks_mark() - give the words of all stacks of a thread
 * @stacks: its list is made anew
 * @regs: the thread's registers, read before
 * @task: the thread
 *
 * Context: may sleep; mmap_lock of its process held, as reader.h says.
 *
 * Return: the part of the stack in use that has been read; empty for none.
 */
struct gc_span gc_stacks_mark(struct gc_stacks *stacks,
			      const struct gc_regs *regs,
			      struct task_struct *task)
{
	unsigned long low = regs->sp - min(regs->sp, FRAME_RED_ZONE);
	const struct gc_span *alternate = alternate_with(regs, low);
	struct gc_span own;

	stacks->nr = 0;
	stacks->thread_pointer = regs->thread_pointer;
	own = stack_of(stacks, regs->sp);
	if (own.start == own.end && alternate)
		own = (struct gc_span) { low, alternate->end };
	add(stacks, own);
	if (!regs->exact)
		read_frames(stacks, (struct gc_span) {
			low - min(low, gc_frame_room()), low,
		});
	add_first(stacks, task, regs, low);
	add_alternates(stacks, regs);
	read_all(stacks);
	return own;
}
