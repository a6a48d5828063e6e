"""What the device part leaves out, and that it runs on the second runtime too."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnedge_device

PACKAGE = Path(rnnedge_device.__file__).parent
HEAVY = {"tensorflow", "keras", "tf_keras", "matplotlib", "jax", "torch", "rnnedge", "rnnedge_export"}
ALLOWED = {"numpy", "cv2", "click", "ai_edge_litert", "tflite_runtime", "rnnedge_device"}
# Of the extra `runner`, and picamera2 of the system: for what asks for them, and then they may be missing.
ON_DEMAND = {
    "cryptography",
    "pydantic",
    "paho",
    "httpx",
    "aiohttp",
    "prometheus_client",
    "picamera2",
    "libcamera",
}


def test_a_whole_run_imports_nothing_heavy(bundle_path, tmp_path):
    code = (
        "import sys\n"
        "from rnnedge_device.cli import main\n"
        "try:\n"
        f"    main([{str(bundle_path)!r}, '--source', 'synthetic:64x48x3', '--selftest',\n"
        f"          '--save', {str(tmp_path / 'v.mp4')!r}, '--json'])\n"
        "finally:\n"
        "    print(sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    summary, modules = done.stdout.splitlines()
    assert json.loads(summary)["frames"] == 3
    assert not (HEAVY | ON_DEMAND) & set(ast.literal_eval(modules))
    assert {"numpy", "cv2"} <= set(ast.literal_eval(modules))


def test_a_whole_run_of_clips_imports_nothing_heavy(clip_bundle_path):
    code = (
        "import sys\n"
        "from rnnedge_device.cli import main\n"
        "try:\n"
        f"    main([{str(clip_bundle_path)!r}, '--source', 'synthetic:64x48x3', '--selftest', '--json'])\n"
        "finally:\n"
        "    print(sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(ast.literal_eval(done.stdout.splitlines()[1]))


def test_help_loads_neither_arrays_nor_images():
    code = (
        "import sys\n"
        "from rnnedge_device.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "finally:\n"
        "    print(sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert not {"numpy", "cv2", "ai_edge_litert"} & set(ast.literal_eval(done.stderr))


def test_every_module_imports_only_what_the_base_install_and_the_runner_have():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                found.add(str(node.module).partition(".")[0])
    assert found - set(sys.stdlib_module_names) <= ALLOWED | ON_DEMAND
    assert {"numpy", "cv2", "click"} <= found


# --- tflite-runtime ------------------------------------------------------------------------------------

# Its older int8 kernels round otherwise in places: LSB of the output, measured on the models of these tests.
MAX_LSB_BETWEEN_RUNTIMES = 3


@pytest.fixture(scope="module")
def other_python():
    python = os.environ.get("RNNEDGE_TFLITE_RUNTIME_PYTHON")
    if not python:
        pytest.skip("RNNEDGE_TFLITE_RUNTIME_PYTHON names no Python with tflite-runtime in it")
    return python


def with_tflite_runtime(python, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    return subprocess.run([python, *map(str, arguments)], env=environment, capture_output=True, text=True)


def test_the_shim_takes_tflite_runtime_where_that_is_installed(other_python):
    code = "from rnnedge_device import interpreter as i; print(i.RUNTIME_NAME, i.runtime_version())"
    done = with_tflite_runtime(other_python, "-c", code)
    assert done.stdout.startswith("tflite tflite-runtime 2."), done.stderr


@pytest.mark.parametrize("form", ["loop", "step", "fused"])
def test_the_self_test_passes_on_tflite_runtime(other_python, bundle_path, form):
    done = with_tflite_runtime(
        other_python, "-m", "rnnedge_device", bundle_path, "--selftest", "--form", form, "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)["selftest"]
    assert result["runtime"].startswith("tflite-runtime")
    assert result["forms"][0]["agree"] == 1


@pytest.mark.parametrize("form", ["step", "sequence"])
def test_the_self_test_of_a_clip_bundle_passes_on_tflite_runtime(other_python, clip_bundle_path, form):
    done = with_tflite_runtime(
        other_python, "-m", "rnnedge_device", clip_bundle_path, "--selftest", "--form", form, "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["selftest"]["forms"][0]["agree"] == 1


@pytest.mark.parametrize("form", ["encode", "decode"])
def test_the_self_test_of_a_caption_bundle_passes_on_tflite_runtime(other_python, caption_bundle_path, form):
    done = with_tflite_runtime(
        other_python, "-m", "rnnedge_device", caption_bundle_path, "--selftest", "--form", form, "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["selftest"]["forms"][0]["agree"] >= 0.9


@pytest.mark.parametrize("form", ["loop", "step"])
def test_both_runtimes_agree_on_every_held_out_digit(other_python, bundle_path, tiny, tmp_path, form):
    from rnnedge_device.bundle import read_bundle
    from rnnedge_device.classify import Classifier

    np.save(tmp_path / "images.npy", tiny.images)
    code = (
        "import sys, numpy as np\n"
        "from rnnedge_device.bundle import read_bundle\n"
        "from rnnedge_device.classify import Classifier\n"
        "bundle, images, form, out = sys.argv[1:]\n"
        "classifier = Classifier(read_bundle(bundle), form)\n"
        "np.save(out, np.stack([classifier.predict(image).raw for image in np.load(images)]))\n"
    )
    out = tmp_path / "out.npy"
    done = with_tflite_runtime(other_python, "-c", code, bundle_path, tmp_path / "images.npy", form, out)
    assert done.returncode == 0, done.stderr
    classifier = Classifier(read_bundle(bundle_path), form)
    here = np.stack([classifier.predict(image).raw for image in tiny.images])
    there = np.load(out)
    assert np.abs(here.astype(int) - there).max() <= MAX_LSB_BETWEEN_RUNTIMES
    assert (here.argmax(1) == there.argmax(1)).mean() >= 0.99


def test_both_runtimes_write_the_same_events(other_python, bundle_path, clip, run_cli):
    done = with_tflite_runtime(
        other_python, "-m", "rnnedge_device", bundle_path, "--source", clip, "--jsonl", "-"
    )
    assert done.returncode == 0, done.stderr
    _, out, _ = run_cli(bundle_path, "--source", clip, "--jsonl", "-")
    pairs = list(zip(done.stdout.splitlines(), out.splitlines(), strict=True))
    assert len(pairs) == 24
    for there, here in pairs:
        assert json.loads(there)["frame"] == json.loads(here)["frame"]
        assert json.loads(there)["ts_ms"] == pytest.approx(json.loads(here)["ts_ms"], abs=1)
