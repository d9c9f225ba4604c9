# Two commands: `make try` builds a real example, `make test` runs the tests. Both need Python >= 3.11.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: try test lint format requirements

try: .venv/installed
	$(BIN)/cogn lock examples/resize
	$(BIN)/cogn assemble examples/resize
	@printf '%s\n' '' \
	  'The image is an OCI layout in examples/resize/.cogn/image. Run it with podman:' \
	  '  skopeo copy oci:examples/resize/.cogn/image containers-storage:localhost/resize' \
	  '  podman run --rm -p 5000:5000 localhost/resize' \
	  'or bring it into docker or podman:' \
	  '  .venv/bin/cogn assemble examples/resize --load' \
	  'or push it:' \
	  '  .venv/bin/cogn assemble examples/resize --push registry.example.com/resize:1'

test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not gpu and not large" -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

.venv/installed: requirements/uv.txt requirements/dev.txt pyproject.toml runtime/pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
	  --editable . --editable runtime
	touch $@

# Pins everything in requirements/ anew, for all platforms.
requirements:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --upgrade --group dev pyproject.toml -o requirements/dev.txt
	grep -A 1000 '^uv==' requirements/dev.txt | awk 'NR > 1 && /^[a-z]/ { exit } { print }' > requirements/uv.txt

# Locks and seals the examples anew, after a change of the runtime or of a layer's bytes.
.PHONY: locks
locks: .venv/installed
	for example in examples/*/; do \
	  $(BIN)/cogn lock $$example && $(BIN)/cogn assemble $$example >/dev/null || exit 1; \
	done
