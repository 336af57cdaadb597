// SPDX-License-Identifier: GPL-2.0
/* A hash table that grows and shrinks bucket by bucket.  See table.h. */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "gfp.h"
#include "table.h"

#define PAGE_BUCKETS	(PAGE_SIZE / sizeof(struct gc_entry *))

/* Pages of buckets that there is room for at first */
#define ROOM_MIN	8UL

/* With fewer entries than this part of its buckets a table shrinks. */
#define SPARE_PART	4

static struct gc_entry **bucket_at(const struct gc_table *table, unsigned long i)
{
	return &table->pages[i / PAGE_BUCKETS][i % PAGE_BUCKETS];
}

/* Where a hash belongs when there are so many buckets, at least one */
static unsigned long place(u64 hash, unsigned long buckets)
{
	unsigned long round = roundup_pow_of_two(buckets), i = hash & (round - 1);

	return i < buckets ? i : i - round / 2;
}

static struct gc_entry **bucket_of(const struct gc_table *table, unsigned long key)
{
	return bucket_at(table, place(siphash_1u64(key, &table->secret), table->buckets));
}

static bool make_room(struct gc_table *table)
{
	unsigned long room = max(2 * table->room, ROOM_MIN);
	struct gc_entry ***pages = kvcalloc(room, sizeof(*pages), GC_GFP);

	if (!pages)
		return false;
	if (table->room)
		memcpy(pages, table->pages, table->room * sizeof(*pages));
	kvfree(table->pages);
	table->pages = pages;
	table->room = room;
	return true;
}

static bool add_page(struct gc_table *table)
{
	unsigned long i = table->buckets / PAGE_BUCKETS;

	if (i == table->room && !make_room(table))
		return false;
	table->pages[i] = (struct gc_entry **)get_zeroed_page(GC_GFP);
	return table->pages[i];
}

static void drop_page(struct gc_table *table, unsigned long i)
{
	free_page((unsigned long)table->pages[i]);
	table->pages[i] = NULL;
}

/* Of the bucket that the new one's entries were in so far, those stay that belong there. */
static void split(struct gc_table *table)
{
	unsigned long new = table->buckets, old = new - rounddown_pow_of_two(new);
	struct gc_entry **link = bucket_at(table, old), **to = bucket_at(table, new), *entry;

	while ((entry = *link)) {
		if (place(siphash_1u64(entry->key, &table->secret), new + 1) == old) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		entry->next = *to;
		*to = entry;
	}
	table->buckets++;
}

/* One bucket more, as far as there is memory */
static void grow(struct gc_table *table)
{
	if (table->buckets % PAGE_BUCKETS || add_page(table))
		split(table);
}

/* The last bucket's entries go where they were before. */
static void merge(struct gc_table *table)
{
	unsigned long last = --table->buckets;
	struct gc_entry **link = bucket_at(table, last - rounddown_pow_of_two(last));

	while (*link)
		link = &(*link)->next;
	*link = *bucket_at(table, last);
	*bucket_at(table, last) = NULL;
	if (!(last % PAGE_BUCKETS))
		drop_page(table, last / PAGE_BUCKETS);
}

static bool begin(struct gc_table *table)
{
	if (!add_page(table))
		return false;
	get_random_bytes(&table->secret, sizeof(table->secret));
	table->buckets = PAGE_BUCKETS;
	return true;
}

static void end(struct gc_table *table)
{
	if (table->buckets)
		drop_page(table, 0);
	table->buckets = 0;
	kvfree(table->pages);
	table->pages = NULL;
	table->room = 0;
}

/**
 * gc_table_add() - one entry more
 * @table: table
 * @entry: entry; none has its key yet
 *
 * Context: may sleep.
 *
 * Return: 0, or -ENOMEM.
 */
int gc_table_add(struct gc_table *table, struct gc_entry *entry)
{
	struct gc_entry **bucket;

	if (!table->buckets && !begin(table))
		return -ENOMEM;
	if (table->nr >= table->buckets)
		grow(table);
	bucket = bucket_of(table, entry->key);
	entry->next = *bucket;
	*bucket = entry;
	table->nr++;
	return 0;
}

/**
 * gc_table_find() - the entry of a key
 * @table: table
 * @key: key
 *
 * Return: the entry, or NULL.
 */
struct gc_entry *gc_table_find(const struct gc_table *table, unsigned long key)
{
	struct gc_entry *entry = table->buckets ? *bucket_of(table, key) : NULL;

	while (entry && entry->key != key)
		entry = entry->next;
	return entry;
}

/**
 * gc_table_remove() - one entry less
 * @table: table
 * @key: its key
 *
 * Return: the entry, or NULL when there is none.
 */
struct gc_entry *gc_table_remove(struct gc_table *table, unsigned long key)
{
	struct gc_entry **link, *entry;

	if (!table->buckets)
		return NULL;
	for (link = bucket_of(table, key); (entry = *link); link = &entry->next) {
		if (entry->key != key)
			continue;
		*link = entry->next;
		table->nr--;
		return entry;
	}
	return NULL;
}

/**
 * gc_table_shrink() - give memory back that a table has no use for
 * @table: table
 *
 * Entries may go to buckets of a smaller number.
 *
 * Context: may sleep.
 */
void gc_table_shrink(struct gc_table *table)
{
	while (table->buckets > PAGE_BUCKETS && table->nr < table->buckets / SPARE_PART) {
		merge(table);
		if (!(table->buckets % PAGE_BUCKETS))
			cond_resched();
	}
	if (!table->nr)
		end(table);
}

/**
 * gc_table_bucket() - the entries of a bucket
 * @table: table
 * @nr: number of the bucket, below @table->buckets
 *
 * Who goes through the buckets by their number sees each entry that stays in the table, and
 * perhaps twice: as a table grows, entries go to buckets of a larger number.
 *
 * Return: the first one, or NULL.
 */
struct gc_entry *gc_table_bucket(const struct gc_table *table, unsigned long nr)
{
	return *bucket_at(table, nr);
}

/**
 * gc_table_bytes() - what a table takes beside its entries
 * @table: table
 *
 * Context: any; a guess while others change it.
 *
 * Return: bytes.
 */
size_t gc_table_bytes(const struct gc_table *table)
{
	return READ_ONCE(table->room) * sizeof(*table->pages) +
	       DIV_ROUND_UP(READ_ONCE(table->buckets), PAGE_BUCKETS) * PAGE_SIZE;
}
