"""A clip bundle at work: one model for all sources, each of which streams with a state of its own."""

import weakref
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.bundle import Bundle
from rnnedge_device.classify import probabilities
from rnnedge_device.clip_stream import ClipPrediction, ClipStream
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_form
from rnnedge_device.manifest import Manifest
from rnnedge_device.stepper import Engine, RowStepper

__all__ = ["ClipModel", "ClipPrediction", "ClipStream"]


class ClipModel:
    """The step form of a clip bundle, loaded once for all sources. Not for use by two threads at once.

    Args:
        bundle: as `read_bundle` returns it.
        form: `step`, the only one that streams.
        threads: of the interpreter.

    Raises:
        BundleError: another task or form, a model the runtime cannot load, or one that differs from the
            manifest.
        InputError: `threads` out of range.

    Example:
        model = ClipModel(read_bundle("actions.rnnedge"))
        door, hall = model.open_stream("door"), model.open_stream("hall")
        for prediction in door.feed(frame):
            print(prediction.label, prediction.events)
    """

    def __init__(self, bundle: Bundle, form: str = "step", threads: int = 1) -> None:
        if bundle.manifest.clip is None:
            raise BundleError(f"task = {bundle.manifest.task!r}: a clip model takes a bundle of task clips")
        step = bundle.manifest.form(form)
        if step.name != "step":
            raise BundleError(f"form = {form!r}: frames are streamed by the form step")
        self._bundle: Bundle | None = bundle
        self._threads = threads
        self._wire(load_form(bundle.members[step.file], step, threads), step, bundle.manifest)

    @classmethod
    def of(cls, engine: Engine, form: Form, manifest: Manifest) -> "ClipModel":
        """The same around any engine, such as the float model, so that all are streamed by one code.

        Args:
            engine: computes one step.
            form: a `step` form that describes the engine's border.
            manifest: labels, preprocessing and the temporal side; its forms are not used.

        Raises:
            BundleError: a form that is no step form of such a clip model.
        """
        form.check(manifest.preprocess.shape, len(manifest.labels), manifest.task)
        if form.name != "step" or manifest.clip is None:
            raise BundleError(f"form = {form.name!r}, task = {manifest.task!r}: must be step, of task clips")
        model = cls.__new__(cls)
        model._bundle, model._threads = None, 1
        model._wire(engine, form, manifest)
        return model

    def _wire(self, engine: Engine, form: Form, manifest: Manifest) -> None:
        assert manifest.clip is not None
        self.engine, self.form, self.manifest, self.clip = engine, form, manifest, manifest.clip
        self.labels, self.preprocess = manifest.labels, manifest.preprocess
        self._x, self._y = form.input("x"), form.output("y")
        # Pixel value → model input in one look-up, quantised once.
        self._table = self._x.hold(self.preprocess.table)
        self._streams: weakref.WeakSet[ClipStream] = weakref.WeakSet()

    def open_stream(self, name: str = "") -> "ClipStream":
        """A stream for one source, with a state of its own."""
        stream = ClipStream(self, name)
        self._streams.add(stream)
        return stream

    def reset(self) -> None:
        """Every open stream begins anew with its next frame. Safe in a signal handler."""
        for stream in list(self._streams):
            stream.reset()

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """A model frame, uint8 `[h, w, c]`, as the step takes it: `[1, h, w, c]` in the border's dtype.

        Raises:
            InputError: `pixels` has another shape or dtype.
        """
        if pixels.shape != self.preprocess.shape or pixels.dtype != np.uint8:
            raise InputError(
                f"pixels: {pixels.dtype} {pixels.shape}: must be uint8 {list(self.preprocess.shape)}"
            )
        return self.preprocess.look_up(pixels, self._table)[np.newaxis]

    def scores(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities, float32 of the same shape `[..., K]`, of raw outputs."""
        return probabilities(self._y.decode(raw), self.manifest.output)

    def sequence(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """A recorded clip from reset, by the `sequence` form: its T frames at once, the rest step by step.

        Args:
            pixels: model frames, uint8 `[N, h, w, c]`, consecutive at the model's rate.

        Returns:
            Raw outputs `[N, K]` in the border's dtype: the same bits as N steps.

        Raises:
            BundleError: the bundle has no `sequence` form.
            InputError: `pixels` has another shape or dtype.
        """
        if pixels.shape[1:] != self.preprocess.shape or pixels.dtype != np.uint8:
            shape = ", ".join(map(str, self.preprocess.shape))
            raise InputError(f"pixels: {pixels.dtype} {pixels.shape}: must be uint8 [N, {shape}]")
        engine, form = self._sequence
        if not len(pixels):
            return np.empty((0, len(self.labels)), self._y.dtype)
        chunks, rest = RowStepper(engine, form), RowStepper(self.engine, self.form)
        frames, outputs = self.preprocess.look_up(pixels, self._table), []
        length = form.input("x").shape[1]
        whole = len(frames) - len(frames) % length
        for begin in range(0, whole, length):
            outputs.append(chunks.feed(frames[np.newaxis, begin : begin + length])[0])
        rest.states = chunks.states
        outputs += [rest.feed(frame[np.newaxis]) for frame in frames[whole:]]
        return np.concatenate(outputs)

    @cached_property
    def _sequence(self) -> tuple[Engine, Form]:
        # Loaded on first use: a live stream has no use for it.
        if self._bundle is None:
            raise BundleError("form = 'sequence': this clip model was made around a step")
        form = self._bundle.manifest.form("sequence")
        return load_form(self._bundle.members[form.file], form, self._threads), form
