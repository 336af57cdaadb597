/* SPDX-License-Identifier: GPL-2.0 */
/* Made by scripts/gen_size_classes.py: change that, not this. */
#ifndef GCHEAP_SIZE_CLASS_BOUNDS_H
#define GCHEAP_SIZE_CLASS_BOUNDS_H

#define SIZE_CLASS_COUNT	61
#define SIZE_CLASS_MAX		32768

#endif /* GCHEAP_SIZE_CLASS_BOUNDS_H */
