// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz: random sequences of everything that a program can do to heaps, from many
 * threads and processes, with arguments at and around every limit.
 *
 *	fuzz [--seed N] [--calls N] [--seconds N] [--procs P] [--threads T]
 *
 * It ends after so many calls, or so many seconds, whichever comes first.  What it
 * looks for: an errno that <linux/gcheap.h> does not give for what was asked, a
 * call that succeeds and must not, statistics that contradict themselves, a thread
 * that hangs, a process that dies of anything but its own kind, a heap that cannot
 * be emptied afterwards.  What the kernel has to say is for others to look at.
 *
 * Two runs with one seed make the same calls in each stream, as far as they get;
 * how the streams' calls meet is chance.  See fuzz.h.
 */
#include "fuzz.h"

/* Objects that a heap which nobody refers to may keep, as the collector guesses */
#define KEPT_MAX	16

/* Processes that the controller starts before it exchanges one of the heaps */
#define HEAP_LIFE	6

static struct {
	uint64_t seed;
	uint64_t calls;
	double seconds;
	int procs;
	int threads;
} options = { .calls = 100000, .seconds = 1e9, .procs = 3, .threads = 2 };

static struct fuzz fuzz;
static struct watch watch;
static int running, killed;
static bool crashed;

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "calls", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 't' },
		{ "procs", required_argument, NULL, 'p' },
		{ "threads", required_argument, NULL, 'n' },
		{}
	};
	int option;

	options.seed = time(NULL);
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 's')
			options.seed = strtoull(optarg, NULL, 0);
		else if (option == 'c')
			options.calls = strtoull(optarg, NULL, 0);
		else if (option == 't')
			options.seconds = strtod(optarg, NULL);
		else if (option == 'p')
			options.procs = atoi(optarg);
		else if (option == 'n')
			options.threads = atoi(optarg);
		else
			exit(KSFT_FAIL);
	}
	if (options.procs < 1 || options.threads < 1 ||
	    options.procs * options.threads > MEMBERS / 8)
		ksft_exit_fail_msg("that many threads are out of range\n");
}

static void print_command(void)
{
	printf("# to repeat: fuzz --seed %lu --calls %lu --procs %d --threads %d\n",
	       options.seed, options.calls, options.procs, options.threads);
}

/* A new heap in the place of an old one; the controller maps none itself. */
static void exchange_heap(int i)
{
	static const uint64_t sizes[] = { 2 * MIB, 2 * MIB, 4 * MIB, 8 * MIB };
	int fd = raw_open(sizes[i % ARRAY_SIZE(sizes)]);
	struct gcheap_ioc_config config = {
		.size = sizeof(config), .flags = GCHEAP_CONFIG_PERCENT, .percent = 100,
	};

	must(!ioctl(fd, GCHEAP_IOC_CONFIG, &config));
	if (fuzz.heaps[i].fd >= 0)
		close(fuzz.heaps[i].fd);
	fuzz.heaps[i].fd = fd;
	fuzz.heaps[i].size = raw_info(fd).heap_size;
}

static void open_pipe(void)
{
	must(!pipe2(fuzz.pipe, O_CLOEXEC | O_NONBLOCK));
}

/* A file on a real file system, for O_DIRECT, where there is one */
static int open_direct(void)
{
	const char *disk = getenv("GCHEAP_DISK");
	char path[256];
	int fd;

	if (!disk)
		return -1;
	snprintf(path, sizeof(path), "%s/fuzz", disk);
	fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	unlink(path);
	return fd;
}

static void set_up(void)
{
	int i;

	fuzz.crew_fd = memfd_create("crew", MFD_CLOEXEC);
	fuzz.crew = crew_new(fuzz.crew_fd);
	fuzz.seed = options.seed;
	fuzz.threads = options.threads;
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fuzz.mailbox));
	fuzz.file = memfd_create("file", MFD_CLOEXEC);
	must(!ftruncate(fuzz.file, 64 * PAGE));
	fuzz.direct = open_direct();
	open_pipe();
	for (i = 0; i < HEAPS; i++) {
		fuzz.heaps[i].fd = -1;
		exchange_heap(i);
	}
	fuzz.classes = raw_info(fuzz.heaps[0].fd).class_count;
}

static void start_process(void)
{
	static uint64_t generation;
	uint64_t number = generation++ * 256;
	pid_t pid;

	if (generation % HEAP_LIFE == 0)
		exchange_heap(generation / HEAP_LIFE % HEAPS);
	pid = fork_child();
	if (!pid) {
		be_worker();
		catch_faults();
		open_pipe();
		process_run(&fuzz, number);
	}
	running++;
}

/* SIGKILL is what streams send to each other, and the kernel to the greedy. */
static void note_end(pid_t pid, int status)
{
	running--;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		killed++;
		return;
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	printf("# process %d ended with status %#x\n", pid, status);
	crashed = true;
	fuzz.crew->stop = true;
}

/* Returns whether nothing hung. */
static bool control(void)
{
	double start = now(), told = start;
	const struct member *hung = NULL;
	bool lively;

	while (!fuzz.crew->stop && !hung) {
		crew_reap(fuzz.crew, note_end);
		while (running < options.procs)
			start_process();
		crew_signal(fuzz.crew, SIGCONT);
		moment();
		hung = watch_hung(&watch, fuzz.crew);
		if (fuzz.crew->done >= options.calls ||
		    now() - start >= options.seconds)
			break;
		if (now() - told < 30)
			continue;
		told = now();
		printf("# %.0f seconds, %lu calls\n", told - start, fuzz.crew->done);
	}
	if (hung) {
		print_hung(hung);
		print_stacks();
	}
	lively = crew_dismiss(fuzz.crew, note_end) && !hung;
	printf("# %lu calls in %.0f seconds, %.0f a second; %d processes were killed\n",
	       fuzz.crew->done, now() - start, fuzz.crew->done / (now() - start), killed);
	return lively;
}

/* Nobody refers to anything in there any more. */
static void empty_heap(int fd)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };
	int i;

	must(raw_map(fd) != MAP_FAILED);
	for (i = 0; i < 3; i++)
		must(!raw_collect(fd));
	must(!ioctl(fd, GCHEAP_IOC_STATS, &stats));
	if (stats.heap_objects > KEPT_MAX)
		printf("# %llu objects, %llu bytes are left\n", stats.heap_objects,
		       stats.heap_alloc);
	must(stats.heap_objects <= KEPT_MAX);
	must(stats.heap_alloc <= stats.heap_inuse);
	must(stats.heap_inuse + stats.heap_idle == stats.heap_sys);
}

static bool heaps_can_be_emptied(void)
{
	bool good = true;
	pid_t pid;
	int i;

	for (i = 0; i < HEAPS; i++) {
		pid = fork_child();
		if (!pid) {
			empty_heap(fuzz.heaps[i].fd);
			_exit(KSFT_PASS);
		}
		good = child_succeeded(pid) && good;
	}
	return good;
}

static bool fresh_heap_works(void)
{
	pid_t pid = fork_child();
	int fd;

	if (pid)
		return child_succeeded(pid);
	fd = raw_open(4 * MIB);
	must(raw_map(fd) != MAP_FAILED);
	must(works_on(fd));
	_exit(KSFT_PASS);
}

/* fuzz --executed SEED STREAM CREW HEAP CALLS: a stream in a new program */
static void executed(char **argv)
{
	int fd = atoi(argv[5]), i;
	struct gcheap_ioc_info info = { .size = sizeof(info) };

	fuzz.seed = strtoull(argv[2], NULL, 0);
	fuzz.crew_fd = atoi(argv[4]);
	fuzz.crew = crew_new(fuzz.crew_fd);
	must(!fcntl(fuzz.crew_fd, F_SETFD, FD_CLOEXEC));
	fuzz.file = -1;
	fuzz.direct = -1;
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fuzz.mailbox));
	open_pipe();
	for (i = 0; i < HEAPS; i++)
		fuzz.heaps[i].fd = -1;
	catch_faults();
	/* It may have been closed before it could be inherited. */
	if (ioctl(fd, GCHEAP_IOC_INFO, &info))
		_exit(KSFT_PASS);
	fuzz.classes = info.class_count;
	fuzz.heaps[0].fd = fd;
	fuzz.heaps[0].size = info.heap_size;
	fuzz.heaps[0].base = info.base;
	raw_attach(fd);
	mmap(NULL, info.heap_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	stream_run(&fuzz, strtoull(argv[3], NULL, 0), strtoull(argv[6], NULL, 0));
	_exit(KSFT_PASS);
}

int main(int argc, char **argv)
{
	bool lively;

	if (argc == 7 && !strcmp(argv[1], "--executed"))
		executed(argv);
	parse(argc, argv);
	be_controller();
	ksft_print_header();
	ksft_set_plan(5);
	print_command();
	set_up();
	lively = control();
	ksft_test_result(!fuzz.crew->failures, "each call returned what is documented\n");
	ksft_test_result(!crashed, "no process died by itself\n");
	ksft_test_result(lively, "no thread hung\n");
	ksft_test_result(heaps_can_be_emptied(), "the heaps can be emptied\n");
	ksft_test_result(fresh_heap_works(), "a new heap works\n");
	if (ksft_get_fail_cnt())
		print_command();
	ksft_finished();
}
