# The only commands of this project. `make` alone lists them. Each one first sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.PHONY: help setup demo test test-deep check e2e bench docs dev

# Compiled modules are kept: every attempt is a process of its own, and a node starts in 1.4 s with them, in 4.7 s without.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PATH := $(HOME)/.cargo/bin:$(PATH)
export CARGO_TERM_PROGRESS_WHEN ?= auto

PY := .venv/bin/python
WORKERS ?= 2
ARGS ?=
say = @printf '%s\n'

# A stamp says that a step was done in this folder, after the last change of what it depends on.
# All of them fall when the environment is gone, cannot run, or was made in another folder.
ifneq ($(shell $(PY) -c 'import sys; print(sys.prefix)' 2>/dev/null),$(CURDIR)/.venv)
  $(shell rm -rf .stamps 2>/dev/null)
endif
ifeq ($(wildcard src/hanse/kernel/_kernel*),src/hanse/kernel/_kernel.pyi)
  $(shell rm -f .stamps/kernel)
endif

help: ## what you are reading
	@echo "usage: make <command>        (ARGS="…" is handed on to what the command runs)"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- what the commands stand on
.stamps/venv:
	@mkdir -p .stamps
	@build_support/environment.sh venv
	@touch $@

.stamps/run: .stamps/venv requirements/build.txt requirements/run.txt
	@build_support/environment.sh packages build.txt
	@build_support/environment.sh packages run.txt
	@touch $@

.stamps/dev: .stamps/run requirements/dev.txt
	@build_support/environment.sh packages dev.txt
	@touch $@

KERNEL := $(shell find kernel -not -name '*.md' -not -path '*/target/*') Cargo.toml Cargo.lock
.stamps/kernel: .stamps/run pyproject.toml $(KERNEL)
	@build_support/environment.sh kernel
	@touch $@

# ---------------------------------------------------------------- the commands
setup: .stamps/dev .stamps/kernel ## everything a developer needs: environment, packages, Rust kernel
	$(say) "ready     .venv/bin/hanse --help"

demo: .stamps/kernel ## three organisations on this machine, from raw files to scored customers
	@.venv/bin/hanse demo $(ARGS)

# $(call tier,marker expression,what to say when the tier is empty (nothing: empty is a failure),more for pytest)
tier = @$(PY) -m pytest -q -n $(WORKERS) -m '$(1)' $(3) $(ARGS) || { rc=$$?; [ $$rc = 5 ] && [ -n "$(2)" ] && echo "$(2)" || exit $$rc; }

# The tests of tests/architecture read code: `make check` runs them.
test: .stamps/dev .stamps/kernel ## unit and integration tests of Rust and Python (under 10 minutes)
	$(say) "rust      cargo test"
	@cargo test --locked --quiet -p hanse-kernel
	$(say) "python    pytest (without the deep and e2e tiers)"
	$(call tier,not deep and not e2e,,--ignore=tests/architecture --dist worksteal)

test-deep: .stamps/dev .stamps/kernel ## kill matrix and long searches (under 30 minutes)
	$(call tier,deep,this tier holds no test)
	$(say) "postgres  the suite of the control plane again, on a PostgreSQL of its own"
	@$(PY) -m pytest -q -p tests.postgresql -n $(WORKERS) -m 'not deep and not e2e and not sqlite' src/hanse/control src/hanse/api tests/control tests/federation tests/faults tests/security

e2e: .stamps/dev .stamps/kernel ## nodes as processes over mTLS, through the command line
	$(call tier,e2e and not deep,this tier holds no test,--dist loadfile)

CHECKS := locks format lint types layers stubs docs rust-format rust-lint parameters rules
check: .stamps/dev .stamps/kernel ## every rule of the project that reads code instead of running it
	@failed=(); for name in $(CHECKS); do \
	  printf '%-13s' "$$name"; \
	  if output=$$($(MAKE) check-$$name 2>&1); then echo ok; else echo FAILED; printf '%s\n' "$$output"; failed+=("$$name"); fi; \
	done; [ $${#failed[@]} = 0 ] || { echo "failed: $${failed[*]}   (one alone: make check-NAME)"; exit 1; }

check-locks:
	@$(PY) build_support/locks.py check
check-format:
	@.venv/bin/ruff format --check .
check-lint:
	@.venv/bin/ruff check .
check-types:
	@$(PY) -m mypy
	@$(PY) -m mypy --explicit-package-bases build_support tests $(wildcard bench/*.py)
check-layers:
	@$(PY) build_support/layers.py
check-stubs:
	@MYPYPATH=src $(PY) -m mypy.stubtest hanse.kernel._kernel
check-docs:
	@$(PY) build_support/component_pages.py check
	@$(PY) build_support/state_page.py check
check-rust-format:
	@cargo fmt --all --check
check-rust-lint:
	@cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
check-parameters:
	@$(PY) kernel/core/parameters.py
check-rules:
	@$(PY) -m pytest -q -m 'not deep' tests/architecture

bench: .stamps/dev .stamps/kernel ## every performance claim, in its quick form (one alone: make bench ARGS=bench/boost.py)
	@for file in $(or $(ARGS),$(filter-out bench/wire.py,$(sort $(wildcard bench/*.py)))); do echo "$$file" >&2; $(PY) $$file --quick; done

docs: .stamps/dev .stamps/kernel ## write docs/components and the schema of pipelines from the catalogue, check every path, link and command of the pages
	@$(PY) build_support/component_pages.py write
	@$(PY) build_support/state_page.py write
	@$(PY) -m hanse.runtime.format docs/pipeline.schema.json
	@$(PY) -m pytest -q tests/architecture/documents_test.py

dev: .stamps/dev .stamps/kernel ## two nodes on loopback that start again when the Python source changes (data in .dev/)
	@$(PY) build_support/development.py
