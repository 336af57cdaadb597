// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * gcheap doctor: whether programs can have heaps here.  One line for each thing that it takes:
 * what is so, or what is missing and the cure.
 */
#include <errno.h>
#include <fcntl.h>
#include <gcheap.h>
#include <getopt.h>
#include <glob.h>
#include <linux/gcheap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
"usage: gcheap doctor\n"
"\n"
"Tells whether programs can have heaps on this machine: a line for each thing that it takes,\n"
"with the cure for what is missing.\n"
"\n"
"  -h, --help           this text\n"
"\n"
"Exit status: 0 when nothing is missing, else 1.\n";

static const struct option options[] = {
	{ "help", no_argument, NULL, 'h' },
	{}
};

#define DEVICE	"/dev/gcheap"
#define LOADED	"/sys/module/gcheap"

enum verdict {
	FINE,
	NOTE,		/* works, but not as well as it might */
	MISSING,
};

/* Whether anything was */
static bool missing;

static void tell(enum verdict verdict, const char *cure, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A line; @cure: what helps, or NULL */
static void tell(enum verdict verdict, const char *cure, const char *format, ...)
{
	static const char *const words[] = { "fine", "note", "missing" };
	va_list arguments;

	printf("%-8s ", words[verdict]);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("%s%s\n", cure ? "; " : "", cure ? cure : "");
	fflush(stdout);
	missing |= verdict == MISSING;
}

static void check_machine(const struct utsname *name)
{
	if (!strcmp(name->machine, "x86_64"))
		tell(FINE, NULL, "processor: x86_64");
	else
		tell(MISSING, "gcheap is for x86_64 only", "processor: %s", name->machine);
}

/* As 601 for 6.1; 0 when that is not to be read */
static unsigned int kernel_version(const struct utsname *name)
{
	unsigned int major, minor;

	if (sscanf(name->release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major * 100 + minor;
}

static void check_kernel(const struct utsname *name)
{
	unsigned int version = kernel_version(name);

	if (version < 601)
		tell(MISSING, "install one from 6.1 to 7.3", "kernel: %s", name->release);
	else if (version > 703)
		tell(NOTE, "gcheap was tried with 6.1 to 7.3, and DKMS builds it for those only",
		     "kernel: %s", name->release);
	else
		tell(FINE, NULL, "kernel: %s", name->release);
}

/* The kernel's own configuration: 'y', 'n', or 0 when it is not to be had */
static char find_option(const char *path, const char *option)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(option);
	char line[512], found = 'n';

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, option, length) && line[length] == '=')
			found = line[length + 1];
	fclose(file);
	return found;
}

static char configured(const struct utsname *name, const char *option)
{
	char path[256], found;

	snprintf(path, sizeof(path), "/boot/config-%s", name->release);
	found = find_option(path, option);
	if (found)
		return found;
	snprintf(path, sizeof(path), "/lib/modules/%s/config", name->release);
	found = find_option(path, option);
	if (found)
		return found;
	snprintf(path, sizeof(path), "/lib/modules/%s/build/.config", name->release);
	return find_option(path, option);
}

/* Whether programs run while their objects are marked */
static void check_dirty(const struct utsname *name)
{
	static const char stand_still[] = "pauses: programs stand still while objects are marked";
	char found = configured(name, "CONFIG_MAPPING_DIRTY_HELPERS");
	unsigned int version = kernel_version(name);

	if (version >= 605 && version <= 609)
		tell(NOTE, "take a kernel other than 6.5 to 6.9", stand_still);
	else if (found == 'n')
		tell(NOTE, "take a kernel with CONFIG_MAPPING_DIRTY_HELPERS", stand_still);
	else if (!found)
		tell(NOTE, "if it lacks CONFIG_MAPPING_DIRTY_HELPERS, dmesg tells after loading",
		     "pauses: the kernel's configuration is not to be had");
	else
		tell(FINE, NULL, "pauses: programs run while their objects are marked");
}

static bool locked_down(void)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return line[0] && !strstr(line, "[none]");
}

static bool is_installed(const struct utsname *name)
{
	char path[256], line[512];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", name->release);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "/gcheap.ko");
	if (file)
		fclose(file);
	return found;
}

/* Whether DKMS has what it builds the module of */
static bool has_source(void)
{
	glob_t found;

	if (glob("/usr/src/gcheap-*", 0, NULL, &found))
		return false;
	globfree(&found);
	return true;
}

static void tell_not_built(const struct utsname *name)
{
	const char *cure = "make && sudo make modules_install && sudo depmod, in its source";
	char headers[256];

	snprintf(headers, sizeof(headers), "/lib/modules/%s/build/Makefile", name->release);
	if (has_source() && !access(headers, F_OK)) {
		cure = "sudo dkms autoinstall tells why";
	} else if (has_source()) {
		snprintf(headers, sizeof(headers), "install linux-headers-%s, and DKMS builds it",
			 name->release);
		cure = headers;
	}
	tell(MISSING, cure, "module: none for kernel %s", name->release);
}

static bool check_module(const struct utsname *name)
{
	if (!access(LOADED, F_OK)) {
		tell(FINE, NULL, "module: loaded");
		return true;
	}
	if (is_installed(name))
		tell(MISSING, "sudo modprobe gcheap", "module: not loaded");
	else
		tell_not_built(name);
	if (locked_down())
		tell(NOTE, "sign it with a key that is enrolled: mokutil(1)",
		     "module: the kernel (Secure Boot) takes signed ones only");
	return false;
}

static void tell_refused(const struct stat *device, int err)
{
	if (err == EACCES || err == EPERM)
		tell(MISSING, "join that group, or load the module with another mode=",
		     "device: permitted to mode %o of user %u, group %u",
		     device->st_mode & 07777, device->st_uid, device->st_gid);
	else if (err == EMFILE)
		tell(MISSING, "close some, or raise " LOADED "/parameters/user_heaps",
		     "device: this user has as many heaps as he may");
	else
		tell(MISSING, NULL, "device: %s", gcheap_strerror(err));
}

/* A descriptor of the device, or -1 */
static int check_device(bool loaded)
{
	struct stat device;
	int fd;

	if (stat(DEVICE, &device) || !S_ISCHR(device.st_mode)) {
		if (loaded)
			tell(MISSING, "give it to the container (docker run --device " DEVICE ")",
			     "device: no " DEVICE);
		return -1;
	}
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		tell(FINE, NULL, "device: may be opened");
	else
		tell_refused(&device, errno);
	return fd;
}

static bool check_version(int fd)
{
	struct gcheap_ioc_info info = { .size = sizeof(info) };

	if (ioctl(fd, GCHEAP_IOC_INFO, &info)) {
		tell(MISSING, NULL, "version: " DEVICE " is not gcheap's: %s", strerror(errno));
		return false;
	}
	if (info.abi_version == GCHEAP_ABI_VERSION) {
		tell(FINE, NULL, "version: ABI %u", info.abi_version);
		return true;
	}
	tell(MISSING, "install both from one source, and load the module anew",
	     "version: the module has ABI %u, this command %u", info.abi_version,
	     GCHEAP_ABI_VERSION);
	return false;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void check_heap(void)
{
	struct gcheap *heap = gcheap_open(NULL);
	char text[TEXT_SIZE];
	uint64_t start;

	if (!heap) {
		tell(MISSING, NULL, "heap: %s", gcheap_strerror(errno));
		return;
	}
	start = now_ns();
	if (!gcheap_alloc(heap, 64) || gcheap_collect(heap))
		tell(MISSING, NULL, "heap: %s", gcheap_strerror(errno));
	else
		tell(FINE, NULL, "heap: made, and collected in %s",
		     text_ns(text, now_ns() - start));
	gcheap_close(heap);
}

int doctor_main(int argc, char **argv)
{
	struct utsname name;
	bool loaded;
	int c, fd;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h')
			return usage_error(usage, NULL);
		fputs(usage, stdout);
		return 0;
	}
	if (optind < argc)
		return usage_error(usage, "what is %s?", argv[optind]);
	uname(&name);
	check_machine(&name);
	check_kernel(&name);
	check_dirty(&name);
	loaded = check_module(&name);
	fd = check_device(loaded);
	if (fd >= 0) {
		if (check_version(fd))
			check_heap();
		close(fd);
	}
	return missing ? STATUS_FAILED : 0;
}
