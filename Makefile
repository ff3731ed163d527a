# `make demo` and `make test` are all a newcomer needs; each installs what it lacks into .venv first.
# Demonstration with the server shot three times: make demo KILL=1

.DEFAULT_GOAL := help
.PHONY: help demo run install services services-stop test check bench torture lock docs clean

VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest
# The servers that tests need, in .services/; on a laptop without them tests are skipped, in CI that is an end.
SERVERS := $(VENV)/python -m tools.services start || test -z "$$CI"
export PYTHONDONTWRITEBYTECODE ?= 1

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Tell a thousand people on this machine and show who was told (KILL=1: shoot the server meanwhile)
	@tools/install.sh runtime build
	@$(VENV)/pagerd demo $(if $(KILL),--kill)

run: ## Start the development server and leave it running
	@tools/install.sh runtime build
	@$(VENV)/pagerd dev

install: ## Install everything that developing needs into .venv
	@tools/install.sh dev

services: ## Install and start PostgreSQL, Redis and Kafka on loopback, with their data in .services/
	@tools/services.sh
	@python3 -m tools.services start

services-stop: ## Stop the servers that `make services` started; their data stay
	@python3 -m tools.services stop

test: ## Lint, types, import contracts and all tests
	@tools/services.sh
	@tools/install.sh dev
	@$(SERVERS)
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) --numprocesses 2

check: ## Lint, types, import contracts and the quick tests
	@tools/install.sh dev
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) --numprocesses 2 tests/unit tests/architecture

.PHONY: lint
lint:
	$(VENV)/ruff check --quiet
	$(VENV)/ruff format --check --quiet
	$(VENV)/mypy --no-error-summary
	$(VENV)/lint-imports --no-cache

bench: ## Measure: throughput, latency, memory, start-up, beside smtp-source in the same run
	@tools/services.sh
	@tools/install.sh dev
	@$(SERVERS)
	@$(VENV)/python -m benchmarks

torture: ## Shoot the server a thousand times, and write reports/kill-matrix.json
	@tools/services.sh
	@tools/install.sh dev
	@$(SERVERS)
	@$(VENV)/python -m tests.crash.torture

docs: ## Write the generated pages anew
	@tools/install.sh dev
	@$(VENV)/python -m tools.reference

lock: ## Write requirements/*.txt anew from pyproject.toml (needs uv; UPGRADE=1 takes newer versions)
	@tools/lock.sh $(if $(UPGRADE),--upgrade)

clean: ## Remove what was built and cached, and the servers with their data; data in .pagerd stays
	@python3 -m tools.services remove
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .services reports
