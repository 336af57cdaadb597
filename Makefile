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
	@echo 'make clean'

$(KDIR)/Makefile:
	@echo 'No kernel headers in $(KDIR): install linux-headers-$(shell uname -r),' \
		'or say KDIR=' >&2; exit 1

module: $(KDIR)/Makefile
	$(MAKE) -C $(KDIR) M=$(CURDIR) W=1 modules

modules_install: $(KDIR)/Makefile
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

lib:
	$(MAKE) -C uapi OUT=$(OUT)

install:
	$(MAKE) -C uapi OUT=$(OUT) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install

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
	rm -rf build

.PHONY: all help module modules_install lib install demo check check-kernels \
	check-race coverage bench model fuzz fuzz-core torture clean
export COVERAGE HOST QUICK SUITE KERNEL TESTS THREADS SEED CALLS KILLS TIME RESULTS INPUT
