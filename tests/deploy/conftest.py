"""Bundles, light packages and devices to deploy to. The models are those of the device's tests."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from light_package import light_package
from machine import Machine, missing

from rnnedge_device.bundle import write_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.golden import Golden

DEVICE = Path(__file__).parent.parent / "device"
sys.path.insert(0, str(DEVICE))
_spec = importlib.util.spec_from_file_location("device_fixtures", DEVICE / "conftest.py")
_fixtures = importlib.util.module_from_spec(_spec)
sys.modules["device_fixtures"] = _fixtures
_spec.loader.exec_module(_fixtures)
made_models, tiny, golden = _fixtures.made_models, _fixtures.tiny, _fixtures.golden


@pytest.fixture(scope="session")
def bundles(tiny: Any, golden: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`old` and `new`, which differ in their names, and `wrong`, whose self-test fails on every machine."""
    folder = tmp_path_factory.mktemp("bundles")
    right = Golden.from_bytes(golden)
    one = {"loop": right.outputs["loop"]}
    wrong = {"loop": (one["loop"].astype(np.int16) ^ 64).astype(np.int8)}
    outputs = {"old": one, "new": one, "wrong": wrong}
    for name, expected in outputs.items():
        members = {**tiny.members("loop"), "golden.npz": Golden(right.images, expected).to_bytes()}
        write_bundle(folder / f"{name}.rnnedge", tiny.manifest("loop", name=name), members)
    return {name: folder / f"{name}.rnnedge" for name in outputs}


@pytest.fixture(scope="session")
def packages(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A light package of each bundle, each with a runtime of its own."""
    folder = tmp_path_factory.mktemp("packages")
    return {
        name: light_package(bundle, folder / f"{name}.deb", mark=number)
        for number, (name, bundle) in enumerate(bundles.items())
    }


@pytest.fixture(scope="session")
def new_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Machine]]:
    """Makes devices, which are gone in the end. Skips where there can be none."""
    why = missing()
    if why is None and sys.version_info[:2] != (3, 11):
        why = f"this Python is {sys.version.split()[0]}, the device's is 3.11"
    if why is not None:
        pytest.skip(f"no devices to deploy to: {why}")
    made: list[Machine] = []

    def make(**options: Any) -> Machine:
        folder = tmp_path_factory.mktemp("device")
        folder.rmdir()
        given = {"port": free_port(), "site": Path(sysconfig.get_path("purelib")), **options}
        made.append(Machine(folder, **given))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def deploy(*words: object, netns: str | None = None) -> tuple[int, dict[str, Any], str]:
    """`rnnedge deploy WORDS --json`: exit code, the answer or {}, stderr."""
    before = ["ip", "netns", "exec", netns] if netns else []
    done = subprocess.run(
        [*before, sys.executable, "-m", "rnnedge", "deploy", *map(str, words), "--json"],
        capture_output=True, text=True, timeout=600, env={**os.environ, "COLUMNS": "200"}, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


def deploy_to(machine: Machine, *words: object, user: str = "pi", port: int = 0) -> tuple[int, dict[str, Any]]:
    """To one device: exit code and its report."""
    to = f"{user}@{machine.address}:{port or machine.port}"
    code, answer, err = deploy(*words, "--to", to, "--ssh-config", machine.folder / "ssh_config")
    assert answer, err
    return code, answer["hosts"][0]
