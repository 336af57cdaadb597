/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The process's locks, which a child of fork() finds open. */
#ifndef GCH_LOCK_H
#define GCH_LOCK_H

/**
 * enum gch_lock - the locks, the outer one first
 * @GCH_DEFAULT: opening the process's default heap
 * @GCH_HEAPS: opening, attaching and closing heaps, and the end of threads that
 *	hold slabs
 * @GCH_DESCRIPTORS: getting another descriptor of a heap
 */
enum gch_lock {
	GCH_DEFAULT,
	GCH_HEAPS,
	GCH_DESCRIPTORS,
};

int gch_lock_init(void);
void gch_lock(enum gch_lock which);
void gch_unlock(enum gch_lock which);

#endif /* GCH_LOCK_H */
