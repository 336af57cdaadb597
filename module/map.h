/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap in a process's address space.
 *
 * Each heap has an inode of its own, whose address_space knows all mappings.
 * A mapping's vm_private_data is its set of hand-made roots.
 *
 * Owns: the file system of these inodes, the heap's base, and each mapping's
 * reference to its set of roots.
 *
 * Lock order: mmap_lock, which the kernel has when it calls mmap, fault, open or close,
 * then gc_heap.map_lock.  gc_heap.lock is never taken here, nor is the world waited
 * for: the collector waits for who has mmap_lock.
 */
#ifndef GCHEAP_MAP_H
#define GCHEAP_MAP_H

#include <linux/mm_types.h>

struct file;
struct gc_heap;
struct inode;

/**
 * struct gc_page_run - pages of a heap that adjoin
 * @first: number of the first
 * @nr: how many
 */
struct gc_page_run {
	unsigned long first;
	unsigned long nr;
};

struct inode *gc_map_inode(void);
void gc_map_put_inode(struct inode *inode);

int gc_map_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long gc_map_area(struct file *file, unsigned long addr,
			  unsigned long len, unsigned long pgoff,
			  unsigned long flags);

struct vm_area_struct *gc_map_vma(struct gc_heap *heap, struct mm_struct *mm);
struct file *gc_map_file(unsigned long addr);
unsigned long gc_map_used_end(const struct vm_area_struct *vma);
int gc_map_check(struct gc_heap *heap);
int gc_map_check_any(struct gc_heap *heap);
void gc_map_emptied(struct gc_heap *heap);
int gc_map_await_emptied(struct gc_heap *heap);
void gc_map_populate(struct gc_heap *heap, const struct gc_page_run *runs,
		     unsigned int nr);
void gc_map_populate_all(struct gc_heap *heap);

#endif /* GCHEAP_MAP_H */
