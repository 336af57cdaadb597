/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects that tell whether they are what they were, and the ways in which a reference to
 * one can come to be in another one.
 */
#ifndef SELFTESTS_OBJECTS_H
#define SELFTESTS_OBJECTS_H

#include <linux/futex.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common.h"

#define OBJECT_SIZE	64

/**
 * struct object - one of many
 * @number: its own, from 1 on; no two have the same
 * @check: that number, scrambled
 */
struct object {
	uint64_t number;
	uint64_t check;
};

helper uint64_t scrambled(uint64_t number)
{
	return number * 0x9e3779b97f4a7c15ull ^ 0x5555;
}

helper struct object *object_new(struct gcheap *heap, uint64_t number)
{
	struct object *object = gcheap_alloc(heap, OBJECT_SIZE);

	must(object);
	object->number = number;
	object->check = scrambled(number);
	return object;
}

helper bool is_intact(const struct object *object)
{
	return object->check == scrambled(object->number);
}

helper uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

typedef void (*store_fn)(struct object *volatile *to, struct object *object);

helper void by_store(struct object *volatile *to, struct object *object)
{
	*to = object;
}

helper void by_writev(struct object *volatile *to, struct object *object)
{
	struct iovec from = { .iov_base = &object, .iov_len = sizeof(object) };
	struct iovec into = { .iov_base = (void *)to, .iov_len = sizeof(object) };

	must(process_vm_writev(getpid(), &from, 1, &into, 1, 0) == sizeof(object));
}

helper void by_pipe(struct object *volatile *to, struct object *object)
{
	static __thread int pipes[2];

	if (!pipes[1])
		must(!pipe(pipes));
	must(write(pipes[1], &object, sizeof(object)) == sizeof(object));
	must(read(pipes[0], (void *)to, sizeof(object)) == sizeof(object));
}

/* The kernel copies from its own page into the program's. */
helper void by_vmsplice(struct object *volatile *to, struct object *object)
{
	struct iovec into = { .iov_base = (void *)to, .iov_len = sizeof(object) };
	static __thread int pipes[2];

	if (!pipes[1])
		must(!pipe(pipes));
	must(write(pipes[1], &object, sizeof(object)) == sizeof(object));
	must(vmsplice(pipes[0], &into, 1, 0) == sizeof(object));
}

/*
 * What futexes have for storing, if not in full words: the bits that differ, one after the
 * other.  What is there meanwhile is no reference to the object: so it is looked at the
 * end whether it is there, for which it has to be on the stack or in a register until then.
 */
helper void by_futex(struct object *volatile *to, struct object *object)
{
	const uint64_t differs = (uintptr_t)*to ^ (uintptr_t)object;
	static uint32_t nobody;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (!(differs >> bit & 1))
			continue;
		must(!syscall(SYS_futex, &nobody, FUTEX_WAKE_OP, 0, 0,
			      (uint32_t *)to + bit / 32,
			      FUTEX_OP((FUTEX_OP_XOR | FUTEX_OP_OPARG_SHIFT), bit % 32,
				       FUTEX_OP_CMP_EQ, 0)));
	}
	must(*to == object);
}

/**
 * struct direct - a page of a file on a disk
 * @fd: its file, 0 when there is none yet
 * @page: a copy, where no collector looks
 */
struct direct {
	int fd;
	struct object **page;
};

helper int direct_open(void)
{
	const char *disk = getenv("GCHEAP_DISK");
	char path[256];
	int fd;

	if (!disk)
		return -1;
	snprintf(path, sizeof(path), "%s/objects-%d", disk, gettid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
	unlink(path);
	return fd;
}

/*
 * The disk stores it, by its own address of the page.  Nobody else writes to that page
 * meanwhile: all of it is read, with what is there.  Until it is, the object must be
 * referred to from here.
 */
helper void by_direct(struct object *volatile *to, struct object *object)
{
	void *page = (void *)((uintptr_t)to & ~4095ul);
	static __thread struct direct direct;

	if (!direct.fd) {
		direct.fd = direct_open();
		direct.page = shared_page();
		must(direct.fd > 0);
	}
	memcpy(direct.page, page, 4096);
	direct.page[((uintptr_t)to & 4095) / sizeof(*to)] = object;
	must(pwrite(direct.fd, direct.page, 4096, 0) == 4096);
	must(pread(direct.fd, page, 4096, 0) == 4096);
	must(*to == object);
}

helper bool there_is_a_disk(void)
{
	int fd = direct_open();

	close(fd);
	return fd >= 0;
}

/* A process that has the heap, and stands still in the hands of who called this */
helper pid_t tracee_new(void)
{
	pid_t child = fork_child();
	int status;

	while (!child) {
		must(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		must(!raise(SIGSTOP));
	}
	must(waitpid(child, &status, __WALL) == child && WIFSTOPPED(status));
	must(!ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL));
	return child;
}

helper void by_ptrace(struct object *volatile *to, struct object *object)
{
	static __thread pid_t tracee;

	if (!tracee)
		tracee = tracee_new();
	must(!ptrace(PTRACE_POKEDATA, tracee, (void *)to, object));
}

/**
 * struct store - one of many, for somebody else to do
 * @to: where
 * @object: what
 */
struct store {
	struct object *volatile *to;
	struct object *object;
};

/* Both ways to a process that has not the heap, but a tracee that has; 0 when there is none */
static int stranger;

helper void stranger_main(struct gcheap *heap, int talk)
{
	pid_t tracee = tracee_new();
	struct store store;

	gcheap_close(heap);
	while (read(talk, &store, sizeof(store)) == sizeof(store)) {
		must(!ptrace(PTRACE_POKEDATA, tracee, (void *)store.to, store.object));
		say(talk);
	}
	_exit(KSFT_PASS);
}

helper pid_t stranger_begin(struct gcheap *heap)
{
	int talk[2];
	pid_t child;

	socket_pair(talk);
	child = fork_child();
	if (!child) {
		close(talk[0]);
		stranger_main(heap, talk[1]);
	}
	close(talk[1]);
	stranger = talk[0];
	return child;
}

helper bool stranger_end(pid_t child)
{
	close(stranger);
	stranger = 0;
	return child_succeeded(child);
}

helper void by_ptrace_of_a_stranger(struct object *volatile *to, struct object *object)
{
	struct store store = { to, object };

	must(write(stranger, &store, sizeof(store)) == sizeof(store));
	hear(stranger);
}

/**
 * struct ring - an io_uring with one entry
 * @fd: its descriptor, 0 when there is none yet
 * @submitted: its memory, where entries are told of
 * @completed: and where results are
 * @entry: the entry
 * @offsets: of what is in these two
 * @pipes: where it reads from
 */
struct ring {
	int fd;
	char *submitted;
	char *completed;
	struct io_uring_sqe *entry;
	struct io_uring_params offsets;
	int pipes[2];
};

helper void *ring_map(const struct ring *ring, off_t what)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			ring->fd, what);

	must(at != MAP_FAILED);
	return at;
}

helper bool ring_open(struct ring *ring)
{
	ring->fd = syscall(__NR_io_uring_setup, 1, &ring->offsets);
	if (ring->fd < 0)
		return false;
	ring->submitted = ring_map(ring, IORING_OFF_SQ_RING);
	ring->completed = ring_map(ring, IORING_OFF_CQ_RING);
	ring->entry = ring_map(ring, IORING_OFF_SQES);
	must(!pipe(ring->pipes));
	return true;
}

helper unsigned int *ring_word(char *memory, unsigned int offset)
{
	return (unsigned int *)(memory + offset);
}

/* Reads a word from the pipe. */
helper void ring_read(struct ring *ring, void *to, uint8_t opcode, uint8_t flags)
{
	const struct io_sqring_offsets *sq = &ring->offsets.sq_off;
	const struct io_cqring_offsets *cq = &ring->offsets.cq_off;
	struct io_uring_cqe *result = (void *)(ring->completed + cq->cqes);
	unsigned int head = *ring_word(ring->completed, cq->head);

	*ring->entry = (struct io_uring_sqe) {
		.opcode = opcode,
		.flags = flags,
		.fd = ring->pipes[0],
		.addr = (uintptr_t)to,
		.len = sizeof(void *),
		.off = -1,
	};
	*ring_word(ring->submitted, sq->array) = 0;
	__atomic_fetch_add(ring_word(ring->submitted, sq->tail), 1, __ATOMIC_RELEASE);
	must(syscall(__NR_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	must(__atomic_load_n(ring_word(ring->completed, cq->tail), __ATOMIC_ACQUIRE) == head + 1);
	must(result[head & *ring_word(ring->completed, cq->ring_mask)].res == sizeof(void *));
	__atomic_store_n(ring_word(ring->completed, cq->head), head + 1, __ATOMIC_RELEASE);
}

/* That memory is a buffer, unless the kernel has none of files, or no io_uring. */
helper bool ring_register(struct ring *ring, const struct iovec *memory)
{
	if (!ring->fd && !ring_open(ring))
		return false;
	return !syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, memory, 1);
}

helper bool ring_begin(struct ring *ring, volatile void *to)
{
	struct iovec page = { .iov_base = (void *)((uintptr_t)to & ~4095ul), .iov_len = 4096 };

	return ring_register(ring, &page);
}

helper void ring_end(struct ring *ring)
{
	must(!syscall(__NR_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
}

/* Through a reference that the kernel has for a while, by its own mapping */
helper void by_uring(struct object *volatile *to, struct object *object)
{
	static __thread struct ring ring;

	must(ring_begin(&ring, to));
	must(write(ring.pipes[1], &object, sizeof(object)) == sizeof(object));
	ring_read(&ring, (void *)to, IORING_OP_READ_FIXED, 0);
	ring_end(&ring);
}

/* What by_uring_throughout() stores to */
static struct iovec throughout;

/* The same, but the kernel has it from before the first store until the process ends. */
helper void by_uring_throughout(struct object *volatile *to, struct object *object)
{
	static __thread struct ring ring;

	if (!ring.fd)
		must(ring_register(&ring, &throughout));
	must(write(ring.pipes[1], &object, sizeof(object)) == sizeof(object));
	ring_read(&ring, (void *)to, IORING_OP_READ_FIXED, 0);
}

helper bool uring_takes(volatile void *memory)
{
	struct ring ring = {};

	if (!ring_begin(&ring, memory)) {
		must(errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM);
		return false;
	}
	ring_end(&ring);
	return true;
}

/*
 * A thread of the kernel stores, through the page tables of the process.  It is never in
 * user mode, and nobody stops it.
 */
helper void by_worker(struct object *volatile *to, struct object *object)
{
	static __thread struct ring ring;

	must(ring.fd || ring_open(&ring));
	must(write(ring.pipes[1], &object, sizeof(object)) == sizeof(object));
	ring_read(&ring, (void *)to, IORING_OP_READ, IOSQE_ASYNC);
}

helper bool there_are_workers(void)
{
	struct ring ring = {};

	if (ring_open(&ring))
		return true;
	must(errno == ENOSYS || errno == EPERM);
	return false;
}

/* What the processor has noted in the page table goes with the entry. */
helper void by_store_and_drop(struct object *volatile *to, struct object *object)
{
	uintptr_t page = (uintptr_t)to & ~4095ul;

	*to = object;
	must(!madvise((void *)page, 4096, MADV_DONTNEED));
}

/* A collection; 0: the last one */
helper struct gcheap_cycle cycle_of(struct gcheap *heap, uint64_t number)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats), .want_cycle = number };

	must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_STATS, &stats));
	return stats.cycle;
}

helper bool is_on(const char *parameter)
{
	char name[128];
	FILE *file;
	int answer;

	snprintf(name, sizeof(name), "/sys/module/gcheap/parameters/%s", parameter);
	file = fopen(name, "r");
	must(file);
	answer = fgetc(file);
	fclose(file);
	return answer == 'Y';
}

helper void set_parameter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/gcheap/parameters/%s", name);
	must(write_to(path, value));
}

#endif /* SELFTESTS_OBJECTS_H */
