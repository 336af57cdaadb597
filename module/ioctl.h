/* SPDX-License-Identifier: GPL-2.0 */
/* The calls of a heap's descriptor. */
#ifndef GCHEAP_IOCTL_H
#define GCHEAP_IOCTL_H

struct file;

long gc_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* GCHEAP_IOCTL_H */
