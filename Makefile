# Each target sets up what it needs by itself, again only when pyproject.toml changes.
VENV ?= .venv
# The newest supported Python that really runs: a version manager's shim may be on PATH without its Python.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	"$$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; \
	done)
# Arguments for the command a target runs: make train ARGS="fashion-mnist --epochs 20"
ARGS ?=
# Which CUDA the GPU's driver is for: cuda12 or cuda13.
CUDA ?= cuda12

python := $(VENV)/bin/python
pip := $(python) -m pip install --disable-pip-version-check --quiet
installed = $(VENV)/.installed-$(1)

.DELETE_ON_ERROR:
.PHONY: help train test bench gpu-check lint format ruff-format ruff-check mypy pip-check clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

train: $(call installed,run) ## train on handwritten digits, or ARGS="fashion-mnist --epochs 20"
	$(python) -m fastgan train $(ARGS)

test: $(call installed,test) ## run the tests, or some: ARGS="-k recipe"
	$(python) -m pytest $(ARGS)

bench: $(call installed,bench) ## measure speed, also against other frameworks
	$(python) -m pytest bench --benchmark-only $(ARGS)

gpu-check: $(call installed,test) $(call installed,$(CUDA)) ## all that needs a GPU; for CUDA 13: make gpu-check CUDA=cuda13
	$(python) bench/gpu_check.py $(ARGS)

lint: ruff-format ruff-check mypy pip-check ## check format, lint, types and versions, as the commit hooks and CI do

format: $(call installed,dev) ## rewrite the sources in the project's format
	$(python) -m ruff format
	$(python) -m ruff check --fix

ruff-format: $(call installed,dev)
	$(python) -m ruff format --check

ruff-check: $(call installed,dev)
	$(python) -m ruff check

mypy: $(call installed,dev)
	$(python) -m mypy

pip-check: $(call installed,dev)
	$(python) -m pip check

clean: ## remove the environment and everything built; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name .git -prune -o -name __pycache__ -prune -exec rm -rf {} +

$(python):
	@test -n "$(PYTHON)" || { echo "fastgan needs Python 3.11 or newer; install it, or name it: make PYTHON=..."; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(call installed,run): pyproject.toml $(python)
	@echo "installing fastgan and what it needs into $(VENV)"
	@$(pip) --editable .
	@touch $@

$(VENV)/.installed-%: pyproject.toml $(python)
	@echo "installing fastgan[$*] into $(VENV)"
	@$(pip) --editable ".[$*]"
	@touch $@
