/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recall of slabs, module/owned.c and mutator.c in their own words, on the ground of
 * stop.pml.  Run by scripts/model.sh.
 *
 * A thread is in user mode or in the kernel, where it may stay; on its way out it runs
 * its work.  It gets slabs by a REFILL, for which it needs the heap's lock, and notes in
 * its own memory that it has them, until it is told that it has none.  The collector
 * holds the threads, takes slabs from some, and lets all go, again and again.
 *
 * What must hold, as assertions: while the world is still, no user instruction is
 * executed; and none by a thread that believes it has slabs which were recalled.
 *
 * With one of these defined the protocol is broken, and Spin has to say so:
 *   BUSY_RECALL    slabs are taken from who handles its slabs just then, too
 *   PARKED_ONLY    who was held, but has not parked, is not told
 *   TOLD_FIRST     a work tells first, and looks at the world then
 */
#define THREADS		2

mtype = { USER, KERNEL, PARK };			/* where a thread is */
mtype = { FREE, QUEUED, PARKED };		/* enum gc_hold */
mtype = { HAS, ASKS, BROUGHT, NOTED };		/* where it is in a REFILL */

mtype place[THREADS];
mtype hold[THREADS];
mtype refill[THREADS];
bool work[THREADS];		/* mutator_work() is queued */
bool busy[THREADS];		/* gcheap_cache.busy */
bool owns[THREADS];		/* it has slabs */
bool believes[THREADS];		/* its memory says so */
bool recalled[THREADS];		/* gc_mutator.recall */

bool locked;			/* gc_heap.lock */
bool stopped;			/* gc_world.stopped */
bool still;			/* gc_world_stop() has returned */

/* gc_mutator_obey(): what is to be told is taken first, and then written. */
inline obey(t)
{
	if
	:: atomic { recalled[t] -> recalled[t] = false }
	   believes[t] = false
	:: atomic { !recalled[t] -> skip }
	fi
}

inline mutator_work(t)
{
	has_parked = false;
#ifdef TOLD_FIRST
	obey(t);
#endif
	do
	:: atomic {
		held = stopped;
		hold[t] = (held -> PARKED : FREE)
	   }
	   if
	   :: held ->
		has_parked = true;
		place[t] = PARK;
		atomic { !stopped -> place[t] = KERNEL }
	   :: else -> break
	   fi
	od;
#ifndef TOLD_FIRST
	if
#ifdef PARKED_ONLY
	:: !has_parked -> skip
#endif
	:: else -> obey(t)
	fi
#endif
}

/* A user instruction that does not break what must hold */
inline instruction(t)
{
	assert(!still);
	assert(owns[t] || !believes[t])
}

proctype thread(byte t)
{
	bool held, has_parked;

to_user:
	do
	:: atomic { work[t] -> work[t] = false }
	   mutator_work(t)
	:: atomic { !work[t] -> place[t] = USER; break }
	od;
	do
	:: atomic { place[t] == KERNEL -> goto to_user }	/* interrupted */
	:: atomic { place[t] == USER -> instruction(t); place[t] = KERNEL; goto to_user }
	:: atomic {
		place[t] == USER && refill[t] == HAS && !believes[t] ->
			instruction(t);
			busy[t] = true;
			refill[t] = ASKS
	   }
	:: atomic {
		place[t] == USER && refill[t] == ASKS ->
			instruction(t);
			place[t] = KERNEL;
	   }
	   atomic { !locked -> owns[t] = true; refill[t] = BROUGHT; goto to_user }
	:: atomic {
		place[t] == USER && refill[t] == BROUGHT ->
			believes[t] = true;
			instruction(t);
			refill[t] = NOTED
	   }
	:: atomic {
		place[t] == USER && refill[t] == NOTED ->
			instruction(t);
			busy[t] = false;
			refill[t] = HAS
	   }
	od
}

/* mutator_hold(), under the mutator's lock */
inline catch_threads()
{
	for (i : 0 .. THREADS - 1) {
		if
		:: atomic { hold[i] == FREE -> hold[i] = QUEUED; work[i] = true }
		:: atomic { hold[i] != FREE -> skip }
		fi
	}
}

inline interrupt_threads()
{
	for (i : 0 .. THREADS - 1) {
		if
		:: atomic { place[i] == USER -> place[i] = KERNEL }
		:: atomic { place[i] != USER -> skip }
		fi
	}
}

#ifdef BUSY_RECALL
#define IDLE(t)		true
#else
#define IDLE(t)		(!busy[t])
#endif

/* gc_mutator_recall(), under the mutator's lock.  All are held that can run again. */
inline recall()
{
	for (i : 0 .. THREADS - 1) {
		atomic {
			if
			:: owns[i] && IDLE(i) ->
				owns[i] = false;
				recalled[i] = true
			:: skip
			fi
		}
	}
}

proctype collector()
{
	byte i;

collect:
	locked = true;
	stopped = true;
	catch_threads();
	interrupt_threads();
	still = true;
	recall();
	still = false;
	stopped = false;
	locked = false;
	goto collect
}

init {
	byte i;

	atomic {
		for (i : 0 .. THREADS - 1) {
			place[i] = KERNEL;
			hold[i] = FREE;
			refill[i] = HAS;
			run thread(i)
		}
		run collector()
	}
}
