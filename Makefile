# `make demo` and `make test` set up what they need in .venv/ from the package index.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
TFLITE_VENV := .venv-tflite
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
# The run of `make bench-captions`: a folder that `rnnedge train` and `rnnedge quantize` have filled.
RUN ?= runs/demo-captions
PIP_FLAGS := --quiet --disable-pip-version-check
# The second runtime exists for Python 3.11 and older; elsewhere its tests skip and say so.
HAS_TFLITE := $(shell $(PYTHON) -c 'import sys; print(1 if sys.version_info[:2] <= (3, 11) else "")')

.PHONY: demo demo-clips demo-captions test test-faults test-systemd test-malicious test-encoders test-bench test-forms test-arm64 parity-arm64 test-deploy lint types bench bench-streaming bench-captions setup bench-runner soak clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/export.stamp: pyproject.toml constraints/lock.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints/lock.txt -e ".[export]"
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints/lock.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints/lock.txt -e ".[dev]"
	@touch $@

$(TFLITE_VENV)/stamp: pyproject.toml constraints/tflite-runtime.txt
	$(PYTHON) -m venv $(TFLITE_VENV)
	$(TFLITE_VENV)/bin/python -m pip install $(PIP_FLAGS) -r constraints/tflite-runtime.txt
	$(TFLITE_VENV)/bin/python -m pip install $(PIP_FLAGS) --no-deps -e .
	@touch $@

$(BENCH_VENV)/stamp: pyproject.toml constraints/lock.txt constraints/bench.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install $(PIP_FLAGS) -c constraints/lock.txt -c constraints/bench.txt -e ".[bench]"
	@touch $@

setup: $(VENV)/dev.stamp

demo: $(VENV)/export.stamp  ## train, quantise, pack, stream: runs/demo/
	$(BIN)/rnnedge demo --out runs/demo

demo-clips: $(VENV)/export.stamp  ## the same for video, frame by frame: runs/demo-clips/
	$(BIN)/rnnedge demo --task clips --out runs/demo-clips

demo-captions: $(VENV)/export.stamp  ## the same for sentences about pictures: runs/demo-captions/
	$(BIN)/rnnedge demo --task captions --out runs/demo-captions

test: $(VENV)/dev.stamp $(if $(HAS_TFLITE),$(TFLITE_VENV)/stamp)  ## all tests, both runtimes
	RNNEDGE_TFLITE_RUNTIME_PYTHON=$(if $(HAS_TFLITE),$(CURDIR)/$(TFLITE_VENV)/bin/python) \
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-faults: $(VENV)/dev.stamp  ## faults at full length: servers away for a minute, 10,000 damaged pictures
	RNNEDGE_AWAY_S=60 RNNEDGE_DAMAGED=10000 $(BIN)/python -m pytest -q -n 2 $(PYTEST_ARGS) \
	tests/device/test_device_runner_outage.py tests/device/test_device_live_sources.py::test_damaged_pictures_are_passed_over

test-systemd: $(VENV)/dev.stamp  ## the unit under a systemd that is process 1, in a container; as root
	RNNEDGE_SYSTEMD=1 $(BIN)/python -m pytest -q tests/device/test_device_systemd.py $(PYTEST_ARGS)

test-malicious: $(VENV)/dev.stamp  ## 2,000 mutated bundles and 2,000 mutated models; SEED=n for others
	RNNEDGE_MUTATIONS=2000 RNNEDGE_MUTATIONS_SEED=$(or $(SEED),1) \
	$(BIN)/python -m pytest -q tests/device/test_device_malicious.py $(PYTEST_ARGS)

test-encoders: $(VENV)/dev.stamp  ## every published encoder, quantised: some minutes
	RNNEDGE_ALL_ENCODERS=1 $(BIN)/python -m pytest -q tests/export/test_export_caption_encoders.py \
	tests/export/test_export_mobilenets.py $(PYTEST_ARGS)

test-bench: $(BENCH_VENV)/stamp  ## the benchmarks' own tests, beside ONNX Runtime and PyTorch: a minute
	$(BENCH_VENV)/bin/python -m pip install $(PIP_FLAGS) -c constraints/lock.txt pytest pytest-xdist
	$(BENCH_VENV)/bin/python -m pytest -q -n 2 --dist loadfile tests/bench $(PYTEST_ARGS)

test-forms: $(VENV)/dev.stamp  ## every cell over every encoder, every odd model fine-tuned: a minute more than `make test`
	RNNEDGE_ALL_FORMS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/export/test_export_clips.py \
	tests/export/test_export_forms.py $(PYTEST_ARGS)

test-arm64: $(VENV)/dev.stamp  ## the Debian package on an emulated arm64 machine, and its installation cut short: minutes
	RNNEDGE_TEST_ARM64=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/arm64 $(PYTEST_ARGS)

parity-arm64: $(VENV)/dev.stamp  ## trained runs on both machines: make parity-arm64 RUNS="runs/demo runs/demo-clips"
	$(BIN)/python -m benchmarks.arm64 $(or $(RUNS),runs/demo runs/demo-clips runs/demo-captions)

test-deploy: $(VENV)/dev.stamp  ## over ssh to machines of their own: 51 cuts, a fleet; root on Debian bookworm
	RNNEDGE_CUTS=$(or $(CUTS),51) $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/deploy $(PYTEST_ARGS)
	RNNEDGE_CUTS=1 RNNEDGE_TEST_ARM64=1 $(BIN)/python -m pytest -q tests/arm64/test_arm64_ssh.py $(PYTEST_ARGS)

.PHONY: web test-web android soak-web
web: device/web/node_modules/.stamp  ## the phone's web app, into rnnedge/deploy/phone/site/; needs Node and npm
	cd device/web && npm run --silent build

device/web/node_modules/.stamp: device/web/package-lock.json
	cd device/web && npm ci --silent && touch node_modules/.stamp

test-web: $(VENV)/dev.stamp web $(if $(shell command -v smali),android)  ## the web app beside the Python part, in Chromium; prints how fast
	$(BIN)/python -m pytest -q -s tests/web $(PYTEST_ARGS)

android: rnnedge/deploy/phone/android/classes.dex  ## the app's code and resources, for rnnedge deploy --apk

rnnedge/deploy/phone/android/classes.dex: $(wildcard device/android/smali/*.smali) $(shell find device/android/res -type f) \
		device/android/AndroidManifest.xml device/web/public/icon-192.png
	@command -v smali >/dev/null || { echo "make android needs smali: apt install libsmali-java"; exit 1; }
	rm -rf $(@D) && mkdir -p $(@D)
	cp -r device/android/AndroidManifest.xml device/android/res $(@D)
	mkdir -p $(@D)/res/drawable && cp device/web/public/icon-192.png $(@D)/res/drawable/icon.png
	smali assemble --api 24 -o $@ device/android/smali

soak-web: $(VENV)/dev.stamp web  ## the page live for twenty minutes: its memory stays as it is; MINUTES=n for others
	RNNEDGE_SOAK_WEB=$(or $(MINUTES),20) $(BIN)/python -m pytest -q -s tests/web/test_page_soak.py

lint: $(VENV)/dev.stamp  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BENCH_VENV)/stamp  ## our forms beside the peers
	$(BENCH_VENV)/bin/python -m benchmarks.forms $(BENCH_ARGS)

bench-streaming: $(VENV)/export.stamp  ## a carried state beside a window run anew, on the demo's bundle
	$(BIN)/python -m benchmarks.streaming $(or $(BUNDLES),runs/demo-clips/motion-rows.rnnedge)

bench-captions: $(BENCH_VENV)/stamp  ## a captioner's encoder and decoder beside ONNX Runtime, on the demo's run
	$(BENCH_VENV)/bin/python -m benchmarks.captions $(RUN) $(BENCH_ARGS)

bench-runner: $(VENV)/export.stamp  ## the runner beside the bare interpreter, and how late it is
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints/lock.txt -e ".[runner]"
	$(BIN)/python -m benchmarks.runner $(BUNDLES) $(BENCH_ARGS)

soak: $(VENV)/dev.stamp  ## two cameras, 200,000 frames: memory, threads and descriptors stay as they are
	RNNEDGE_SOAK=200000 $(BIN)/python -m pytest -q tests/device/test_device_runner_soak.py

clean:
	rm -rf $(VENV) $(TFLITE_VENV) $(BENCH_VENV) runs build .pytest_cache .mypy_cache .ruff_cache
