/* SPDX-License-Identifier: GPL-2.0 */
/* Stopping the world: all threads of all processes that map a heap. */
#ifndef GCHEAP_STOP_H
#define GCHEAP_STOP_H

#include <linux/types.h>

struct gc_heap;
struct gc_world;
struct list_head;

int gc_stop_init(void);
void gc_stop_exit(void);

struct gc_world *gc_world_new(void);
void gc_world_put(struct gc_world *world);

int gc_world_settle(struct gc_heap *heap);
u64 gc_world_release_ns(struct gc_world *world);
int gc_world_stop(struct gc_heap *heap);
int gc_world_again(struct gc_heap *heap);
int gc_world_parked(const struct gc_world *world);
bool gc_world_breached(struct gc_world *world);
void gc_world_start(struct gc_heap *heap);
struct list_head *gc_world_members(struct gc_world *world);
u64 gc_world_round(struct gc_world *world);

int gc_stop_newcomer(struct gc_world *world);

#endif /* GCHEAP_STOP_H */
