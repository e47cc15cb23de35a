# What there is to do here; the README, CONTRIBUTING and .ci/run call these and nothing else.
#
#   make demo     two data sets, two networks, two forecasts, in about a minute
#   make up       the service on http://127.0.0.1:8000; OPTIONS="--port 8123" passes options on
#   make test     the tests
#   make check    format, lint, layers, types, tests with coverage on all cores, and those that measure time alone after them
#   make chaos    jobs under kill -9, dead servers and full disks, on SQLite and PostgreSQL; prints a table
#   make screenshots    every page of the dashboard, light, dark and narrow, into docs/images; needs chromium
#   make fix      format, and what the linter can mend by itself
#   make bench    every benchmark of our own; bench-NAME runs bench/NAME.py alone
#   make bench-peers    the service beside other libraries, which it installs into .venv-peers
#   make clean    removes what was built; the service's home (./var) stays
#
# The first of them makes .venv. PyPI's torch for Linux brings CUDA along (several GB); without a GPU, take the small one:
#   make demo PIP_OPTIONS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= $(firstword $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name"; done))
PIP_OPTIONS ?=
OPTIONS ?=
BIN := .venv/bin

.DELETE_ON_ERROR:
.PHONY: demo up test check chaos screenshots fix bench clean

demo: .venv/.installed
	$(BIN)/braidcast demo $(OPTIONS)

up: .venv/.installed
	@exec $(BIN)/braidcast up $(OPTIONS)

test: .venv/.installed-dev
	$(BIN)/pytest $(OPTIONS)

check: .venv/.installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest -m "not chaos and not alone" --cov --cov-report= --cov-fail-under=0 --numprocesses logical --dist loadfile $(OPTIONS)
	$(BIN)/pytest tests/browser -m "alone and not chaos" --cov --cov-append --cov-report=term $(OPTIONS)

chaos: .venv/.installed-dev
	$(BIN)/pytest tests/chaos -m "chaos or not chaos" $(OPTIONS)

screenshots: .venv/.installed-dev
	$(BIN)/python -m tests.browser.screenshots docs/images

fix: .venv/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(patsubst bench/%.py,bench-%,$(filter-out %/__init__.py %/service.py %/load.py %/plain.py %/plots.py %/shifted.py %/environment.py %/pinned.py,$(wildcard bench/*.py)))

bench-%: .venv/.installed-dev
	$(BIN)/python -m bench.$* $(OPTIONS)

clean:
	rm -rf .venv .venv-peers .venv-servers build dist *.egg-info .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "Braidcast needs Python 3.11 or newer as python3; or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

.venv/.installed: pyproject.toml | .venv/bin/pip
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --editable .
	touch $@

.venv/.installed-dev: pyproject.toml .venv/.installed
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --group dev
	touch $@
