"""A bundle that has passed its trial, and the model made of it in this process."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rnnedge_device.bundle import Bundle, read_bundle
from rnnedge_device.errors import BundleError
from rnnedge_device.signature import PublicKey
from rnnedge_device.swap.checker import Check, Checker

M = TypeVar("M")


@dataclass(frozen=True)
class LoadedBundle(Generic[M]):
    """What can answer frames.

    Args:
        bundle: as it was read.
        model: what `load` made of it, such as a `ClipModel`.
        check: what its trial found; None for one that was loaded without.
    """

    bundle: Bundle
    model: M
    check: Check | None = None


def prepare(
    path: str | os.PathLike[str],
    load: Callable[[Bundle], M],
    *,
    key: PublicKey | None = None,
    form: str | None = None,
    threads: int = 1,
    task: str = "",
    checker: Checker | None = None,
    limit_s: float = 60.0,
) -> LoadedBundle[M]:
    """Try a bundle in a process of its own; if it passes, load it here. Takes seconds: not for the inference thread.

    Args:
        load: makes the model, in this process and thread.
        key: the bundle must be signed with it; None for any bundle.
        form, threads, task: as `try_bundle` takes them.
        checker: a running one; None starts one for this bundle alone, with `limit_s`.

    Raises:
        BundleError: not signed, damaged, of another task, failing its self-test, crashing or hanging the runtime,
            or replaced by yet another one meanwhile.

    Example:
        loaded = prepare("actions.rnnedge", ClipModel, task="clips")
        loaded.model.open_stream("door")
    """
    if checker is None:
        with Checker(limit_s) as own:
            check = own.check(path, key=key, form=form, threads=threads, task=task)
    else:
        check = checker.check(path, key=key, form=form, threads=threads, task=task)
    bundle = read_bundle(path, key)
    if bundle.sha256 != check.sha256:
        raise BundleError(f"bundle {os.fspath(path)!r}: was replaced while it was being tried")
    return LoadedBundle(bundle, load(bundle), check)
