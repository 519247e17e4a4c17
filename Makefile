# Two commands do everything: `make run` and `make test`. Each makes .venv, and installs when the requirements changed.
# With WHOLE=1, as .ci/run calls it, `make test` runs slow families whole and fails unless all branches are covered.
# Another Python needs an environment of its own: `make test PYTHON=python3.13 VENV=.venv-3.13`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OLD_DUCKDB ?= 1.5.5

# Python keeps what it compiled, whatever the shell says: else each worker and each program compiles the tests anew.
unexport PYTHONDONTWRITEBYTECODE

# No measured line of code is covered by these alone, and they start whole programs: coverage would cost a third more.
UNMEASURED = $(addprefix tests/,browser faults hosting metrics pages)
# The pinned DuckDB has no extensions for a lake yet, so the lake's lines are counted on the old one.
LAKE = tests/store/lake tests/lake $(wildcard tests/poller/commands/test_lake*.py)
# Tests wait more than they compute. The whole run has two workers alone: its faults need a machine with time to spare.
PYTEST = -m pytest --numprocesses $(if $(WHOLE),2,5) --no-loadscope-reorder

export WHOLE

.PHONY: run demo lint test coverage test-old-duckdb lake faults soak load bench bench-lake screenshots fmt pins

run: $(VENV)/.installed
	$(BIN)/streamlit run dashboard.py --server.address localhost

demo: $(VENV)/.installed
	TICKWELL_DEMO=true TICKWELL_POLL_SECONDS=$${TICKWELL_POLL_SECONDS:-1} $(BIN)/streamlit run dashboard.py --server.address localhost

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

ifeq ($(WHOLE),)
test: lint
	$(BIN)/python $(PYTEST)
else
test: lint coverage
	$(BIN)/python $(PYTEST) $(UNMEASURED)
endif

coverage: $(VENV)/.installed-dev $(VENV)-old-duckdb/.installed
	$(BIN)/coverage erase
	WHOLE= LAKE_KILLS=100 REQUIRE_LAKE=1 $(VENV)-old-duckdb/bin/coverage run $(PYTEST) $(LAKE)
	$(BIN)/coverage run $(PYTEST) $(addprefix --ignore=,$(UNMEASURED))
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-old-duckdb: $(VENV)-old-duckdb/.installed
	$(VENV)-old-duckdb/bin/python $(PYTEST) tests/store --ignore=tests/store/lake

lake: $(VENV)-old-duckdb/.installed
	REQUIRE_LAKE=1 LAKE_KILLS=100 $(VENV)-old-duckdb/bin/python -m pytest $(LAKE)

faults: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak $(MINUTES)

load: $(VENV)/.installed-dev
	LOAD_LONG=1 $(BIN)/python -m pytest -s --timeout 540 tests/browser/test_two_processes.py
	$(BIN)/python -m tests.load

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench

bench-lake: $(VENV)-old-duckdb/.installed
	$(VENV)-old-duckdb/bin/python -m tests.bench.lake

screenshots: $(VENV)/.installed-dev
	$(BIN)/python -m tests.screenshots

fmt: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# `make pins` keeps the pins that are there. `make pins UPGRADE=--upgrade` takes the newest that the .in files allow. The
# oldest Python decides, with one version of each package: what is installed is the same on all Pythons.
PIN = $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --annotation-style line \
	--custom-compile-command "make pins" --quiet $(UPGRADE)

pins: $(VENV)/.installed-dev
	$(PIN) --output-file requirements.txt requirements.in
	$(PIN) --output-file requirements-dev.txt requirements-dev.in
	sed '/^duckdb==/d; /^python-dateutil==/d' requirements.txt requirements-dev.txt > $(VENV)/without-duckdb.txt
	$(PIN) --constraint $(VENV)/without-duckdb.txt --no-annotate \
		--output-file requirements-old-duckdb.txt requirements-old-duckdb.in

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with make PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

$(VENV)-old-duckdb/.installed: requirements.txt requirements-dev.txt requirements-old-duckdb.txt
	$(PYTHON) -m venv $(VENV)-old-duckdb
	sed 's/^duckdb==.*/duckdb==$(OLD_DUCKDB)/' requirements.txt > $(VENV)-old-duckdb/requirements.txt
	$(VENV)-old-duckdb/bin/python -m pip install --quiet --disable-pip-version-check \
		-r $(VENV)-old-duckdb/requirements.txt -r requirements-dev.txt
	$(VENV)-old-duckdb/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-old-duckdb.txt
	touch $@
