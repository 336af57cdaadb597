// SPDX-License-Identifier: GPL-2.0
/*
 * gcheap: a garbage-collected heap for user processes.
 *
 * The files, from the device down; each calls only those below it:
 *
 *	main	the module, /dev/gcheap
 *	show	what /proc tells of a heap
 *	ioctl	its calls
 *	refill	slabs go to threads, and come back
 *	free	objects that programs are done with
 *	walk	all objects
 *	shrink	memory that others need
 *	expose	whose memory it is
 *	scavenge	memory that is not needed
 *	collect	a collection
 *	generations	whether to collect young objects only
 *	heap	life and pacing of a heap
 *	owned	slabs that threads have
 *	roots	what processes refer to
 *	elf, tls, stack	parts of that
 *	frame_x86_64	frames of signals on stacks
 *	reader	memory of processes
 *	map	the heap in a process's address space
 *	stats	how a heap is doing
 *	rootset	roots that a process has named
 *	collection	one that is under way
 *	dirty	pages of the heap that programs write to meanwhile
 *	written	pages that somebody wrote to
 *	fetch	pages that others may keep from us
 *	stop	stopping the world
 *	lend	priority for who collects
 *	mutator	threads that use a heap
 *	member	address spaces that use a heap
 *	records	what the C library keeps of threads
 *	regs, regs_x86_64, regs_um	registers of threads
 *	user	what one user may take
 *	crew	marking by several
 *	links	words that are made zero when an object goes
 *	table	what is found by a number
 *	verify, audit	checks of the collector
 *	mark	from pointers to objects
 *	slab	objects
 *	pages	memory, in runs
 *	backing	memory of the machine
 *	trace	what may be watched of all that
 *	size_class	the table of sizes
 *
 * verify and below depend on no process, thread or device.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include <gcheap_version.h>

#include "crew.h"
#include "dirty.h"
#include "fetch.h"
#include "heap.h"
#include "ioctl.h"
#include "map.h"
#include "member.h"
#include "regs.h"
#include "scavenge.h"
#include "show.h"
#include "shrink.h"
#include "stop.h"

static unsigned short mode = 0666;
module_param(mode, ushort, 0444);
MODULE_PARM_DESC(mode, "permissions of /dev/gcheap, octal with a leading 0 (default 0666)");

static int device_open(struct inode *inode, struct file *file)
{
	struct gc_heap *heap = gc_heap_new();
	int err;

	if (IS_ERR(heap))
		return PTR_ERR(heap);
	gc_scavenge_begin(heap);
	err = gc_shrink_begin(heap);
	if (err) {
		gc_scavenge_end(heap);
		gc_heap_free(heap);
		return err;
	}
	file->private_data = heap;
	file->f_mapping = heap->inode->i_mapping;
	return 0;
}

static int device_release(struct inode *inode, struct file *file)
{
	gc_shrink_end(file->private_data);
	gc_scavenge_end(file->private_data);
	gc_heap_free(file->private_data);
	return 0;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.mmap = gc_map_mmap,
	.get_unmapped_area = gc_map_area,
	.unlocked_ioctl = gc_ioctl,
#ifdef CONFIG_PROC_FS
	.show_fdinfo = gc_show_fdinfo,
#endif
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gcheap",
	.fops = &device_fops,
};

static int __init gcheap_init(void)
{
	int err;

	if (mode & ~0777) {
		pr_err("mode=%#o is not a set of permissions\n", mode);
		return -EINVAL;
	}
	if (!gc_dirty_possible())
		pr_notice("this kernel does not tell what programs write (CONFIG_MAPPING_DIRTY_HELPERS, 6.5 to 6.9): they stand still while their objects are marked\n");
	gc_regs_measure();
	err = gc_crew_init();
	if (err)
		return err;
	err = gc_member_init();
	if (err)
		goto crew_exit;
	err = gc_scavenge_init();
	if (err)
		goto member_exit;
	err = gc_shrink_init();
	if (err)
		goto scavenge_exit;
	err = gc_stop_init();
	if (err)
		goto shrink_exit;
	device.mode = mode;
	err = misc_register(&device);
	if (err)
		goto stop_exit;
	return 0;

stop_exit:
	gc_stop_exit();
shrink_exit:
	gc_shrink_exit();
scavenge_exit:
	gc_scavenge_exit();
member_exit:
	gc_member_exit();
crew_exit:
	gc_crew_exit();
	return err;
}

static void __exit gcheap_exit(void)
{
	misc_deregister(&device);
	gc_shrink_exit();
	gc_scavenge_exit();
	gc_stop_exit();
	gc_member_exit();
	gc_fetch_exit();
	gc_crew_exit();
}

module_init(gcheap_init);
module_exit(gcheap_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(GCHEAP_VERSION_STRING);
MODULE_AUTHOR("The gcheap developers");
MODULE_DESCRIPTION("Garbage-collected heap for user processes");
