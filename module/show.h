/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What /proc/PID/fdinfo tells of a heap: <linux/gcheap.h> has the lines.
 *
 * Owns nothing, and takes no lock: who may look, may do so all the time, and a
 * collection, which holds the heap's lock for as long as it takes, is what he may
 * want to know of.  So each number is as it was at some moment while the file was
 * read, and two of them need not be of the same one.
 */
#ifndef GCHEAP_SHOW_H
#define GCHEAP_SHOW_H

struct file;
struct seq_file;

void gc_show_fdinfo(struct seq_file *to, struct file *file);

#endif /* GCHEAP_SHOW_H */
