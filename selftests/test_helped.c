// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel threads on idle processors mark beside who collects: they do take part, nothing
 * is lost by that, whatever the structure, and it does not matter who is killed meanwhile.
 *
 * All that lives hangs on one root, and is of all kinds: trees, of which there are always
 * parts to be had; a list, of which there are none; arrays of references, small and large;
 * objects of one word, and such as have no references.
 */
#include "fdinfo.h"

#define PARTS		32

/**
 * struct node - of a tree or a list
 * @left: one, or NULL
 * @right: another
 * @number: of the tree, and where in it
 * @check: @number, scrambled
 */
struct node {
	struct node *left;
	struct node *right;
	uint64_t number;
	uint64_t check;
};

/**
 * struct part - one of the structures
 * @tree: a full tree
 * @list: as many nodes, one after the other
 * @array: leaves
 * @words: objects of one word that refer to leaves
 * @text: without references
 */
struct part {
	struct node *tree;
	struct node *list;
	struct node **array;
	struct node ***words;
	unsigned char *text;
};

static struct part **volatile root;

FIXTURE(crew) {
	struct gcheap *heap;
};

static struct node *node_new(struct gcheap *heap, uint64_t number)
{
	struct node *node = gcheap_alloc(heap, sizeof(*node));

	must(node);
	node->number = number;
	node->check = pattern(number, 0);
	return node;
}

static bool is_node(const struct node *node, uint64_t number)
{
	return node->number == number && node->check == pattern(number, 0);
}

static struct node *tree_new(struct gcheap *heap, unsigned int levels, uint64_t number)
{
	struct node *node = node_new(heap, number);

	if (!levels)
		return node;
	node->left = tree_new(heap, levels - 1, 2 * number);
	node->right = tree_new(heap, levels - 1, 2 * number + 1);
	return node;
}

static bool is_tree(const struct node *node, unsigned int levels, uint64_t number)
{
	if (!is_node(node, number))
		return false;
	return !levels || (is_tree(node->left, levels - 1, 2 * number) &&
			  is_tree(node->right, levels - 1, 2 * number + 1));
}

/* Nodes of a list, and references of an array */
static long length(void)
{
	return scaled(4000);
}

static unsigned int depth(void)
{
	return length() > 1000 ? 11 : 8;
}

static struct part *part_new(struct gcheap *heap, uint64_t number)
{
	struct part *volatile part = gcheap_alloc(heap, sizeof(*part));
	long i;

	must(part);
	part->tree = tree_new(heap, depth(), number);
	for (i = 0; i < length(); i++) {
		struct node *node = node_new(heap, number + i);

		node->left = part->list;
		part->list = node;
	}
	part->array = gcheap_alloc(heap, length() * sizeof(*part->array));
	part->words = gcheap_alloc(heap, length() * sizeof(*part->words));
	part->text = gcheap_alloc_noscan(heap, length());
	must(part->array && part->words && part->text);
	fill(part->text, length(), number);
	for (i = 0; i < length(); i++) {
		part->array[i] = node_new(heap, number + i);
		part->words[i] = gcheap_alloc(heap, sizeof(**part->words));
		must(part->words[i]);
		*part->words[i] = node_new(heap, ~number - i);
	}
	return part;
}

static bool is_part(const struct part *part, uint64_t number)
{
	const struct node *node = part->list;
	long i;

	if (!is_tree(part->tree, depth(), number) ||
	    !filled(part->text, length(), number))
		return false;
	for (i = length(); i-- > 0; node = node->left)
		if (!is_node(node, number + i))
			return false;
	for (i = 0; i < length(); i++)
		if (!is_node(part->array[i], number + i) ||
		    !is_node(*part->words[i], ~number - i))
			return false;
	return !node;
}

static void make(struct gcheap *heap)
{
	uint64_t i;

	root = gcheap_alloc(heap, PARTS * sizeof(*root));
	must(root);
	for (i = 0; i < PARTS; i++)
		root[i] = part_new(heap, i + 1);
}

static bool all_intact(void)
{
	uint64_t i;

	for (i = 0; i < PARTS; i++)
		if (!is_part(root[i], i + 1))
			return false;
	return true;
}

apart void make_garbage(void *heap)
{
	must(part_new(heap, 12345));
}

/* The other processor is idle now and then. */
static void collect_until_helped(struct gcheap *heap)
{
	long before = value_now(heap, "helped");

	must(before >= 0);
	do {
		in_thread(make_garbage, heap);
		must(!gcheap_collect(heap));
	} while (value_now(heap, "helped") == before);
}

FIXTURE_SETUP(crew)
{
	if (release_has("-rt"))
		SKIP(return, "realtime kernels have no such threads");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "there is one processor");
	self->heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(crew)
{
	root = NULL;
	if (self->heap)
		gcheap_close(self->heap);
}

TEST_F(crew, nothing_is_lost_when_helpers_mark)
{
	int round;

	make(self->heap);
	for (round = 0; round < (on_debug_kernel() ? 3 : 6); round++) {
		collect_until_helped(self->heap);
		ASSERT_TRUE(all_intact());
	}
}

TEST_F(crew, what_helpers_do_not_mark_is_reclaimed)
{
	uint64_t before;

	make(self->heap);
	collect(self->heap);
	before = stats_of(self->heap).heap_alloc;
	collect_until_helped(self->heap);
	/* Something of the garbage may be kept by what is left on the stack. */
	EXPECT_LE(stats_of(self->heap).heap_alloc, before + before / PARTS);
	EXPECT_GE(stats_of(self->heap).heap_alloc, before - before / PARTS);
}

static void collect_in_child(int ready)
{
	struct gcheap *heap = gcheap_open(NULL);

	must(heap);
	make(heap);
	collect_until_helped(heap);
	must(all_intact());
	say(ready);
	for (;;)
		must(!gcheap_collect(heap));
}

TEST_F(crew, several_heaps_have_helpers_at_a_time_and_may_be_killed)
{
	int fds[2], i, round;
	pid_t children[3];

	for (round = 0; round < (on_debug_kernel() ? 1 : 2); round++) {
		socket_pair(fds);
		for (i = 0; i < 3; i++) {
			children[i] = fork_child();
			if (!children[i])
				collect_in_child(fds[1]);
		}
		for (i = 0; i < 3; i++)
			hear(fds[0]);
		for (i = 0; i < 3; i++)
			kill(children[i], SIGKILL);
		for (i = 0; i < 3; i++)
			EXPECT_EQ(SIGKILL, WTERMSIG(await_child(children[i])));
		close(fds[0]);
		close(fds[1]);
	}
	make(self->heap);
	collect_until_helped(self->heap);
	EXPECT_TRUE(all_intact());
}

TEST_HARNESS_MAIN
