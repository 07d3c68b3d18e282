# The same commands for people and for CI. Everything is installed into .venv on first use.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA ?= $(or $(MOODLINE_DATA),../shared/data)
SPOKEN ?= runs/meld-spoken

.PHONY: demo test test-quick test-slow durations check bench docs results model clean
.DEFAULT_GOAL := demo

# what the demo shows: transcripts and recordings
$(VENV)/.installed-demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/pip install --quiet -c constraints.txt torch==$(shell sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[listen]'
	touch $@

# that, and every extra and tool that tests and checks need
$(VENV)/.installed: $(VENV)/.installed-demo
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

# a real recording of two speakers, inside the package moonshine-voice
CLIP = $$($(BIN)/python -c "from importlib.util import find_spec; print(find_spec('moonshine_voice').submodule_search_locations[0])")/assets/endgame_nagg_nell.wav

demo: $(VENV)/.installed-demo  ## label the sample conversations and a recording; its report is runs/demo/report.html
	$(BIN)/moodline analyze src/moodline/samples/family_dinner.json
	$(BIN)/moodline analyze src/moodline/samples/support_call.srt
	$(BIN)/moodline analyze src/moodline/samples/team_meeting.csv
	mkdir -p runs/demo
	$(BIN)/moodline analyze "$(CLIP)" -o runs/demo/report.html

test: $(VENV)/.installed  ## all tests that fit CI; corpus tests run where the corpora are
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-quick: $(VENV)/.installed  ## those that neither train nor start processes or a browser: under two minutes on two cores
	$(BIN)/python -m pytest -n 2 -m "not slow and not train and not process and not browser"

durations: $(VENV)/.installed  ## measure the tests again: tests/durations.json
	$(BIN)/python scripts/test_durations.py

test-slow: $(VENV)/.installed  ## the rest
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed  ## style, types, generated tables
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/moodline results results --write README.md --write docs/results.md --check
	$(BIN)/moodline experiment --pages docs/experiments --published results --check
	$(BIN)/python scripts/model_page.py --check
	$(BIN)/python scripts/recording_page.py --check
	$(BIN)/python scripts/simulate_scale.py --check
	$(BIN)/python scripts/measure_everyday.py --check
	$(BIN)/python scripts/architecture.py --check

bench: $(VENV)/.installed  ## times and memory, as benchmarks/*.json (minutes)
	$(BIN)/python benchmarks/analyze_latency.py --json benchmarks/analyze_latency.json
	$(BIN)/python benchmarks/busy_machine.py --json benchmarks/busy_machine.json
	$(BIN)/python benchmarks/text_encoding.py --json benchmarks/text_encoding.json
	$(BIN)/python benchmarks/text_finetuning.py --json benchmarks/text_finetuning.json
	$(BIN)/python benchmarks/faces.py --json benchmarks/faces.json
	$(BIN)/python benchmarks/listen.py --json benchmarks/listen.json
	$(BIN)/python benchmarks/serve.py --json benchmarks/serve.json
	$(BIN)/python benchmarks/serve.py --json benchmarks/serve.json --page docs/how-to/serve.md
	$(BIN)/python benchmarks/mister_e_epoch.py --json benchmarks/mister_e_epoch.json
	$(BIN)/python benchmarks/mister_e_growth.py --json benchmarks/mister_e_growth.json
	$(BIN)/python benchmarks/sure_epoch.py --conversations 16 --no-warm --json benchmarks/sure_epoch.json
	$(BIN)/python benchmarks/egmf_training.py --json benchmarks/egmf_training.json

docs: $(VENV)/.installed  ## put the tables and pages of results/ into README and docs
	$(BIN)/moodline results results --write README.md --write docs/results.md
	$(BIN)/moodline experiment --pages docs/experiments --published results
	$(BIN)/python scripts/model_page.py
	$(BIN)/python scripts/recording_page.py
	$(BIN)/python scripts/simulate_scale.py
	$(BIN)/python scripts/architecture.py

results: $(VENV)/.installed  ## make published rows again and compare: ROWS="RECIPE ..." some, LIST=1 only say, PUBLISH=1 replace
	DATA=$(DATA) $(BIN)/python scripts/reproduce_results.py $(ROWS) $(if $(LIST),--list) $(if $(PUBLISH),--publish)

model: $(VENV)/.installed  ## build the packaged models from the corpora again (hours)
	$(BIN)/python scripts/build_text_model.py --data $(DATA)
	$(BIN)/python scripts/build_default_model.py --data $(DATA)
	$(BIN)/python scripts/build_recording_model.py --data $(DATA) --spoken $(SPOKEN)  # see scripts/provenance/speak_meld.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist src/*.egg-info
