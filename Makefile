# SPDX-License-Identifier: GPL-2.0
# Thin: each target calls what knows how. See README.md.

PREFIX ?= /usr/local
BUILD := $(CURDIR)/build
JOBS ?= $(shell nproc)
PROFILE ?= numa
ONLY ?=
TESTS ?=
VM_ARGS ?= --nvme 2G
# The unit tests need GoogleTest; tests/run builds them, users do not.
TOOLS_TESTS ?= OFF

all: modules tools

# For the running kernel; KDIR= for another.
modules:
	$(MAKE) -C kmod modules

# For the kernel that the lab boots, whatever this machine runs.
lab-modules:
	@kdir=$$(tests/lab/run --print-kdir) && $(MAKE) -C kmod KDIR=$$kdir modules

tools:
	@mkdir -p $(BUILD)
	@cmake -S tools -B $(BUILD)/tools -DCMAKE_INSTALL_PREFIX=$(PREFIX) -DITME_TESTS=$(TOOLS_TESTS) $(CMAKE_ARGS) \
		>$(BUILD)/cmake.log 2>&1 || \
		{ cat $(BUILD)/cmake.log; exit 1; }
	@cmake --build $(BUILD)/tools -j $(JOBS)

setup:
	scripts/setup

# ONLY="host numa" runs only these groups, TESTS="read map" only these kselftests; see tests/run --help. The Makefiles of
# the tests have a TESTS of their own, which ours, passed down, would replace: so no MAKEFLAGS.
check:
	@MAKEFLAGS= tests/run $(addprefix --tests ,$(TESTS)) $(ONLY)

# All of the tests that run in the debug kernel, which is built first; ONLY="inject fuzz" and TESTS= as above.
DEBUG_GROUPS := debug kunit inject stress fuzz regress parsers

check-debug:
	@MAKEFLAGS= tests/run $(addprefix --tests ,$(TESTS)) $(or $(ONLY),$(DEBUG_GROUPS))

# The same, with the long runs of stress and fuzz: hours.
soak:
	@MAKEFLAGS= ITME_SOAK=1 tests/run $(addprefix --tests ,$(TESTS)) $(or $(ONLY),$(DEBUG_GROUPS))

# Which lines of kmod/ these groups run.
coverage:
	@MAKEFLAGS= tests/debug/coverage $(addprefix --tests ,$(TESTS)) $(or $(ONLY),$(DEBUG_GROUPS))

# kmod/ for the debug kernel, in build/debug.
debug-modules:
	@scripts/setup --debug
	@tests/debug/kernel
	@tests/debug/module

lint: setup
	scripts/lint

demo: setup lab-modules tools
	tests/demo/run

bench: setup lab-modules tools
	tests/bench/run

# A decode model in less memory than it wants, against what else there is.
bench-model: setup lab-modules tools
	tests/bench/model.py

# A shell in a guest: make vm PROFILE=cxl VM_ARGS="--nvme 4G --smp 4"
vm: setup lab-modules
	@tests/lab/run --profile $(PROFILE) $(VM_ARGS) --shell

install: all
	$(MAKE) -C kmod modules_install
	cmake --install $(BUILD)/tools
	depmod

clean:
	-$(MAKE) -C kmod clean
	-[ ! -e tests/selftests/Makefile ] || $(MAKE) -C tests/selftests clean
	rm -rf $(BUILD)

.PHONY: all modules lab-modules debug-modules tools setup check check-debug soak coverage lint demo bench bench-model vm install clean
