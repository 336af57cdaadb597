/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fuzzer's parts, top-down:
 *
 *	fuzz.c	  options, the controller, and what has to hold in the end
 *	stream.c  a stream of calls: threads, processes, signals, descriptors
 *	heaps.c	  the ioctls
 *	memory.c  what the system's other calls do with a heap's memory
 *	call.c	  drawing arguments, and judging what a call returned
 *
 * Each call is drawn from the seed, the number of its stream, and its own number
 * in there, and from nothing else: so each stream makes the same choices in each
 * run, whatever happened before.  Where the choice is "the slab that came last" or
 * "an address in the heap" its value depends on what others did, and so does the
 * order in which the streams' calls meet.
 */
#ifndef GCHEAP_FUZZ_H
#define GCHEAP_FUZZ_H

#include <setjmp.h>

#include "../stress.h"

#define PAGE		4096ul

/* Heaps that a process has at hand */
#define HEAPS		4

/* A heap beyond this size is only reserved, as it would take all memory. */
#define HEAP_FILLED	(16 * MIB)

/* Calls between birth and end of a process */
#define LIFE_CALLS	4000

/* Where random mappings may be: far from others */
#define AREA_START	0x100000000000ul
#define AREA_PAGES	0x1000000ul

/* From here on there may be the fuzzer's own stacks and arenas. */
#define AREA_END	0x600000000000ul

/**
 * struct heap_ref - a heap that a process has at hand; threads race for it
 * @fd: descriptor, -1 for none
 * @base: where it was mapped last
 * @size: its size as it was told last
 */
struct heap_ref {
	_Atomic int fd;
	_Atomic uintptr_t base;
	_Atomic uint64_t size;
};

/**
 * struct fuzz - what the threads of a process share
 * @crew: all threads of all processes
 * @crew_fd: its memory, for those who are executed
 * @seed: from the command line
 * @threads: threads of a process
 * @classes: size classes of a heap
 * @mailbox: sockets in which descriptors lie around
 * @file: a file
 * @direct: a file opened with O_DIRECT, -1 for none
 * @pipe: a pipe, for vmsplice()
 * @heaps: heaps
 * @extra: threads at work beside the first ones
 */
struct fuzz {
	struct crew *crew;
	int crew_fd;
	uint64_t seed;
	int threads;
	uint32_t classes;
	int mailbox[2];
	int file;
	int direct;
	int pipe[2];
	struct heap_ref heaps[HEAPS];
	_Atomic int extra;
};

/* Slabs that a stream remembers */
#define SLABS		16

/* Root ranges that a stream remembers */
#define RANGES		8

/* Links that a stream remembers */
#define LINKS		8

/**
 * struct arena - a stream's memory for arguments
 * @page: for anything
 * @guard: not accessible
 * @live: bitmaps of slabs
 * @slabs: out of REFILL
 * @back: into REFILL and RELEASE
 * @where: of bitmaps
 * @doomed: into FREE
 * @results: out of it
 * @walked: out of WALK
 * @cache: how the stream takes slots, or not
 * @bins: for that
 */
struct arena {
	char page[4 * PAGE];
	char guard[PAGE];
	uint64_t live[GCHEAP_REFILL_MAX + 1][GCHEAP_SLAB_WORDS];
	struct gcheap_slab slabs[GCHEAP_REFILL_MAX + 1];
	struct gcheap_slab_return back[GCHEAP_RELEASE_MAX + 1];
	uint64_t where[GCHEAP_REFILL_MAX + 1];
	uint64_t doomed[GCHEAP_FREE_MAX];
	uint8_t results[GCHEAP_FREE_MAX];
	struct gcheap_walked walked[GCHEAP_WALK_MAX];
	struct gcheap_cache cache;
	struct gcheap_bin bins[256];
};

#define ERRNOS		192

/**
 * struct stream - a thread of the fuzzer
 * @fuzz: its process
 * @number: of the stream
 * @call: number of the present call
 * @random: where the numbers of this call come from
 * @member: its entry in the crew
 * @arena: its memory
 * @made: system calls made and not yet counted
 * @slabs: addresses of slabs that came last
 * @ranges: starts of root ranges that were added last
 * @links: words that were made links last
 * @heap: heap that this call is about
 * @fd: its descriptor, as it was when the call was drawn
 * @base: its address, likewise
 * @size: its size, likewise
 * @allowed: bit set: the errno may come
 * @refused: the call must not succeed
 * @vforked: the stream is a vfork child's
 * @name: of the call
 * @args: its arguments
 * @armed: a fault leads to @fault
 * @fault: see there
 */
struct stream {
	struct fuzz *fuzz;
	uint64_t number;
	uint64_t call;
	uint64_t random;
	struct member *member;
	struct arena *arena;
	unsigned int made;
	uintptr_t slabs[SLABS];
	uintptr_t ranges[RANGES];
	uintptr_t links[LINKS];
	struct heap_ref *heap;
	int fd;
	uintptr_t base;
	uint64_t size;
	uint64_t allowed[ERRNOS / 64];
	bool refused;
	bool vforked;
	const char *name;
	uint64_t args[8];
	volatile bool armed;
	sigjmp_buf fault;
};

/* call.c */
void call_begin(struct stream *s, const char *name);
void call_allow(struct stream *s, int error);
void call_refuse(struct stream *s, int error);
bool call_end(struct stream *s, long result);
void complain(struct stream *s, const char *what);
bool copy_armed(struct stream *s, void *to, const void *from, size_t bytes);
uint64_t any_value(struct stream *s);
uintptr_t any_address(struct stream *s);
uintptr_t heap_address(struct stream *s);
uintptr_t bad_pointer(struct stream *s);
void choose_heap(struct stream *s);

/* heaps.c */
void do_ioctl(struct stream *s);
void do_refill(struct stream *s);
void do_attach(struct stream *s);
bool stats_are_sound(const struct gcheap_ioc_stats *stats);

/* memory.c */
void do_memory(struct stream *s);
void do_touch(struct stream *s);
void do_map(struct stream *s);
void do_map_stats(struct stream *s);

/* stream.c */
void stream_run(struct fuzz *fuzz, uint64_t number, uint64_t calls);
void process_run(struct fuzz *fuzz, uint64_t number);
void catch_faults(void);

#endif /* GCHEAP_FUZZ_H */
