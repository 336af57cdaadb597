// SPDX-License-Identifier: GPL-2.0
/* Limits for each user.  See user.h. */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "gfp.h"
#include "user.h"

/* A user namespace may have some ten thousand. */
#define USERS_BITS	10

static unsigned int user_heaps = 1024;
module_param(user_heaps, uint, 0644);
MODULE_PARM_DESC(user_heaps, "heaps that one user may have open (default 1024, 0 for no limit)");

static unsigned int user_memory = 75;
module_param(user_memory, uint, 0644);
MODULE_PARM_DESC(user_memory, "percent of the machine's memory that all heaps of one user may take (default 75, 0 for no limit)");

static unsigned int user_members = 65536;
module_param(user_members, uint, 0644);
MODULE_PARM_DESC(user_members, "processes that may be attached to heaps of one user, each counted once for each heap (default 65536, 0 for no limit)");

static unsigned int user_ranges = 1048576;
module_param(user_ranges, uint, 0644);
MODULE_PARM_DESC(user_ranges, "ranges of roots in all heaps of one user (default 1048576, 0 for no limit)");

/* Each may last for some seconds, in which others' may not. */
#define USER_URGENT	2

/**
 * struct gc_user - somebody who has heaps open
 * @node: in the table
 * @uid: who
 * @refs: heaps; under the table's lock
 * @taken: how much, of each kind
 */
struct gc_user {
	struct hlist_node node;
	kuid_t uid;
	unsigned long refs;
	atomic_long_t taken[GC_SHARES];
};

static DEFINE_HASHTABLE(users, USERS_BITS);
static DEFINE_SPINLOCK(users_lock);

static struct gc_user *find(kuid_t uid)
{
	struct gc_user *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/**
 * gc_user_outside() - who answers for the calling thread
 * @user: one of its user ids
 *
 * Whoever made a namespace of users answers for all users in it, as it is given as
 * many as it asks for; the administrator gives others theirs.
 *
 * Context: any.
 *
 * Return: a user id that whoever made the namespaces has not chosen.
 */
kuid_t gc_user_outside(kuid_t user)
{
	const struct user_namespace *ns = current_user_ns();

	for (; ns->parent; ns = ns->parent)
		if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
			user = ns->owner;
	return user;
}

/**
 * gc_user_get() - the user who opens a heap
 *
 * Context: may sleep.
 *
 * Return: the user, with a reference; NULL for one without limits; or
 * ERR_PTR(-ENOMEM).
 */
struct gc_user *gc_user_get(void)
{
	struct gc_user *user, *new;

	/* Who has the capability may well not need it: no news for an audit. */
	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE))
		return NULL;
	new = kzalloc(sizeof(*new), GC_GFP);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->uid = gc_user_outside(current_euid());
	spin_lock(&users_lock);
	user = find(new->uid);
	if (!user) {
		user = new;
		new = NULL;
		hash_add(users, &user->node, __kuid_val(user->uid));
	}
	user->refs++;
	spin_unlock(&users_lock);
	kfree(new);
	return user;
}

/**
 * gc_user_put() - drop a reference
 * @user: user, who has given back what the reference's owner took; or NULL
 *
 * Context: may sleep.
 */
void gc_user_put(struct gc_user *user)
{
	bool last;

	if (!user)
		return;
	spin_lock(&users_lock);
	last = !--user->refs;
	if (last)
		hash_del(&user->node);
	spin_unlock(&users_lock);
	if (last)
		kfree(user);
}

static long largest(enum gc_share what)
{
	switch (what) {
	case GC_HEAPS:
		return READ_ONCE(user_heaps);
	case GC_MEMBERS:
		return READ_ONCE(user_members);
	case GC_RANGES:
		return READ_ONCE(user_ranges);
	case GC_URGENT:
		return USER_URGENT;
	default:
		return mult_frac(totalram_pages(),
				 (unsigned long)READ_ONCE(user_memory), 100UL);
	}
}

/**
 * gc_user_take() - count what is taken
 * @user: user, or NULL
 * @what: of which kind
 * @nr: how much
 *
 * Two who take at once may both be refused where one of them could have had it.
 *
 * Context: any.
 *
 * Return: true; or false when it would be more than the user may have: then nothing is
 * counted.
 */
bool gc_user_take(struct gc_user *user, enum gc_share what, long nr)
{
	long max;

	if (!user)
		return true;
	max = largest(what);
	if (atomic_long_add_return(nr, &user->taken[what]) <= max || !max)
		return true;
	gc_user_give(user, what, nr);
	return false;
}

/**
 * gc_user_give() - count what is given back
 * @user: user, or NULL
 * @what: of which kind
 * @nr: how much
 *
 * Context: any.
 */
void gc_user_give(struct gc_user *user, enum gc_share what, long nr)
{
	if (user)
		atomic_long_sub(nr, &user->taken[what]);
}
