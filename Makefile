# make demo | test | slow | clean. PYTHON chooses the interpreter, VENV the environment's folder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.rpganify-installed
PLUGINS := $(wildcard plugins/*/pyproject.toml)
DEMO := runs/demo
export MPLBACKEND := agg

.PHONY: demo test slow clean environment

environment: $(INSTALLED)

# The plugins are built by the environment's own hatchling: one for each of them would take longer than all the rest.
$(INSTALLED): pyproject.toml $(PLUGINS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		$(foreach plugin,$(PLUGINS),-e ./$(dir $(plugin)))
	touch $@

demo: environment
	rm -rf $(DEMO)
	$(BIN)/rpganify inspect examples/my_gan.py
	$(BIN)/rpganify convert examples/my_gan.py --buckets 5 --blocks 10 -o $(DEMO)/my_gan.rpgan
	$(BIN)/rpganify train $(DEMO)/my_gan.rpgan --data digits --loss hinge --steps 500 --lr 1e-3 -o $(DEMO)/run
	$(BIN)/rpganify sample $(DEMO)/run -n 64 -o $(DEMO)/grid.png
	$(BIN)/rpganify sample $(DEMO)/run --path 3-7-0-2-5 --vary 1 -o $(DEMO)/bucket1.png
	$(BIN)/rpganify analyze $(DEMO)/run --data digits --within 1 -o $(DEMO)/report
	@echo
	@echo "Made in $(DEMO):"
	@find $(DEMO) -maxdepth 1 -name '*.png' | sort | sed 's/^/  /'
	@echo "  $(DEMO)/report/index.html"
	@echo "To try it out: $(BIN)/rpganify explore $(DEMO)/run"

test: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2

slow: environment
	$(BIN)/python -m pytest -n 2 -m slow

clean:
	rm -rf $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
