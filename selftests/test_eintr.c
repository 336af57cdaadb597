// SPDX-License-Identifier: GPL-2.0
/*
 * A thread that sleeps in a system call sleeps on through collections: no EINTR,
 * no early return, not even a restart behind its back.
 */
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "common.h"

#define COLLECTIONS	1000

/* What to sleep in, and how to be woken from it */
struct sleeper {
	int fd;
	int semaphores;
	uint32_t word;
	struct timespec duration;
	struct timespec left;
	pid_t tid;
	_Atomic bool returned;
	long result;
	int error;
	long (*sleep)(struct sleeper *sleeper);
};

static long sleep_in_read(struct sleeper *sleeper)
{
	uint64_t value;

	return read(sleeper->fd, &value, sizeof(value));
}

static void wake_reader(struct sleeper *sleeper)
{
	must(!eventfd_write(sleeper->fd, 1));
}

static long sleep_in_poll(struct sleeper *sleeper)
{
	struct pollfd poll = { .fd = sleeper->fd, .events = POLLIN };

	/* With a timeout, which a restart would have to compute anew. */
	return syscall(SYS_poll, &poll, 1, 1000000);
}

static long sleep_in_epoll_wait(struct sleeper *sleeper)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	must(epoll >= 0);
	must(!epoll_ctl(epoll, EPOLL_CTL_ADD, sleeper->fd, &event));
	return syscall(SYS_epoll_wait, epoll, &event, 1, 1000000);
}

static long sleep_in_futex(struct sleeper *sleeper)
{
	struct timespec timeout = { .tv_sec = 1000 };

	return syscall(SYS_futex, &sleeper->word, FUTEX_WAIT_PRIVATE, 0, &timeout);
}

static void wake_futex(struct sleeper *sleeper)
{
	sleeper->word = 1;
	must(syscall(SYS_futex, &sleeper->word, FUTEX_WAKE_PRIVATE, 1) == 1);
}

static long sleep_in_semop(struct sleeper *sleeper)
{
	struct sembuf take = { .sem_op = -1 };

	return syscall(SYS_semop, sleeper->semaphores, &take, 1);
}

static void wake_semaphore(struct sleeper *sleeper)
{
	struct sembuf give = { .sem_op = 1 };

	must(!semop(sleeper->semaphores, &give, 1));
}

static long sleep_in_nanosleep(struct sleeper *sleeper)
{
	return syscall(SYS_nanosleep, &sleeper->duration, &sleeper->left);
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* Signals can only be what wakes it: all are let through. */
static void *run_sleeper(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->tid = gettid();
	errno = 0;
	sleeper->result = sleeper->sleep(sleeper);
	sleeper->error = errno;
	sleeper->returned = true;
	return NULL;
}

FIXTURE(eintr) {
	struct gcheap *heap;
	struct sleeper sleeper;
	pthread_t thread;
};

/* A program with handlers that do not ask for SA_RESTART sees EINTR soonest. */
FIXTURE_VARIANT(eintr) {
	bool handler;
};

FIXTURE_VARIANT_ADD(eintr, in_a_program_without_handlers) {
	.handler = false,
};

FIXTURE_VARIANT_ADD(eintr, in_a_program_with_handlers) {
	.handler = true,
};

FIXTURE_SETUP(eintr)
{
	struct sigaction action = { .sa_handler = do_nothing };
	int signal;

	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
	self->sleeper.fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->sleeper.fd);
	for (signal = 1; variant->handler && signal < 64; signal++)
		if (signal != SIGSEGV && signal != SIGABRT)
			sigaction(signal, &action, NULL);
}

FIXTURE_TEARDOWN(eintr)
{
	gcheap_close(self->heap);
}

static void start(struct sleeper *sleeper, pthread_t *thread, long number,
		  long (*sleep)(struct sleeper *sleeper))
{
	sleeper->sleep = sleep;
	must(!pthread_create(thread, NULL, run_sleeper, sleeper));
	while (!sleeper->tid)
		sched_yield();
	await_blocked(getpid(), sleeper->tid, number);
}

/* Does the thread still sleep, in that very call, after all of these? */
static bool sleeps_through(struct gcheap *heap, struct sleeper *sleeper, long number)
{
	long i;

	for (i = scaled(COLLECTIONS); i && !sleeper->returned; i--)
		must(!gcheap_collect(heap));
	if (sleeper->returned)
		fprintf(stderr, "# returned %ld, errno %d, with %ld collections to come\n",
			sleeper->result, sleeper->error, i);
	/* A restarted call would go by the number of restart_syscall. */
	return !sleeper->returned && blocked_in(getpid(), sleeper->tid) == number;
}

TEST_F(eintr, is_not_seen_in_read)
{
	start(&self->sleeper, &self->thread, SYS_read, sleep_in_read);
	EXPECT_TRUE(sleeps_through(self->heap, &self->sleeper, SYS_read));
	wake_reader(&self->sleeper);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(8, self->sleeper.result);
}

TEST_F(eintr, is_not_seen_in_poll)
{
	start(&self->sleeper, &self->thread, SYS_poll, sleep_in_poll);
	EXPECT_TRUE(sleeps_through(self->heap, &self->sleeper, SYS_poll));
	wake_reader(&self->sleeper);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(1, self->sleeper.result);
}

TEST_F(eintr, is_not_seen_in_epoll_wait)
{
	start(&self->sleeper, &self->thread, SYS_epoll_wait, sleep_in_epoll_wait);
	EXPECT_TRUE(sleeps_through(self->heap, &self->sleeper, SYS_epoll_wait));
	wake_reader(&self->sleeper);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(1, self->sleeper.result);
}

TEST_F(eintr, is_not_seen_in_futex)
{
	start(&self->sleeper, &self->thread, SYS_futex, sleep_in_futex);
	EXPECT_TRUE(sleeps_through(self->heap, &self->sleeper, SYS_futex));
	wake_futex(&self->sleeper);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(0, self->sleeper.result);
}

TEST_F(eintr, is_not_seen_in_semop)
{
	self->sleeper.semaphores = semget(IPC_PRIVATE, 1, 0600);
	if (self->sleeper.semaphores < 0 && errno == ENOSYS)
		SKIP(return, "the kernel has no System V IPC");
	ASSERT_LE(0, self->sleeper.semaphores);
	start(&self->sleeper, &self->thread, SYS_semop, sleep_in_semop);
	EXPECT_TRUE(sleeps_through(self->heap, &self->sleeper, SYS_semop));
	wake_semaphore(&self->sleeper);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(0, self->sleeper.result);
	semctl(self->sleeper.semaphores, 0, IPC_RMID);
}

/* Nothing wakes it before the process ends. */
TEST_F(eintr, is_not_seen_in_a_long_nanosleep)
{
	self->sleeper.duration.tv_sec = 1000000;
	start(&self->sleeper, &self->thread, SYS_nanosleep, sleep_in_nanosleep);
	EXPECT_TRUE(sleeps_through(self->heap, &self->sleeper, SYS_nanosleep));
}

TEST_F(eintr, is_not_seen_in_a_nanosleep_that_ends)
{
	self->sleeper.duration.tv_sec = 1;
	start(&self->sleeper, &self->thread, SYS_nanosleep, sleep_in_nanosleep);
	while (!self->sleeper.returned)
		must(!gcheap_collect(self->heap));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(0, self->sleeper.result);
	EXPECT_EQ(0, self->sleeper.left.tv_sec + self->sleeper.left.tv_nsec);
}

/* A process that maps the heap, and never collects */
TEST_F(eintr, is_not_seen_in_another_process)
{
	long number = SYS_read, i;
	pid_t pid = fork_child();

	if (!pid) {
		must(sleep_in_read(&self->sleeper) == 8);
		_exit(KSFT_PASS);
	}
	await_blocked(pid, pid, number);
	for (i = scaled(COLLECTIONS); i; i--)
		must(!gcheap_collect(self->heap));
	EXPECT_EQ(number, blocked_in(pid, pid));
	wake_reader(&self->sleeper);
	EXPECT_TRUE(child_succeeded(pid));
}

/* What these tests look for does exist. */
TEST_F(eintr, is_seen_when_there_is_a_signal)
{
	struct sigaction action = { .sa_handler = do_nothing };

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	start(&self->sleeper, &self->thread, SYS_read, sleep_in_read);
	ASSERT_EQ(0, pthread_kill(self->thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-1, self->sleeper.result);
	EXPECT_EQ(EINTR, self->sleeper.error);
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
	for (i = scaled(COLLECTIONS); i; i--)
		must(!gcheap_collect(self->heap));
	stop = true;
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &errors));
		EXPECT_EQ(NULL, errors);
	}
}

TEST_HARNESS_MAIN
