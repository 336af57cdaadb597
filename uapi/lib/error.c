// SPDX-License-Identifier: MIT OR GPL-2.0
/* What an errno from the library means, and what helps. */
#include <errno.h>
#include <string.h>

#include "heap.h"

static const char *const meanings[] = {
	[ENOENT] =
	"there is no /dev/gcheap: load the module (sudo modprobe gcheap), and give a container the device; or no range of roots begins there, or no link is there",
	[ENODEV] =
	"no gcheap is behind /dev/gcheap: load the module (sudo modprobe gcheap), and remove the node before if it is an old one",
	[EPROTONOSUPPORT] =
	"the module that is loaded is of another version than the library: install both from the same source, and load the module again",
	[EACCES] =
	"no permission for /dev/gcheap: join the group that has it (ls -l /dev/gcheap), or have the module loaded with mode=0666",
	[EPERM] =
	"not permitted: a sandbox or container has to allow the device /dev/gcheap and its calls; or a slab is not the calling thread's",
	[EINVAL] =
	"invalid: an option out of range, an address where no object begins, or is, that is in use, or a range of roots that is not aligned to 8 bytes",
	[EEXIST] =
	"occupied: something else is mapped at the heap's addresses in this process (attach earlier); or a range of roots begins there already",
	[ENOSPC] =
	"too many ranges of roots for this process, or for its user (the module's parameter user_ranges): give fewer and larger ones, or open the heap with GCHEAP_SCAN_ALL",
	[ENOMEM] =
	"no memory: the heap is full of what is still referred to (set a larger size), or the machine, its cgroup, RLIMIT_AS or the module's parameter user_memory has no more",
	[EAGAIN] =
	"not now: threads could not be stopped or their memory not be read, or the machine was suspended, so collect again later; or collections are disabled (gcheap_enable()); or mlockall() and RLIMIT_MEMLOCK leave no room for the heap (set a smaller size)",
	[EMFILE] =
	"no more descriptors for this process: close some, or raise RLIMIT_NOFILE (ulimit -n); or the user has as many heaps as the module's parameter user_heaps allows",
	[ENFILE] =
	"no more open files on this machine: raise fs.file-max",
	[EBADF] =
	"not a descriptor; or the heap's was closed by the program, and /dev/gcheap cannot be opened for another (chroot?): do not close gcheap_fd()",
	[ENOTTY] =
	"the descriptor is not one of a heap: pass that which gcheap_fd() gave",
	[ENXIO] =
	"the heap is not mapped in this process any more: do not unmap it, and use no heap after gcheap_close()",
	[EFAULT] =
	"the range of roots is not memory that a program can have",
	[EINTR] =
	"the process is being killed",
};

const char *gcheap_strerror(int err)
{
	const size_t count = sizeof(meanings) / sizeof(*meanings);

	if (err >= 0 && (size_t)err < count && meanings[err])
		return meanings[err];
	return strerror(err);
}
