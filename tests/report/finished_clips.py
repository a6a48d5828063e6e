"""A finished clip run's folder: real clips of ``motion`` with scores that a test knows, scored by rnnedge itself."""

import copy
from functools import cache

import finished_run
import numpy as np

from rnnedge.clips.baseline import single_frame
from rnnedge.clips.evaluate import score_clips
from rnnedge.clips.films import film_samples
from rnnedge.clips.streamed import Streamed
from rnnedge.clips.tune import measure_scene_cut
from rnnedge.data import load_clips
from rnnedge.recipes import load_recipe, write_recipe

CLIPS = 72
WRONG = {"float": 4, "qat": 5, "int8": 6}


def recipe(head="last"):
    """The demo's."""
    return load_recipe("motion-rows", (f"clip.head={head}", "clip.length=16"))


def scores_of(clip, classes, wrong):
    """Scores ``[T, K]`` that grow sure of each frame's label within half a second, or of the next class."""
    labels = (clip.labels + wrong) % classes
    sure = np.zeros((len(clip), classes))
    begin = np.concatenate([[True], labels[1:] != labels[:-1]])
    since = np.arange(len(labels)) - np.maximum.accumulate(np.where(begin, np.arange(len(labels)), 0))
    sure[np.arange(len(labels)), labels] = 1 - 0.8 * np.exp(-since / 3.0)
    ripple = 1 + np.sin(np.arange(classes) + 0.7 * np.arange(len(labels))[:, None])
    rest = (1 - sure.sum(axis=1, keepdims=True)) * ripple / ripple.sum(axis=1, keepdims=True)
    return (sure + rest).astype(np.float32)


def blind_scores(clip, classes):
    """Without a memory: every frame says the same whatever moves."""
    return np.tile(np.eye(classes, dtype=np.float32)[3] * 0.5 + 0.5 / classes, (len(clip), 1))


def evaluation(head="last"):
    """``evaluation.json`` as ``rnnedge.clips.quantize`` writes it; the caller's to change."""
    return copy.deepcopy(_evaluation(head))


@cache
def _evaluation(head):
    made = recipe(head)
    spec = made.clip_spec()
    test = load_clips("motion", "test", preprocess=made.preprocess(), clip=made.clip.options())
    test = test.take(range(CLIPS))
    classes = len(test.names)
    scores = {
        kind: [scores_of(clip, classes, int(i < count)) for i, clip in enumerate(test.clips)]
        for kind, count in WRONG.items()
    }
    blind = [blind_scores(clip, classes) for clip in test.clips]
    streamed = {kind: [Streamed(s, s, 61.0) for s in scores[kind]] for kind in ("float", "int8")}
    _, cut = measure_scene_cut(test.clips)
    return {
        "task": "clips",
        "data": test.name,
        "split": "test",
        "labels": test.names,
        "rate": test.rate,
        "head": head,
        **{kind: score_clips(scores[kind], test, spec).to_dict() for kind in WRONG},
        "agreement": 0.9942,
        "stream_equals_batch": {"max_abs": 0.0, "float_max_abs": 2.4e-7, "frames": 200},
        "step_us": 61.4,
        "window_us": 921.0,
        "window": 16,
        "size_bytes": 54_321,
        "samples": film_samples(streamed["int8"], streamed["float"], test),
        "scene_cut": cut,
        "rules": {"tuned": False, **spec.events.to_dict()},
        "memoryless": score_clips(blind, test, spec).to_dict(),
        "single_frame": single_frame(blind, test),
    }


def quantization():
    """``quantize.json`` of a clip model: two signatures of one file."""
    found = finished_run.quantization()
    form = found["forms"]["loop"] | {"latency_us": None}
    return found | {
        "form": "step",
        "forms": {"step": form, "sequence": form | {"parity": None}},
        "refused": {},
    }


def training():
    """``train.json``."""
    return finished_run.training() | {
        "recipe": "motion-rows",
        "data": "motion",
        "images": {"train": 2400, "val": 480},
    }


def write(folder, evaluation_=None, *, head="last", summary_=None):
    """A finished clip run in ``folder``; returns it."""
    finished_run.write(
        folder,
        evaluation_=evaluation_ or evaluation(head),
        quantization_=quantization(),
        training_=training(),
        summary_=summary_,
    )
    write_recipe(recipe(head), folder / "recipe.toml")
    return folder
