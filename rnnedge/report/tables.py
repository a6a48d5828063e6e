"""The tables below the answer: classes, forms, ranges, the op audit, how it was made."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from rnnedge.evaluate import Evaluation
from rnnedge.report import formats
from rnnedge.report.places import is_weight, layer_title, words
from rnnedge.report.record import Record


@dataclass(frozen=True)
class ClassRow:
    """A class's figures; ``change`` is int8's recall against float's, in points."""

    index: int
    label: str
    images: str
    precision: str
    recall: str
    f1: str
    change: str


def classes(int8: Evaluation, float_: Evaluation, labels: list[str]) -> list[ClassRow]:
    """The int8 model's figures for each class, in label order."""
    rows = []
    for index, label in enumerate(labels):
        found, before = int8.classes[label], float_.classes[label]
        precision, recall, f1 = (formats.share(found[key]) for key in ("precision", "recall", "f1"))
        change = formats.points(found["recall"] - before["recall"])
        rows.append(
            ClassRow(index, label, formats.count(int(found["images"])), precision, recall, f1, change)
        )
    return rows


def weakest(int8: Evaluation, rows: list[ClassRow], most: int = 10) -> list[ClassRow]:
    """The classes with the lowest F1."""
    return sorted(rows, key=lambda row: int8.classes[row.label]["f1"])[:most]


def forms(run: Record[Any]) -> list[dict[str, str]]:
    """Each form that was made."""
    found = []
    for name, form in run.quantization.forms.items():
        p = form.parity
        found.append(
            {
                "name": name + (" (default)" if name == run.quantization.form else ""),
                "size": formats.size(form.size_bytes),
                "latency": formats.microseconds(form.latency_us),
                "macs": formats.count(form.audit.macs),
                "top1": formats.percent(p.top1) if p else formats.NOTHING,
                "max_lsb": formats.count(p.max_lsb) if p else formats.NOTHING,
                "equal": formats.percent(p.equal) if p else formats.NOTHING,
                "samples": formats.count(p.samples) if p else formats.NOTHING,
                "audit": "passed" if form.audit.passed else "FAILED",
            }
        )
    return found


@dataclass(frozen=True)
class RangeRow:
    """A quantiser's range and the value of one int8 step."""

    what: str
    name: str
    kind: str
    low: str
    high: str
    step: str


def ranges(run: Record[Any]) -> list[tuple[str, list[RangeRow]]]:
    """The ranges of each layer."""
    return [
        (
            layer_title(layer, run.quantization.types),
            [_range(what, *bounds) for what, bounds in sites.items()],
        )
        for layer, sites in run.quantization.ranges.items()
    ]


def _range(what: str, low: float, high: float) -> RangeRow:
    # Weights are symmetric and narrow (−127 to 127), activations use all 256 values.
    step = max(abs(low), abs(high)) / 127 if is_weight(what) else (high - low) / 255
    return RangeRow(
        words(what),
        what,
        "weights" if is_weight(what) else "activation",
        formats.real(low),
        formats.real(high),
        formats.real(step),
    )


@dataclass(frozen=True)
class AuditTable:
    """A form's audit: operators with count and version, most frequent first; ``integer``: int8 is in it."""

    form: str
    default: bool
    passed: bool
    failures: list[str]
    ops: list[tuple[str, str, str]]
    dtypes: str
    runtimes: dict[str, list[str]]
    float_ops: dict[str, str]
    ties: list[str]
    macs: str
    integer: bool


def audits(run: Record[Any]) -> list[AuditTable]:
    """Every form's audit, the default form's first."""
    found = []
    for name, form in run.quantization.forms.items():
        a = form.audit
        counted = sorted(a.ops.items(), key=lambda item: (-item[1], item[0]))
        ops = [(op, formats.count(n), str(a.versions.get(op, formats.NOTHING))) for op, n in counted]
        types = ", ".join(
            f"{formats.count(n)} {dtype}" for dtype, n in sorted(a.dtypes.items(), key=lambda i: -i[1])
        )
        default = name == run.quantization.form
        found.append(
            AuditTable(
                name,
                default,
                a.passed,
                a.failures,
                ops,
                types,
                a.runtimes,
                a.float_ops,
                a.ties,
                formats.count(a.macs),
                "int8" in a.dtypes,
            )
        )
    return sorted(found, key=lambda table: not table.default)


def making(run: Record[Any], noun: str) -> list[tuple[str, str]]:
    """How the run was made, as terms and values; ``noun`` is what it learned from: ``image`` or ``clip``."""
    t, q, e = run.training, run.quantization, run.evaluations
    counts = ", ".join(f"{formats.count(n)} {split}" for split, n in t.images.items())
    elsewhere = f" of {e.data}" if e.data != t.data else ""
    skipped = t.skipped + e.skipped
    early = ", stopped early" if t.stopped else ""
    length = f"{formats.counted(t.epochs, 'epoch')}, {formats.counted(t.steps, 'step')}"
    rows = [
        ("recipe", f"{t.recipe}: {run.recipe.description}".removesuffix(": ")),
        ("data", f"{t.data}: {counts}, {e.tested}{elsewhere}"),
        ("float training", f"{length}, {formats.seconds(t.seconds)}{early}, on Keras 3 with {t.backend}"),
        ("fine-tuning", f"{formats.counted(len(q.history), 'epoch')}, quantisation-aware"),
        ("parameters", formats.count(t.parameters)),
        ("seed", str(run.recipe.train.seed)),
        ("border", f"{q.io} in and out"),
    ]
    if skipped:
        rows.append((f"damaged {noun}s skipped", formats.count(skipped)))
    if run.summary and run.summary.seconds:
        rows.append(("from start to report", formats.seconds(run.summary.seconds)))
    if run.bundle:
        rows.append(("bundle", f"{run.bundle_name}, made {run.bundle.created}"))
    return rows


def commands(run: Record[Any]) -> list[str]:
    """Command lines that make the run again, from the folder that holds it."""
    folder = shlex.quote(run.name)
    again = shlex.quote(f"{run.name}-again")
    lines = [f"rnnedge train {folder}/recipe.toml --out {again}", f"rnnedge quantize {again}"]
    if run.bundle_name:
        bundle = f"{folder}/{shlex.quote(run.bundle_name)}"
        lines += [
            f"rnnedge evaluate {bundle} {_measured_on(run)} --split {shlex.quote(run.evaluations.split)}",
            f"rnnedge-run {bundle} --source 0",
        ]
    return lines


def _measured_on(run: Record[Any]) -> str:
    """The options that name the evaluation's data."""
    if run.recipe.task == "clips":  # a folder's classes and folds are the recipe's
        return f"--recipe {shlex.quote(run.name)}/recipe.toml"
    group = f" --group {shlex.quote(run.recipe.data.group)}" if run.recipe.data.group else ""
    return f"--data {shlex.quote(run.evaluations.data)}{group}"
