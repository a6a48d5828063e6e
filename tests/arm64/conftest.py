"""What `make test-arm64` needs: bundles of every kind, the emulated machine with the package in it, layered roots."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEVICE_TESTS = HERE.parent / "device"
ROOT = HERE.parent.parent
EMULATED_ROOT = ROOT / "device" / "raspberrypi" / "emulated-root"
WANTED = "RNNEDGE_TEST_ARM64"
NOT_POSSIBLE = 69  # what emulated-root ends with where it cannot work

sys.path[:0] = [str(DEVICE_TESTS), str(ROOT)]
_spec = importlib.util.spec_from_file_location("device_fixtures", DEVICE_TESTS / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
sys.modules["device_fixtures"] = _fixtures
_spec.loader.exec_module(_fixtures)
for _name in ("made_models", "tiny", "golden"):
    globals()[_name] = getattr(_fixtures, _name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Minutes long: not part of `make test`."""
    for item in items:
        if item.path.parent == HERE and not os.environ.get(WANTED):
            item.add_marker(pytest.mark.skip(reason="minutes long: make test-arm64"))


@pytest.fixture(scope="session")
def bundles() -> dict[str, Path]:
    """A small real int8 bundle of every kind, `rows`, `clips` and `captions`, exported on x86 (bundles/README.md)."""
    return {path.stem: path for path in sorted((HERE / "bundles").glob("*.rnnedge"))}


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
            list(map(str, words)), capture_output=True, text=True, env={**os.environ, **env}, timeout=1200
        )
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for layers of files: in memory where there is such a place, since dpkg syncs every file."""
    if os.path.isdir("/dev/shm") and os.statvfs("/dev/shm").f_bavail * os.statvfs("/dev/shm").f_frsize > 3e9:
        folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="rnnedge-test-"))
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    else:
        yield tmp_path_factory.mktemp("layers")


@pytest.fixture(scope="session")
def emulated(layers: Path) -> Emulated:
    """The machine, its root built if need be; skips with the reason where it cannot be."""
    try:
        built = subprocess.run([EMULATED_ROOT, "build"], capture_output=True, text=True, timeout=1200)
    except subprocess.TimeoutExpired:
        pytest.skip("the emulated root was not made in 20 minutes")
    if built.returncode == NOT_POSSIBLE:
        pytest.skip(built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, built.stderr[-3000:]
    return Emulated(layers / "emulated")
