"""Install a bundle on this machine, go back to the one before, and tell what is there."""

import os
from pathlib import Path
from typing import Any

from rnnedge_device.bundle import Bundle, read_bundle
from rnnedge_device.choice import AUTO, recall, remember
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.files import sha256
from rnnedge_device.install.store import BundleStore
from rnnedge_device.interpreter import runtime_version
from rnnedge_device.machine import installed, machine
from rnnedge_device.signature import PublicKey
from rnnedge_device.swap.checker import Checker
from rnnedge_device.timing import candidates


def install(
    path: str | os.PathLike[str],
    store: BundleStore,
    key: PublicKey | None = None,
    form: str | None = None,
    limit_s: float = 120.0,
) -> dict[str, Any]:
    """Try a bundle; if it passes, make it the current one. Else everything stays as it was.

    1. Its digests are checked, and its signature. 2. Each form it may run in is tried in a process of its own: the
    golden self-test, then a second of timing. 3. The file is copied, beside it a note with the fastest form that
    passed. 4. The links are switched, and what is neither current nor previous is removed.

    Args:
        key: the bundle must be signed with it.
        form: to run in, in place of the fastest.
        limit_s: for one form's trial.

    Returns:
        `{"bundle", "previous", "changed", "form", "forms", "runtime"}`; bundles as in `status`; `forms` has for each
        form tried `{"median_us", "p95_us", "agree", "max_lsb" | "max_abs"}` or `{"error"}`.

    Raises:
        BundleError: not signed, damaged, or no form passes its test.
        InputError: there is no such form, or another installation is under way.
        OSError: the folder cannot be written, a full disk included.

    Example:
        install("actions.rnnedge", BundleStore())["form"]
    """
    bundle = read_bundle(path, key)
    names = wanted_forms(bundle, form)
    with Checker(limit_s) as checker:
        forms = {name or "default": _tried(checker, bundle, key, name) for name in names}
    passed = {name: found for name, found in forms.items() if "error" not in found}
    if not passed:
        raise BundleError(next(iter(forms.values()))["error"])
    best = min(passed, key=lambda name: passed[name]["median_us"])
    chosen = None if names == [None] else best
    with store.locked():
        data = Path(path).read_bytes()
        if sha256(data) != bundle.sha256:
            raise BundleError(f"bundle {os.fspath(path)!r}: was replaced while it was being tried")
        before = store.current
        there = store.put(data)
        about = {"sha256": bundle.sha256, "name": bundle.manifest.name, "task": bundle.manifest.task}
        remember(there, {**about, "form": chosen, "forms": forms, "runtime": runtime_version()})
        store.switch(there)
        store.tidy()
        return {
            "bundle": _facts(store.current),
            "previous": _facts(store.previous),
            "changed": before != there,
            "form": chosen,
            "forms": forms,
            "runtime": runtime_version(),
        }


def roll_back(store: BundleStore) -> dict[str, Any]:
    """Make the bundle before the current one, and the other way round.

    Returns:
        `{"bundle", "previous"}`.

    Raises:
        InputError: there is none, or another installation is under way.
    """
    with store.locked():
        store.roll_back()
        return {"bundle": _facts(store.current), "previous": _facts(store.previous)}


def status(store: BundleStore) -> dict[str, Any]:
    """What is installed and whether it runs.

    Returns:
        `{"current", "previous", "runtime", "package", "service", "machine"}`; a bundle is `{"file", "sha256", "name",
        "task", "form"}` or None; `service` is systemd's word, None where it does not run; a file that was damaged has
        `{"file", "error"}`.
    """
    return {
        "current": _facts(store.current),
        "previous": _facts(store.previous),
        "runtime": runtime_version(),
        **installed(),
        "machine": machine(),
    }


def wanted_forms(bundle: Bundle, form: str | None) -> list[str | None]:
    """The forms to try: the one that is asked for, else all among which there is a choice; `[None]` for no choice.

    Raises:
        InputError: the bundle has no such form that can be tested.
    """
    possible = candidates(bundle)
    if form in (None, AUTO):
        return possible
    if form not in possible:
        have = ", ".join(str(name) for name in possible if name) or "no choice of forms"
        raise InputError(f"--form = {form!r}: the bundle has {have}")
    return [form]


def _tried(checker: Checker, bundle: Bundle, key: PublicKey | None, form: str | None) -> dict[str, Any]:
    try:
        check = checker.check(bundle.path, key=key, form=form)
    except BundleError as problem:
        return {"error": str(problem)}
    if check.sha256 != bundle.sha256:
        raise BundleError(f"bundle {bundle.path!r}: was replaced while it was being tried")
    tested = check.selftest["forms"]
    gap = "max_lsb" if "max_lsb" in tested[0] else "max_abs"
    return {
        "median_us": check.latency_us["median"],
        "p95_us": check.latency_us["p95"],
        "agree": min(one["agree"] for one in tested),
        gap: max(one.get(gap, 0) for one in tested),
    }


def _facts(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        bundle = read_bundle(path)
    except BundleError as problem:
        return {"file": str(path), "error": str(problem)}
    return {
        "file": str(path),
        "sha256": bundle.sha256,
        "name": bundle.manifest.name,
        "task": bundle.manifest.task,
        "form": recall(path, bundle.sha256).get("form"),
    }
