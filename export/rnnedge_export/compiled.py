"""A converted form, run through the device's own interpreter: outputs, parity, latency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter_ns
from typing import Any

import numpy as np

from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_model
from rnnedge_device.stepper import RowStepper
from rnnedge_device.tensors import Scan, State, Tensor
from rnnedge_export.auditing import Audit
from rnnedge_export.flatbuffer import read_model


@dataclass(frozen=True)
class Parity:
    """How a converted form compares with the model it stands for.

    Args:
        top1: share of samples with the same highest output.
        max_lsb: the largest difference, in steps of the output's scale.
        regret_lsb: how far, in such steps, the chosen output lay below the best one where the two disagree.
        equal: share of outputs that are equal.
        max_abs: the largest difference in real values.
        noise: root mean square of the difference, as a share of the spread of all outputs.
        repeatable: the same inputs twice gave the same outputs.
        samples: how many inputs this was measured on.
    """

    top1: float
    max_lsb: int
    regret_lsb: int
    equal: float
    max_abs: float
    noise: float
    repeatable: bool
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return asdict(self)


@dataclass(frozen=True)
class Compiled:
    """One form of a quantised model, with what was measured on it.

    Args:
        data: the ``.tflite`` file, which may hold other forms' signatures as well.
        clip: the form takes the frames of a clip and answers at each.
    """

    form: Form
    data: bytes
    audit: Audit
    parity: Parity | None = None
    clip: bool = False

    @property
    def name(self) -> str:
        return self.form.name

    def runner(self) -> Runner:
        """An interpreter for this form."""
        return Runner(self)

    def to_dict(self) -> dict[str, Any]:
        """What the report says of this form."""
        return {
            "size_bytes": len(self.data),
            "latency_us": self.form.latency_us,
            "parity": self.parity.to_dict() if self.parity else None,
            "audit": self.audit.to_dict(),
        }


@dataclass
class Runner:
    """Runs a form on real-valued inputs ``[N, ...]``, sample by sample; each begins from the reset states."""

    compiled: Compiled
    model: Any = field(init=False)

    def __post_init__(self) -> None:
        form = self.compiled.form
        self.model = load_model(self.compiled.data, signature=form.signature)
        self.x, self.y = form.input("x"), form.output("y")
        self.fused = any("SEQUENCE" in name for name in form.ops)
        self.stepper = RowStepper(self.model, form) if form.states else None

    def encode(self, x: np.ndarray) -> np.ndarray:
        """One sample as the graph takes it: its input, or for a form with states its rows, frames or windows."""
        if self.stepper is None:
            return self.x.encode(x)
        parts = self.compiled.form.scan(x).astype(np.float32).reshape(-1, *self.x.shape[1:])
        return np.stack([self.x.encode(part) for part in parts])

    def run(self, encoded: np.ndarray) -> np.ndarray:
        """The raw output for one encoded sample."""
        if self.stepper is None:
            if self.fused:
                self.model.reset()  # the fused kernel keeps its state between calls
            return self.model.run({"x": encoded})["y"]
        self.stepper.reset()
        answers = [self.stepper.feed(part) for part in encoded]
        if self.compiled.clip:
            return np.concatenate([answer.reshape(1, -1, answer.shape[-1]) for answer in answers], axis=1)
        # A model that answers at every step gives [1, 1, K] a row; else the last answer is the sequence's.
        return answers[-1] if answers[-1].ndim == 2 else np.concatenate(answers, axis=1)

    def calls(self, x: np.ndarray) -> tuple[Callable[[np.ndarray], Any], list[np.ndarray]]:
        """What to time, and on what: a sample, or a frame or window of a clip with its states carried."""
        samples = [self.encode(sample) for sample in x]
        if self.stepper is None or not self.compiled.clip:
            return self.run, samples
        return self.stepper.feed, [part for sample in samples for part in sample]

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Raw outputs ``[N, ...]`` in the border's dtype."""
        return np.concatenate([self.run(self.encode(sample)) for sample in x])

    def real(self, x: np.ndarray) -> np.ndarray:
        """Outputs ``[N, ...]`` as real values."""
        return self.y.decode(self.raw(x))


def describe(
    name: str,
    data: bytes,
    audit: Audit,
    states: Sequence[tuple[str, str]] = (),
    scan: Any = (),
    signature: str | None = None,
) -> Form:
    """The manifest's entry for a converted file, or for one ``signature`` of it."""
    model = load_model(data, signature=signature)

    def tensors(ports: dict[str, Any]) -> tuple[Tensor, ...]:
        return tuple(replace(port.tensor, name=key) for key, port in sorted(ports.items()))

    return Form(
        name=name,
        file="model.tflite",
        signature=model.signature,
        inputs=tensors(model.inputs),
        outputs=tensors(model.outputs),
        states=tuple(State(before, after) for before, after in states),
        scan=Scan(tuple((kind, tuple(numbers)) for kind, numbers in scan)),
        ops=audit.ops,
        size_bytes=len(data),
    )


def parity(compiled: Compiled, x: np.ndarray, reference: np.ndarray) -> Parity:
    """Compare a form with ``reference [N, ...]``, the outputs of the model it stands for on ``x``."""
    runner = compiled.runner()
    real = runner.real(x)
    repeatable = bool(np.array_equal(real[:8], runner.real(x[:8])))
    scale = output_scale(compiled)
    apart = np.abs(real - np.clip(reference, *_bounds(compiled, scale)))
    steps = np.rint(apart / scale) if scale else np.zeros(1)
    same = real.argmax(-1) == reference.argmax(-1)
    chosen = np.take_along_axis(reference, real.argmax(-1)[..., np.newaxis], -1)[..., 0]
    regret = float((reference.max(-1) - chosen).max())
    return Parity(
        top1=float(same.mean()),
        max_lsb=int(steps.max()),
        regret_lsb=int(np.rint(regret / scale)) if scale else 0,
        equal=float((steps == 0).mean()) if scale else float(np.isclose(real, reference, atol=1e-5).mean()),
        max_abs=float(np.abs(real - reference).max()),
        noise=float(np.sqrt(np.mean((real - reference) ** 2)) / max(float(reference.std()), 1e-12)),
        repeatable=repeatable,
        samples=len(x),
    )


def output_scale(compiled: Compiled) -> float:
    """The scale behind output ``y``, also where the border is float32; 0 for a float model."""
    y = compiled.form.output("y")
    if y.scale:
        return y.scale
    model = read_model(compiled.data)
    signature = model.signature(compiled.form.signature)
    target = signature.outputs["y"].index
    for op in model.subgraphs[signature.subgraph].operators:
        source = op.inputs[0] if op.inputs else None
        if op.name == "DEQUANTIZE" and op.outputs[0].index == target and source is not None and source.scales:
            return source.scales[0]
    return 0.0


def _bounds(compiled: Compiled, scale: float) -> tuple[float, float]:
    """What the output can hold: beyond it the reference saturates, too."""
    y = compiled.form.output("y")
    if not y.scale:
        return -np.inf, np.inf
    return (-128 - y.zero_point) * scale, (127 - y.zero_point) * scale


def measure(
    candidates: Sequence[Compiled], x: np.ndarray, rounds: int = 200, warm_up: int = 20
) -> dict[str, float]:
    """Median microseconds a call of each form, interleaved in one process on one thread.

    A call is one image, one frame of a stream (``step`` of a clip model) or one window (``sequence``).
    """
    runners = [(c.name, *c.runner().calls(x[:16])) for c in candidates]
    times: dict[str, list[int]] = {name: [] for name, *_ in runners}
    for index in range(rounds + warm_up):
        for name, call, inputs in runners:
            sample = inputs[index % len(inputs)]
            begin = perf_counter_ns()
            call(sample)
            if index >= warm_up:
                times[name].append(perf_counter_ns() - begin)
    return {name: float(np.median(values)) / 1000 for name, values in times.items()}
