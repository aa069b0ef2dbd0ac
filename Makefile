.DEFAULT_GOAL := help
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: help run test check lint types layers pytest bench lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 12

run: $(VENV)/.runtime ## set-up, sample corpus, training, bundle, service on 127.0.0.1:8000
	$(BIN)/nextvec up $(ARGS)

test: check ## set-up, then the whole check

check: $(VENV)/.dev lint types layers pytest ## lint, types, layers, tests with coverage

lint: $(VENV)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports

pytest: $(VENV)/.dev ## the tests, with branch coverage
	$(BIN)/pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile --cov --cov-report=term

bench: $(VENV)/.dev ## the benchmarks, 15 minutes; the report goes to benchmarks/reports
	$(BIN)/python -m benchmarks.speed

lock: ## write the pinned requirements anew, from pyproject.toml
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --upgrade pip
	$(VENV)-lock/bin/pip install --quiet torch==2.13.0 .
	$(VENV)-lock/bin/pip freeze --exclude nextvec | sed 's/+cpu$$//' > requirements.txt
	$(VENV)-lock/bin/pip install --quiet --group dev
	$(VENV)-lock/bin/pip freeze --exclude nextvec | sed 's/+cpu$$//' > requirements-dev.txt
	rm -rf $(VENV)-lock build

clean: ## remove the virtual environment and the caches, not what was made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(VENV)/.made:
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	@touch $@

$(VENV)/.runtime: requirements.txt pyproject.toml | $(VENV)/.made
	@echo "Installing the pinned dependencies (one to three minutes) ..."
	$(BIN)/pip install --quiet -r requirements.txt
	@# twice quiet: setuptools would warn of folders named as the package is
	$(BIN)/pip install --quiet --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/pip install --quiet -r requirements-dev.txt
	@touch $@
