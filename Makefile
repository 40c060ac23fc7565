# Every target sets up .venv by itself. Choose the interpreter with `make PYTHON=python3.12 ...`.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= demo
# Processes of the default test suite: a test keeps one core busy, and a worker takes 3 GB.
WORKERS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help demo test test-large bench lint clean

help:
	@echo "make demo        draw data, train, evaluate, segment, export; writes $(OUT)/report.html"
	@echo "make test        the default test suite"
	@echo "make test-large  the slow tests alone (real data, full-size networks)"
	@echo "make bench       times against PyTorch, pydensecrf and the machine's own floors"
	@echo "make lint        ruff, mypy and the layers of imports"

demo: .venv/.installed
	$(BIN)/tfdeconv demo --out $(OUT)

test: .venv/.installed-test
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-large: .venv/.installed-test
	$(BIN)/python -m pytest -q -m large

bench: .venv/.installed-test
	$(BIN)/python -m tests.benchmarks.run

lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv build *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

# The stamp files are written last, so that an installation cut short is done again.
.venv/.installed: setup.py pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.installed-test: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@
