"""``Quantized``: what ``quantize`` and ``ptq`` give back, and how it becomes a bundle."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rnnedge_device.bundle import write_bundle
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path
from rnnedge_device.golden import GOLDEN, Golden
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.tensors import Scan
from rnnedge_export.compiled import Compiled

_PACKAGES = ("rnnedge", "keras", "tf_keras", "tensorflow", "tensorflow-model-optimization", "ai-edge-litert")


@dataclass(frozen=True)
class Quantized:
    """A converted model.

    Args:
        twin: the tf_keras model that was converted: fake-quantised after ``quantize``, float after ``ptq``.
        forms: the converted forms, the default first.
        report: JSON-ready figures: forms, audits, parity, ranges, training history.
        probabilities: the output is a softmax's, not logits.
    """

    twin: Any
    forms: tuple[Compiled, ...]
    report: dict[str, Any] = field(default_factory=dict)
    probabilities: bool = False

    @property
    def tflite(self) -> bytes:
        """The default form's ``.tflite`` file."""
        return self.forms[0].data

    @property
    def form(self) -> str:
        """The default form's name."""
        return self.forms[0].name

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        labels: Sequence[str] | None = None,
        preprocess: Preprocess | None = None,
        golden: np.ndarray | None = None,
        metrics: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        """Write ``path``: the default form's ``.tflite`` for that suffix, else a bundle with every form.

        Args:
            labels: class names in the order of the outputs; numbers where left out.
            preprocess: from frame to input; by default a plain resize to the input's size, scaled to 0..1.
            golden: a few real frames, ``uint8 [N, H, W]`` or ``[N, H, W, 3]``, for the device's self-test.
            metrics: figures for the manifest, with the data they were measured on.

        Raises:
            InputError: labels, preprocessing or frames that do not fit the model.
        """
        target = Path(path)
        if target.suffix == ".tflite":
            with atomic_path(target) as temporary:
                temporary.write_bytes(self.tflite)
            return
        classes = self.forms[0].form.output("y").shape[-1]
        labels = [str(i) for i in range(classes)] if labels is None else list(labels)
        if len(labels) != classes:
            raise InputError(f"labels: {len(labels)} names for {classes} outputs; expected as many")
        preprocess = preprocess or self._plain_preprocess()
        members: dict[str, bytes] = {}
        forms = []
        for index, compiled in enumerate(self.forms):
            file = "model.tflite" if index == 0 else f"model.{compiled.name}.tflite"
            members[file] = compiled.data
            forms.append(replace(compiled.form, file=file, scan=self._scan(compiled, preprocess)))
        if golden is not None and len(golden):
            inputs = np.stack([preprocess(image) for image in golden])
            inputs = inputs.reshape(len(inputs), *self.input_shape)
            outputs = {compiled.name: compiled.runner().raw(inputs) for compiled in self.forms}
            members[GOLDEN] = Golden(np.asarray(golden), outputs).to_bytes()
        manifest = Manifest(
            name=name or target.stem,
            labels=tuple(labels),
            preprocess=preprocess,
            forms=tuple(forms),
            output="probabilities" if self.probabilities else "logits",
            metrics={**self.report.get("parity", {}), **(metrics or {})},
            versions={package: version(package) for package in _PACKAGES},
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        write_bundle(target, manifest, members)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The model's input, without the batch."""
        return tuple(int(n) for n in self.twin.inputs[0].shape[1:])

    def _scan(self, compiled: Compiled, preprocess: Preprocess) -> Scan:
        """A step form's way from the preprocessed image to rows, by way of the model's own input."""
        scan = compiled.form.scan
        if compiled.name != "step" or preprocess.shape == self.input_shape:
            return scan
        return Scan((("reshape", self.input_shape), *scan.steps))

    def _plain_preprocess(self) -> Preprocess:
        shape = self.input_shape
        if len(shape) == 3 and shape[2] in (1, 3):
            return Preprocess((shape[0], shape[1]), "gray" if shape[2] == 1 else "rgb")
        if len(shape) == 2:
            return Preprocess((shape[0], shape[1]), "gray")
        raise InputError(f"preprocess: needed for an input of shape {shape}; only images have a default")
