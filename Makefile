# Two commands: `make demo` and `make test`. Each sets itself up; a second call installs nothing.
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help venv system demo test lint power bench clean

help:
	@echo "make demo   a made-up cohort from hand-in to mark sheet (about two minutes)"
	@echo "make test   lint and all tests"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make power  do the hidden tests kill every known wrong answer? (the full form)"
	@echo "make bench  all benchmarks; the last line of each is JSON"
	@echo "make venv   set-up alone"

system:
	@sh .ci/system-packages

$(READY): pyproject.toml constraints.txt .ci/create-venv
	@sh .ci/create-venv $(VENV)
	@touch $(READY)

venv: system $(READY)

demo: venv
	@$(BIN)/assessor demo

lint: venv
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config pyproject.toml

# The hostile suite watches processes, files and memory of the whole machine: it has the machine to itself.
test: lint
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope --ignore tests/submissions/test_hostile.py
	@$(BIN)/python -m pytest tests/submissions/test_hostile.py

power: venv
	@$(BIN)/assessor power --all

bench: venv
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) demo-course build .pytest_cache .mypy_cache .ruff_cache .hypothesis
