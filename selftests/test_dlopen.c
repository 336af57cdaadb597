// SPDX-License-Identifier: GPL-2.0
/*
 * An object is kept while its only reference is in a library that was opened
 * after the heap was made; and in data of a dynamically linked program.  Uses
 * the shared libgcheap.
 */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>

#include "holders.h"
#include "libholder.h"

static void *volatile data_word = (void *)&data_word;
static void *volatile bss_block[HOLDER_WORDS];
static __thread void *volatile tls_word;

/* Beside this program */
static void *open_library(void)
{
	char path[PATH_MAX], file[PATH_MAX + 16];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	void *library;

	must(length > 0);
	path[length] = '\0';
	snprintf(file, sizeof(file), "%s/libholder.so", dirname(path));
	library = dlopen(file, RTLD_NOW);
	must(library);
	return library;
}

static void *symbol(const char *name)
{
	void *address = dlsym(open_library(), name);

	must(address);
	return address;
}

static void *volatile *library_tls_word(void)
{
	void *volatile *(*tls_word_of)(void) = symbol("holder_tls_word");

	return tls_word_of();
}

static void hold_in_data_of_program(struct holder *holder)
{
	hold_in_word(holder, &data_word);
}

static void hold_in_bss_of_program(struct holder *holder)
{
	hold_in_word(holder, &bss_block[HOLDER_WORDS - 1]);
}

static void hold_in_tls_of_program(struct holder *holder)
{
	hold_in_word(holder, &tls_word);
}

static void hold_in_data_of_library(struct holder *holder)
{
	hold_in_word(holder, symbol("holder_data"));
}

static void hold_in_bss_of_library(struct holder *holder)
{
	void *volatile *block = symbol("holder_bss");

	hold_in_word(holder, &block[HOLDER_WORDS - 1]);
}

static void hold_in_tls_of_library(struct holder *holder)
{
	hold_in_word(holder, library_tls_word());
}

static void keep_in_tls_of_program(struct thread *thread)
{
	tls_word = reveal(thread->object);
	thread_held(thread);
	must(hide(tls_word) == thread->object);
}

static void hold_in_tls_of_program_in_thread(struct holder *holder)
{
	hold_in_thread(holder, keep_in_tls_of_program);
}

static void keep_in_tls_of_library(struct thread *thread)
{
	void *volatile *word = library_tls_word();

	*word = reveal(thread->object);
	thread_held(thread);
	must(hide(*word) == thread->object);
}

static void hold_in_tls_of_library_in_thread(struct holder *holder)
{
	hold_in_thread(holder, keep_in_tls_of_library);
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

PROMISE(in_data_of_program)
PROMISE(in_bss_of_program)
PROMISE(in_tls_of_program)
PROMISE(in_tls_of_program_in_thread)
PROMISE(in_data_of_library)
PROMISE(in_bss_of_library)
PROMISE(in_tls_of_library)
PROMISE(in_tls_of_library_in_thread)

/* As a program may that has the library in itself, and opens a plugin with another one */
static void *another_copy(void)
{
	static const char path[] = "/tmp/another-libgcheap.so";
	char line[PATH_MAX + 32];
	void *library;
	Dl_info info;

	must(dladdr(dlsym(RTLD_DEFAULT, "gcheap_open"), &info));
	snprintf(line, sizeof(line), "cp %s %s", info.dli_fname, path);
	must(!system(line));
	library = dlopen(path, RTLD_NOW);
	must(library && dlsym(library, "gcheap_open") != dlsym(RTLD_DEFAULT, "gcheap_open"));
	return library;
}

/* They number their heaps from 1 on, and share the variable that inline functions use. */
TEST(two_copies_of_the_library_take_from_a_heap_each)
{
	void *library = another_copy();
	struct gcheap *(*open_other)(const struct gcheap_options *opts) =
		dlsym(library, "gcheap_open");
	void *(*alloc_other)(struct gcheap *heap, size_t size) =
		dlsym(library, "gcheap_alloc");
	struct gcheap *ours = open_manual(16 * MIB), *other = open_other(NULL);
	int i;

	ASSERT_NE(NULL, ours);
	ASSERT_NE(NULL, other);
	for (i = 0; i < 1000; i++) {
		ASSERT_TRUE(gcheap_contains(ours, gcheap_alloc(ours, 32)));
		ASSERT_TRUE(gcheap_contains(other, alloc_other(other, 32)));
	}
}

int main(int argc, char **argv)
{
	hold_if_told(argc, argv);
	return test_harness_run(argc, argv);
}
