# Two commands matter: `make demo` and `make test`. Both do all the set-up there is to do.
.PHONY: demo test setup lint types

demo: setup
	.venv/bin/dub demo

test: setup lint types
	@infra/bootstrap.sh --tests
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

setup:
	@infra/bootstrap.sh

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

types: setup
	.venv/bin/pyright
