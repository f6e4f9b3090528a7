# POSIX make and sh only. `make` alone lists what there is.
.POSIX:

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
# The extras that the checks install; `make test EXTRAS=dev,torch` adds the PyTorch oracle.
EXTRAS = dev
# Branch coverage below this fails `make test`.
COVERAGE = 97
# A benchmark's name for `make bench`, and what is said to it: make bench BENCH=engine ARGS=--quick
BENCH =
ARGS =
# Where programs of other projects live that the tests use: inference clients, and judges of manifests.
CLIENTS = build/clients

PIP = PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet
WHEEL = build/wheel
FUSED = build/fused
UV = $(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
	--no-emit-index-url --no-header

help:
	@echo 'make run     set up and start the service on http://127.0.0.1:8000'
	@echo 'make test    set up and run every check on the built wheel (EXTRAS=dev,torch adds the PyTorch oracle)'
	@echo 'make lint    the checks that start nothing: ruff, mypy, import-linter'
	@echo 'make clients install the programs of others that the tests talk to (part of make test)'
	@echo 'make chain   build the image, run it, and watch Prometheus tell which slice of the sample week is spoilt'
	@echo 'make soak    inflict every fault on the service for an hour and print the figures'
	@echo 'make bench   list the benchmarks; make bench BENCH=name runs one'
	@echo 'make lock    renew requirements.lock and deploy/build.lock'
	@echo 'make sbom    write what the lock installs to build/sbom.cdx.json (CycloneDX)'
	@echo 'make audit   look the locked packages up in a database of known weaknesses'
	@echo 'make clean   remove what the others made'

run: $(VENV)/lossmeter
	@exec $(BIN)/lossmeter serve

test: lint clients $(FUSED)/installed
	$(BIN)/coverage erase
	@# The 60-digit oracles are slow and touch nothing new: they run beside the others, on another core, unmeasured,
	@# and so do the laws of the losses with the compiled loops, which the other tests do without.
	@mkdir -p build; \
	{ $(BIN)/python -m pytest -q tests/engine/accuracy && \
	  PYTHONPATH=$(FUSED) $(BIN)/python -m pytest -q tests/engine/test_fused.py tests/engine/state tests/engine/losses \
		tests/engine/accuracy/test_hard_target_bounds.py tests/engine/accuracy/test_shared_target_bounds.py; \
	} >build/accuracy.txt 2>&1 & oracles=$$!; \
	$(BIN)/coverage run -m pytest --ignore=tests/engine/accuracy; others=$$?; \
	wait $$oracles; exact=$$?; cat build/accuracy.txt; exit $$((others | exact))
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=$(COVERAGE)

chain: $(VENV)/extras-$(EXTRAS)
	PYTHON=$(BIN)/python deploy/chain $(IMAGE)

soak: lint clients
	$(BIN)/python -m pytest tests/resilience -m 'long or not long'

lint: $(VENV)/extras-$(EXTRAS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Each in an environment of its own: their requirements clash with ours and with one another's. uv takes seconds where
# pip takes minutes; pip knows the indexes of pip.conf.
clients: $(BIN)/python
	@$(PIP) install uv && \
	for wanted in tests/*/clients/requirements-*.txt; do \
		name=$$(basename "$$wanted" .txt) && env=$(CLIENTS)/$${name#requirements-} && \
		if ! cmp -s "$$wanted" "$$env/installed.txt"; then \
			$(BIN)/uv venv --quiet --clear --python $(BIN)/python "$$env" && \
			{ $(BIN)/uv pip install --quiet --python "$$env/bin/python" -r "$$wanted" || \
				$(PIP) --python "$$env/bin/python" install -r "$$wanted"; } && \
			cp "$$wanted" "$$env/installed.txt" || exit 1; \
		fi; \
	done
	@if ! command -v npm >/dev/null; then \
		echo 'npm is not installed: nobody reads compose.yaml with dclint'; \
	elif ! cmp -s tests/deploy/clients/package.json $(CLIENTS)/dclint/installed.json; then \
		mkdir -p $(CLIENTS)/dclint && cp tests/deploy/clients/package.json $(CLIENTS)/dclint && \
		npm install --prefix $(CLIENTS)/dclint --no-audit --no-fund --no-package-lock --loglevel=error && \
		cp tests/deploy/clients/package.json $(CLIENTS)/dclint/installed.json; \
	fi

bench: $(VENV)/extras-$(EXTRAS)
	@if [ -n '$(BENCH)' ]; then exec $(BIN)/python benchmarks/$(BENCH).py $(ARGS); fi; \
	for file in benchmarks/*.py; do \
		printf '%-24s %s\n' "$$(basename "$$file" .py)" "$$(sed -n '1s/^"""//p' "$$file")"; \
	done

lock: $(BIN)/python
	$(PIP) install uv
	$(UV) --extra jwt --extra otel --extra postgres -o requirements.lock pyproject.toml
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | $(UV) -o deploy/build.lock -

sbom: $(BIN)/python
	@mkdir -p build
	$(BIN)/python deploy/sbom.py requirements.lock >build/sbom.cdx.json

audit: $(VENV)/extras-$(EXTRAS)
	$(BIN)/python deploy/audit.py requirements.lock deploy/build.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find service tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, in the order in which it is built. Each file stands for a step that is done.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'lossmeter needs Python 3.11 or newer: make PYTHON=python3.12 names another' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'this Python has no venv: Debian and Ubuntu have it in the package python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The checks run on the versions that the container ships: the lock first, then what a wheel's extras add.
$(VENV)/locked: requirements.lock $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	@touch $@

# find asks what a list of every source file would: is anything newer than the wheel?
$(WHEEL)/built: $(BIN)/python FORCE
	@if [ ! -f $@ ] || [ -n "$$(find service pyproject.toml README.md LICENSE -newer $@ \
			! -name __pycache__ ! -name '*.pyc' | head -n 1)" ]; then \
		rm -rf $(WHEEL) && echo 'building the wheel' && \
		$(PIP) wheel --no-deps --wheel-dir $(WHEEL) . && touch $@; \
	fi

$(VENV)/lossmeter: $(VENV)/locked $(WHEEL)/built
	$(PIP) install --no-deps --force-reinstall $(WHEEL)/*.whl
	@touch $@

$(VENV)/extras-$(EXTRAS): $(VENV)/lossmeter
	$(PIP) install "$$(echo $(WHEEL)/*.whl)[$(EXTRAS)]"
	@touch $@

# Beside the environment, not in it: most people have no Numba, so most tests must do without.
$(FUSED)/installed: $(BIN)/python
	$(PIP) install --no-deps --upgrade --target $(FUSED) numba llvmlite
	@touch $@

FORCE:

.PHONY: help run test chain soak lint clients bench lock sbom audit clean FORCE
