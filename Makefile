# The commands of the house. Each target is a few lines; what it needs is made by the targets before it,
# once: the stamps in build/ say what is already there.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
BIN    := .venv/bin
# Into this .venv and no other, whatever environment make is called from.
UV     := $(BIN)/uv
CMAKE  := $(BIN)/cmake
UV_PIP := $(UV) pip install -q --python $(BIN)/python
unexport VIRTUAL_ENV CONDA_PREFIX UV_SYSTEM_PYTHON UV_PROJECT_ENVIRONMENT PYTHONHOME PYTHONPATH

# A stamp lies in what it stands for, so that it goes with it; an interpreter that is gone takes all of .venv along.
STAMP  := .venv/stamp
$(shell test ! -e .venv || $(BIN)/python -c '' 2>/dev/null || rm -rf .venv)

# Byte code, of pytest's rewritten tests above all, is what lets a second run start at once; it is kept out of the tree.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

# One more than there are processors: tests that start programs wait for them.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))

TOY     := tests/plugins/hetero-toy
SANITIZED := build/sanitize-address build/sanitize-thread
NATIVE  := $(shell find native -type f -not -name '*.pyc' 2>/dev/null)
BENCHES := bench-agent bench-dashboard bench-native bench-placement bench-prestart bench-slices
VENDORS := $(patsubst %/pyproject.toml,%,$(wildcard vendors/*/pyproject.toml))
PACKAGE := pyproject.toml $(VENDORS:=/pyproject.toml)

.PHONY: help build portable images test test-journeys test-native test-cluster cluster-up cluster-down test-gpu lint demo demo-cluster demo-dashboard bench $(BENCHES) lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 17

build: build/native/stamp $(STAMP)/packages build/plugins/stamp ## set up .venv and build/native

portable: build/portable/stamp ## build libvgpu.so for glibc 2.17 and newer, x86_64 and aarch64

images: build portable ## write the images of the agent and the scheduler into build/images, without a container engine
	@$(BIN)/python -m tests.cluster.images build/images

test: build portable ## run the tests (no GPU, no cluster, no root), but for the longest
	@$(BIN)/python -m pytest -n $(WORKERS) -q -m "not journey"

test-journeys: build portable ## the longest of them: pages followed word for word, drivers that hang, demonstrations
	@$(BIN)/python -m pytest -n $(WORKERS) -q -m journey

test-native: build $(SANITIZED:=/stamp) ## run the C tests of the native runtime, with sanitizers too, and of the simulated drivers
	@for made in build/native $(SANITIZED); do $(BIN)/ctest --test-dir $$made --output-on-failure -j2; done

test-cluster: build portable ## scenarios on a real Kubernetes, in namespaces of its own; built once with Go, or from HETERO_KUBE_BIN
	@$(BIN)/python -m tests.cluster

cluster-up: build portable ## the same Kubernetes with simulated chips, left running for kubectl and helm; MACHINES="a.yaml b.yaml"
	@$(BIN)/python -m tests.cluster.up $(MACHINES)

cluster-down: $(STAMP)/packages ## end it, and remove every trace
	@$(BIN)/python -m tests.cluster.down

.PHONY: test-web screenshots
test-web: build ## the dashboard's pages in a headless Chromium, in front of a cluster in memory
	@$(BIN)/python -m tests.browser

screenshots: build ## draw the pictures in docs/images anew, of a simulated cluster
	@$(BIN)/python -m tests.browser.screenshots

test-gpu: build ## tests and figures on a real card, with a page in docs/measurements; skipped where there is none
	@PATH="$(CURDIR)/$(BIN):$(CURDIR)/build/native/bin:$$PATH" $(BIN)/python -m tests.gpu

lint: $(STAMP)/packages ## ruff, mypy --strict, import-linter layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy hetero vendors/*/hetero_*
	@$(BIN)/lint-imports

demo: build ## one slice, end to end, with real calls
	@$(BIN)/python examples/demo.py

demo-dashboard: build ## the dashboard of a simulated cluster of mixed chips on which pods come and go; HETERO_DEMO_SECONDS=N ends it
	@$(BIN)/python examples/dashboard_demo.py

demo-cluster: build ## the scheduler on a simulated cluster of mixed chips
	@$(BIN)/python examples/cluster_demo.py

bench: build ## print all figures and write build/bench/<name>.json
	@$(BIN)/python -m tests.bench

bench-agent: ## what the agent of a node takes, idle and at work
bench-dashboard: ## what it costs to see it all: scrapes of metrics, the dashboard
bench-native: ## those of the native runtime: what gets round it, what it costs, how it shares
bench-placement: ## those of the planner and the scheduler; PEER_URL=... measures another extender beside it
bench-prestart: ## how long a container waits for its slice, alone and in a burst
bench-slices: ## what driver calls cost in a slice; on a card, where there is one
$(BENCHES): bench-%: build
	@$(BIN)/python -m tests.bench $*

.PHONY: chart-readme
chart-readme: $(STAMP)/packages ## write charts/hetero/README.md from the comments of its values
	@$(BIN)/python -m tests.chart.readme

.PHONY: metrics-doc
metrics-doc: $(STAMP)/packages ## write the tables of docs/reference/metrics.md from the declarations
	@$(BIN)/python -m tests.house.metrics_page

lock: $(STAMP)/uv ## choose new versions of all dependencies
	@$(UV) pip compile pyproject.toml --extra cli --extra scheduler --extra agent --extra install --extra web --group test --group lint --group build --group vendors \
	    --no-emit-package hetero $(LOCK_OPTIONS) -o requirements/all.lock -q --upgrade
	@$(UV) pip compile requirements/bootstrap.in $(LOCK_OPTIONS) -o requirements/bootstrap.lock -q --upgrade

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
    --custom-compile-command "make lock"

clean: ## remove everything that make made
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# --- set-up, each step once -------------------------------------------------------------------------------

$(STAMP)/uv: requirements/bootstrap.lock
	@echo "setting up .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "hetero needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --clear .venv \
	    || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/dependencies: requirements/all.lock $(STAMP)/uv
	@echo "installing dependencies"
	@$(UV_PIP) --require-hashes -r requirements/all.lock
	@touch $@

$(STAMP)/packages: $(PACKAGE) $(STAMP)/dependencies
	@echo "installing hetero and its vendors"
	@$(UV_PIP) --no-deps --no-build-isolation --no-sources -e . $(addprefix -e ,$(VENDORS))
	@touch $@

# A third party's vendor, beside the others but not among them: whoever wants it puts build/plugins on PYTHONPATH.
build/plugins/stamp: $(shell find $(TOY) -type f -not -name '*.pyc' 2>/dev/null) $(STAMP)/packages
	@echo "installing a third party's vendor"
	@$(UV_PIP) --no-deps --no-build-isolation --reinstall --target build/plugins $(TOY)
	@touch $@

build/native/stamp: $(NATIVE) $(STAMP)/dependencies
	@echo "building native"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(UV_PIP) --no-deps --no-build-isolation --reinstall-package hetero-native ./native
	@touch $@

# The library, and the simulated drivers and programs that its tests on an older C library need.
PORTABLE := vgpu sim_cuda sim_nvml burn cardinfo fill hold race smi test_next
build/portable/stamp: $(NATIVE) $(STAMP)/dependencies
	@echo "building native for older machines"
	@mkdir -p build/portable
	@for arch in x86_64 aarch64; do \
	    $(CMAKE) -S native -B build/portable/$$arch -G Ninja -DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" \
	        --toolchain cmake/portable.cmake -DHETERO_ARCH=$$arch -DPython3_EXECUTABLE="$(CURDIR)/$(BIN)/python" \
	        -Wno-unused-cli >build/portable/$$arch.log && \
	    $(CMAKE) --build build/portable/$$arch --target $(PORTABLE) -- --quiet || exit 1; \
	done
	@touch $@

build/sanitize-%/stamp: $(NATIVE) $(STAMP)/dependencies
	@echo "building the native runtime's tests with -fsanitize=$*"
	@mkdir -p $(@D)
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; cmake -S native -B $(@D) -G Ninja -DHETERO_SANITIZE=$* >$(@D)/log \
	    && cmake --build $(@D) >>$(@D)/log || { cat $(@D)/log; exit 1; }
	@touch $@
