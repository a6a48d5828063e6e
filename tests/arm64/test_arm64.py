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
from conftest import ROOT, Emulated

from benchmarks.arm64.compared import Gap, gaps, row
from rnnedge.deploy import DebFacts, build_deb
from rnnedge.deploy.debian.architecture import ARCHITECTURES
from rnnedge.deploy.debian.wheels import fetch, unpack
from rnnedge_device.errors import InputError

FRAMES = 600
KINDS = ("rows", "clips", "captions")
OUTPUTS = ROOT / "benchmarks/arm64/outputs.py"
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
def frames() -> dict[str, np.ndarray]:
    """Frames for each kind, `uint8 [N, H, W]` or `[N, H, W, 3]`: scans, moving scans, coloured pictures."""
    from sklearn.datasets import load_digits

    from rnnedge.data.motion import motion_video

    rng = np.random.default_rng(0)
    colours = np.array(((0, 0, 255), (0, 255, 0), (255, 0, 0), (128, 128, 128)))
    noise = rng.integers(0, 40, (FRAMES, 12, 12, 3))
    return {
        "rows": np.round(load_digits().images[-FRAMES:] * 255 / 16).astype(np.uint8),
        "clips": motion_video(40, fps=20.0).frames[:FRAMES],
        "captions": np.clip(colours[np.arange(FRAMES) // 15 % 4, None, None] * 0.8 + noise, 0, 255).astype(
            np.uint8
        ),
    }


@pytest.fixture(scope="session")
def machine(
    emulated: Emulated, facts: DebFacts, bundles: dict[str, Path], frames: dict[str, np.ndarray]
) -> Emulated:
    """With the package installed by apt, and in `/w` the bundles, frames and videos."""
    done = emulated.run("apt-get", "install", "-y", "-o", "Dpkg::Use-Pty=0", "/w/rnnedge.deb")
    assert "Setting up rnnedge" in done.stdout
    for name, path in bundles.items():
        shutil.copy(path, emulated.shared / f"{name}.rnnedge")
        np.save(emulated.shared / f"{name}.npy", frames[name])
        write_film(emulated.shared / f"{name}.avi", frames[name])
    shutil.copy(OUTPUTS, emulated.shared)
    return emulated


def write_film(path: Path, frames: np.ndarray) -> None:
    """Every frame enlarged, without loss, 20 a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 20.0, (64, 64))
    assert writer.isOpened()
    for frame in frames:
        large = cv2.resize(frame, (64, 64), interpolation=cv2.INTER_NEAREST)
        writer.write(large if large.ndim == 3 else cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))
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
    plain = ARCHITECTURES["arm64"]
    folder = tmp_path_factory.mktemp("tflite")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *plain.pip_options]
    done = subprocess.run(
        [*command, "--dest", folder, "tflite-runtime==2.14.0"], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"tflite-runtime for arm64 cannot be downloaded: {done.stderr.strip()[-200:]}")
    for path, data in unpack(next(folder.glob("*.whl"))):
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
    assert status["current"]["form"] == "unrolled"
    assert status["machine"]["architecture"] == "aarch64"
    assert status["runtime"].startswith("ai-edge-litert")
    enabled = machine.run("sh", "-c", "ls /etc/systemd/system/multi-user.target.wants").stdout
    assert "rnnedge.service" in enabled


def test_lintian_finds_no_error(emulated: Emulated, facts: DebFacts) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    words = ["lintian", "--allow-root", "--fail-on", "error", emulated.shared / "rnnedge.deb"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_takes_the_unit(machine: Emulated) -> None:
    done = machine.run(
        "systemd-analyze", "--man=no", "verify", "/lib/systemd/system/rnnedge.service", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rnnedge.service" not in done.stderr


def test_the_config_is_in_order(machine: Emulated) -> None:
    done = machine.run(RUN, "--config", "/etc/rnnedge/rnnedge.toml", "--check")
    assert "in order; cameras: camera" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_self_test_passes_to_the_bit(machine: Emulated, kind: str) -> None:
    found = json.loads(machine.run(RUN, f"/w/{kind}.rnnedge", "--selftest", "--json").stdout)
    assert found["selftest"]["ok"]
    assert all(form["max_lsb"] == 0 for form in found["selftest"]["forms"])


def test_the_benchmark_is_one_line(machine: Emulated) -> None:
    (line,) = machine.run(RUN, "/w/rows.rnnedge", "--benchmark", "--json").stdout.splitlines()
    found = json.loads(line)
    assert set(found["forms"]) == {"unrolled"}
    assert found["machine"]["model"] == "emulated, as a Raspberry Pi 4"


def compare(machine: Emulated, name: str, path: str, **env: str) -> dict[str, Gap]:
    """Raw outputs of x86 (ai-edge-litert) and of the emulated machine, by form."""
    here(
        machine.shared / "outputs.py",
        machine.shared / "x86.npz",
        machine.shared,
        *KINDS,
        RNNEDGE_RUNTIME="litert",
    )
    words = ["env", f"PYTHONPATH={path}", "python3", "-s", "/w/outputs.py", f"/w/{name}.npz", "/w", *KINDS]
    machine.run(*words, **env)
    found = gaps(machine.shared / "x86.npz", machine.shared / f"{name}.npz")
    for form, gap in found.items():
        assert gap.outputs >= 500 or form == "clips/last"
        print("\n" + row(name, form, gap), end="")
    return found


def test_every_output_is_x86s(machine: Emulated, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        found = compare(machine, "litert", runtime(machine))
    for form, gap in found.items():
        assert (gap.lsb, gap.label) == (0, 1), form


def test_the_other_runtime_is_within_its_lsb(
    machine: Emulated, tflite_runtime: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        found = compare(machine, "tflite", tflite_runtime, RNNEDGE_RUNTIME="tflite")
    assert max(gap.lsb for gap in found.values()) <= TFLITE_LSB
    assert found["rows/unrolled"].label >= 0.995
    # Models of seconds of training, unsure about many frames: docs/raspberry-pi.md has figures of trained ones.
    assert (
        min(gap.label for form, gap in found.items() if form.split("/")[1] not in ("last", "sentence"))
        >= 0.97
    )


def events(text: str) -> list[dict[str, object]]:
    """Lines without how long they took; scores to five digits, since exp() differs in its last bits."""
    found = [json.loads(line) for line in text.splitlines()]
    return [
        {
            key: round(value, 5) if key == "score" else value
            for key, value in event.items()
            if key != "latency_ms"
        }
        for event in found
    ]


def close(mine: list[dict[str, object]], theirs: list[dict[str, object]]) -> bool:
    """The same events, but for a score's last digit."""
    score = [[float(str(event.get("score", 0))) for event in side] for side in (mine, theirs)]
    rest = [[{k: v for k, v in event.items() if k != "score"} for event in side] for side in (mine, theirs)]
    return rest[0] == rest[1] and bool(np.allclose(*score, atol=3e-5))


def streamed(machine: Emulated, kind: str) -> list[dict[str, object]]:
    """The events of a kind's video on this machine."""
    words = ("-m", "rnnedge_device", f"{kind}.rnnedge", "--source", f"{kind}.avi", "--jsonl", "-")
    return events(here(*words, cwd=machine.shared, RNNEDGE_RUNTIME="litert").stdout)


@pytest.mark.parametrize("kind", ["rows", "clips"])
def test_a_whole_video_gives_x86s_events(machine: Emulated, kind: str) -> None:
    mine = streamed(machine, kind)
    command = f"cd /w && {RUN} {kind}.rnnedge --source {kind}.avi --jsonl -"
    theirs = events(machine.run("sh", "-c", command).stdout)
    assert len(mine) >= 100
    assert close(mine, theirs)


def test_a_whole_video_gives_x86s_captions(machine: Emulated) -> None:
    command = f"cd /w && {RUN} captions.rnnedge --source captions.avi --jsonl - --interval-ms 500"
    words = ("-m", "rnnedge_device", "captions.rnnedge", "--source", "captions.avi", "--jsonl", "-")
    mine = events(here(*words, "--interval-ms", "500", cwd=machine.shared, RNNEDGE_RUNTIME="litert").stdout)
    theirs = events(machine.run("sh", "-c", command).stdout)
    assert len(mine) >= 40
    assert close(mine, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_runtime_streams_the_video_too(machine: Emulated, tflite_runtime: str, kind: str) -> None:
    """With x86's events, but for those of frames about which the model is unsure."""
    python = f"PYTHONPATH={tflite_runtime} python3 -s -m rnnedge_device"
    command = f"cd /w && {python} {kind}.rnnedge --source {kind}.avi --jsonl {kind}.tflite.jsonl --json"
    found = json.loads(machine.run("sh", "-c", command, RNNEDGE_RUNTIME="tflite").stdout)
    assert found["frames"] == FRAMES
    assert found["runtime"].startswith("tflite-runtime")
    lines = (machine.shared / f"{kind}.tflite.jsonl").read_text()
    mine, theirs = (
        {(e["ts_ms"], e["label"]) for e in side} for side in (streamed(machine, kind), events(lines))
    )
    assert len(mine & theirs) >= 0.9 * max(len(mine), len(theirs))


def test_purging_leaves_nothing(machine: Emulated) -> None:
    machine.run("apt-get", "purge", "-y", "rnnedge")
    left = machine.run(
        "sh", "-c", "find / -xdev -name '*rnnedge*' -not -path '/proc/*' -not -path '/var/log/*'"
    )
    assert left.stdout.split() == []
