# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both make the environment first (once; it is remade when setup.py or constraints.txt change).

PYTHON ?= python3
BIN := .venv/bin
# The build of PyTorch: the CPU one where your package index has it, else the index's own.
# To choose another, pass pip's options: make demo TORCH_OPTIONS="--index-url ..."
TORCH_OPTIONS ?=

.PHONY: demo test test-slow lint bench clean

demo: .venv/ready
	$(BIN)/python -m vidgen demo --run runs/demo

test: .venv/ready lint
	$(BIN)/python -m pytest -q -n 2 -m "not slow and not gpu"

test-slow: .venv/ready
	$(BIN)/python -m pytest -q -m "slow and not gpu"

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --verbose --no-cache
	$(BIN)/codespell

bench: .venv/ready
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

# torch goes first and alone: torchvision's pin then finds it there and pulls no CUDA packages.
.venv/ready: setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt $(TORCH_OPTIONS) torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv runs/demo
