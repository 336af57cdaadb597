/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The protocol of module/stop.c, in its own words: stop, park, birth, exit, kill,
 * two collectors.  Run by scripts/model.sh.
 *
 * The last thread is born by a clone() of the first.  A thread is in user mode or
 * in the kernel; on its way out it runs its works, and once more
 * looks for some with interrupts off.  It may enter the kernel at any time, which
 * is a system call, a fault, or the interrupt that the collector sends.  It may be
 * taken off its processor there, and has to be loaded again before it looks for works
 * for the last time; the collector interrupts only where it saw one loaded.  Anybody
 * may be killed; who is killed executes no more user instruction.  A collector
 * holds the heap's lock from the beginning to the end; it, too, may be killed, or
 * give up, in the middle.  One of the two collects again and again.
 *
 * What must hold:
 *   - while the world is still, no user instruction is executed (the assertion),
 *   - who is parked gets to user mode some time, however many collections there
 *     are, and collections end (the formulas),
 *   - nobody waits for ever (Spin's own search for invalid end states).
 *
 * With one of these defined the protocol is broken, and Spin has to say so:
 *   NO_PROBE       children are not caught when they are born
 *   NO_INTERRUPT   it does not wait until threads have left user mode
 *   EARLY_MASK     it looks where threads may run before it has queued their works
 *   LATE_FREE      a work looks at the world first, and says FREE afterwards
 *   NO_WAKING      starting the world does not wake those who are parked
 *   NO_SETTLING    a stop does not wait for those whom the last one parked
 *
 * In the module settling is bounded, and the last who leaves has some time to get to
 * user mode; here he is counted until he is there.
 */
#ifndef THREADS
#define THREADS		2
#endif
#define CHILD		(THREADS - 1)

mtype = { UNBORN, USER, KERNEL, PARK, GONE };	/* where a thread is */
mtype = { FREE, QUEUED, PARKED };		/* enum gc_hold */

mtype place[THREADS];
mtype hold[THREADS];
bool work[THREADS];		/* mutator_work() is queued */
bool newborn[THREADS];		/* newborn_work() is queued */
bool listed[THREADS];		/* the collector can find the thread */
bool killed[THREADS];
bool exiting[THREADS];		/* task_work_add() fails */
bool seen[THREADS];		/* gc_mutator.round is that of the stop */
bool parked[THREADS];		/* counts in gc_world.parked */
bool loaded[THREADS];		/* its processor is in mm_cpumask() */
bool aimed[THREADS];		/* gc_world.cpus */

bool locked;			/* gc_heap.lock */
bool stopped;			/* gc_world.stopped */
bool wake[THREADS];		/* somebody has called wake_up_all() since it slept */
bool still;			/* gc_world_stop() has returned */

#define ANY_PARKED	(parked[0] || parked[1] || parked[CHILD])
#define HOLDS(t)	(stopped && !killed[t] && !exiting[t])

/* wait_event_killable(world->wait, !stopped) */
inline park(t)
{
	do
	:: atomic { !HOLDS(t) -> break }
	:: atomic {
		HOLDS(t) -> wake[t] = false;
		parked[t] = true;
		place[t] = PARK
	   }
	   atomic {
		(wake[t] || killed[t]) -> place[t] = KERNEL
	   }
	od
}

inline mutator_work(t)
{
	do
#ifdef LATE_FREE
	:: held = HOLDS(t);
	   hold[t] = (held -> PARKED : FREE);
#else
	:: atomic {
		held = HOLDS(t);
		hold[t] = (held -> PARKED : FREE)
	   }
#endif
	   if
	   :: held -> park(t)
	   :: else -> break
	   fi
	od
}

/* task_work_run() */
inline run_works(t)
{
	do
	:: atomic { newborn[t] -> newborn[t] = false }
	   park(t)
	:: atomic { work[t] -> work[t] = false }
	   mutator_work(t)
	:: atomic { !newborn[t] && !work[t] -> break }
	od
}

inline probe_fork()
{
#ifdef NO_PROBE
	skip
#else
	if
	:: atomic { stopped -> newborn[CHILD] = true }
	:: atomic { !stopped -> skip }
	fi
#endif
}

proctype thread(byte t)
{
	bool held, has_cloned;

to_user:
	if
	:: loaded[t] = false
	:: skip
	fi;
	run_works(t);
	loaded[t] = true;
	atomic {
		if
		:: work[t] || newborn[t] -> goto to_user
		:: else ->
			if
			:: killed[t] -> goto leave
			:: else -> place[t] = USER; parked[t] = false
			fi
		fi
	}
	do
	:: atomic { place[t] == USER -> assert(!still) }
	:: atomic { place[t] == KERNEL -> goto to_user }	/* interrupted */
	:: atomic { place[t] == USER -> place[t] = KERNEL; goto to_user }
	:: atomic { place[t] == USER -> place[t] = KERNEL; goto leave }
	:: atomic {
		place[t] == USER && t == 0 && !has_cloned ->
			has_cloned = true;
			place[t] = KERNEL
	   }
	   atomic { listed[CHILD] = true; place[CHILD] = KERNEL }
	   probe_fork();
	   run thread(CHILD);
	   goto to_user
	od;
leave:
	/* do_exit(): PF_EXITING, and works that are queued run for the last time. */
	run_works(t);
	atomic {
		if
		:: work[t] || newborn[t] -> goto leave
		:: else -> exiting[t] = true; listed[t] = false;
			parked[t] = false; place[t] = GONE
		fi
	}
}

/* mutator_hold(), under the mutator's lock */
inline catch_thread(t)
{
	if
	:: listed[t] && !exiting[t] && !seen[t] ->
		seen[t] = true;
		found = true;
		if
		:: hold[t] == FREE -> hold[t] = QUEUED; work[t] = true
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* choose_cpus() */
inline choose()
{
	i = 0;
	do
	:: atomic { i < THREADS -> aimed[i] = loaded[i]; i++ }
	:: atomic { i == THREADS -> i = 0; break }
	od
}

/* Whoever is in user mode is in the kernel for a moment. */
inline interrupt_members()
{
#ifdef NO_INTERRUPT
	skip
#else
#ifndef EARLY_MASK
	choose();
#endif
	i = 0;
	do
	:: atomic { i < THREADS && place[i] == USER && aimed[i] ->
		place[i] = KERNEL; i++
	   }
	:: atomic { i < THREADS && !(place[i] == USER && aimed[i]) -> i++ }
	:: atomic { i == THREADS -> break }
	od
#endif
}

/* gc_world_again() */
inline look()
{
	do
	:: found = false;
#ifdef EARLY_MASK
	   choose();
#endif
	   i = 0;
	   do
	   :: atomic { i < THREADS -> catch_thread(i); i++ }
	   :: atomic { i == THREADS -> break }
	   od;
	   if
	   :: found -> interrupt_members()
	   :: else -> break
	   fi
	od
}

inline wake_up_all()
{
#ifdef NO_WAKING
	skip
#else
	atomic {
		wake[0] = true;
		wake[1] = true;
		wake[CHILD] = true
	}
#endif
}

/* gc_world_settle() */
inline settle()
{
#ifdef NO_SETTLING
	skip
#else
	!ANY_PARKED
#endif
}

proctype collector(bool again)
{
	bool found;
	byte i;

collect:
	atomic { !locked -> locked = true }
	settle();
	atomic {
		stopped = true;
		for (i : 0 .. THREADS - 1) {
			seen[i] = false
		}
	}
	look();
	if
	:: still = true;
	   /* Marking; and those who were born meanwhile */
	   look();
	   still = false
	:: skip		/* killed, or out of memory or patience */
	fi;
	stopped = false;
	wake_up_all();
	locked = false;
	if
	:: again -> goto collect
	:: !again -> skip
	fi
}

proctype killer()
{
	if
	:: killed[0] = true
	:: killed[CHILD] = true
	:: skip
	fi
}

init {
	byte i;

	atomic {
		for (i : 0 .. THREADS - 1) {
			hold[i] = FREE;
			place[i] = UNBORN
		}
		for (i : 0 .. THREADS - 2) {
			place[i] = KERNEL;
			listed[i] = true;
			run thread(i)
		}
		run collector(true);
		run collector(false);
		run killer()
	}
}

#define RUNS(t)		(place[t] == USER || place[t] == GONE)

ltl parked_go_on {
	[] ((place[0] == PARK -> <> RUNS(0)) &&
	    (place[CHILD] == PARK -> <> RUNS(CHILD)))
}

ltl collections_end { [] (stopped -> <> !stopped) }
