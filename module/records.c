// SPDX-License-Identifier: GPL-2.0
/* Thread pointers of threads, dead or alive.  See records.h. */
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "gfp.h"
#include "records.h"

/* Places looked at for one address. */
#define PROBES		64U

/*
 * Each child of fork() has one.  Half of it is for threads that are born until there is
 * a larger one.
 */
#define TABLE_MIN	SZ_8K

/* A member with more threads than fit has all its private memory searched. */
#define TABLE_MAX	SZ_256K

static struct gc_record_table *table_of(const struct gc_records *records)
{
	return rcu_dereference_check(records->table, 1);
}

static size_t bytes_of(const struct gc_record_table *table)
{
	return struct_size(table, entries, table->size);
}

static void account(struct gc_records *records, long bytes)
{
	spin_lock(&records->lock);
	records->bytes += bytes;
	if (records->total)
		atomic_long_add(bytes, records->total);
	spin_unlock(&records->lock);
}

static void publish(struct gc_records *records, struct gc_record_table *older,
		    size_t bytes)
{
	struct gc_record_table *table = kvzalloc(bytes, GC_GFP);

	if (!table)
		return;
	table->size = (bytes - sizeof(*table)) / sizeof(*table->entries);
	table->older = older;
	rcu_assign_pointer(records->table, table);
	account(records, bytes);
}

/**
 * gc_records_init() - records of no thread yet
 * @records: to be initialised; without memory it has no table
 *
 * Context: may sleep.
 */
void gc_records_init(struct gc_records *records)
{
	mutex_init(&records->merging);
	spin_lock_init(&records->lock);
	publish(records, NULL, TABLE_MIN);
}

/**
 * gc_records_count() - have the memory counted
 * @records: records
 * @total: where, from now on; NULL for nowhere
 *
 * Context: may sleep.
 */
void gc_records_count(struct gc_records *records, atomic_long_t *total)
{
	spin_lock(&records->lock);
	if (records->total)
		atomic_long_sub(records->bytes, records->total);
	records->total = total;
	if (total)
		atomic_long_add(records->bytes, total);
	spin_unlock(&records->lock);
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
 * Context: any but NMI; RCU read lock held, or gc_records.merging.
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

	mutex_lock(&records->merging);
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
	mutex_unlock(&records->merging);
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

/**
 * gc_records_crowded() - whether it is time for a larger table
 * @records: records
 *
 * Context: any; RCU read lock held.
 *
 * Return: true when less than half of it is left for threads to come, or entries of an
 * older one have yet to be moved.
 */
bool gc_records_crowded(const struct gc_records *records)
{
	const struct gc_record_table *table = table_of(records);

	return !table || READ_ONCE(table->older) ||
	       (READ_ONCE(records->nr) >= table->size / 2 &&
		bytes_of(table) < TABLE_MAX);
}

/*
 * Nobody enters anything in the older table any more.  A visit may take long, and at a
 * user's will: it is not waited for, as works of others may be next.
 */
static void merge_older(struct gc_records *records)
{
	struct gc_record_table *table = table_of(records);
	struct gc_record_table *older = table->older;
	unsigned int i;

	if (!mutex_trylock(&records->merging))
		return;
	for (i = 0; i < older->size; i++)
		gc_records_add(records, older->entries[i] & ~RECORD_READ, 0);
	WRITE_ONCE(table->older, NULL);
	mutex_unlock(&records->merging);
	account(records, -(long)bytes_of(older));
	kvfree(older);
}

/**
 * gc_records_grow() - have a larger table, if it can be had
 * @records: records; nobody else has them grow meanwhile
 *
 * It may take another call to move all entries into it.
 *
 * Context: may sleep.
 */
void gc_records_grow(struct gc_records *records)
{
	struct gc_record_table *table = table_of(records);

	if (!table)
		publish(records, NULL, TABLE_MIN);
	else if (!table->older)
		publish(records, table, bytes_of(table) * 2);
	table = table_of(records);
	if (!table || !table->older)
		return;
	/* Until then there may be who has the old one at hand. */
	synchronize_rcu();
	merge_older(records);
}

/**
 * gc_records_destroy() - forget all
 * @records: records of a member that nobody finds any more, nor has grow
 */
void gc_records_destroy(struct gc_records *records)
{
	struct gc_record_table *table = table_of(records);

	if (!table)
		return;
	if (table->older)
		kvfree_rcu(table->older, rcu);
	kvfree_rcu(table, rcu);
}
