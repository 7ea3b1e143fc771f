# make demo    the sample conversation, remembered and recalled, and the evaluation table
# make test    everything CI checks
# make check   format, lint and types only
# make versions   the LangGraph plug-in and in-model memory on the versions they declare, from the registry
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# -P: the repository's own folders must not shadow installed packages
export PYTHONSAFEPATH = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export OMP_WAIT_POLICY = PASSIVE
export TOKENIZERS_PARALLELISM = false

.PHONY: demo test check pytest wheel bench versions clean

demo: $(VENV)/.demo
	$(BIN)/agentmem demo

test: check pytest wheel

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

pytest: $(VENV)/.dev
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile

# a clean environment with nothing but the wheel and what it asks for
wheel: $(VENV)/.dev
	rm -rf build dist/smoke
	$(BIN)/python -m build --wheel --outdir dist/smoke > dist-build.log 2>&1 || (cat dist-build.log; exit 1)
	rm -f dist-build.log
	$(PYTHON) -m venv --clear dist/smoke/venv
	dist/smoke/venv/bin/pip install -q -c constraints.txt dist/smoke/*.whl
	cd dist/smoke && PYTHONWARNINGS=ignore venv/bin/python ../../tests/smoke.py
	rm -rf dist/smoke

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py

PLUGIN_TESTS := $(addprefix tests/integrations/test_,nodes.py middleware.py trace.py store_*.py)

TRANSFORMERS := 5.17 5.21 5.22

versions: $(VENV)/.dev
	rm -rf build/versions
	$(BIN)/pip install -q --no-warn-conflicts --target build/versions/oldest \
		langgraph==1.0.0 langgraph-checkpoint==2.1.0 langchain==1.0.0
	$(BIN)/pip install -q --no-warn-conflicts --target build/versions/newest \
		'langgraph<2' 'langgraph-checkpoint<5' 'langchain<2'
	for tried in oldest newest; do \
		PYTHONPATH=build/versions/$$tried HF_HUB_OFFLINE=1 $(BIN)/pytest -q $(PLUGIN_TESTS) || exit 1; \
	done
	for tried in $(TRANSFORMERS); do \
		$(BIN)/pip install -q --no-deps --target build/versions/transformers-$$tried \
			"transformers==$$tried.*" 'huggingface-hub<2' || exit 1; \
		PYTHONPATH=build/versions/transformers-$$tried HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 \
			$(BIN)/pytest -q -n 2 --dist loadfile tests/kv || exit 1; \
	done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' || \
		(echo "agentmem needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[offline,evals]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[all,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
