// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls, with arguments at and around every limit.  See fuzz.h.
 *
 * Whoever spoils an argument says which errno that may give, or must give: so a
 * sound call that is refused is a failure, as is a spoiled one that succeeds.
 */
#include "fuzz.h"

#define UNKNOWN_CALLS	0x11

/* A quarter, or so, of all arguments are spoiled in one way or another. */
static bool spoil(struct stream *s)
{
	return one_in(&s->random, 12);
}

/* Size of the structure's first version */
static size_t least_size(unsigned long cmd, size_t size)
{
	switch (cmd) {
	case GCHEAP_IOC_INFO:
		return offsetof(struct gcheap_ioc_info, uid);
	case GCHEAP_IOC_CONFIG:
		return offsetof(struct gcheap_ioc_config, heap);
	case GCHEAP_IOC_REFILL:
		return offsetof(struct gcheap_ioc_refill, cache);
	case GCHEAP_IOC_COLLECT:
		return offsetof(struct gcheap_ioc_collect, heap);
	case GCHEAP_IOC_STATS:
		return offsetof(struct gcheap_ioc_stats, heap);
	case GCHEAP_IOC_FREE:
		return offsetof(struct gcheap_ioc_free, heap);
	case GCHEAP_IOC_WALK:
		return offsetof(struct gcheap_ioc_walk, heap);
	case GCHEAP_IOC_HOLD:
		return offsetof(struct gcheap_ioc_hold, heap);
	case GCHEAP_IOC_ROOT_ADD:
	case GCHEAP_IOC_ROOT_DEL:
		return offsetof(struct gcheap_ioc_root, heap);
	}
	return size;
}

/* The structure's size, and what follows the structure. */
static size_t spoil_size(struct stream *s, char *image, size_t least, size_t size)
{
	static const uint32_t small[] = { 0, 1, 4 };
	static const uint32_t large[] = { PAGE + 1, 0x7fffffff, 0x80000000, -1u };
	uint32_t told = size;

	switch (below(&s->random, 6)) {
	case 0:
		told = small[below(&s->random, ARRAY_SIZE(small))];
		call_refuse(s, EINVAL);
		break;
	case 1:
		told = least - 1 - below(&s->random, 8);
		call_refuse(s, EINVAL);
		break;
	case 2:
		told = large[below(&s->random, ARRAY_SIZE(large))];
		call_refuse(s, E2BIG);
		break;
	case 3:
		told = size + 1 + below(&s->random, PAGE - size);
		break;
	case 4:
		told = size + 1 + below(&s->random, PAGE - size);
		image[size + below(&s->random, told - size)] = 1;
		call_refuse(s, E2BIG);
		break;
	case 5:
		/* What is refused may lie in what would not be told then. */
		if (!s->refused)
			told = least + below(&s->random, size - least + 1);
		break;
	}
	memcpy(image, &told, sizeof(told));
	return told > size && told <= PAGE ? told : size;
}

/* Others write to it all the time: who knows what the kernel reads. */
static uintptr_t place_in_heap(struct stream *s, const char *image, size_t size)
{
	uintptr_t place = heap_address(s);

	if (place - s->base < s->size)
		copy_armed(s, (void *)place, image, size);
	call_allow(s, EFAULT);
	call_allow(s, EINVAL);
	call_allow(s, E2BIG);
	call_allow(s, ENOMEM);
	call_allow(s, EPERM);
	call_allow(s, ENOENT);
	call_allow(s, EEXIST);
	call_allow(s, ENOSPC);
	call_allow(s, EBUSY);
	call_allow(s, ENXIO);
	s->refused = false;
	return place;
}

/* What the kernel looks at, of a structure that tells its size. */
static size_t looked_at(const char *image, size_t size)
{
	uint32_t told;

	memcpy(&told, image, sizeof(told));
	return told && told < size ? told : size;
}

/* Where the structure lies: mostly where it should. */
static uintptr_t place(struct stream *s, const char *image, size_t size)
{
	uintptr_t normal = (uintptr_t)s->arena->page, place = normal;
	size_t beyond = below(&s->random, looked_at(image, size));

	switch (below(&s->random, 80)) {
	case 0:
		call_refuse(s, EFAULT);
		return bad_pointer(s);
	case 1:
		call_refuse(s, EFAULT);
		place = (uintptr_t)s->arena->guard - beyond;
		memcpy((void *)place, image, beyond);
		return place;
	case 2:
		return place_in_heap(s, image, size);
	case 3:
	case 4:
	case 5:
		place = (uintptr_t)s->arena->guard - size;
		break;
	case 6:
		place = normal + 1 + below(&s->random, PAGE);
		break;
	}
	memcpy((void *)place, image, size);
	return place;
}

static unsigned long spoil_number(struct stream *s, unsigned long cmd)
{
	call_refuse(s, ENOTTY);
	/* The kernel looks for the call before it looks at anything else. */
	switch (below(&s->random, 3)) {
	case 0:
		return (cmd & ~0xfful) | (UNKNOWN_CALLS + below(&s->random, 200));
	case 1:
		return cmd ^ 1ul << (8 + below(&s->random, 8));
	}
	return cmd ^ 1ul << (30 + below(&s->random, 2));
}

/* Returns whether it succeeded; the structure is what the kernel made of it. */
static bool submit(struct stream *s, unsigned long cmd, void *arg, size_t size)
{
	char image[PAGE + 8] = {};
	size_t given = size, i;
	uintptr_t at;

	memcpy(image, arg, size);
	if (spoil(s))
		given = spoil_size(s, image, least_size(cmd, size), size);
	if (one_in(&s->random, 64))
		cmd = spoil_number(s, cmd);
	/* Versions differ in the size that the number tells. */
	if (one_in(&s->random, 16))
		cmd ^= (unsigned long)below(&s->random, 64) << 16;
	at = place(s, image, given);
	for (i = 0; i < ARRAY_SIZE(s->args) - 1 && i < size / 8; i++)
		memcpy(&s->args[i], image + 8 * i, 8);
	s->args[ARRAY_SIZE(s->args) - 1] = at;
	s->member->doing = cmd;
	return call_end(s, ioctl(s->fd, cmd, at)) &&
	       copy_armed(s, arg, (void *)at, size);
}

/* Where the kernel reads or writes; it may be where it should not. */
static uint64_t array(struct stream *s, void *good, bool used)
{
	uint64_t kind = below(&s->random, 24);

	if (kind == 0) {
		if (used)
			call_refuse(s, EFAULT);
		return bad_pointer(s);
	}
	if (kind == 1) {
		call_allow(s, EFAULT);
		return heap_address(s);
	}
	return (uintptr_t)good;
}

/* For what may be left out */
static uint64_t array_or_none(struct stream *s, void *good, bool used)
{
	bool refused = s->refused;
	uint64_t address = array(s, good, used);

	if (!address)
		s->refused = refused;
	return address;
}

static uint32_t flags(struct stream *s, uint32_t known)
{
	uint32_t set = draw(&s->random) & known;

	if (!spoil(s))
		return set;
	call_refuse(s, EINVAL);
	return set | (1u << below(&s->random, 32) & ~known) | 0x80000000u;
}

static uint32_t reserved(struct stream *s)
{
	if (!one_in(&s->random, 40))
		return 0;
	call_refuse(s, EINVAL);
	return 1u << below(&s->random, 32);
}

/* The heap's name: seldom any, and then the process may map it elsewhere, or not. */
static uint64_t name(struct stream *s)
{
	uint64_t kind = below(&s->random, 24);

	if (kind == 0) {
		call_allow(s, ENXIO);
		return s->base;
	}
	if (kind == 1) {
		call_refuse(s, ENXIO);
		return s->base + 1 + below(&s->random, PAGE - 1);
	}
	return 0;
}

static void do_info(struct stream *s)
{
	struct gcheap_ioc_info info = { .size = sizeof(info) };

	call_begin(s, "INFO");
	info.flags = flags(s, 0);
	info.behaviour = reserved(s);
	info.reserved = reserved(s);
	if (one_in(&s->random, 8)) {
		info.class_capacity = any_value(s);
		/* Address 0 is none. */
		info.classes = array(s, s->arena->page + PAGE, false);
		call_allow(s, EFAULT);
	}
	if (!submit(s, GCHEAP_IOC_INFO, &info, sizeof(info)))
		return;
	if (info.page_size != PAGE || !info.class_count || info.base % PAGE)
		complain(s, "is not what a heap is");
	s->heap->size = info.heap_size;
	if (info.base)
		s->heap->base = info.base;
}

static void do_config(struct stream *s)
{
	static const int percents[] = {
		GCHEAP_PERCENT_OFF, 100, 100, 100, 300, 300, GCHEAP_PERCENT_MAX,
		0, -2, GCHEAP_PERCENT_MAX + 1, 0x7fffffff, -0x7fffffff - 1, 1, 50,
	};
	static const uint64_t sizes[] = {
		GCHEAP_SIZE_MIN, GCHEAP_SIZE_MIN + 1, 2 * MIB, 4 * MIB, 4 * MIB + 1,
		GCHEAP_SIZE_MAX, 0, GCHEAP_SIZE_MIN - 1, GCHEAP_SIZE_MAX + 1, -1,
	};
	struct gcheap_ioc_config config = { .size = sizeof(config) };

	call_begin(s, "CONFIG");
	config.heap = name(s);
	config.flags = flags(s, GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT |
			     GCHEAP_CONFIG_HEAP_SIZE | GCHEAP_CONFIG_BEHAVIOUR);
	config.percent = percents[below(&s->random, ARRAY_SIZE(percents))];
	/* A small limit, or percentage, is a heap that does nothing but collect. */
	config.limit = one_in(&s->random, 16) ? any_value(s) : 0;
	config.heap_size = sizes[below(&s->random, ARRAY_SIZE(sizes))];
	config.behaviour = config.flags & GCHEAP_CONFIG_BEHAVIOUR &&
			   one_in(&s->random, 4) ? GCHEAP_SCAN_ALL : 0;
	if (one_in(&s->random, 40)) {
		config.behaviour |= 2u << below(&s->random, 31);
		call_refuse(s, EINVAL);
	}
	if (config.flags & GCHEAP_CONFIG_PERCENT &&
	    config.percent != GCHEAP_PERCENT_OFF &&
	    (config.percent < 1 || config.percent > GCHEAP_PERCENT_MAX))
		call_refuse(s, EINVAL);
	if (config.flags & GCHEAP_CONFIG_HEAP_SIZE) {
		call_allow(s, EBUSY);
		if (config.heap_size < GCHEAP_SIZE_MIN ||
		    config.heap_size > GCHEAP_SIZE_MAX)
			call_refuse(s, EINVAL);
	}
	submit(s, GCHEAP_IOC_CONFIG, &config, sizeof(config));
}

/* Large heaps are not to be filled. */
static uint64_t object_bytes(struct stream *s)
{
	uint64_t bytes = 1 + below(&s->random, 2048), value = any_value(s);

	switch (below(&s->random, 32)) {
	case 0:
		bytes = 1 + value % MIB;
		break;
	case 1:
		bytes = 32 * KIB - 8 + value % 17;
		break;
	case 2:
		bytes = value;
		break;
	case 3:
		bytes = s->size - PAGE - 1 + value % 3;
		break;
	case 4:
		bytes = 1 + value % (128 * KIB);
		break;
	}
	return s->size > HEAP_FILLED && bytes < GCHEAP_SIZE_MAX ?
	       bytes % (64 * KIB) : bytes;
}

static void do_alloc(struct stream *s)
{
	struct gcheap_ioc_alloc alloc = { .size = sizeof(alloc) };
	uint64_t align;

	call_begin(s, "ALLOC");
	call_allow(s, ENXIO);
	call_allow(s, ENOMEM);
	alloc.flags = flags(s, GCHEAP_NOSCAN);
	alloc.bytes = object_bytes(s);
	if (!alloc.bytes)
		call_refuse(s, EINVAL);
	if (!submit(s, GCHEAP_IOC_ALLOC, &alloc, sizeof(alloc)))
		return;
	s->slabs[below(&s->random, SLABS)] = alloc.address;
	/* In the heap's memory the answer may be another's by now. */
	if (s->args[7] - (uintptr_t)s->arena > sizeof(*s->arena))
		return;
	align = alloc.bytes <= 8 ? 8 : alloc.bytes <= 32 * KIB ? 16 : PAGE;
	if (alloc.usable < alloc.bytes || alloc.address % align)
		complain(s, "no such object was asked for");
}

/* Mostly slabs that the stream got, or had once. */
static void draw_back(struct stream *s, uint32_t nr)
{
	struct gcheap_slab_return *back = s->arena->back;
	uint32_t i;

	for (i = 0; i < nr && i < ARRAY_SIZE(s->arena->back); i++) {
		back[i].start = s->slabs[below(&s->random, SLABS)];
		if (spoil(s))
			back[i].start = any_address(s);
		back[i].free = one_in(&s->random, 2) ? 0 :
			       array(s, s->arena->live[below(&s->random, 64)], false);
		if (back[i].free)
			call_allow(s, EFAULT);
	}
}

static uint32_t count(struct stream *s, uint32_t limit)
{
	uint32_t nr = below(&s->random, 5);

	if (one_in(&s->random, 40))
		nr = below(&s->random, limit + 1);
	if (!one_in(&s->random, 30))
		return nr;
	nr = one_in(&s->random, 2) ? limit + 1 : limit + draw(&s->random) % 0xffff0000;
	if (nr > limit)
		call_refuse(s, EINVAL);
	return nr;
}

static void draw_live(struct stream *s, struct gcheap_ioc_refill *refill)
{
	struct arena *arena = s->arena;
	uint32_t i;

	for (i = 0; i < refill->want && i < GCHEAP_REFILL_MAX; i++) {
		if (one_in(&s->random, 4))
			memset(arena->live[i], 0xff, sizeof(arena->live[i]));
		arena->where[i] = (uintptr_t)arena->live[i];
		if (spoil(s))
			arena->where[i] = one_in(&s->random, 3) ? 0 :
					  one_in(&s->random, 2) ? bad_pointer(s) :
					  heap_address(s);
	}
	refill->live = array_or_none(s, arena->where, true);
}

/*
 * The kernel may write to the words, and has a stream killed that it cannot write for:
 * so what is named is the arena's, or cannot be read either.
 */
static void draw_cache(struct stream *s, struct gcheap_ioc_refill *refill)
{
	struct arena *arena = s->arena;
	struct gcheap_bin *bin = &arena->bins[below(&s->random, ARRAY_SIZE(arena->bins))];

	arena->cache.busy = one_in(&s->random, 4);
	arena->cache.revoked = 0;
	arena->cache.bins = (uintptr_t)arena->bins;
	arena->cache.stride = sizeof(*arena->bins);
	arena->cache.nr_bins = ARRAY_SIZE(arena->bins);
	arena->cache.heap = s->base;
	bin->word = draw(&s->random);
	bin->base = s->slabs[below(&s->random, SLABS)];
	bin->next = bin->base + 8 * below(&s->random, 512);
	bin->end = bin->base + 8 * below(&s->random, 512);
	if (spoil(s))
		bin->end = draw(&s->random);
	if (spoil(s))
		arena->cache.bins = bad_pointer(s);
	if (spoil(s))
		arena->cache.nr_bins = draw(&s->random);
	refill->cache = (uintptr_t)&arena->cache;
	if (spoil(s)) {
		refill->cache = draw(&s->random);
		call_allow(s, EINVAL);
	}
}

static bool slab_is_sound(const struct stream *s, const struct gcheap_slab *slab,
			  const struct gcheap_ioc_refill *refill)
{
	uint32_t nr_free = 0, i;

	for (i = 0; i < GCHEAP_SLAB_WORDS; i++)
		nr_free += __builtin_popcountll(slab->free[i]);
	return slab->nr_free == nr_free && nr_free && slab->start % PAGE == 0 &&
	       slab->class_index == refill->class_index &&
	       slab->flags == refill->flags && s->fd >= 0;
}

static void look_at_slabs(struct stream *s, const struct gcheap_ioc_refill *refill,
			  bool expected)
{
	uint32_t i;

	if (expected && (!refill->got || refill->got > refill->want)) {
		complain(s, "got more, or less, than wanted");
		return;
	}
	for (i = 0; i < refill->got && i < GCHEAP_REFILL_MAX; i++) {
		if (expected && !slab_is_sound(s, &s->arena->slabs[i], refill))
			complain(s, "got an odd slab");
		s->slabs[below(&s->random, SLABS)] = s->arena->slabs[i].start;
	}
}

/**
 * do_refill() - GCHEAP_IOC_REFILL
 * @s: stream
 */
void do_refill(struct stream *s)
{
	struct gcheap_ioc_refill refill = { .size = sizeof(refill) };
	bool expected;

	call_begin(s, "REFILL");
	call_allow(s, ENXIO);
	call_allow(s, ENOMEM);
	if (s->vforked)
		call_refuse(s, EBUSY);
	refill.flags = flags(s, GCHEAP_NOSCAN);
	refill.class_index = below(&s->random, s->fuzz->classes);
	if (one_in(&s->random, 20)) {
		refill.class_index = s->fuzz->classes + draw(&s->random) % 0x80000000;
		call_refuse(s, EINVAL);
	}
	refill.want = 1 + count(s, GCHEAP_REFILL_MAX - 1);
	if (s->size > HEAP_FILLED && refill.want <= GCHEAP_REFILL_MAX)
		refill.want = 1;
	if (one_in(&s->random, 40)) {
		refill.want = 0;
		call_refuse(s, EINVAL);
	}
	refill.slabs = array(s, s->arena->slabs, true);
	refill.nr_back = count(s, GCHEAP_RELEASE_MAX);
	draw_back(s, refill.nr_back);
	if (refill.nr_back) {
		call_allow(s, EPERM);
		refill.back = array(s, s->arena->back, true);
	}
	if (one_in(&s->random, 2))
		draw_live(s, &refill);
	if (one_in(&s->random, 2))
		draw_cache(s, &refill);
	expected = refill.slabs == (uintptr_t)s->arena->slabs;
	if (submit(s, GCHEAP_IOC_REFILL, &refill, sizeof(refill)))
		look_at_slabs(s, &refill, expected &&
			      s->args[7] - (uintptr_t)s->arena < sizeof(*s->arena));
}

static void do_release(struct stream *s)
{
	struct gcheap_ioc_release release = { .size = sizeof(release) };

	call_begin(s, "RELEASE");
	call_allow(s, ENXIO);
	release.flags = flags(s, one_in(&s->random, 3) ? GCHEAP_RELEASE_ALL : 0);
	release.nr_back = count(s, GCHEAP_RELEASE_MAX);
	release.reserved = reserved(s);
	draw_back(s, release.nr_back);
	if (release.nr_back) {
		call_allow(s, EPERM);
		release.back = array(s, s->arena->back, true);
	}
	submit(s, GCHEAP_IOC_RELEASE, &release, sizeof(release));
}

/* Slots of slabs that came last, and anything */
static void draw_doomed(struct stream *s, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr && i < GCHEAP_FREE_MAX; i++) {
		uintptr_t slab = s->slabs[below(&s->random, SLABS)];

		s->arena->doomed[i] = one_in(&s->random, 3) ? any_address(s) :
				      slab + 16 * below(&s->random, 4096);
	}
}

static void do_free(struct stream *s)
{
	struct gcheap_ioc_free request = { .size = sizeof(request) };

	call_begin(s, "FREE");
	request.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, ENOMEM);
	request.flags = flags(s, 0);
	request.nr = 1 + count(s, GCHEAP_FREE_MAX - 1);
	if (one_in(&s->random, 40)) {
		request.nr = 0;
		call_refuse(s, EINVAL);
	}
	draw_doomed(s, request.nr);
	request.objects = array(s, s->arena->doomed, true);
	if (one_in(&s->random, 2))
		request.results = array_or_none(s, s->arena->results, true);
	if (submit(s, GCHEAP_IOC_FREE, &request, sizeof(request)) &&
	    s->args[7] - (uintptr_t)s->arena < sizeof(*s->arena) && request.done > request.nr)
		complain(s, "more were freed than there were");
}

/* More often it is taken back: a heap that is not collected is soon full. */
static void do_hold(struct stream *s)
{
	struct gcheap_ioc_hold hold = { .size = sizeof(hold) };

	call_begin(s, "HOLD");
	hold.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, EINVAL);
	hold.flags = flags(s, 0);
	hold.change = one_in(&s->random, 4) ? 1 : -1;
	if (spoil(s))
		hold.change = draw(&s->random);
	if (hold.change != 1 && hold.change != -1)
		call_refuse(s, EINVAL);
	hold.holds = draw(&s->random);
	if (submit(s, GCHEAP_IOC_HOLD, &hold, sizeof(hold)) &&
	    s->args[7] - (uintptr_t)s->arena < sizeof(*s->arena) &&
	    hold.holds > GCHEAP_HOLDS_MAX)
		complain(s, "too many reasons not to collect");
}

static void do_walk(struct stream *s)
{
	struct gcheap_ioc_walk walk = { .size = sizeof(walk) };

	call_begin(s, "WALK");
	walk.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, ENOMEM);
	walk.flags = flags(s, 0);
	walk.capacity = 1 + count(s, GCHEAP_WALK_MAX - 1);
	if (one_in(&s->random, 40)) {
		walk.capacity = 0;
		call_refuse(s, EINVAL);
	}
	walk.objects = array(s, s->arena->walked, true);
	walk.cursor = one_in(&s->random, 2) ? 0 : any_value(s);
	/* It may be another heap by then. */
	if (walk.cursor)
		call_allow(s, EINVAL);
	if (submit(s, GCHEAP_IOC_WALK, &walk, sizeof(walk)) &&
	    s->args[7] - (uintptr_t)s->arena < sizeof(*s->arena) && walk.count > walk.capacity)
		complain(s, "more objects than there is room for");
}

static void do_collect(struct stream *s)
{
	struct gcheap_ioc_collect collect = { .size = sizeof(collect) };

	call_begin(s, "COLLECT");
	collect.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, ENOMEM);
	call_allow(s, EAGAIN);
	collect.flags = flags(s, GCHEAP_COLLECT_RELEASE);
	submit(s, GCHEAP_IOC_COLLECT, &collect, sizeof(collect));
}

/**
 * stats_are_sound() - whether what a heap tells of itself can be true
 * @stats: what it tells
 *
 * Return: false when the numbers contradict each other.
 */
bool stats_are_sound(const struct gcheap_ioc_stats *stats)
{
	return stats->heap_alloc <= stats->heap_inuse &&
	       stats->heap_inuse + stats->heap_idle == stats->heap_sys &&
	       stats->frees <= stats->mallocs &&
	       stats->heap_objects == stats->mallocs - stats->frees &&
	       stats->heap_alloc <= stats->total_alloc &&
	       stats->pause_max_ns <= stats->pause_total_ns &&
	       stats->num_forced_gc <= stats->num_gc &&
	       stats->cycle.number <= stats->num_gc;
}

static void do_stats(struct stream *s)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	call_begin(s, "STATS");
	stats.heap = name(s);
	stats.flags = flags(s, 0);
	stats.want_cycle = one_in(&s->random, 2) ? 0 : any_value(s);
	if (one_in(&s->random, 8)) {
		stats.class_capacity = any_value(s);
		/* Address 0 is none, and nothing is copied into no entries. */
		stats.classes = array(s, s->arena->page + PAGE, false);
		call_allow(s, EFAULT);
	}
	if (submit(s, GCHEAP_IOC_STATS, &stats, sizeof(stats)) &&
	    s->args[7] - (uintptr_t)s->arena < sizeof(*s->arena) &&
	    !stats_are_sound(&stats))
		complain(s, "the numbers contradict each other");
}

static uint64_t range_length(struct stream *s)
{
	uint64_t value = any_value(s);

	switch (below(&s->random, 16)) {
	case 0:
		return value;
	case 1:
		return value % MIB & ~7ul;
	}
	return 16 * (1 + value % 64);
}

static void do_root_add(struct stream *s)
{
	struct gcheap_ioc_root root = { .size = sizeof(root) };
	uintptr_t where = any_address(s);

	call_begin(s, "ROOT_ADD");
	root.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, ENOSPC);
	call_allow(s, EFAULT);
	call_allow(s, EEXIST);
	call_allow(s, ENOMEM);
	root.flags = flags(s, one_in(&s->random, 3) ? GCHEAP_ROOT_AGING : 0);
	root.start = one_in(&s->random, 16) ? where : where & ~15ul;
	root.length = range_length(s);
	if (root.start % (root.flags ? 16 : 8) || !root.start ||
	    root.length < (root.flags ? 16 : 8) ||
	    (root.flags && root.length % 16))
		call_refuse(s, EINVAL);
	s->ranges[below(&s->random, RANGES)] = root.start;
	submit(s, GCHEAP_IOC_ROOT_ADD, &root, sizeof(root));
}

static void do_root_del(struct stream *s)
{
	struct gcheap_ioc_root root = { .size = sizeof(root) };
	uintptr_t where = any_address(s);

	call_begin(s, "ROOT_DEL");
	root.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, ENOENT);
	root.flags = flags(s, 0);
	root.start = s->ranges[below(&s->random, RANGES)];
	if (spoil(s))
		root.start = where;
	if (spoil(s)) {
		root.length = 8;
		call_refuse(s, EINVAL);
	}
	submit(s, GCHEAP_IOC_ROOT_DEL, &root, sizeof(root));
}

static void do_object(struct stream *s)
{
	struct gcheap_ioc_object object = { .size = sizeof(object) };

	call_begin(s, "OBJECT");
	call_allow(s, ENOENT);
	object.flags = flags(s, 0);
	object.address = any_address(s);
	if (submit(s, GCHEAP_IOC_OBJECT, &object, sizeof(object)) &&
	    s->args[7] - (uintptr_t)s->arena < sizeof(*s->arena) &&
	    object.address - object.start >= object.usable)
		complain(s, "the object is not around the address");
}

/* Whoever has an object that such a word is in, has it written to by others anyway. */
static void do_link_add(struct stream *s)
{
	struct gcheap_ioc_link link = { .size = sizeof(link) };
	uintptr_t word = any_address(s), object = any_address(s);

	call_begin(s, "LINK_ADD");
	link.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, EFAULT);
	call_allow(s, ENOENT);
	call_allow(s, ENOMEM);
	link.flags = flags(s, 0);
	link.word = one_in(&s->random, 16) ? word : word & ~7ul;
	link.object = object;
	if (link.word % 8 || !link.object)
		call_refuse(s, EINVAL);
	s->links[below(&s->random, LINKS)] = link.word;
	submit(s, GCHEAP_IOC_LINK_ADD, &link, sizeof(link));
}

static void do_link_del(struct stream *s)
{
	struct gcheap_ioc_link link = { .size = sizeof(link) };

	call_begin(s, "LINK_DEL");
	link.heap = name(s);
	call_allow(s, ENXIO);
	call_allow(s, ENOENT);
	link.flags = flags(s, 0);
	link.word = s->links[below(&s->random, LINKS)];
	if (spoil(s)) {
		link.object = 8;
		call_refuse(s, EINVAL);
	}
	if (link.word % 8)
		call_refuse(s, EINVAL);
	submit(s, GCHEAP_IOC_LINK_DEL, &link, sizeof(link));
}

/**
 * do_attach() - GCHEAP_IOC_ATTACH
 * @s: stream
 */
void do_attach(struct stream *s)
{
	struct gcheap_ioc_attach attach = { .size = sizeof(attach) };

	call_begin(s, "ATTACH");
	call_allow(s, ENOMEM);
	attach.flags = flags(s, 0);
	submit(s, GCHEAP_IOC_ATTACH, &attach, sizeof(attach));
}

/* A descriptor that lies in the heap's memory may be another number by now. */
static void do_reopen(struct stream *s)
{
	struct gcheap_ioc_reopen reopen = { .size = sizeof(reopen) };

	call_begin(s, "REOPEN");
	call_allow(s, ENOENT);
	call_allow(s, EMFILE);
	call_allow(s, ENFILE);
	reopen.flags = flags(s, 0);
	reopen.address = any_address(s);
	reopen.reserved = reserved(s);
	if (submit(s, GCHEAP_IOC_REOPEN, &reopen, sizeof(reopen)) &&
	    s->args[7] - (uintptr_t)s->arena < sizeof(*s->arena))
		close(reopen.fd);
}

/**
 * do_ioctl() - one of them
 * @s: stream
 */
void do_ioctl(struct stream *s)
{
	static const struct {
		unsigned int weight;
		void (*make)(struct stream *s);
	} calls[] = {
		{ 2600, do_object }, { 1200, do_info }, { 1200, do_stats },
		{ 1000, do_release }, { 1000, do_root_del }, { 400, do_alloc },
		{ 400, do_root_add }, { 500, do_config }, { 297, do_refill },
		{ 200, do_attach }, { 100, do_reopen }, { 100, do_free }, { 100, do_hold },
		{ 100, do_walk }, { 600, do_link_add }, { 200, do_link_del }, { 3, do_collect },
	};
	uint64_t i = 0, ticket = below(&s->random, 10000);

	while (ticket >= calls[i].weight)
		ticket -= calls[i++].weight;
	calls[i].make(s);
}
