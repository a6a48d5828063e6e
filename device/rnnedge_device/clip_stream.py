"""One source's way through a clip model: frames picked, state carried and reset, events decoded."""

from collections import Counter
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event, EventDecoder
from rnnedge_device.form import Form
from rnnedge_device.rate import FramePicker
from rnnedge_device.scene import SceneDetector
from rnnedge_device.source import Frame
from rnnedge_device.stepper import RowStepper

if TYPE_CHECKING:
    from rnnedge_device.clips import ClipModel

# The reasons to begin anew after which a fixed camera's room is unknown.
NEW_ROOM = ("start", "cut", "demand")


@dataclass(frozen=True, slots=True)
class ClipPrediction(Prediction):
    """The answer of one model step.

    Args:
        ts_ms: the step's time: its frame's, or before it where a frame is held for several steps.
        source: name of the stream.
        events: what began or ended with this step, see `EventDecoder.step`.
        running: labels of the events that go on.
        reset: why the state began anew with this step: `start`, `gap`, `cut`, `demand`, `swap` (another model), or
            what the source was interrupted for; "" where it was carried over.
    """

    ts_ms: float
    source: str
    events: list[Event]
    running: tuple[str, ...]
    reset: str


class ClipStream:
    """A source's own state, picks and events. Made by `ClipModel.open_stream`.

    The state begins anew on the first frame, after a gap, on a scene cut and on demand; events that run
    then end with the last step before.

    Args:
        name: of the source.
        resets: how often the state began anew, by reason (`start`, `gap`, `cut`, `demand`, `swap`).
    """

    def __init__(self, model: "ClipModel", name: str = "") -> None:
        clip = model.clip
        self.name, self.resets = name, Counter[str]()
        self._model = model
        self._stepper = RowStepper(model.engine, model.form)
        self._view = model.preprocess.view()
        self._picker = FramePicker(clip.rate, clip.max_gap_ms)
        self._detector = SceneDetector(clip.scene_cut) if clip.scene_cut else None
        self._decoder = EventDecoder(model.labels, clip.background, clip.events)
        self._demand, self._reason = "start", ""
        self._next_ms = 0.0
        self._ended: list[Event] = []  # by the stream before this one, not told yet

    @property
    def running(self) -> tuple[str, ...]:
        """Labels of the events that go on."""
        return self._decoder.running

    def reset(self) -> None:
        """Begin anew with the next frame. Safe in a signal handler and from another thread."""
        self._demand = self._demand or "demand"

    def set_rate(self, rate: float) -> None:
        """Another number of steps a second than the bundle's, as for a device that is too slow for that one.

        Raises:
            InputError: `rate` is not above zero.
        """
        self._picker.set_rate(rate)

    def interrupt(self, reason: str) -> list[Event]:
        """The source is gone for a while: the ends of what ran. Its next frame begins anew, for that reason."""
        self._demand = reason
        return self.finish()

    def feed(self, frame: Frame) -> list[ClipPrediction]:
        """A frame of the source: no step where the model's rate passes it over, normally one, or several
        where the source is slower than the model.

        Raises:
            InputError: the image's dtype or shape is not a frame's.
        """
        begin = perf_counter_ns()
        if frame.rate:
            self.set_rate(frame.rate)
        self._demand = frame.reset or self._demand
        ended = self._begin_on_demand()
        if self._picker.gap(frame.ts_ms):
            ended += self._begin("gap")
        times = self._picker.steps(frame.ts_ms)
        if not times:
            self._ended = ended
            return []
        pixels = self._view.pixels(frame.image)
        if self._detector and self._detector.cut(pixels):
            ended += self._begin("cut")
            self._detector.cut(pixels)
            times = self._picker.steps(frame.ts_ms)
        encoded = self._model.encode(pixels)
        found = []
        for ts_ms in times:
            found.append(self._step(encoded, ts_ms, ended, begin))
            ended, begin = [], perf_counter_ns()
        return found

    def step(self, pixels: NDArray[np.uint8], ts_ms: float | None = None) -> ClipPrediction:
        """Exactly one step on a model frame, uint8 `[h, w, c]`: nothing is picked, no cut is looked for.

        Args:
            ts_ms: the step's time; None: one period of the model's rate after the last, from 0.

        Raises:
            InputError: `pixels` has another shape or dtype.
        """
        begin = perf_counter_ns()
        encoded, ended = self._model.encode(pixels), self._begin_on_demand()
        return self._step(encoded, self._next_ms if ts_ms is None else ts_ms, ended, begin)

    def finish(self) -> list[Event]:
        """The source has ended: the ends of the events that ran."""
        ended, self._ended = self._ended, []
        return ended + self._decoder.finish()

    def take_over(self, old: "ClipStream") -> bool:
        """Go on where the stream of another model stands, as far as the two models agree. `old` ends with it.

        The room goes over if both models see the same picture. The states go over, bit for bit, if both models have the
        same ones (names, shapes, dtypes, scales, zero points and reset values), and see the same foreground if any.
        Then the picks go over as well if the rates are equal, and so do the scene detector and the running events if
        they have the same parameters and labels. Otherwise this stream begins anew with its first frame, for the
        reason `swap`. Events that cannot go on end with the old stream's last step; their ends are told with the first
        step of this one.

        Returns:
            Do the states go on?
        """
        ours, theirs = self._model, old._model
        same_picture = ours.preprocess == theirs.preprocess
        self.resets, self._ended = old.resets, old._ended
        if same_picture:
            # By itself too: a room is the camera's, whatever the model remembers of what went on in it.
            self._view = old._view
        # A model that has failed may have left a NaN, which would stay for ever.
        going_on = (
            _state_border(ours.form) == _state_border(theirs.form)
            # A room that is learned anew while the memory goes on would be another one.
            and (same_picture or not ours.preprocess.foreground)
            and all(np.isfinite(state).all() for state in old._stepper.states.values())
        )
        events_go_on = (ours.labels, ours.clip.background, ours.clip.events) == (
            (theirs.labels, theirs.clip.background, theirs.clip.events)
        )
        if going_on and events_go_on:
            self._decoder = old._decoder
        else:
            self._ended = self._ended + old.finish()
        if not going_on:
            self._demand = old._demand or "swap"
            return False
        self._stepper.states = old._stepper.states
        self._demand, self._reason, self._next_ms = old._demand, old._reason, old._next_ms
        if (ours.clip.rate, ours.clip.max_gap_ms) == (theirs.clip.rate, theirs.clip.max_gap_ms):
            self._picker = old._picker
        if same_picture and ours.clip.scene_cut == theirs.clip.scene_cut:
            self._detector = old._detector
        return True

    def _begin_on_demand(self) -> list[Event]:
        ended, self._ended = self._ended, []
        return ended + (self._begin(self._demand) if self._demand else [])

    def _begin(self, reason: str) -> list[Event]:
        ended = self._decoder.finish()
        self._stepper.reset()
        if reason in NEW_ROOM:
            self._view.reset()
        else:
            # A fixed camera that was away for a while still sees the room it knows.
            self._view.pause()
        self._picker.reset()
        self._decoder.reset()
        if self._detector:
            self._detector.reset()
        self.resets[reason] += 1
        self._demand, self._reason, self._next_ms = "", reason, 0.0
        return ended

    def _step(self, encoded: NDArray[Any], ts_ms: float, ended: list[Event], begin: int) -> ClipPrediction:
        start = perf_counter_ns()
        raw = self._stepper.feed(encoded)[0]
        latency_us = (perf_counter_ns() - start) / 1000
        scores = self._model.scores(raw)
        index = int(scores.argmax())
        events = ended + self._decoder.step(ts_ms, scores)
        reason, self._reason = self._reason, ""
        self._next_ms = ts_ms + 1000 / self._model.clip.rate
        return ClipPrediction(
            index,
            self._model.labels[index],
            float(scores[index]),
            scores,
            raw,
            latency_us,
            (perf_counter_ns() - begin) / 1000,
            ts_ms,
            self.name,
            events,
            self._decoder.running,
            reason,
        )


def _state_border(form: Form) -> dict[str, tuple[Any, ...]]:
    """What two models must have in common for a state to mean the same bytes: the tied tensor and its start."""
    return {
        state.input: (state.output, state.reset, form.input(state.input), form.output(state.output))
        for state in form.states
    }
