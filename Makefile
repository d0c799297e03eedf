# `make study` and `make test` need Python 3.11+ and nothing else of the project.
PYTHON ?= python3
BIN := .venv/bin
# Processes that share the tests: one a core, and no more than help.
TESTERS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))
# Of `make bench`: small takes seconds a part, and its numbers say little.
SIZE ?= full

.PHONY: study test test-slow test-all bench check format docs clean

study: .venv/installed
	$(BIN)/python studies/grid_vs_meta.py --cluster auto --until-decided --margin 0.5 \
		--strategies ce fixed grid meta --seeds 4 --looks 1 2 4 --max-hours 0.15

test: .venv/installed
	$(BIN)/python -m pytest -m "not slow" -n $(TESTERS) --dist loadfile --no-loadscope-reorder

# Clusters that are started and broken: what a change to Ray, storage or resuming has to pass.
test-slow: .venv/installed
	$(BIN)/python -m pytest -m slow -n $(TESTERS) --dist loadfile --no-loadscope-reorder

# One after the other they would start clusters, and run studies, that one session shares.
test-all: .venv/installed
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

# All benchmarks, 25 minutes on 2 cores that do nothing else; PARTS="store study" takes some of them.
bench: .venv/installed
	$(BIN)/python tests/benchmarks/bench.py --size $(SIZE) $(if $(PARTS),--parts $(PARTS))

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/installed
	$(BIN)/sphinx-build -W --keep-going -q docs site

clean:
	rm -rf .venv

# Compiled once here: each of a study's processes would compile what it imports where bytecode may not
# be written later, and takes two to three times as long to start.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]'
	touch $@
