# Plain Python >= 3.11 and make are all a fresh machine needs: each target makes .venv from the locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PROVE := causes hostile variants rotations schedules second-vendor
SOURCES := watchkeeper tasks flows deployments benchmarks tests

.PHONY: install drill test facts check prove prove-system bench bench-server up clean lock
.PHONY: $(PROVE:%=prove-%) prove-few-kills prove-long prove-drills prove-kills prove-hardships
.DELETE_ON_ERROR:

$(VENV)/.run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Watchkeeper needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.run

drill: $(VENV)/.run
	$(BIN)/watchkeeper drill expired-key

up: $(VENV)/.run
	$(BIN)/watchkeeper up --sandbox

test: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/test_prefect_facts.py --ignore=tests/system

# What the design takes for granted about the pinned Prefect: after a change of the lock, and in CI.
facts: $(VENV)/.dev
	$(BIN)/python -m pytest -n 0 tests/test_prefect_facts.py

# The whole, with the machine to itself: a drill, `up` against what happens to it, the quick planted
# causes; and what needs the Debian packages of .ci/apt.txt. Seven minutes on two cores.
prove-system: $(VENV)/.dev
	$(BIN)/python -m pytest -n 0 tests/system

check: $(VENV)/.dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

# Each part records what came of it in docs/proof.json, and docs/proof.md is written from that. Parts
# of at most ten minutes on two cores: together some forty minutes.
prove: $(PROVE:%=prove-%) prove-few-kills

$(PROVE:%=prove-%): prove-%: $(VENV)/.dev
	$(BIN)/python -m benchmarks.proof $*

prove-few-kills: $(VENV)/.dev
	$(BIN)/python -m benchmarks.kills --kills 12

# Two and a half hours on two cores: every drill, 200 kills, every hardship (root, libfaketime).
prove-long: prove-drills prove-kills prove-hardships

prove-drills prove-kills prove-hardships: prove-%: $(VENV)/.dev
	$(BIN)/python -m benchmarks.proof $*

bench: $(VENV)/.run
	$(BIN)/python -m benchmarks.triage

# Prefect's server on SQLite under a burst of calls, as it begins its transactions and as ours does.
bench-server: $(VENV)/.run
	$(BIN)/python -m benchmarks.server_load

clean:
	rm -rf $(VENV) .watchkeeper/drills .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The locks name no index host; uv is needed only here.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q pyproject.toml --group build -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q pyproject.toml --group build --extra dev --extra aws --extra gcp --extra kubernetes -c requirements.lock -o requirements-dev.lock
