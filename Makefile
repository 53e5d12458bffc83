# The way in for users and developers. A bare machine needs python3 (3.11 or later, with venv), git and make; nothing here needs root.
PYTHON ?= python3
PIP_FLAGS ?= -q
DATA ?=

VENV := .venv
BIN := $(VENV)/bin
USE := train,local,console,kubernetes
# The order is that of tests/conftest.py: xdist's own begins with the files of many tests, and the long ones have few.
PYTEST_FLAGS ?= -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test check generated constraints clean-demo

help:
	@echo 'make demo             the whole way on this machine: draw meters, render, train, measure, read a picture'
	@echo 'make demo DATA=DIR    the same with your own Pascal VOC folder'
	@echo 'make test             every check, then every test'
	@echo 'make check            lint, types, walls between the packages, generated files'
	@echo 'make generated        write schema.json, rendered/ and the golden files of the tests anew'
	@echo 'make clean-demo       stop the demo and remove what it wrote (.demo/)'
	@echo 'make constraints      write the installed releases to constraints.txt'

demo: $(VENV)/.installed
	@$(BIN)/corespec demo $(if $(DATA),--data '$(DATA)')

test: check
	$(BIN)/python -m pytest -q $(PYTEST_FLAGS)
	@echo 'make test: every check and test passed'

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python -m generator.spec.schema | diff -u specs/schema.json - \
	  || { echo 'specs/schema.json is stale: $(BIN)/python -m generator.spec.schema > specs/schema.json' >&2; exit 1; }
	$(BIN)/corespec render --check

# What is generated and committed; `make check` and the tests fail where it is stale.
generated: $(VENV)/.installed-dev
	$(BIN)/python -m generator.spec.schema > specs/schema.new && mv specs/schema.new specs/schema.json
	$(BIN)/corespec render
	$(BIN)/python tests/generator/golden.py
	CORESPEC_REGENERATE=1 $(BIN)/python -m pytest -q tests/corespec/test_verbs.py

clean-demo: $(VENV)/.installed
	@$(BIN)/corespec demo --clean

# One environment, made once: a stamp for each set of extras, older than what decides it.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("Corespec needs Python 3.11 or later; $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { echo 'No virtual environment could be made: install the venv module of $(PYTHON) (python3-venv on Debian)' >&2; rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo 'Installing Corespec into $(VENV) (once; torch is the largest part of the download)'
	@$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[$(USE)]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo 'Installing the tools of a developer into $(VENV) (once)'
	@$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[$(USE),pretrained,dev]'
	@touch $@

constraints: $(VENV)/.installed-dev
	@sed -n '/^#/p' constraints.txt > constraints.new
	@$(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(#|nvidia|cuda|triton)|^(coverage|pytest-socket)=' \
	  | sed -E 's/^([^+]*)\+.*/\1/' >> constraints.new
	@mv constraints.new constraints.txt
	@echo 'constraints.txt is written: read the difference before you commit it'
