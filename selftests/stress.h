/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzer and the torture program share: numbers drawn from a seed, the
 * threads at work and a watchdog over them.
 *
 * All threads of all processes are in one table in shared memory, the crew.  Each
 * counts there what it has done.  The controller, which maps no heap and so is
 * never held by a collection, looks whether all go on.
 */
#ifndef GCHEAP_TEST_STRESS_H
#define GCHEAP_TEST_STRESS_H

#include <dirent.h>
#include <getopt.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define GCHEAP_TEST_PLAIN
#include "common.h"

#define MEMBERS		512

/*
 * A thread that has done nothing for so many seconds hangs: many, as the machine may
 * be one of several on a busy one.
 */
#define HANG_SECONDS	180

/**
 * struct member - one thread
 * @pid: its process, 0 when the entry is free
 * @tid: its number
 * @progress: counts up as long as it does something
 * @doing: what it is busy with, for whoever wants to know why it hangs
 */
struct member {
	_Atomic pid_t pid;
	_Atomic pid_t tid;
	_Atomic uint64_t progress;
	_Atomic uint64_t doing;
};

/**
 * struct crew - all threads, in memory that all processes share
 * @stop: they are to end
 * @failures: what went wrong, and was printed
 * @done: calls, or whatever else is counted to know when to end
 * @members: the threads
 */
struct crew {
	_Atomic bool stop;
	_Atomic int failures;
	_Atomic uint64_t done;
	struct member members[MEMBERS];
};

/* A well-mixed function of a number (the finalizer of SplitMix64) */
helper uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* The next number of a sequence */
helper uint64_t draw(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	return mix(*state);
}

helper uint64_t below(uint64_t *state, uint64_t limit)
{
	return draw(state) % limit;
}

helper bool one_in(uint64_t *state, uint64_t n)
{
	return !below(state, n);
}

helper double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

helper void moment(void)
{
	const struct timespec time = { .tv_nsec = 2000000 };

	nanosleep(&time, NULL);
}

/* An entry for the calling thread, NULL when all are taken */
helper struct member *member_join(struct crew *crew)
{
	size_t i;

	for (i = 0; i < MEMBERS; i++) {
		struct member *member = &crew->members[i];
		pid_t nobody = 0;

		/* Who is killed in the middle of this leaves no half entry. */
		if (!atomic_compare_exchange_strong(&member->pid, &nobody, getpid()))
			continue;
		member->tid = gettid();
		member->doing = 0;
		member->progress = 1;
		return member;
	}
	return NULL;
}

helper void member_leave(struct member *member)
{
	member->pid = 0;
}

/* The process has ended; the entries that it had are free. */
helper void crew_bury(struct crew *crew, pid_t pid)
{
	size_t i;

	for (i = 0; i < MEMBERS; i++) {
		pid_t dead = pid;

		atomic_compare_exchange_strong(&crew->members[i].pid, &dead, 0);
	}
}

helper size_t crew_size(struct crew *crew)
{
	size_t i, size = 0;

	for (i = 0; i < MEMBERS; i++)
		size += crew->members[i].pid != 0;
	return size;
}

/* Collect all children that have ended.  Returns whether there are others. */
helper bool crew_reap(struct crew *crew, void (*ended)(pid_t pid, int status))
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		crew_bury(crew, pid);
		ended(pid, status);
	}
	return !pid;
}

/**
 * struct watch - what the controller saw of the crew
 * @tid: each thread
 * @seen: its progress
 * @since: when that was seen first
 */
struct watch {
	pid_t tid[MEMBERS];
	uint64_t seen[MEMBERS];
	double since[MEMBERS];
};

/* Whether a member has ended without a word, as its parent does not wait for it */
helper bool member_is_gone(struct member *member)
{
	pid_t pid = member->pid;

	return pid > 0 && kill(pid, 0) && errno == ESRCH;
}

/* A thread that has done nothing for too long, or NULL */
helper struct member *watch_hung(struct watch *watch, struct crew *crew)
{
	size_t i;

	for (i = 0; i < MEMBERS; i++) {
		struct member *member = &crew->members[i];

		if (!member->pid || watch->tid[i] != member->tid ||
		    watch->seen[i] != member->progress) {
			watch->tid[i] = member->tid;
			watch->seen[i] = member->progress;
			watch->since[i] = now();
		} else if (member_is_gone(member)) {
			crew_bury(crew, member->pid);
		} else if (now() - watch->since[i] > HANG_SECONDS) {
			return member;
		}
	}
	return NULL;
}

helper void print_hung(const struct member *member)
{
	printf("# thread %d of process %d hangs in %#lx\n", member->tid, member->pid,
	       member->doing);
}

helper void print_file(const char *path)
{
	char line[256];
	FILE *file = fopen(path, "r");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		printf("#     %s", line);
	fclose(file);
}

helper void print_stacks_of(const char *pid)
{
	char path[320];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		printf("#   process %s thread %s\n", pid, entry->d_name);
		snprintf(path, sizeof(path), "/proc/%s/task/%.20s/stack", pid,
			 entry->d_name);
		print_file(path);
	}
	if (tasks)
		closedir(tasks);
}

/* Nothing that would wait for the memory of a process that hangs */
helper bool is_user_process(const char *pid)
{
	char path[64], program[256];

	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	return readlink(path, program, sizeof(program)) > 0;
}

/* Where in the kernel all threads of all programs are */
helper void print_stacks(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (atoi(entry->d_name) > 0 && is_user_process(entry->d_name))
			print_stacks_of(entry->d_name);
	if (proc)
		closedir(proc);
}

helper void crew_signal(struct crew *crew, int number)
{
	size_t i;

	for (i = 0; i < MEMBERS; i++) {
		pid_t pid = crew->members[i].pid;

		if (pid > 0)
			kill(pid, number);
	}
}

/* Wait until the controller has no children any more. */
helper bool crew_ends(struct crew *crew, void (*ended)(pid_t pid, int status))
{
	double start = now();

	while (crew_reap(crew, ended)) {
		if (now() - start > HANG_SECONDS)
			return false;
		crew_signal(crew, SIGCONT);
		moment();
	}
	return true;
}

/*
 * The end: what does not end by itself hangs; so does what cannot be killed.
 * Returns whether nothing did.
 */
helper bool crew_dismiss(struct crew *crew, void (*ended)(pid_t pid, int status))
{
	crew->stop = true;
	if (crew_ends(crew, ended))
		return true;
	printf("# %zu threads do not end\n", crew_size(crew));
	print_stacks();
	crew_signal(crew, SIGKILL);
	if (!crew_ends(crew, ended)) {
		printf("# not even when they are killed\n");
		print_stacks();
	}
	return false;
}

helper struct crew *crew_new(int fd)
{
	struct crew *crew;

	must(!ftruncate(fd, sizeof(*crew)));
	crew = mmap(NULL, sizeof(*crew), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(crew != MAP_FAILED);
	return crew;
}

/*
 * The controller outlives its children when memory is short, and becomes the
 * parent of those who lose theirs.
 */
helper void be_controller(void)
{
	const struct rlimit no_core = {};
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "-1000", 5) != 5)
			printf("# the controller may be killed for want of memory\n");
		close(fd);
	}
	must(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	must(!setrlimit(RLIMIT_CORE, &no_core));
	setvbuf(stdout, NULL, _IOLBF, 0);
}

helper void be_worker(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		must(write(fd, "500", 3) == 3);
		close(fd);
	}
}

#endif /* GCHEAP_TEST_STRESS_H */
