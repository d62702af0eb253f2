# The short names of what a developer does. The presets in CMakePresets.json do the work; each builds in build/<preset>.
.DEFAULT_GOAL := build
.PHONY: setup configure build demo test asan tsan tidy fuzz coverage bench bench-full bench-peers format install clean help
.NOTPARALLEL:

JOBS ?= $(shell nproc)
TEST_JOBS ?= 2
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
# The store that `make demo` runs on: empty for the built-in one, or redis.
ONLINE ?=
BENCH ?=

# The program finds the library beside itself, so the two stand together wherever they are copied.
PROGRAM := build/release/bin/asof
LIBRARY := third_party/duckdb/lib/libduckdb.so

# Compilations are shared between checkouts of the same code in different folders.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

setup:  ## install the system packages and the pinned parts that a build needs
	tools/setup.sh

configure:
	@cmake --preset release >/dev/null

build: configure  ## build the program: build/asof
	cmake --build --preset release -j $(JOBS) $(if $(wildcard apps/cli/CMakeLists.txt),--target asof)
	@if [ -x $(PROGRAM) ]; then cmake -E copy_if_different $(PROGRAM) $(LIBRARY) build/; fi

demo: setup build  ## set up, build and run the recommender example; ONLINE=redis takes Redis as its online store
	ONLINE=$(ONLINE) examples/recommender/demo.sh

test: setup build  ## set up, build everything and run every test
	cmake --build --preset release -j $(JOBS)
	@ctest --preset release -j $(TEST_JOBS)

asan tsan:  ## run the unit, contract and case tests under AddressSanitizer and UBSan, or under ThreadSanitizer
	@cmake --preset $@ >/dev/null
	cmake --build --preset $@ -j $(JOBS)
	@ctest --preset $@ -j $(TEST_JOBS)

tidy:  ## compile everything with clang-tidy beside the compiler
	@cmake --preset tidy >/dev/null
	cmake --build --preset tidy -j $(JOBS) -- -k 0

fuzz:  ## run every fuzzer for FUZZ_SECONDS (60); what it finds goes to build/fuzz/found
	@cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz -j $(JOBS)
	fuzz/run.sh $(FUZZ_SECONDS)

coverage:  ## run the tests with gcov counters; needs gcovr; leaves build/coverage/report.html
	@cmake --preset coverage >/dev/null
	cmake --build --preset coverage -j $(JOBS)
	ctest --preset coverage -j $(TEST_JOBS)
	gcovr --root . --filter asof/ --exclude '.*_test\.cc' --html-details build/coverage/report.html --print-summary build/coverage

bench: build  ## run the benchmarks; they print figures and assert nothing; BENCH="--only join" passes options on
	cmake --build --preset release -j $(JOBS) --target bench_sql bench_load bench_echo bench_micro
	bench/run.py --asof build/asof --tools build/release/bin $(BENCH)

bench-full: bench-peers  ## every part, the long ones too, with every peer installed and more repeats
	$(MAKE) bench BENCH="--only start,instructions,load,feast,serve,join,scale,large,endurance --runs 5 --seconds 20 $(BENCH)"

bench-peers:  ## install the peers that the benchmarks compare with, pinned, in build/bench/venv and venv-feast
	@mkdir -p build/bench
	test -x build/bench/venv/bin/python || python3 -m venv build/bench/venv
	build/bench/venv/bin/pip install --quiet -r bench/peers/requirements.txt
	test -x build/bench/venv-feast/bin/python || python3 -m venv build/bench/venv-feast
	build/bench/venv-feast/bin/pip install --quiet -r bench/peers/requirements-feast.txt

format:  ## format every C++ file
	tools/format.sh

install: build  ## install under PREFIX (/usr/local); DESTDIR is honoured
	cmake --install build/release --prefix $(PREFIX)

clean:  ## remove everything that was built
	rm -rf build

help:  ## print this list
	@sed -nE 's/^([a-z -]+):[^#]*## (.*)/  \1\t\2/p' Makefile | expand -t 14
