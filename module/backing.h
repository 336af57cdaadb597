/* SPDX-License-Identifier: GPL-2.0 */
/* Memory behind a heap's pages: it is taken, and given back.  See pages.h. */
#ifndef GCHEAP_BACKING_H
#define GCHEAP_BACKING_H

#include "cgroup.h"
#include "pages.h"

/*
 * What must be left for the program after the heap has grown: its stacks and
 * page tables come from the same memory cgroup, and it is killed if there is no
 * more for those.
 */
#define GC_HEADROOM_PAGES	512UL

/* Whether it is the machine that has none, when the kernel gives none: a guess. */
static inline bool gc_backing_is_machine_short(void)
{
	return gc_machine_room() < CHUNK_PAGES + GC_HEADROOM_PAGES;
}

int gc_backing_refused(struct gc_pages *gp);
int gc_backing_take(struct gc_pages *gp, unsigned long first, unsigned long nr);
unsigned long gc_backing_release(struct gc_pages *gp, unsigned long nr);
unsigned long gc_backing_vacate(struct gc_pages *gp, unsigned long first,
				unsigned long nr);
int gc_backing_get(struct gc_pages *gp, unsigned long holes,
		   struct page **pages);
void gc_backing_put(struct gc_pages *gp, unsigned long holes,
		    struct page **pages);
void gc_backing_enter(struct gc_pages *gp, unsigned long first,
		      unsigned long holes, struct page **pages);
void gc_backing_abandon(struct gc_pages *gp, unsigned long nr);
void gc_backing_empty(struct gc_pages *gp);
void gc_backing_destroy(struct gc_pages *gp);

#endif /* GCHEAP_BACKING_H */
