# Verbs for everyone; the gate (.ci/run) uses the same. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PYTHON312 ?= python3.12
OUTSIDE = build/conformance
PEERS = build/peers

.DEFAULT_GOAL := help
.PHONY: help install check test test-quick test-long torture bench bench-marts bench-api conformance docs demo dagster lock clean

help:  ## Show the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; found " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q finops_pipeline
	@touch $@

install: $(VENV)/.installed  ## Make the virtual environment with pinned dependencies

demo: install  ## Two organisations' bills through the whole pipeline, in Dagster
	$(BIN)/finops demo

test: install  ## The tests of a change, on two cores (at most eight minutes)
	$(BIN)/python -m pytest -m "not long and not torture" -n 3 --dist loadfile --no-loadscope-reorder

test-long: install $(OUTSIDE)/duckdb14/.installed  ## What the gate runs besides: kills, full disks, damage, mutated bills (they often wait, so three at a time)
	$(BIN)/python -m pytest -m "long and not torture" -n 3 --dist loadfile --no-loadscope-reorder

test-quick: install  ## The inner loop: rules, isolation, exact numbers, clear errors (a minute and a half)
	$(BIN)/python -m pytest -m "quick and not torture" -n 2 --dist loadfile --no-loadscope-reorder

torture: install  ## Faults, kills and damaged deliveries with many more seeds (long)
	$(BIN)/python -m pytest -m torture -n 2 --dist loadfile

bench: install $(OUTSIDE)/converter/.installed $(PEERS)/pandas/.installed  ## How fast bills become visible, beside peers (writes 15 GB to build/bench)
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/wide.py

bench-marts: install  ## How fast questions are answered and marts refreshed (20 minutes, 6 GB in build/bench; writes docs/performance.md)
	$(BIN)/python benchmarks/marts.py --write

bench-api: install  ## How fast the API answers (10 minutes, 6 GB in build/bench; writes docs/performance.md)
	$(BIN)/python benchmarks/api.py --write

$(PEERS)/%/.installed: benchmarks/%.txt
	$(PYTHON) -m venv --clear $(PEERS)/$*
	$(PEERS)/$*/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/$*.txt
	@touch $@

$(OUTSIDE)/%/.installed: conformance/%.txt
	@$(PYTHON312) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' || { echo 'The validator and focus_converter need Python 3.12. Try: make $(or $(MAKECMDGOALS),conformance) PYTHON312=/path/to/python3.12'; exit 1; }
	$(PYTHON312) -m venv --clear $(OUTSIDE)/$*
	$(OUTSIDE)/$*/bin/python -m pip install --quiet --disable-pip-version-check -r conformance/$*.txt
	@touch $@

$(OUTSIDE)/duckdb14/.installed: conformance/duckdb14.txt
	$(PYTHON) -m venv --clear $(OUTSIDE)/duckdb14
	$(OUTSIDE)/duckdb14/bin/python -m pip install --quiet --disable-pip-version-check -r conformance/duckdb14.txt
	@touch $@

conformance: install $(OUTSIDE)/validator/.installed $(OUTSIDE)/converter/.installed $(OUTSIDE)/duckdb14/.installed  ## Second opinions: the official FOCUS validator, two other conversions, DuckDB 1.4
	$(BIN)/python -m conformance.run

check: install  ## Lint, format, types, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install  ## Write the generated pages anew (data dictionary, settings)
	$(BIN)/python -m finops_pipeline.cli.pages

dagster: install  ## Dagster's UI for the installation in ./data
	DAGSTER_HOME=$(CURDIR)/dagster_home $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1

lock: install  ## Pin dependencies anew
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --strip-extras --no-emit-index-url --no-emit-find-links --no-header --allow-unsafe --upgrade -o requirements.lock pyproject.toml

clean:  ## Remove the virtual environment and caches (never data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
