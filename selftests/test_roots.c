// SPDX-License-Identifier: GPL-2.0
/*
 * An object is kept while its only reference is in one of these places, be it in
 * the process that collects, in one that it forked, or in one that attached to
 * the heap; and goes when the reference does.
 */
#include <asm/hwcap2.h>
#include <linux/userfaultfd.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "holders.h"

#define DEEP		1000000
#define LARGE_TLS	(100 * KIB)
#define STACK_SIZE	(256 * KIB)

/* A compiler that knew nobody writes to it would make this a constant. */
static void *volatile data_word = (void *)&data_word;
static void *volatile bss_block[64 * KIB / sizeof(void *)];
static __thread void *volatile tls_word;
static __thread void *volatile large_tls[LARGE_TLS / sizeof(void *)];

static void hold_in_data(struct holder *holder)
{
	hold_in_word(holder, &data_word);
}

static void hold_in_bss(struct holder *holder)
{
	hold_in_word(holder, &bss_block[ARRAY_SIZE(bss_block) - 1]);
}

static void hold_in_tls_of_main_thread(struct holder *holder)
{
	hold_in_word(holder, &tls_word);
}

static void hold_at_start_of_large_tls(struct holder *holder)
{
	hold_in_word(holder, &large_tls[0]);
}

static void hold_at_end_of_large_tls(struct holder *holder)
{
	hold_in_word(holder, &large_tls[ARRAY_SIZE(large_tls) - 1]);
}

/* Interior pointers */
static void hold_by_offset(struct holder *holder, size_t size, size_t offset)
{
	make_object(holder, size);
	/* Hidden, addresses run backwards. */
	holder->object -= offset;
	put(holder, &data_word);
	holder->object += offset;
	held(holder);
	data_word = NULL;
	dropped(holder);
}

static void hold_by_last_byte(struct holder *holder)
{
	hold_by_offset(holder, 4096, 4095);
}

static void hold_by_middle_of_large_object(struct holder *holder)
{
	hold_by_offset(holder, MIB, MIB / 2 + 3);
}

/* Ranges given to ROOT_ADD; the pointer stays there after the range is gone. */
static void hold_in_root_range(struct holder *holder, void *volatile *range, size_t words)
{
	make_object(holder, OBJECT_SIZE);
	put(holder, &range[words - 1]);
	must(!gcheap_root_add(holder->heap, (void *)range, words * sizeof(*range)));
	held(holder);
	must(!gcheap_root_del(holder->heap, (void *)range));
	dropped(holder);
}

static void hold_in_malloced_root_range(struct holder *holder)
{
	void *volatile *range = calloc(2000, sizeof(*range));

	must(range);
	hold_in_root_range(holder, range, 2000);
}

/* An object whose content would not count, and that nothing else need keep. */
static void hold_in_root_range_of_the_heap(struct holder *holder)
{
	void *volatile *range = gcheap_alloc_noscan(holder->heap,
						    2000 * sizeof(*range));

	must(range);
	hold_in_root_range(holder, range, 2000);
}

static void hold_in_shared_root_range(struct holder *holder)
{
	void *volatile *range = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(range != MAP_FAILED);
	hold_in_root_range(holder, range, MIB / sizeof(*range));
}

/* The end of a list */
struct node {
	struct node *next;
	uint64_t number;
};

struct list {
	struct holder *holder;
	long length;
};

apart void make_list(void *arg)
{
	const struct list *list = arg;
	struct node *node;
	long i;

	data_word = reveal(list->holder->object);
	for (i = 0; i < list->length; i++) {
		node = gcheap_alloc(list->holder->heap, sizeof(*node));
		must(node);
		node->next = data_word;
		node->number = i;
		data_word = node;
	}
}

static void hold_deep_in_list(struct holder *holder)
{
	struct list list = { .holder = holder, .length = scaled(DEEP) };

	make_object(holder, OBJECT_SIZE);
	in_thread(make_list, &list);
	held(holder);
	data_word = NULL;
	dropped(holder);
}

/* Stack of the main thread, a megabyte from its end */
apart void dive(struct holder *holder, unsigned int depth)
{
	volatile char frame[1000];

	frame[0] = depth;
	if (depth)
		dive(holder, depth - 1);
	else
		held(holder);
	asm volatile("" : : "r" (frame) : "memory");
}

static void hold_deep_down_the_stack(struct holder *holder)
{
	void *volatile local;

	make_object(holder, OBJECT_SIZE);
	local = reveal(holder->object);
	dive(holder, 1000);
	must(hide(local) == holder->object);
	local = NULL;
	dropped(holder);
}

/*
 * Registers.  The functions below, in assembly, hold the object in one place
 * alone, and wait there, spinning or in read().
 */
_Static_assert(offsetof(struct thread, object) == 0, "as in the assembly");
_Static_assert(offsetof(struct thread, ready) == 8, "as in the assembly");
_Static_assert(offsetof(struct thread, go) == 12, "as in the assembly");
_Static_assert(offsetof(struct thread, fd) == 16, "as in the assembly");
_Static_assert(offsetof(struct thread, buffer) == 20, "as in the assembly");

asm(".macro spinning\n"
    "1:	pause\n"
    "	cmpl	$0, 12(%rdi)\n"
    "	je	1b\n"
    ".endm\n"

    ".macro reading\n"
    "	push	%rdi\n"
    "	lea	20(%rdi), %rsi\n"
    "	mov	16(%rdi), %edi\n"
    "	mov	$1, %edx\n"
    "	xor	%eax, %eax\n"
    "	syscall\n"
    "	pop	%rdi\n"
    ".endm\n"

    ".macro in_register reg, wait\n"
    "\\wait\\()_\\reg\\():\n"
    "	push	%\\reg\n"
    "	mov	(%rdi), %\\reg\n"
    "	not	%\\reg\n"
    "	movl	$1, 8(%rdi)\n"
    "	\\wait\n"
    "	not	%\\reg\n"
    "	mov	%\\reg, (%rdi)\n"
    "	pop	%\\reg\n"
    "	ret\n"
    ".endm\n"

    /* Preserved by functions, and by system calls */
    ".irp reg, rbx, rbp, r12, r13, r14, r15\n"
    "	in_register \\reg, spinning\n"
    "	in_register \\reg, reading\n"
    ".endr\n"
    /* Not preserved by functions */
    ".irp reg, rax, rcx, rdx, rsi, r8, r9, r10, r11\n"
    "	in_register \\reg, spinning\n"
    ".endr\n"

    ".macro in_red_zone offset\n"
    "spinning_below_\\offset\\():\n"
    "	mov	(%rdi), %rax\n"
    "	not	%rax\n"
    "	mov	%rax, -\\offset\\()(%rsp)\n"
    "	xor	%eax, %eax\n"
    "	movl	$1, 8(%rdi)\n"
    "	spinning\n"
    "	mov	-\\offset\\()(%rsp), %rax\n"
    "	movq	$0, -\\offset\\()(%rsp)\n"
    "	not	%rax\n"
    "	mov	%rax, (%rdi)\n"
    "	ret\n"
    ".endm\n"
    "	in_red_zone 8\n"
    "	in_red_zone 128\n"

    ".macro in_vector name, wait, load, store\n"
    "\\wait\\()_\\name\\():\n"
    "	mov	(%rdi), %rax\n"
    "	not	%rax\n"
    "	\\load\n"
    "	xor	%eax, %eax\n"
    "	movl	$1, 8(%rdi)\n"
    "	\\wait\n"
    "	\\store\n"
    "	not	%rax\n"
    "	mov	%rax, (%rdi)\n"
    "	xor	%eax, %eax\n"
    "	pxor	%xmm15, %xmm15\n"
    "	ret\n"
    ".endm\n"

    ".macro load_low\n"
    "	movq	%rax, %xmm15\n"
    ".endm\n"
    ".macro store_low\n"
    "	movq	%xmm15, %rax\n"
    ".endm\n"
    ".macro load_high\n"
    "	movq	%rax, %xmm15\n"
    "	pslldq	$8, %xmm15\n"
    ".endm\n"
    ".macro store_high\n"
    "	psrldq	$8, %xmm15\n"
    "	movq	%xmm15, %rax\n"
    ".endm\n"
    /* The low half becomes zero, the low half of before the high one. */
    ".macro load_upper\n"
    "	movq	%rax, %xmm15\n"
    "	vperm2f128 $8, %ymm15, %ymm15, %ymm15\n"
    ".endm\n"
    ".macro store_upper\n"
    "	vextractf128 $1, %ymm15, %xmm15\n"
    "	movq	%xmm15, %rax\n"
    "	vzeroupper\n"
    ".endm\n"
    "	in_vector low, spinning, load_low, store_low\n"
    "	in_vector low, reading, load_low, store_low\n"
    "	in_vector high, spinning, load_high, store_high\n"
    "	in_vector high, reading, load_high, store_high\n"
    "	in_vector upper, spinning, load_upper, store_upper\n"
    "	in_vector upper, reading, load_upper, store_upper\n"

    /* On the stack, and nothing else: for threads without the C library */
    "spinning_stack:\n"
    "	mov	(%rdi), %rax\n"
    "	not	%rax\n"
    "	push	%rax\n"
    "	xor	%eax, %eax\n"
    "	movl	$1, 8(%rdi)\n"
    "	spinning\n"
    "	pop	%rax\n"
    "	movq	$0, -8(%rsp)\n"
    "	not	%rax\n"
    "	mov	%rax, (%rdi)\n"
    "	ret\n");

typedef void (*run_function)(struct thread *thread);

void spinning_rbx(struct thread *thread);
void spinning_rbp(struct thread *thread);
void spinning_r12(struct thread *thread);
void spinning_r13(struct thread *thread);
void spinning_r14(struct thread *thread);
void spinning_r15(struct thread *thread);
void reading_rbx(struct thread *thread);
void reading_rbp(struct thread *thread);
void reading_r12(struct thread *thread);
void reading_r13(struct thread *thread);
void reading_r14(struct thread *thread);
void reading_r15(struct thread *thread);
void spinning_rax(struct thread *thread);
void spinning_rcx(struct thread *thread);
void spinning_rdx(struct thread *thread);
void spinning_rsi(struct thread *thread);
void spinning_r8(struct thread *thread);
void spinning_r9(struct thread *thread);
void spinning_r10(struct thread *thread);
void spinning_r11(struct thread *thread);
void spinning_below_8(struct thread *thread);
void spinning_below_128(struct thread *thread);
void spinning_low(struct thread *thread);
void spinning_high(struct thread *thread);
void spinning_upper(struct thread *thread);
void reading_low(struct thread *thread);
void reading_high(struct thread *thread);
void reading_upper(struct thread *thread);
void spinning_stack(struct thread *thread);

static void keep_in_local(struct thread *thread)
{
	void *volatile local = reveal(thread->object);

	thread_held(thread);
	must(hide(local) == thread->object);
}

static void hold_in_local_of_blocked_thread(struct holder *holder)
{
	hold_in_thread(holder, keep_in_local);
}

static void keep_in_tls(struct thread *thread)
{
	tls_word = reveal(thread->object);
	thread_held(thread);
	must(hide(tls_word) == thread->object);
}

static void hold_in_tls_of_thread(struct holder *holder)
{
	hold_in_thread(holder, keep_in_tls);
}

static void keep_in_large_tls(struct thread *thread)
{
	large_tls[0] = reveal(thread->object);
	thread_held(thread);
	must(hide(large_tls[0]) == thread->object);
}

static void hold_in_large_tls_of_thread(struct holder *holder)
{
	hold_in_thread(holder, keep_in_large_tls);
}

/* What a coroutine is to run; makecontext() passes only numbers. */
static __thread struct thread *volatile coroutine;

static void run_coroutine(void)
{
	keep_in_local(coroutine);
}

static void await_in_coroutine(void)
{
	thread_held(coroutine);
}

/* On a stack of the program's own, which is a root while it is current. */
static void switch_to_stack(struct thread *thread, void *stack, size_t size,
			    void (*run)(void))
{
	ucontext_t here, there;

	coroutine = thread;
	must(!getcontext(&there));
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = size;
	there.uc_link = &here;
	makecontext(&there, run, 0);
	must(!swapcontext(&here, &there));
}

static void keep_on_mapped_stack(struct thread *thread)
{
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(stack != MAP_FAILED);
	switch_to_stack(thread, stack, STACK_SIZE, run_coroutine);
	must(!munmap(stack, STACK_SIZE));
}

static void hold_on_stack_of_coroutine(struct holder *holder)
{
	hold_in_thread(holder, keep_on_mapped_stack);
}

/* The stack of the thread, while a coroutine runs on another one. */
static void keep_in_local_beside_coroutine(struct thread *thread)
{
	void *volatile local = reveal(thread->object);
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(stack != MAP_FAILED);
	switch_to_stack(thread, stack, STACK_SIZE, await_in_coroutine);
	must(hide(local) == thread->object);
	must(!munmap(stack, STACK_SIZE));
}

static void hold_beside_a_coroutine(struct holder *holder)
{
	hold_in_thread(holder, keep_in_local_beside_coroutine);
}

/* A stack in thread-local storage, with variables on both sides of it */
static void keep_below_stack_in_tls(struct thread *thread)
{
	char *stack = (char *)&large_tls[ARRAY_SIZE(large_tls) / 4];

	large_tls[0] = reveal(thread->object);
	switch_to_stack(thread, stack, LARGE_TLS / 2, await_in_coroutine);
	must(hide(large_tls[0]) == thread->object);
}

static void hold_in_tls_below_a_stack_there(struct holder *holder)
{
	hold_in_thread(holder, keep_below_stack_in_tls);
}

/* One place after the other; the last one is watched. */
static void hold_in_each(struct holder *holder, const run_function *run, size_t count,
			 long blocked)
{
	size_t i;

	make_object(holder, OBJECT_SIZE);
	for (i = 0; i < count; i++) {
		struct thread thread = { .run = run[i] };

		thread_start(&thread, holder);
		if (i < count - 1)
			collect(holder->heap);
		else
			held_by(holder, thread.tid, blocked);
		thread_end(&thread);
		must(is_filled(holder->heap, holder->object, holder->size, SEED));
	}
	dropped(holder);
}

static void hold_in_spinning_callee_saved_registers(struct holder *holder)
{
	const run_function run[] = {
		spinning_rbx, spinning_rbp, spinning_r12,
		spinning_r13, spinning_r14, spinning_r15,
	};

	hold_in_each(holder, run, ARRAY_SIZE(run), SPINNING);
}

static void hold_in_spinning_scratch_registers(struct holder *holder)
{
	const run_function run[] = {
		spinning_rax, spinning_rcx, spinning_rdx, spinning_rsi,
		spinning_r8, spinning_r9, spinning_r10, spinning_r11,
	};

	hold_in_each(holder, run, ARRAY_SIZE(run), SPINNING);
}

static void hold_in_callee_saved_registers_while_reading(struct holder *holder)
{
	const run_function run[] = {
		reading_rbx, reading_rbp, reading_r12,
		reading_r13, reading_r14, reading_r15,
	};

	hold_in_each(holder, run, ARRAY_SIZE(run), SYS_read);
}

static void hold_in_red_zone(struct holder *holder)
{
	const run_function run[] = { spinning_below_8, spinning_below_128 };

	hold_in_each(holder, run, ARRAY_SIZE(run), SPINNING);
}

static void hold_in_spinning_vector_registers(struct holder *holder)
{
	const run_function run[] = { spinning_low, spinning_high, spinning_upper };
	bool avx = __builtin_cpu_supports("avx");

	hold_in_each(holder, run, avx ? 3 : 2, SPINNING);
}

static void hold_in_vector_registers_while_reading(struct holder *holder)
{
	const run_function run[] = { reading_low, reading_high, reading_upper };
	bool avx = __builtin_cpu_supports("avx");

	hold_in_each(holder, run, avx ? 3 : 2, SYS_read);
}

/* Threads and processes that the C library knows nothing of */
static int run_raw(void *arg)
{
	struct thread *thread = arg;

	thread->run(thread);
	return 0;
}

static void hold_in_raw_clone(struct holder *holder, run_function run, int flags)
{
	struct thread thread = { .run = run };
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(stack != MAP_FAILED);
	make_object(holder, OBJECT_SIZE);
	thread_prepare(&thread, holder);
	thread.tid = clone(run_raw, stack + STACK_SIZE, flags, &thread);
	must(thread.tid > 0);
	thread_await(&thread);
	held_by(holder, thread.tid, SPINNING);
	thread.go = 1;
	if (flags & CLONE_THREAD)
		await_thread_end(thread.tid);
	else
		must(waitpid(thread.tid, NULL, __WALL) == thread.tid);
	must(thread.object == holder->object);
	dropped(holder);
}

#define RAW_THREAD	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | \
			 CLONE_THREAD | CLONE_SYSVSEM)

static void hold_in_register_of_raw_thread(struct holder *holder)
{
	hold_in_raw_clone(holder, spinning_r12, RAW_THREAD);
}

static void hold_on_stack_of_raw_thread(struct holder *holder)
{
	hold_in_raw_clone(holder, spinning_stack, RAW_THREAD);
}

static void hold_on_stack_of_process_that_shares_memory(struct holder *holder)
{
	hold_in_raw_clone(holder, spinning_stack, CLONE_VM | SIGCHLD);
}

static void spin(struct thread *thread)
{
	thread->ready = 1;
	while (!thread->go)
		;
}

static char *map_private(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED);
	return memory;
}

/*
 * A thread whose table of thread-local storage is the last thing in its mapping;
 * as glibc has it: two words that tell the length, two for each entry.
 */
static void hold_in_block_of_raw_thread(struct holder *holder, long length)
{
	struct thread thread = { .run = spin };
	char *tls = map_private(STACK_SIZE), *stack = map_private(STACK_SIZE);
	char *page = map_private(2 * 4096);
	void *volatile *block = (void *)map_private(STACK_SIZE);
	long *table = (long *)(page + 4096) - 4;
	long *record = (long *)(tls + STACK_SIZE - 4096);

	must(!mprotect(page + 4096, 4096, PROT_NONE));
	table[-2] = length;
	table[2] = (long)block;
	record[0] = (long)record;
	record[1] = (long)table;
	make_object(holder, OBJECT_SIZE);
	put(holder, block);
	thread_prepare(&thread, holder);
	thread.tid = clone(run_raw, stack + STACK_SIZE, RAW_THREAD | CLONE_SETTLS,
			   &thread, NULL, record, NULL);
	must(thread.tid > 0);
	thread_await(&thread);
	held_by(holder, thread.tid, SPINNING);
	*block = NULL;
	dropped(holder);
	thread.go = 1;
	await_thread_end(thread.tid);
}

static void hold_in_block_at_end_of_table(struct holder *holder)
{
	hold_in_block_of_raw_thread(holder, 1);
}

static void hold_in_block_of_table_of_unknown_length(struct holder *holder)
{
	hold_in_block_of_raw_thread(holder, 0);
}

/* Signal handlers that run on a stack of their own */
static struct thread *interrupted;
static struct holder *interrupted_holder;

static void wait_in_handler(int signal)
{
	(void)signal;
	if (interrupted)
		thread_held(interrupted);
	else
		held(interrupted_holder);
}

static void keep_in_handler(int signal)
{
	void *volatile local = reveal(interrupted->object);

	wait_in_handler(signal);
	must(hide(local) == interrupted->object);
}

static void handle_on_stack_of_its_own(void (*handler)(int signal))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_size = STACK_SIZE };

	stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(stack.ss_sp != MAP_FAILED);
	must(!sigaltstack(&stack, NULL));
	must(!sigaction(SIGUSR1, &action, NULL));
}

static void keep_in_interrupted_frame(struct thread *thread)
{
	void *volatile local = reveal(thread->object);

	interrupted = thread;
	handle_on_stack_of_its_own(wait_in_handler);
	must(!syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	must(hide(local) == thread->object);
}

static void hold_in_interrupted_frame_of_thread(struct holder *holder)
{
	hold_in_thread(holder, keep_in_interrupted_frame);
}

static void keep_in_frame_of_handler(struct thread *thread)
{
	interrupted = thread;
	handle_on_stack_of_its_own(keep_in_handler);
	must(!syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
}

static void hold_in_frame_of_handler(struct holder *holder)
{
	hold_in_thread(holder, keep_in_frame_of_handler);
}

/* The main thread of this process, or of one that another thread forked */
static void hold_in_interrupted_frame(struct holder *holder)
{
	void *volatile local;

	if (!holder->object)
		make_object(holder, OBJECT_SIZE);
	local = reveal(holder->object);
	interrupted = NULL;
	interrupted_holder = holder;
	handle_on_stack_of_its_own(wait_in_handler);
	must(!syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	must(hide(local) == holder->object);
	local = NULL;
	dropped(holder);
}

static void fork_in_thread(void *arg)
{
	pid_t child = fork_child();

	if (!child) {
		hold_in_interrupted_frame(arg);
		_exit(KSFT_PASS);
	}
	must(child_succeeded(child));
}

static void hold_in_interrupted_frame_of_process_forked_by_thread(struct holder *holder)
{
	make_object(holder, OBJECT_SIZE);
	in_thread(fork_in_thread, holder);
}

static void spin_until_interrupted(struct thread *thread)
{
	interrupted = thread;
	handle_on_stack_of_its_own(wait_in_handler);
	spinning_r12(thread);
}

/* A thread is interrupted while it spins: now its registers are in the frame. */
static void hold_in_interrupted_registers(struct holder *holder)
{
	struct thread thread = { .run = spin_until_interrupted };

	make_object(holder, OBJECT_SIZE);
	thread_start(&thread, holder);
	must(!syscall(SYS_tgkill, getpid(), thread.tid, SIGUSR1));
	held_by(holder, thread.tid, SYS_read);
	thread_end(&thread);
	dropped(holder);
}

FIXTURE(roots) {
	struct gcheap *heap;
};

FIXTURE_VARIANT(roots) {
	bool (*watch)(struct gcheap *heap, hold_function hold);
};

FIXTURE_VARIANT_ADD(roots, of_this_process) {
	.watch = watch_this_process,
};

FIXTURE_VARIANT_ADD(roots, of_a_forked_process) {
	.watch = watch_forked_process,
};

FIXTURE_VARIANT_ADD(roots, of_an_attached_process) {
	.watch = watch_executed_process,
};

FIXTURE_SETUP(roots)
{
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(roots)
{
	gcheap_close(self->heap);
}

#define PROMISE(name)								\
TEST_F(roots, keep_what_is_held_##name)						\
{										\
	ASSERT_TRUE(variant->watch(self->heap, hold_##name));			\
}

PROMISE(in_data)
PROMISE(in_bss)
PROMISE(in_tls_of_main_thread)
PROMISE(in_tls_of_thread)
PROMISE(at_start_of_large_tls)
PROMISE(at_end_of_large_tls)
PROMISE(in_large_tls_of_thread)
PROMISE(on_stack_of_coroutine)
PROMISE(beside_a_coroutine)
PROMISE(in_tls_below_a_stack_there)
PROMISE(by_last_byte)
PROMISE(by_middle_of_large_object)
PROMISE(deep_in_list)
PROMISE(deep_down_the_stack)
PROMISE(in_local_of_blocked_thread)
PROMISE(in_callee_saved_registers_while_reading)
PROMISE(in_spinning_callee_saved_registers)
PROMISE(in_spinning_scratch_registers)
PROMISE(in_spinning_vector_registers)
PROMISE(in_vector_registers_while_reading)
PROMISE(in_red_zone)
PROMISE(in_register_of_raw_thread)
PROMISE(on_stack_of_raw_thread)
PROMISE(on_stack_of_process_that_shares_memory)
PROMISE(in_block_at_end_of_table)
PROMISE(in_block_of_table_of_unknown_length)
PROMISE(in_interrupted_frame)
PROMISE(in_interrupted_frame_of_thread)
PROMISE(in_interrupted_frame_of_process_forked_by_thread)
PROMISE(in_frame_of_handler)
PROMISE(in_interrupted_registers)
PROMISE(in_malloced_root_range)
PROMISE(in_shared_root_range)
PROMISE(in_root_range_of_the_heap)

/* A system call with another thread pointer, of which the kernel is not told */
static long ioctl_with_thread_pointer(int fd, unsigned long number, void *argument,
				      void *thread_pointer)
{
	unsigned long old;
	long result;

	asm volatile("rdfsbase	%[old]\n"
		     "	wrfsbase	%[new]\n"
		     "	syscall\n"
		     "	wrfsbase	%[old]\n"
		     : "=a" (result), [old] "=&r" (old)
		     : "a" (SYS_ioctl), "D" (fd), "S" (number), "d" (argument),
		       [new] "r" (thread_pointer)
		     : "rcx", "r11", "memory");
	return result;
}

/* Coroutines may have thread-local storage each, and switch it by wrfsbase. */
TEST(storage_is_a_root_where_the_program_sets_the_thread_pointer)
{
	struct gcheap_ioc_collect request = { .size = sizeof(request) };
	struct gcheap *heap = open_manual(0);
	void *volatile *storage = (void *)map_private(STACK_SIZE);
	void *record = (void *)(storage + 1000);
	struct place place = { .where = storage + 999 };
	long rounds = repeated(100);

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		SKIP(return, "programs cannot set the thread pointer here");
	/* It learns of it when the thread leaves the processor, which it may do at any time. */
	while (rounds--) {
		place.object = new_hidden(heap, OBJECT_SIZE, SEED);
		in_thread(put_in_place, &place);
		ASSERT_EQ(0, ioctl_with_thread_pointer(gcheap_fd(heap), GCHEAP_IOC_COLLECT,
						       &request, record));
		ASSERT_TRUE(is_allocated(heap, place.object));
	}
	storage[999] = NULL;
	collect(heap);
	EXPECT_FALSE(is_allocated(heap, place.object));
	gcheap_close(heap);
}

/*
 * A terabyte that is only reserved: whoever went through it page by page would
 * hold the world, and the process's memory map, for hours.
 */
TEST(a_root_range_may_span_a_large_heap)
{
	struct gcheap *heap = open_manual(0);
	int large = raw_open(GCHEAP_SIZE_MAX);
	char *base = raw_map(large);
	uintptr_t object;
	void **holder;

	ASSERT_NE(MAP_FAILED, base);
	holder = raw_alloc(large, 64);
	ASSERT_NE(NULL, holder);
	ASSERT_EQ(0, gcheap_root_add(heap, base, GCHEAP_SIZE_MAX));
	object = new_hidden(heap, OBJECT_SIZE, SEED);
	*holder = reveal(object);
	collect(heap);
	EXPECT_TRUE(is_filled(heap, object, OBJECT_SIZE, SEED));
	gcheap_close(heap);
	ASSERT_EQ(0, munmap(base, GCHEAP_SIZE_MAX));
	ASSERT_EQ(0, close(large));
}

#define PAGES		512

/* The first word of each page keeps an object. */
struct page {
	void *volatile object;
	char rest[4096 - sizeof(void *)];
};

static int fault_descriptor(void *memory, size_t bytes)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)memory, .len = bytes },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	must(fd >= 0);
	must(!ioctl(fd, UFFDIO_API, &api));
	must(!ioctl(fd, UFFDIO_REGISTER, &range));
	return fd;
}

/* A process that protects another one's memory, and gives it free, all the time */
static void protect_pages(int sock)
{
	struct uffdio_writeprotect request = {};
	int fd = receive_fd(sock);

	must(read(sock, &request.range, sizeof(request.range)) == sizeof(request.range));
	say(sock);
	for (;;) {
		request.mode ^= UFFDIO_WRITEPROTECT_MODE_WP;
		must(!ioctl(fd, UFFDIO_WRITEPROTECT, &request));
	}
}

struct pages_held {
	struct gcheap *heap;
	struct page *pages;
	uintptr_t objects[PAGES];
};

apart void hold_in_pages(void *arg)
{
	struct pages_held *held = arg;
	size_t i;

	for (i = 0; i < PAGES; i++) {
		held->pages[i].object = gcheap_alloc(held->heap, OBJECT_SIZE);
		must(held->pages[i].object);
		held->objects[i] = hide(held->pages[i].object);
	}
}

apart void look_for_all(void *arg)
{
	const struct pages_held *held = arg;
	size_t i;

	for (i = 0; i < PAGES; i++)
		must(gcheap_base(held->heap, reveal(held->objects[i])));
}

/* Each look at an entry of a table is one that may come at the wrong moment. */
static void add_roots(struct pages_held *held, size_t bytes, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		must(!gcheap_root_add(held->heap, held->pages + i * PAGES / nr, bytes));
}

/*
 * Whoever changes an entry of a page table empties it for a moment: a fault that
 * copies a page on write, after a fork, in a thread that is held in the middle of
 * it; reclaim; or this.  Such a page must not be taken for one that nobody wrote
 * to.
 */
static void keep_in_changing_pages(struct __test_metadata *_metadata, long rounds, int flags)
{
	static struct pages_held held;
	struct uffdio_range range = { .len = sizeof(struct page) * PAGES };
	int socks[2], fd;
	pid_t pid;

	socket_pair(socks);
	/* It must not have the heap, or it would be held with this one. */
	pid = fork_child();
	if (!pid)
		protect_pages(socks[1]);
	held.heap = open_manual(0);
	held.pages = mmap(NULL, range.len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	ASSERT_NE(MAP_FAILED, held.pages);
	/* A kernel without huge pages does not know that, and those that were asked for stay. */
	must(!madvise(held.pages, range.len, MADV_NOHUGEPAGE) || errno == EINVAL);
	if (flags)
		add_roots(&held, sizeof(void *), PAGES);
	else
		add_roots(&held, range.len, 1);
	in_thread(hold_in_pages, &held);
	range.start = (uintptr_t)held.pages;
	fd = fault_descriptor(held.pages, range.len);
	send_fd(socks[0], fd);
	ASSERT_EQ(sizeof(range), write(socks[0], &range, sizeof(range)));
	hear(socks[0]);
	while (rounds--)
		collect(held.heap);
	in_thread(look_for_all, &held);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(WIFSIGNALED(await_child(pid)));
	gcheap_close(held.heap);
	ASSERT_EQ(0, munmap(held.pages, range.len));
	close(fd);
}

TEST(pages_are_roots_while_their_table_entries_change)
{
	keep_in_changing_pages(_metadata, repeated(100), 0);
}

/* One for the test, and one that a thread which is held may have half got */
static bool reserve_huge_pages(void)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_RDWR | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0 && errno == ENOENT)
		return false;
	must(fd >= 0);
	must(write(fd, "2", 1) == 1);
	must(pread(fd, text, sizeof(text) - 1, 0) > 0);
	close(fd);
	return atoi(text) >= 2;
}

TEST(huge_pages_are_roots_while_their_table_entries_change)
{
	if (!reserve_huge_pages())
		SKIP(return, "no huge pages to be had");
	keep_in_changing_pages(_metadata, repeated(500), MAP_HUGETLB);
}

int main(int argc, char **argv)
{
	hold_if_told(argc, argv);
	return test_harness_run(argc, argv);
}
