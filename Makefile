# SPDX-License-Identifier: MIT
# What people type. Each of these installs the Debian packages it needs first (tools/packages.txt)
# and then hands over to CMake and the programs in tools/; `make help` lists them.

PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 60
FRESH ?= test
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run build test bench fuzz coverage format install fresh clean

help: ## list these
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

build: ## build the program: build/release/bud
	@tools/install build
	@cmake --preset release -DBUD_WERROR=OFF -DCMAKE_INSTALL_PREFIX="$(PREFIX)" >/dev/null
	@cmake --build --preset release --target bud

run: build ## build and start a broker: make run ARGS='-p 1884'
	@exec build/release/bud serve $(ARGS)

test: ## everything that must be true; a step of it: tools/test wire
	@tools/install build test
	@tools/test

bench: build ## how fast it is on this machine
	@cmake --build --preset release --target bench_load bench_durable bench_floor
	@bench/run

fuzz: ## each fuzz target for a minute; FUZZ_SECONDS=600 for longer
	@tools/install build test
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz

coverage: ## which lines the tests execute
	@tools/install build test coverage
	@tools/coverage

format: ## let clang-format lay out every C file
	@tools/install test
	@git ls-files --cached --others --exclude-standard '*.c' '*.h' | xargs clang-format-14 -i

install: build ## install the program: DESTDIR, PREFIX=/usr/local
	@DESTDIR="$(DESTDIR)" cmake --install build/release

fresh: ## prove the README in a bare Debian 12 (root); FRESH=build is quicker
	@tools/fresh $(FRESH)

clean: ## remove everything that was built
	@rm -rf build
