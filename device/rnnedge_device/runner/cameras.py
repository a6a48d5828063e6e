"""The cameras of a runner: bundles loaded, sources checked, captures and seats made, grouped by interpreter."""

import os
import threading
import weakref
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from rnnedge_device.answers import Answers, Model
from rnnedge_device.bundle import read_bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError
from rnnedge_device.files import sha256
from rnnedge_device.models import check_options, open_model
from rnnedge_device.runner.camera_status import CameraStatus
from rnnedge_device.runner.capture import Capture
from rnnedge_device.runner.config import CameraOptions, RunnerOptions
from rnnedge_device.runner.inference import Inference
from rnnedge_device.runner.mailbox import Mailbox
from rnnedge_device.runner.outlets import Outlets
from rnnedge_device.runner.seat import Seat
from rnnedge_device.runner.status import RunnerStatus
from rnnedge_device.signature import PublicKey
from rnnedge_device.sources import is_live, open_source
from rnnedge_device.sources.camera_spec import public_name
from rnnedge_device.swap import Checker, Deployment, LastGood, LoadedBundle, prepare


class Cameras:
    """Makes cameras from their options, and keeps what they share: interpreters, threads, the checker of bundles.

    Args:
        outlets: what they say goes there.
        status: of the runner.
        on_end: called in an inference thread when a camera is over.
    """

    def __init__(self, outlets: Outlets, status: RunnerStatus, on_end: Callable[[Seat], None]) -> None:
        self._outlets, self._status, self._on_end = outlets, status, on_end
        self._checker = Checker()
        self._groups: dict[tuple[str, str | None, int], tuple[Inference, LoadedBundle[Model]]] = {}
        self._inferences: dict[Seat, Inference] = {}
        self._preparing = threading.Lock()
        # As long as a camera holds it, to run it or to go back to it.
        self._swapped = weakref.WeakValueDictionary[tuple[Inference, str], LoadedBundle[Model]]()
        self._started = set[Inference]()

    def make(self, options: CameraOptions, runner: RunnerOptions) -> Seat:
        """A camera that is ready to start.

        Raises:
            InputError: its bundle is missing or cannot be used, or its file cannot be read; a live camera may be
                missing, it is waited for.
        """
        where = f"camera {options.name!r}"
        try:
            inference, loaded = self._group(options, runner)
            first = None if is_live(options.source) else open_source(options.source, runner.open_s)
        except InputError as problem:
            raise InputError(f"{where}: {problem}") from None
        status = CameraStatus(options.name, source=public_name(options.source))
        capture = Capture(
            options.name,
            runner.supervision,
            partial(open_source, options.source, runner.open_s),
            Mailbox(inference.bell, live=first is None or first.live),
            status,
            partial(self._outlets.health, options.name),
            first,
            roi=options.roi,
            watch_picture=first is None,
        )
        try:
            answers = Answers(
                options.name,
                inference.open_stream(capture, options.name, loaded.model),
                loaded.model.manifest.task,
            )
        except InputError as problem:
            if first is not None:
                first.close()
            raise InputError(f"{where}: {problem}") from None
        deployment = Deployment(
            loaded,
            partial(self._shared, inference, options, runner),
            lambda kind, detail: self._outlets.health(options.name, kind, detail, capture.now_ms()),
            period_ms=1000 / loaded.model.clip.rate if isinstance(loaded.model, ClipModel) else None,
        )
        seat = Seat(
            options,
            capture,
            deployment,
            answers,
            partial(inference.open_stream, capture, options.name),
            self._outlets,
            status,
            self._status,
        )
        seat.describe()
        self._inferences[seat] = inference
        return seat

    def start(self, seat: Seat) -> None:
        """Let a camera run."""
        inference = self._inferences[seat]
        inference.add(seat)
        if inference not in self._started:
            self._started.add(inference)
            inference.start()
        seat.capture.start()

    def keep_only(self, seats: Collection[Seat]) -> None:
        """Let go of the interpreters and threads that none of these cameras uses. The others' cameras were stopped."""
        self._inferences = {seat: self._inferences[seat] for seat in seats}
        used = set(self._inferences.values())
        self._groups = {key: group for key, group in self._groups.items() if group[0] in used}
        for inference in self._started - used:
            inference.close()
        # Those that still finish are waited for at the end.
        self._started = {one for one in self._started if one in used or one.thread.is_alive()}

    def close(self, deadline_s: float) -> None:
        """End the threads, once their cameras are over."""
        for inference in self._started:
            inference.close()
        for inference in self._started:
            inference.thread.join(deadline_s)
        self._checker.close()

    def _group(self, options: CameraOptions, runner: RunnerOptions) -> tuple[Inference, LoadedBundle[Model]]:
        path = Path(options.bundle)
        key = str(path.resolve()), options.form, runner.threads
        if not path.is_file():
            raise InputError(f"bundle = {options.bundle!r}: there is no such file")
        # The file may be another one than when the group was made.
        if key not in self._groups or self._groups[key][1].bundle.sha256 != sha256(path.read_bytes()):
            self._groups[key] = (
                Inference(path.stem, runner.degrade, self._on_end),
                self._load(options, runner),
            )
        return self._groups[key]

    def _load(self, options: CameraOptions, runner: RunnerOptions) -> LoadedBundle[Model]:
        last_good = last_good_of(runner)
        if last_good is None:
            bundle = read_bundle(options.bundle, _key(runner))
            check_options(bundle, options.form)
            return LoadedBundle(bundle, open_model(bundle, options.form, runner.threads))
        return last_good.start(
            options.bundle,
            partial(self._prepare, options, runner),
            lambda kind, detail: self._outlets.health(options.name, kind, detail, 0.0),
        )

    def _shared(
        self, inference: Inference, options: CameraOptions, runner: RunnerOptions, path: Path
    ) -> LoadedBundle[Model]:
        """As `_prepare`, but what another camera of the same thread has loaded from the same bytes is taken."""
        # One at a time, so that the second camera finds what the first has loaded.
        with self._preparing:
            loaded = self._swapped.get((inference, sha256(path.read_bytes()))) if path.is_file() else None
            if loaded is None:
                loaded = self._prepare(options, runner, path)
                self._swapped[inference, loaded.bundle.sha256] = loaded
        return loaded

    def _prepare(self, options: CameraOptions, runner: RunnerOptions, path: Path) -> LoadedBundle[Model]:
        return prepare(
            path,
            lambda bundle: open_model(bundle, options.form, runner.threads),
            key=_key(runner),
            form=options.form,
            threads=runner.threads,
            checker=self._checker,
        )


def last_good_of(runner: RunnerOptions) -> LastGood | None:
    """Where bundles that have proved themselves are kept; None where the runner has no folder of its own.

    Raises:
        InputError: a folder that cannot be written to.
    """
    folder = runner.state or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return LastGood(Path(folder)) if folder else None


def _key(runner: RunnerOptions) -> PublicKey | None:
    return PublicKey.read(runner.require_signature) if runner.require_signature else None
