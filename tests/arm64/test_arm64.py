"""The package on an emulated arm64 machine: installed by apt, its unit read by systemd, the same bits as x86."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import HERE, Emulated

from rnnedge.deploy import DebFacts, build_deb
from rnnedge.deploy.architecture import ARCHITECTURES
from rnnedge.deploy.wheels import fetch, unpack
from rnnedge_device.errors import InputError

FRAMES = 600
RUN = "/usr/bin/rnnedge-run"
MAX_BYTES = 60_000_000
# tflite-runtime's kernels round products twice, and a recurrent state keeps what it once got (docs/runtimes.md).
TFLITE_LSB = 24


@pytest.fixture(scope="session")
def facts(bundles: dict[str, Path], emulated: Emulated) -> DebFacts:
    try:
        fetch(ARCHITECTURES["arm64"])
    except InputError as problem:
        pytest.skip(str(problem))
    return build_deb(bundles["rows"], emulated.shared / "rnnedge.deb", "arm64")


@pytest.fixture(scope="session")
def frames() -> np.ndarray:
    """Frames of 8x8 pixels, `uint8 [N, 8, 8]`: digits that move, and noise over them."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(5)
    digits = np.round(load_digits().images[:FRAMES] * 255 / 16)
    moved = np.stack([np.roll(image, rng.integers(-1, 2, 2), (0, 1)) for image in digits])
    return np.clip(moved + rng.normal(0, 25, moved.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def machine(emulated: Emulated, facts: DebFacts, bundles: dict[str, Path], frames: np.ndarray) -> Emulated:
    """With the package installed by apt, and in `/w` the bundles, frames, videos and a second runtime."""
    done = emulated.run("apt-get", "install", "-y", "-o", "Dpkg::Use-Pty=0", "/w/rnnedge.deb")
    assert "Setting up rnnedge" in done.stdout
    for name, path in bundles.items():
        shutil.copy(path, emulated.shared / f"{name}.rnnedge")
    shutil.copy(HERE / "outputs.py", emulated.shared)
    np.save(emulated.shared / "frames.npy", frames)
    write_film(emulated.shared / "film.avi", frames)
    return emulated


def write_film(path: Path, frames: np.ndarray) -> None:
    """Every frame enlarged, without loss, 20 a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 20.0, (64, 64))
    assert writer.isOpened()
    for frame in frames:
        large = cv2.resize(frame, (64, 64), interpolation=cv2.INTER_NEAREST)
        writer.write(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))
    writer.release()


def runtime(machine: Emulated) -> str:
    """The folder of the installed runtime."""
    return machine.run("sh", "-c", "echo /usr/lib/rnnedge/runtimes/*").stdout.strip()


def here(*words: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """The same with this machine's Python."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env},
    )


@pytest.fixture(scope="session")
def tflite_runtime(machine: Emulated, facts: DebFacts, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for `PYTHONPATH` in the machine that has tflite-runtime before what is installed."""
    from rnnedge.deploy.architecture import Architecture

    plain = ARCHITECTURES["arm64"]
    folder = tmp_path_factory.mktemp("tflite")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *plain.pip_options]
    done = subprocess.run(
        [*command, "--dest", folder, "tflite-runtime==2.14.0"], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"tflite-runtime for arm64 cannot be downloaded: {done.stderr.strip()[-200:]}")
    assert isinstance(plain, Architecture)
    for path, data, _ in unpack(next(folder.glob("*.whl"))):
        target = machine.shared / "tflite" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return f"/w/tflite:{runtime(machine)}"


def test_the_package_is_small(facts: DebFacts) -> None:
    print(facts)
    assert facts.bytes <= MAX_BYTES


def test_apt_has_installed_a_tested_bundle(machine: Emulated, facts: DebFacts) -> None:
    status = json.loads(machine.run("rnnedge-device", "status").stdout)
    assert status["ok"]
    assert status["package"] == facts.version
    assert status["current"]["sha256"] == facts.bundle_sha256
    assert status["current"]["form"] in ("loop", "step", "fused")
    assert status["machine"]["architecture"] == "aarch64"
    assert status["runtime"].startswith("ai-edge-litert")
    enabled = machine.run("sh", "-c", "ls /etc/systemd/system/multi-user.target.wants").stdout
    assert "rnnedge.service" in enabled


def test_systemd_takes_the_unit(machine: Emulated) -> None:
    done = machine.run("systemd-analyze", "verify", "/lib/systemd/system/rnnedge.service", check=False)
    assert done.returncode == 0, done.stderr
    assert "rnnedge.service" not in done.stderr


def test_the_config_is_in_order(machine: Emulated) -> None:
    done = machine.run(RUN, "--config", "/etc/rnnedge/rnnedge.toml", "--check")
    assert "in order; cameras: camera" in done.stdout


@pytest.mark.parametrize("kind", ["rows", "clips", "captions"])
def test_the_self_test_passes_to_the_bit(machine: Emulated, kind: str) -> None:
    found = json.loads(machine.run(RUN, f"/w/{kind}.rnnedge", "--selftest", "--json").stdout)
    assert found["selftest"]["ok"]
    assert all(form.get("max_lsb", 0) == 0 for form in found["selftest"]["forms"])


def test_the_benchmark_is_one_line(machine: Emulated) -> None:
    (line,) = machine.run(RUN, "/w/rows.rnnedge", "--benchmark", "--json").stdout.splitlines()
    found = json.loads(line)
    assert set(found["forms"]) == {"loop", "step", "fused"}
    assert found["machine"]["model"] == "emulated, as a Raspberry Pi 4"


def outputs_of(folder: Path) -> list[str]:
    names = ("rows", "clips", "captions")
    return [f"{folder}/outputs.py", f"{folder}/frames.npy", *(f"{n}={folder}/{n}.rnnedge" for n in names)]


def compare(mine: Path, theirs: Path) -> dict[str, tuple[int, float, float]]:
    """For each form: the largest difference in LSB, the shares of equal outputs and of equal labels."""
    x86, arm = dict(np.load(mine)), dict(np.load(theirs))
    assert x86.keys() == arm.keys()
    found = {}
    for name, y in x86.items():
        assert y.dtype == arm[name].dtype == np.int8
        assert len(y) >= 500
        gap = np.abs(y.astype(int) - arm[name])
        labels = float((y.argmax(1) == arm[name].argmax(1)).mean())
        found[name] = int(gap.max()), float((gap == 0).mean()), labels
    for name, (lsb, equal, labels) in found.items():
        print(f"{name:<16} {len(x86[name])} outputs: {lsb} LSB, {equal:.2%} equal, {labels:.2%} same label")
    return found


def both(machine: Emulated, name: str, path: str, **env: str) -> tuple[Path, Path]:
    """Raw outputs of x86 with ai-edge-litert, and of the emulated machine."""
    first, *rest = outputs_of(machine.shared)
    mine, theirs = machine.shared / f"x86-{name}.npz", machine.shared / f"arm-{name}.npz"
    here(first, rest[0], mine, *rest[1:], RNNEDGE_RUNTIME="litert")
    first, *rest = outputs_of(Path("/w"))
    words = [
        "/usr/bin/env",
        f"PYTHONPATH={path}",
        "python3",
        "-s",
        first,
        rest[0],
        f"/w/{theirs.name}",
        *rest[1:],
    ]
    machine.run(*words, **env)
    return mine, theirs


def test_every_output_is_x86s_to_the_bit(machine: Emulated) -> None:
    found = compare(*both(machine, "litert", runtime(machine)))
    assert {lsb for lsb, _, _ in found.values()} == {0}


def test_the_other_runtime_is_within_its_lsb(machine: Emulated, tflite_runtime: str) -> None:
    found = compare(*both(machine, "tflite", tflite_runtime, RNNEDGE_RUNTIME="tflite"))
    assert max(lsb for lsb, _, _ in found.values()) <= TFLITE_LSB
    assert min(labels for _, _, labels in found.values()) >= 0.995


def events(text: str) -> list[dict[str, object]]:
    """Lines without how long they took."""
    found = [json.loads(line) for line in text.splitlines()]
    return [{key: value for key, value in event.items() if key != "latency_ms"} for event in found]


@pytest.mark.parametrize("kind", ["rows", "clips", "captions"])
def test_a_whole_video_gives_x86s_events(machine: Emulated, kind: str) -> None:
    words = ("--source", "film.avi", "--jsonl", "-")
    mine = events(here("-m", "rnnedge_device", f"{kind}.rnnedge", *words, cwd=machine.shared).stdout)
    theirs = events(machine.run("sh", "-c", f"cd /w && {RUN} {kind}.rnnedge {' '.join(words)}").stdout)
    assert len(mine) >= 25
    assert theirs == mine


@pytest.mark.parametrize("kind", ["rows", "clips", "captions"])
def test_the_other_runtime_streams_the_video_too(machine: Emulated, tflite_runtime: str, kind: str) -> None:
    words = ("--source", "film.avi", "--jsonl", "-")
    mine = events(here("-m", "rnnedge_device", f"{kind}.rnnedge", *words, cwd=machine.shared).stdout)
    command = (
        f"cd /w && PYTHONPATH={tflite_runtime} python3 -s -m rnnedge_device {kind}.rnnedge {' '.join(words)}"
    )
    theirs = events(machine.run("sh", "-c", command, RNNEDGE_RUNTIME="tflite").stdout)
    pairs = list(zip(mine, theirs, strict=True)) if kind == "rows" else list(zip(mine, theirs, strict=False))
    same = sum(one["label"] == other["label"] for one, other in pairs) / len(pairs)
    assert same >= 0.995


def test_purging_leaves_nothing(machine: Emulated) -> None:
    machine.run("apt-get", "purge", "-y", "rnnedge")
    left = machine.run(
        "sh", "-c", "find / -xdev -name '*rnnedge*' -not -path '/proc/*' -not -path '/var/log/*'"
    )
    assert left.stdout.split() == []
