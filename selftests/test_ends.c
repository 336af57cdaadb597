// SPDX-License-Identifier: GPL-2.0
/*
 * The address behind an object, one past its end: in a register or on a stack it
 * keeps the object, in the heap and in data it does not.
 */
#include "holders.h"

#include <sys/mman.h>

/*
 * Reads a byte while the complement of @hidden is in one place alone; on another stack
 * unless @top is NULL.
 */
typedef void (*end_function)(uint64_t hidden, int fd, char *buffer, char *top);

void end_in_register(uint64_t hidden, int fd, char *buffer, char *top);
void end_on_stack(uint64_t hidden, int fd, char *buffer, char *top);

asm(".macro reads\n"
    "	mov	%esi, %edi\n"
    "	mov	%rdx, %rsi\n"
    "	mov	$1, %edx\n"
    "	xor	%eax, %eax\n"
    "	syscall\n"
    ".endm\n"

    "end_in_register:\n"
    "	push	%rbx\n"
    "	mov	%rdi, %rbx\n"
    "	not	%rbx\n"
    "	reads\n"
    "	xor	%ebx, %ebx\n"
    "	pop	%rbx\n"
    "	ret\n"

    "end_on_stack:\n"
    "	mov	%rsp, %r8\n"
    "	test	%rcx, %rcx\n"
    "	cmovnz	%rcx, %rsp\n"
    "	not	%rdi\n"
    "	push	%rdi\n"
    "	reads\n"
    "	movq	$0, (%rsp)\n"
    "	mov	%r8, %rsp\n"
    "	ret\n");

FIXTURE(ends) {
	struct gcheap *heap;
};

FIXTURE_VARIANT(ends) {
	size_t size;
};

FIXTURE_VARIANT_ADD(ends, of_8_bytes) {
	.size = 8,
};

FIXTURE_VARIANT_ADD(ends, of_64_bytes) {
	.size = 64,
};

FIXTURE_VARIANT_ADD(ends, of_1024_bytes) {
	.size = 1024,
};

FIXTURE_VARIANT_ADD(ends, of_32_kib) {
	.size = 32 * KIB,
};

FIXTURE_VARIANT_ADD(ends, of_a_large_object) {
	.size = 50 * 4 * KIB,
};

static size_t object_size;

FIXTURE_SETUP(ends)
{
	self->heap = open_manual(16 * MIB);
	ASSERT_NE(NULL, self->heap);
	object_size = variant->size;
}

FIXTURE_TEARDOWN(ends)
{
	gcheap_close(self->heap);
}

#define STACK_SIZE	(256 * KIB)

/* What one thread does for another, which has the end for as long */
struct end {
	struct holder *holder;
	end_function run;
	int fds[2];
	char *top;
	pid_t tid;
	_Atomic bool ready;
};

static void *run_end(void *arg)
{
	struct end *end = arg;
	char buffer;

	end->tid = gettid();
	end->ready = true;
	/* The complement of a sum */
	end->run(end->holder->object - object_size, end->fds[0], &buffer, end->top);
	return NULL;
}

apart void touch_nothing(void *arg)
{
	(void)arg;
}

/* The thread's first stack, all of which may count, is one that nobody has had before. */
static void hold_end(struct holder *holder, end_function run, char *stack)
{
	struct end end = { .holder = holder, .run = run };
	char *first = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	/* The stack's end is not the object's, which may be the address of another one. */
	if (stack)
		end.top = stack + STACK_SIZE;
	must(first != MAP_FAILED);
	must(!pipe2(end.fds, O_CLOEXEC));
	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setstack(&attr, first, STACK_SIZE));
	make_object(holder, object_size);
	in_thread(touch_nothing, NULL);
	must(!pthread_create(&thread, &attr, run_end, &end));
	must(!pthread_attr_destroy(&attr));
	while (!end.ready)
		sched_yield();
	held_by(holder, end.tid, SYS_read);
	say(end.fds[1]);
	must(!pthread_join(thread, NULL));
	await_thread_end(end.tid);
	must(!munmap(first, STACK_SIZE));
	close(end.fds[0]);
	close(end.fds[1]);
	dropped(holder);
}

static void hold_in_register(struct holder *holder)
{
	hold_end(holder, end_in_register, NULL);
}

static void hold_on_stack(struct holder *holder)
{
	hold_end(holder, end_on_stack, NULL);
}

static void hold_on_stack_in_heap(struct holder *holder)
{
	char *stack = gcheap_alloc(holder->heap, 2 * STACK_SIZE);

	must(stack);
	hold_end(holder, end_on_stack, stack);
}

static void hold_on_stack_without_pointers(struct holder *holder)
{
	char *stack = gcheap_alloc_noscan(holder->heap, 2 * STACK_SIZE);

	must(stack);
	hold_end(holder, end_on_stack, stack);
}

TEST_F(ends, in_a_register_keep_the_object)
{
	ASSERT_TRUE(watch_this_process(self->heap, hold_in_register));
}

TEST_F(ends, on_a_stack_keep_the_object)
{
	ASSERT_TRUE(watch_this_process(self->heap, hold_on_stack));
}

TEST_F(ends, on_a_stack_in_the_heap_keep_the_object)
{
	ASSERT_TRUE(watch_this_process(self->heap, hold_on_stack_in_heap));
}

TEST_F(ends, on_a_stack_in_an_object_without_pointers_keep_the_object)
{
	ASSERT_TRUE(watch_this_process(self->heap, hold_on_stack_without_pointers));
}

/* An object, and where the address behind it is put */
struct putting {
	uintptr_t object;
	char *volatile *where;
};

apart void put_end(void *arg)
{
	struct putting *putting = arg;

	*putting->where = (char *)reveal(putting->object) + object_size;
}

static char *volatile in_data;
static char *volatile *volatile in_heap;

static void put_end_of(uintptr_t object, char *volatile *where)
{
	struct putting putting = { .object = object, .where = where };

	in_thread(put_end, &putting);
}

TEST_F(ends, in_data_do_not_keep_the_object)
{
	uintptr_t object = new_hidden(self->heap, variant->size, 1);

	put_end_of(object, &in_data);
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, object));
	in_data = NULL;
}

TEST_F(ends, in_the_heap_do_not_keep_the_object)
{
	uintptr_t object;

	/* Before it, so that its own address is not the one behind the other. */
	in_heap = gcheap_alloc(self->heap, 48);
	ASSERT_NE(NULL, in_heap);
	object = new_hidden(self->heap, variant->size, 1);
	put_end_of(object, in_heap);
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, object));
	EXPECT_TRUE(is_allocated(self->heap, hide((void *)in_heap)));
	in_heap = NULL;
}

TEST_HARNESS_MAIN
