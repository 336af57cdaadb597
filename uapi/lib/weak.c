// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Weak references and disappearing links.
 *
 * A weak reference is an object that holds no pointers, as far as the collector knows, with
 * the address of another one in it, which the kernel makes zero when that one goes.  It is
 * an object like others: what nobody refers to goes, and its link with it.
 */
#include <errno.h>

#include "call.h"
#include "dead.h"

/**
 * struct gcheap_weak - a weak reference
 * @object: what it refers to, NULL when that is gone
 */
struct gcheap_weak {
	void *object;
};

static int change(struct gcheap *heap, unsigned long number, const void *word,
		  const void *object)
{
	struct gcheap_ioc_link link = {
		.size = sizeof(link),
		.word = (uintptr_t)word,
		.object = (uintptr_t)object,
	};

	return gch_call(heap, number, &link);
}

/* What the kernel has another word for is an address that will not do. */
static int fail(int err)
{
	errno = err == -EFAULT || err == -ENOENT ? EINVAL : -err;
	return -1;
}

int gcheap_link_add(struct gcheap *heap, void *word, const void *object)
{
	int err = object ? change(heap, GCHEAP_IOC_LINK_ADD, word, object) : -EINVAL;

	return err ? fail(err) : 0;
}

int gcheap_link_del(struct gcheap *heap, void *word)
{
	int err = change(heap, GCHEAP_IOC_LINK_DEL, word, NULL);

	if (!err)
		return 0;
	errno = -err;
	return -1;
}

static __attribute__((noinline)) void *weak_new(struct gcheap *heap, void *object)
{
	struct gcheap_weak *weak = gcheap_alloc_noscan(heap, sizeof(*weak));

	if (!weak)
		return NULL;
	weak->object = object;
	if (!gcheap_link_add(heap, &weak->object, object))
		return weak;
	/* Nobody will tell it when the object goes. */
	weak->object = NULL;
	return NULL;
}

/* No address of the object is left here: the caller has it, as long as he wants to. */
struct gcheap_weak *gcheap_weak_new(struct gcheap *heap, void *object)
{
	return gch_dead_stack(weak_new(heap, object));
}

/*
 * One instruction reads it: so either the object was marked, since its address was in a
 * register when the threads were stopped, or they were stopped before, and the word is
 * zero.
 */
void *gcheap_weak_get(const struct gcheap_weak *weak)
{
	return __atomic_load_n(&weak->object, __ATOMIC_RELAXED);
}

void gcheap_weak_free(struct gcheap *heap, struct gcheap_weak *weak)
{
	if (!weak)
		return;
	__atomic_store_n(&weak->object, NULL, __ATOMIC_RELAXED);
	/* If it cannot be had: it goes with the reference. */
	change(heap, GCHEAP_IOC_LINK_DEL, &weak->object, NULL);
}
