// SPDX-License-Identifier: GPL-2.0
/*
 * Registers and stacks of threads that get signals while the world is stopped: what
 * is in a signal frame, and in which stack that leads to, is neither lost nor
 * changed.
 */
#include "common.h"

#include <asm/prctl.h>
#include <immintrin.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM	0x80000000u
#endif

#define UNUSED		__attribute__((unused))
#define PAGE		4096ul
#define OBJECTS		16
#define OBJECT_SIZE	48

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

static void look_at_mxcsr(int signo UNUSED, siginfo_t *info UNUSED, void *context)
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

/* Objects that are in no memory, but for what a test does with them */
static void new_objects(struct gcheap *heap, uintptr_t *hidden, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		hidden[i] = new_hidden(heap, OBJECT_SIZE, i);
}

static size_t objects_lost(struct gcheap *heap, const uintptr_t *hidden, size_t nr)
{
	size_t lost = 0, i;

	for (i = 0; i < nr; i++)
		if (!is_allocated(heap, hidden[i]) ||
		    !is_filled(heap, hidden[i], OBJECT_SIZE, i))
			lost++;
	return lost;
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {
		.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags,
	};

	must(!sigaction(signo, &action, NULL));
}

/* Bytes of a frame above which the code that was interrupted has its stack */
static size_t state_size;

static void measure_state(int signo UNUSED, siginfo_t *info UNUSED, void *context)
{
	const ucontext_t *uc = context;

	/* extended_size, after a magic number */
	memcpy(&state_size, (const char *)uc->uc_mcontext.fpregs + 468, 4);
}

/*
 * With a stack pointer of its own, unless @sp is 0: sends itself a signal, while it
 * has the addresses of OBJECTS objects in vector registers and nowhere else.
 */
apart void hold_in_vectors(const uintptr_t *hidden, long pid, long tid, long signo,
			   uintptr_t sp)
{
	register const uintptr_t *r8 asm("r8") = hidden;
	register uintptr_t r10 asm("r10") = sp;

#define LOAD(n)		"mov 8*" #n "(%%r8), %%rax; not %%rax; movq %%rax, %%xmm" #n ";"
#define CLEAR(n)	"pxor %%xmm" #n ", %%xmm" #n ";"
	asm volatile(LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7)
		     LOAD(8) LOAD(9) LOAD(10) LOAD(11) LOAD(12) LOAD(13) LOAD(14) LOAD(15)
		     "mov %%rsp, %%r12\n"
		     "sub $128, %%rsp\n"
		     "test %%r10, %%r10\n"
		     "cmovnz %%r10, %%rsp\n"
		     "mov %[tgkill], %%eax\n"
		     "syscall\n"
		     "mov %%r12, %%rsp\n"
		     CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7)
		     CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14)
		     CLEAR(15)
		     : "+D" (pid), "+S" (tid), "+d" (signo), "+r" (r10)
		     : [tgkill] "i" (SYS_tgkill), "r" (r8)
		     : "rax", "rcx", "r11", "r12", "memory", "cc",
		       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* The pages of a frame's vector state, which are there for nobody at first */
#define STATE_PAGES	4ul

struct frame_kept {
	struct gcheap *heap;
	uintptr_t hidden[OBJECTS];
	char *stack;
	char *state;
	bool alternate;
};

static char *kept_state;

/* The content stays in the file. */
static void keep_state(int signo UNUSED, siginfo_t *info UNUSED, void *context)
{
	const ucontext_t *uc = context;

	must((char *)uc->uc_mcontext.fpregs == kept_state);
	must(!madvise(kept_state, STATE_PAGES * PAGE, MADV_DONTNEED));
}

/* A fault that is told of, and is over when told so, or when another one comes */
static void delay_faults(int sock)
{
	struct uffdio_continue request = {};
	struct uffd_msg message;
	struct pollfd fds[2] = { { .events = POLLIN }, { .fd = sock, .events = POLLIN } };
	int fd = receive_fd(sock);

	fds[0].fd = fd;
	must(read(sock, &request.range, sizeof(request.range)) == sizeof(request.range));
	must(poll(fds, 1, -1) == 1);
	must(read(fd, &message, sizeof(message)) == sizeof(message));
	must(message.event == UFFD_EVENT_PAGEFAULT);
	say(sock);
	must(poll(fds, 2, -1) > 0);
	must(!ioctl(fd, UFFDIO_CONTINUE, &request));
	for (;;)
		pause();
}

static int minor_faults_of(char *memory, size_t size)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM };
	struct uffdio_register request = {
		.range = { .start = (uintptr_t)memory, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MINOR,
	};

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return -1;
	must(!ioctl(fd, UFFDIO_REGISTER, &request));
	return fd;
}

static void *go_through_frame(void *arg)
{
	struct frame_kept *kept = arg;
	size_t size = (state_size + 63) & -64;
	stack_t alternate = { .ss_sp = kept->stack };
	uintptr_t sp = 0;

	if (kept->alternate) {
		alternate.ss_size = kept->state + size - kept->stack;
		must(!sigaltstack(&alternate, NULL));
	} else {
		sp = (uintptr_t)kept->state + size + 128;
	}
	hold_in_vectors(kept->hidden, getpid(), gettid(), SIGUSR1, sp);
	alternate.ss_flags = SS_DISABLE;
	must(!sigaltstack(&alternate, NULL));
	return NULL;
}

/*
 * A thread sleeps in sigreturn: it has its stack pointer back, and not yet its vector
 * registers.
 */
static void keep_in_frame(struct __test_metadata *_metadata, bool alternate)
{
	static struct frame_kept kept;
	struct uffdio_range range = { .len = STATE_PAGES * PAGE };
	size_t size = 256 * KIB;
	pthread_t thread;
	int socks[2], fd;
	pid_t pid;

	socket_pair(socks);
	/* Before there is a heap, or it would be held with this process. */
	pid = fork_child();
	if (!pid)
		delay_faults(socks[1]);
	handle(SIGUSR1, measure_state, 0);
	ASSERT_EQ(0, raise(SIGUSR1));
	kept.stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, kept.stack);
	memset(kept.stack, 0, size);
	kept.state = kept.stack + size / 2;
	kept.alternate = alternate;
	kept_state = kept.state;
	fd = minor_faults_of(kept.state, range.len);
	if (fd < 0) {
		kill(pid, SIGKILL);
		await_child(pid);
		SKIP(return, "no minor faults to be had");
	}
	range.start = (uintptr_t)kept.state;
	send_fd(socks[0], fd);
	ASSERT_EQ(sizeof(range), write(socks[0], &range, sizeof(range)));
	handle(SIGUSR1, keep_state, alternate ? SA_ONSTACK : 0);

	kept.heap = open_manual(0);
	ASSERT_NE(NULL, kept.heap);
	new_objects(kept.heap, kept.hidden, OBJECTS);
	ASSERT_EQ(0, pthread_create(&thread, NULL, go_through_frame, &kept));
	hear(socks[0]);
	collect(kept.heap);
	say(socks[0]);
	EXPECT_EQ(0, objects_lost(kept.heap, kept.hidden, OBJECTS));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(WIFSIGNALED(await_child(pid)));
	gcheap_close(kept.heap);
	close(fd);
	ASSERT_EQ(0, munmap(kept.stack, size));
}

TEST(registers_in_a_frame_below_the_stack_pointer_are_roots)
{
	keep_in_frame(_metadata, false);
}

TEST(registers_in_a_frame_on_the_alternate_stack_are_roots)
{
	keep_in_frame(_metadata, true);
}

/* Threads that get signals all the time, with objects in all kinds of registers */
#define HOLDERS		2

struct storm {
	struct gcheap *heap;
	uintptr_t hidden[HOLDERS][OBJECTS];
	volatile uint32_t enough;
	atomic_int ready;
	pid_t tids[HOLDERS];
	pthread_t threads[HOLDERS];
	bool alternate;
	int flags;
};

struct storm_place {
	struct storm *storm;
	size_t number;
};

static void clobber(int signo UNUSED, siginfo_t *info UNUSED, void *context UNUSED)
{
	asm volatile("xor %%eax, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%esi, %%esi;"
		     "xor %%edi, %%edi; xor %%r8d, %%r8d; xor %%r9d, %%r9d; xor %%r10d, %%r10d;"
		     "xor %%r11d, %%r11d; xor %%r12d, %%r12d; xor %%r13d, %%r13d;"
		     "xor %%r14d, %%r14d; xor %%r15d, %%r15d;"
		     "pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2;"
		     : : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
		       "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "cc");
}

/* Seven objects in general registers, three in vector registers */
apart void hold_in_registers(const uintptr_t *hidden, const volatile uint32_t *enough)
{
	asm volatile("mov 24(%[hidden]), %%rax; not %%rax; movq %%rax, %%xmm0;"
		     "mov 32(%[hidden]), %%rax; not %%rax; movq %%rax, %%xmm1;"
		     "mov 40(%[hidden]), %%rax; not %%rax; movq %%rax, %%xmm2;"
		     "xor %%eax, %%eax;"
		     "mov 0(%[hidden]), %%rdi; not %%rdi;"
		     "mov 8(%[hidden]), %%rsi; not %%rsi;"
		     "mov 16(%[hidden]), %%rdx; not %%rdx;"
		     "mov 48(%[hidden]), %%r8; not %%r8;"
		     "mov 56(%[hidden]), %%r13; not %%r13;"
		     "mov 64(%[hidden]), %%r14; not %%r14;"
		     "mov 72(%[hidden]), %%r15; not %%r15;"
		     "1: pause; cmpl $0, (%[enough]); je 1b;"
		     "xor %%edi, %%edi; xor %%esi, %%esi; xor %%edx, %%edx; xor %%r8d, %%r8d;"
		     "xor %%r13d, %%r13d; xor %%r14d, %%r14d; xor %%r15d, %%r15d;"
		     "pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2;"
		     : : [hidden] "b" (hidden), [enough] "c" (enough)
		     : "rax", "rdx", "rsi", "rdi", "r8", "r13", "r14", "r15",
		       "xmm0", "xmm1", "xmm2", "memory", "cc");
}

#define HELD		10

static void *hold_in_storm(void *arg)
{
	struct storm_place *place = arg;
	struct storm *storm = place->storm;
	stack_t alternate = { .ss_size = 64 * KIB, .ss_flags = storm->flags };

	alternate.ss_sp = mmap(NULL, alternate.ss_size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(alternate.ss_sp != MAP_FAILED);
	if (storm->alternate)
		must(!sigaltstack(&alternate, NULL));
	storm->tids[place->number] = gettid();
	storm->ready++;
	hold_in_registers(storm->hidden[place->number], &storm->enough);
	return NULL;
}

/* Where the kernel is preempted in the midst of sigreturn, or is not at all */
static void hold_under_signals(struct __test_metadata *_metadata, bool alternate, int flags)
{
	static struct storm storm;
	static struct storm_place places[HOLDERS];
	struct collecting collecting;
	size_t lost = 0, i;

	handle(SIGUSR1, clobber, alternate ? SA_ONSTACK : 0);
	storm.alternate = alternate;
	storm.flags = flags;
	storm.heap = open_manual(0);
	ASSERT_NE(NULL, storm.heap);
	for (i = 0; i < HOLDERS; i++) {
		places[i] = (struct storm_place) { &storm, i };
		new_objects(storm.heap, storm.hidden[i], HELD);
		ASSERT_EQ(0, pthread_create(&storm.threads[i], NULL, hold_in_storm, &places[i]));
	}
	while (storm.ready < HOLDERS)
		sched_yield();
	/* From then on it is known where a stack was that is disarmed. */
	in_thread(collect_here, storm.heap);
	begin_collecting(&collecting, storm.heap);
	for (i = 0; collecting.collections < scaled(150); i++)
		must(!syscall(SYS_tgkill, getpid(), storm.tids[i % HOLDERS], SIGUSR1));
	end_collecting(&collecting);
	for (i = 0; i < HOLDERS; i++)
		lost += objects_lost(storm.heap, storm.hidden[i], HELD);
	EXPECT_EQ(0, lost);
	storm.enough = 1;
	for (i = 0; i < HOLDERS; i++)
		ASSERT_EQ(0, pthread_join(storm.threads[i], NULL));
	gcheap_close(storm.heap);
}

TEST(registers_are_roots_amid_signals)
{
	hold_under_signals(_metadata, false, 0);
}

TEST(registers_are_roots_amid_signals_on_the_alternate_stack)
{
	hold_under_signals(_metadata, true, 0);
}

TEST(registers_are_roots_amid_signals_on_a_stack_that_is_disarmed)
{
	hold_under_signals(_metadata, true, SS_AUTODISARM);
}

/* With the address of an object on a stack of its own, and nowhere else: a signal */
apart void signal_on_stack(const uintptr_t *hidden, void *stack_top, long signo)
{
	long pid = getpid(), tid = gettid(), result;

	asm volatile("mov %%rsp, %%r12\n"
		     "mov %[top], %%rsp\n"
		     "mov (%[hidden]), %%rax; not %%rax\n"
		     "push %%rax\n"
		     "mov %[tgkill], %%eax\n"
		     "syscall\n"
		     "movq $0, (%%rsp)\n"
		     "mov %%r12, %%rsp\n"
		     : "=&a" (result), "+D" (pid), "+S" (tid), "+d" (signo)
		     : [top] "r" (stack_top), [hidden] "b" (hidden), [tgkill] "i" (SYS_tgkill)
		     : "rcx", "r11", "r12", "memory", "cc");
	must(!result);
}

struct coroutine {
	struct gcheap *heap;
	uintptr_t hidden[1];
	char *stack;
	char *alternate;
	size_t alternate_size;
	int flags;
	char *second;
};

#define COROUTINE_STACK	(64 * KIB)

static struct coroutine coroutine;

static void collect_in_handler(int signo UNUSED, siginfo_t *info UNUSED, void *context UNUSED)
{
	collect_here(coroutine.heap);
}

/* A handler may be interrupted on its stack, and the next one have another. */
static void collect_in_second_handler(int signo UNUSED, siginfo_t *info UNUSED,
				      void *context UNUSED)
{
	stack_t second = { .ss_sp = coroutine.second, .ss_size = COROUTINE_STACK };

	must(!sigaltstack(&second, NULL));
	must(!raise(SIGUSR2));
	second.ss_flags = SS_DISABLE;
	must(!sigaltstack(&second, NULL));
}

apart void run_coroutine(void *arg)
{
	struct coroutine *c = arg;
	char space[COROUTINE_STACK];
	stack_t alternate = {
		.ss_sp = c->alternate ? c->alternate : space,
		.ss_size = sizeof(space), .ss_flags = c->flags,
	};

	must(!sigaltstack(&alternate, NULL));
	signal_on_stack(c->hidden, c->stack + COROUTINE_STACK, SIGUSR1);
	alternate.ss_flags = SS_DISABLE;
	must(!sigaltstack(&alternate, NULL));
}

static char *new_stack(void)
{
	char *stack = mmap(NULL, COROUTINE_STACK + 2 * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(stack != MAP_FAILED);
	must(!mprotect(stack + PAGE, COROUTINE_STACK, PROT_READ | PROT_WRITE));
	return stack + PAGE;
}

static void *start_coroutine(void *arg)
{
	run_coroutine(arg);
	return NULL;
}

/* All of its first stack counts: nobody has had that before. */
static void run_in_new_thread(struct coroutine *c)
{
	size_t size = 4 * COROUTINE_STACK;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	must(stack != MAP_FAILED);
	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setstack(&attr, stack, size));
	must(!pthread_create(&thread, &attr, start_coroutine, c));
	must(!pthread_join(thread, NULL));
	must(!pthread_attr_destroy(&attr));
}

static void keep_on_stack(struct __test_metadata *_metadata, char *stack, bool own_alternate,
			  int flags, void (*handler)(int, siginfo_t *, void *))
{
	coroutine.stack = stack;
	coroutine.second = new_stack();
	coroutine.alternate = own_alternate ? new_stack() : NULL;
	coroutine.flags = flags;
	new_objects(coroutine.heap, coroutine.hidden, 1);
	handle(SIGUSR1, handler, SA_ONSTACK);
	handle(SIGUSR2, collect_in_handler, SA_ONSTACK);
	run_in_new_thread(&coroutine);
	EXPECT_EQ(0, objects_lost(coroutine.heap, coroutine.hidden, 1));
	gcheap_close(coroutine.heap);
}

/* Objects on the stack of a coroutine that was interrupted */
static void keep_in_coroutine(struct __test_metadata *_metadata, bool own_alternate, int flags,
			      void (*handler)(int, siginfo_t *, void *))
{
	coroutine.heap = open_manual(0);
	ASSERT_NE(NULL, coroutine.heap);
	keep_on_stack(_metadata, new_stack(), own_alternate, flags, handler);
}

TEST(stack_that_a_handler_has_interrupted_is_roots)
{
	keep_in_coroutine(_metadata, true, 0, collect_in_handler);
}

TEST(stack_is_roots_when_the_alternate_one_is_part_of_the_first)
{
	keep_in_coroutine(_metadata, false, 0, collect_in_handler);
}

TEST(stack_is_roots_while_the_alternate_one_is_disarmed)
{
	keep_in_coroutine(_metadata, true, SS_AUTODISARM, collect_in_handler);
}

TEST(stack_is_roots_when_handlers_have_interrupted_each_other)
{
	keep_in_coroutine(_metadata, true, SS_AUTODISARM, collect_in_second_handler);
}

TEST(stack_in_an_object_without_pointers_is_roots_when_interrupted)
{
	char *stack;

	coroutine.heap = open_manual(0);
	ASSERT_NE(NULL, coroutine.heap);
	/* Its end is not the stack's, as that may be the address of another object. */
	stack = gcheap_alloc_noscan(coroutine.heap, 2 * COROUTINE_STACK);
	ASSERT_NE(NULL, stack);
	keep_on_stack(_metadata, stack, true, 0, collect_in_handler);
}

static void collect_in_coroutine(void)
{
	collect_here(coroutine.heap);
}

/* A handler that goes over to a coroutine, with an object on its own stack */
static void hold_and_go_over(int signo UNUSED, siginfo_t *info UNUSED, void *context UNUSED)
{
	ucontext_t here, there;
	void *volatile local;

	must(!getcontext(&there));
	there.uc_stack.ss_sp = coroutine.stack;
	there.uc_stack.ss_size = COROUTINE_STACK;
	there.uc_link = &here;
	makecontext(&there, collect_in_coroutine, 0);
	local = reveal(coroutine.hidden[0]);
	must(!swapcontext(&here, &there));
	must(hide(local) == coroutine.hidden[0]);
	local = NULL;
}

apart void be_interrupted_above_coroutine(void *arg)
{
	struct coroutine *c = arg;
	char space[COROUTINE_STACK];
	stack_t alternate = { .ss_sp = c->alternate, .ss_size = COROUTINE_STACK };

	c->stack = space;
	must(!sigaltstack(&alternate, NULL));
	must(!raise(SIGUSR1));
	alternate.ss_flags = SS_DISABLE;
	must(!sigaltstack(&alternate, NULL));
}

TEST(alternate_stack_is_roots_while_its_handler_has_gone_over_to_the_first)
{
	coroutine.heap = open_manual(0);
	ASSERT_NE(NULL, coroutine.heap);
	coroutine.alternate = new_stack();
	new_objects(coroutine.heap, coroutine.hidden, 1);
	handle(SIGUSR1, hold_and_go_over, SA_ONSTACK);
	in_thread(be_interrupted_above_coroutine, &coroutine);
	EXPECT_EQ(0, objects_lost(coroutine.heap, coroutine.hidden, 1));
	gcheap_close(coroutine.heap);
}

/* Far from what counts as the thread's record, too */
apart void go_over_from_below(void)
{
	char space[256 * KIB];

	memset(space, 0, sizeof(space));
	asm volatile("" : : "r" (space) : "memory");
	hold_and_go_over(0, NULL, NULL);
}

static void fork_and_go_over(void *arg)
{
	struct coroutine *c = arg;
	pid_t pid = fork_child();

	if (!pid) {
		go_over_from_below();
		_exit(objects_lost(c->heap, c->hidden, 1) ? KSFT_FAIL : KSFT_PASS);
	}
	must(child_succeeded(pid));
}

/* It is the leader there, and the program's first stack was another thread's. */
TEST(stack_of_a_thread_is_roots_in_the_child_that_it_forks)
{
	coroutine.heap = open_manual(0);
	ASSERT_NE(NULL, coroutine.heap);
	coroutine.stack = new_stack();
	new_objects(coroutine.heap, coroutine.hidden, 1);
	in_thread(fork_and_go_over, &coroutine);
	gcheap_close(coroutine.heap);
}

/* What the kernel and the processor know, and no memory */
struct known {
	struct gcheap *heap;
	uintptr_t hidden;
	volatile uint32_t enough;
	atomic_bool ready;
	void (*hold)(struct known *known);
};

static atomic_int handled;

static void count_handled(int signo UNUSED, siginfo_t *info UNUSED, void *context UNUSED)
{
	handled++;
}

static void *hold_known(void *arg)
{
	struct known *known = arg;

	known->hold(known);
	return NULL;
}

static void keep_known(struct __test_metadata *_metadata, void (*hold)(struct known *), size_t size)
{
	static struct known known;
	pthread_t thread;

	known.hold = hold;
	known.heap = open_manual(0);
	ASSERT_NE(NULL, known.heap);
	known.hidden = new_hidden(known.heap, size, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, hold_known, &known));
	while (!known.ready)
		sched_yield();
	collect(known.heap);
	EXPECT_TRUE(is_allocated(known.heap, known.hidden));
	known.enough = 1;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	gcheap_close(known.heap);
}

apart void set_alternate_stack(struct known *known)
{
	stack_t alternate = {
		.ss_sp = reveal(known->hidden), .ss_size = COROUTINE_STACK,
	};

	must(!sigaltstack(&alternate, NULL));
	memset(&alternate, 0, sizeof(alternate));
	asm volatile("" : : "r" (&alternate) : "memory");
}

static void hold_alternate_stack(struct known *known)
{
	stack_t off = { .ss_flags = SS_DISABLE };

	set_alternate_stack(known);
	wipe_stack();
	known->ready = true;
	while (!known->enough)
		sched_yield();
	must(!raise(SIGUSR1));
	must(!sigaltstack(&off, NULL));
}

TEST(alternate_stack_in_the_heap_is_a_root)
{
	handle(SIGUSR1, count_handled, SA_ONSTACK);
	keep_known(_metadata, hold_alternate_stack, COROUTINE_STACK);
	EXPECT_EQ(1, handled);
}

/* Nothing of C works without it. */
apart void hold_fs_base(struct known *known)
{
	asm volatile("rdfsbase %%r12\n"
		     "mov (%[hidden]), %%rax; not %%rax; wrfsbase %%rax; xor %%eax, %%eax\n"
		     "movb $1, (%[ready])\n"
		     "1: pause; cmpl $0, (%[enough]); je 1b\n"
		     "wrfsbase %%r12"
		     : : [hidden] "b" (&known->hidden), [ready] "d" (&known->ready),
			 [enough] "c" (&known->enough)
		     : "rax", "r12", "memory", "cc");
}

apart void hold_gs_base(struct known *known)
{
	asm volatile("rdgsbase %%r12\n"
		     "mov (%[hidden]), %%rax; not %%rax; wrgsbase %%rax; xor %%eax, %%eax\n"
		     "movb $1, (%[ready])\n"
		     "1: pause; cmpl $0, (%[enough]); je 1b\n"
		     "wrgsbase %%r12"
		     : : [hidden] "b" (&known->hidden), [ready] "d" (&known->ready),
			 [enough] "c" (&known->enough)
		     : "rax", "r12", "memory", "cc");
}

apart void hold_gs_base_asleep(struct known *known)
{
	must(!syscall(SYS_arch_prctl, ARCH_SET_GS, reveal(known->hidden)));
	wipe_stack();
	known->ready = true;
	while (!known->enough)
		usleep(1000);
	must(!syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
}

static bool has_base_instructions(void)
{
	return getauxval(AT_HWCAP2) & 2;
}

TEST(fs_base_is_a_root)
{
	if (!has_base_instructions())
		SKIP(return, "no wrfsbase");
	keep_known(_metadata, hold_fs_base, OBJECT_SIZE);
}

TEST(gs_base_is_a_root)
{
	if (!has_base_instructions())
		SKIP(return, "no wrgsbase");
	keep_known(_metadata, hold_gs_base, OBJECT_SIZE);
}

TEST(gs_base_of_a_thread_that_sleeps_is_a_root)
{
	keep_known(_metadata, hold_gs_base_asleep, OBJECT_SIZE);
}

/*
 * A part of the stack that is locked in memory, as programs do with a local key, is a
 * mapping of its own: the stack is three.
 */
struct pieces {
	struct gcheap *heap;
	uintptr_t hidden;
	bool kept;
};

apart void collect_deeper(struct gcheap *heap)
{
	volatile char room[2 * PAGE];

	room[0] = 1;
	collect(heap);
	churn(heap, OBJECT_SIZE);
	room[sizeof(room) - 1] = room[0];
}

apart void hold_in_locked_part(void *arg)
{
	struct pieces *pieces = arg;
	volatile char room[6 * PAGE];
	void *volatile *part = (void *)(((uintptr_t)room + 3 * PAGE) & ~(PAGE - 1));

	*part = reveal(pieces->hidden);
	must(!mlock((void *)part, PAGE));
	collect_deeper(pieces->heap);
	must(!munlock((void *)part, PAGE));
	pieces->kept = filled(*part, OBJECT_SIZE, 1);
	*part = NULL;
}

static void *hold_in_a_thread(void *arg)
{
	hold_in_locked_part(arg);
	return NULL;
}

TEST(stack_of_several_mappings_is_roots)
{
	struct pieces pieces = { .heap = open_manual(16 * MIB) };
	pthread_t thread;

	ASSERT_NE(NULL, pieces.heap);
	pieces.hidden = new_hidden(pieces.heap, OBJECT_SIZE, 1);
	hold_in_locked_part(&pieces);
	EXPECT_TRUE(pieces.kept);
	pieces.hidden = new_hidden(pieces.heap, OBJECT_SIZE, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, hold_in_a_thread, &pieces));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(pieces.kept);
	gcheap_close(pieces.heap);
}

TEST_HARNESS_MAIN
