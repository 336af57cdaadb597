/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Calls into the kernel, and the descriptor that they are made by. */
#ifndef GCH_CALL_H
#define GCH_CALL_H

#include "heap.h"

int gch_device_open(void);
int gch_fd_dup(int fd);
int gch_fd_move(int fd);
int gch_fd_call(int fd, unsigned long number, void *request);
bool gch_fd_mapped(int fd);
int gch_fd_of(struct gcheap *heap);
void gch_fd_close(struct gcheap *heap);

int gch_call(struct gcheap *heap, unsigned long number, void *request);

#endif /* GCH_CALL_H */
