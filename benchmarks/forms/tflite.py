"""TFLite candidates: our forms, the stock ways to the same model, and the limit, all in one interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.forms.candidate import Candidate
from benchmarks.forms.packed import packed_runner
from benchmarks.forms.subject import CLASSES, ROWS, Subject
from rnnedge_device.interpreter import load_model
from rnnedge_export.compiled import Compiled
from rnnedge_export.convert import Job, convert
from rnnedge_export.fused import FUSED_OP, float_function
from rnnedge_export.posttraining import _with_loops
from rnnedge_export.qat import quantize
from rnnedge_export.scheme import fake_quantize
from rnnedge_export.twin import build_twin

# How the limit's 28 products are laid out; which of them is fastest depends on the caches.
_ARRANGEMENTS = {"a chain": 14, "a loop of 2": 1, "a loop of 4": 2}


def our_forms(subject: Subject) -> list[Candidate]:
    """Loop, unrolled and step, quantised without fine-tuning: the arithmetic is that of a trained model."""
    forms = ("loop", "unrolled", "step")
    quantized = quantize(subject.model, subject.frames, epochs=0, form=forms, io="float32")
    found = [_ours(compiled) for compiled in quantized.forms]
    for compiled in quantized.forms:
        if compiled.name != "step":
            run = packed_runner(compiled.data, CLASSES)
            found.append(
                Candidate(f"{compiled.name}, packed once", "ours", run, size_bytes=len(compiled.data))
            )
    return found


def _ours(compiled: Compiled) -> Candidate:
    runner = compiled.runner()
    name = f"{compiled.name} × {ROWS} calls" if compiled.name == "step" else compiled.name
    return Candidate(name, "ours", runner.run, runner.encode, len(compiled.data))


def stock_forms(subject: Subject) -> list[Candidate]:
    """What TensorFlow's converter makes of the model by itself."""
    twin = build_twin(subject.model)
    unrolled = _with_loops(twin, "unrolled")
    samples = subject.frames[:128]
    jobs = {
        "unrolled, post-training int8": Job(
            "unrolled static", float_function(unrolled), "static", "float32", (), samples, unrolled
        )
    }
    if subject.cell == "lstm":  # the only layer that TFLite has a kernel for
        for name, mode in (
            ("float32", "float32"),
            ("dynamic range", "dynamic"),
            ("post-training int8", "static"),
        ):
            job = Job(f"fused {mode}", float_function(twin), mode, "float32", (), samples, twin)
            jobs[f"fused, {name}"] = job
    results = convert(list(jobs.values()), [layer.name for layer in twin.layers])
    found = []
    for name, job in jobs.items():
        data = results[job.name]
        if isinstance(data, Exception):
            raise data
        run = _runner(data, reset=FUSED_OP.encode() in data or name.startswith("fused"))
        found.append(
            Candidate(f"TFLite {name}", "peer", run, size_bytes=len(data), exact=job.mode == "float32")
        )
    return found


def _runner(data: bytes, reset: bool = False) -> Callable[[Any], np.ndarray]:
    """The device's own way through the interpreter: three calls by index, and one that clears a fused state."""
    model = load_model(data)
    (x,), (y,) = model.inputs, model.outputs

    def run(value: np.ndarray) -> np.ndarray:
        return model.run({x: value})[y]

    def run_reset(value: np.ndarray) -> np.ndarray:
        model.reset()
        return model.run({x: value})[y]

    return run_reset if reset else run


def limits(subject: Subject, gates: int) -> list[Candidate]:
    """The recurrent products alone: 28 int8 FULLY_CONNECTED, each fed by the one before, and nothing else.

    They go up (``h → G h``) and down (``G h → h``) in turn: the same multiply-adds and bytes of weights, and no
    operator between them. In a chain, XNNPACK packs the matrix once for each of them; in a loop, 2 or 4 times in all.
    """
    random = np.random.default_rng(0)
    wide = gates * subject.units
    up = random.standard_normal((subject.units, wide)).astype(np.float32) / subject.units**0.5
    down = random.standard_normal((wide, subject.units)).astype(np.float32) / wide**0.5
    jobs = [Job(name, _products(up, down, pairs), "int8", "float32") for name, pairs in _ARRANGEMENTS.items()]
    inputs = random.uniform(-4, 4, (100, 1, subject.units)).astype(np.float32)
    found = []
    for name, data in convert(jobs).items():
        if isinstance(data, Exception):
            raise data
        name = f"limit: {ROWS} bare int8 products in {name}"
        found.append(Candidate(name, "limit", _runner(data), _any_of(inputs), len(data)))
    return found


def _any_of(inputs: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """One of random inputs, always the same for a frame."""

    def prepare(frame: np.ndarray) -> np.ndarray:
        return inputs[int((frame[0, 0] + 1) / 2 * (len(inputs) - 1))]

    return prepare


def _products(up: np.ndarray, down: np.ndarray, pairs: int) -> Any:
    """The function of ``ROWS`` products, ``pairs`` up and down in a turn of a loop (all of them: no loop)."""
    bounds = (-4.0, 4.0)
    turns = ROWS // 2 // pairs

    def weights(matrix: np.ndarray) -> tf.Tensor:
        high = float(np.abs(matrix).max())
        return tf.quantization.fake_quant_with_min_max_args(
            tf.constant(matrix), -high, high, narrow_range=True
        )

    def body(turn: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        h = fake_quantize(h, bounds)
        for _ in range(pairs):
            wide = fake_quantize(tf.matmul(h, weights(up)), bounds)
            h = fake_quantize(tf.matmul(wide, weights(down)), bounds)
        return turn + 1, h

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        h = fake_quantize(x, bounds)
        if turns == 1:
            return {"y": body(tf.constant(0), h)[1]}
        return {
            "y": fake_quantize(
                tf.while_loop(lambda turn, _: turn < turns, body, [tf.constant(0), h])[1], bounds
            )
        }

    return tf.function(serve, autograph=False).get_concrete_function(
        x=tf.TensorSpec((1, len(up)), tf.float32, name="x")
    )
