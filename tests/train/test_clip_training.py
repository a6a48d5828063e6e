"""Training on clips: it learns what one frame cannot tell, resumes exactly, serves both heads, needs no TensorFlow."""

import numpy as np
import pytest
from drawn_clips import drawn_clips, ramps, sessions, tiny_events
from test_backend import BLOCKED
from test_resume import StopAt, assert_same_training
from tiny import history, python

from rnnedge.data.batches import to_inputs
from rnnedge.models import clip_rnn, load_model
from rnnedge.training import load_result, train
from rnnedge.training.checkpoint import read_progress
from rnnedge.training.clip_logits import ClipLogits
from rnnedge.training.clip_problem import ClipProblem, recipe_clips
from rnnedge.training.image_problem import ImageProblem


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNEDGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return ramps(tmp_path_factory.mktemp("data") / "clips")


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return sessions(tmp_path_factory.mktemp("data") / "films")


# Normalisation needs some hundred steps before what it remembers is what it saw.
@pytest.mark.parametrize(("encoder", "epochs"), [("row_rnn", 14), ("cnn", 40)])
def test_it_learns_what_one_frame_cannot_tell(tmp_path, clips, encoder, epochs):
    model = [f"model.encoder={encoder}", "model.filters=[8, 8]", "model.dropout=0.0"]
    recipe = drawn_clips(clips, *model, f"train.epochs={epochs}")
    result = train(recipe, tmp_path)
    assert result.val_accuracy > 0.85  # chance is a half
    assert load_result(tmp_path) == result
    assert result.labels == ["brighter", "darker"]
    train_set, val_set = (recipe_clips(recipe, split) for split in ("train", "val"))
    assert result.images == {"train": len(train_set), "val": len(val_set)}
    assert result.images["train"] > 50
    # The kept model is the scored one, and takes clips of any length.
    model = load_model(tmp_path / "model.keras")
    assert model.input_shape == (None, None, 8, 8, 1)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    right = [
        np.asarray(model(to_inputs(clip.frames[:], recipe.preprocess())[None]))[0, -1].argmax() == clip.label
        for clip in val_set.clips
    ]
    assert np.mean(right) == pytest.approx(result.val_accuracy)


@pytest.mark.parametrize("carry", ["true", "false"])
def test_events_are_learnt_frame_by_frame(tmp_path, films, carry):
    result = train(
        tiny_events(films, "model.dropout=0.0", "train.epochs=30", f"train.carry={carry}"), tmp_path
    )
    assert sorted(result.labels) == ["background", "brighter", "darker"]
    assert result.val_accuracy > 0.7  # balanced over three classes


@pytest.fixture(scope="module")
def wholes(tmp_path_factory, clips, films):
    """Two trainings that nothing interrupts."""
    out = tmp_path_factory.mktemp("wholes")
    train(drawn_clips(clips), out / "clips")
    train(tiny_events(films), out / "events")
    return out


@pytest.mark.parametrize(("task", "fraction", "finished"), [("clips", 0.1, 0), ("events", 0.5, 1)])
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(
    tmp_path, wholes, clips, films, task, fraction, finished
):
    recipe = drawn_clips(clips) if task == "clips" else tiny_events(films)
    steps = load_result(wholes / task).steps
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path, bar=StopAt(round(steps * fraction) + 1))
    stopped = read_progress(tmp_path / "checkpoint" / "last.npz")
    assert stopped.epoch == finished
    train(recipe, tmp_path, resume=True)
    assert_same_training(tmp_path, wholes / task)


def test_a_carried_state_is_resumed_in_the_middle_of_a_film(tmp_path, wholes, films):
    with pytest.raises(KeyboardInterrupt):
        train(tiny_events(films), tmp_path, bar=StopAt(5))
    path = tmp_path / "checkpoint" / "last.npz"
    assert read_progress(path).batch == 3
    with np.load(path) as archive:
        states = [v for k, v in archive.items() if k.startswith("model") and v.shape == (8, 12)]
    assert any(state.any() for state in states)
    train(tiny_events(films), tmp_path, resume=True)
    assert_same_training(tmp_path, wholes / "events")


def test_keep_last_keeps_the_last_epoch(tmp_path, clips):
    # At this rate nothing moves in float32: the first epoch stays the best one.
    still = ["train.learning_rate=1e-30", "train.optimizer=sgd"]
    result = train(drawn_clips(clips, *still, "train.keep=last"), tmp_path)
    assert result.best_epoch == result.epochs == 3
    assert result.val_accuracy == float(history(tmp_path)[-1]["val_accuracy"])
    assert train(drawn_clips(clips, *still), tmp_path, overwrite=True).best_epoch == 1


def test_balanced_classes(clips):
    recipe = drawn_clips(clips, "train.class_weight=balanced")
    weights = ClipProblem(recipe)._weights
    labels = recipe_clips(recipe, "train").labels
    assert weights[labels].mean() == pytest.approx(1)
    sums = np.bincount(labels, weights[labels])
    assert sums[0] == pytest.approx(sums[1], rel=1e-5)
    halfway = ClipProblem(drawn_clips(clips, "train.class_weight=sqrt"))._weights
    assert halfway == pytest.approx(np.sqrt(weights))
    assert ClipProblem(drawn_clips(clips, "train.class_weight=none"))._weights is None


def test_balanced_images_change_the_training(tmp_path):
    from tiny import tiny

    plain, balanced = (ImageProblem(tiny(f"train.class_weight={w}")) for w in ("none", "balanced"))
    assert plain.class_weight() is None
    factors = balanced.class_weight()
    halfway = ImageProblem(tiny("train.class_weight=sqrt")).class_weight()
    assert [halfway[k] ** 2 for k in factors] == pytest.approx(list(factors.values()))
    counts = np.bincount(balanced._labels)
    assert np.allclose([factors[k] * n for k, n in enumerate(counts)], counts.sum() / len(counts))
    runs = {w: tmp_path / w for w in ("none", "balanced")}
    for w, out in runs.items():
        train(tiny("train.epochs=1", f"train.class_weight={w}"), out)
    assert history(runs["none"])[0]["loss"] != history(runs["balanced"])[0]["loss"]


def test_mixed_precision(tmp_path, films):
    train(tiny_events(films, "train.precision=mixed_bfloat16"), tmp_path)
    kept = load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}
    assert np.isfinite([float(row["loss"]) for row in history(tmp_path)]).all()


def test_logits_of_whole_clips_however_long(clips, films):
    """What the portions of frames and the padded lengths do is invisible."""
    from rnnedge.training import clip_logits

    recipe = tiny_events(films)
    model = clip_rnn((8, 8, 1), 3, encoder="cnn", filters=[4], units=5, layers=2)
    both = [*recipe_clips(recipe, "train").clips[:3], *recipe_clips(drawn_clips(clips), "train").clips[:30]]
    assert len({len(clip) for clip in both}) > 4
    assert sum(map(len, both)) > clip_logits.FRAMES
    found = ClipLogits(model, recipe.preprocess())(both)
    for clip, logits in zip(both, found, strict=True):
        expected = model(to_inputs(np.asarray(clip.frames[:]), recipe.preprocess())[None])
        assert logits.shape == (len(clip), 3)
        assert np.allclose(logits, np.asarray(expected)[0], atol=1e-5)


def test_trains_and_resumes_clips_on_jax_without_tensorflow(tmp_path, films):
    code = (
        BLOCKED
        + """
    import pathlib
    from drawn_clips import tiny_events
    from rnnedge.backend import use_backend
    from rnnedge.training import train
    from test_resume import StopAt, assert_same_training

    assert use_backend() == "jax"
    out, films = pathlib.Path(sys.argv[1]), sys.argv[2]
    recipe = tiny_events(films, "train.epochs=2", "model.encoder=cnn", "model.filters=[4]")
    assert train(recipe, out / "whole").backend == "jax"
    try:
        train(recipe, out / "again", bar=StopAt(5))
    except KeyboardInterrupt:
        train(recipe, out / "again", resume=True)
        assert_same_training(out / "again", out / "whole")
        print("same bits")
    assert not [name for name in sys.modules if name.split(".")[0] == "tensorflow"]
    print("done")
    """
    )
    done = python(code, tmp_path, films, KERAS_BACKEND="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["same bits", "done"]


def test_reading_a_result_loads_no_keras():
    code = """
    import sys
    from rnnedge.training.result import load_result
    from rnnedge.training import TrainResult
    print([name for name in ("keras", "tensorflow", "jax") if name in sys.modules])
    """
    assert python(code).stdout == "[]\n"
