# `make demo` and `make test` each work alone from a clean clone: they need Python 3.11 or newer, and make.
PYTHON ?= $(shell for v in python3.11 python3.12 python3.13 python3; do \
	$$v -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$v && break; done)
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/python -m pytest
FOLDERS := collectors labeling records pipelines scripts

.PHONY: setup demo test fast check fix bench pins protos clean
.DEFAULT_GOAL := test

setup: $(READY)

# One install, kept until a pin changes. uv checks every file against the hashes of constraints.txt.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "tagbox needs Python 3.11, 3.12 or 3.13 on PATH; name one with: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt --group dev -r pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(READY)

demo: $(READY)
	$(BIN)/tagbox demo

# Two workers, a file at a time, so that what a file shares is made once; the long files stand first.
test: $(READY)
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder

# What can be asked between two edits: no TensorFlow, seconds.
fast: $(READY)
	$(PYTEST) -m "not slow and not tf" tests/unit tests/contract

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) tests/contract

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(PYTEST) -m bench -s --override-ini "norecursedirs=.*" tests/bench

# After an edit of the dependencies: pins and hashes for every supported platform, no index address.
pins: $(READY)
	$(BIN)/uv pip compile pyproject.toml --extra beam --extra onnx --group dev --universal --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet --output-file constraints.txt

# After an edit of the schema of the OD API's pipeline.config.
protos: $(READY)
	$(BIN)/python -m grpc_tools.protoc -Ipipelines/odapi --descriptor_set_out=pipelines/odapi/pipeline.binpb pipeline.proto

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
