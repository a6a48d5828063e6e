"""A bundle at work: frames in, labels out, the same answer for every form."""

from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.bundle import Bundle
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.interpreter import load_form
from rnnedge_device.stepper import RowStepper


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one frame.

    Args:
        index, label: of the highest output; the first of equals.
        score: its probability, 0..1.
        scores: float32 `[K]`, the probabilities.
        raw: `[K]`, what the graph gave, in its border's dtype.
        latency_us: time in the interpreter.
        total_us: with preprocessing and decoding.
    """

    index: int
    label: str
    score: float
    scores: NDArray[np.float32]
    raw: NDArray[Any]
    latency_us: float
    total_us: float


class Classifier:
    """Runs one form of a bundle. Not for use by two threads at once.

    Args:
        bundle: as `read_bundle` returns it.
        form: `loop`, `unrolled`, `step` or `fused`; None takes the bundle's default.
        threads: of the interpreter.

    Raises:
        BundleError: no such form, another task, a model the runtime cannot load, or one that differs from
            the manifest.
        InputError: `threads` out of range.

    Example:
        classifier = Classifier(read_bundle("digits.rnnedge"))
        classifier.predict(cv2.imread("seven.png")).label
    """

    def __init__(self, bundle: Bundle, form: str | None = None, threads: int = 1) -> None:
        self.manifest = bundle.manifest
        self.form = bundle.manifest.form(form)
        self.preprocess = bundle.manifest.preprocess
        self.labels = bundle.manifest.labels
        if self.manifest.task != "classify":
            raise BundleError(f"task = {self.manifest.task!r}: a classifier takes a bundle of task classify")
        self._model = load_form(bundle.members[self.form.file], self.form, threads)
        self._x, self._y = self.form.input("x"), self.form.output("y")
        self._stepper = RowStepper(self._model, self.form) if self.form.name == "step" else None
        # Only the fused op keeps variables, and they would leak from one frame into the next.
        self._keeps_variables = self.form.name == "fused"
        # Pixel value → model input in one look-up, quantised once.
        self._table = self._x.hold(self.preprocess.table)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """The label of one frame, `uint8 [H, W]` or `[H, W, 3]` BGR.

        Raises:
            InputError: the frame's dtype or shape is not one of these.
        """
        begin = perf_counter_ns()
        encoded = self.preprocess.look_up(self.preprocess.pixels(image), self._table)
        raw, latency_us = self._run(encoded)
        scores = self.scores(raw)
        index = int(scores.argmax())
        total_us = (perf_counter_ns() - begin) / 1000
        return Prediction(index, self.labels[index], float(scores[index]), scores, raw, latency_us, total_us)

    def raw(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """The graph's outputs `[N, K]`, in its border's dtype, for preprocessed images `[N, h, w, C]`."""
        if batch.ndim != 4 or batch.shape[1:] != self.preprocess.shape:
            raise InputError(
                f"batch: shape {batch.shape}: must be [N, {', '.join(map(str, self.preprocess.shape))}]"
            )
        outputs = np.empty((len(batch), len(self.labels)), self._y.dtype)
        for row, image in zip(outputs, batch, strict=True):
            row[:] = self._run(self._x.hold(image))[0]
        return outputs

    def scores(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities, float32 of the same shape `[..., K]`, of raw outputs."""
        return probabilities(self._y.decode(raw), self.manifest.output)

    def _run(self, encoded: NDArray[Any]) -> tuple[NDArray[Any], float]:
        """Raw output `[K]` and microseconds, for one image `[h, w, C]` in the border's dtype."""
        sequence = np.ascontiguousarray(self.form.scan(encoded))
        if self._stepper is None:
            feeds = {"x": sequence.reshape(self._x.shape)}
            if self._keeps_variables:
                self._model.reset()
            begin = perf_counter_ns()
            y = self._model.run(feeds)["y"]
        else:
            rows = sequence[:, np.newaxis]  # [T, 1, F]
            begin = perf_counter_ns()
            self._stepper.reset()
            for row in rows:
                y = self._stepper.feed(row)
        return y[0], (perf_counter_ns() - begin) / 1000


def probabilities(real: NDArray[np.float32], output: str) -> NDArray[np.float32]:
    """Probabilities, float32 `[..., K]`, of real outputs that are `logits` or already `probabilities`."""
    if output == "probabilities":
        return real
    # The ufuncs themselves: after an inference no cache holds what stands between `max()` and them.
    powers: NDArray[np.float32] = np.exp(real - np.maximum.reduce(real, axis=-1, keepdims=True))
    powers /= np.add.reduce(powers, axis=-1, keepdims=True)
    return powers
