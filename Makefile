# Everything a developer does here, each target by itself from a fresh clone. `make` alone explains.
#
# Setting up needs the network once. What was installed is remembered in files named after the
# contents of the lock files, so nothing is fetched again until a lock file changes.

PYTHON ?= python3
# A Python 3.13, for the tests of the production engine. Where there is none they are skipped.
ENGINE_PYTHON := $(or $(ENGINE_PYTHON),$(shell sh tests/engine/find_python))
UPGRADE ?= --upgrade

BIN := .venv/bin
PYTHON_KEY := $(shell { $(PYTHON) -V; cat requirements/dev.txt; } 2>&1 | cksum | cut -d ' ' -f 1)
NODE_KEY := $(shell cksum < package-lock.json | cut -d ' ' -f 1)
PYTHON_READY := .venv/.ready-$(PYTHON_KEY)
NODE_READY := node_modules/.ready-$(NODE_KEY)
INFRA_KEY := $(shell { $(PYTHON) -V; cat requirements/infra.txt; } 2>&1 | cksum | cut -d ' ' -f 1)
INFRA_READY := .venv-infra/.ready-$(INFRA_KEY)
ifdef ENGINE_PYTHON
ENGINE_KEY := $(shell { $(ENGINE_PYTHON) -V; cat requirements/engine.txt; } 2>&1 | cksum | cut -d ' ' -f 1)
ENGINE_READY := .venv-engine/.ready-$(ENGINE_KEY)
PACKAGE_KEY := $(shell { $(ENGINE_PYTHON) -V; cat requirements.txt; } 2>&1 | cksum | cut -d ' ' -f 1)
PACKAGE_READY := .venv-package/.ready-$(PACKAGE_KEY)
endif

# The page for browsers: what builds it, and the build, which is made again when a source changes.
PAGE_TOOLS := ui/node_modules/.ready-$(shell cksum < ui/package-lock.json | cut -d ' ' -f 1)
PAGE_SOURCES := $(sort $(wildcard ui/*.html ui/*.json ui/*.ts ui/scripts/*) $(shell find ui/src -type f))
PAGE := ui/dist/.built-$(shell for name in $(PAGE_SOURCES); do echo "$$name"; cat "$$name"; done | cksum | cut -d ' ' -f 1)

# Three processes keep two processors busy while some of them wait; each has storage of its own.
PARALLEL := --numprocesses=3 --dist=worksteal
TESTS := $(wildcard tests/unit tests/integration)
QUICK := tests/unit $(addprefix tests/integration/core/,http/v2/test_blobs.py test_budget.py auth/test_sign_in.py)

SOURCES := $(wildcard function_app.py functions registry_core slipway_cli devhost bench infra tests)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run cert check test test-quick test-all e2e e2e-large soak page package release bench completion format lock clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(PYTHON_READY) $(NODE_READY) $(PAGE_TOOLS) $(ENGINE_READY) $(INFRA_READY) $(PACKAGE_READY) ## Install what the other targets need (they also do this themselves)

run: $(PYTHON_READY) $(NODE_READY) $(PAGE) ## Serve the registry on http://localhost:7071 (PORT, DATA_DIR, TLS_CERT, ...)
	@exec $(BIN)/python -m devhost

cert: $(PYTHON_READY) ## Make a local CA and a certificate for localhost in .certs/ (NAMES=build.example.com adds names)
	@$(BIN)/python -m devhost.cert

check: $(PYTHON_READY) $(INFRA_READY) $(PAGE_TOOLS) ## Check format, lint, types, layering, and the Bicep templates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/pytest tests/unit/test_layering.py tests/infra
	$(call npm,--prefix ui run --silent lint)
	$(call npm,--prefix ui run --silent check)

test-quick: $(PYTHON_READY) $(NODE_READY) ## Run the unit tests and a few integration tests, in less than a minute
	$(BIN)/pytest $(PARALLEL) -m "not long" $(QUICK)

test: $(PYTHON_READY) $(NODE_READY) $(PAGE_TOOLS) $(ENGINE_READY) ## Run all tests except the long ones, with the engine tests on Python 3.13, in some minutes
	$(BIN)/pytest $(PARALLEL) -m "not long" $(TESTS)
	$(call test_engine,-m "not long")
	$(call npm,--prefix ui run --silent test)

test-all: $(PYTHON_READY) $(NODE_READY) $(PAGE_TOOLS) $(ENGINE_READY) ## Run all tests, with more random examples
	$(BIN)/pytest $(PARALLEL) -m "not alone" --hypothesis-profile=thorough $(TESTS)
	$(BIN)/pytest -m "alone" $(TESTS)
	$(call test_engine)
	$(call npm,--prefix ui run --silent test)

e2e: $(PYTHON_READY) $(NODE_READY) $(PAGE) $(PACKAGE_READY) ## Run the tests with real clients (as root, for their container engine)
	@if [ -f tests/e2e/setup.sh ]; then PYTHON=$(PYTHON) bash tests/e2e/setup.sh; fi
	@if [ -d tests/e2e ]; then $(BIN)/pytest tests/e2e -v -s; else echo "tests/e2e does not exist."; fi

e2e-large: $(PYTHON_READY) $(NODE_READY) ## Push a layer of 3 GiB through the relay with every client (LAYER=3072 MiB; an hour or more, 20 GB of disk, as root)
	@PYTHON=$(PYTHON) bash tests/e2e/setup.sh
	LARGE_LAYER_MIB=$(or $(LAYER),3072) E2E_TIMEOUT=7200 $(BIN)/pytest tests/e2e/test_relay.py -v -s --durations=0

soak: $(PYTHON_READY) $(NODE_READY) ## Have real clients push, pull and delete beside collection, on storage that fails (SOAK_MINUTES=3, as root)
	@$(BIN)/python -m tests.soak

# $(call test_engine,OPTIONS): the tests of the production engine.
ifdef ENGINE_PYTHON
test_engine = .venv-engine/bin/pytest $(1) tests/engine
else
define test_engine
@echo "SKIPPED the tests of the production engine (tests/engine): they need a Python 3.13 that can make"
@echo "virtual environments. Install one, or name it: make $@ ENGINE_PYTHON=/path/to/python3.13"
endef
endif

page: $(PAGE) ## Build the page for browsers into ui/dist, as run, package and e2e do by themselves

package: $(PAGE) ## Write dist/slipway-<version>.zip, which `az functionapp deployment source config-zip` deploys
	@$(PYTHON) infra/package.py --with-page

release: ## Commit and tag a version (VERSION=0.1.0), then begin the next; it publishes nothing
	@$(PYTHON) infra/release.py $(VERSION)

bench: $(PYTHON_READY) $(NODE_READY) $(ENGINE_READY) ## Measure beside CNCF distribution, in half an hour (BENCH=--quick: minutes), or BENCH=cpu, upload, coldstart, listings, collection, verify, relay
	@$(BIN)/python -m bench $(BENCH)

completion: $(PYTHON_READY) ## Make the files by which shells complete the command line, after its commands have changed
	@$(BIN)/python infra/completions.py

format: $(PYTHON_READY) $(PAGE_TOOLS) ## Rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(call npm,--prefix ui run --silent format)

lock: $(PYTHON_READY) $(NODE_READY) ## Lock the newest versions that the requirements allow (UPGRADE= changes only what is needed)
	@set -e; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(BIN)/python -m venv "$$tools"; "$$tools/bin/pip" install --quiet uv; \
	compile() { "$$tools/bin/uv" pip compile --generate-hashes $(UPGRADE) --quiet --custom-compile-command "make lock" "$$@"; }; \
	for name in dev node infra azure-cli; do \
		compile --universal --python-version 3.11 --output-file requirements/$$name.txt requirements/$$name.in; \
	done; \
	compile --universal --python-version 3.11 --constraints requirements/dev.txt --output-file requirements/cli.txt requirements/cli.in; \
	compile --python-version 3.13 --python-platform linux --constraints requirements/dev.txt --output-file requirements.txt requirements/app.in; \
	compile --universal --python-version 3.13 --output-file requirements/engine.txt requirements/engine.in
	for folder in . ui; do \
		$(BIN)/python -m devhost.processes.node --prefix $$folder install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund; \
	done

clean: ## Remove installed and cached files; .data and .certs stay
	rm -rf .venv .venv-azure-cli .venv-engine .venv-infra .venv-package node_modules ui/node_modules ui/dist .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is too old: Python 3.11 or later is needed. Name another: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu, install python3-venv." >&2; exit 1; }
	@now=$$($(PYTHON) -V); was=$$(sed -n 's/^version *= */Python /p' .venv/pyvenv.cfg 2>/dev/null || true); \
	if ! ls .venv/.ready-* >/dev/null 2>&1; then echo "Installing Python packages into .venv; this takes a minute or two"; \
	elif [ "$$was" != "$$now" ]; then echo "Making .venv again: it was made by $$was, and this is $$now"; \
	else echo "Making .venv again: requirements/dev.txt has changed"; fi
	@# The interpreter behind $(PYTHON), which may itself be the one in the .venv about to be replaced.
	@set -e; python=$$($(PYTHON) -c 'import sys; print(sys._base_executable)'); rm -rf .venv; "$$python" -m venv .venv
	@$(call install,.venv,dev)
	@touch $@

# $(call install,VENV,NAME): what requirements/NAME.txt has locked. pip says what it is doing.
install = $(1)/bin/pip install --disable-pip-version-check --require-hashes --requirement requirements/$(2).txt

# $(call install_node,VENV): a Node.js, unless the machine has one that will do.
define install_node
	@if ! $(1)/bin/python -m devhost.processes.node --version > /dev/null 2>&1; then \
		echo "Installing Node.js into $(1)"; \
		$(call install,$(1),node); \
	fi
endef

# $(call npm,ARGUMENTS): npm on the machine's Node.js, or else on the one in .venv. So a machine that
# only packs needs no .venv.
define npm
	@python=$(PYTHON); $(PYTHON) -m devhost.processes.node --version > /dev/null 2>&1 || python=$(BIN)/python; \
	$$python -m devhost.processes.node $(1)
endef

$(PAGE_TOOLS): ui/package-lock.json
	@$(PYTHON) -m devhost.processes.node --version > /dev/null 2>&1 || make --no-print-directory $(NODE_READY)
	@echo "Installing what builds the page into ui/node_modules"
	$(call npm,--prefix ui ci --ignore-scripts --no-audit --no-fund --loglevel=error)
	@touch $@

$(PAGE): $(PAGE_TOOLS)
	@echo "Building the page into ui/dist"
	$(call npm,--prefix ui run --silent build)
	$(call npm,--prefix ui run --silent size)
	@touch $@

$(INFRA_READY): $(PYTHON_READY)
	@echo "Installing Python packages into .venv-infra"
	@set -e; python=$$($(BIN)/python -c 'import sys; print(sys._base_executable)'); "$$python" -m venv --clear .venv-infra
	@$(call install,.venv-infra,infra)
	@touch $@

$(NODE_READY): $(PYTHON_READY)
	$(call install_node,.venv)
	@echo "Installing Azurite into node_modules"
	@$(BIN)/python -m devhost.processes.node ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

ifdef ENGINE_PYTHON
$(ENGINE_READY):
	@echo "Installing Python packages into .venv-engine"
	@$(ENGINE_PYTHON) -m venv --clear .venv-engine
	@$(call install,.venv-engine,engine)
	$(call install_node,.venv-engine)
	@touch $@

# What Azure's remote build makes of the package: an environment with nothing but the worker's
# engine, and beside it what requirements.txt names, where the worker looks for it.
$(PACKAGE_READY):
	@echo "Installing the packages of requirements.txt into .venv-package"
	@$(ENGINE_PYTHON) -m venv --clear .venv-package
	@.venv-package/bin/pip install --disable-pip-version-check azure-functions-runtime
	@.venv-package/bin/pip install --disable-pip-version-check --target .venv-package/site-packages --requirement requirements.txt
	@cp requirements.txt .venv-package/requirements.txt
	@touch $@
endif
