# Two commands for everybody: `make demo` and `make test`. Both set up .venv first, from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-long check bench bench-long screenshots lock clean

setup:
	@$(PYTHON) .ci/bootstrap.py

demo: setup
	@$(BIN)/playhead demo $(ARGS)

# Two processes: most of what a test waits for is a child, a server or a timer.
test: setup
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# Full-size runs (fuzz, kills, soak, millions of rows), benchmarks included; figures go to docs/figures.md by hand.
test-long: setup
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m long $(ARGS)
	@$(MAKE) --no-print-directory bench-long

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Every benchmark at a moderate size, in about four minutes: JSON lines with ratios. They need nothing but the repository;
# what compares with a web page says so when Chromium is missing (apt-get install chromium chromium-driver).
bench: setup
	@for bench in tests/bench/bench_*.py; do $(BIN)/python -m tests.bench.$$(basename $$bench .py) || exit 1; done

# The same at full size: a million runs, ten million rows and steps. Needs 6 GB in the temporary folder.
bench-long: setup
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && set -e && \
	$(BIN)/python -m tests.bench.make_big_db "$$folder/million.sqlite" --runs 1000000 && \
	$(BIN)/python -m tests.bench.bench_startup 40 && \
	$(BIN)/python -m tests.bench.bench_bridge "$$folder/million.sqlite" && \
	$(BIN)/python -m tests.bench.bench_stalls "$$folder/million.sqlite" --steps 51200 && \
	$(BIN)/python -m tests.bench.bench_table 10000000 --naive-rows 1000000 && \
	$(BIN)/python -m tests.bench.bench_timeline 51200 1000000 10000000 --burst && \
	$(BIN)/python -m tests.bench.bench_graph 200 2000 10000 && \
	$(BIN)/python -m tests.bench.bench_payload 1 10 50 && \
	$(BIN)/python -m tests.bench.bench_entity --steps 1000 --rounds 9 && \
	$(BIN)/python -m tests.bench.bench_population --entities 1000000 && \
	$(BIN)/python -m tests.bench.bench_history && \
	$(BIN)/python -m tests.bench.bench_temporal_open --events 51200 --rounds 3 && \
	$(BIN)/python -m tests.bench.bench_temporal_list --runs 100000 && \
	$(BIN)/python -m tests.bench.bench_temporal_gate 500 --rounds 3 && \
	$(BIN)/python -m tests.bench.bench_replay_temporal

screenshots: setup
	@$(BIN)/python -m docs.screenshots && $(BIN)/python -m docs.screenshots_temporal

# Rewrites requirements.lock from pyproject.toml; versions and hashes only, no addresses.
lock: setup
	@.tools/bin/uv pip compile --quiet pyproject.toml --group dev --universal --generate-hashes --no-header \
		--python-version 3.11 -o requirements.lock $(ARGS)

clean:
	rm -rf .venv .tools demo-shots .pytest_cache .mypy_cache .ruff_cache
