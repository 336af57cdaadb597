# SPDX-License-Identifier: GPL-2.0
#
# gcheap: a garbage-collected heap for user processes, as a kernel module.
# 'make help' tells what there is to make.

KDIR	?= /lib/modules/$(shell uname -r)/build
PREFIX	?= /usr/local
OUT	?= $(CURDIR)/build

# What has several threads or processes use a heap at once
THREADED = test_threads test_fork test_running test_life test_garbage test_pool \
	   test_stats test_memory test_roots test_eintr test_heaps test_storm

all: module lib

help:
	@echo 'make                  the module for the running kernel, and the library'
	@echo 'make module KDIR=...  the module for another kernel'
	@echo 'make lib              the library, and gcheap, the command, in build/'
	@echo 'make demo             the demonstration, in a virtual machine'
	@echo 'make demo HOST=1      the same on the running kernel'
	@echo 'make check            all tests, in virtual machines (KERNEL=, TESTS=)'
	@echo 'make check-kernels    the kselftests on all stock kernels, and a table'
	@echo 'make check-race       those with threads on a kernel that watches for races'
	@echo 'make model            the model of the stop, with Spin (THREADS=)'
	@echo 'make fuzz             random calls (SEED=, CALLS=, TIME=, KERNEL=)'
	@echo 'make fuzz-core        the portable core in user space (SEED=, TIME=, INPUT=)'
	@echo 'make torture          processes that share heaps, and are killed'
	@echo '                      (SEED=, KILLS=, TIME=, KERNEL=)'
	@echo 'make bench            what allocations and stops cost, beside others (KERNEL=,'
	@echo '                      SUITE=; QUICK=1: less, in 5 minutes; HOST=1: here)'
	@echo 'make coverage         how much of module/ the tests run (COVERAGE=90)'
	@echo 'make install          the library, its headers and .pc file, and gcheap'
	@echo '                      (PREFIX=/usr/local, DESTDIR=)'
	@echo 'make modules_install  the module, for the running kernel'
	@echo 'make uninstall, modules_uninstall   take these away again'
	@echo 'make html             the manual, into build/html'
	@echo 'make dkms_install     what DKMS builds the module of, into /usr/src'
	@echo 'make deb              Debian packages, into build/deb'
	@echo 'make check-deb        tries them in clean systems of bookworm and trixie (SUITES=)'
	@echo 'make debug-vm         a shell in a test machine (KERNEL=, MODULE=, COMMAND=;'
	@echo '                      GDB=1: it waits for gdb first)'
	@echo 'make compile_commands.json   for editors and clang (KDIR=,'
	@echo '                      KSFT=: see selftests/Makefile)'
	@echo 'make clean'

$(KDIR)/Makefile:
	@echo 'No kernel headers in $(KDIR): install linux-headers-$(shell uname -r),' \
		'or say KDIR=' >&2; exit 1

module: $(KDIR)/Makefile
	$(MAKE) -C $(KDIR) M=$(CURDIR) W=1 modules

# Where there are only a kernel's headers, its own makefile leaves depmod out.
modules_install: $(KDIR)/Makefile
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
	$(DEPMOD)

# Where it goes to has another name before 6.2.
modules_uninstall: $(KDIR)/Makefile
	rm -f $(foreach folder,updates extra,$(INSTALLED)/$(folder)/gcheap.ko*)
	$(DEPMOD)
DEPMOD = depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(notdir $(INSTALLED))
INSTALLED = $(INSTALL_MOD_PATH)/lib/modules/$(shell cat $(KDIR)/include/config/kernel.release)

DKMS = $(DESTDIR)/usr/src/gcheap-$(VERSION)
VERSION = $(shell $(MAKE) -s --no-print-directory -C uapi version)
dkms_install:
	install -d $(DKMS)/module $(DKMS)/uapi/linux
	install -m 644 Kbuild $(DKMS)
	install -m 644 module/*.[ch] $(DKMS)/module
	install -m 644 uapi/gcheap_version.h $(DKMS)/uapi
	install -m 644 uapi/linux/gcheap.h $(DKMS)/uapi/linux
	sed 's/@VERSION@/$(VERSION)/' scripts/dkms.conf >$(DKMS)/dkms.conf

lib:
	$(MAKE) -C uapi OUT=$(OUT)

install:
	$(MAKE) -C uapi OUT=$(OUT) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install

uninstall:
	$(MAKE) -C uapi PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) uninstall

html:
	$(MAKE) -C uapi OUT=$(OUT) html

deb:
	@scripts/deb.sh build/deb

check-deb:
	@scripts/deb_test.sh build/check-deb $(SUITES)

debug-vm:
	@scripts/debug_vm.sh build/debug-vm

compile_commands.json: module
	@scripts/compile_commands.py $(KDIR) >$@

demo:
	@scripts/demo.sh

check:
	@scripts/check.sh

check-kernels:
	@KERNEL='6.1 6.1-rt 6.1-cloud 6.12 7.3' scripts/check.sh

check-race:
	@KERNEL=race TESTS='$(or $(TESTS),$(THREADED))' scripts/check.sh

bench:
	@scripts/bench.sh

model:
	@scripts/model.sh build/model

fuzz-core:
	@scripts/fuzz-core.sh build/fuzz-core

fuzz torture:
	@scripts/stress.sh $@

coverage:
	@scripts/coverage.sh build/coverage

clean:
	$(MAKE) -C uapi OUT=$(OUT) clean
	if [ -e $(KDIR)/Makefile ]; then $(MAKE) -C $(KDIR) M=$(CURDIR) clean; fi
	rm -rf build compile_commands.json

.PHONY: all help module modules_install modules_uninstall dkms_install lib install uninstall \
	deb check-deb debug-vm compile_commands.json demo check check-kernels check-race \
	coverage bench model fuzz fuzz-core torture html clean
export COMMAND COVERAGE GDB HOST QUICK SUITE KERNEL MODULE TESTS THREADS SEED CALLS KILLS TIME RESULTS INPUT
