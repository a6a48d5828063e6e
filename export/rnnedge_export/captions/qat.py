"""``quantize_captioner``: encoder → tfmot, decoder → our scheme, fine-tune, convert to two signatures, audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_form
from rnnedge_device.vocabulary import START
from rnnedge_export.annotate import quantization_model
from rnnedge_export.auditing import AuditError, audit
from rnnedge_export.calibration import calibrate
from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.captions.encoder import Int8Encoder
from rnnedge_export.captions.finetune import calibrate_decoder, finetune_decoder, write
from rnnedge_export.captions.graphs import SIGNATURES, trace
from rnnedge_export.captions.quantized import Engines, QuantizedCaptioner
from rnnedge_export.captions.scales import snap_scales
from rnnedge_export.captions.settings import DecoderSettings
from rnnedge_export.compiled import describe
from rnnedge_export.convert import TIME_LIMIT_S, ConversionError, Job, convert
from rnnedge_export.finetune import Predictor
from rnnedge_export.merging import merge
from rnnedge_export.qat import ranges
from rnnedge_export.rewrite import finish
from rnnedge_export.twin import build_twin, twin_error

CALIBRATION_IMAGES = 512
POLICY_IMAGES = 128
PARITY_IMAGES = 32
MAX_TWIN_ERROR = 1e-4
# Words that int8 would choose otherwise than the trained model, each behind the same words: at most this share.
MIN_TOP1 = 0.95
_TIMED_CALLS = 100


class Images(Protocol):
    """The model's inputs, float32 ``[n, h, w, c]`` for a slice; read as they are needed."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> np.ndarray: ...


def quantize_captioner(
    encoder: Any,
    settings: DecoderSettings,
    weights: Mapping[str, Sequence[np.ndarray]],
    images: Images,
    tokens: np.ndarray,
    of: np.ndarray,
    *,
    epochs: int = 1,
    learning_rate: float = 1e-4,
    batch_size: int = 64,
    distill: float = 0.5,
    io: str = "int8",
    seed: int = 0,
    time_limit_s: float = TIME_LIMIT_S,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> QuantizedCaptioner:
    """Quantise a trained captioner to int8 TFLite.

    Args:
        encoder: a built Keras 3 model, pixels to features ``[B, E]``, or ``[B, P, E]`` for attention, of the layers in
            ``support.SUPPORTED``.
        settings, weights: the decoder's; see ``CaptionDecoder``.
        images: of the training set.
        tokens: int32 ``[M, L]``, sentences ``START w1 ... wn END PAD ...`` of these images.
        of: int ``[M]``, which image each sentence is of.
        epochs: of the decoder's fine-tuning; 0 only calibrates.
        distill: the float decoder's share of the loss, 0 to 1.
        io: ``int8`` or ``float32`` at the border (words are int32 in both).
        report: called with the figures of each epoch.

    Raises:
        InputError: a layer that cannot be quantised, data that do not fit, a converter that refused or crashed, an
            audit or a parity that failed.
    """
    if tokens.ndim != 2 or len(tokens) != len(of) or (len(of) and of.max() >= len(images)):
        raise InputError(f"tokens: {tokens.shape} for {len(of)} places in {len(images)} images")
    if tokens.size and tokens.max() >= settings.words:
        raise InputError(f"tokens: up to {tokens.max()}; the decoder has {settings.words} words")
    tf.random.set_seed(seed)
    twin = build_twin(encoder)
    sample = images[:CALIBRATION_IMAGES]
    gap = twin_error(encoder, twin, sample[:16])
    if gap > MAX_TWIN_ERROR * max(1.0, float(np.abs(twin(sample[:16], training=False)).max())):
        raise InputError(f"encoder: its tf_keras twin differs by {gap:.1e} from it")
    quantised = quantization_model(twin)
    calibrate(quantised, twin, sample)

    int8 = Int8Encoder(quantised, time_limit_s)
    floats, ours = _features(Predictor(twin), images), _features(int8, images)
    teacher, student = CaptionDecoder(settings, weights), CaptionDecoder(settings, weights)
    teacher.mode = "exact"
    first = np.unique(of, return_index=True)[1][:POLICY_IMAGES]
    calibrate_decoder(student, ours[of[first]], tokens[first])
    history = finetune_decoder(
        student,
        teacher,
        ours,
        floats,
        tokens,
        of,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        distill=distill,
        seed=seed,
        report=report,
    )
    snap_scales(student)
    data, forms, audits = _converted(quantised, student, io, time_limit_s)
    result = QuantizedCaptioner(data, forms, (int8, student), (twin, teacher))
    sentences = write(student, ours[:PARITY_IMAGES], tokens.shape[1] - 1)
    parity = word_parity(result.engines("int8"), result.engines("qat"), sample[:PARITY_IMAGES], sentences)
    if parity["top1"] < MIN_TOP1:
        raise AuditError(
            f"decode: int8 chooses the trained model's word {parity['top1']:.1%} of {parity['words']} times "
            f"(at least {MIN_TOP1:.0%})"
        )
    figures = {
        "io": io,
        "decoder": asdict(settings),
        "audits": audits,
        "parity": {"twin_max_abs": gap, **{f"int8_{key}": value for key, value in parity.items()}},
        "history": history,
        "layers": [{"name": layer.name, "type": type(layer).__name__} for layer in twin.layers],
        "ranges": {**ranges(quantised), **student.ranges()},
    }
    return replace(result, forms=(_timed(data, forms[0]), _timed(data, forms[1])), report=figures)


def _features(encoder: Callable[[np.ndarray], np.ndarray], images: Images) -> np.ndarray:
    starts = range(0, len(images), 64)
    return np.concatenate([encoder(images[start : start + 64]) for start in starts])


def _converted(
    encoder: tf_keras.Model, decoder: CaptionDecoder, io: str, time_limit_s: float
) -> tuple[bytes, tuple[Form, Form], dict[str, Any]]:
    """The file with both signatures, their forms and audits.

    Raises:
        InputError: a conversion or an audit that failed.
    """
    with decoder.as_mode("quantised"):
        graphs = trace(encoder, decoder)
    jobs = [
        Job("encode", graphs.encode, "int8", io, graphs.bound),
        Job("decode", graphs.decode, "int8", io),
    ]
    files = convert(jobs, [layer.name for layer in encoder.layers], time_limit_s)
    data = _merged(files)
    states = {"encode": (), "decode": [(name, f"{name}_next") for name in graphs.states]}
    forms, audits = [], {}
    for name in SIGNATURES:
        audited = audit(data, io=io, signature=name)
        if not audited.passed:
            raise AuditError(f"signature {name!r} failed its audit: {'; '.join(audited.failures)}")
        audits[name] = audited.to_dict()
        forms.append(describe(name, data, audited, states[name], signature=name))
    encode, decode = forms
    return data, (encode, decode), audits


def float_tflite(captioner: QuantizedCaptioner, time_limit_s: float = TIME_LIMIT_S) -> bytes:
    """The float32 ``.tflite`` of the same captioner, with the same signatures: what int8 is compared with."""
    graphs = trace(*captioner.teacher)
    jobs = [Job(name, getattr(graphs, name), "float32", "float32") for name in SIGNATURES]
    return _merged(convert(jobs, (), time_limit_s), graphs.bound)


def _merged(files: Mapping[str, bytes | ConversionError], bound: tuple[str, ...] = ()) -> bytes:
    """Both signatures in one file; the inputs ``bound`` are zero."""
    converted = {}
    for name in SIGNATURES:
        found = files[name]
        if isinstance(found, Exception):
            raise found
        converted[name] = finish(found, bound if name == "encode" else ()) if bound else found
    return merge(converted)


def word_parity(int8: Engines, qat: Engines, x: np.ndarray, sentences: np.ndarray) -> dict[str, Any]:
    """int8 beside the trained model on images ``x [N, ...]``, word by word behind the same words ``[N, L]``.

    Returns:
        ``{"top1", "max_lsb", "equal", "noise", "words"}``: the share of words chosen alike, the largest difference in
        steps of the output's scale, the share of equal logits, and the root mean square of the difference as a share of
        the logits' spread.
    """
    found: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    for image, sentence in zip(x, sentences, strict=True):
        for (encode, decode), rows in ((int8, found), (qat, expected)):
            border = encode.form.input("x")
            state = encode.run({"x": border.encode(image)})
            for token in [START, *sentence[:-1]]:
                given = {"token": np.array([token], np.int32), **state}
                after = decode.run({tensor.name: given[tensor.name] for tensor in decode.form.inputs})
                state |= {link.input: after[link.output] for link in decode.form.states}
                rows.append(decode.form.output("y").decode(after["y"])[0])
    ours, theirs = np.stack(found), np.stack(expected)
    scale = int8[1].form.output("y").scale
    apart = np.abs(ours - theirs)
    steps = np.rint(apart / scale) if scale else np.zeros(1)
    return {
        "top1": float((ours.argmax(-1) == theirs.argmax(-1)).mean()),
        "max_lsb": int(steps.max()),
        "equal": float((steps == 0).mean()),
        "noise": float(np.sqrt(np.mean(apart**2)) / theirs.std()),
        "words": len(ours),
    }


def _timed(data: bytes, form: Form) -> Form:
    """The form with its median latency on one thread, on random inputs."""
    model = load_form(data, form)
    rng = np.random.default_rng(0)
    feeds = {
        tensor.name: np.zeros(tensor.shape, np.int32)
        if tensor.dtype == "int32"
        else tensor.encode(rng.normal(0, 0.5, tensor.shape).astype(np.float32))
        for tensor in form.inputs
    }
    times = []
    for _ in range(_TIMED_CALLS):
        begin = perf_counter_ns()
        model.run(feeds)
        times.append(perf_counter_ns() - begin)
    return replace(form, latency_us=round(float(np.median(times)) / 1000, 2))
