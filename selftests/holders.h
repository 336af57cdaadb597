/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One object is kept by one reference only: who holds it, and who looks whether
 * it lives.
 *
 * The holder makes an object, puts its address in the place under test, and
 * calls held().  The watcher then collects, allocates over whatever was
 * reclaimed, and looks whether the object is what it was.  After that held()
 * returns, the holder clears the place and calls dropped(): now the object has
 * to go, else the test would prove nothing.
 *
 * The holder is the main thread of this process, of a forked one, or of one that
 * was executed and got the heap's descriptor over a socket.
 */
#ifndef GCHEAP_TEST_HOLDERS_H
#define GCHEAP_TEST_HOLDERS_H

#include "common.h"

#define OBJECT_SIZE	64
#define SEED		42

/* Collections that an object has to survive */
#define SURVIVED	3

/* A thread that is awake, and executes user instructions */
#define SPINNING	(-1)

/**
 * struct holder - the side that holds the object
 * @heap: heap
 * @sock: to the watcher
 * @object: the object, hidden
 * @size: its size
 */
struct holder {
	struct gcheap *heap;
	int sock;
	uintptr_t object;
	size_t size;
};

/**
 * struct report - what the watcher is told
 * @object: the object, hidden
 * @size: its size
 * @pid: process that holds it
 * @tid: thread that has to sleep in @blocked before it can be looked at
 * @blocked: number of a system call, or SPINNING
 */
struct report {
	uintptr_t object;
	size_t size;
	pid_t pid;
	pid_t tid;
	long blocked;
};

typedef void (*hold_function)(struct holder *holder);

/* Make the object, of which nobody knows yet. */
helper void make_object(struct holder *holder, size_t size)
{
	holder->size = size;
	holder->object = new_hidden(holder->heap, size, SEED);
}

/* A thread holds the object; returns when it is to be dropped. */
helper void held_by(struct holder *holder, pid_t tid, long blocked)
{
	struct report report = {
		.object = holder->object, .size = holder->size,
		.pid = getpid(), .tid = tid, .blocked = blocked,
	};

	must(write(holder->sock, &report, sizeof(report)) == sizeof(report));
	hear(holder->sock);
}

/* It is held while the calling thread waits here. */
helper void held(struct holder *holder)
{
	held_by(holder, gettid(), SYS_read);
}

helper void dropped(struct holder *holder)
{
	say(holder->sock);
	hear(holder->sock);
}

/* A place in memory, filled by a thread that ends */
struct place {
	uintptr_t object;
	void *volatile *where;
};

apart void put_in_place(void *arg)
{
	struct place *place = arg;

	*place->where = reveal(place->object);
}

helper void put(struct holder *holder, void *volatile *where)
{
	struct place place = { .object = holder->object, .where = where };

	in_thread(put_in_place, &place);
}

/* The object is held by a word in memory, of its own or someone else's thread. */
helper void hold_in_word(struct holder *holder, void *volatile *where)
{
	make_object(holder, OBJECT_SIZE);
	put(holder, where);
	held(holder);
	*where = NULL;
	dropped(holder);
}

/**
 * struct thread - a thread that holds the object, and never calls the library
 * @object: the object, hidden
 * @ready: set by the thread when it holds the object
 * @go: set when it is to end, if it spins
 * @fd: what it reads from otherwise
 * @buffer: what it reads into
 * @holder: whose thread it is
 * @run: what it does
 * @wake: where to write to
 * @tid: its number
 * @thread: its handle
 *
 * Functions in assembly know the first ones' places.
 */
struct thread {
	uint64_t object;
	_Atomic uint32_t ready;
	_Atomic uint32_t go;
	int fd;
	char buffer[4];
	struct holder *holder;
	void (*run)(struct thread *thread);
	int wake;
	pid_t tid;
	pthread_t thread;
};

/* Called by the thread when it holds the object */
helper void thread_held(struct thread *thread)
{
	thread->ready = 1;
	hear(thread->fd);
}

helper void *run_thread(void *arg)
{
	struct thread *thread = arg;

	thread->tid = gettid();
	thread->run(thread);
	return NULL;
}

helper void thread_prepare(struct thread *thread, struct holder *holder)
{
	int fds[2];

	must(!pipe2(fds, O_CLOEXEC));
	thread->fd = fds[0];
	thread->wake = fds[1];
	thread->holder = holder;
	thread->object = holder->object;
}

helper void thread_await(struct thread *thread)
{
	while (!thread->ready)
		sched_yield();
}

helper void thread_start(struct thread *thread, struct holder *holder)
{
	thread_prepare(thread, holder);
	must(!pthread_create(&thread->thread, NULL, run_thread, thread));
	thread_await(thread);
}

helper void thread_end(struct thread *thread)
{
	thread->go = 1;
	say(thread->wake);
	must(!pthread_join(thread->thread, NULL));
	await_thread_end(thread->tid);
	must(thread->object == thread->holder->object);
	close(thread->fd);
	close(thread->wake);
}

/* The object is held by a thread that sleeps in read(), until it ends. */
helper void hold_in_thread(struct holder *holder, void (*run)(struct thread *thread))
{
	struct thread thread = { .run = run };

	make_object(holder, OBJECT_SIZE);
	thread_start(&thread, holder);
	held_by(holder, thread.tid, SYS_read);
	thread_end(&thread);
	dropped(holder);
}

struct watcher {
	struct gcheap *heap;
	int sock;
	bool content;
};

static const char *try_watch(struct gcheap *heap, int sock)
{
	struct report report;
	int i;

	must(read(sock, &report, sizeof(report)) == sizeof(report));
	if (report.blocked != SPINNING)
		await_blocked(report.pid, report.tid, report.blocked);
	if (!is_allocated(heap, report.object))
		return "the object was not there to begin with";
	for (i = 0; i < SURVIVED; i++) {
		collect(heap);
		if (!is_allocated(heap, report.object))
			return "the object was reclaimed while it was referred to";
		churn(heap, report.size);
		if (!is_filled(heap, report.object, report.size, SEED))
			return "the object was overwritten while it was referred to";
	}
	say(sock);
	hear(sock);
	collect(heap);
	if (is_allocated(heap, report.object))
		return "the object stayed though nothing refers to it";
	say(sock);
	return NULL;
}

/* A holder that still waits learns that nobody listens any more, and fails. */
static bool watch(struct gcheap *heap, int sock)
{
	const char *complaint = try_watch(heap, sock);

	if (complaint)
		fprintf(stderr, "# %s\n", complaint);
	shutdown(sock, SHUT_RDWR);
	return !complaint;
}

helper void *run_watcher(void *arg)
{
	struct watcher *watcher = arg;

	watcher->content = watch(watcher->heap, watcher->sock);
	return NULL;
}

helper void hold_and_exit(struct gcheap *heap, int sock, hold_function hold)
{
	struct holder holder = { .heap = heap, .sock = sock };

	hold(&holder);
	_exit(KSFT_PASS);
}

/* Here, and watched by another thread. */
helper bool watch_this_process(struct gcheap *heap, hold_function hold)
{
	struct watcher watcher = { .heap = heap };
	struct holder holder = { .heap = heap };
	pthread_t thread;
	int fds[2];

	socket_pair(fds);
	watcher.sock = fds[0];
	holder.sock = fds[1];
	must(!pthread_create(&thread, NULL, run_watcher, &watcher));
	hold(&holder);
	must(!pthread_join(thread, NULL));
	return watcher.content;
}

helper bool watch_child(struct gcheap *heap, int sock, pid_t child)
{
	bool content = watch(heap, sock);

	return child_succeeded(child) && content;
}

helper bool watch_forked_process(struct gcheap *heap, hold_function hold)
{
	pid_t child;
	int fds[2];

	socket_pair(fds);
	child = fork_child();
	if (!child) {
		close(fds[0]);
		hold_and_exit(heap, fds[1], hold);
	}
	close(fds[1]);
	return watch_child(heap, fds[0], child);
}

int main(int argc, char **argv);

/* Functions are elsewhere in an executed process, but not their distances. */
helper bool watch_executed_process(struct gcheap *heap, hold_function hold)
{
	char offset[32], sock[16];
	pid_t child;
	int fds[2];

	socket_pair(fds);
	child = fork_child();
	if (!child) {
		snprintf(offset, sizeof(offset), "%td", (char *)hold - (char *)main);
		snprintf(sock, sizeof(sock), "%d", dup(fds[1]));
		execl("/proc/self/exe", "holder", "--hold", offset, sock, NULL);
		must(!"executed");
	}
	close(fds[1]);
	send_fd(fds[0], gcheap_fd(heap));
	return watch_child(heap, fds[0], child);
}

struct attaching {
	int fd;
	struct gcheap *heap;
};

apart void attach_here(void *arg)
{
	struct attaching *attaching = arg;

	attaching->heap = gcheap_attach(attaching->fd);
	must(attaching->heap);
}

/* What main() does in an executed process; returns otherwise. */
helper void hold_if_told(int argc, char **argv)
{
	struct attaching attaching = {};
	int sock;

	if (argc != 4 || strcmp(argv[1], "--hold"))
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sock = atoi(argv[3]);
	attaching.fd = receive_fd(sock);
	in_thread(attach_here, &attaching);
	close(attaching.fd);
	hold_and_exit(attaching.heap, sock, (hold_function)((char *)main + atol(argv[2])));
}

#endif /* GCHEAP_TEST_HOLDERS_H */
