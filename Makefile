# The entry points people need; .ci/run calls the same. `make help` lists them.

ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c '$(ENOUGH)' 2>/dev/null && { echo $$python; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
# Two at a time: the machines that check every change have two cores.
PYTEST := $(BIN)/pytest -q -n 2

.DEFAULT_GOAL := help
.PHONY: help setup run test test-long check format docs migrations bench peers wheel

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

setup: $(READY) ## the virtual environment in .venv

$(READY): pyproject.toml constraints.txt
	@test -n '$(PYTHON)' && $(PYTHON) -c '$(ENOUGH)' || \
		{ echo 'Python 3.11 or newer is needed, e.g. make setup PYTHON=/path/to/python3.11' >&2; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || \
		{ echo 'Python has no venv module: apt-get install python3-venv' >&2; exit 2; }
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: $(READY) ## the platform with demo data and three emulated stations, until Ctrl-C
	@$(BIN)/linli run-demo

peers: ## the Debian packages that tests need (mosquitto, PostgreSQL)
	@tests/support/install_peers.sh

test: $(READY) peers ## every test, on SQLite and PostgreSQL
	$(PYTEST)

test-long: $(READY) peers ## the same, and the long forms of some
	$(PYTEST) --long --timeout=3600

check: $(READY) ## style, types, import contracts, dead code, sizes, and that nothing made drifts
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.support.dead_code
	$(BIN)/python -m tests.support.sizes
	$(BIN)/python -m foundation.make_migrations --check
	$(BIN)/python -m foundation.wire_docs --check
	$(BIN)/linli openapi --check

format: $(READY) ## put the code into the house style
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

docs: $(READY) ## make docs/wire.md, docs/asyncapi.yaml and openapi.json anew
	$(BIN)/python -m foundation.wire_docs
	$(BIN)/linli openapi

migrations: $(READY) ## write down how the tables changed (SQUASH=1: all anew, before a release)
	$(BIN)/python -m foundation.make_migrations $(if $(SQUASH),--squash)

bench: $(READY) peers ## figures, beside those of other brokers: build/bench.json
	$(BIN)/python -m benchmarks

wheel: $(READY) ## dist/linli-*.whl
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
