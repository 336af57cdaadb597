// SPDX-License-Identifier: GPL-2.0
/*
 * Programs of other languages, C libraries and ways to link, see hosts/: each uses a
 * heap, collects all the time, and looks whether all is there.  Those for which
 * there was no compiler are skipped.
 */
#include <libgen.h>
#include <limits.h>

#include "common.h"

FIXTURE(host) {
	char folder[PATH_MAX];
};

/**
 * struct variant - how to start the program
 * @program: beside this one; or, by its full path, what executes @script
 * @script: beside this one, or NULL; it is told where the library is
 */
FIXTURE_VARIANT(host) {
	const char *program;
	const char *script;
};

#define HOST(name)						\
	FIXTURE_VARIANT_ADD(host, name) {			\
		.program = "host-" #name,			\
	}

HOST(static);
HOST(static_pie);
HOST(pie);
HOST(no_pie);
HOST(far_bss);
HOST(musl_static);
HOST(musl);
HOST(go);
HOST(rust);
HOST(asan);

FIXTURE_VARIANT_ADD(host, luajit) {
	.program = "luajit",
	.script = "host.lua",
};

FIXTURE_SETUP(host)
{
	ssize_t length = readlink("/proc/self/exe", self->folder, PATH_MAX - 1);

	ASSERT_LT(0, length);
	self->folder[length] = 0;
	dirname(self->folder);
	ASSERT_EQ(0, chdir(self->folder));
}

FIXTURE_TEARDOWN(host)
{
}

static void execute(const char *program, const char *script)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "./%s", program);
	execl(path, program, script, script ? "./libgcheap.so.0" : NULL, NULL);
	_exit(KSFT_FAIL);
}

TEST_F(host, is_not_harmed)
{
	pid_t pid;

	if (access(variant->program, X_OK))
		SKIP(return, "%s was not built", variant->program);
	pid = fork_child();
	if (!pid) {
		/* Those that take long do a tenth. */
		if (scaled(10) == 1)
			setenv("HOST_SLOW", "1", 1);
		execute(variant->program, variant->script);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

TEST_HARNESS_MAIN
