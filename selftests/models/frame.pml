/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How module/stack.c and module/regs.c read a thread that is held, while it goes
 * through a signal frame.  Run by scripts/model.sh.
 *
 * The thread has a root in a general and one in a vector register.  When a signal is
 * delivered the kernel writes both to a frame, and then changes the registers; with
 * the general ones goes the stack pointer, below the frame.  In sigreturn the stack
 * pointer and the general register come back in one step after the other, the vector
 * register last.  Vector registers are on the processor until the thread leaves it,
 * or is interrupted by the collector; only then are they in memory, where the
 * collector reads them.
 *
 * On its way out a thread runs its works, then may have a frame built, and looks for
 * works again.  It may be taken off the processor at any moment in the kernel.  What is
 * below the stack pointer may be overwritten as soon as the thread is in user mode.
 *
 * What must hold: while the world is still, no user instruction is executed, and the
 * collector finds both roots (the assertions).
 *
 * With one of these defined the reading is wrong, and Spin has to say so:
 *   NO_FRAMES      below the stack pointer of who is not parked it reads nothing
 *   STACK_FIRST    it reads the stack before the registers
 *   PARKED_EARLY   who is parked, and has not left the processor, is taken for at rest
 *   NO_SAVING      the interrupt does not write vector registers to memory
 */

/* Where the roots are; in_frame is for both */
bool general = true;
bool vector = true;		/* the processor's, or else what will be loaded */
bool memory;			/* where the kernel saves vector registers */
bool in_frame;
bool frame_used;		/* the frame is above the stack pointer */

bool user;
bool on_cpu = true;
bool held;			/* it waits in the work */
bool work;
bool stopped;
bool still;

/* schedule(), and whoever comes back has the same registers */
inline leave_processor()
{
	atomic { memory = vector; on_cpu = false }
	on_cpu = true
}

inline preemption()
{
	if
	:: leave_processor()
	:: skip
	fi
}

inline deliver()
{
	if
	:: atomic { !in_frame -> in_frame = true }
	   preemption();
	   general = false;
	   preemption();
	   frame_used = true;
	   preemption();
	   vector = false
	:: skip
	fi
}

inline sigreturn()
{
	frame_used = false;
	preemption();
	general = true;
	preemption();
	vector = true
}

inline run_work()
{
	do
	:: atomic { work && stopped -> work = false; held = true }
	   /* It is parked, and goes to sleep. */
	   atomic { memory = vector; on_cpu = false }
	   !stopped;
	   atomic { on_cpu = true; held = false }
	:: atomic { work && !stopped -> work = false }
	:: atomic { !work -> break }
	od
}

active proctype thread()
{
to_user:
	run_work();
	deliver();
	preemption();
	atomic {
		if
		:: work -> goto to_user
		:: else -> user = true; in_frame = in_frame && frame_used
		fi
	}
	do
	:: atomic { user -> assert(!still) }
	:: atomic { !user -> goto to_user }		/* interrupted */
	:: atomic { user -> user = false; goto to_user }
	:: atomic { user && frame_used -> user = false }
	   sigreturn();
	   goto to_user
	od
}

active proctype collector()
{
	bool rests, seen_general, seen_vector, seen_frame, used;

again:
	stopped = true;
	work = true;
	/* The interrupt, which comes to threads that are on a processor */
	atomic {
		user = false;
#ifndef NO_SAVING
		if
		:: on_cpu -> memory = vector
		:: else
		fi
#endif
	}
	still = true;
#ifdef STACK_FIRST
	seen_frame = in_frame;
#endif
#ifdef PARKED_EARLY
	rests = held;
#else
	atomic { rests = held && !on_cpu }
#endif
	seen_vector = memory;
	atomic { seen_general = general; used = frame_used }
#ifdef NO_FRAMES
	rests = true;
#endif
#ifndef STACK_FIRST
	seen_frame = in_frame;
#endif
	seen_frame = seen_frame && (used || !rests);
	assert(seen_frame || seen_general);
	assert(seen_frame || seen_vector);
	still = false;
	stopped = false;
	/* A stop waits for those whom the last one parked. */
	!held;
	goto again
}
