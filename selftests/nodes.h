/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Linked structures that show whether anything in them was lost.
 *
 * A node is complete, its checksum included, before anybody else learns of it,
 * and does not change any more: so whoever is killed, and when, leaves none that
 * is half made.  It knows its number in the world, and the numbers of those that
 * it points to: so one that was reclaimed is found out even when its memory is
 * another node's by then.
 */
#ifndef GCHEAP_TEST_NODES_H
#define GCHEAP_TEST_NODES_H

#include "stress.h"

#define LINKS		3

/* Nodes in a structure, words in a node and beside it */
#define WEIGHT_MAX	120
#define PAYLOAD_MAX	16384
#define DATA_MAX	16384

/* Nodes that one look at a structure visits; paths in a graph may be many more. */
#define VISITS		200

/**
 * struct ref - a pointer to a node, and which one that is
 * @node: the node, NULL for none
 * @serial: its number
 */
struct ref {
	struct node *volatile node;
	uint64_t serial;
};

/**
 * struct node - one object
 * @sum: over all that follows, and the address
 * @serial: its number
 * @weight: nodes to be found from here, as often as there are ways to them
 * @words: of @payload
 * @data_words: of @data
 * @data: an object without pointers, or NULL
 * @link: other nodes
 * @payload: drawn from the number
 */
struct node {
	uint64_t sum;
	uint64_t serial;
	uint64_t weight;
	uint32_t words;
	uint32_t data_words;
	uint64_t *data;
	struct ref link[LINKS];
	uint64_t payload[];
};

helper uint64_t node_sum(const struct node *node)
{
	uint64_t sum = mix(node->serial) ^ (uintptr_t)node;
	size_t i;

	sum = mix(sum + node->weight);
	sum = mix(sum + node->words);
	sum = mix(sum + node->data_words);
	sum = mix(sum + (uintptr_t)node->data);
	for (i = 0; i < LINKS; i++)
		sum = mix(sum + (uintptr_t)node->link[i].node) + node->link[i].serial;
	for (i = 0; i < node->words; i++)
		sum = (sum ^ node->payload[i]) * 0x100000001b3ull;
	return sum;
}

/* What is wrong with a node, or NULL */
helper const char *node_fault(const struct node *node, uint64_t serial)
{
	if (node->serial != serial)
		return "another number";
	if (node->words > PAYLOAD_MAX || node->data_words > DATA_MAX ||
	    node->weight > WEIGHT_MAX)
		return "impossible numbers";
	if (node->sum != node_sum(node))
		return "a wrong checksum";
	if (node->data && !filled(node->data, node->data_words * 8ul, serial))
		return "wrong data";
	return NULL;
}

/*
 * Look at a structure.  Returns what is wrong, or NULL; *@ref is then the node
 * where that was found.
 */
helper const char *structure_fault(struct ref *ref)
{
	struct ref todo[VISITS + LINKS], next;
	size_t nr = 0, visits = 0, i;
	const char *fault;

	if (ref->node)
		todo[nr++] = *ref;
	while (nr && visits++ < VISITS) {
		next = todo[--nr];
		fault = node_fault(next.node, next.serial);
		if (fault) {
			*ref = next;
			return fault;
		}
		for (i = 0; i < LINKS && nr < VISITS; i++)
			if (next.node->link[i].node)
				todo[nr++] = next.node->link[i];
	}
	return NULL;
}

/* Bytes of a node with so many words of payload */
helper size_t node_bytes(size_t words)
{
	return sizeof(struct node) + words * 8;
}

/* Fill a new object; what it points to is complete, and kept by the caller. */
helper void node_complete(struct node *node, uint64_t serial, size_t words,
			  const struct ref *links, uint64_t *data, size_t data_words)
{
	size_t i;

	node->serial = serial;
	node->weight = 1;
	node->words = words;
	node->data = data;
	node->data_words = data ? data_words : 0;
	for (i = 0; i < LINKS; i++) {
		node->link[i] = links[i];
		if (links[i].node)
			node->weight += links[i].node->weight;
	}
	for (i = 0; i < words; i++)
		node->payload[i] = pattern(serial, i);
	node->sum = node_sum(node);
	atomic_thread_fence(memory_order_release);
}

#endif /* GCHEAP_TEST_NODES_H */
