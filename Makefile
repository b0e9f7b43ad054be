# `make demo` and `make test` set up everything they need; `make help` lists the rest.
SHELL := /usr/bin/env bash
VENV := .venv
PYTHON := $(VENV)/bin/python
RUN := tools/with-display $(PYTHON)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint types manifest docs bench dist clean system

help: ## Say what can be made
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-dev ## Denoise a real scan, print the figures, write pictures, open napari
	@tools/system-libraries || echo "Going on without the napari window." >&2
	@$(PYTHON) -m napari_micromri.demo $(ARGS)

# One thread each: the test processes already fill the cores, and more threads would only wait for each other.
# A test process that crashes ends the run, which names the test; xdist would lose some tests and wait for them forever.
test: export OMP_NUM_THREADS ?= 1
test: system $(VENV)/.installed-dev ## Run all tests (ARGS="tests/io -x" for some of them)
	@$(RUN) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --max-worker-restart 0 $(ARGS)

lint: $(VENV)/.installed-dev ## Check style and format
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

types: $(VENV)/.installed-dev $(VENV)/.installed-bench ## Check types (strict)
	@$(PYTHON) -m mypy

manifest: $(VENV)/.installed-dev ## Check the napari manifest
	@$(PYTHON) -m npe2 validate napari-micromri

docs: $(VENV)/.installed-docs ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

bench: system $(VENV)/.installed-dev $(VENV)/.installed-bench ## Measure start-up, opening, streaming and image quality
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(RUN) $$script || exit 1; done

dist: ## Build wheel and sdist, and try them with the lowest and highest versions of what they need (uses uv)
	@tools/check-distribution

clean: ## Remove the environment and everything that was built
	rm -rf $(VENV) build dist site demo-output .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

system:
	@tools/system-libraries
	@tools/system-libraries postgresql || echo "Tests of tunings in PostgreSQL are skipped without it." >&2

$(PYTHON):
	@tools/make-venv $(VENV)

# One stamp for each extra: the second run installs nothing, changed requirements install again.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(PYTHON)
	@echo "Installing napari-micromri[$*]; the first time this takes some minutes." >&2
	@$(PYTHON) -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@
