# `make help` lists the targets.  Everything CI does is one of them.

PYTHON ?= python3
PORT ?= 8000
VAR ?= var
bin := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test check soak bench pictures format lock install install-test front-end

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile
	@echo "  PORT=$(PORT) and VAR=$(VAR) (where the demo's data lies) can be set; so can PYTHON."

demo: install front-end  ## run the whole portal on this machine; Ctrl-C ends it, the data stays
	@exec $(bin)/python -m portal.demo --port $(PORT) --var "$(VAR)"

demo-reset: install front-end  ## the same, beginning anew: deletes the demo's data first
	@exec $(bin)/python -m portal.demo --port $(PORT) --var "$(VAR)" --afresh

test: install-test front-end  ## everything CI does: style, types, contracts, migrations, locks, tests on real services
	$(bin)/ruff check
	$(bin)/ruff format --check
	deploy/as-tool $(bin)/mypy
	$(bin)/lint-imports
	deploy/as-tool $(bin)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	deploy/lock --check
	mkdir -p var
	$(bin)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --show-capture=no --junit-xml=var/test-results.xml $(ARGS)

check: test  ## the same as test

soak: install-test front-end  ## every fault as often as docs/reliability.md promises, and a long walk over the request machine
	mkdir -p var
	rm -f var/soak.json
	$(bin)/python -m pytest tests/drills tests/stateful tests/api/test_schemathesis.py --soak $(ARGS)

bench: install-test  ## what one issuance costs, and a page with a million certificates (docs/performance.md)
	@exec $(bin)/python -m tests.bench $(ARGS)

pictures: install-test front-end  ## walk through docs/tutorial.md in a demo of its own, and take its pictures anew
	@exec $(bin)/python -m tests.tutorial

format:  ## let ruff put the code into shape
	$(bin)/ruff check --fix
	$(bin)/ruff format

lock:  ## compile pyproject.toml into requirements/; UPGRADE=1 takes newer releases
	@deploy/lock $(if $(UPGRADE),--upgrade)

install:
	@PYTHON="$(PYTHON)" deploy/install-debian deploy/debian-run.txt
	@PYTHON="$(PYTHON)" deploy/install-python base

install-test:
	@PYTHON="$(PYTHON)" deploy/install-debian deploy/debian-run.txt deploy/debian-test.txt
	@PYTHON="$(PYTHON)" deploy/install-python test

front-end:
	@deploy/build-front-end
