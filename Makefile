PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# One more than cores: many tests wait, for a server, a browser or a motor.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
# The suite starts hundreds of processes: compiled modules are kept even where the shell says otherwise.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help

# One stamp a set of extras: `make kiosk` must not install what only training or tests need.
# The newest pip chooses the versions some 40 s of processor time sooner than the one that comes with Python 3.11.
.venv/stamp-%: pyproject.toml $(wildcard triof/translations/*/LC_MESSAGES/*.po)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Triof needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv --upgrade-deps .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(if $(filter base,$*),,[$*])'
	@touch $@

.PHONY: help kiosk check test lint bench kill-drill upload-drill attack planted-errors compare-models leave-one-out simulate-rollout simulate-drift deb deb-check demo-pictures screens translations clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

kiosk: .venv/stamp-base ## Set all up and run the machine on http://127.0.0.1:8080 (ARGS='--port 9000')
	$(BIN)/triof kiosk $(ARGS)

check: .venv/stamp-test,train,data ## Run the quick tests on two cores (ARGS='tests/judging')
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not slow and not browser and not train' $(ARGS)

test: .venv/stamp-test,train,data ## Run every test that this machine can run (ARGS='-k journal')
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --deselect tests/azure/test_azure_journey.py $(ARGS)
# By itself, as it counts calls a second; 5: none of its tests was asked for.
	@$(BIN)/python -m pytest -q tests/azure/test_azure_journey.py $(ARGS); status=$$?; test $$status -eq 0 -o $$status -eq 5

lint: .venv/stamp-lint ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/stamp-test,train,data ## Measure speed and memory as ratios within one run, and break the cloud (ARGS='--only uploads')
	$(BIN)/python -m tools.bench $(ARGS)

kill-drill: .venv/stamp-test,train,data ## Kill a running kiosk 50 times and count what was lost (ARGS='--hardware gpiozero --camera webcam')
	$(BIN)/python -m tools.kill_drill $(ARGS)

upload-drill: .venv/stamp-test,train,data ## Kill an upload of 800 photos 20 times, cut its network, count what went twice (ARGS='--kills 5')
	$(BIN)/python -m tools.upload_drill $(ARGS)

attack: .venv/stamp-test,train,data ## Attack a running kiosk and measure what the touchscreen notices (ARGS='--only idle')
	$(BIN)/python -m tools.attack $(ARGS)

planted-errors: .venv/stamp-test,train,data ## Plant wrong labels and count those that `triof dataset check` finds (ARGS='--task cleanliness')
	$(BIN)/python -m tools.planted_errors $(ARGS)

compare-models: .venv/stamp-test,train,data ## Measure backbones, input sizes and number formats of the local models (ARGS='--limit 60 --only lite0@160')
	$(BIN)/python -m tools.compare_models $(ARGS)

leave-one-out: .venv/stamp-test,train,data ## Train without some sources and measure on them, in five folds (ARGS='--short --only homes')
	$(BIN)/python -m tools.leave_one_out $(ARGS)

simulate-rollout: .venv/stamp-test,train,data ## Try better, equal and worse candidates as canaries and count right decisions (ARGS='--runs 100')
	$(BIN)/python -m tools.simulate_rollout $(ARGS)

simulate-drift: .venv/stamp-test,train,data ## Simulate years of deposits: false alarms of drift, and how soon a shift is noticed (ARGS='--years 30:10')
	$(BIN)/python -m tools.simulate_drift $(ARGS)

deb: .venv/stamp-test,train,data ## Build the Debian package in dist (ARGS='--arch arm64 --python 3.13')
	$(BIN)/python -m tools.build_deb $(ARGS)

deb-check: deb ## Install, use, upgrade, remove and purge the package in an overlay on this computer's tree, as root
	$(BIN)/python -m tools.check_deb dist/triof_$$($(BIN)/triof --version | sed 's/.* //')_amd64.deb

demo-pictures: ## Say how the demo pictures are rendered again
	@sed -n "1,/^\"\"\"$$/p" tools/render_demo.py

screens: .venv/stamp-test ## Take and check every state of every page, and the pictures in docs/screens/ (ARGS='--reduced')
	$(BIN)/python -m tools.screens $(ARGS)

translations: .venv/stamp-base ## Collect the sentences of the pages into the catalogues, to be translated there
	$(BIN)/pybabel -q extract -F babel.cfg --add-location=file --sort-output --no-wrap -o triof/translations/messages.pot .
	$(BIN)/pybabel -q update --ignore-pot-creation-date --no-wrap --no-fuzzy-matching --ignore-obsolete -i triof/translations/messages.pot -d triof/translations

clean: ## Remove the virtual environment and all caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
