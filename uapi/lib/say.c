// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Lines for the user, of which the program hears nothing, though nobody reads the pipe, or the
 * file may not grow: it has not asked for them.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

/* What was sent to this thread is taken back. */
static void take_back(const sigset_t *signals)
{
	const struct timespec at_once = { 0, 0 };

	/* In bytes, as the kernel counts signals */
	syscall(SYS_rt_sigtimedwait, signals, NULL, &at_once, 8);
}

/* Only what is blocked can have been waiting. */
static void leave_waiting(sigset_t *signals, const sigset_t *blocked)
{
	sigset_t pending;

	if (!sigismember(blocked, SIGPIPE) && !sigismember(blocked, SIGXFSZ))
		return;
	sigpending(&pending);
	if (sigismember(&pending, SIGPIPE))
		sigdelset(signals, SIGPIPE);
	if (sigismember(&pending, SIGXFSZ))
		sigdelset(signals, SIGXFSZ);
}

/**
 * gch_say() - write a line
 * @fd: descriptor, open or not
 * @line: line
 * @length: of it, in bytes
 *
 * In one call, so that lines stay whole, and one that is no cancellation point, as allocation
 * is none.  A lost line harms nobody.
 *
 * A signal of the kind that write() sends which has been waiting for this thread stays there.
 *
 * errno may change.
 */
void gch_say(int fd, const char *line, int length)
{
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	leave_waiting(&set, &before);
	if (syscall(SYS_write, fd, line, length) < 0 && (errno == EPIPE || errno == EFBIG))
		take_back(&set);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
