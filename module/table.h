/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hash table that grows and shrinks bucket by bucket: so nobody waits for all of it to be
 * moved, and without memory it only becomes slower (the idea: Litwin, "Linear hashing", VLDB
 * 1980).
 *
 * Owns its buckets, in pages of them; entries are the caller's.  Takes no lock: the caller
 * has one that keeps others out.
 */
#ifndef GCHEAP_TABLE_H
#define GCHEAP_TABLE_H

#include <linux/siphash.h>
#include <linux/types.h>

/**
 * struct gc_entry - what an entry begins with
 * @next: in its bucket
 * @key: what it is found by; no other entry has it
 */
struct gc_entry {
	struct gc_entry *next;
	unsigned long key;
};

/**
 * struct gc_table - a table; all zero is an empty one
 * @pages: of @room places the first ones have a page of buckets
 * @room: length of @pages
 * @buckets: buckets in use
 * @nr: entries
 * @secret: so that nobody can choose keys that fall into one bucket; set with the first
 *	buckets
 */
struct gc_table {
	struct gc_entry ***pages;
	unsigned long room;
	unsigned long buckets;
	unsigned long nr;
	siphash_key_t secret;
};

int gc_table_add(struct gc_table *table, struct gc_entry *entry);
struct gc_entry *gc_table_find(const struct gc_table *table, unsigned long key);
struct gc_entry *gc_table_remove(struct gc_table *table, unsigned long key);
void gc_table_shrink(struct gc_table *table);
struct gc_entry *gc_table_bucket(const struct gc_table *table, unsigned long nr);
size_t gc_table_bytes(const struct gc_table *table);

#endif /* GCHEAP_TABLE_H */
