# Every target sets up what it needs in a private virtual environment (.venv). Needed beforehand: Python 3.10 or
# later, make and a C++20 compiler. `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
MUTANT_ARGS ?=
PAIRS_ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:  # one pip at a time
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# Settings of the calling shell that would send packages elsewhere or shadow the installed ones.
unexport PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_NO_DEPS PIP_DRY_RUN PIP_EDITABLE
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := $(VENV)/bin
PY := $(BIN)/python
STAMPS := $(VENV)/stamps
PIP := $(PY) -m pip --no-input
# The build directory is kept, so that a second installation compiles only what changed; without isolation, since
# an isolated environment has a new path each time.
INSTALL := PATH="$(abspath $(BIN)):$$PATH" $(PIP) install --quiet --no-build-isolation -C build-dir=build/installed

INSTALL_ASAN = PATH="$(abspath $(BIN)):$$PATH" $(PIP) install --quiet --no-build-isolation --no-deps --upgrade \
	-C build-dir=build/asan-extension -C cmake.build-type=RelWithDebInfo -C cmake.define.SCHATTOR_SANITIZE=address \
	-C cmake.define.CMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g"

PACKAGE_FILES := pyproject.toml CMakeLists.txt README.md LICENSE LICENSE-THIRD-PARTY.txt \
	$(wildcard cmake/*.cmake) \
	$(shell find src -type f -not -name '*.py[co]' -not -name '.*' -not -name '*~' 2>/dev/null)
# A directory changes when a file in it is added or removed.
PACKAGE_DIRS := $(shell find src -type d -not -name __pycache__ 2>/dev/null)
CXX_FILES = $(shell find src/cpp tests/cpp $(wildcard benchmarks/cpp) -name '*.cpp' -o -name '*.h' -o -name '*.hpp')
CMAKE_BUILD = $(BIN)/cmake -G Ninja -S . -DCMAKE_MAKE_PROGRAM="$(abspath $(BIN))/ninja" \
	-DPython_EXECUTABLE="$(abspath $(PY))" -DSCHATTOR_PYTHON=OFF -DSCHATTOR_WERROR=ON

# The sanitizers' builds keep the assertions of Eigen. Only our own code is instrumented: neither OpenBLAS nor Python.
SANITIZER_BUILD = $(CMAKE_BUILD) -DSCHATTOR_BUILD_TESTS=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	-DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g"
CTEST = $(BIN)/ctest --output-on-failure --no-tests=error
ASAN_SETTINGS := ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1:strict_init_order=1 \
	UBSAN_OPTIONS=print_stacktrace=1
# The extension is instrumented, Python is not: so the library of the sanitizer is loaded beforehand, and that of C++,
# whose exceptions it must see. Python's own objects live until the end.
ASAN_PYTHON = LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0
TSAN_SETTINGS := TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
# ThreadSanitizer of GCC 12 stops where the kernel places memory too much at random.
TSAN_LAUNCHER = $(shell setarch "$$(uname -m)" -R true 2>/dev/null && echo setarch "$$(uname -m)" -R)
TSAN_TESTS := test_pool test_blas_threads test_routes
# valgrind takes 30 to 100 times as long, so few files only; but it sees OpenBLAS as well, the optimised clones of
# the kernels, and reads of memory that nobody has written. It computes long double in 64 bits: tests whose
# references need more (mixed norms, kernels, SVDs) fail there, and test_allocation replaces malloc itself.
VALGRIND_TESTS := test_arena test_scaled test_blas_threads test_newton_schulz test_plan
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
	--show-leak-kinds=definite

.PHONY: help demo test cpptest packaging torch verify mutants pymutants bench lint format types tidy docs wheel install clean
.PHONY: sanitize asan tsan pairs valgrind

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 20

# ---------------------------------------------------------------------------------------------- environment

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is missing or older than 3.10; name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "$(PYTHON) cannot make virtual environments (on Debian: install python3-venv)" >&2; exit 1; }
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build: pyproject.toml | $(STAMPS)/venv
	$(PIP) install --quiet --group build
	@touch $@

$(STAMPS)/package: $(PACKAGE_FILES) $(PACKAGE_DIRS) | $(STAMPS)/build
	$(INSTALL) .
	@touch $@

# The packages of one extra, beside the installed package.
$(STAMPS)/extra-%: pyproject.toml | $(STAMPS)/package
	$(INSTALL) '.[$*]'
	@touch $@

install: $(STAMPS)/package  ## install the package into .venv

# ---------------------------------------------------------------------------------------------- running

demo: $(STAMPS)/package $(STAMPS)/extra-demo  ## train on handwritten digits, compare the optimizers
	$(BIN)/schattor demo $(DEMO_ARGS)

test: $(STAMPS)/package $(STAMPS)/extra-demo $(STAMPS)/extra-test  ## run the tests
	$(PY) -m pytest $(TEST_ARGS)

verify: $(STAMPS)/package $(STAMPS)/extra-demo $(STAMPS)/extra-test sanitize  ## run the slow tests and the sanitizers
	@if command -v valgrind >/dev/null; then $(MAKE) valgrind; \
	else rm -rf build/valgrind; echo "valgrind is not installed: left out"; fi
	$(PY) tests/cpp/record.py tests/results/sanitizers.json build/asan build/tsan build/valgrind
	$(PY) -m pytest -m verify --record tests/results/verify.json $(TEST_ARGS)

torch: $(STAMPS)/package $(STAMPS)/extra-experiments $(STAMPS)/extra-test  ## run the tests that need torch (a large download)
	$(PY) -m pytest -m torch --record tests/results/torch.json $(TEST_ARGS)

packaging: $(STAMPS)/package $(STAMPS)/extra-test  ## test the wheel, the source archive, the editable install
	$(PY) -m pytest -m verify tests/packaging

cpptest: $(STAMPS)/build  ## run the C++ tests, warnings as errors
	$(CMAKE_BUILD) -B build/cpptest -DSCHATTOR_BUILD_TESTS=ON
	$(BIN)/cmake --build build/cpptest
	$(BIN)/ctest --test-dir build/cpptest --output-on-failure --no-tests=error

sanitize: asan tsan pairs  ## run the C++ tests, and every pair of parts, under the sanitizers

asan: $(STAMPS)/build  ## run the C++ tests under the address and undefined-behaviour sanitizers
	$(SANITIZER_BUILD) -B build/asan -DSCHATTOR_SANITIZE="address;undefined;float-cast-overflow"
	$(BIN)/cmake --build build/asan
	$(ASAN_SETTINGS) $(CTEST) --test-dir build/asan --output-junit junit.xml

tsan: $(STAMPS)/build  ## run the tests of pool and threads under the thread sanitizer
	$(SANITIZER_BUILD) -B build/tsan -DSCHATTOR_SANITIZE=thread
	$(BIN)/cmake --build build/tsan --target $(TSAN_TESTS)
	$(TSAN_SETTINGS) $(TSAN_LAUNCHER) $(CTEST) --test-dir build/tsan --output-junit junit.xml \
	  -R '^($(subst $() ,|,$(TSAN_TESTS)))$$'

pairs: $(STAMPS)/package $(STAMPS)/extra-test  ## take every pair of parts under the address sanitizer
	$(INSTALL_ASAN) --target build/asan-package .
	$(ASAN_PYTHON) PYTHONPATH=build/asan-package:tests OPENBLAS_NUM_THREADS=1 \
	  $(PY) -m contract.pairs --record tests/results/pairs_sanitized.json $(PAIRS_ARGS)

valgrind: $(STAMPS)/build  ## run short C++ tests under valgrind (which must be installed)
	@command -v valgrind >/dev/null || { echo "valgrind is not installed (on Debian: the package valgrind)" >&2; exit 1; }
	$(CMAKE_BUILD) -B build/valgrind -DSCHATTOR_BUILD_TESTS=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
	$(BIN)/cmake --build build/valgrind --target $(VALGRIND_TESTS)
	for test in $(VALGRIND_TESTS); do echo "$$test"; $(VALGRIND) build/valgrind/tests/cpp/$$test; done \
	  2>&1 | tee build/valgrind/tests.log

mutants: $(STAMPS)/extra-mutants $(STAMPS)/extra-demo $(STAMPS)/extra-test  ## make small changes one by one; which do no tests notice?
	$(PY) tests/mutants/run.py $(MUTANT_ARGS)

pymutants: $(STAMPS)/extra-mutants $(STAMPS)/extra-demo $(STAMPS)/extra-test  ## the same for all small changes to central Python modules (hours)
	$(PY) tests/mutants/python.py

bench: $(STAMPS)/package $(STAMPS)/extra-bench  ## run the benchmarks (about 35 minutes; BENCH_ARGS=--quick: two)
	$(CMAKE_BUILD) -B build/bench -DSCHATTOR_BUILD_BENCHMARKS=ON
	$(BIN)/cmake --build build/bench
	$(PY) -m benchmarks.run --cpp build/bench $(BENCH_ARGS)

# ---------------------------------------------------------------------------------------------- quality

lint: $(STAMPS)/extra-dev  ## check style and format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)

format: $(STAMPS)/extra-dev  ## format the sources
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

types: $(STAMPS)/extra-demo $(STAMPS)/extra-dev  ## check the types
	$(PY) -m mypy

tidy: $(STAMPS)/extra-dev  ## look for likely mistakes in the C++ sources
	$(CMAKE_BUILD) -B build/tidy -DSCHATTOR_BUILD_TESTS=ON
	$(PY) $(BIN)/run-clang-tidy.py -quiet -p build/tidy -clang-tidy-binary "$(abspath $(BIN))/clang-tidy"

docs: $(STAMPS)/package $(STAMPS)/extra-demo $(STAMPS)/extra-docs  ## build the documentation, warnings as errors
	$(PY) -m sphinx -W --keep-going -b html docs build/docs/html

# ---------------------------------------------------------------------------------------------- releasing

wheel: $(STAMPS)/extra-dev  ## build source archive and wheel into dist/
	$(PY) -m build --outdir dist

clean:  ## remove the environment and everything built
	rm -rf $(VENV) build dist
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis docs/_build
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
