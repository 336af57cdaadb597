// SPDX-License-Identifier: GPL-2.0
/*
 * Registers and stacks of threads that get signals while the world is stopped: what
 * is in a signal frame, and in which stack that leads to, is neither lost nor
 * changed.
 */
#include "common.h"

#include <immintrin.h>

/* Threads that collect all the time until they are told that it is enough */
struct collecting {
	struct gcheap *heap;
	atomic_bool enough;
	atomic_long collections;
	pthread_t thread;
};

static void *collect_on(void *arg)
{
	struct collecting *c = arg;

	while (!c->enough) {
		must(!gcheap_collect(c->heap));
		c->collections++;
	}
	return NULL;
}

static void begin_collecting(struct collecting *c, struct gcheap *heap)
{
	c->heap = heap;
	c->enough = false;
	c->collections = 0;
	must(!pthread_create(&c->thread, NULL, collect_on, c));
	while (!c->collections)
		sched_yield();
}

static void end_collecting(struct collecting *c)
{
	c->enough = true;
	must(!pthread_join(c->thread, NULL));
}

/* Rounding towards zero, tiny numbers are zero: nobody has that by chance. */
#define MXCSR		0xff80
#define MXCSR_DEFAULT	0x1f80

static long wrong_frames, wrong_handlers, wrong_returns;

static void look_at_mxcsr(int signo __attribute__((unused)),
			  siginfo_t *info __attribute__((unused)), void *context)
{
	const ucontext_t *uc = context;

	wrong_frames += uc->uc_mcontext.fpregs->mxcsr != MXCSR;
	wrong_handlers += _mm_getcsr() != MXCSR_DEFAULT;
}

static void send_signals_with_mxcsr(long signals)
{
	unsigned int before = _mm_getcsr();
	pid_t pid = getpid(), tid = gettid();

	_mm_setcsr(MXCSR);
	while (signals--) {
		syscall(SYS_tgkill, pid, tid, SIGUSR1);
		wrong_returns += _mm_getcsr() != MXCSR;
		_mm_setcsr(MXCSR);
	}
	_mm_setcsr(before);
}

/*
 * The interrupt that saves registers may come while the kernel itself is at work on
 * them.  Real-time kernels only have preemption disabled then.
 */
TEST(vector_state_of_signals_is_whole_under_collections)
{
	struct sigaction action = { .sa_sigaction = look_at_mxcsr, .sa_flags = SA_SIGINFO };
	struct gcheap *heap = open_manual(0);
	struct collecting collecting;

	ASSERT_NE(NULL, heap);
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	begin_collecting(&collecting, heap);
	send_signals_with_mxcsr(scaled(10000));
	end_collecting(&collecting);
	EXPECT_EQ(0, wrong_frames);
	EXPECT_EQ(0, wrong_handlers);
	EXPECT_EQ(0, wrong_returns);
	gcheap_close(heap);
}

TEST_HARNESS_MAIN
