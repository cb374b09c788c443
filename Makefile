# Everything a newcomer needs: `make run` shows the main job, `make test` proves it.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ROUNDS ?= 50
SEEDS ?= 10000
ROUNDS_TELEMETRY ?= 200
EXAMPLES ?= 50
ROUNDS_FUZZ ?= 50
ROUNDS_FAILOVER ?= 20

.PHONY: help run serve test world chaos lint audit-deps format bench bench-batch bench-lists bench-telemetry clean lock recording fuzz failover bench-http bench-start

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed: install it, or name it with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; $(PYTHON) is older. Name another with PYTHON=..."; exit 1; }
	@echo "Installing into $(VENV) (once)..."
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

run: $(STAMP) ## the main job: database, simulator, 5,000 orders submitted and audited
	@$(BIN)/trade-service demo

serve: $(STAMP) ## the service on 127.0.0.1:8082 with its own PostgreSQL
	@$(BIN)/trade-service serve

test: $(STAMP) ## all tests
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

world: $(STAMP) ## the engine in seeded worlds on virtual time (SEEDS=10000 FIRST=0)
	@$(BIN)/python -m tests.world --seeds $(SEEDS) $(if $(FIRST),--first $(FIRST))

chaos: $(STAMP) ## real processes killed, paused, restarted, cut off; then an audit (ROUNDS=50 SEED=...)
	@$(BIN)/python -m tests.chaos --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

failover: $(STAMP) ## a synchronous standby promoted under load: nothing lost, nothing twice (ROUNDS_FAILOVER=20)
	@FAILOVER_ROUNDS=$(ROUNDS_FAILOVER) $(BIN)/python -m pytest tests/chaos/test_failover.py

fuzz: $(STAMP) ## schemathesis asks the service for all that its description names (EXAMPLES=50 ROUNDS_FUZZ=50)
	@FUZZ_EXAMPLES=$(EXAMPLES) FUZZ_PHASES=examples,coverage,fuzzing FUZZ_SEEDS=$(ROUNDS_FUZZ) $(BIN)/python -m pytest tests/web/test_conformance.py

lint: $(STAMP) ## style, types, layers, ratchets, known vulnerabilities (AUDIT=required)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest tests/test_tidy.py tests/test_lock.py
	@$(BIN)/python -m tests.advisories $(if $(filter required,$(AUDIT)),--required)

audit-deps: $(STAMP) ## known vulnerabilities of the locked packages; fails when they cannot be asked for
	@$(BIN)/python -m tests.advisories --required

format: $(STAMP) ## put the code into the house style
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

bench: $(STAMP) ## the figures of the README, measured here
	@$(BIN)/python -m benchmarks.run

bench-lists: $(STAMP) ## the same lists over 10 thousand and 10 million rows (LARGE=...)
	@$(BIN)/python -m benchmarks.lists $(if $(LARGE),--large $(LARGE))

bench-http: $(STAMP) ## requests a second, latencies and overload over HTTP, 100 clients (SECONDS=...)
	@$(BIN)/python -m benchmarks.http_load $(if $(SECONDS),--seconds $(SECONDS))

bench-start: $(STAMP) ## from the start of serve until it is ready, on a database that runs, and its idle memory
	@$(BIN)/python -m benchmarks.start

bench-batch: $(STAMP) ## where the time of a batch goes, by process and by step, beside the bare loop
	@$(BIN)/python -m benchmarks.batch_costs

bench-telemetry: $(STAMP) ## what metrics and traces cost, beside an engine without them (ROUNDS_TELEMETRY=200)
	@$(BIN)/python -m benchmarks.telemetry_cost --rounds $(ROUNDS_TELEMETRY)

recording: $(STAMP) ## draw docs/demo.svg from a run of the demo
	@$(BIN)/python -m benchmarks.record_demo

lock: $(STAMP) ## pin the newest allowed dependencies (needs uv)
	@uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --extra dev -o requirements.lock pyproject.toml

clean: ## remove what make made here (never the user's database)
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
