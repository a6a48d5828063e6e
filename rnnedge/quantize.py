"""From a trained run to an int8 bundle: fine-tune, convert, measure on the test split, pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnedge.data.dataset import Dataset
from rnnedge.evaluate import evaluate_bundle, evaluate_model, score
from rnnedge.runs import Epochs, Run, Say, golden_images, png, write_json
from rnnedge_device.bundle import read_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.errors import InputError

WRONG_SAMPLES, RIGHT_SAMPLES = 24, 8


@dataclass(frozen=True)
class Outcome:
    """What ``quantize_run`` made.

    Args:
        bundle: the file.
        evaluation: what ``evaluation.json`` holds.
        quantized: what ``quantize.json`` holds.
    """

    bundle: Path
    evaluation: dict[str, Any]
    quantized: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The figures of ``rnnedge quantize --json``."""
        e = self.evaluation
        return {
            "bundle": str(self.bundle),
            "data": e["data"],
            "split": e["split"],
            "accuracy": {name: e[name]["accuracy"] for name in ("float", "qat", "int8")},
            "images": e["int8"]["images"],
            "agreement": e["agreement"],
            "max_lsb": e["max_lsb"],
            "size_bytes": e["sizes"],
            "latency_us": e["latency_us"],
            "form": self.quantized["form"],
            "refused": self.quantized["refused"],
            "parity": self.quantized["parity"],
        }


def quantize_run(
    run: Run, *, out: Path | None = None, form: Any = None, io: str | None = None, say: Say
) -> Outcome:
    """Quantise a run's model, write the bundle, ``quantize.json`` and ``evaluation.json``.

    Args:
        out: the bundle; by default ``RECIPE.rnnedge`` in the run's folder.
        form, io: instead of the recipe's.

    Raises:
        InputError: see ``rnnedge_export.quantize``.
    """
    from rnnedge_export import quantize

    settings = run.recipe.quantize
    val = run.data("val")

    def report(row: dict[str, Any]) -> None:
        say(
            f"qat epoch {row['epoch']}/{settings.epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.4f}  "
            f"val_accuracy {row['val_accuracy']:.4f}"
        )

    quantized = quantize(
        run.model,
        Epochs(run, settings.batch_size),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        form=form or settings.form,
        io=io or settings.io,
        validation=(run.inputs(val), val.labels),
        seed=run.recipe.train.seed,
        report=report,
    )
    say(f"form {quantized.form}: audit and parity passed; scoring the test split on the device's code")
    bundle = out or run.bundle
    pack = {
        "labels": run.result.labels,
        "preprocess": run.recipe.preprocess(),
        "golden": golden_images(run.data("test"), run.recipe.data.size),
        "name": run.recipe.name,
    }
    quantized.save(bundle, **pack)
    evaluation = _evaluate(run, quantized, bundle)
    quantized.save(bundle, **pack, metrics=_metrics(evaluation))
    write_json(run.folder / "quantize.json", quantized.report)
    write_json(run.folder / "evaluation.json", evaluation)
    return Outcome(bundle, evaluation, quantized.report)


def _evaluate(run: Run, quantized: Any, bundle: Path) -> dict[str, Any]:
    """Float, QAT and int8 on the test split, side by side."""
    from rnnedge_export.compiled import measure, output_scale
    from rnnedge_export.finetune import predict
    from rnnedge_export.posttraining import float_baseline

    test = run.data("test")
    inputs = run.inputs(test)
    shaped = inputs.reshape(-1, *quantized.input_shape)
    reference = predict(quantized.twin, shaped)
    evaluations = {
        "float": evaluate_model(run.model, test, run.recipe.preprocess()),
        "qat": score(test, reference.argmax(-1), classes=reference.shape[-1], form="qat"),
        "int8": evaluate_bundle(read_bundle(bundle), test),
    }
    classifier = Classifier(read_bundle(bundle))
    real = classifier.form.output("y").decode(classifier.raw(inputs))
    best = quantized.forms[0]
    scale = output_scale(best)
    baseline = float_baseline(run.model)
    times = measure([*quantized.forms, baseline], shaped[:64])
    forms = quantized.report["forms"]
    return {
        "data": test.name,
        "split": "test",
        "labels": run.result.labels,
        **{name: evaluation.to_dict() for name, evaluation in evaluations.items()},
        "agreement": float((real.argmax(-1) == reference.argmax(-1)).mean()),
        "max_lsb": int(np.rint(np.abs(real - reference) / scale).max()) if scale else 0,
        "sizes": {"float32_tflite": len(baseline.data), "int8_tflite": len(best.data)},
        "latency_us": {
            **{name: entry["latency_us"] for name, entry in forms.items()},
            "float32": round(times[baseline.name], 2),
        },
        "samples": _samples(run, test, inputs, reference, real),
    }


def _samples(
    run: Run, test: Dataset, inputs: np.ndarray, reference: np.ndarray, real: np.ndarray
) -> list[dict[str, Any]]:
    """Some test images with their answers, those that int8 gets wrong first."""
    from rnnedge.evaluate import predict_logits

    names = test.names
    answers = real.argmax(-1)
    right = answers == test.labels
    order = np.concatenate([np.flatnonzero(~right)[:WRONG_SAMPLES], np.flatnonzero(right)[:RIGHT_SAMPLES]])
    floats = predict_logits(run.model, inputs[order]).argmax(-1)
    powers = np.exp(real[order] - real[order].max(-1, keepdims=True))
    scores = powers.max(-1) / powers.sum(-1)
    return [
        {
            "image": png(test.images[i]),
            "id": test.ids[i],
            "label": names[test.labels[i]],
            "float": names[floats[k]],
            "qat": names[reference[i].argmax()],
            "int8": names[answers[i]],
            "score": float(scores[k]),
        }
        for k, i in enumerate(int(index) for index in order)
    ]


def _metrics(evaluation: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": evaluation["data"],
        "split": evaluation["split"],
        "images": evaluation["int8"]["images"],
        "accuracy": {name: evaluation[name]["accuracy"] for name in ("float", "qat", "int8")},
        "agreement": evaluation["agreement"],
        "max_lsb": evaluation["max_lsb"],
    }


def baselines(run: Run, say: Say) -> list[dict[str, Any]]:
    """Post-training baselines of a run's model, each scored on the test split through the device's code.

    One row a conversion: method, form, accuracy, images, size, latency; or ``error`` where the converter failed.
    Their bundles are written beside the run's own, ``RECIPE.ptq-METHOD-FORM.rnnedge``.
    """
    from rnnedge_export import ptq

    test = run.data("test")
    sample = run.inputs(run.data("val"))
    rows = []
    for method, form in (
        ("dynamic", "fused"),
        ("dynamic", "unrolled"),
        ("static", "fused"),
        ("static", "unrolled"),
    ):
        row: dict[str, Any] = {"method": method, "form": form}
        try:
            quantized = ptq(run.model, sample, method, form)
        except InputError as error:
            say(f"{method} {form}: {error}")
            rows.append({**row, "error": str(error)})
            continue
        path = run.folder / f"{run.recipe.name}.ptq-{method}-{form}.rnnedge"
        quantized.save(
            path, labels=run.result.labels, preprocess=run.recipe.preprocess(), name=run.recipe.name
        )
        evaluation = evaluate_bundle(read_bundle(path), test)
        row |= {
            "accuracy": evaluation.accuracy,
            "images": evaluation.images,
            "size_bytes": len(quantized.tflite),
            "latency_us": quantized.report["latency_us"],
            "bundle": str(path),
        }
        say(f"{method} {form}: accuracy {evaluation.accuracy:.4f}, {len(quantized.tflite):,} bytes")
        rows.append(row)
    return rows
