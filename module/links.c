// SPDX-License-Identifier: GPL-2.0
/* Words that are made zero when an object goes.  See links.h. */
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "gfp.h"
#include "links.h"
#include "slab.h"

/**
 * struct gc_link - a word that is made zero when an object goes
 * @entry: in gc_links.table; its key is the word's offset from the heap's start
 * @object: offset of the object's first byte, and SUSPECT; REMOVED when there is no link any
 *	more, and it waits in gc_links.suspects to be freed
 * @next: in gc_links.suspects or gc_links.gone
 */
struct gc_link {
	struct gc_entry entry;
	unsigned long object;
	struct gc_link *next;
};

/* In gc_link.object: it is in gc_links.suspects; objects lie at multiples of 8. */
#define SUSPECT		1UL

/* There is no object in the heap's first page. */
#define REMOVED		SUSPECT

/* What a link takes, with its place in the table, and what the kernel keeps beside it */
#define LINK_BYTES	64UL
#define PAGE_LINKS	(PAGE_SIZE / LINK_BYTES)

static_assert(sizeof(struct gc_link) + 2 * sizeof(void *) <= LINK_BYTES);

static struct gc_link *link_of(struct gc_entry *entry)
{
	return container_of(entry, struct gc_link, entry);
}

static size_t object_of(const struct gc_link *link)
{
	return link->object & ~SUSPECT;
}

/* The slot that an offset lies in is in use, as far as is known; @start: of it */
static bool is_object(struct gc_slabs *gs, size_t offset, size_t *start)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(gs, offset, &index);
	if (!slab || !test_bit(index, gc_slab_alloc_bits(slab)))
		return false;
	*start = slab->offset + index * slab->object_size;
	/* The rest is garbage. */
	return gc_slab_state(gs, slab) != SLAB_UNSWEPT ||
	       test_bit(index, gc_slab_mark_bits(slab));
}

static bool is_marked(struct gc_slabs *gs, size_t offset)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(gs, offset, &index);
	/* Somebody may have said of a slot with an object that he did not use it. */
	return slab && test_bit(index, gc_slab_alloc_bits(slab)) &&
	       test_bit(index, gc_slab_mark_bits(slab));
}

static void suspect(struct gc_links *links, struct gc_link *link)
{
	if (link->object & SUSPECT)
		return;
	link->object |= SUSPECT;
	link->next = links->suspects;
	links->suspects = link;
}

/* Who takes memory for links takes it of what the heap may have. */
static int charge(struct gc_links *links, struct gc_slabs *gs)
{
	struct gc_pages *gp = &gs->pages;
	int err;

	if (links->table.nr + links->removed < links->charged * PAGE_LINKS || !gp->charge)
		return 0;
	err = gp->charge(gp->payer, 1);
	if (!err)
		links->charged++;
	return err;
}

static void uncharge(struct gc_links *links, struct gc_slabs *gs)
{
	unsigned long used = DIV_ROUND_UP(links->table.nr + links->removed, PAGE_LINKS);
	struct gc_pages *gp = &gs->pages;

	if (links->charged <= used)
		return;
	gp->charge(gp->payer, -(long)(links->charged - used));
	links->charged = used;
}

static int link_new(struct gc_links *links, struct gc_slabs *gs, size_t word, size_t start)
{
	struct gc_link *link;
	int err = charge(links, gs);

	if (err)
		return err;
	link = kmalloc(sizeof(*link), GC_GFP);
	if (!link)
		return -ENOMEM;
	link->entry.key = word;
	link->object = start;
	err = gc_table_add(&links->table, &link->entry);
	if (err)
		kfree(link);
	else if (links->suspecting)
		suspect(links, link);
	return err;
}

/**
 * gc_links_add() - a word is to be zero when an object goes
 * @links: links of the heap
 * @gs: its slabs
 * @word: offset of the word from the heap's start, a multiple of 8
 * @object: any offset in the object
 *
 * If the word was a link before, it is one to this object from now on.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0; -EFAULT: the word lies in no object; -ENOENT: there is no object at @object; or
 * -ENOMEM.
 */
int gc_links_add(struct gc_links *links, struct gc_slabs *gs, size_t word, size_t object)
{
	struct gc_entry *entry;
	struct gc_link *link;
	size_t start;

	if (!is_object(gs, word, &start))
		return -EFAULT;
	if (!is_object(gs, object, &start))
		return -ENOENT;
	entry = gc_table_find(&links->table, word);
	if (!entry)
		return link_new(links, gs, word, start);
	link = link_of(entry);
	link->object = start | (link->object & SUSPECT);
	if (links->suspecting)
		suspect(links, link);
	return 0;
}

/**
 * gc_links_del() - a word is no link any more
 * @links: links of the heap
 * @gs: its slabs
 * @word: offset of the word from the heap's start
 *
 * Context: heap's lock held.
 *
 * Return: 0, or -ENOENT when it was none.
 */
int gc_links_del(struct gc_links *links, struct gc_slabs *gs, size_t word)
{
	struct gc_entry *entry = gc_table_remove(&links->table, word);
	struct gc_link *link;

	if (!entry)
		return -ENOENT;
	link = link_of(entry);
	if (link->object & SUSPECT) {
		link->object = REMOVED;
		links->removed++;
		return 0;
	}
	kfree(link);
	/* Who goes through the buckets would miss some. */
	if (!links->suspecting)
		gc_table_shrink(&links->table);
	uncharge(links, gs);
	return 0;
}

static struct gc_link *pop(struct gc_link **list)
{
	struct gc_link *link = *list;

	if (link)
		*list = link->next;
	return link;
}

static void acquit_all(struct gc_links *links)
{
	struct gc_link *link;

	while ((link = pop(&links->suspects))) {
		link->object &= ~SUSPECT;
		if (!link->object) {
			links->removed--;
			kfree(link);
		}
		cond_resched();
	}
}

/**
 * gc_links_begin() - a collection begins, or begins anew
 * @links: links of the heap
 *
 * Context: may sleep; heap's lock held.
 */
void gc_links_begin(struct gc_links *links)
{
	acquit_all(links);
	gc_table_shrink(&links->table);
	links->looked_at = 0;
	links->suspecting = true;
}

/* Returns how many there are in the bucket, and one more. */
static unsigned long look_at_bucket(struct gc_links *links, struct gc_slabs *gs,
				    unsigned long nr)
{
	struct gc_entry *entry;
	unsigned long done = 1;

	for (entry = gc_table_bucket(&links->table, nr); entry; entry = entry->next) {
		struct gc_link *link = link_of(entry);

		if (!is_marked(gs, object_of(link)) || !is_marked(gs, entry->key))
			suspect(links, link);
		done++;
	}
	return done;
}

/**
 * gc_links_look() - look for suspects
 * @links: links of the heap, which is being collected
 * @gs: its slabs
 * @most: links to look at, about
 *
 * Context: may sleep; heap's lock held, nobody is marking.
 *
 * Return: whether there are more.
 */
bool gc_links_look(struct gc_links *links, struct gc_slabs *gs, unsigned long most)
{
	unsigned long done = 0;

	while (links->looked_at < links->table.buckets && done < most) {
		done += look_at_bucket(links, gs, links->looked_at++);
		if (!(links->looked_at % 256))
			cond_resched();
	}
	return links->looked_at < links->table.buckets;
}

static void make_zero(struct gc_slabs *gs, size_t word)
{
	struct page *page = gc_pages_page(&gs->pages, word >> PAGE_SHIFT);

	if (page)
		WRITE_ONCE(*(unsigned long *)(page_address(page) + offset_in_page(word)), 0);
}

/* All is marked; returns whether the link is of use any more. */
static bool judge(struct gc_slabs *gs, const struct gc_link *link)
{
	if (object_of(link) == 0 || !is_marked(gs, link->entry.key))
		return false;
	if (is_marked(gs, object_of(link)))
		return true;
	make_zero(gs, link->entry.key);
	return false;
}

/**
 * gc_links_flip() - make words zero whose objects are garbage
 * @links: links of the heap
 * @gs: its slabs, all marked, and none swept yet
 *
 * Context: may sleep; heap's lock held, the world stopped.
 */
void gc_links_flip(struct gc_links *links, struct gc_slabs *gs)
{
	struct gc_link *link;

	gc_links_look(links, gs, ULONG_MAX);
	while ((link = pop(&links->suspects))) {
		if (judge(gs, link)) {
			link->object &= ~SUSPECT;
		} else {
			/* The table is for when the program runs again. */
			link->next = links->gone;
			links->gone = link;
		}
		cond_resched();
	}
	links->suspecting = false;
}

static void audit_link(struct gc_slabs *gs, const struct gc_link *link)
{
	bool word = is_marked(gs, link->entry.key), object = is_marked(gs, object_of(link));

	/* It is going. */
	if (link->object & SUSPECT || (word && object))
		return;
	gc_fault(&gs->pages.faults, (struct gc_fault) {
		.what = word ? "a link leads to what is not marked" :
			       "a link lies in what is not marked",
		.offset = word ? object_of(link) : link->entry.key,
		.expected = true,
	});
}

/**
 * gc_links_audit() - check that what is left leads from and to objects that live
 * @links: links of the heap, after gc_links_flip()
 * @gs: its slabs, with their marks; faults go to its pages
 *
 * Context: may sleep; heap's lock held, the world stopped.
 */
void gc_links_audit(struct gc_links *links, struct gc_slabs *gs)
{
	struct gc_entry *entry;
	unsigned long i;

	for (i = 0; i < links->table.buckets; i++) {
		for (entry = gc_table_bucket(&links->table, i); entry; entry = entry->next)
			audit_link(gs, link_of(entry));
		cond_resched();
	}
}

/**
 * gc_links_end() - a collection is over, complete or not
 * @links: links of the heap
 * @gs: its slabs
 *
 * Context: may sleep; heap's lock held, the world not stopped.
 */
void gc_links_end(struct gc_links *links, struct gc_slabs *gs)
{
	struct gc_link *link;

	acquit_all(links);
	links->suspecting = false;
	while ((link = pop(&links->gone))) {
		if (object_of(link))
			gc_table_remove(&links->table, link->entry.key);
		else
			links->removed--;
		kfree(link);
		cond_resched();
	}
	uncharge(links, gs);
}

/**
 * gc_links_empty() - the objects are gone, and all links with them
 * @links: links of the heap, which is not being collected
 * @gs: its slabs
 *
 * Context: may sleep; heap's lock held, or the heap ends.
 */
void gc_links_empty(struct gc_links *links, struct gc_slabs *gs)
{
	struct gc_entry *entry, *next;
	unsigned long i;

	for (i = 0; i < links->table.buckets; i++) {
		for (entry = gc_table_bucket(&links->table, i); entry; entry = next) {
			next = entry->next;
			gc_table_remove(&links->table, entry->key);
			kfree(link_of(entry));
		}
		cond_resched();
	}
	gc_table_shrink(&links->table);
	uncharge(links, gs);
}

/**
 * gc_links_bytes() - memory that links take
 * @links: links of the heap
 *
 * Context: any; a guess without the heap's lock.
 *
 * Return: bytes.
 */
size_t gc_links_bytes(const struct gc_links *links)
{
	return (READ_ONCE(links->table.nr) + READ_ONCE(links->removed)) *
	       sizeof(struct gc_link) +
	       gc_table_bytes(&links->table);
}
