"""Bundles, light packages and devices to deploy to. The models are those of the device's tests."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploying import free_port
from light_package import light_package
from machine import Machine, missing

from rnnedge_device.bundle import write_bundle
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
    """`old` and `new`, which differ in their names; `wrong`, whose self-test fails everywhere; `forms` has two."""
    folder = tmp_path_factory.mktemp("bundles")
    right = Golden.from_bytes(golden)
    one = {"loop": right.outputs["loop"]}
    wrong = {"loop": (one["loop"].astype(np.int16) ^ 64).astype(np.int8)}
    outputs = {"old": one, "new": one, "wrong": wrong}
    for name, expected in outputs.items():
        members = {**tiny.members("loop"), "golden.npz": Golden(right.images, expected).to_bytes()}
        write_bundle(folder / f"{name}.rnnedge", tiny.manifest("loop", name=name), members)
    two = ("loop", "step")
    both = Golden(right.images, {name: right.outputs[name] for name in two}).to_bytes()
    members = {**tiny.members(*two), "golden.npz": both}
    write_bundle(folder / "forms.rnnedge", tiny.manifest(*two, name="forms"), members)
    return {name: folder / f"{name}.rnnedge" for name in (*outputs, "forms")}


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

    # Whether this system lets one start at all; a container may not.
    first = make()
    try:
        first.boot()
    except AssertionError as problem:
        first.close()
        pytest.skip(f"no devices to deploy to: one does not start here: {problem}")
    first.power_off()
    yield make
    for machine in made:
        machine.close()
