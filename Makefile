# Two commands do everything: `make demo` and `make test`. Both set up what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: setup demo test test-faults check bench soak clean

setup:
	@scripts/setup $(PYTHON)

demo: setup  ## the product at work: make demo ARGS="--seconds 60 --report demo.json"
	@$(BIN)/hazgate demo $(ARGS)

check: setup  ## format, lint, types, import contracts, house rules
	@scripts/check

test: check  ## all of `check`, then the quick suite: make test ARGS="-k edge"
	@scripts/setup $(PYTHON) test
	@$(BIN)/python -m pytest -m "not soak" -n 2 --dist worksteal $(ARGS)

test-faults: setup  ## the whole fault matrix (docs/reliability.md), with what takes minutes
	@scripts/setup $(PYTHON) test
	@HAZGATE_KILLS=whole HAZGATE_DISK_FAULTS=60 HAZGATE_SIMULATION_SEEDS=200 $(BIN)/python -m pytest -m "soak or not soak" tests/faults \
		tests/integration/test_kills.py tests/integration/test_worker_and_api.py tests/gateway/records tests/gateway/history \
		tests/gateway/test_system.py tests/gateway/test_canary.py tests/edge/test_kill.py tests/edge/test_full_disk.py \
		tests/edge/test_agent.py tests/edge/test_local_alarms.py $(ARGS)

soak: setup  ## the tests that run for minutes
	@$(BIN)/python -m pytest -m soak $(ARGS)

bench: setup  ## throughput, delay to the alarm, loss: make bench ARGS="--seconds 10"
	@$(BIN)/hazgate bench pipeline $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
