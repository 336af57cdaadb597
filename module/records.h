/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records: what the C library keeps of a thread, at and above its thread pointer.
 *
 * A record outlives its thread: a result waits there for pthread_join().  So the
 * thread pointer of each thread that is born in a member's address space is noted,
 * and the record counts as roots for as long as its memory is mapped and says that
 * it is one: x86-64's TLS ABI has a thread pointer point to itself.
 *
 * Owns: a table of thread pointers for each member.  Entering takes no lock and no
 * memory, as fork's probe does it: a place is taken with cmpxchg(), and only a
 * collection empties one.  So an address may be there twice, but is never lost.  A
 * larger table takes the place of one that is half full; what is entered in the old
 * one meanwhile is found there, until nobody can have it at hand any more, and then
 * moved.  Who finds no place leaves a sign that something is missing: from then on all
 * private memory of the address space counts.
 *
 * Lock order: gc_heap.lock for visits, then mmap_lock, then gc_records.merging; a visit
 * may drop mmap_lock and wait for it again, and for pages.  That is no circle: who else
 * takes gc_records.merging only tries, and waits for nothing while it has it.
 * gc_records.lock last.
 */
#ifndef GCHEAP_RECORDS_H
#define GCHEAP_RECORDS_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct gc_record_table - thread pointers, by hash
 * @older: the table before this one, NULL when all that it had is here
 * @size: length of @entries
 * @rcu: somebody may still enter something here when it goes
 * @entries: thread pointers, with RECORD_READ; 0 for a free place
 */
struct gc_record_table {
	struct gc_record_table *older;
	unsigned int size;
	struct rcu_head rcu;
	unsigned long entries[];
};

/*
 * What lies above the thread pointer: the C library's own record of the thread,
 * less than 3 KiB in glibc, and never more than its stack's last pages.
 */
#define THREAD_RECORD	8192UL

/* The thread was looked at in this collection, and its record with it. */
#define RECORD_READ	1UL

/**
 * struct gc_records - records of an address space
 * @table: thread pointers; NULL without memory
 * @merging: entries are moved from one table to another, or visited
 * @nr: how many about
 * @lock: guards the next two
 * @bytes: memory that the tables take
 * @total: where it is counted, or NULL
 * @incomplete: one could not be entered
 */
struct gc_records {
	struct gc_record_table __rcu *table;
	struct mutex merging;	/* moving of entries */
	unsigned int nr;
	spinlock_t lock;	/* bytes, total */
	size_t bytes;
	atomic_long_t *total;
	bool incomplete;
};

void gc_records_init(struct gc_records *records);
void gc_records_count(struct gc_records *records, atomic_long_t *total);
void gc_records_add(struct gc_records *records, unsigned long thread_pointer,
		    unsigned long mark);
void gc_records_begin(struct gc_records *records);
void gc_records_visit(struct gc_records *records,
		      unsigned long (*visit)(void *arg, unsigned long entry),
		      void *arg);
bool gc_records_crowded(const struct gc_records *records);
void gc_records_grow(struct gc_records *records);
void gc_records_destroy(struct gc_records *records);

#endif /* GCHEAP_RECORDS_H */
