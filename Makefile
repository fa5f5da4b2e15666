# Every target does its own set-up and is quick when nothing changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pip and setuptools talk a lot; their words matter when something fails.
LOG := $(VENV)/setup.log
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# OpenAI's client for Node.js; the tests run it against a rig.
NODE_CLIENT := tests/e2e/node_client
# Three workers keep two cores busy: tests that start processes mostly wait for them. Worksteal keeps a
# file's tests together, and all workers busy to the end.
WORKERS := --numprocesses 3 --dist worksteal
# Rewriting the asserts of all tests takes ten seconds for each worker; what is kept is read in one.
KEEP_COMPILED := PYTHONDONTWRITEBYTECODE=
QUIETLY := >>$(LOG) 2>&1 || { cat $(LOG); exit 1; }

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## a tracker, a rig and a real tiny model on this machine, ready to use
	@$(BIN)/luckrig demo

test: $(VENV)/.test ## every test, with a real engine and a real browser
	@$(KEEP_COMPILED) $(BIN)/pytest $(WORKERS)

check: $(VENV)/.check ## lint, types, import contracts, packaging, sizes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/pytest -q tests/test_packaging.py tests/test_sizes.py tests/test_docs.py

bench: $(VENV)/.test ## measure against the bars; fetches nginx, HAProxy, LiteLLM to compare with
	@$(BIN)/python -m bench.fetch
	@$(BIN)/python -m bench

clean: ## remove the virtual environment and everything generated
	rm -rf $(VENV) $(NODE_CLIENT)/node_modules build dist .artifacts .bench *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# What each target needs. A stamp is older than pyproject.toml when dependencies changed.

$(VENV)/.run: pyproject.toml
	@echo "setting up $(VENV); the first time takes half a minute"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade 'pip>=25.1' setuptools $(QUIETLY)
	@$(PIP) --no-build-isolation --editable '.[engine]' $(QUIETLY)
	@touch $@

$(VENV)/.test: $(VENV)/.run tools/install_browser.sh $(NODE_CLIENT)/package-lock.json
	@echo "installing what the tests need"
	@$(PIP) --group test $(QUIETLY)
	@sh tools/install_browser.sh $(BIN)/playwright
	@cd $(NODE_CLIENT) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/.check: $(VENV)/.test
	@echo "installing what the checks need"
	@$(PIP) --group check $(QUIETLY)
	@touch $@
