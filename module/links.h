/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disappearing links: words in objects of the heap that are made zero when the object goes
 * that they are said to refer to.  Weak references are such words.
 *
 * A link says which word, and which object.  The word itself is not looked at: it lies
 * where the marker does not look (in an object that holds no pointers), or is not an
 * address.  A link goes with the object that the word lies in, whoever made it.
 *
 * What a collection does.  Marks are only ever added, so a link whose two objects are marked
 * at some moment needs no further look.  While the program runs, once there is nothing left
 * to mark, all links are looked at in parts (gc_links_look()), and those that are not like
 * that are *suspects*; so is every link made or changed meanwhile.  With the world stopped
 * and all marked only the suspects are looked at once more (gc_links_flip()): words of links
 * to what is garbage are made zero, before anybody can read them.  Who has read one before,
 * has the address in a register, where the collector has found it.  So the pause is longer by
 * what becomes garbage, and by what is marked late.  A collection in one stop looks at all
 * links then; it is for heaps where little is marked.
 *
 * Owns the links, 32 bytes for each and a place in a table; that is charged to the cgroup, and
 * counts as memory of the heap's user.  Takes no lock: the caller holds the heap's.  Knows no
 * process.
 */
#ifndef GCHEAP_LINKS_H
#define GCHEAP_LINKS_H

#include <linux/types.h>

#include "table.h"

struct gc_link;
struct gc_slabs;

/**
 * struct gc_links - all links of a heap; all zero is none
 * @table: struct gc_link, by the offset of the word
 * @looked_at: buckets that were looked at in this collection
 * @suspects: list of links, see above; none between collections
 * @gone: list of links that are no use any more, and perhaps still in @table
 * @suspecting: a collection is under way
 * @removed: links that are no more, and in @suspects or @gone as yet
 * @charged: pages that are counted for the heap's user
 */
struct gc_links {
	struct gc_table table;
	unsigned long looked_at;
	struct gc_link *suspects;
	struct gc_link *gone;
	bool suspecting;
	unsigned long removed;
	unsigned long charged;
};

int gc_links_add(struct gc_links *links, struct gc_slabs *gs, size_t word, size_t object);
int gc_links_del(struct gc_links *links, struct gc_slabs *gs, size_t word);

void gc_links_begin(struct gc_links *links);
bool gc_links_look(struct gc_links *links, struct gc_slabs *gs, unsigned long most);
void gc_links_flip(struct gc_links *links, struct gc_slabs *gs);
void gc_links_audit(struct gc_links *links, struct gc_slabs *gs);
void gc_links_end(struct gc_links *links, struct gc_slabs *gs);
void gc_links_empty(struct gc_links *links, struct gc_slabs *gs);
size_t gc_links_bytes(const struct gc_links *links);

#endif /* GCHEAP_LINKS_H */
