# `make demo` shows the gateway at work, `make test` tests it, `make check` is what a change must
# pass. All of them set up what they need. PYTHON chooses the interpreter: make test PYTHON=python3.13

PYTHON ?= python3
ifeq ($(PYTHON),python3)
VENV ?= $(or $(UV_PROJECT_ENVIRONMENT),.venv)
else
VENV ?= .venv-$(notdir $(PYTHON))
endif
BIN := $(VENV)/bin

# uv from the machine, or one of our own in TOOLS, which needs python3 and nothing else.
TOOLS ?= .venv-tools
UV := $(shell if uv --version >/dev/null 2>&1; then echo uv; else echo $(TOOLS)/bin/uv; fi)
SYNC = UV_PROJECT_ENVIRONMENT=$(VENV) UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --compile-bytecode --python $(PYTHON)
# Compiled ahead, so that the first start is as quick as the next.
COMPILE = $(BIN)/python -m compileall -q src

# Two workers by default; `make test TESTS="tests/unit -k settings" WORKERS=0` for less.
WORKERS ?= 2
TESTS ?= tests
PORT ?= 8090

.PHONY: help install demo serve test check fix bench golden-update rehearse image clean
.SILENT:

help: ## this list
	grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

$(TOOLS)/bin/uv:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check uv

# With a uv on PATH there is nothing to build; otherwise the environments wait for ours.
UV_FILE := $(filter $(TOOLS)/bin/uv,$(UV))

$(VENV)/.runtime: pyproject.toml uv.lock | $(UV_FILE)
	$(SYNC) --no-dev --inexact
	$(COMPILE)
	touch $@

$(VENV)/.installed: pyproject.toml uv.lock | $(UV_FILE)
	$(SYNC)
	$(COMPILE)
	touch $(VENV)/.runtime $@

install: $(VENV)/.installed ## everything for working on Dragoman, from the lock file, into .venv

demo: $(VENV)/.runtime ## gateway and simulated providers together: no key, no network
	$(BIN)/dragoman demo --port $(PORT)

serve: $(VENV)/.runtime ## the gateway with your settings: dragoman.toml, .env, environment
	$(BIN)/dragoman serve

test: install ## every test
	$(BIN)/pytest -n $(WORKERS) $(TESTS)

check: install ## lint, format, types, import rules, house rules
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose*.yaml
	$(BIN)/lint-imports --no-logo >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	$(BIN)/pytest -q tests/unit/test_repository.py tests/unit/test_settings_reference.py

fix: install ## what lint and format can mend by themselves
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

bench: install ## measure this machine (docs/performance.md)
	for part in translators blocking startup; do $(BIN)/python benchmarks/$$part.py || exit 1; done

golden-update: install ## rewrite what the tests expect; read the diff like code
	DRAGOMAN_GOLDEN_UPDATE=1 $(BIN)/pytest -q $(TESTS)

rehearse: install ## what the Dockerfile says, done without Docker in an empty folder
	$(BIN)/python deploy/rehearse

image: ## the container image; PYTHON_VERSION=3.14 chooses its interpreter
	docker build --tag dragoman:local $(if $(PYTHON_VERSION),--build-arg PYTHON_VERSION=$(PYTHON_VERSION)) .

clean: ## remove environments and caches
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
