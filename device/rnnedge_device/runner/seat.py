"""One camera's place at the model: its frames answered, its orders obeyed between two of them."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rnnedge_device.answers import Answers, Fed, Model
from rnnedge_device.caption_stream import CaptionPrediction
from rnnedge_device.models import form_of, rate_of
from rnnedge_device.runner.camera_status import CameraStatus
from rnnedge_device.runner.capture import Capture
from rnnedge_device.runner.config import CameraOptions
from rnnedge_device.runner.mailbox import End, Interruption, Item
from rnnedge_device.runner.outlets import Outlets
from rnnedge_device.runner.status import RunnerStatus
from rnnedge_device.source import Frame
from rnnedge_device.swap import Deployment, carry

_log = logging.getLogger(__name__)


class Seat:
    """A camera at an inference thread. All but the orders is for that thread alone.

    Args:
        options: of the camera.
        capture: where its frames come from.
        deployment: of its bundle; `make` opens a stream through a model that comes in its place.
        answers: through the model that runs.
        status, whole: of the camera and of the runner.
        over: has the source ended, or was it given up?
    """

    def __init__(
        self,
        options: CameraOptions,
        capture: Capture,
        deployment: Deployment[Model],
        answers: Answers,
        make: Callable[[Model], Fed],
        outlets: Outlets,
        status: CameraStatus,
        whole: RunnerStatus,
    ) -> None:
        self.options, self.name = options, options.name
        self.capture, self.deployment = capture, deployment
        self._answers, self._make = answers, make
        self._outlets, self.status, self._whole = outlets, status, whole
        self.over = False
        self._reset = ""  # what the next frame is told
        self._level = 0  # how many times the rate is halved
        self._rate = options.rate or 0.0  # what the next frame is told; 0: nothing new
        self._failed = False
        self._last_ms = 0.0

    # --- orders, from any thread --------------------------------------------------------------------------

    def reset(self) -> None:
        """The state begins anew with the next frame."""
        self._reset = self._reset or "demand"

    def swap(self, bundle: Path) -> None:
        """Take another bundle once it has passed its trial. InputError where that cannot be."""
        self.deployment.request(bundle)

    def roll_back(self) -> None:
        """Go back to the bundle before. InputError where there is none."""
        self.deployment.roll_back()

    # --- in the inference thread --------------------------------------------------------------------------

    @property
    def wanted(self) -> float | None:
        """Model steps a second that config and bundle ask for, or that the camera gives; None if nobody says."""
        wishes = (self.options.rate, rate_of(self.deployment.active.model))
        found = [wish for wish in wishes if wish]
        return min(found) if found else self.capture.fps or None

    def handle(self, item: Item) -> float:
        """Whatever lies in the mailbox; seconds spent computing."""
        if isinstance(item, Interruption):
            self._reset = item.reason
            for message in self._answers.interrupt(item.reason):
                self._outlets.say(message)
        elif isinstance(item, End):
            self._finish()
        elif not self._failed:
            return self._answer(item)
        return 0.0

    def slow_down(self, level: int) -> None:
        """Halve the rate so many times, and say so."""
        wanted = self.wanted
        if wanted is None:
            return
        kind = "degraded" if level > self._level else "restored"
        self._level, self._rate = level, wanted / 2**level
        self.status.health = None if level == 0 else "degraded"
        self._outlets.health(
            self.name,
            kind,
            f"{self._rate:g} of {wanted:g} model steps a second: the machine "
            + ("does not keep up" if kind == "degraded" else "has time again"),
            self._last_ms,
        )

    def _answer(self, frame: Frame) -> float:
        self._switch_if_due()
        if self._reset or self._rate:
            reset, self._reset = self._reset, ""
            rate, self._rate = self._rate, 0.0
            frame = replace(frame, reset=reset, rate=rate)
        begin = time.monotonic()
        try:
            predictions, messages = self._answers.feed(frame)
        except Exception as problem:
            self._fail(problem)
            return 0.0
        spent_s = time.monotonic() - begin
        self._last_ms = frame.ts_ms
        for message in messages:
            self._outlets.say(message)
        for prediction in predictions:
            # Between two captions a frame's answer has the last one's latency.
            if not isinstance(prediction, CaptionPrediction) or prediction.finished:
                self.deployment.took(prediction.latency_us)
        self.status.answered(frame.taken_s or begin, begin, predictions)
        self._whole.advance()
        return spent_s

    def _switch_if_due(self) -> None:
        change = self.deployment.due()
        if change is None:
            return
        before = self._answers.fed
        after = self._make(change.loaded.model)
        carried = carry(before, after)
        self._answers.switch(after)
        if self._level or self.options.rate:
            self._rate = (self.wanted or 0.0) / 2**self._level
        self.describe()
        self.deployment.done(change, carried)

    def describe(self) -> None:
        """Which bundle runs, for the status."""
        bundle, model = self.deployment.active.bundle, self.deployment.active.model
        self.status.bundle, self.status.bundle_sha256 = bundle.path, bundle.sha256
        self.status.form, self.status.task = form_of(model), model.manifest.task
        self.status.wanted = self.wanted

    def _fail(self, problem: Exception) -> None:
        # On probation the bundle before takes over with the next frame.
        if self.deployment.failed(problem):
            return
        _log.exception("the model failed", extra={"camera": self.name})
        self._failed = True
        self.status.state, self.status.health = "failed", "gave_up"
        self._outlets.health(self.name, "gave_up", f"the model failed: {problem}", self._last_ms)
        self.capture.stop()

    def _finish(self) -> None:
        try:
            for message in self._answers.finish()[1]:
                self._outlets.say(message)
        except Exception as problem:
            self._fail(problem)
        self.over = True
