/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Size classes: which slots serve a request, and how a slab is divided.  A constant
 * table, which user space reads by GCHEAP_IOC_INFO: it may be looked at anywhere.
 */
#ifndef GCHEAP_SIZE_CLASS_H
#define GCHEAP_SIZE_CLASS_H

#include <linux/types.h>

#include "size_class_bounds.h"

/**
 * struct size_class - how a slab of one class is divided
 * @object_size: bytes of a slot
 * @pages: pages of a slab
 * @slots: slots in a slab
 * @magic: slot number = (byte offset * magic) >> 32, exact within a slab
 */
struct size_class {
	u32 object_size;
	u32 pages;
	u32 slots;
	u32 magic;
};

extern const struct size_class size_classes[SIZE_CLASS_COUNT];

unsigned int size_class_of(size_t bytes);

#endif /* GCHEAP_SIZE_CLASS_H */
