"""``QuantizedCaptioner``: what ``quantize_captioner`` gives back, and how it becomes a bundle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from rnnedge_device.bundle import write_bundle
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.captioner import Captioner
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path
from rnnedge_device.form import Form
from rnnedge_device.golden import GOLDEN, golden_captions
from rnnedge_device.interpreter import load_form
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.vocabulary import Vocabulary
from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.captions.encoder import Given, Int8Encoder
from rnnedge_export.captions.graphs import trace
from rnnedge_export.engines import KINDS, Engine, function_engine
from rnnedge_export.quantized import provenance

Engines = tuple[Engine, Engine]


@dataclass(frozen=True)
class QuantizedCaptioner:
    """A converted captioner.

    Args:
        tflite: the file, with the signatures ``encode`` and ``decode``.
        forms: their manifest entries.
        student: the converted encoder, and the fake-quantised decoder that was fine-tuned on it and converted.
        teacher: the float ones.
        report: JSON-ready figures: audits, parity, training history.
    """

    tflite: bytes
    forms: tuple[Form, Form]
    student: tuple[Int8Encoder, CaptionDecoder]
    teacher: tuple[tf_keras.Model, CaptionDecoder]
    report: dict[str, Any] = field(default_factory=dict)

    def engines(self, kind: str) -> Engines:
        """``encode`` and ``decode`` for the device's code: ``int8``, ``qat`` (fake-quantised) or ``float``.

        Raises:
            InputError: another kind.
        """
        if kind not in KINDS:
            raise InputError(f"engines: {kind!r}; expected {', '.join(KINDS)}")
        if kind == "int8":
            encode, decode = (Engine(form, load_form(self.tflite, form).run) for form in self.forms)
            return encode, decode
        if kind == "float":
            return float_engines(*self.teacher)
        encoder, decoder = self.student
        return _behind(encoder, *float_engines(Given(encoder.shape), decoder))

    def manifest(self, name: str, preprocess: Preprocess, caption: CaptionSpec, **more: Any) -> Manifest:
        """The manifest of a bundle of this model."""
        return Manifest(
            name=name,
            labels=(),
            preprocess=preprocess,
            forms=self.forms,
            task="captions",
            caption=caption,
            **more,
        )

    def captioner(
        self, kind: str, vocabulary: Vocabulary, preprocess: Preprocess, caption: CaptionSpec
    ) -> Captioner:
        """The device's captioner around :meth:`engines`."""
        manifest = self.manifest("captioner", preprocess, caption)
        return Captioner.of(*self.engines(kind), manifest, vocabulary)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        vocabulary: Vocabulary,
        preprocess: Preprocess,
        caption: CaptionSpec,
        golden: np.ndarray | None = None,
        metrics: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        """Write the ``.tflite`` for that suffix, else a bundle.

        Args:
            vocabulary: the words, in the order of the outputs.
            preprocess: from frame to input.
            caption: how the words are searched.
            golden: a few real frames, ``uint8 [N, H, W(, 3)]``, for the device's self-test.
            metrics: figures for the manifest, with the data they were measured on.

        Raises:
            InputError: a vocabulary of another size than the model's.
        """
        target = Path(path)
        if target.suffix == ".tflite":
            with atomic_path(target) as temporary:
                temporary.write_bytes(self.tflite)
            return
        words = self.student[1].settings.words
        if len(vocabulary) != words:
            raise InputError(f"vocabulary: {len(vocabulary)} words for {words} outputs; expected as many")
        members = {"model.tflite": self.tflite, caption.vocabulary: vocabulary.to_text().encode()}
        if golden is not None and len(golden):
            captioner = self.captioner("int8", vocabulary, preprocess, caption)
            members[GOLDEN] = golden_captions(captioner, np.asarray(golden), caption.max_length).to_bytes()
        manifest = self.manifest(
            name or target.stem,
            preprocess,
            caption,
            metrics={**self.report.get("parity", {}), **(metrics or {})},
            **provenance(),
        )
        write_bundle(target, manifest, members)


def _behind(encoder: Int8Encoder, encode: Engine, decode: Engine) -> Engines:
    """Engines whose ``encode`` begins with the pixels, where it began with the features."""
    form = replace(
        encode.form,
        inputs=tuple(replace(tensor, shape=encoder.border.shape) for tensor in encode.form.inputs),
    )
    return Engine(form, lambda feeds: encode.run({"x": encoder(np.asarray(feeds["x"]))})), decode


def float_engines(encoder: tf_keras.Model | Given, decoder: CaptionDecoder) -> Engines:
    """A model in TensorFlow, float or fake-quantised, as engines with a float32 border."""
    graphs = trace(encoder, decoder)
    encode = function_engine("encode", graphs.encode, bound=graphs.bound)
    return encode, function_engine("decode", graphs.decode, graphs.states)
