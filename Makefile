# Everything sets itself up: `make demo`, `make test`, `make check`. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV   ?= .venv
# More than the cores of a small machine: many tests wait for processes, sockets or a browser.
WORKERS ?= 4
BIN    := $(VENV)/bin
# The tests start hundreds of processes, of which each would compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=
STAMP  := $(VENV)/.installed

.PHONY: help demo test test-long test-fast test-thorough test-late test-minimum coverage changelog check lint format types accidents barrier sanitize sanitize-quick portable test-python bench bench-growth bench-quick bench-server bench-relay bench-import soak clean

help:
	@echo "make demo          send a real clickstream to a misbehaving local endpoint and watch it all arrive"
	@echo "make test          run the test suite, but for what is long by nature"
	@echo "make test-long     run what that leaves out: programs frozen by PyInstaller, soaks, brokers killed, the API against its schema"
	@echo "make test-fast     the quick part of it: what needs no browser, no SDK and no long-lived process"
	@echo "make test-thorough  the tests that Hypothesis makes up, ten times as many; DEPTH=100 for more"
	@echo "make test-late     the test suite with threads, answers and waits that come late, which finds tests that rely on luck"
	@echo "make test-minimum  the tests that touch dependencies, on their minimum versions"
	@echo "make coverage      the test suite with its coverage, subprocesses included"
	@echo "make changelog     what the fragments in changelog.d add to the changelog"
	@echo "make check         lint, formatting, who imports whom, and types"
	@echo "make format        rewrite the code in the project's format"
	@echo "make bench         everything antinode costs, beside its peers and a bare loop; under ten minutes"
	@echo "make bench-growth  how the cost grows, up to ten million events"
	@echo "make bench-quick   the cost to a bare loop's, in instructions; under a minute"
	@echo "make bench-server  events a second that the local Amplitude takes on one core"
	@echo "make bench-relay   what an event costs the relay's front, and the whole of it"
	@echo "make bench-import  events a second that antinode import sends, and its memory"
	@echo "make soak          a million events through the local Amplitude, its memory flat"
	@echo "make test-python   the tests of what has compiled parts, without them"
	@echo "make sanitize      the compiled parts' tests and fuzz under the address and undefined-behaviour sanitizers"
	@echo "make sanitize-quick  a minute of it"
	@echo "make portable      the compiled parts' tests on a build that does without what Linux alone has"
	@echo "make accidents     run the accident suite and rewrite docs/accidents.md"

$(STAMP): pyproject.toml hatch_build.py $(wildcard native/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "antinode needs Python 3.10 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing antinode and its development tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/python examples/demo.py $(ARGS)

# On two cores six are quickest; each takes some 800 MB.
test: WORKERS = 6
test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal -p no:schemathesis -m "not long" $(ARGS)

test-long: $(STAMP)
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal -m long $(ARGS)

# Each process finds all tests first, and loads what it must: three are quickest on two cores.
test-fast: $(STAMP)
	$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal -p no:schemathesis \
		-m "not slow and not long and not browser and not clients and not kafka" $(ARGS)

DEPTH ?= 10

test-thorough: $(STAMP)
	ANTINODE_DEPTH=$(DEPTH) $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal -m hypothesis --timeout=3600 $(ARGS)

# Threads that sleep leave the cores to others.
test-late: WORKERS = 8
test-late: $(STAMP)
	$(BIN)/python -m pytest -p tests.late --numprocesses=$(WORKERS) --dist=worksteal -p no:schemathesis -m "not long" $(ARGS)

# Least versions for what antinode itself depends on; the test tools are the newest that fit.
MINIMUM_TESTS := tests/protocol tests/encoding tests/delivery/http tests/importing tests/server/http \
	tests/server/test_background.py tests/server/test_vectors_http.py tests/test_client.py tests/test_import.py

$(VENV)-minimum/.installed: pyproject.toml hatch_build.py $(wildcard native/*) $(STAMP)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-minimum
	@$(BIN)/uv pip compile --quiet --resolution lowest-direct --python $(BIN)/python pyproject.toml \
		--extra fast --extra import --extra server --extra socks --output-file $(VENV)-minimum/constraints.txt
	@$(BIN)/uv pip install --quiet --python $(VENV)-minimum/bin/python --constraint $(VENV)-minimum/constraints.txt \
		'.[fast,import,server,socks]' hypothesis 'pytest>=8.2' pytest-asyncio pytest-timeout pytest-xdist trustme
	@touch $@

test-minimum: $(VENV)-minimum/.installed
	$(VENV)-minimum/bin/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal \
		-m "not browser and not clients" -p no:anyio --ignore tests/server/http/test_schemathesis.py $(MINIMUM_TESTS) $(ARGS)

coverage: $(STAMP)
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal --cov --cov-report=term $(ARGS)

changelog: $(STAMP)
	@$(BIN)/towncrier build --draft --version next

check: lint types

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy --python-version 3.10
	$(BIN)/mypy --python-version 3.14

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

barrier: $(STAMP)
	$(BIN)/python -m tests.barrier $(ARGS)

# The rooms in which compiled code has a part.
PYTHON_TESTS := tests/encoding tests/delivery tests/spool tests/lifecycle/test_fork.py tests/lifecycle/test_reentrancy.py \
	tests/test_client.py tests/test_middleware.py tests/test_stats.py tests/test_typed_events.py tests/storage

test-python: $(STAMP)
	ANTINODE_PURE_PYTHON=1 $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal $(PYTHON_TESTS) $(ARGS)

sanitize: $(STAMP)
	$(BIN)/python -m tests.variants sanitized $(ARGS)

sanitize-quick: $(STAMP)
	$(BIN)/python -m tests.variants sanitized-quick $(ARGS)

portable: $(STAMP)
	$(BIN)/python -m tests.variants portable $(ARGS)

accidents: $(STAMP)
	$(BIN)/python -m tests.accidents --write docs/accidents.md

$(VENV)-bench/.installed: pyproject.toml hatch_build.py $(wildcard native/*)
	@$(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[fast]' trustme
	@touch $@

bench: $(VENV)-bench/.installed
	@$(VENV)-bench/bin/python -m bench.suite $(ARGS)

bench-growth: $(VENV)-bench/.installed
	@$(VENV)-bench/bin/python -m bench.suite --only growth --full $(ARGS)

bench-quick: $(VENV)-bench/.installed
	@$(VENV)-bench/bin/python -m bench.suite.quick $(ARGS)

bench-server: $(STAMP)
	@$(BIN)/python bench/server_http.py $(ARGS)

bench-relay: $(STAMP)
	@$(BIN)/python bench/relay.py $(ARGS)

bench-import: $(STAMP)
	@$(BIN)/python bench/importing.py $(ARGS)

soak: $(STAMP)
	@$(BIN)/python bench/server_soak.py $(ARGS)

clean:
	rm -rf $(VENV) .variants $(VENV)-bench $(VENV)-minimum .coverage* .bench-node bench/results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
