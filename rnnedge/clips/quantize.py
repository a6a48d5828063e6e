"""From a trained clip run to an int8 bundle: fine-tune, convert, tune events, measure float, QAT and int8, pack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge.clips.baseline import memoryless_scores, single_frame
from rnnedge.clips.epochs import ClipEpochs
from rnnedge.clips.evaluate import ClipEvaluation, score_clips, score_streamed
from rnnedge.clips.films import film_samples
from rnnedge.clips.streamed import Streamed, step_and_window_us, stream_clip
from rnnedge.clips.tune import measure_scene_cut, tune_rules
from rnnedge.data.clips import ClipSet
from rnnedge.models.clip_rnn import fixed_length
from rnnedge.runs import Run, Say, write_json
from rnnedge_device.bundle import read_bundle
from rnnedge_device.clip import ClipSpec
from rnnedge_device.clips import ClipModel
from rnnedge_device.manifest import Manifest

KINDS = ("float", "qat", "int8")
GOLDEN_FRAMES = 24
STREAM_FRAMES = 200
WINDOW = 16


@dataclass(frozen=True)
class ClipOutcome:
    """What ``quantize_clips`` made: the bundle, and what ``evaluation.json`` and ``quantize.json`` hold."""

    bundle: Path
    evaluation: dict[str, Any]
    quantized: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The figures of ``rnnedge quantize --json``."""
        e = self.evaluation
        keys = ("data", "split", "rate", "clip_accuracy", "balanced", "frames", "events", "agreement")
        more = ("stream_equals_batch", "step_us", "window_us", "size_bytes")
        return {
            "bundle": str(self.bundle),
            **{key: e[key] for key in (*keys, *more)},
            "form": self.quantized["form"],
            "parity": self.quantized["parity"],
        }


def quantize_clips(
    run: Run,
    *,
    out: Path | None = None,
    form: Any = None,
    io: str | None = None,
    baseline: bool = False,
    say: Say,
) -> ClipOutcome:
    """Quantise a clip run's model, write the bundle, ``quantize.json`` and ``evaluation.json``.

    Args:
        out: the bundle; by default ``RECIPE.rnnedge`` in the run's folder.
        form, io: instead of the recipe's.
        baseline: also train the same model without a memory, for the tables.

    Raises:
        InputError: see ``rnnedge_export.quantize``.
    """
    from rnnedge_export import quantize

    recipe, settings = run.recipe, run.recipe.quantize
    train, val, test = (run.clips(split) for split in ("train", "val", "test"))

    def report(row: dict[str, Any]) -> None:
        accuracy = f"  accuracy {row['accuracy']:.4f}" if "accuracy" in row else ""
        say(f"qat epoch {row['epoch']}/{settings.epochs}  loss {row['loss']:.4f}{accuracy}")

    quantized = quantize(
        fixed_length(run.model, recipe.clip.length),
        ClipEpochs(recipe, train, settings.batch_size),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        form=form or settings.form,
        io=io or settings.io,
        seed=recipe.train.seed,
        report=report,
    )
    say("audit and parity passed; streaming the test split through the device's code: float, QAT, int8")
    spec, measured = _temporal(run, quantized, val)
    bundle = out or run.bundle
    pack: dict[str, Any] = {
        "labels": run.result.labels,
        "preprocess": recipe.preprocess(),
        "golden": golden_frames(test),
        "name": recipe.name,
        "clip": spec,
    }
    quantized.save(bundle, **pack)
    evaluation = {**_evaluate(run, quantized, bundle, test), **measured}
    if baseline:
        say("the same encoder without a memory, for comparison")
        scores = memoryless_scores(recipe, test)
        evaluation["memoryless"] = score_clips(scores, test, spec).to_dict()
        evaluation["single_frame"] = single_frame(scores, test)
    evaluation["clip_accuracy"] |= {"single_frame": (evaluation.get("single_frame") or {}).get("accuracy")}
    quantized.save(bundle, **pack, metrics=_metrics(evaluation))
    write_json(run.folder / "quantize.json", quantized.report)
    write_json(run.folder / "evaluation.json", evaluation)
    return ClipOutcome(bundle, evaluation, quantized.report)


def _temporal(run: Run, quantized: Any, val: ClipSet) -> tuple[ClipSpec, dict[str, Any]]:
    """The manifest's temporal side, with what is measured on ``val``: event rules and the scene-cut threshold."""
    recipe = run.recipe
    cut, cuts = measure_scene_cut(val.clips) if recipe.clip.scene_cut else (None, {"threshold": None})
    spec = recipe.clip_spec(scene_cut=cut)
    rules: dict[str, Any] = {"tuned": False, **spec.events.to_dict()}
    videos = [clip for clip in val.clips if clip.truths]
    if recipe.events.tune and videos:
        model = ClipModel.of(*_engine(quantized, "int8"), _manifest(run, spec, quantized))
        scores = [stream_clip(model, clip).scores for clip in videos]
        best, figures = tune_rules(scores, videos, val.names, spec.background, spec.events)
        spec = replace(spec, events=best)
        rules = {"tuned": True, **best.to_dict(), "val": figures}
    return spec, {"scene_cut": cuts, "rules": rules}


def _engine(quantized: Any, kind: str) -> tuple[Any, Any]:
    engine = quantized.engine(kind)
    return engine, engine.form


def _manifest(run: Run, spec: ClipSpec, quantized: Any) -> Manifest:
    """What an engine needs beside itself."""
    return Manifest(
        name=run.recipe.name,
        labels=tuple(run.result.labels),
        preprocess=run.recipe.preprocess(),
        forms=(quantized.engine("int8").form,),
        task="clips",
        clip=spec,
    )


def _evaluate(run: Run, quantized: Any, bundle: Path, test: ClipSet) -> dict[str, Any]:
    """Float, QAT and int8 on the test split, side by side, each streamed frame by frame by the device's code."""
    model = ClipModel(read_bundle(bundle))
    models = {kind: ClipModel.of(*_engine(quantized, kind), model.manifest) for kind in ("float", "qat")}
    streamed = {
        kind: [stream_clip(engine, clip) for clip in test.clips]
        for kind, engine in {**models, "int8": model}.items()
    }
    figures = {kind: score_streamed(rows, test, model.clip, kind) for kind, rows in streamed.items()}
    step_us, window_us = step_and_window_us(model, _frames(test, 4 * WINDOW), WINDOW)
    return {
        "task": "clips",
        "data": test.name,
        "split": "test",
        "labels": run.result.labels,
        "rate": test.rate,
        "head": model.clip.head,
        **{kind: figures[kind].to_dict() for kind in KINDS},
        "clip_accuracy": {**_each(figures, lambda e: e.clips and e.clips.accuracy), "clips": _labelled(test)},
        "balanced": _each(figures, lambda e: e.balanced),
        "frames": _each(figures, lambda e: e.frames),
        "events": _each(figures, lambda e: e.events),
        "agreement": _agreement(streamed),
        "stream_equals_batch": _stream_equals_batch(run, model, models["float"], test),
        "step_us": round(step_us, 1),
        "window_us": round(window_us, 1),
        "window": WINDOW,
        "size_bytes": len(quantized.tflite),
        "samples": film_samples(streamed["int8"], streamed["float"], test, model.clip.background),
    }


def _each(figures: dict[str, ClipEvaluation], choose: Any) -> dict[str, Any]:
    return {kind: choose(evaluation) for kind, evaluation in figures.items()}


def _labelled(clips: ClipSet) -> int:
    return int((clips.labels >= 0).sum())


def _agreement(streamed: dict[str, list[Streamed]]) -> float:
    """The share of frames on which int8 and QAT have the same highest class."""
    best = {
        kind: np.concatenate([row.scores.argmax(axis=1) for row in streamed[kind]])
        for kind in ("qat", "int8")
    }
    return float((best["qat"] == best["int8"]).mean())


def _stream_equals_batch(
    run: Run, int8: ClipModel, floats: ClipModel, clips: ClipSet
) -> dict[str, float | int]:
    """Frame by frame against all at once, over one stream: the int8 sequence signature, and the Keras model itself."""
    from rnnedge.data.batches import to_inputs

    pixels = _frames(clips, STREAM_FRAMES)
    stream, reference = int8.open_stream(), floats.open_stream()
    streamed = np.stack([stream.step(frame).raw for frame in pixels]).astype(np.float64)
    real = np.stack([reference.step(frame).raw for frame in pixels])
    batch = np.asarray(run.model(to_inputs(pixels, run.recipe.preprocess())[np.newaxis], training=False))[0]
    return {
        "max_abs": float(np.abs(streamed - int8.sequence(pixels)).max()),
        "float_max_abs": float(np.abs(real - batch).max()),
        "frames": len(pixels),
    }


def _frames(clips: ClipSet, count: int) -> np.ndarray:
    """Model frames of the clips one behind the other, uint8 ``[count, h, w, c]``, from the front as often as needed."""
    found: list[np.ndarray] = []
    have = 0
    while have < count:
        for clip in clips.clips:
            part = np.asarray(clip.frames[: count - have])
            found.append(part)
            have += len(part)
            if have >= count:
                break
    return np.concatenate(found)


def golden_frames(clips: ClipSet, count: int = GOLDEN_FRAMES) -> np.ndarray:
    """Consecutive frames of one clip as a camera would deliver them, ``uint8 [N, H, W]`` or ``[N, H, W, 3]`` BGR."""
    frames = np.asarray(max(clips.clips[:50], key=len).frames[:count])
    if frames.shape[-1] < 3:  # a foreground is as good a picture as any
        return frames[..., 0]
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in frames])


def _metrics(evaluation: dict[str, Any]) -> dict[str, Any]:
    keys = (
        "data",
        "split",
        "rate",
        "clip_accuracy",
        "balanced",
        "frames",
        "events",
        "agreement",
        "stream_equals_batch",
    )
    return {key: evaluation[key] for key in (*keys, "scene_cut", "rules")}
