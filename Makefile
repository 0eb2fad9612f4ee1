# What a person needs: `make run`, then `make test`. Everything else serves these two.
# PYTHON=... names another interpreter; SCENARIO=... and SPEED=... choose what `make run` plays.

SCENARIO ?= ercot-2024
PYTHON ?=
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: install run test check format bench clean
.DEFAULT_GOAL := install

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml deploy/install.sh
	@PYTHON="$(PYTHON)" sh deploy/install.sh
	@touch $(STAMP)

run: install
	@$(BIN)/hcp up --scenario $(SCENARIO) $(if $(SPEED),--speed $(SPEED))

test: install
	@$(BIN)/python -m pytest

check: install
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m schemas check

format: install
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: install
	@$(BIN)/python -m tests.benchmarks

# The environment and caches of tools. Data (.hcp) and downloads stay: `rm -r .hcp` is yours to type.
clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
