/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kselftests share.
 *
 * The collector is conservative: an address that a test notes down for later
 * would keep the object alive, and so would what a finished function left on
 * the stack.  So tests hide() the addresses that they keep, and touch objects in
 * threads of their own (in_thread()), which take their stacks along.
 *
 * ASSERT and EXPECT are for the test's own thread.  Other threads and child
 * processes use must(), which ends the process, and so fails the test.
 */
#ifndef GCHEAP_TEST_COMMON_H
#define GCHEAP_TEST_COMMON_H

/* The harness can be in one source file of a program only. */
#ifdef GCHEAP_TEST_PLAIN
#include "kselftest.h"
#else
#include "kselftest_harness.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/gcheap.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gcheap.h>

/*
 * Emulated processors, a kernel full of checks and a busy machine take their time; a
 * test that hangs is to end before scripts/run-tests ends its program.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	540

#define KIB	1024ul
#define MIB	(1024ul * 1024)

/* Which tests call which of these differs. */
#define helper		static inline __attribute__((unused))
#define apart		static __attribute__((noinline, noclone, unused))

#define must(condition)								\
do {										\
	if (!(condition)) {							\
		fprintf(stderr, "# %s:%d: must hold: %s (errno %d)\n",		\
			__FILE__, __LINE__, #condition, errno);			\
		_exit(KSFT_FAIL);						\
	}									\
} while (0)

helper bool release_has(const char *text)
{
	struct utsname name;

	must(!uname(&name));
	return strstr(name.release, text);
}

helper bool on_debug_kernel(void)
{
	return release_has("-gcheapdbg");
}

helper bool on_race_kernel(void)
{
	return release_has("-gcheaprace");
}

/* The debug and the race kernel are ten times as slow as a stock one. */
helper long scaled(long count)
{
	return release_has("-gcheap") ? (count + 9) / 10 : count;
}

/*
 * How often something is tried that may go wrong at one moment in many: torture and the fuzzer
 * have more time for it.
 */
helper long repeated(long times)
{
	return release_has("-gcheap") ? (times + 29) / 30 : (times + 1) / 2;
}

/* An address that the collector does not take for one */
helper uintptr_t hide(const void *object)
{
	return ~(uintptr_t)object;
}

helper void *reveal(uintptr_t hidden)
{
	return (void *)~hidden;
}

helper void await_thread_end(pid_t tid)
{
	while (!syscall(SYS_tgkill, getpid(), tid, 0))
		sched_yield();
}

struct errand {
	void (*run)(void *arg);
	void *arg;
	pid_t tid;
};

/*
 * What returned functions left on the stack, the next one may seem to own; and in
 * registers that a call need not keep, who sleeps in the kernel.
 */
apart void wipe_stack(void)
{
	char space[16 * KIB];

	memset(space, 0, sizeof(space));
	asm volatile("" : : "r" (space) : "memory");
	asm volatile("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\txor %%edx, %%edx\n\t"
		     "xor %%esi, %%esi\n\txor %%edi, %%edi\n\txor %%r8d, %%r8d\n\t"
		     "xor %%r9d, %%r9d\n\txor %%r10d, %%r10d\n\txor %%r11d, %%r11d\n\t"
		     "pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\t"
		     "pxor %%xmm2, %%xmm2\n\tpxor %%xmm3, %%xmm3"
		     : : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "xmm0", "xmm1", "xmm2", "xmm3");
}

/* The stack is the next thread's, as the C library keeps it for that. */
helper void *run_errand(void *arg)
{
	struct errand *errand = arg;

	errand->tid = gettid();
	errand->run(errand->arg);
	wipe_stack();
	return NULL;
}

/* Run a function whose stack and registers are gone afterwards. */
helper void in_thread(void (*run)(void *arg), void *arg)
{
	struct errand errand = { .run = run, .arg = arg };
	pthread_t thread;

	must(!pthread_create(&thread, NULL, run_errand, &errand));
	must(!pthread_join(thread, NULL));
	await_thread_end(errand.tid);
}

helper uint64_t pattern(uint64_t seed, size_t i)
{
	/* Never an address: those have no bit 63. */
	return ((seed + i) * 0x9e3779b97f4a7c15ull) | 1ull << 63;
}

helper void fill(void *object, size_t size, uint64_t seed)
{
	uint64_t *words = object;
	size_t i;

	for (i = 0; i < size / 8; i++)
		words[i] = pattern(seed, i);
	memset(words + i, 0x80 | (seed & 0x7f), size % 8);
}

helper bool filled(const void *object, size_t size, uint64_t seed)
{
	const uint64_t *words = object;
	const unsigned char *rest;
	size_t i;

	for (i = 0; i < size / 8; i++)
		if (words[i] != pattern(seed, i))
			return false;
	for (rest = (const void *)(words + i), i = 0; i < size % 8; i++)
		if (rest[i] != (0x80 | (seed & 0x7f)))
			return false;
	return true;
}

helper bool all_zero(const void *object, size_t size)
{
	const char *bytes = object;

	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

/* To a file of /proc or /sys: all of it, or not */
helper bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return written;
}

/* Addresses that the process has in use, in bytes */
helper size_t addresses_in_use(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages;

	must(file && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/*
 * The statistics, with all that this thread has allocated; and of now: the kernel looks
 * at all of the numbers when it is asked, and has them ready from then on.
 */
helper struct gcheap_stats stats_of(struct gcheap *heap)
{
	struct gcheap_ioc_stats exact = { .size = sizeof(exact) };
	struct gcheap_stats stats;

	gcheap_thread_release(heap);
	must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_STATS, &exact));
	must(!gcheap_read_stats(heap, &stats));
	return stats;
}

struct opening {
	struct gcheap_options options;
	struct gcheap *heap;
};

apart void open_here(void *arg)
{
	struct opening *opening = arg;

	opening->heap = gcheap_open(&opening->options);
	if (opening->heap)
		must(gcheap_alloc_noscan(opening->heap, 1));
}

/*
 * A heap that is collected only when the test says so.  Opened in a thread, and
 * with one object to begin with: many know the address of the heap, and maybe
 * that of its first object with it.
 */
helper struct gcheap *open_manual(size_t size)
{
	struct opening opening = { .options = { .size = size, .percent = -1 } };

	in_thread(open_here, &opening);
	return opening.heap;
}

apart void collect_here(void *heap)
{
	must(!gcheap_collect(heap));
}

/* Collect in a thread, as this one may have used objects lately. */
helper void collect(struct gcheap *heap)
{
	in_thread(collect_here, heap);
}

/* An object that was hidden, for looking at it in a thread */
struct hidden {
	struct gcheap *heap;
	uintptr_t object;
	size_t size;
	uint64_t seed;
	bool answer;
};

apart void look_whether_allocated(void *arg)
{
	struct hidden *hidden = arg;

	hidden->answer = gcheap_base(hidden->heap, reveal(hidden->object));
}

helper bool is_allocated(struct gcheap *heap, uintptr_t object)
{
	struct hidden hidden = { .heap = heap, .object = object };

	in_thread(look_whether_allocated, &hidden);
	return hidden.answer;
}

apart void allocate_hidden(void *arg)
{
	struct hidden *hidden = arg;
	void *object = gcheap_alloc(hidden->heap, hidden->size);

	must(object);
	fill(object, hidden->size, hidden->seed);
	hidden->object = hide(object);
}

/* An object that nothing refers to */
helper uintptr_t new_hidden(struct gcheap *heap, size_t size, uint64_t seed)
{
	struct hidden hidden = { .heap = heap, .size = size, .seed = seed };

	in_thread(allocate_hidden, &hidden);
	return hidden.object;
}

apart void look_whether_filled(void *arg)
{
	struct hidden *hidden = arg;

	hidden->answer = filled(reveal(hidden->object), hidden->size, hidden->seed);
}

helper bool is_filled(struct gcheap *heap, uintptr_t object, size_t size, uint64_t seed)
{
	struct hidden hidden = {
		.heap = heap, .object = object, .size = size, .seed = seed,
	};

	in_thread(look_whether_filled, &hidden);
	return hidden.answer;
}

apart void churn_here(void *arg)
{
	const struct hidden *hidden = arg;
	size_t count = 256 * KIB / (hidden->size + 16) + 16;
	void *object;

	while (count--) {
		object = gcheap_alloc(hidden->heap, hidden->size);
		must(object);
		fill(object, hidden->size, ~hidden->seed);
	}
}

/* Allocate over whatever was reclaimed by mistake. */
helper void churn(struct gcheap *heap, size_t size)
{
	struct hidden hidden = { .heap = heap, .size = size };

	in_thread(churn_here, &hidden);
}

/* The number of the system call that a thread sleeps in, -1 for none */
helper long blocked_in(pid_t pid, pid_t tid)
{
	char path[64], text[32] = "";
	long number;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	must(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	return sscanf(text, "%ld", &number) == 1 ? number : -1;
}

helper void await_blocked(pid_t pid, pid_t tid, long number)
{
	while (blocked_in(pid, tid) != number)
		sched_yield();
}

/* A child that does not outlive its parent */
helper pid_t fork_child(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(KSFT_FAIL);
	}
	return pid;
}

helper int await_child(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0) == pid);
	return status;
}

helper bool child_succeeded(pid_t pid)
{
	int status = await_child(pid);

	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Any other system call than this one ends the process, from now on. */
helper void allow_only(int number)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* Memory that is no root and that several processes have */
helper void *shared_page(void)
{
	void *page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(page != MAP_FAILED);
	return page;
}

/* Both sides of a conversation between threads or processes */
helper void say(int fd)
{
	must(write(fd, "!", 1) == 1);
}

helper void hear(int fd)
{
	char c;

	must(read(fd, &c, 1) == 1);
}

helper void socket_pair(int fds[2])
{
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
}

helper void send_fd(int sock, int fd)
{
	char c = 0, control[CMSG_SPACE(sizeof(fd))] = {};
	struct iovec part = { .iov_base = &c, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	must(sendmsg(sock, &message, 0) == 1);
}

helper int receive_fd(int sock)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = &c, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	must(recvmsg(sock, &message, MSG_CMSG_CLOEXEC) == 1);
	must(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* An ioctl's errno, 0 when it succeeded */
helper int call(int fd, unsigned long number, void *argument)
{
	return ioctl(fd, number, argument) ? errno : 0;
}

/* Without the library: an object, or NULL with errno */
helper void *raw_alloc(int fd, size_t bytes)
{
	struct gcheap_ioc_alloc request = { .size = sizeof(request), .bytes = bytes };

	return ioctl(fd, GCHEAP_IOC_ALLOC, &request) ? NULL : (void *)request.address;
}

helper int raw_collect(int fd)
{
	struct gcheap_ioc_collect request = { .size = sizeof(request) };

	return call(fd, GCHEAP_IOC_COLLECT, &request);
}

helper struct gcheap_ioc_info raw_info(int fd)
{
	struct gcheap_ioc_info info = { .size = sizeof(info) };

	must(!ioctl(fd, GCHEAP_IOC_INFO, &info));
	return info;
}

helper int raw_open(size_t heap_size)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_HEAP_SIZE | GCHEAP_CONFIG_PERCENT,
		.percent = GCHEAP_PERCENT_OFF,
		.heap_size = heap_size,
	};
	int fd = open("/dev/gcheap", O_RDWR | O_CLOEXEC);

	must(fd >= 0);
	must(!ioctl(fd, GCHEAP_IOC_CONFIG, &config));
	return fd;
}

/* Become a member of the heap: its errno, 0 when it succeeded. */
helper int raw_attach(int fd)
{
	struct gcheap_ioc_attach request = { .size = sizeof(request) };

	return call(fd, GCHEAP_IOC_ATTACH, &request);
}

helper void *raw_map(int fd)
{
	must(!raw_attach(fd));
	return mmap(NULL, raw_info(fd).heap_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* Does a heap still allocate, hold what it was given, and collect? */
helper bool works_on(int fd)
{
	void *volatile small = raw_alloc(fd, 48);
	void *volatile large = raw_alloc(fd, 100000);

	if (!small || !large || !all_zero(small, 48) || !all_zero(large, 100000))
		return false;
	fill(small, 48, 1);
	fill(large, 100000, 2);
	return !raw_collect(fd) && filled(small, 48, 1) && filled(large, 100000, 2);
}

#endif /* GCHEAP_TEST_COMMON_H */
