"""One device's deployment: check, copy, try, install, test, start, read events back; and the way back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnedge.deploy.ssh.connection import Connection, DeployError
from rnnedge.deploy.ssh.device import Device
from rnnedge.deploy.ssh.host import Host
from rnnedge.deploy.ssh.shelf import PackageShelf
from rnnedge_device.files import sha256

# What is being done, and the share of it that is done where that is known.
Told = Callable[[str, float | None], None]
_EVENTS_S = 20


@dataclass(frozen=True)
class Deployment:
    """What is to come of one device.

    Args:
        host: where.
        architecture: what it must be; None for whatever it is.
        form: of the bundle, in place of the fastest.
        config: a file for `/etc/rnnedge/rnnedge.toml`; None keeps the one there.
        retries: of a step after a lost connection.

    Example:
        report = Deployment(Host.parse("pi@door.local")).of_package(PackageShelf(Path("actions.rnnedge"), folder))
    """

    host: Host
    architecture: str | None = None
    form: str | None = None
    config: Path | None = None
    retries: int = 3

    def of_package(self, shelf: PackageShelf, told: Told = lambda step, share: None) -> dict[str, Any]:
        """Runner, runtime and bundle, as a Debian package.

        Returns:
            `{"host", "ok", "seconds", "warnings", "architecture", "system", "package", "bundle", "selftest",
            "service", "events"}`, or what of it was reached and `"error"`, with `"failed"`, the step that failed.
        """
        return self._reported(
            "deploy", lambda device, report, at: self._package(device, shelf, report, at), told
        )

    def of_bundle(self, bundle: Path, told: Told = lambda step, share: None) -> dict[str, Any]:
        """Another bundle for the package that is there. Reports as `of_package`."""
        return self._reported(
            "bundle", lambda device, report, at: self._bundle(device, bundle, report, at), told
        )

    def back(self, told: Told = lambda step, share: None) -> dict[str, Any]:
        """What ran before the last deployment. Reports as `of_package`."""
        return self._reported("rollback", self._back, told)

    def _reported(
        self, kind: str, act: Callable[[Device, dict[str, Any], Told], None], told: Told
    ) -> dict[str, Any]:
        report: dict[str, Any] = {"host": self.host.title, "kind": kind, "ok": False, "warnings": []}
        began, now = time.monotonic(), "connect"

        def at(step: str, share: float | None = None) -> None:
            nonlocal now
            now = step
            told(step, share)

        try:
            with Connection(self.host) as connection:
                act(Device(connection, self.retries), report, at)
            report["ok"] = True
        except DeployError as problem:
            report |= {"error": str(problem), "failed": now}
        return {**report, "seconds": round(time.monotonic() - began, 1)}

    def _package(self, device: Device, shelf: PackageShelf, report: dict[str, Any], at: Told) -> None:
        self._check(device, report, at)
        at("build", None)
        package = shelf.package(report["architecture"])
        at("check", None)
        device.facts().check_space(package.bytes, package.installed_bytes)
        device.wait_for_dpkg()
        name = f"{package.sha256[:16]}.deb"
        report["package"] = {key: getattr(package, key) for key in ("version", "sha256", "bytes")}
        at("copy", 0.0)
        device.upload(package.path, name, lambda share: at("copy", share))
        config = self._sent_config(device)
        at("try", None)
        _passed(device.answer("trial", name, *(config or [""]), self.form or ""), "nothing was changed")
        at("install", None)
        since = str(device.facts().time)
        device.step("install", name, *config)
        self._has(device, device.step("packaged").strip(), report)
        if self.form is not None:
            device.answer("form", self.form)
            device.step("restart")
        at("self-test", None)
        report["selftest"] = _passed(device.answer("selftest"), "see --rollback")
        self._started(device, since, report, at)

    def _bundle(self, device: Device, bundle: Path, report: dict[str, Any], at: Told) -> None:
        self._check(device, report, at)
        digest = sha256(bundle.read_bytes())
        name = f"{digest[:16]}.rnnedge"
        at("copy", 0.0)
        device.upload(bundle, name, lambda share: at("copy", share))
        at("install", None)
        since = str(device.facts().time)
        report["installed"] = device.answer("install_bundle", name, *([self.form] if self.form else []))
        self._has(device, digest, report)
        if report["installed"]["changed"]:
            at("swap", None)
            since = self._taken(device, since, digest)
        elif self.form is not None:
            device.step("restart")
        self._started(device, since, report, at)

    def _back(self, device: Device, report: dict[str, Any], at: Told) -> None:
        self._check(device, report, at)
        device.wait_for_dpkg()
        at("roll back", None)
        since, before = str(device.facts().time), device.step("current").strip()
        device.step("rollback")
        report["bundle"] = device.step("current").strip()
        if report["bundle"] != before:
            since = self._taken(device, since, report["bundle"])
        at("self-test", None)
        report["selftest"] = _passed(device.answer("selftest"), "see --rollback")
        self._started(device, since, report, at)

    def _check(self, device: Device, report: dict[str, Any], at: Told) -> None:
        at("check", None)
        facts = device.facts()
        report["warnings"] += facts.check(self.architecture)
        report |= {"architecture": facts.architecture, "system": facts.system_name}

    def _sent_config(self, device: Device) -> list[str]:
        if self.config is None:
            return []
        name = f"{sha256(self.config.read_bytes())[:16]}.toml"
        device.upload(self.config, name)
        return [name]

    @staticmethod
    def _has(device: Device, bundle: str, report: dict[str, Any]) -> None:
        """Does it run the bundle of this SHA-256?"""
        report["bundle"] = device.step("current").strip()
        if report["bundle"] != bundle:
            raise DeployError(
                "the device has kept another bundle: it refused this one (see journalctl -u rnnedge there)"
            )

    @staticmethod
    def _taken(device: Device, since: str, bundle: str) -> str:
        """Wait until the running service has gone over to a bundle; from which time on events are the new one's."""
        said = device.step("taken", since, bundle[:12]).strip()
        if said and json.loads(said)["health"] != "swapped":
            raise DeployError(f"the running service has refused the bundle: {json.loads(said)['detail']}")
        return str(device.facts().time) if said else since

    @staticmethod
    def _started(device: Device, since: str, report: dict[str, Any], at: Told) -> None:
        at("start", None)
        report["service"] = device.step("start").strip()
        at("events", None)
        said = device.step("events", since, str(_EVENTS_S)).splitlines()
        report["events"] = _events(said)
        if not report["events"] and report["service"] == "active":
            last = f"; it last said: {said[-1]}" if said else ""
            report["warnings"].append(f"the service runs, but gave no event in {_EVENTS_S} s{last}")
        device.step("tidy")


def _events(lines: list[str]) -> list[dict[str, Any]]:
    """The first events among what the service has said: lines of logs and of health are none."""
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and "task" in value and "label" in value:
            found.append(value)
    return found[:3]


def _passed(answer: dict[str, Any], then: str) -> dict[str, Any]:
    """The figures of a self-test that has passed. DeployError where it has not, with what became of the device."""
    selftest: dict[str, Any] = answer["selftest"]
    if selftest["ok"]:
        return selftest
    bad = next(form for form in selftest["forms"] if not form["ok"])
    gap = f"{bad['max_lsb']} LSB" if "max_lsb" in bad else f"{bad['max_abs']:.2g}"
    raise DeployError(
        f"self-test failed, {then}: form {bad['form']} is {gap} from what the workstation computed, "
        f"{bad['allowed']:.2g} allowed"
    )
