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
from rnnedge_device.clip import ClipSpec
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path
from rnnedge_device.golden import GOLDEN, Golden
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.tensors import Scan
from rnnedge_export.compiled import Compiled
from rnnedge_export.engines import KINDS, Engine, float_engine, int8_engine, qat_engine

_PACKAGES = ("rnnedge", "keras", "tf_keras", "tensorflow", "tensorflow-model-optimization", "ai-edge-litert")


def provenance() -> dict[str, Any]:
    """What a manifest says of its making: ``versions`` of the packages, and ``created``, now."""
    return {
        "versions": {package: version(package) for package in _PACKAGES},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@dataclass(frozen=True)
class Quantized:
    """A converted model.

    Args:
        twin: the tf_keras model that was converted: fake-quantised after ``quantize``, float after ``ptq``.
        forms: the converted forms, the default first.
        report: JSON-ready figures: forms, audits, parity, ranges, training history.
        probabilities: the output is a softmax's, not logits.
        teacher: the float model in tf_keras, where ``twin`` is another.
    """

    twin: Any
    forms: tuple[Compiled, ...]
    report: dict[str, Any] = field(default_factory=dict)
    probabilities: bool = False
    teacher: Any = None

    @property
    def tflite(self) -> bytes:
        """The default form's ``.tflite`` file."""
        return self.forms[0].data

    @property
    def form(self) -> str:
        """The default form's name."""
        return self.forms[0].name

    @property
    def clip(self) -> bool:
        """A clip model: frames in, scores at every frame out."""
        return self.forms[0].clip

    def engine(self, kind: str) -> Engine:
        """One step of a clip model for the device's code to stream: ``int8``, ``qat`` (fake-quantised) or ``float``.

        Raises:
            InputError: another kind, an image model, or no ``step`` form.
        """
        if kind not in KINDS or not self.clip:
            what = "a clip model" if self.clip else "an image model, which has none"
            raise InputError(f"engine: {kind!r} of {what}; expected {', '.join(KINDS)} of a clip model")
        if kind == "qat":
            return qat_engine(self.twin)
        if kind == "float":
            return float_engine(self.teacher)
        steps = [compiled for compiled in self.forms if compiled.name == "step"]
        if not steps:
            raise InputError(
                f"engine: 'int8' of the form {self.form!r}; quantize with form 'step' among others"
            )
        return int8_engine(steps[0])

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        labels: Sequence[str] | None = None,
        preprocess: Preprocess | None = None,
        golden: np.ndarray | None = None,
        metrics: Mapping[str, Any] | None = None,
        name: str | None = None,
        clip: ClipSpec | None = None,
    ) -> None:
        """Write ``path``: the default form's ``.tflite`` for that suffix, else a bundle with every form.

        The forms of a clip model are signatures of one file, and lie in either whole.

        Args:
            labels: class names in the order of the outputs; numbers where left out.
            preprocess: from frame to input; by default a plain resize to the input's size, scaled to 0..1.
            golden: a few real frames, ``uint8 [N, H, W]`` or ``[N, H, W, 3]``, for the device's self-test; for a
                clip model consecutive ones at its rate, the first after a reset.
            metrics: figures for the manifest, with the data they were measured on.
            clip: what a clip model assumes about time; needed for one, and only for one.

        Raises:
            InputError: labels, preprocessing, frames or a ``clip`` that do not fit the model.
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
        if (clip is not None) != self.clip:
            model = "a clip model; expected a ClipSpec" if self.clip else "an image model; expected None"
            raise InputError(f"clip: {clip!r} for {model}")
        preprocess = preprocess or self._plain_preprocess()
        members: dict[str, bytes] = {}
        forms = []
        for index, compiled in enumerate(self.forms):
            file = "model.tflite" if index == 0 or self.clip else f"model.{compiled.name}.tflite"
            members[file] = compiled.data
            forms.append(replace(compiled.form, file=file, scan=self._scan(compiled, preprocess)))
        if golden is not None and len(golden):
            members[GOLDEN] = self._golden(np.asarray(golden), preprocess).to_bytes()
        manifest = Manifest(
            name=name or target.stem,
            labels=tuple(labels),
            preprocess=preprocess,
            forms=tuple(forms),
            task="clips" if self.clip else "classify",
            clip=clip,
            output="probabilities" if self.probabilities else "logits",
            metrics={**self.report.get("parity", {}), **(metrics or {})},
            **provenance(),
        )
        write_bundle(target, manifest, members)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The model's input, without the batch."""
        return tuple(int(n) for n in self.twin.inputs[0].shape[1:])

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """One image as the model takes it: its input, or a frame of a clip model's."""
        return self.input_shape[1:] if self.clip else self.input_shape

    def _golden(self, images: np.ndarray, preprocess: Preprocess) -> Golden:
        """Frames with each form's raw outputs; of a clip model's, the step form's: a sequence gives the same."""
        view = preprocess.view()
        inputs = np.stack([view(image) for image in images])
        inputs = inputs.reshape(len(inputs), *self.frame_shape)
        if not self.clip:
            return Golden(images, {compiled.name: compiled.runner().raw(inputs) for compiled in self.forms})
        return Golden(images, {"step": self._step().runner().raw(inputs[np.newaxis])[0]})

    def _step(self) -> Compiled:
        for compiled in self.forms:
            if compiled.name == "step":
                return compiled
        raise InputError(f"form: {self.form!r} alone; a clip model is streamed by 'step': quantize with it")

    def _scan(self, compiled: Compiled, preprocess: Preprocess) -> Scan:
        """A step form's way from the preprocessed image to rows, by way of the model's own input."""
        scan = compiled.form.scan
        if compiled.name != "step" or preprocess.shape == self.frame_shape:
            return scan
        return Scan((("reshape", self.input_shape), *scan.steps))

    def _plain_preprocess(self) -> Preprocess:
        shape = self.frame_shape
        if len(shape) == 3 and shape[2] in (1, 3):
            return Preprocess((shape[0], shape[1]), "gray" if shape[2] == 1 else "rgb")
        if len(shape) == 2:
            return Preprocess((shape[0], shape[1]), "gray")
        raise InputError(f"preprocess: needed for an input of shape {shape}; only images have a default")
