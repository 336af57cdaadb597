// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Collections and what governs them: when they come, and from which roots.
 */
#include <errno.h>

#include "cache.h"
#include "call.h"
#include "dead.h"
#include "trace.h"

static int fail(int err)
{
	errno = -err;
	return -1;
}

static __attribute__((noinline)) int collect(struct gcheap *heap, unsigned int flags)
{
	struct gcheap_ioc_collect request = {
		.size = sizeof(request), .flags = flags,
	};
	int err = gch_cache_flush_all(heap);

	/*
	 * COLLECT takes the slabs too, but cannot know what is unused in them; nor do we
	 * know afterwards whether it has taken them.
	 */
	if (err == -ENOMEM)
		return fail(err);
	/* In a child of vfork() they are its parent's, and stay so. */
	if (err < 0 && err != -EPERM)
		gch_cache_forget(heap);
	gch_dead_vectors();
	err = gch_call(heap, GCHEAP_IOC_COLLECT, &request);
	if (err)
		return fail(err);
	gch_trace(heap, request.cycle);
	return 0;
}

/* Who asks for it does so for the sake of what is gone. */
static inline int collect_cleanly(struct gcheap *heap, unsigned int flags)
{
	return (intptr_t)gch_dead_stack((void *)(intptr_t)collect(heap, flags));
}

int gcheap_collect(struct gcheap *heap)
{
	return collect_cleanly(heap, 0);
}

int gcheap_release(struct gcheap *heap)
{
	return collect_cleanly(heap, GCHEAP_COLLECT_RELEASE);
}

void gcheap_thread_release(struct gcheap *heap)
{
	gch_cache_flush(heap);
}

static int hold(struct gcheap *heap, int change)
{
	struct gcheap_ioc_hold request = { .size = sizeof(request), .change = change };
	int err = gch_call(heap, GCHEAP_IOC_HOLD, &request);

	return err ? fail(err) : 0;
}

int gcheap_disable(struct gcheap *heap)
{
	return hold(heap, 1);
}

int gcheap_enable(struct gcheap *heap)
{
	return hold(heap, -1);
}

int gcheap_set_percent(struct gcheap *heap, int percent)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_PERCENT,
		.percent = percent ? percent : 1,
	};
	int err;

	if (percent < 0)
		config.percent = GCHEAP_PERCENT_OFF;
	err = gch_call(heap, GCHEAP_IOC_CONFIG, &config);
	if (!err)
		return config.percent;
	errno = -err;
	return -2;
}

int gcheap_set_limit(struct gcheap *heap, size_t bytes)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_LIMIT,
		.limit = bytes,
	};
	int err = gch_call(heap, GCHEAP_IOC_CONFIG, &config);

	return err ? fail(err) : 0;
}

int gcheap_root_add(struct gcheap *heap, const void *start, size_t size)
{
	struct gcheap_ioc_root root = {
		.size = sizeof(root),
		.start = (uintptr_t)start,
		.length = size,
	};
	int err = gch_call(heap, GCHEAP_IOC_ROOT_ADD, &root);

	return err ? fail(err) : 0;
}

int gcheap_root_del(struct gcheap *heap, const void *start)
{
	struct gcheap_ioc_root root = {
		.size = sizeof(root),
		.start = (uintptr_t)start,
	};
	int err = gch_call(heap, GCHEAP_IOC_ROOT_DEL, &root);

	return err ? fail(err) : 0;
}
