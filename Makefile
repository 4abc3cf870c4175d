# Every entry point of the project; `make help` lists them. Set-up is part of the targets: host
# tools go into .venv, MicroPython into .micropython, foreign libraries for node.js, to test and
# compare with, into .peers. Nothing is installed system-wide.

PYTHON ?= python3
ARGS ?=
# So many files of tests at a time: most of them wait. 0 is one process, as --pdb needs it.
JOBS ?= 3

VENV := .venv
PY := PYTHONPATH="$(CURDIR)" $(VENV)/bin/python
VENV_READY := $(VENV)/.stamp
MICROPYTHON_READY := .micropython/.stamp
PEERS_READY := .peers/.stamp
READY := $(VENV_READY) $(MICROPYTHON_READY)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run demo line test test-quick conformance fuzz lint format tables \
	check-tables check check-recording docs romfs deploy firmware flash sizes decode bench clean \
	distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(READY) $(PEERS_READY) ## fetch host tools, MicroPython (64- and 32-bit), foreign peers
	@echo "set up: $(VENV), .micropython and .peers"

run: $(READY) ## simulated charger with its console here; ARGS="--help" lists the options
	@$(PY) tools/simulate.py $(ARGS)

demo: $(READY) ## charger and energy manager, end to end; SCENARIO=name, ARGS=--list, plots in build
	@$(PY) -m tools.demo $(if $(SCENARIO),--scenario $(SCENARIO)) $(ARGS)

line: $(READY) ## simulated boards through the production line, paired by label; ARGS="--boards N"
	@$(PY) -m tools.line.rehearsal $(ARGS)

test: $(READY) $(PEERS_READY) ## everything CI checks: lint, tables, all tests; JOBS=0 for --pdb
	@$(MAKE) --no-print-directory lint check-tables
	@echo "== tests"
	@$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-quick: $(VENV_READY) ## unit tests on CPython only
	@$(PY) -m pytest -q host_tests/unit $(ARGS)

conformance: $(READY) ## run the official test cases; report in build/conformance.md and .json
	@$(PY) -m host_tests.conformance $(ARGS)

fuzz: $(VENV_READY) ## a million broken SPINE datagrams; ARGS="--tries N --seed N --jobs N"
	@$(PY) -m host_tests.fuzz_spine $(ARGS)

lint: $(VENV_READY) ## style, likely mistakes and format of the Python files
	@echo "== lint"
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check . || { echo "run: make format" >&2; exit 1; }
	@echo "lint: clean"

format: $(VENV_READY) ## rewrite the Python files in the project's format
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format .

tables: $(VENV_READY) ## generate the protocol tables anew
	@$(PY) -m tools.spine_tables $(ARGS)
	@$(PY) -m tools.echonet_tables

check: $(VENV_READY) ## check a board without hardware; BOARD=name, all without; ARGS=--json
	@$(PY) -m tools.check_board $(BOARD) $(ARGS)

check-recording: $(VENV_READY) ## check recorded SPINE traffic; ARGS="FILE ...", any log or folder
	@$(PY) -m tools.recordings $(ARGS)

check-tables: $(VENV_READY) ## prove that the generated tables are current
	@echo "== tables"
	@$(PY) -m tools.spine_tables --check
	@$(PY) -m tools.echonet_tables --check
	@echo "tables: current"

docs: $(VENV_READY) ## reference of the SPINE functions we serve: build/spine_functions.md
	@$(PY) -m tools.spine_docs $(ARGS)

romfs: $(READY) ## compile the firmware and pack build/pilotwire.romfs
	@$(PY) -m tools.romfs $(ARGS)

deploy: $(VENV_READY) ## onto stock MicroPython: PORT=/dev/ttyUSB0 BOARD=name ARGS=--dry-run
	@$(PY) -m tools.deploy $(if $(PORT),--port $(PORT)) $(if $(BOARD),--board $(BOARD)) $(ARGS)

firmware: $(VENV_READY) ## frozen image, two slots: BOARD=name MICROPYTHON=tree; needs ESP-IDF
	@$(PY) -m tools.firmware $(if $(BOARD),--board $(BOARD)) \
	  $(if $(MICROPYTHON),--micropython $(MICROPYTHON)) $(ARGS)

flash: $(VENV_READY) ## write an image with esptool: PORT=/dev/ttyUSB0 IMAGE=file.bin BOARD=name
	@$(PY) -m tools.flash $(if $(PORT),--port $(PORT)) $(if $(IMAGE),--image $(IMAGE)) \
	  $(if $(BOARD),--board $(BOARD)) $(ARGS)

sizes: $(VENV_READY) ## bytes of compiled code and tables for each package
	@$(PY) -m tools.romfs --sizes $(ARGS)

decode: $(VENV_READY) ## names and lines of the sources in a log of an image; ARGS=console.log
	@$(PY) -m tools.decode_traceback $(ARGS)

bench: $(READY) $(PEERS_READY) ## measure times, heap and sizes; figures go to build/bench.json
	@$(PY) -m host_tests.bench $(ARGS)

clean: ## remove what was built
	rm -rf build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove the set-up too
	rm -rf .venv .micropython .peers

$(VENV_READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python >= 3.11 is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments." \
	    "On Debian: apt install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) ..."
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python -c 'import tomllib; \
	  groups = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]; \
	  print("\n".join(groups["host"]))' > $(VENV)/host.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/host.txt
	@printf '#!%s\nimport sys\n\nsys.path[0] = "%s"\nfrom tools.cli import main\n\nsys.exit(main())\n' \
	  "$(CURDIR)/$(VENV)/bin/python" "$(CURDIR)" > $(VENV)/bin/pilotwire
	@chmod +x $(VENV)/bin/pilotwire
	@touch $@

$(MICROPYTHON_READY): tools/micropython.py
	@$(PYTHON) tools/micropython.py setup
	@touch $@

# No scripts: a driver for serial ports would be built, which nobody needs here. What is missing
# is said here and by the tests that are skipped; all others run.
$(PEERS_READY): host_tests/e2e/echonet_peers/package.json
	@mkdir -p .peers && cp $< .peers/
	@if ! command -v npm >/dev/null; then \
	  echo "npm is missing: no tests with its ECHONET Lite libraries." \
	    "On Debian: apt install npm" >&2; \
	elif ! (cd .peers && npm install --silent --ignore-scripts --no-audit --no-fund); then \
	  echo "npm could not fetch its ECHONET Lite libraries: no tests with them." >&2; \
	else touch $@; fi
