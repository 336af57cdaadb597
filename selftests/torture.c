// SPDX-License-Identifier: GPL-2.0
/*
 * torture: processes and threads share heaps, build structures in them, pass them
 * to each other and verify them all the time, while they are killed, stopped,
 * continued, forked and replaced, and all of them collect.
 *
 *	torture [--seed N] [--seconds N] [--kills N] [--procs P] [--threads T]
 *		[--heaps H]
 *
 * It ends after so many seconds or kills, whichever comes first.  Then: no
 * checksum was wrong, nobody hangs, the heaps empty, and the memory comes back.
 *
 * The controller maps no heap.  The first process, the anchor, is never killed: it
 * keeps the board of each heap, on which all put what they pass on.  A reference
 * that is only on its way, in a pipe or in memory that is no root, keeps nothing:
 * so things are passed by atomic exchange between words that are roots.
 *
 * The seed gives each thread's choices, and whom the controller hits; when it
 * does so, and how threads meet, is chance.
 */
#include "stress.h"
#include "machine.h"
#include "nodes.h"

#define HEAPS_MAX	8
#define HEAP_SIZE	(64 * MIB)
#define BOARD_SLOTS	48
#define PLACES		2
#define PROCS_MAX	32
#define CREW_LIMIT	96

/* Kills before the memory in use is measured for the first time */
#define WARMING_KILLS	100

/* Operations in the life of a thread, and of a forked child */
#define THREAD_OPS	300
#define FORK_OPS	100

/* What a thread may have left on its stack, other threads' caches, and so on */
#define KEPT_MAX	16

static struct {
	uint64_t seed;
	uint64_t kills;
	double seconds;
	int procs;
	int threads;
	int heaps;
} options = {
	.kills = -1ul, .seconds = 60, .procs = 4, .threads = 3, .heaps = 2,
};

/**
 * struct board - where the structures of a heap are passed on; an object in it
 * @pool: a pool that all processes use
 * @slots: a node each, with the lowest bits of its number in those of the address
 */
struct board {
	struct gcheap_pool *pool;
	_Atomic uintptr_t slots[BOARD_SLOTS];
};

/**
 * struct world - what all processes share
 * @crew: the threads
 * @ready: the boards are there
 * @anchor: the process that is not killed
 * @threads: threads begun so far, which makes their numbers
 * @boards: where the boards are, hidden
 * @collections: that were forced
 * @checked: structures that were looked at
 */
struct world {
	struct crew crew;
	_Atomic bool ready;
	_Atomic pid_t anchor;
	_Atomic uint64_t threads;
	uintptr_t boards[HEAPS_MAX];
	_Atomic uint64_t collections;
	_Atomic uint64_t checked;
};

/* Where a thread keeps what it has: each kind of root. */
enum kind { ON_STACK, IN_HEAP, IN_TLS, IN_DATA, IN_RANGE, KINDS };

struct pile {
	struct ref refs[PLACES];
};

/**
 * struct mutator - a thread, on its stack
 * @member: its entry in the crew
 * @random: its choices
 * @number: its number
 * @nodes: it has made so many
 * @ops: operations left
 * @heap: number of the heap that it works in now
 * @on_stack: what it keeps here
 * @in_heap: in an object of each heap
 * @in_range: in memory that is added by hand
 */
struct mutator {
	struct member *member;
	uint64_t random;
	uint64_t number;
	uint64_t nodes;
	long ops;
	int heap;
	struct pile on_stack[HEAPS_MAX];
	struct pile *in_heap[HEAPS_MAX];
	struct pile *in_range[HEAPS_MAX];
};

static struct world *world;
static struct watch watch;
static int fds[HEAPS_MAX];
static pid_t children[PROCS_MAX], stopped[4];
static uint64_t choices, killed;
static bool crashed;

/* A process's own */
static struct gcheap *heaps[HEAPS_MAX];
static struct board *boards[HEAPS_MAX];
static struct pile in_data[HEAPS_MAX];
static _Atomic bool data_taken;
static __thread struct pile in_tls[HEAPS_MAX];
static __thread bool owns_data;

static void run_thread(struct mutator *m);

static void complain(struct mutator *m, const struct ref *ref, const char *where,
		     const char *what)
{
	const uint64_t *words = (const uint64_t *)ref->node;

	if (world->crew.failures++ > 10)
		return;
	/* At once, as this process may be killed any moment. */
	dprintf(STDOUT_FILENO,
		"# seed %lu thread %lu heap %d: %s: %s in node %#lx at %p; %#lx %#lx %#lx %#lx\n",
		options.seed, m->number, m->heap, where, what, ref->serial, words,
		words[0], words[1], words[2], words[3]);
	/* Not before that: processes end at once. */
	world->crew.stop = true;
}

static void check(struct mutator *m, const struct ref *ref, const char *where)
{
	struct ref at = *ref;
	const char *fault = structure_fault(&at);

	world->checked++;
	if (fault)
		complain(m, &at, where, fault);
}

static struct ref *a_place(struct mutator *m)
{
	uint64_t kind = below(&m->random, KINDS), i = below(&m->random, PLACES);
	int h = m->heap;

	if (kind == IN_HEAP && m->in_heap[h])
		return &m->in_heap[h]->refs[i];
	if (kind == IN_TLS)
		return &in_tls[h].refs[i];
	if (kind == IN_DATA && owns_data)
		return &in_data[h].refs[i];
	if (kind == IN_RANGE && m->in_range[h])
		return &m->in_range[h]->refs[i];
	return &m->on_stack[h].refs[i];
}

static void keep(struct ref *place, struct ref ref)
{
	/* Never a pointer with another's number. */
	place->node = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	place->serial = ref.serial;
	atomic_signal_fence(memory_order_seq_cst);
	place->node = ref.node;
}

static uint64_t next_serial(struct mutator *m)
{
	return m->number << 32 | ++m->nodes;
}

/* Objects come from the library, from the call beneath it, or were made larger. */
static void *allocate(struct mutator *m, size_t bytes)
{
	struct gcheap *heap = heaps[m->heap];
	void *object;

	switch (below(&m->random, 8)) {
	case 0:
		return raw_alloc(gcheap_fd(heap), bytes);
	case 1:
		object = gcheap_alloc(heap, 1 + below(&m->random, bytes));
		return object ? gcheap_realloc(heap, object, bytes) : NULL;
	}
	return gcheap_alloc(heap, bytes);
}

static size_t payload_words(struct mutator *m)
{
	if (one_in(&m->random, 200))
		return below(&m->random, PAYLOAD_MAX + 1);
	return below(&m->random, one_in(&m->random, 20) ? 600 : 16);
}

/* A node with these links, as long as that does not become too heavy */
static struct ref new_node(struct mutator *m, const struct ref *links, size_t nr)
{
	struct ref ref = {}, linked[LINKS] = {};
	size_t words = payload_words(m), data_words = 0, i;
	uint64_t weight = 1, *data = NULL;

	for (i = 0; i < nr; i++) {
		if (!links[i].node || weight + links[i].node->weight > WEIGHT_MAX)
			continue;
		weight += links[i].node->weight;
		linked[i] = links[i];
	}
	ref.serial = next_serial(m);
	if (one_in(&m->random, 6)) {
		data_words = 1 + below(&m->random, one_in(&m->random, 50) ? DATA_MAX : 64);
		data = gcheap_alloc_noscan(heaps[m->heap], data_words * 8);
		if (data)
			fill(data, data_words * 8, ref.serial);
	}
	ref.node = allocate(m, node_bytes(words));
	if (!ref.node)
		return ref;
	if (!all_zero(ref.node, node_bytes(words)))
		complain(m, &ref, "allocation", "something");
	node_complete(ref.node, ref.serial, words, linked, data, data_words);
	return ref;
}

static struct ref new_list(struct mutator *m)
{
	uint64_t length = 1 + below(&m->random, 30);
	struct ref head = {};

	while (length--)
		head = new_node(m, &head, 1);
	return head;
}

static struct ref new_tree(struct mutator *m, unsigned int depth)
{
	struct ref below[2] = {};

	if (depth > 1) {
		below[0] = new_tree(m, depth - 1);
		below[1] = new_tree(m, depth - 1);
	}
	return new_node(m, below, 2);
}

static struct ref new_graph(struct mutator *m)
{
	struct ref nodes[12] = {}, links[LINKS];
	size_t nr, i;

	for (nr = 0; nr < ARRAY_SIZE(nodes); nr++) {
		for (i = 0; i < LINKS; i++)
			links[i] = nodes[below(&m->random, nr + 1)];
		nodes[nr] = new_node(m, links, LINKS);
	}
	return nodes[nr - 1];
}

static void op_build(struct mutator *m)
{
	struct ref *place = a_place(m), ref;

	switch (below(&m->random, 3)) {
	case 0:
		ref = new_list(m);
		break;
	case 1:
		ref = new_tree(m, 2 + below(&m->random, 3));
		break;
	default:
		ref = new_graph(m);
	}
	keep(place, ref);
}

static void op_verify(struct mutator *m)
{
	check(m, a_place(m), "a place");
}

/* What somebody put there becomes mine, and what is mine somebody's. */
static void op_exchange(struct mutator *m)
{
	struct ref *place = a_place(m), given = *place, taken = {};
	_Atomic uintptr_t *slot = &boards[m->heap]->slots[below(&m->random, BOARD_SLOTS)];
	uintptr_t tagged = (uintptr_t)given.node;

	if (given.node)
		tagged |= given.serial & 15;
	tagged = atomic_exchange(slot, tagged);
	taken.node = (struct node *)(tagged & ~15ul);
	if (taken.node) {
		taken.serial = taken.node->serial;
		if ((taken.serial & 15) != (tagged & 15))
			complain(m, &taken, "the board", "another number");
		check(m, &taken, "the board");
	}
	keep(place, taken);
}

static void op_copy(struct mutator *m)
{
	const struct ref *from = a_place(m);

	keep(a_place(m), *from);
}

static void op_drop(struct mutator *m)
{
	keep(a_place(m), (struct ref){});
}

static void op_join(struct mutator *m)
{
	struct ref links[LINKS], *place = a_place(m);
	size_t i;

	for (i = 0; i < LINKS; i++)
		links[i] = *a_place(m);
	keep(place, new_node(m, links, LINKS));
}

/* What lies in a pool is a whole structure, or was dropped as a whole. */
static void op_pool(struct mutator *m)
{
	struct gcheap_pool *pool = boards[m->heap]->pool;
	struct ref *held = gcheap_pool_get(pool);

	if (!held)
		return;
	if (held->node)
		check(m, held, "a pool");
	keep(held, *a_place(m));
	gcheap_pool_put(pool, held);
}

static void op_object(struct mutator *m)
{
	struct ref ref = *a_place(m);
	char *within = (char *)ref.node + sizeof(struct node) - 1;

	if (ref.node && gcheap_base(heaps[m->heap], within) != ref.node)
		complain(m, &ref, "OBJECT", "no object");
}

static void op_garbage(struct mutator *m)
{
	uint64_t nr = below(&m->random, 100);
	void **ring = NULL, **object;

	while (nr--) {
		object = gcheap_alloc(heaps[m->heap], 16 + below(&m->random, 400));
		if (!object)
			return;
		object[0] = ring;
		object[1] = object;
		if (ring)
			ring[1] = object;
		ring = object;
	}
}

static void op_collect(struct mutator *m)
{
	struct gcheap *heap = heaps[m->heap];

	/* EAGAIN is for storms of new threads, which this is. */
	must(!(one_in(&m->random, 3) ? gcheap_release(heap) : gcheap_collect(heap)) ||
	     errno == EAGAIN || errno == ENOMEM);
	world->collections++;
}

/* Nodes in a slab that the library does not know */
static void op_slab(struct mutator *m)
{
	struct gcheap_slab slab;
	struct gcheap_slab_return back = { .free = (uintptr_t)slab.free };
	struct gcheap_ioc_refill refill = {
		.size = sizeof(refill), .class_index = 12 + below(&m->random, 8),
		.want = 1, .slabs = (uintptr_t)&slab,
	};
	struct gcheap_ioc_release release = {
		.size = sizeof(release), .nr_back = 1, .back = (uintptr_t)&back,
	};
	struct gcheap_class_info classes[32];
	struct gcheap_ioc_info info = {
		.size = sizeof(info), .classes = (uintptr_t)classes,
		.class_capacity = ARRAY_SIZE(classes),
	};
	int fd = gcheap_fd(heaps[m->heap]);
	uint64_t left = 1 + below(&m->random, 20), i, size;
	struct ref head = {}, link[LINKS] = {};

	must(!ioctl(fd, GCHEAP_IOC_INFO, &info));
	size = classes[refill.class_index].object_size;
	if (size < node_bytes(0) || ioctl(fd, GCHEAP_IOC_REFILL, &refill))
		return;
	for (i = 0; i < classes[refill.class_index].slots && left; i++) {
		if (!(slab.free[i / 64] & 1ull << i % 64))
			continue;
		slab.free[i / 64] &= ~(1ull << i % 64);
		link[0] = head;
		if (head.node && head.node->weight >= WEIGHT_MAX)
			link[0] = (struct ref){};
		head.serial = next_serial(m);
		head.node = (struct node *)(slab.start + i * size);
		if (!all_zero(head.node, size))
			complain(m, &head, "REFILL", "something");
		node_complete(head.node, head.serial, (size - node_bytes(0)) / 8, link,
			      NULL, 0);
		left--;
	}
	back.start = slab.start;
	must(!ioctl(fd, GCHEAP_IOC_RELEASE, &release));
	keep(a_place(m), head);
}

/* What is in the heap both have after a fork: each needs a pile of its own there. */
static void copy_piles(struct mutator *m, struct pile **copies)
{
	int i;

	for (i = 0; i < options.heaps; i++) {
		copies[i] = gcheap_alloc(heaps[i], sizeof(struct pile));
		if (copies[i] && m->in_heap[i])
			*copies[i] = *m->in_heap[i];
	}
}

/* The child has what its parent had at hand, and goes on with it. */
static void op_fork(struct mutator *m)
{
	struct pile *copies[HEAPS_MAX] = {};
	pid_t pid;

	if (crew_size(&world->crew) >= CREW_LIMIT)
		return;
	copy_piles(m, copies);
	pid = fork();
	must(pid >= 0 || errno == EAGAIN || errno == ENOMEM);
	if (pid)
		return;
	memcpy(m->in_heap, copies, sizeof(copies));
	m->member = member_join(&world->crew);
	if (!m->member)
		_exit(KSFT_PASS);
	m->number = ++world->threads;
	m->nodes = 0;
	m->random = mix(options.seed ^ mix(m->number));
	m->ops = FORK_OPS;
	run_thread(m);
	_exit(KSFT_PASS);
}

static void set_up_thread(struct mutator *m)
{
	int i;

	m->number = ++world->threads;
	m->random = mix(options.seed ^ mix(m->number));
	m->ops = THREAD_OPS / 2 + below(&m->random, THREAD_OPS);
	owns_data = !atomic_exchange(&data_taken, true);
	for (i = 0; i < options.heaps; i++) {
		m->in_heap[i] = gcheap_alloc(heaps[i], sizeof(struct pile));
		m->in_range[i] = calloc(1, sizeof(struct pile));
		must(m->in_range[i]);
		must(!gcheap_root_add(heaps[i], m->in_range[i], sizeof(struct pile)));
	}
}

static void clear_thread(struct mutator *m)
{
	int i;

	for (i = 0; i < options.heaps; i++) {
		must(!gcheap_root_del(heaps[i], m->in_range[i]));
		free(m->in_range[i]);
	}
	memset(in_tls, 0, sizeof(in_tls));
	if (owns_data) {
		memset(in_data, 0, sizeof(in_data));
		data_taken = false;
	}
}

/* A thread begins, and gives way to another one in the end. */
static void *thread_main(void *unused)
{
	struct mutator m = {};
	pthread_t next;

	m.member = member_join(&world->crew);
	if (!m.member)
		return unused;
	set_up_thread(&m);
	run_thread(&m);
	clear_thread(&m);
	member_leave(m.member);
	if (!world->crew.stop) {
		must(!pthread_create(&next, NULL, thread_main, NULL));
		must(!pthread_detach(next));
	}
	return unused;
}

static void step(struct mutator *m)
{
	static const struct {
		unsigned int weight;
		void (*run)(struct mutator *m);
	} ops[] = {
		{ 240, op_exchange }, { 220, op_build }, { 200, op_verify },
		{ 90, op_drop }, { 60, op_copy }, { 50, op_join }, { 40, op_pool },
		{ 36, op_object }, { 30, op_garbage }, { 20, op_slab },
		{ 10, op_collect }, { 4, op_fork },
	};
	uint64_t i = 0, ticket = below(&m->random, 1000);

	m->heap = below(&m->random, options.heaps);
	while (ticket >= ops[i].weight)
		ticket -= ops[i++].weight;
	m->member->doing = i;
	ops[i].run(m);
}

static void run_thread(struct mutator *m)
{
	while (m->ops-- > 0 && !world->crew.stop) {
		m->member->progress++;
		step(m);
	}
	world->crew.done++;
}

/* The heap comes by inheritance, or on the way of all other descriptors. */
static struct gcheap *attach(int i, bool passed)
{
	struct gcheap *heap;
	int socks[2], fd = fds[i];

	if (passed) {
		socket_pair(socks);
		send_fd(socks[0], fd);
		close(fd);
		fd = receive_fd(socks[1]);
		close(socks[0]);
		close(socks[1]);
	}
	heap = gcheap_attach(fd);
	must(heap);
	close(fd);
	return heap;
}

static void make_boards(void)
{
	int i;

	for (i = 0; i < options.heaps; i++) {
		boards[i] = gcheap_alloc(heaps[i], sizeof(struct board));
		must(boards[i]);
		boards[i]->pool = gcheap_pool_new(heaps[i], sizeof(struct ref));
		must(boards[i]->pool);
		world->boards[i] = hide(boards[i]);
	}
	world->anchor = getpid();
	world->ready = true;
}

static void process_main(bool is_anchor, bool passed)
{
	pthread_t threads[options.threads];
	int i;

	be_worker();
	/* Nobody waits for what a thread has forked. */
	signal(SIGCHLD, SIG_IGN);
	for (i = 0; i < options.heaps; i++)
		heaps[i] = attach(i, passed);
	if (is_anchor)
		make_boards();
	for (i = 0; i < options.heaps; i++)
		boards[i] = reveal(world->boards[i]);
	for (i = 0; i < options.threads; i++)
		must(!pthread_create(&threads[i], NULL, thread_main, NULL));
	while (!world->crew.stop)
		moment();
	_exit(KSFT_PASS);
}

static void note_end(pid_t pid, int status)
{
	int i;

	for (i = 0; i < options.procs; i++)
		if (children[i] == pid)
			children[i] = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && pid != world->anchor)
		return;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	printf("# process %d ended with status %#x\n", pid, status);
	crashed = true;
	world->crew.stop = true;
}

static void start_process(int i)
{
	bool is_anchor = !world->ready, passed = one_in(&choices, 2);

	children[i] = fork_child();
	if (!children[i])
		process_main(is_anchor, passed);
	while (!world->ready && !crashed) {
		crew_reap(&world->crew, note_end);
		moment();
	}
}

static void replace_dead(void)
{
	int i;

	for (i = 0; i < options.procs && !world->crew.stop; i++)
		if (!children[i])
			start_process(i);
}

/* Processes that are stopped are continued by and by. */
static void stop_process(pid_t pid)
{
	static unsigned int next;
	pid_t *place = &stopped[next++ % ARRAY_SIZE(stopped)];

	if (*place)
		kill(*place, SIGCONT);
	*place = pid;
	kill(pid, SIGSTOP);
}

static void continue_some(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(stopped); i++) {
		if (!stopped[i] || !one_in(&choices, 8))
			continue;
		kill(stopped[i], SIGCONT);
		stopped[i] = 0;
	}
}

static void kill_process(pid_t pid)
{
	if (pid == world->anchor || kill(pid, SIGKILL))
		return;
	killed++;
	crew_bury(&world->crew, pid);
}

/* Someone who has done some work meanwhile is hit in the middle of it. */
static pid_t a_victim(void)
{
	int tries;

	for (tries = 0; tries < 16; tries++) {
		struct member *member = &world->crew.members[below(&choices, CREW_LIMIT)];
		uint64_t worked = below(&choices, 40);
		pid_t pid = member->pid;

		if (pid > 0 && member->progress >= worked && !member_is_gone(member))
			return pid;
	}
	return 0;
}

static void hit_one(void)
{
	pid_t pid = a_victim();

	if (!pid)
		return;
	if (one_in(&choices, 4))
		stop_process(pid);
	else
		kill_process(pid);
}

/* Nobody is hit any more: each thread does something, or has ended. */
static struct member *who_does_not_go_on(void)
{
	static struct watch after;
	uint64_t before[MEMBERS];
	double start = now();
	size_t i;

	crew_signal(&world->crew, SIGCONT);
	memset(stopped, 0, sizeof(stopped));
	watch_hung(&after, &world->crew);
	for (i = 0; i < MEMBERS; i++)
		before[i] = world->crew.members[i].progress;
	for (i = 0; i < MEMBERS && now() - start < HANG_SECONDS; i++) {
		struct member *member = &world->crew.members[i];

		while (member->pid && before[i] == member->progress &&
		       now() - start < HANG_SECONDS) {
			crew_reap(&world->crew, note_end);
			if (member_is_gone(member))
				crew_bury(&world->crew, member->pid);
			moment();
		}
	}
	return now() - start < HANG_SECONDS ? NULL : &world->crew.members[i - 1];
}

static void tell(double start)
{
	static double told;

	if (now() - told < 30)
		return;
	told = now();
	printf("# %.0f seconds: %lu kills, %lu structures checked, %lu collections forced\n",
	       told - start, killed, world->checked, world->collections);
}

/* Returns whether nobody hung. */
static bool control(uint64_t kills, double seconds)
{
	const struct member *hung = NULL;
	double start = now();

	while (!world->crew.stop && !hung && killed < kills && now() - start < seconds) {
		crew_reap(&world->crew, note_end);
		replace_dead();
		hit_one();
		continue_some();
		moment();
		hung = watch_hung(&watch, &world->crew);
		tell(start);
	}
	if (!hung && !world->crew.stop)
		hung = who_does_not_go_on();
	if (hung) {
		print_hung(hung);
		print_stacks();
	}
	printf("# %.0f seconds: %lu kills, %lu structures checked, %lu collections forced\n",
	       now() - start, killed, world->checked, world->collections);
	return crew_dismiss(&world->crew, note_end) && !hung;
}

/* All who had anything in the heaps are gone. */
static void empty_heaps(void)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };
	int i, n;

	for (i = 0; i < options.heaps; i++) {
		must(raw_map(fds[i]) != MAP_FAILED);
		for (n = 0; n < 3; n++)
			must(!raw_collect(fds[i]));
		must(!ioctl(fds[i], GCHEAP_IOC_STATS, &stats));
		printf("# heap %d: %llu objects, %llu bytes are left of %llu objects\n", i,
		       stats.heap_objects, stats.heap_alloc, stats.mallocs);
		must(stats.heap_objects <= KEPT_MAX);
		must(stats.heap_sys == stats.heap_inuse + stats.heap_idle);
	}
}

static bool heaps_empty(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork_child();
	if (!pid) {
		empty_heaps();
		fflush(stdout);
		_exit(KSFT_PASS);
	}
	return child_succeeded(pid);
}

/**
 * struct outcome - of a run, from the making of the heaps to their end
 * @lively: nobody hung
 * @sound: nothing was lost
 * @empties: and nothing was kept in the end
 */
struct outcome {
	bool lively;
	bool sound;
	bool empties;
};

static struct outcome run(uint64_t kills, double seconds)
{
	struct outcome outcome = {};
	int i;

	world->ready = false;
	world->crew.stop = false;
	killed = 0;
	for (i = 0; i < options.heaps; i++) {
		struct gcheap_ioc_config config = {
			.size = sizeof(config), .flags = GCHEAP_CONFIG_PERCENT,
			.percent = 100,
		};

		fds[i] = raw_open(HEAP_SIZE);
		must(!ioctl(fds[i], GCHEAP_IOC_CONFIG, &config));
	}
	outcome.lively = control(kills, seconds);
	outcome.sound = !world->crew.failures && !crashed;
	outcome.empties = heaps_empty();
	for (i = 0; i < options.heaps; i++)
		close(fds[i]);
	return outcome;
}

/* A page lost with each kill would be more than that. */
static bool memory_is_back(const void *arg)
{
	const long *before = arg;

	return used_memory() < *before + (long)(4 * MIB);
}

static void test_memory(long before)
{
	if (on_debug_kernel())
		ksft_test_result_skip("memory comes back: kmemleak looks after that\n");
	else
		ksft_test_result(comes_true(memory_is_back, &before),
				 "memory comes back\n");
	printf("# %ld bytes more than before\n", used_memory() - before);
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "kills", required_argument, NULL, 'k' },
		{ "procs", required_argument, NULL, 'p' },
		{ "threads", required_argument, NULL, 'n' },
		{ "heaps", required_argument, NULL, 'h' },
		{}
	};
	int option;

	options.seed = time(NULL);
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 's')
			options.seed = strtoull(optarg, NULL, 0);
		else if (option == 't')
			options.seconds = strtod(optarg, NULL);
		else if (option == 'k')
			options.kills = strtoull(optarg, NULL, 0);
		else if (option == 'p')
			options.procs = atoi(optarg);
		else if (option == 'n')
			options.threads = atoi(optarg);
		else if (option == 'h')
			options.heaps = atoi(optarg);
		else
			exit(KSFT_FAIL);
	}
	if (options.procs < 2 || options.procs > PROCS_MAX || options.threads < 1 ||
	    options.procs * options.threads > CREW_LIMIT / 2 ||
	    options.heaps < 1 || options.heaps > HEAPS_MAX)
		ksft_exit_fail_msg("that many are out of range\n");
}

static void print_command(void)
{
	printf("# to repeat: torture --seed %lu --seconds %.0f --kills %lu",
	       options.seed, options.seconds, options.kills);
	printf(" --procs %d --threads %d --heaps %d\n", options.procs, options.threads,
	       options.heaps);
}

int main(int argc, char **argv)
{
	struct outcome outcome;
	long before;

	parse(argc, argv);
	be_controller();
	ksft_print_header();
	ksft_set_plan(4);
	print_command();
	choices = mix(options.seed);
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(world != MAP_FAILED);
	/* The first one warms up caches of all kinds. */
	outcome = run(WARMING_KILLS, options.seconds / 10);
	before = used_memory();
	if (outcome.lively && outcome.sound && outcome.empties)
		outcome = run(options.kills, options.seconds);
	ksft_test_result(outcome.sound, "no object was lost\n");
	ksft_test_result(outcome.lively, "nobody hung\n");
	ksft_test_result(outcome.empties, "the heaps empty\n");
	test_memory(before);
	if (ksft_get_fail_cnt())
		print_command();
	ksft_finished();
}
