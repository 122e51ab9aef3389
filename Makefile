# `make` shows what there is. `make demo` and `make test` need nothing but python3.11 and make.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PIP_INSTALL := $(PIP) install --require-hashes --retries 5 --prefer-binary

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo reproduce test check format serve mlflow lock bench bench-serve clean-cache

help: ## show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

setup: $(VENV)/.train ## install what training and serving need

setup-dev: $(VENV)/.dev ## install what the tests need as well

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "python 3.11 or newer is needed, $(PYTHON) is older: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "setting up $(VENV) (once, a few minutes)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.train: requirements/train.txt pyproject.toml | $(BIN)/python
	@$(PIP_INSTALL) -r requirements/train.txt
	@$(BIN)/python scripts/link_checkout.py
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@$(PIP_INSTALL) -r requirements/dev.txt
	@$(BIN)/python scripts/link_checkout.py
	@touch $@ $(VENV)/.train

demo: setup ## the main job on simulated data: sweep, leaderboard, champion
	@$(BIN)/python -m fraudlab.train experiment=demo

reproduce: setup ## the published tables of the Fraud Detection Handbook, number by number
	@$(BIN)/python scripts/reproduce.py

test: setup-dev ## the whole test suite, offline
	@$(BIN)/python -m pytest --cov --cov-report=term:skip-covered -n 2 --dist worksteal

check: setup-dev ## format, lint, types, layers, spelling
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

format: setup-dev ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

serve: setup ## the service on 127.0.0.1:8000, from bundles/champion
	@exec $(BIN)/python -m serve

mlflow: setup ## the MLflow page of all runs on 127.0.0.1:5000
	@exec env MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
	  $(BIN)/mlflow server --backend-store-uri "sqlite:///$${FRAUDLAB_HOME:-.}/mlflow.db" \
	  --artifacts-destination "$${FRAUDLAB_HOME:-.}/mlartifacts" --host 127.0.0.1 --port 5000

lock: setup-dev ## refresh requirements/*.txt from pyproject.toml
	@scripts/lock

bench-serve: setup-dev ## the service against the older one, on one core
	@$(BIN)/python scripts/bench_serve.py

bench: setup-dev ## time simulator, features, training, the bootstrap and sweeps
	@$(BIN)/python scripts/bench.py
	@$(BIN)/python scripts/bench_bootstrap.py
	@$(BIN)/python scripts/bench_sweep.py && $(BIN)/python scripts/bench_survival.py

clean-cache: ## remove what can be computed again
	@rm -rf "$${FRAUDLAB_HOME:-.}/.cache/fraudlab"
	@rmdir "$${FRAUDLAB_HOME:-.}/.cache" 2>/dev/null || true
