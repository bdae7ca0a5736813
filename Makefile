# `make run` and `make demo` go from a bare clone to a delivered card; `make test` is what CI runs.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3 python; do $$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: setup run demo test test-all bench audit checkov format lock clean

setup: .venv/.installed local/node_modules/.installed

.venv/.installed: requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Python 3.13 is needed and none was found: install it (pyenv install 3.13, uv python install 3.13) or say make PYTHON=/path/to/python3.13"; exit 1; }
	@echo "installing the Python packages into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

local/node_modules/.installed: local/package-lock.json
	@command -v npm >/dev/null || { echo "Node.js 20 or newer with npm is needed: the storage emulator and the Teams client run on it"; exit 1; }
	@echo "installing Azurite and the Agents Playground into local/node_modules"
	@cd local && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

run: setup
	@$(BIN)/python -m local up

demo: setup
	@$(BIN)/python -m local demo

test: setup
	@$(BIN)/python -m local check

test-all: setup
	@$(BIN)/python -m local check --all

bench: setup
	@$(BIN)/python -m local bench

audit: .venv/.installed
	@$(BIN)/python -m local.check_known --strict

checkov: .venv/.installed
	@$(BIN)/python -m local.check_infra --strict

format: setup
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: setup
	@$(BIN)/uv pip compile -q --python-version 3.13 --no-header --annotation-style line --generate-hashes requirements.in -o requirements.txt
	@$(BIN)/uv pip compile -q --python-version 3.13 --no-header --annotation-style line --generate-hashes requirements-dev.in -o requirements-dev.txt
	@$(BIN)/uv pip compile -q --python-version 3.13 --no-header --annotation-style line --generate-hashes --overrides infra/checkov/overrides.txt infra/checkov/requirements.in -o infra/checkov/requirements.txt

clean:
	rm -rf .venv .local local/node_modules
