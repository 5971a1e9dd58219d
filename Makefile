# All tasks of this checkout. `make` lists the targets.
SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

BIN := .venv/bin
READY := .venv/.ready
IMAGE ?= modelarts-nodepool-operator:dev
CONTAINER ?= docker
# The base image; a release names a digest: make image PYTHON_IMAGE=python:3.13-slim@sha256:…
PYTHON_IMAGE ?= python:3.13-slim
# For a package mirror: a pip.conf, and the certificates of its authority. Neither is in the image.
PIP_CONF ?=
PIP_CA ?=
# More flags for the engine's build: make image BUILD_FLAGS="--platform linux/arm64 --network host"
BUILD_FLAGS ?=
# More arguments for demo, test and test-unit: make demo ARGS=--keep
ARGS ?=
# Tests start hundreds of processes; where this is set, each of them compiles the whole package anew.
export PYTHONDONTWRITEBYTECODE :=
# A moved virtual environment is broken: its commands contain the old path.
MOVED := $(shell [ "$$(cat $(READY) 2>/dev/null)" = "$(CURDIR)" ] || echo moved)

.PHONY: help setup demo test test-unit storm bench soak tools check check-code check-deploy generate format lock transcript image clean moved

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv/ with the command modelarts-nodepool and the development tools
	@echo "Ready: $(BIN)/modelarts-nodepool"

$(READY): requirements/dev.txt pyproject.toml lab/pyproject.toml $(MOVED)
	@set -euo pipefail; \
	chosen=""; seen=""; \
	for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  version=$$("$$python" --version 2>/dev/null) || continue; \
	  seen="$$seen $$version;"; \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    && "$$python" -c 'import ensurepip, venv' 2>/dev/null; then chosen=$$python; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	  echo "Python 3.11 or newer with its venv module is needed.$${seen:+ Found:$$seen}" >&2; \
	  echo "Install it (Debian, Ubuntu: apt install python3 python3-venv), or: make setup PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	if ! "$(BIN)/python" -c 'import pip' 2>/dev/null || [ "$(MOVED)" = moved -a -e $(READY) ]; then \
	  echo "Making .venv with $$version"; \
	  "$$chosen" -m venv --clear .venv; \
	fi; \
	pip="$(BIN)/python -m pip --disable-pip-version-check --no-input"; \
	echo "Installing $$(grep -c '==' $<) packages pinned by hash"; \
	live=""; if [ -t 1 ]; then live=1; fi; \
	$$pip install --progress-bar off --no-deps --require-hashes -r $< \
	  | awk -v total="$$(grep -c '==' $<)" -v live="$$live" ' \
	  /^(Collecting|Requirement already satisfied)/ { n++; split($$0, word, /[ =]+/); name = $$0 ~ /^C/ ? word[2] : word[4]; \
	    if (live) printf "\r\033[K  %d of at most %d: %s", n, total, name; \
	    else if (n % 10 == 0) print "  " n " of at most " total } \
	  /^Installing collected/ { printf live ? "\r\033[K  unpacking" : "  unpacking\n" } \
	  { fflush() } END { if (live) printf "\r\033[K" }'; \
	$$pip install -q --no-deps --no-build-isolation -e . -e lab; \
	$$pip check > /dev/null || { $$pip check; exit 1; }; \
	echo "$(CURDIR)" > $(READY)

demo: $(READY) ## Show all features on this machine; leaves nothing behind
	@$(BIN)/modelarts-nodepool demo $(ARGS)

# Tests that compute have a worker for each core. Most of the others wait, so they have more; each worker of theirs has a
# control plane and keeps its files. Both parts run to their ends. ARGS with a path runs that path alone, in one part.
WORKERS ?= 6
COMPUTE := tests/unit tests/contract -n auto --dist worksteal
WAIT := tests/integration -n $(WORKERS) --dist loadfile --no-loadscope-reorder
ONE_PART := $(if $(filter tests%,$(ARGS)),-n $(WORKERS) --dist loadfile --no-loadscope-reorder)
test: tools ## Run all tests, side by side, on real control planes (one at a time: make test ARGS=-n0)
	@trap 'exit 130' INT; \
	part() { echo "== $$*"; $(BIN)/pytest "$$@" --durations=15 $(ARGS) && code=0 || code=$$?; \
	  case $$code in 0) ran=yes ;; 5) ;; *) ran=yes; failed=$$code ;; esac; }; \
	$(if $(ONE_PART),part $(ONE_PART),part $(COMPUTE); part $(WAIT)); \
	[ "$$ran" ] || exit 5; exit $${failed:-0}

tools: $(READY) ## Get the control plane's binaries, helm and Prometheus into the cache
	@echo "Checking the control plane's binaries"
	@$(BIN)/python -m lab.controlplane binaries
	@echo "Checking helm and Prometheus"
	@$(BIN)/python -m lab.toolbox

test-unit: $(READY) ## Run the tests without sockets and control plane
	$(BIN)/pytest tests/unit -n auto --dist worksteal $(ARGS)

storm: $(READY) ## Delete node pools under a seeded storm of faults: make storm SEED=7 MINUTES=5
	@$(BIN)/python -m lab.storm $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

bench: $(READY) ## Measure time, writes, calls, CPU and memory: make bench SIZES=100,1000 (RECORD=1: commit them)
	@$(BIN)/python -m lab.bench run $(if $(SIZES),--sizes $(SIZES)) $(if $(POLL),--poll $(POLL)) $(if $(RECORD),--record)

soak: $(READY) ## Churn with faults and check that nothing grows: make soak MINUTES=30
	@$(BIN)/python -m lab.bench soak $(if $(MINUTES),--minutes $(MINUTES))

check: check-code check-deploy ## Check the code and the shipped files
	@echo "All checks passed."

check-code: generate ## Generate, lint, check types and layers; fail on uncommitted differences
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@changed=$$(git status --porcelain) || { echo "Not a git checkout: cannot compare files."; exit 1; }; \
	if [ -n "$$changed" ]; then \
	  echo "These files differ from the commit:"; echo "$$changed"; \
	  echo "Commit them. The first line marks generated files: commit these unchanged, never edit them."; \
	  exit 1; \
	fi

SHIPPED := $(addprefix tests/integration/,test_samples.py deploy/test_chart.py deploy/test_chart_values.py \
  deploy/test_kustomize.py deploy/test_monitoring.py deploy/test_install.py::test_the_api_server_takes_every_object_strictly_and_without_a_warning)

check-deploy: tools ## Lint the chart, test the alerts with promtool and every manifest on a real API server
	$(BIN)/pytest -q $(SHIPPED)

generate: $(READY) ## Write the generated files: crds/, docs/spec/, copies in deploy/
	$(BIN)/python -m tools.generate

format: $(READY) ## Format the code and apply safe fixes
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate

lock: ## Pin the requirements again from both pyproject.toml (needs uv)
	@command -v uv > /dev/null || { echo "uv is needed: https://docs.astral.sh/uv/" >&2; exit 1; }
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) pyproject.toml lab/pyproject.toml --group dev --no-emit-package modelarts-nodepool-operator -o requirements/dev.txt
	$(LOCK) --group build -o requirements/build.txt

transcript: $(READY) ## Run the demo and record it as docs/demo.svg
	$(BIN)/modelarts-nodepool demo --record docs/demo.svg

comma := ,
image: ## Build the operator's container image (docs/image.md: mirrors, private authorities)
	@for file in $(PIP_CONF) $(PIP_CA); do [ -s "$$file" ] || { echo "No such file, or it is empty: $$file" >&2; exit 1; }; done
	$(CONTAINER) build -t $(IMAGE) --build-arg PYTHON=$(PYTHON_IMAGE) \
	  --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
	  --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) \
	  $(if $(PIP_CONF),--secret id=pip-conf$(comma)src=$(PIP_CONF)) $(if $(PIP_CA),--secret id=pip-ca$(comma)src=$(PIP_CA)) $(BUILD_FLAGS) .

clean: ## Remove .venv/ and caches of tools; the cache of control plane binaries stays
	rm -rf .venv build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find operator lab tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
