/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Signal frames, as the kernel puts them on the stacks of programs.  Each processor
 * has its own, in a file that Kbuild chooses: frame_x86_64.c.
 */
#ifndef GCHEAP_FRAME_H
#define GCHEAP_FRAME_H

#include <linux/types.h>

#include "span.h"

/* Below a stack pointer, what functions use that call no other */
#define FRAME_RED_ZONE		128UL

/* A frame has a magic number once in so many bytes at most, and there it has its place. */
#define FRAME_ALIGN	64UL

size_t gc_frame_room(void);
void gc_frames_note(unsigned long *found, size_t offset,
		    const unsigned long *words, size_t nr);
struct gc_span gc_frame_span(unsigned long magic);
unsigned long gc_frame_sp(unsigned long magic);

#endif /* GCHEAP_FRAME_H */
