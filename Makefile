# Two commands do everything on a fresh machine: make run, make test.

PYTHON ?= python3
IN := .venv/bin/python -P -m# not .venv/bin/pytest: a tool that is kept from the calling Python has no script there
LINT_IMPORTS := .venv/bin/python -c "from importlinter.cli import lint_imports_command as run; run()"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test oracle kernel slurm check check-format check-lint check-types check-contracts fix bench docs

help:
	@echo "make run    install into .venv and run the quick start with the live screen (more: ARGS=\"...\")"
	@echo "make test   install with the test tools and run all tests (some: ARGS=\"tests/store -k lock\")"
	@echo "make oracle install an independent library of curvature, which some tests compare with"
	@echo "make kernel install Triton (190 MB), whose interpreter runs the GPU's kernel in some tests"
	@echo "make slurm  install Slurm for its tests, as root (Debian, Ubuntu)"
	@echo "make check  format, lint, types and import contracts"
	@echo "make fix    put format and imports in order"
	@echo "make docs   build the site of the documentation into site/ and look up every link"
	@echo "make bench  every benchmark, figures as JSON in bench-figures/ (some: ARGS=\"--only trainings grids\")"

run:
	@$(PYTHON) scripts/bootstrap.py
	@.venv/bin/mlrtui run $(ARGS)

test:
	@$(PYTHON) scripts/bootstrap.py test
	$(IN) pytest -n logical --maxprocesses 4 --dist worksteal $(ARGS)

oracle:
	@$(PYTHON) scripts/bootstrap.py oracle

kernel:
	@$(PYTHON) scripts/bootstrap.py gpu

slurm:
	@bash tests/slurm/install.sh

check: check-format check-lint check-types check-contracts

check-format check-lint check-types check-contracts fix: .tools

.PHONY: .tools
.tools:
	@$(PYTHON) scripts/bootstrap.py test check

check-format:
	$(IN) ruff format --check .

check-lint:
	$(IN) ruff check .

check-types:
	$(IN) mypy
	$(IN) mypy scripts benchmarks

check-contracts:
	$(LINT_IMPORTS)

fix:
	$(IN) ruff check --fix .
	$(IN) ruff format .

bench:
	@$(PYTHON) scripts/bootstrap.py test
	.venv/bin/python -m benchmarks.suite $(ARGS)

docs:
	@$(PYTHON) scripts/bootstrap.py docs
	$(IN) scripts.docs_site
