/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Marking while the program runs, module/collect.c and dirty.c in their own words.  Run
 * by scripts/model.sh.
 *
 * Two threads have an object X between them: in a register, or in one of two objects that
 * are always reachable, each on a page of its own.  One loads, stores and drops it; the
 * other one loads and drops it, has the kernel store it to a page that it has a reference
 * to, and unmaps pages.  The collector looks at both objects, and once more at those that
 * a look for what was written gives it; then it stops the threads, reads their registers,
 * looks for the last time, and is through.
 *
 * If X was garbage then, one of them may get a new one, as soon as all run on.  The next
 * collection is a minor one: both objects are old, and it looks at what was written to since
 * the last look of the first.
 *
 * A processor that stores sets the dirty bit of the page table's entry, unless it has
 * cached that it is set; the store itself comes later.  A flush makes it forget, and waits
 * for stores that are on their way.
 *
 * What must hold, as an assertion: in the end X is marked, if anybody has it.
 *
 * With one of these defined the protocol is broken, and Spin has to say so:
 *   NO_FLUSH       bits are cleared, and processors go on with what they have cached
 *   NO_LENT        pages that somebody has a reference to are as others
 *   LENT_ONCE      they are, once they have been given back
 *   LENT_EARLY     it is looked who has a reference only before the bits are cleared
 *   LENT_LATE      and only after that
 *   LENT_LAST      when the threads are held, it is looked for marks before that
 *   NO_MARKS       marks of pages are not looked at
 *   MARKS_LATE     marks are taken after the walk, while the program runs
 *   NO_LAST_LOOK   it is not looked for what was written when the threads are held
 *   ROOTS_EARLY    registers are read before the threads are held
 *   RECORD_DROPPED the minor one forgets what was written to before it began
 *   LENT_DROPPED   and what was lent when the first one ended
 */
#define PAGES		2
#define LOOKS		1

#if defined(NO_LENT) || defined(LENT_LATE)
#define EARLY		false
#else
#define EARLY		true
#endif
#if defined(NO_LENT) || defined(LENT_EARLY)
#define LATE		false
#else
#define LATE		true
#endif
#ifdef LENT_ONCE
#define AGAIN		false
#else
#define AGAIN		true
#endif

bool at[PAGES];			/* the object on the page has X */
bool has[2];		/* a register has X */

bool dirty[PAGES];		/* bit of the page table's entry */
bool cached[2 * PAGES];	/* a processor knows that it is set */
bool going[2];		/* a store is on its way */
bool table[PAGES];		/* lock of the page table */
bool mark_of[PAGES];		/* PG_dirty */
byte refs[PAGES];		/* references beside the heap's */
byte seen[PAGES];		/* the one taken last was there when it was looked for some */

bool storing_x;			/* what is stored by the one that is on its way */
bool stopped;
bool over;			/* the collector is through */
bool user[2];		/* in user mode, where a stop holds it */
bool fresh;			/* a new X may be made */
bool marked;			/* X is */
bool written[PAGES];
bool lent[PAGES];

inline flush(p)
{
	atomic { !going[0] -> cached[0 * PAGES + p] = false }
	atomic { !going[1] -> cached[1 * PAGES + p] = false }
}

/* By the processor, in two steps */
inline store(p, x)
{
	atomic {
		user[t] && !stopped ->
		storing_x = x;
		dirty[p] = dirty[p] || !cached[t * PAGES + p];
		cached[t * PAGES + p] = true;
		going[t] = true
	}
	atomic { at[p] = storing_x; going[t] = false }
}

/* madvise(MADV_DONTNEED): what was in the entry goes to the page. */
inline unmap(p)
{
	atomic { user[t] && !stopped -> user[t] = false }
	atomic { !table[p] -> table[p] = true }
	atomic { mark_of[p] = mark_of[p] || dirty[p]; dirty[p] = false }
	flush(p);
	table[p] = false;
	atomic { !stopped -> user[t] = true }
}

/* The kernel takes a reference for the thread, as for a buffer that is registered. */
inline refer(p)
{
	atomic { user[t] && !stopped && refs[p] == 0 -> refs[p] = 1; seen[p] = 0 }
}

/* By that it stores, while the thread keeps X. */
inline store_by_kernel(p)
{
	atomic { user[t] && !stopped -> user[t] = false }
	at[p] = true;
	atomic { !stopped -> user[t] = true }
}

/*
 * Before it gives the reference up it marks the page, or does not: but then it has had the
 * reference when it was looked for such.
 */
inline give_up(p)
{
	atomic { user[t] && !stopped -> user[t] = false }
	if
	:: mark_of[p] = true
	:: atomic { seen[p] > 0 -> skip }
	fi;
	refs[p] = 0;
	atomic { !stopped -> user[t] = true }
}

inline load_or_drop()
{
	if
	:: atomic { user[t] && !stopped && !has[t] && (at[0] || at[1]) -> has[t] = true }
	:: atomic { user[t] && !stopped && has[t] -> has[t] = false }
	:: atomic { !has[t] && !at[0] && !at[1] -> skip }
	fi
}

proctype storing()
{
	byte t = 0;

	do
	:: !over && (has[t] || at[0] || at[1]) -> load_or_drop()
	:: atomic { !over && fresh && user[t] && !stopped -> has[t] = true; fresh = false }
	:: !over && has[t] -> store(0, true)
	:: !over && at[0] -> store(0, false)
	:: !over && at[1] -> store(1, false)
	:: over -> break
	od
}

proctype calling()
{
	byte t = 1;

	do
	:: !over && (has[t] || at[0] || at[1]) -> load_or_drop()
	:: atomic { !over && fresh && user[t] && !stopped -> has[t] = true; fresh = false }
	:: !over -> unmap(0)
	:: !over && refs[0] == 0 -> refer(0)
	:: !over && has[t] && refs[0] > 0 -> store_by_kernel(0)
	:: !over && refs[0] > 0 -> give_up(0)
	:: over -> break
	od
}

inline look_at(p)
{
	atomic { marked = marked || at[p] }
}

inline take_mark(p)
{
#ifndef NO_MARKS
	atomic { written[p] = written[p] || mark_of[p]; mark_of[p] = false }
#else
	skip
#endif
}

/* @notes: whether what is lent is noted now */
inline note_lent(p, notes)
{
	atomic {
		if
		:: refs[p] > 0 ->
			seen[p] = 1;
			written[p] = written[p] || notes;
			lent[p] = lent[p] || (notes && AGAIN)
		:: else
		fi
	}
}

inline look_at_page(p)
{
#ifdef LENT_LAST
	take_mark(p);
	note_lent(p, LATE)
#else
	note_lent(p, LATE);
	take_mark(p)
#endif
}

inline clear(p)
{
	atomic { !table[p] -> table[p] = true }
	atomic { written[p] = written[p] || dirty[p]; cleared = cleared || dirty[p]; dirty[p] = false }
	table[p] = false
}

inline walk()
{
	cleared = false;
	clear(0);
	clear(1);
#ifndef NO_FLUSH
	if
	:: cleared -> flush(0); flush(1)
	:: else
	fi
#endif
}

inline look(still)
{
	atomic {
		written[0] = written[0] || lent[0];
		written[1] = written[1] || lent[1];
		lent[0] = false;
		lent[1] = false
	}
	if
	:: !still ->
		note_lent(0, EARLY); note_lent(1, EARLY);
#ifndef MARKS_LATE
		take_mark(0); take_mark(1)
#endif
	:: else
	fi;
	walk();
#ifdef MARKS_LATE
	take_mark(0); take_mark(1);
	note_lent(0, LATE); note_lent(1, LATE)
#else
	if
	:: still -> look_at_page(0); look_at_page(1)
	:: else -> note_lent(0, LATE); note_lent(1, LATE)
	fi
#endif
}

inline look_at_written()
{
	if
	:: written[0] -> written[0] = false; look_at(0)
	:: else
	fi;
	if
	:: written[1] -> written[1] = false; look_at(1)
	:: else
	fi
}

inline read_registers()
{
	atomic { marked = marked || has[0] || has[1] }
}

inline look_while_it_pays()
{
	looks = 0;
	do
	:: looks < LOOKS ->
		looks++;
		look(false);
		look_at_written()
	:: break
	od
}

inline last_pause()
{
#ifdef ROOTS_EARLY
	read_registers();
#endif
	stopped = true;
	/* A store that is on its way is over when a processor is interrupted. */
	(!going[0] && !going[1]);
#ifndef ROOTS_EARLY
	read_registers();
#endif
#ifndef NO_LAST_LOOK
	look(true);
	look_at_written();
#endif
	assert(marked || !(has[0] || has[1] || at[0] || at[1]))
}

inline full_one()
{
	look(false);
	atomic { written[0] = false; written[1] = false }
	if
	:: look_at(0); look_at(1)
	:: look_at(1); look_at(0)
	fi;
	look_while_it_pays();
	last_pause()
}

inline minor_one()
{
#ifdef LENT_DROPPED
	atomic { lent[0] = false; lent[1] = false }
#endif
	look(false);
#ifdef RECORD_DROPPED
	atomic { written[0] = false; written[1] = false }
#endif
	look_at_written();
	look_while_it_pays();
	last_pause()
}

proctype collector()
{
	byte looks;
	bool cleared;

	full_one();
	if
	:: !marked ->
		atomic { stopped = false; fresh = true };
		minor_one()
	:: else
	fi;
	atomic { stopped = false; fresh = false; over = true }
}

init
{
	atomic {
		user[0] = true;
		user[1] = true;
		if
		:: at[0] = true
		:: at[1] = true
		:: has[0] = true
		fi;
		run storing();
		run calling();
		run collector()
	}
}
