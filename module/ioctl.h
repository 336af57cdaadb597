/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls of a heap's descriptor.
 *
 * Owns nothing but the structure of the call, and REOPEN's new file.
 *
 * Lock order: gc_heap.lock, then what heap.h says.  Whoever waits for that lock waits
 * for a collection, and can be killed.  The caller's memory is read before it is
 * taken and written after it is dropped, as a page fault may wait for the heap; for
 * the same reason mmap_lock is only tried below it.
 */
#ifndef GCHEAP_IOCTL_H
#define GCHEAP_IOCTL_H

struct file;

long gc_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* GCHEAP_IOCTL_H */
