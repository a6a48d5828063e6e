"""What `make test-arm64` needs: bundles of every kind, the emulated machine with the package in it, layered roots."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnedge_device.bundle import write_bundle
from rnnedge_device.golden import Golden

HERE = Path(__file__).parent
DEVICE_TESTS = HERE.parent / "device"
EMULATED_ROOT = HERE.parent.parent / "device" / "raspberrypi" / "emulated-root"
WANTED = "RNNEDGE_TEST_ARM64"
NOT_POSSIBLE = 69  # what emulated-root ends with where it cannot work

sys.path.insert(0, str(DEVICE_TESTS))
_spec = importlib.util.spec_from_file_location("device_fixtures", DEVICE_TESTS / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
sys.modules["device_fixtures"] = _fixtures
_spec.loader.exec_module(_fixtures)
for _name in ("made_models", "tiny", "tiny_clips", "golden", "bundle_path", "caption_bundle_path"):
    globals()[_name] = getattr(_fixtures, _name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Minutes long: not part of `make test`."""
    for item in items:
        if item.path.parent == HERE and not os.environ.get(WANTED):
            item.add_marker(pytest.mark.skip(reason="minutes long: make test-arm64"))


@pytest.fixture(scope="session")
def bundles(
    bundle_path: Path,
    tiny_clips: object,
    caption_bundle_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """A small real int8 bundle of every kind."""
    from tiny_clips import noise

    folder = tmp_path_factory.mktemp("clips")
    images = noise(10)[..., 0]
    stream = tiny_clips.model("int8").open_stream()  # type: ignore[attr-defined]
    outputs = np.stack([stream.step(image[..., None]).raw for image in images])
    members = {
        "model.tflite": tiny_clips.models["int8"],  # type: ignore[attr-defined]
        "golden.npz": Golden(images, {"step": outputs, "sequence": outputs}).to_bytes(),
    }
    write_bundle(folder / "clips.rnnedge", tiny_clips.manifest("int8"), members)  # type: ignore[attr-defined]
    return {"rows": bundle_path, "clips": folder / "clips.rnnedge", "captions": caption_bundle_path}


class Emulated:
    """An emulated arm64 machine; what changes in it stays in a layer of its own.

    Args:
        folder: of the layer, and shared with the machine as `/w`.
    """

    def __init__(self, folder: Path) -> None:
        self.layer, self.shared = folder / "layer", folder / "shared"
        self.shared.mkdir(parents=True)

    def run(self, *command: object, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root."""
        words = [EMULATED_ROOT, "run", "--over", self.layer, "--show", self.shared, *command]
        done = subprocess.run(
            list(map(str, words)), capture_output=True, text=True, env={**os.environ, **env}, timeout=900
        )
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for layers of files: in memory where there is such a place, since dpkg syncs every file."""
    if os.path.isdir("/dev/shm") and os.statvfs("/dev/shm").f_bavail * os.statvfs("/dev/shm").f_frsize > 3e9:
        import shutil
        import tempfile

        folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="rnnedge-test-"))
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    else:
        yield tmp_path_factory.mktemp("layers")


@pytest.fixture(scope="session")
def emulated(layers: Path) -> Emulated:
    """The machine, its root built if need be; skips with the reason where it cannot be."""
    built = subprocess.run([EMULATED_ROOT, "build"], capture_output=True, text=True, timeout=900)
    if built.returncode == NOT_POSSIBLE:
        pytest.skip(built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, built.stderr[-3000:]
    return Emulated(layers / "emulated")
