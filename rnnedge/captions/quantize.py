"""From a trained caption run to an int8 bundle: calibrate, fine-tune, convert, measure float, QAT and int8, pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge.captions.evaluate import Encoded, score_written
from rnnedge.data.augment import Augment
from rnnedge.data.caption_batches import ImageInputs, Sentences
from rnnedge.data.captions import CaptionSet
from rnnedge.data.split import MissingSplitError
from rnnedge.models.captioner import encoder_of
from rnnedge.runs import GOLDEN_IMAGES, Run, Say, png, write_json
from rnnedge.scene_threshold import scene_threshold
from rnnedge.training.caption_problem import recipe_captions
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.captioner import Caption, Captioner
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.scene import SceneCut, difference
from rnnedge_device.search import SearchOptions
from rnnedge_device.vocabulary import Vocabulary

KINDS = ("float", "qat", "int8")
SAMPLES = 24
CUT_PHOTOS = 500
MOVED = Augment(shift=0.03, rotate=2.0, scale=0.03, brightness=0.03, contrast=0.05)
GOLDEN_SIDE = 256  # pixels; larger photos would only make the bundle larger


@dataclass(frozen=True)
class CaptionOutcome:
    """What ``quantize_captions`` made: the bundle, and what ``evaluation.json`` and ``quantize.json`` hold."""

    bundle: Path
    evaluation: dict[str, Any]
    quantized: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The figures of ``rnnedge quantize --json``."""
        keys = ("data", "split", "images", *KINDS, "attribute_accuracy", "token_agreement", "same_captions")
        more = ("encode_us", "decode_step_us", "sizes")
        return {
            "bundle": str(self.bundle),
            **{key: self.evaluation[key] for key in (*keys, *more)},
            "parity": self.quantized["parity"],
        }


def quantize_captions(
    run: Run, *, out: Path | None = None, io: str | None = None, say: Say
) -> CaptionOutcome:
    """Quantise a caption run's model, write the bundle, ``quantize.json`` and ``evaluation.json``.

    Args:
        out: the bundle; by default ``RECIPE.rnnedge`` in the run's folder.
        io: instead of the recipe's.

    Raises:
        InputError: see ``rnnedge_export.captions.qat.quantize_captioner``.
    """
    from rnnedge_export.captions.qat import float_tflite, quantize_captioner
    from rnnedge_export.captions.settings import DecoderSettings

    recipe, settings, preprocess = run.recipe, run.recipe.quantize, run.recipe.preprocess()
    vocabulary = Vocabulary(tuple(run.result.labels))
    train = recipe_captions(recipe, "train", strict=run.strict)
    if settings.samples and settings.samples < len(train):
        chosen = np.random.default_rng(recipe.train.seed).permutation(len(train))[: settings.samples]
        train = train.take(np.sort(chosen))
    sentences = Sentences(train, vocabulary, recipe.caption.length)
    decoder = run.model.get_layer("decoder")

    def report(row: dict[str, Any]) -> None:
        say(
            f"qat epoch {row['epoch']}/{settings.epochs}  loss {row['loss']:.4f}  agreement {row['agreement']:.4f}"
        )

    quantized = quantize_captioner(
        encoder_of(run.model),
        DecoderSettings.of(decoder.settings),
        decoder.named_weights(),
        ImageInputs(train, preprocess),
        sentences.tokens,
        sentences.of,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        io=io or settings.io,
        seed=recipe.train.seed,
        report=report,
    )
    val, test = recipe_captions(recipe, "val", strict=run.strict), held_out(run)
    say(f"audit and parity passed; writing captions of {len(test)} images: float, QAT, int8")
    cut, cuts = (
        measure_photo_cut(val, preprocess) if recipe.caption.scene_cut else (None, {"threshold": None})
    )
    spec = recipe.caption_spec(scene_cut=cut, grid=_grid(run))
    captioners = {kind: quantized.captioner(kind, vocabulary, preprocess, spec) for kind in KINDS}
    evaluation = _evaluate(captioners, test, spec, say)
    evaluation["scene_cut"] = cuts
    evaluation["grid"] = spec.grid and list(spec.grid)
    evaluation["sizes"] = {
        "int8_tflite": len(quantized.tflite),
        "float32_tflite": len(float_tflite(quantized)),
    }
    bundle = out or run.bundle
    quantized.save(
        bundle,
        vocabulary=vocabulary,
        preprocess=preprocess,
        caption=spec,
        golden=_golden(test),
        metrics={key: evaluation[key] for key in ("data", "split", "images", *KINDS, "token_agreement")},
        name=recipe.name,
    )
    write_json(run.folder / "quantize.json", quantized.report)
    write_json(run.folder / "evaluation.json", evaluation)
    return CaptionOutcome(bundle, evaluation, quantized.report)


def held_out(run: Run) -> CaptionSet:
    """The test split; where the data have none, ``val``. One that is there but cannot be read is an error."""
    try:
        return recipe_captions(run.recipe, "test", strict=run.strict)
    except MissingSplitError:
        return recipe_captions(run.recipe, "val", strict=run.strict)


def measure_photo_cut(captions: CaptionSet, preprocess: Preprocess) -> tuple[SceneCut | None, dict[str, Any]]:
    """A scene-cut threshold from photos: one photo and the next are a cut, a photo that has moved a little is none.

    See ``scene_threshold``; the move is a camera's from one frame to the next, drawn as ``MOVED``.
    """
    pixels = ImageInputs(captions, preprocess).pixels(np.arange(min(len(captions), CUT_PHOTOS)))
    moved = [
        MOVED.apply(image, draw) for image, draw in zip(pixels, MOVED.draw(0, 0, len(pixels)), strict=True)
    ]
    within = [difference(a, b) for a, b in zip(pixels, moved, strict=True)]
    return scene_threshold(within, [difference(a, b) for a, b in pairwise(pixels)])


def _grid(run: Run) -> tuple[int, int] | None:
    if getattr(run.recipe.model, "image", "") != "attention":
        return None
    rows, columns = run.model.get_layer("encoder").output_shape[1:3]
    return int(rows), int(columns)


def _evaluate(
    captioners: dict[str, Captioner], test: CaptionSet, spec: CaptionSpec, say: Say
) -> dict[str, Any]:
    """Float, QAT and int8 side by side, greedy, and with the recipe's beam where that is wider."""
    greedy = replace(SearchOptions.of(spec), beam=1)
    encoded = {kind: Encoded.of(captioner, test) for kind, captioner in captioners.items()}
    said = {kind: images.write(greedy) for kind, images in encoded.items()}
    figures: dict[str, Any] = {kind: score_written(said[kind], test, 1) for kind in KINDS}
    found: dict[str, Any] = {
        "task": "captions",
        "data": test.name,
        "split": test.split,
        "images": len(test),
        **{kind: figures[kind].to_dict() for kind in KINDS},
    }
    if spec.beam > 1:
        say(f"the same with a beam of {spec.beam}")
        for kind in ("float", "int8"):
            wide = encoded[kind].write(SearchOptions.of(spec))
            found[f"{kind}_beam"] = score_written(wide, test, spec.beam).to_dict()
    scenes = {kind: figures[kind].scenes for kind in KINDS}
    return {
        **found,
        "attribute_accuracy": {kind: row and row["attributes"] for kind, row in scenes.items()},
        "token_agreement": _agreement(encoded, said["qat"]),
        "same_captions": _share(said["qat"], said["int8"]),
        "same_as_float": _share(said["float"], said["int8"]),
        "encode_us": figures["int8"].to_dict()["encode_us"],
        "decode_step_us": figures["int8"].to_dict()["step_us"],
        "samples": _samples(test, said),
    }


def _share(one: Sequence[Caption], other: Sequence[Caption]) -> float:
    return float(np.mean([a.ids == b.ids for a, b in zip(one, other, strict=True)]))


def _agreement(encoded: dict[str, Encoded], said: Sequence[Caption]) -> float:
    """The share of words that int8 chooses as the trained model does, each behind the trained model's own words."""
    same: list[bool] = []
    for index, sentence in enumerate(said):
        if sentence.ids:
            best = [
                encoded[kind].captioner.logits(encoded[kind].states[index], sentence.ids).argmax(-1)
                for kind in ("qat", "int8")
            ]
            same += (best[0] == best[1]).tolist()
    return float(np.mean(same)) if same else 0.0


def _samples(test: CaptionSet, said: dict[str, list[Caption]]) -> list[dict[str, Any]]:
    """Some images with their sentences, evenly from the set, for the report."""
    step = max(1, len(test) // SAMPLES)
    return [
        {
            "image": png(_small(test.images[i])),
            "id": test.ids[i],
            "references": list(test.captions[i]),
            **{kind: said[kind][i].text for kind in KINDS},
            "attention": _looked(said["int8"][i]),
        }
        for i in range(0, len(test), step)[:SAMPLES]
    ]


def _looked(caption: Caption) -> list[list[float]] | None:
    return None if caption.attention is None else np.round(caption.attention, 3).tolist()


def _golden(test: CaptionSet) -> np.ndarray:
    """A few real images of one size, as a camera would deliver them."""
    step = max(1, len(test) // GOLDEN_IMAGES)
    images = [_small(test.images[i]) for i in range(0, len(test), step)[:GOLDEN_IMAGES]]
    height, width = images[0].shape[:2]
    return np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images])


def _small(image: np.ndarray) -> np.ndarray:
    """The image with no side longer than ``GOLDEN_SIDE``."""
    factor = GOLDEN_SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
