// SPDX-License-Identifier: GPL-2.0
/*
 * A thread that sleeps in a system call sleeps on through collections: no EINTR,
 * no early return, not even a restart behind its back; and when it is woken, or its
 * time is over, it has what it waited for.
 */
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <termios.h>

#include "common.h"

#define COLLECTIONS	10000
#define CHUNK		4096

/* What a call returns that makes a descriptor, a number of bytes, or the like */
#define SOME		(-2L)

/* Longer than any test, and a second, for those that have a timeout */
static const struct timespec ages = { .tv_sec = 1000000 };
static const struct timespec second = { .tv_sec = 1 };

/**
 * struct sleeper - a thread, and what it sleeps in
 * @call: the call
 * @fds: descriptors, as the call needs them
 * @id: of a System V or POSIX object, or a process
 * @word: a futex
 * @aio: a context
 * @timeout: after which the call ends by itself
 * @thread: handle
 * @tid: number, zero before it runs
 * @returned: from the call
 * @result: what the call returned
 * @error: errno
 * @duration: how long it took, in seconds
 */
struct sleeper {
	const struct call *call;
	int fds[2];
	long id;
	uint32_t word;
	aio_context_t aio;
	const struct timespec *timeout;
	pthread_t thread;
	_Atomic pid_t tid;
	_Atomic bool returned;
	long result;
	int error;
	double duration;
};

/**
 * struct call - a call that blocks
 * @name: for people
 * @number: of the system call
 * @prepare: makes what it needs; false when the kernel does not have it
 * @sleep: calls it
 * @wake: makes it return; NULL when only a signal does
 * @result: what it is to return then
 * @timed_out: errno when a timeout is over, 0 for success; -1 without a timeout
 */
struct call {
	const char *name;
	long number;
	bool (*prepare)(struct sleeper *s);
	long (*sleep)(struct sleeper *s);
	void (*wake)(struct sleeper *s);
	long result;
	int timed_out;
};

static bool make_nothing(struct sleeper *s)
{
	return s;
}

static bool make_pipe(struct sleeper *s)
{
	return !pipe2(s->fds, O_CLOEXEC);
}

static bool make_socket_pair(struct sleeper *s)
{
	const struct timeval limit = { .tv_sec = s->timeout->tv_sec };

	socket_pair(s->fds);
	return !setsockopt(s->fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static bool make_event(struct sleeper *s)
{
	s->fds[0] = eventfd(0, EFD_CLOEXEC);
	return s->fds[0] >= 0;
}

static long sleep_in_read(struct sleeper *s)
{
	char buffer[128];

	return syscall(SYS_read, s->fds[0], buffer, sizeof(buffer));
}

static void write_byte(struct sleeper *s)
{
	say(s->fds[1]);
}

static void count_event(struct sleeper *s)
{
	must(!eventfd_write(s->fds[0], 1));
}

static void fill_up(int fd)
{
	static const char chunk[CHUNK];

	must(!fcntl(fd, F_SETFL, O_NONBLOCK));
	while (write(fd, chunk, sizeof(chunk)) > 0)
		;
	must(errno == EAGAIN && !fcntl(fd, F_SETFL, 0));
}

static void drain(struct sleeper *s)
{
	static char chunk[CHUNK];

	must(!fcntl(s->fds[0], F_SETFL, O_NONBLOCK));
	while (read(s->fds[0], chunk, sizeof(chunk)) > 0)
		;
}

static bool make_full_pipe(struct sleeper *s)
{
	if (!make_pipe(s))
		return false;
	fill_up(s->fds[1]);
	return true;
}

static bool make_full_socket(struct sleeper *s)
{
	socket_pair(s->fds);
	fill_up(s->fds[1]);
	return true;
}

static long sleep_in_write(struct sleeper *s)
{
	return syscall(SYS_write, s->fds[1], "", 1);
}

static long sleep_in_sendto(struct sleeper *s)
{
	return syscall(SYS_sendto, s->fds[1], "", 1, 0, NULL, 0);
}

static bool make_terminal(struct sleeper *s)
{
	struct termios raw;

	s->fds[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->fds[1] < 0 || unlockpt(s->fds[1]))
		return false;
	s->fds[0] = open(ptsname(s->fds[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	must(s->fds[0] >= 0 && !tcgetattr(s->fds[0], &raw));
	cfmakeraw(&raw);
	return !tcsetattr(s->fds[0], TCSANOW, &raw);
}

static long sleep_in_recvfrom(struct sleeper *s)
{
	char c;

	return syscall(SYS_recvfrom, s->fds[0], &c, 1, 0, NULL, NULL);
}

static long sleep_in_recvmsg(struct sleeper *s)
{
	char c;
	struct iovec part = { .iov_base = &c, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	return syscall(SYS_recvmsg, s->fds[0], &message, 0);
}

/* Bound to a name of the kernel's choice; a queue of one */
static bool make_listener(struct sleeper *s)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX };

	s->fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(s->fds[0] >= 0);
	must(!bind(s->fds[0], (struct sockaddr *)&any, sizeof(any.sun_family)));
	return !listen(s->fds[0], 0);
}

static int connect_to(int listener, int flags)
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	must(fd >= 0 && !getsockname(listener, (struct sockaddr *)&name, &length));
	return syscall(SYS_connect, fd, &name, length);
}

static bool make_busy_listener(struct sleeper *s)
{
	if (!make_listener(s))
		return false;
	while (!connect_to(s->fds[0], SOCK_NONBLOCK))
		;
	return errno == EAGAIN;
}

static long sleep_in_accept(struct sleeper *s)
{
	return syscall(SYS_accept, s->fds[0], NULL, NULL);
}

static void connect_once(struct sleeper *s)
{
	must(!connect_to(s->fds[0], 0));
}

static long sleep_in_connect(struct sleeper *s)
{
	return connect_to(s->fds[0], 0);
}

static void accept_once(struct sleeper *s)
{
	must(accept4(s->fds[0], NULL, NULL, SOCK_CLOEXEC) >= 0);
}

static int milliseconds(const struct sleeper *s)
{
	return s->timeout->tv_sec * 1000;
}

static long sleep_in_poll(struct sleeper *s)
{
	struct pollfd poll = { .fd = s->fds[0], .events = POLLIN };

	return syscall(SYS_poll, &poll, 1, milliseconds(s));
}

static long sleep_in_ppoll(struct sleeper *s)
{
	struct pollfd poll = { .fd = s->fds[0], .events = POLLIN };
	struct timespec timeout = *s->timeout;
	sigset_t none;

	sigemptyset(&none);
	return syscall(SYS_ppoll, &poll, 1, &timeout, &none, 8);
}

static long sleep_in_select(struct sleeper *s)
{
	struct timeval timeout = { .tv_sec = s->timeout->tv_sec };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(s->fds[0], &set);
	return syscall(SYS_select, s->fds[0] + 1, &set, NULL, NULL, &timeout);
}

static long sleep_in_pselect(struct sleeper *s)
{
	struct timespec timeout = *s->timeout;
	fd_set set;

	FD_ZERO(&set);
	FD_SET(s->fds[0], &set);
	return syscall(SYS_pselect6, s->fds[0] + 1, &set, NULL, NULL, &timeout, NULL);
}

static bool make_epoll(struct sleeper *s)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (!make_event(s))
		return false;
	s->fds[1] = epoll_create1(EPOLL_CLOEXEC);
	must(s->fds[1] >= 0);
	return !epoll_ctl(s->fds[1], EPOLL_CTL_ADD, s->fds[0], &event);
}

static long sleep_in_epoll_wait(struct sleeper *s)
{
	struct epoll_event event;

	return syscall(SYS_epoll_wait, s->fds[1], &event, 1, milliseconds(s));
}

static long sleep_in_epoll_pwait(struct sleeper *s)
{
	struct epoll_event event;
	sigset_t none;

	sigemptyset(&none);
	return syscall(SYS_epoll_pwait, s->fds[1], &event, 1, -1, &none, 8);
}

static long sleep_in_nanosleep(struct sleeper *s)
{
	return syscall(SYS_nanosleep, s->timeout, NULL);
}

static long sleep_in_clock_nanosleep(struct sleeper *s)
{
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, s->timeout, NULL);
}

static long sleep_until(struct sleeper *s)
{
	struct timespec then;

	clock_gettime(CLOCK_MONOTONIC, &then);
	then.tv_sec += s->timeout->tv_sec;
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

static long sleep_in_futex(struct sleeper *s)
{
	return syscall(SYS_futex, &s->word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static long sleep_in_futex_for(struct sleeper *s)
{
	return syscall(SYS_futex, &s->word, FUTEX_WAIT_PRIVATE, 0, s->timeout);
}

static void wake_futex(struct sleeper *s)
{
	s->word = 1;
	must(syscall(SYS_futex, &s->word, FUTEX_WAKE_PRIVATE, 1) == 1);
}

static bool make_locked_futex(struct sleeper *s)
{
	return !syscall(SYS_futex, &s->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL);
}

static long sleep_in_futex_lock(struct sleeper *s)
{
	return syscall(SYS_futex, &s->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL);
}

static void unlock_futex(struct sleeper *s)
{
	must(!syscall(SYS_futex, &s->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL));
}

static bool make_semaphore(struct sleeper *s)
{
	s->id = semget(IPC_PRIVATE, 1, 0600);
	return s->id >= 0;
}

static long sleep_in_semop(struct sleeper *s)
{
	struct sembuf take = { .sem_op = -1 };

	return syscall(SYS_semop, s->id, &take, 1);
}

static long sleep_in_semtimedop(struct sleeper *s)
{
	struct sembuf take = { .sem_op = -1 };

	return syscall(SYS_semtimedop, s->id, &take, 1, s->timeout);
}

static void give_semaphore(struct sleeper *s)
{
	struct sembuf give = { .sem_op = 1 };

	must(!semop(s->id, &give, 1));
}

static bool make_message_queue(struct sleeper *s)
{
	s->id = msgget(IPC_PRIVATE, 0600);
	return s->id >= 0;
}

struct message {
	long type;
	char text;
};

static long sleep_in_msgrcv(struct sleeper *s)
{
	struct message message;

	return syscall(SYS_msgrcv, s->id, &message, 1, 0, 0);
}

static void send_message(struct sleeper *s)
{
	const struct message message = { .type = 1 };

	must(!msgsnd(s->id, &message, 1, 0));
}

static bool make_posix_queue(struct sleeper *s)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	char name[64];

	snprintf(name, sizeof(name), "gcheap-%d", getpid());
	s->id = syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600, &attr);
	syscall(SYS_mq_unlink, name);
	return s->id >= 0;
}

static long sleep_in_mq_receive(struct sleeper *s)
{
	struct timespec then;
	char c;

	clock_gettime(CLOCK_REALTIME, &then);
	then.tv_sec += s->timeout->tv_sec;
	return syscall(SYS_mq_timedreceive, s->id, &c, 1, NULL, &then);
}

static void send_to_posix_queue(struct sleeper *s)
{
	must(!syscall(SYS_mq_timedsend, s->id, "", 1, 0, NULL));
}

/* A signal of its own, blocked in all threads */
static int own_signal(const struct sleeper *s)
{
	return SIGRTMIN + (s->call->sleep == sleep_in_read);
}

static sigset_t set_of(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	return set;
}

static bool make_blocked_signal(struct sleeper *s)
{
	const sigset_t set = set_of(own_signal(s));

	return !pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static long sleep_in_sigtimedwait(struct sleeper *s)
{
	const sigset_t set = set_of(own_signal(s));

	return syscall(SYS_rt_sigtimedwait, &set, NULL, s->timeout, 8);
}

static void send_own_signal(struct sleeper *s)
{
	must(!syscall(SYS_tgkill, getpid(), s->tid, own_signal(s)));
}

static bool make_signalfd(struct sleeper *s)
{
	const sigset_t set = set_of(own_signal(s));

	if (!make_blocked_signal(s))
		return false;
	s->fds[0] = signalfd(-1, &set, SFD_CLOEXEC);
	return s->fds[0] >= 0;
}

static bool make_timer(struct sleeper *s)
{
	s->fds[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	return s->fds[0] >= 0;
}

/* Its time begins when the thread's does, and not when the test gets ready. */
static long sleep_in_read_of_timer(struct sleeper *s)
{
	const struct itimerspec time = { .it_value = *s->timeout };

	must(!timerfd_settime(s->fds[0], 0, &time, NULL));
	return sleep_in_read(s);
}

static void end_timer(struct sleeper *s)
{
	const struct itimerspec now = { .it_value.tv_nsec = 1 };

	must(!timerfd_settime(s->fds[0], 0, &now, NULL));
}

static bool make_inotify(struct sleeper *s)
{
	s->fds[0] = inotify_init1(IN_CLOEXEC);
	return s->fds[0] >= 0 && inotify_add_watch(s->fds[0], "/tmp", IN_ATTRIB) >= 0;
}

static void touch_directory(struct sleeper *s)
{
	must(s && !chmod("/tmp", 01777));
}

/* One file, opened twice; the second one has it locked. */
static bool open_twice(struct sleeper *s)
{
	char path[] = "/tmp/gcheap-XXXXXX";

	s->fds[1] = mkstemp(path);
	s->fds[0] = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	return s->fds[0] >= 0 && s->fds[1] >= 0;
}

static bool make_flock(struct sleeper *s)
{
	return open_twice(s) && !flock(s->fds[1], LOCK_EX);
}

static long sleep_in_flock(struct sleeper *s)
{
	return syscall(SYS_flock, s->fds[0], LOCK_EX);
}

static void unlock_file(struct sleeper *s)
{
	must(!flock(s->fds[1], LOCK_UN));
}

static bool make_record_lock(struct sleeper *s)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };

	return open_twice(s) && !fcntl(s->fds[1], F_OFD_SETLK, &lock);
}

static long sleep_in_fcntl(struct sleeper *s)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };

	return syscall(SYS_fcntl, s->fds[0], F_OFD_SETLKW, &lock);
}

static void unlock_record(struct sleeper *s)
{
	struct flock lock = { .l_type = F_UNLCK, .l_len = 1 };

	must(!fcntl(s->fds[1], F_OFD_SETLK, &lock));
}

static bool make_child(struct sleeper *s)
{
	s->id = fork_child();
	if (!s->id)
		for (;;)
			pause();
	return true;
}

static long sleep_in_wait4(struct sleeper *s)
{
	return syscall(SYS_wait4, s->id, NULL, 0, NULL);
}

static long sleep_in_waitid(struct sleeper *s)
{
	return syscall(SYS_waitid, P_PID, s->id, NULL, WEXITED, NULL);
}

static void kill_child(struct sleeper *s)
{
	must(!kill(s->id, SIGKILL));
}

static bool make_aio(struct sleeper *s)
{
	return open_twice(s) && !syscall(SYS_io_setup, 1, &s->aio);
}

static long sleep_in_io_getevents(struct sleeper *s)
{
	struct timespec timeout = *s->timeout;
	struct io_event event;

	return syscall(SYS_io_getevents, s->aio, 1, 1, &event, &timeout);
}

static void read_asynchronously(struct sleeper *s)
{
	static char c;
	struct iocb block = {
		.aio_fildes = s->fds[0], .aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_buf = (uintptr_t)&c, .aio_nbytes = 1,
	}, *blocks = &block;

	must(syscall(SYS_io_submit, s->aio, 1, &blocks) == 1);
}

static struct io_uring_params ring;

static bool make_ring(struct sleeper *s)
{
	memset(&ring, 0, sizeof(ring));
	s->fds[0] = syscall(SYS_io_uring_setup, 1, &ring);
	return s->fds[0] >= 0;
}

static long sleep_in_io_uring_enter(struct sleeper *s)
{
	return syscall(SYS_io_uring_enter, s->fds[0], 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
}

/* An operation that does nothing, and completes */
static void submit_to_ring(struct sleeper *s)
{
	const size_t size = ring.sq_off.array + sizeof(uint32_t);
	const int access = PROT_READ | PROT_WRITE;
	struct io_uring_sqe *entry;
	char *queue;

	queue = mmap(NULL, size, access, MAP_SHARED, s->fds[0], IORING_OFF_SQ_RING);
	entry = mmap(NULL, sizeof(*entry), access, MAP_SHARED, s->fds[0], IORING_OFF_SQES);
	must(queue != MAP_FAILED && entry != MAP_FAILED);
	*entry = (struct io_uring_sqe) { .opcode = IORING_OP_NOP };
	*(uint32_t *)(queue + ring.sq_off.array) = 0;
	__atomic_add_fetch((uint32_t *)(queue + ring.sq_off.tail), 1, __ATOMIC_SEQ_CST);
	must(syscall(SYS_io_uring_enter, s->fds[0], 1, 0, 0, NULL, 0) == 1);
}

static void fifo_path(const struct sleeper *s, char path[64])
{
	snprintf(path, 64, "/tmp/gcheap-fifo-%d-%ld", getpid(), s->id);
}

static bool make_fifo(struct sleeper *s)
{
	char path[64];

	s->id = gettid();
	fifo_path(s, path);
	return !mkfifo(path, 0600);
}

static long sleep_in_open(struct sleeper *s)
{
	char path[64];

	fifo_path(s, path);
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static void open_other_end(struct sleeper *s)
{
	char path[64];

	fifo_path(s, path);
	must(open(path, O_WRONLY | O_CLOEXEC) >= 0 && !unlink(path));
}

static long sleep_in_pause(struct sleeper *s)
{
	return syscall(SYS_pause, s);
}

static long sleep_in_sigsuspend(struct sleeper *s)
{
	sigset_t none;

	sigemptyset(&none);
	return syscall(SYS_rt_sigsuspend, &none, 8, s);
}

static const struct call calls[] = {
	{ "read of a pipe", SYS_read, make_pipe, sleep_in_read, write_byte, 1, -1 },
	{ "read of a terminal", SYS_read, make_terminal, sleep_in_read, write_byte, 1, -1 },
	{ "read of an eventfd", SYS_read, make_event, sleep_in_read, count_event, 8, -1 },
	{ "read of a signalfd", SYS_read, make_signalfd, sleep_in_read, send_own_signal,
	  sizeof(struct signalfd_siginfo), -1 },
	{ "read of a timerfd", SYS_read, make_timer, sleep_in_read_of_timer, end_timer, 8, 0 },
	{ "read of inotify", SYS_read, make_inotify, sleep_in_read, touch_directory, SOME, -1 },
	{ "write to a pipe", SYS_write, make_full_pipe, sleep_in_write, drain, 1, -1 },
	{ "write to a socket", SYS_write, make_full_socket, sleep_in_write, drain, 1, -1 },
	{ "sendto", SYS_sendto, make_full_socket, sleep_in_sendto, drain, 1, -1 },
	{ "recvfrom", SYS_recvfrom, make_socket_pair, sleep_in_recvfrom, write_byte, 1, EAGAIN },
	{ "recvmsg", SYS_recvmsg, make_socket_pair, sleep_in_recvmsg, write_byte, 1, EAGAIN },
	{ "accept", SYS_accept, make_listener, sleep_in_accept, connect_once, SOME, -1 },
	{ "connect", SYS_connect, make_busy_listener, sleep_in_connect, accept_once, 0, -1 },
	{ "poll", SYS_poll, make_event, sleep_in_poll, count_event, 1, 0 },
	{ "ppoll", SYS_ppoll, make_event, sleep_in_ppoll, count_event, 1, 0 },
	{ "select", SYS_select, make_event, sleep_in_select, count_event, 1, 0 },
	{ "pselect", SYS_pselect6, make_event, sleep_in_pselect, count_event, 1, 0 },
	{ "epoll_wait", SYS_epoll_wait, make_epoll, sleep_in_epoll_wait, count_event, 1, 0 },
	{ "epoll_pwait", SYS_epoll_pwait, make_epoll, sleep_in_epoll_pwait, count_event, 1, -1 },
	{ "nanosleep", SYS_nanosleep, make_nothing, sleep_in_nanosleep, NULL, 0, 0 },
	{ "clock_nanosleep", SYS_clock_nanosleep, make_nothing, sleep_in_clock_nanosleep,
	  NULL, 0, 0 },
	{ "clock_nanosleep until a time", SYS_clock_nanosleep, make_nothing, sleep_until,
	  NULL, 0, 0 },
	{ "futex", SYS_futex, make_nothing, sleep_in_futex, wake_futex, 0, -1 },
	{ "futex with a timeout", SYS_futex, make_nothing, sleep_in_futex_for, wake_futex, 0,
	  ETIMEDOUT },
	{ "futex that inherits priority", SYS_futex, make_locked_futex, sleep_in_futex_lock,
	  unlock_futex, 0, -1 },
	{ "semop", SYS_semop, make_semaphore, sleep_in_semop, give_semaphore, 0, -1 },
	{ "semtimedop", SYS_semtimedop, make_semaphore, sleep_in_semtimedop, give_semaphore, 0,
	  EAGAIN },
	{ "msgrcv", SYS_msgrcv, make_message_queue, sleep_in_msgrcv, send_message, 1, -1 },
	{ "mq_receive", SYS_mq_timedreceive, make_posix_queue, sleep_in_mq_receive,
	  send_to_posix_queue, 1, ETIMEDOUT },
	{ "sigwaitinfo", SYS_rt_sigtimedwait, make_blocked_signal, sleep_in_sigtimedwait,
	  send_own_signal, SOME, EAGAIN },
	{ "flock", SYS_flock, make_flock, sleep_in_flock, unlock_file, 0, -1 },
	{ "fcntl", SYS_fcntl, make_record_lock, sleep_in_fcntl, unlock_record, 0, -1 },
	{ "wait4", SYS_wait4, make_child, sleep_in_wait4, kill_child, SOME, -1 },
	{ "waitid", SYS_waitid, make_child, sleep_in_waitid, kill_child, 0, -1 },
	{ "io_getevents", SYS_io_getevents, make_aio, sleep_in_io_getevents,
	  read_asynchronously, 1, 0 },
	{ "io_uring_enter", SYS_io_uring_enter, make_ring, sleep_in_io_uring_enter,
	  submit_to_ring, 0, -1 },
	{ "open of a fifo", SYS_openat, make_fifo, sleep_in_open, open_other_end, SOME, -1 },
	{ "pause", SYS_pause, make_nothing, sleep_in_pause, NULL, 0, -1 },
	{ "sigsuspend", SYS_rt_sigsuspend, make_nothing, sleep_in_sigsuspend, NULL, 0, -1 },
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void *run_sleeper(void *arg)
{
	struct sleeper *s = arg;
	double start;

	s->tid = gettid();
	errno = 0;
	start = now();
	s->result = s->call->sleep(s);
	s->error = errno;
	s->duration = now() - start;
	s->returned = true;
	return NULL;
}

/* Returns false when the kernel does not have the call. */
static bool start_sleeper(struct sleeper *s, const struct call *call,
			  const struct timespec *timeout)
{
	s->call = call;
	s->timeout = timeout;
	if (!call->prepare(s)) {
		printf("# %s: not in this kernel (errno %d)\n", call->name, errno);
		return false;
	}
	must(!pthread_create(&s->thread, NULL, run_sleeper, s));
	while (!s->tid)
		sched_yield();
	return true;
}

static void do_nothing(int signal)
{
	(void)signal;
}

FIXTURE(eintr) {
	struct gcheap *heap;
	struct sleeper sleepers[ARRAY_SIZE(calls)];
};

/* A program with handlers that do not ask for SA_RESTART sees EINTR soonest. */
FIXTURE_VARIANT(eintr) {
	bool handlers;
	int flags;
};

FIXTURE_VARIANT_ADD(eintr, in_a_program_without_handlers) {
	.handlers = false,
};

FIXTURE_VARIANT_ADD(eintr, in_a_program_with_handlers) {
	.handlers = true,
};

FIXTURE_VARIANT_ADD(eintr, in_a_program_whose_handlers_restart_calls) {
	.handlers = true, .flags = SA_RESTART,
};

FIXTURE_SETUP(eintr)
{
	struct sigaction action = { .sa_handler = do_nothing, .sa_flags = variant->flags };
	int signal;

	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
	for (signal = 1; variant->handlers && signal < 64; signal++)
		if (signal != SIGSEGV && signal != SIGABRT)
			sigaction(signal, &action, NULL);
}

FIXTURE_TEARDOWN(eintr)
{
	gcheap_close(self->heap);
}

/* Forty threads that sleep make each one long where memory is checked. */
static long collections(void)
{
	if (on_race_kernel())
		return COLLECTIONS / 10;
	return on_debug_kernel() ? COLLECTIONS / 5 : COLLECTIONS;
}

TEST_F(eintr, is_not_seen_by_who_sleeps)
{
	const pid_t pid = getpid();
	struct sleeper *s = self->sleepers;
	size_t i;
	long n;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (start_sleeper(&s[i], &calls[i], &ages))
			await_blocked(pid, s[i].tid, calls[i].number);
	for (n = repeated(collections()); n; n--)
		must(!gcheap_collect(self->heap));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!s[i].tid)
			continue;
		EXPECT_FALSE(s[i].returned)
			TH_LOG("%s returned %ld, errno %d", calls[i].name, s[i].result,
			       s[i].error);
		/* A restarted call would go by the number of restart_syscall. */
		if (!s[i].returned)
			EXPECT_EQ(calls[i].number, blocked_in(pid, s[i].tid));
	}
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!s[i].tid || !calls[i].wake || s[i].returned)
			continue;
		calls[i].wake(&s[i]);
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
		EXPECT_TRUE(calls[i].result == s[i].result ||
			    (calls[i].result == SOME && s[i].result >= 0))
			TH_LOG("%s returned %ld, errno %d", calls[i].name, s[i].result,
			       s[i].error);
	}
}

/* A timeout is over when it says, and no sooner; how much later, is printed. */
TEST_F(eintr, is_not_seen_by_who_sleeps_for_a_second)
{
	struct sleeper *s = self->sleepers;
	double longest = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].timed_out >= 0)
			start_sleeper(&s[i], &calls[i], &second);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!s[i].tid)
			continue;
		while (!s[i].returned)
			must(!gcheap_collect(self->heap));
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
		EXPECT_EQ(calls[i].timed_out, s[i].error)
			TH_LOG("%s", calls[i].name);
		/* Clocks tick at different places of a kernel: a tick of the slowest */
		EXPECT_LE(0.99, s[i].duration)
			TH_LOG("%s", calls[i].name);
		if (s[i].duration > longest)
			longest = s[i].duration;
	}
	printf("# the longest second took %.3f s\n", longest);
}

/* A process that maps the heap, and never collects */
TEST_F(eintr, is_not_seen_in_another_process)
{
	struct sleeper *s = self->sleepers;
	pid_t pid;
	long i;

	ASSERT_TRUE(make_event(s));
	pid = fork_child();
	if (!pid) {
		must(sleep_in_read(s) == 8);
		_exit(KSFT_PASS);
	}
	await_blocked(pid, pid, SYS_read);
	for (i = repeated(1000); i; i--)
		must(!gcheap_collect(self->heap));
	EXPECT_EQ(SYS_read, blocked_in(pid, pid));
	count_event(s);
	EXPECT_TRUE(child_succeeded(pid));
}

/* What these tests look for does exist. */
TEST_F(eintr, is_seen_when_there_is_a_signal)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct sleeper *s = self->sleepers;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(start_sleeper(s, &calls[0], &ages));
	await_blocked(getpid(), s->tid, calls[0].number);
	ASSERT_EQ(0, pthread_kill(s->thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(s->thread, NULL));
	EXPECT_EQ(-1, s->result);
	EXPECT_EQ(EINTR, s->error);
}

/* Threads that run: none of their calls says EINTR either. */
static _Atomic bool stop;

static void *run_pinger(void *arg)
{
	const int *fds = arg;
	long errors = 0;

	while (!stop) {
		struct timespec moment = { .tv_nsec = 1000 };
		char c = 0;

		errors += write(fds[1], &c, 1) != 1;
		errors += read(fds[0], &c, 1) != 1;
		errors += nanosleep(&moment, NULL) != 0;
	}
	return (void *)errors;
}

TEST_F(eintr, is_not_seen_by_threads_that_make_calls_all_the_time)
{
	pthread_t threads[4];
	int fds[4][2];
	void *errors;
	long i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pipe2(fds[i], O_CLOEXEC));
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_pinger, fds[i]));
	}
	for (i = repeated(1000); i; i--)
		must(!gcheap_collect(self->heap));
	stop = true;
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &errors));
		EXPECT_EQ(NULL, errors);
	}
}

TEST_HARNESS_MAIN
