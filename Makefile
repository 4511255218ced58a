# The commands of the README and of CI. `make` alone lists them.
# Everything runs out of .venv, which `make setup` makes with the first Python >= 3.11 on the PATH (or PYTHON=...).
# Paths are relative, so the checkout may lie in a folder with spaces in its name.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Byte code is compiled at first import (see scripts/setup-venv), so it must be allowed to be kept.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.stamp-runtime
DEV := $(VENV)/.stamp-dev
PYTHON ?=
export PYTHON

# `make demo` hands these to `tailrace up` when they are given: make demo DURATION=30 ARGS="--sql-port 0"
DURATION ?=
DEVICES ?=
RATE ?=
BURST ?=
SEED ?=
DATA_DIR ?=
REPORT ?=
N ?=
ONLY ?=
PATHS ?= tests/slt/cases
URL ?=
OUT ?=

# Test files that run side by side: one more than two cores, since a third of the time is spent in waiting for what runs elsewhere.
# JOBS=0 runs them one by one, in this process.
JOBS ?= 3

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(DEV) ## Make .venv and install Tailrace with its development tools

.PHONY: demo
demo: $(RUNTIME) ## Run everything here [DURATION= DEVICES= RATE= BURST= SEED= DATA_DIR= REPORT= ARGS=]
	@exec $(BIN)/tailrace up \
	    $(if $(DURATION),--duration "$(DURATION)") \
	    $(if $(DEVICES),--devices "$(DEVICES)") \
	    $(if $(RATE),--rate "$(RATE)") \
	    $(if $(BURST),--burst "$(BURST)") \
	    $(if $(SEED),--seed "$(SEED)") \
	    $(if $(DATA_DIR),--data-dir "$(DATA_DIR)") \
	    $(if $(REPORT),--report "$(REPORT)") $(ARGS)

.PHONY: test
test: $(DEV) ## Run the tests, all but the slow ones [JOBS=3 ARGS=...]
	@$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-slow
test-slow: $(DEV) ## Run the slow tests [ARGS=...]
	@$(BIN)/python -m pytest -m slow $(ARGS)

.PHONY: check
check: $(DEV) ## Check format, lint (Python and SQL), types and the direction of imports
	@failed=0; \
	$(BIN)/python -m ruff format --check . || failed=1; \
	$(BIN)/python -m ruff check . || failed=1; \
	$(BIN)/python -m mypy || failed=1; \
	$(BIN)/lint-imports || failed=1; \
	$(BIN)/tailrace lint || failed=1; \
	exit $$failed

.PHONY: fmt
fmt: $(DEV) ## Format the code and fix what lint can fix
	$(BIN)/python -m ruff check --fix-only .
	$(BIN)/python -m ruff format .

.PHONY: chaos
chaos: $(DEV) ## Disturb the whole stack under load and account for every message [SEED= N=20 RATE=5000 DEVICES= ONLY= REPORT=]
	@exec $(BIN)/python -m tests.chaos $(if $(SEED),--seed "$(SEED)") $(if $(N),--number "$(N)") \
	    $(if $(RATE),--rate "$(RATE)") $(if $(DEVICES),--devices "$(DEVICES)") \
	    $(if $(ONLY),--only "$(ONLY)") $(if $(REPORT),--report "$(REPORT)") $(ARGS)

.PHONY: oracle
oracle: $(DEV) ## Compare random views with their queries as batches, over random histories [SEED= N=1000 ARGS=]
	@exec $(BIN)/python -m tests.oracle $(if $(SEED),--seed "$(SEED)") $(if $(N),--number "$(N)") $(ARGS)

.PHONY: slt
slt: $(DEV) ## Run sqllogictest files on an engine of its own or on URL [PATHS="dir file" URL= OUT=report.json ARGS=]
	@exec $(BIN)/python -m tests.slt.runner $(PATHS) $(if $(URL),--url "$(URL)") $(if $(OUT),--json "$(OUT)") $(ARGS)

.PHONY: compatibility
compatibility: $(DEV) ## Run our own sqllogictest cases and write docs/compatibility.md
	@exec $(BIN)/python -m tests.slt.compatibility

.PHONY: bench
bench: $(DEV) ## Run the benchmarks, one after the other [BENCH=bench/decode.py]
	@for script in $(or $(BENCH),$(sort $(wildcard bench/*.py))); do \
	    echo "== $$script"; $(BIN)/python "$$script"; \
	done

.PHONY: clean
clean: ## Remove .venv, caches and the demo's state (.tailrace)
	@pid=$$(cat .tailrace/lock 2>/dev/null || true); \
	if [ -n "$$pid" ] && ps -p "$$pid" -o args= 2>/dev/null | grep -q tailrace; then \
	    echo "clean: the demo is running on .tailrace (process $$pid); stop it first" >&2; exit 1; \
	fi
	rm -rf $(VENV) .tailrace build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml scripts/setup-venv | $(BIN)/python
	@scripts/setup-venv runtime
	@touch $@

$(DEV): pyproject.toml scripts/setup-venv | $(BIN)/python
	@scripts/setup-venv dev
	@touch $(RUNTIME) $@

# A .venv whose Python is gone (system upgrade) takes its stamps with it.
$(BIN)/python:
	@rm -rf $(VENV)
