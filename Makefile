# Start here: `make run` is the demo, `make test` runs the tests.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RELEASE_VENV := .venv-release
RELEASE_STAMP := $(RELEASE_VENV)/.installed
ROUNDS ?= 50
SEEDS ?= 10000
EXAMPLES ?= 50
ROUNDS_FUZZ ?= 50
ROUNDS_FAILOVER ?= 20
NODE := console/node_modules/.package-lock.json
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url

.PHONY: help run serve test test-long checks-short world chaos failover fuzz lint audit-deps format bench bench-more bench-short \
	package release install-checks bench-lists bench-exports bench-consoles bench-large bench-soak bench-http bench-start bench-batch bench-telemetry \
	docs recording deploy-check manifests lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): pyproject.toml requirements-dev.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed: install it, or set PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; $(PYTHON) is older. Set PYTHON=... to another one."; exit 1; }
	@echo "Installing into $(VENV) (once)..."
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock && \
		{ $(BIN)/python -m pip uninstall --yes -qq --disable-pip-version-check setuptools wheel || true; } && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

run: $(STAMP) ## the demo: database, simulator, 5,000 orders submitted and audited
	@$(BIN)/trade-service demo

serve: $(STAMP) ## the service on 127.0.0.1:8082 with its own PostgreSQL
	@$(BIN)/trade-service serve

test: $(STAMP) ## all tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto

test-long: $(STAMP) ## the longest tests: chaos, fuzzing, a rolling update, an upgrade and backups under load
	@$(BIN)/python -m pytest -m long tests/e2e tests/web tests/chaos

checks-short: ## the short form of every longer check, one after the other: about 5 minutes
	@$(MAKE) --no-print-directory world FIRST=300 SEEDS=2700
	@$(MAKE) --no-print-directory chaos ROUNDS=2
	@$(MAKE) --no-print-directory failover ROUNDS_FAILOVER=2
	@$(MAKE) --no-print-directory fuzz EXAMPLES=2 ROUNDS_FUZZ=3
	@$(MAKE) --no-print-directory bench-short

world: $(STAMP) ## simulate the engine in seeded worlds on virtual time (SEEDS=10000 FIRST=0)
	@$(BIN)/python -m tests.world --seeds $(SEEDS) $(if $(FIRST),--first $(FIRST))

chaos: $(STAMP) ## kill, pause, restart and disconnect real processes, then audit (ROUNDS=50 SEED=...)
	@$(BIN)/python -m tests.chaos --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

failover: $(STAMP) ## promote a synchronous standby under load, then audit (ROUNDS_FAILOVER=20)
	@FAILOVER_ROUNDS=$(ROUNDS_FAILOVER) $(BIN)/python -m pytest tests/chaos/test_failover.py

fuzz: $(STAMP) ## schemathesis against the running service's OpenAPI document (EXAMPLES=50 ROUNDS_FUZZ=50)
	@FUZZ_EXAMPLES=$(EXAMPLES) FUZZ_PHASES=examples,coverage,fuzzing FUZZ_SEEDS=$(ROUNDS_FUZZ) $(BIN)/python -m pytest -m '' tests/web/test_conformance.py

lint: $(STAMP) ## style, types, import contracts, ratchets, known vulnerabilities (AUDIT=required)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest tests/test_tidy.py tests/test_lock.py
	@$(BIN)/python -m tests.advisories $(if $(filter required,$(AUDIT)),--required)

audit-deps: $(STAMP) ## known vulnerabilities of the locked packages; fails if the database is unreachable
	@$(BIN)/python -m tests.advisories --required

format: $(STAMP) ## format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

bench: $(STAMP) ## measure the figures of the README
	@$(BIN)/python -m benchmarks --full --only engine --only memory

bench-more: $(STAMP) ## further questions: callers, replicas, workers, table (ONLY="callers table" PRESET=--full)
	@$(BIN)/python -m benchmarks $(PRESET) $(addprefix --only ,$(or $(ONLY),callers replicas workers table))

bench-lists: $(STAMP) ## measure lists of 10 thousand and 10 million rows (LARGE=...)
	@LARGE=$(LARGE) $(BIN)/python -m benchmarks --full --only lists

bench-exports: $(STAMP) ## measure exports of 10 thousand and 300 thousand rows: rate and memory
	@$(BIN)/python -m benchmarks --full --only exports

bench-consoles: $(STAMP) ## measure what one and ten open consoles cost
	@$(BIN)/python -m benchmarks --full --only consoles

bench-large: $(STAMP) ## measure beside a million and ten million executions (EXECUTIONS=...)
	@EXECUTIONS=$(EXECUTIONS) $(BIN)/python -m benchmarks --full --only large

bench-soak: $(STAMP) ## a quarter of full load for an hour: throughput and bloat (MINUTES=60)
	@MINUTES=$(MINUTES) $(BIN)/python -m benchmarks --full --only soak

bench-http: $(STAMP) ## measure the API under 100 clients, and under overload (SECONDS=...)
	@SECONDS=$(SECONDS) $(BIN)/python -m benchmarks --full --only http --only load

bench-start: $(STAMP) ## measure start-up time and idle memory
	@$(BIN)/python -m benchmarks --only start

bench-batch: $(STAMP) ## measure where the time of a batch goes, by process and by step
	@$(BIN)/python -m benchmarks --only batch

bench-telemetry: $(STAMP) ## measure the cost of metrics and traces (ROUNDS_TELEMETRY=200)
	@ROUNDS=$(ROUNDS_TELEMETRY) $(BIN)/python -m benchmarks --full --only telemetry

bench-short: $(STAMP) ## every benchmark for a moment, as a smoke test
	@folder=$$(mktemp -d) && $(BIN)/python -m benchmarks --quick --output $$folder/short; \
		status=$$?; rm -rf $$folder; exit $$status

$(RELEASE_STAMP): requirements-release.lock
	@echo "Installing the tools of a release into $(RELEASE_VENV) (once)..."
	@$(PYTHON) -m venv $(RELEASE_VENV)
	@$(RELEASE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-release.lock
	@touch $@

package: $(RELEASE_STAMP) ## build wheel, sdist and bill of materials into dist/, and check them
	@$(RELEASE_VENV)/bin/python -m tools.release

release: package docs ## the package, the site, the chart and the image, each checked by its own tool
	@$(BIN)/python -m tools.check_deploy --keep

install-checks: package ## install the wheel with pip, uv and pipx into every Python found, and use it there
	@$(RELEASE_VENV)/bin/python -m tools.install_checks

docs: $(STAMP) $(RELEASE_STAMP) ## build the documentation site into build/site, with strict links
	@$(BIN)/python -m tools.docs_reference
	@$(RELEASE_VENV)/bin/sphinx-build -q -E -W --keep-going -b html -c docs/site . build/site
	@echo "build/site/docs/index.html"

recording: $(STAMP) ## render docs/demo.svg from a run of the demo
	@$(BIN)/python -m tools.record_demo

$(NODE): console/package.json console/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or later with npm is needed to build or test the console."; exit 1; }
	@cd console && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json

.PHONY: console console-test
console: $(STAMP) $(NODE) ## build the console into src/trade_service/web/console, with types from the API (needs Node)
	@$(BIN)/python -m tools.openapi_document | (cd console && npm run --silent types)
	@cd console && npm run --silent format && npm run --silent build -- --logLevel warn

console-test: $(STAMP) $(NODE) ## check and test the console's sources, and compare the committed bundle (needs Node)
	@cd console && npm run --silent check && npm run --silent test
	@$(BIN)/python -m pytest tests/web/test_console.py

.PHONY: console-browser console-large screenshots
console-browser: $(STAMP) $(NODE) ## the console in a real Chromium: each page, each action, each role (needs Node and Chromium)
	@$(BIN)/python -m pytest -m long tests/browser

console-large: $(STAMP) $(NODE) ## the console beside a million executions (needs Node and Chromium)
	@$(BIN)/python -m tests.browser large

screenshots: $(STAMP) $(NODE) ## take the pictures of docs/images from a real run (needs Node and Chromium)
	@$(BIN)/python -m tests.browser screenshots

deploy-check: $(STAMP) ## check deploy/ with the tools of each format; build the image and send a batch from it
	@$(BIN)/python -m tools.check_deploy

manifests: ## write deploy/kubernetes from the chart (needs helm)
	@helm template trade-service deploy/helm/trade-service --kube-version 1.31 >deploy/kubernetes/trade-service.yaml

lock: ## pin the newest allowed dependencies: for production, development and releases (needs uv)
	@$(LOCK) --upgrade -o requirements.lock pyproject.toml
	@$(LOCK) --upgrade --all-extras -c requirements.lock -o requirements-dev.lock pyproject.toml
	@$(LOCK) --upgrade --group pyproject.toml:release -o requirements-release.lock

clean: ## remove what make created here (never a database)
	@rm -rf $(VENV) $(RELEASE_VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
