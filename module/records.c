// SPDX-License-Identifier: GPL-2.0
/* Thread pointers of threads, dead or alive.  See records.h. */
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "records.h"

/* Places looked at for one address. */
#define PROBES		16U

/*
 * Each child of fork() has one.  Half of it is for threads that a program begins
 * between two looks at how many there are: at most collections, and whenever a thread
 * allocates for the first time.
 */
#define TABLE_MIN	SZ_8K

/* A member with more threads than fit has all its private memory searched. */
#define TABLE_MAX	SZ_512K

static size_t bytes_of(const struct gc_record_table *table)
{
	return struct_size(table, entries, table->size);
}

static struct gc_record_table *table_of(const struct gc_records *records)
{
	return rcu_dereference_check(records->table, 1);
}

/* Takes a place, or finds the one that it has.  Returns NULL when there is none. */
static unsigned long *take_place(struct gc_records *records,
				 unsigned long thread_pointer)
{
	struct gc_record_table *table = table_of(records);
	unsigned int i, first;

	if (!table)
		return NULL;
	first = reciprocal_scale(hash_long(thread_pointer, 32), table->size);
	for (i = 0; i < PROBES; i++) {
		unsigned long *entry =
			&table->entries[(first + i) % table->size];
		unsigned long there = READ_ONCE(*entry);

		if (!there) {
			there = cmpxchg(entry, 0, thread_pointer);
			if (!there)
				WRITE_ONCE(records->nr, records->nr + 1);
		}
		if (!there || (there & ~RECORD_READ) == thread_pointer)
			return entry;
	}
	return NULL;
}

/**
 * gc_records_add() - there is, or was, a thread
 * @records: of its address space
 * @thread_pointer: its thread pointer, 0 for none
 * @mark: RECORD_READ, by the collector only; or 0
 *
 * Context: any but NMI; RCU read lock or gc_heap.lock held.
 */
void gc_records_add(struct gc_records *records, unsigned long thread_pointer,
		    unsigned long mark)
{
	unsigned long *entry;

	/* Whatever is not aligned is no record. */
	if (!thread_pointer || thread_pointer % sizeof(long))
		return;
	entry = take_place(records, thread_pointer);
	if (!entry)
		WRITE_ONCE(records->incomplete, true);
	else if (mark)
		WRITE_ONCE(*entry, thread_pointer | mark);
}

/**
 * gc_records_visit() - walk over all thread pointers
 * @records: records
 * @visit: is called with each, and says what is to be in its place, 0 for nothing
 * @arg: first argument of @visit
 *
 * Context: may sleep; gc_heap.lock held.
 */
void gc_records_visit(struct gc_records *records,
		      unsigned long (*visit)(void *arg, unsigned long entry),
		      void *arg)
{
	struct gc_record_table *table;
	unsigned int i, nr = 0;

	for (table = table_of(records); table; table = table->older) {
		for (i = 0; i < table->size; i++) {
			unsigned long entry = READ_ONCE(table->entries[i]);

			if (!entry)
				continue;
			/* Places that are taken are the collector's alone. */
			entry = visit(arg, entry);
			WRITE_ONCE(table->entries[i], entry);
			nr += !!entry;
			cond_resched();
		}
	}
	WRITE_ONCE(records->nr, nr);
}

static unsigned long unread(void *arg, unsigned long entry)
{
	return entry & ~RECORD_READ;
}

/**
 * gc_records_begin() - no thread has been looked at yet
 * @records: records
 *
 * Context: may sleep; gc_heap.lock held.
 */
void gc_records_begin(struct gc_records *records)
{
	gc_records_visit(records, unread, NULL);
}

/* Nobody enters anything in the older table any more. */
static void merge_older(struct gc_records *records)
{
	struct gc_record_table *table = table_of(records);
	struct gc_record_table *older = table->older;
	unsigned int i;

	for (i = 0; i < older->size; i++)
		gc_records_add(records, older->entries[i] & ~RECORD_READ, 0);
	table->older = NULL;
	records->bytes -= bytes_of(older);
	kvfree(older);
}

/**
 * gc_records_reserve() - have room for as many threads again as there are
 * @records: records
 * @gfp: how to ask for memory; without any there is what room there was
 *
 * Context: as @gfp says; gc_heap.lock held, or nobody else has @records.
 */
void gc_records_reserve(struct gc_records *records, gfp_t gfp)
{
	struct gc_record_table *table, *old = table_of(records);
	size_t bytes = old ? bytes_of(old) * 2 : TABLE_MIN;

	if (old && old->older) {
		if (!poll_state_synchronize_rcu(old->grace))
			return;
		merge_older(records);
	}
	if ((old && READ_ONCE(records->nr) < old->size / 2) || bytes > TABLE_MAX)
		return;
	table = kvzalloc(bytes, gfp);
	if (!table)
		return;
	table->size = (bytes - sizeof(*table)) / sizeof(*table->entries);
	records->bytes += bytes;
	table->older = old;
	rcu_assign_pointer(records->table, table);
	/* Who had the old one at hand before has it until then. */
	table->grace = get_state_synchronize_rcu();
}

/**
 * gc_records_destroy() - forget all
 * @records: records of a member that nobody finds any more
 */
void gc_records_destroy(struct gc_records *records)
{
	struct gc_record_table *table = table_of(records), *older;

	for (; table; table = older) {
		older = table->older;
		kvfree_rcu(table, rcu);
	}
}
