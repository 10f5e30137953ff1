# Everything here works on a machine that has Python 3.11+, git and make: uv installs itself when it is missing.
.PHONY: help install demo test lint format bench docs clean

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
# The machine's own Python is used, never a download.
export UV_PYTHON_DOWNLOADS := never
# Many containers have Python keep no bytecode; each service would then compile all that it imports, at every start.
unexport PYTHONDONTWRITEBYTECODE
RUN := .venv/bin

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 12

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet uv==$(UV_VERSION)

install: $(filter .uv/bin/uv,$(UV))
	@$(UV) sync --quiet --frozen --all-extras --group fit

demo: $(filter .uv/bin/uv,$(UV))  ## the whole platform on this machine: sample records in, proposals with risk out
	@$(UV) sync --quiet --frozen --all-extras --no-extra reports --no-dev --inexact
	@$(RUN)/tongtu demo

test: install  ## all tests, on real Kafka and MongoDB
	$(RUN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --max-worker-restart 1

lint: install  ## style, types, imports, contracts
	@$(UV) lock --check --quiet
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/pyright
	$(RUN)/lint-imports
	$(RUN)/python -m shared.contracts.generate --check

format: install  ## puts the code into shape
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: $(filter .uv/bin/uv,$(UV))  ## the benchmarks, one after the other (half an hour; alone on the machine)
	@$(UV) sync --quiet --frozen --all-extras --all-groups
	$(RUN)/python -m bench.pipeline
	$(RUN)/python -m bench.latency
	$(RUN)/python -m bench.risk
	$(RUN)/python -m bench.exposure
	$(RUN)/python -m bench.idle
	$(RUN)/python -m bench.gateway
	$(RUN)/python -m bench.crowd
	$(RUN)/python -m bench.deliveries
	$(RUN)/python -m bench.chaos

docs: $(filter .uv/bin/uv,$(UV))  ## the documentation as a site in site/
	@$(UV) sync --quiet --frozen --all-extras --group docs
	$(RUN)/mkdocs build --strict --quiet

clean:  ## removes what was installed here; data under TONGTU_HOME stays
	rm -rf .venv .uv site .pytest_cache .ruff_cache .import_linter_cache .hypothesis
