# The commands of the README, and the very ones that CI runs. Each does its own set-up in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# torch and torchvision are pinned as a pair here; a user's install takes any torch >= 2.9.
TORCH  := torch==2.14.1 torchvision==0.29.1

.PHONY: install install-dev demo test check bench docs wheel clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   install, then train, measure and use an LRCN on the embedded world (6 minutes)"
	@echo "make test   install with development extras; lint, types, contract, the whole suite"
	@echo "make check  lint, types, contract, fast tests (under a minute once installed)"
	@echo "make bench  speed claims, each against a named alternative"
	@echo "make docs   build the documentation into site/"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: | $(VENV)/bin/python
	$(BIN)/pip install --quiet $(TORCH)
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.torch
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

demo: install
	$(BIN)/lrcn demo --out runs/demo --overwrite

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -n 2 -m "not slow"

test: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -n 2

bench: install-dev
	$(BIN)/python -m benchmarks

docs: install-dev
	$(BIN)/zensical build --strict

wheel: install-dev
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist site runs
