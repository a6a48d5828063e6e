"""A bundle at work: frames in, labels out, the same answer for every form."""

from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.bundle import Bundle
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.interpreter import Model, load_model
from rnnedge_device.quantization import quantize
from rnnedge_device.stepper import RowStepper
from rnnedge_device.tensors import Tensor


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
        BundleError: no such form, a model the runtime cannot load, or one that differs from the manifest.
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
        self._model = load_model(bundle.members[self.form.file], threads, self.form.signature)
        _check_same(self._model, self.form.inputs, self.form.outputs, self.form.name)
        self._x, self._y = self.form.input("x"), self.form.output("y")
        self._stepper = RowStepper(self._model, self.form) if self.form.name == "step" else None
        # Only the fused op keeps variables, and they would leak from one frame into the next.
        self._keeps_variables = self.form.name == "fused"
        # Pixel value → model input in one look-up, quantised once.
        table = self.preprocess.table
        self._table: NDArray[Any] = (
            quantize(table, self._x.scale, self._x.zero_point) if self._x.dtype == "int8" else table
        )

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
            row[:] = self._run(self._encode(image))[0]
        return outputs

    def scores(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities, float32 of the same shape `[..., K]`, of raw outputs."""
        real = self._y.decode(raw)
        if self.manifest.output == "probabilities":
            return real
        powers = np.exp(real - real.max(axis=-1, keepdims=True))
        result: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
        return result

    def _encode(self, image: NDArray[np.float32]) -> NDArray[Any]:
        return quantize(image, self._x.scale, self._x.zero_point) if self._x.dtype == "int8" else image

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


def _check_same(model: Model, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], form: str) -> None:
    """The manifest and the model must tell the same: a wrong scale would be wrong silently."""
    for side, tensors, ports in (("input", inputs, model.inputs), ("output", outputs, model.outputs)):
        if {tensor.name for tensor in tensors} != set(ports):
            raise BundleError(
                f"form {form}: {side}s {[tensor.name for tensor in tensors]} in the manifest, "
                f"{list(ports)} in the model"
            )
        for tensor in tensors:
            found = ports[tensor.name].tensor
            if tensor != found:
                raise BundleError(f"form {form}: {side}: {tensor} in the manifest, {found} in the model")
