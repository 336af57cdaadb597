// SPDX-License-Identifier: GPL-2.0
/*
 * A stream of calls, and what it does with threads, processes, signals and
 * descriptors.  See fuzz.h.
 */
#include <ucontext.h>

#include "fuzz.h"

/* Calls of a forked child, of an executed one, and of an extra thread */
#define FORK_CALLS	150
#define EXEC_CALLS	100
#define THREAD_CALLS	100

/* Threads and processes beyond these are not begun. */
#define EXTRA_MAX	4
#define CREW_MAX	48

/* Calls that are counted together */
#define COUNTED		16

static __thread struct stream *self;

/* A fault where one was reckoned with; any other ends the process, and the run. */
static void on_fault(int number, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;

	if (self && self->armed) {
		self->armed = false;
		siglongjmp(self->fault, number);
	}
	printf("# signal %d at %p, instruction %#llx, code %d\n", number, info->si_addr,
	       at->uc_mcontext.gregs[REG_RIP], info->si_code);
	fflush(stdout);
	signal(number, SIG_DFL);
}

static void on_signal(int number)
{
	(void)number;
}

/**
 * catch_faults() - wild accesses are not this process's end
 */
void catch_faults(void)
{
	struct sigaction fault = {
		.sa_sigaction = on_fault, .sa_flags = SA_NODEFER | SA_SIGINFO,
	};
	struct sigaction other = { .sa_handler = on_signal };

	must(!sigaction(SIGSEGV, &fault, NULL));
	must(!sigaction(SIGBUS, &fault, NULL));
	must(!sigaction(SIGUSR1, &other, NULL));
	signal(SIGPIPE, SIG_IGN);
	/* Nobody waits for what a stream has forked. */
	signal(SIGCHLD, SIG_IGN);
}

/* The number of a stream that this one begins now */
static uint64_t child_number(const struct stream *s)
{
	return mix(s->number ^ mix(s->call)) | 1ull << 63;
}

static struct arena *arena_new(void)
{
	struct arena *arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(arena != MAP_FAILED);
	must(!mprotect(arena->guard, sizeof(arena->guard), PROT_NONE));
	return arena;
}

/* The descriptor takes the place of another one, which is closed. */
static void keep_heap(struct stream *s, int fd, uintptr_t base)
{
	struct gcheap_ioc_info info = raw_info(fd);
	int old;

	s->heap->size = info.heap_size;
	s->heap->base = base;
	old = atomic_exchange(&s->heap->fd, fd);
	if (old >= 0)
		close(old);
}

static void do_open(struct stream *s)
{
	static const uint64_t sizes[] = {
		MIB, 2 * MIB, 2 * MIB, 2 * MIB, 4 * MIB, 8 * MIB, GCHEAP_SIZE_MAX,
	};
	struct gcheap_ioc_config config = {
		.size = sizeof(config), .flags = GCHEAP_CONFIG_HEAP_SIZE,
		.heap_size = sizes[below(&s->random, ARRAY_SIZE(sizes))],
	};
	bool configured = !one_in(&s->random, 8), unmapped = one_in(&s->random, 2);
	int fd;

	call_begin(s, "open");
	call_allow(s, ENOMEM);
	fd = open("/dev/gcheap", O_RDWR | O_CLOEXEC);
	if (!call_end(s, fd))
		return;
	/* Who had a heap of that number before may have mapped this one meanwhile. */
	if (configured && ioctl(fd, GCHEAP_IOC_CONFIG, &config))
		must(errno == EBUSY);
	if (unmapped)
		munmap((void *)s->base, s->size);
	keep_heap(s, fd, 0);
}

static void do_dup(struct stream *s)
{
	int fd;

	call_begin(s, "dup");
	fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
	if (call_end(s, fd) && one_in(&s->random, 2))
		fd = atomic_exchange(&s->heap->fd, fd);
	if (fd >= 0)
		close(fd);
}

static void do_close(struct stream *s)
{
	int fd = atomic_exchange(&s->heap->fd, -1);

	call_begin(s, "close");
	if (fd >= 0)
		call_end(s, close(fd));
}

static void put_into_mailbox(struct stream *s)
{
	char c = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec part = { .iov_base = &c, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &s->fd, sizeof(int));
	call_begin(s, "sendmsg");
	call_allow(s, EAGAIN);
	call_allow(s, ETOOMANYREFS);
	call_end(s, sendmsg(s->fuzz->mailbox[0], &message, MSG_DONTWAIT));
}

static int take_from_mailbox(struct stream *s)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = &c, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	call_begin(s, "recvmsg");
	call_allow(s, EAGAIN);
	if (call_end(s, recvmsg(s->fuzz->mailbox[1], &message,
				MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) &&
	    CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void do_pass(struct stream *s)
{
	bool put = one_in(&s->random, 2);
	int fd;

	if (put) {
		put_into_mailbox(s);
		return;
	}
	fd = take_from_mailbox(s);
	if (fd < 0)
		return;
	keep_heap(s, fd, raw_info(fd).base);
	raw_attach(fd);
	mmap(NULL, s->heap->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/*
 * The child has the stack of a thread, the other threads' arenas, and a member's
 * entry of its own, if there is any left.
 */
static void child_run(struct stream *s, uint64_t number)
{
	s->fuzz->extra = 0;
	stream_run(s->fuzz, number, FORK_CALLS);
	_exit(KSFT_PASS);
}

static void do_fork(struct stream *s)
{
	uint64_t number = child_number(s);
	pid_t pid;

	if (crew_size(s->fuzz->crew) >= CREW_MAX)
		return;
	call_begin(s, "fork");
	call_allow(s, EAGAIN);
	call_allow(s, ENOMEM);
	pid = fork();
	if (!pid)
		child_run(s, number);
	call_end(s, pid);
}

/* What a vfork child changes is its parent's: the stream goes on there. */
static void do_vfork(struct stream *s)
{
	struct stream child = *s;
	pid_t pid;

	call_begin(s, "vfork");
	call_allow(s, EAGAIN);
	call_allow(s, ENOMEM);
	child.vforked = true;
	pid = vfork();
	if (!pid) {
		self = &child;
		do_refill(&child);
		_exit(KSFT_PASS);
	}
	self = s;
	call_end(s, pid);
}

static void execute(struct stream *s, uint64_t number)
{
	char numbers[5][24];
	/* Inherited, as are the crew and a way to other heaps */
	int fd = dup(s->fd);

	snprintf(numbers[0], sizeof(numbers[0]), "%lu", s->fuzz->seed);
	snprintf(numbers[1], sizeof(numbers[1]), "%lu", number);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", dup(s->fuzz->crew_fd));
	snprintf(numbers[3], sizeof(numbers[3]), "%d", fd);
	snprintf(numbers[4], sizeof(numbers[4]), "%d", EXEC_CALLS);
	execl("/proc/self/exe", "fuzz", "--executed", numbers[0], numbers[1], numbers[2],
	      numbers[3], numbers[4], NULL);
	_exit(KSFT_PASS);
}

static void do_exec(struct stream *s)
{
	uint64_t number = child_number(s);
	pid_t pid;

	if (crew_size(s->fuzz->crew) >= CREW_MAX)
		return;
	call_begin(s, "fork and exec");
	call_allow(s, EAGAIN);
	call_allow(s, ENOMEM);
	pid = one_in(&s->random, 2) ? vfork() : fork();
	if (!pid)
		execute(s, number);
	call_end(s, pid);
}

struct extra {
	struct fuzz *fuzz;
	uint64_t number;
};

static void *run_extra(void *arg)
{
	struct extra extra = *(struct extra *)arg;

	free(arg);
	stream_run(extra.fuzz, extra.number, THREAD_CALLS);
	extra.fuzz->extra--;
	return NULL;
}

static void do_thread(struct stream *s)
{
	struct extra *extra;
	pthread_t thread;

	if (s->fuzz->extra >= EXTRA_MAX)
		return;
	s->fuzz->extra++;
	extra = malloc(sizeof(*extra));
	must(extra);
	*extra = (struct extra) { .fuzz = s->fuzz, .number = child_number(s) };
	must(!pthread_create(&thread, NULL, run_extra, extra));
	must(!pthread_detach(thread));
}

/* Mostly someone else; who is stopped is soon continued by the controller. */
static void do_kill(struct stream *s)
{
	static const int signals[] = { SIGKILL, SIGKILL, SIGSTOP };
	int number = signals[below(&s->random, ARRAY_SIZE(signals))];
	struct member *member = &s->fuzz->crew->members[below(&s->random, CREW_MAX)];
	pid_t pid = member->pid;

	if (pid <= 0)
		return;
	call_begin(s, "kill");
	call_allow(s, ESRCH);
	call_end(s, kill(pid, number));
}

static void do_signal(struct stream *s)
{
	struct member *member = &s->fuzz->crew->members[below(&s->random, CREW_MAX)];
	pid_t pid = member->pid, tid = member->tid;

	if (pid <= 0 || tid <= 0)
		return;
	call_begin(s, "tgkill");
	call_allow(s, ESRCH);
	call_end(s, syscall(SYS_tgkill, pid, tid, SIGUSR1));
}

static void step(struct stream *s)
{
	static const struct {
		unsigned int weight;
		void (*make)(struct stream *s);
	} calls[] = {
		{ 7010, do_ioctl }, { 1450, do_memory }, { 700, do_touch },
		{ 370, do_map }, { 20, do_map_stats }, { 200, do_dup }, { 120, do_pass },
		{ 80, do_signal }, { 30, do_open }, { 10, do_close },
		{ 4, do_thread }, { 2, do_vfork }, { 2, do_fork }, { 1, do_kill },
		{ 1, do_exec },
	};
	uint64_t i = 0, ticket = below(&s->random, 10000);

	while (ticket >= calls[i].weight)
		ticket -= calls[i++].weight;
	calls[i].make(s);
}

static void count_calls(struct stream *s)
{
	s->fuzz->crew->done += s->made;
	s->made = 0;
}

/**
 * stream_run() - make the calls of a stream
 * @fuzz: the process
 * @number: of the stream
 * @calls: how many
 */
void stream_run(struct fuzz *fuzz, uint64_t number, uint64_t calls)
{
	struct stream stream = { .fuzz = fuzz, .number = number };

	stream.member = member_join(fuzz->crew);
	if (!stream.member)
		return;
	stream.arena = arena_new();
	self = &stream;
	while (stream.call < calls && !fuzz->crew->stop) {
		stream.random = mix(fuzz->seed ^ mix(number)) + mix(stream.call);
		stream.member->progress++;
		choose_heap(&stream);
		step(&stream);
		stream.call++;
		if (stream.made >= COUNTED)
			count_calls(&stream);
	}
	count_calls(&stream);
	self = NULL;
	munmap(stream.arena, sizeof(*stream.arena));
	member_leave(stream.member);
}

struct first {
	struct fuzz *fuzz;
	uint64_t number;
};

static void *run_first(void *arg)
{
	struct first *first = arg;

	stream_run(first->fuzz, first->number, LIFE_CALLS);
	return NULL;
}

/**
 * process_run() - the life of a process that the controller started
 * @fuzz: the process
 * @number: of its first stream
 *
 * It ends with threads at work, if it comes to that.
 */
void process_run(struct fuzz *fuzz, uint64_t number)
{
	struct first firsts[fuzz->threads];
	pthread_t threads[fuzz->threads];
	int i;

	for (i = 1; i < fuzz->threads; i++) {
		firsts[i] = (struct first) { .fuzz = fuzz, .number = number + i };
		must(!pthread_create(&threads[i], NULL, run_first, &firsts[i]));
	}
	stream_run(fuzz, number, LIFE_CALLS);
	for (i = 1; i < fuzz->threads; i++)
		must(!pthread_join(threads[i], NULL));
	_exit(KSFT_PASS);
}
