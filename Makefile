# Two commands for everybody: `make demo` and `make test`. Both set up .venv first, from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-long check bench screenshots lock clean

setup:
	@$(PYTHON) .ci/bootstrap.py

demo: setup
	@$(BIN)/playhead demo $(ARGS)

test: setup
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest $(ARGS)

# Full-size runs (fuzz, kills, soak, millions of rows); figures go to docs/figures.md by hand.
test-long: setup
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m long $(ARGS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup
	@for bench in tests/bench/bench_*.py; do $(BIN)/python -m tests.bench.$$(basename $$bench .py) || exit 1; done

screenshots: setup
	@$(BIN)/python -m docs.screenshots

# Rewrites requirements.lock from pyproject.toml; versions and hashes only, no addresses.
lock: setup
	@.tools/bin/uv pip compile --quiet pyproject.toml --group dev --universal --generate-hashes --no-header \
		--python-version 3.11 -o requirements.lock $(ARGS)

clean:
	rm -rf .venv .tools demo-shots .pytest_cache .mypy_cache .ruff_cache
