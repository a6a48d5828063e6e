"""Training captioners: it learns, resumes bit for bit, a frozen encoder is cached, a second run begins with a first."""

import json

import numpy as np
import pytest
from coloured_photos import COLOURS, coloured_photos

from rnnedge.data import feature_cache
from rnnedge.data.captions import load_captions
from rnnedge.data.feature_cache import cached_grids
from rnnedge.models import captioner, load_model
from rnnedge.recipes import load_recipe
from rnnedge.training import train
from rnnedge.training.caption_problem import CaptionProblem, SmoothedCrossEntropy
from rnnedge.training.optimizers import make_optimizer
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess

SIDE = 12


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures of one colour with two sentences each."""
    monkeypatch.setenv("RNNEDGE_CACHE", str(tmp_path / "cache"))
    return coloured_photos(tmp_path / "pictures", side=SIDE)


def recipe(folder, **changes):
    values = {
        "data.name": f"captions:{folder}",
        "data.size": [SIDE, SIDE],
        "caption.length": 5,
        "model.units": 16,
        "model.embedding": 12,
        "model.attention": 8,
        "model.filters": [6, 8],
        "train.epochs": 6,
        "train.batch_size": 16,
        "train.learning_rate": 0.01,
        "train.warmup_epochs": 0.0,
        **changes,
    }
    return load_recipe("shapes-attention", [f"{key}={json.dumps(value)}" for key, value in values.items()])


@pytest.mark.parametrize("image", ["first", "attention"])
def test_it_learns_what_the_pictures_show(folder, tmp_path, image):
    chosen = recipe(folder, **{"model.image": image, "train.epochs": 14, "train.learning_rate": 0.03})
    result = train(chosen, tmp_path / "run")
    # One of two ways to begin, then all is certain but for the colour, which is seen.
    assert result.val_accuracy > 0.8
    assert result.labels[:4] == ["<pad>", "<start>", "<end>", "<unk>"]
    assert set(result.labels[4:]) == {"it", "is", "a", "picture", *COLOURS}
    assert result.images["train"] + result.images["val"] < 60


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(folder, tmp_path):
    chosen = recipe(folder, **{"train.epochs": 2, "model.dropout": 0.3, "train.scheduled_sampling": 0.5})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(chosen, whole)

    class StopError(Exception):
        pass

    original = CaptionProblem.score
    try:
        CaptionProblem.score = lambda self: (_ for _ in ()).throw(StopError())
        with pytest.raises(StopError):
            train(chosen, parts)
    finally:
        CaptionProblem.score = original
    train(chosen, parts, resume=True)
    for one, other in zip(
        load_model(whole / "model.keras").get_weights(),
        load_model(parts / "model.keras").get_weights(),
        strict=True,
    ):
        assert np.array_equal(one, other)


def test_a_frozen_encoder_is_asked_once_and_stays(folder, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    chosen = recipe(folder, **{"model.freeze": True, "train.epochs": 2})
    train(chosen, first)
    files = sorted((tmp_path / "cache").iterdir())
    assert [file.name[:9] for file in files] == ["features-"] * 2
    dates = [file.stat().st_mtime_ns for file in files]
    train(chosen, second)
    assert [file.stat().st_mtime_ns for file in sorted((tmp_path / "cache").iterdir())] == dates
    untrained = CaptionProblem(chosen).kept.get_layer("encoder").get_weights()
    for run in (first, second):
        for ours, theirs in zip(
            load_model(run / "model.keras").get_layer("encoder").get_weights(), untrained, strict=True
        ):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_cache_holds_what_the_encoder_says(folder, tmp_path, monkeypatch, threads):
    monkeypatch.setattr(feature_cache, "_AT_ONCE", 3)
    data, preprocess = load_captions(f"captions:{folder}", "val"), Preprocess((SIDE, SIDE), "rgb")
    encoder = captioner((SIDE, SIDE, 3), 20, filters=[6, 8]).get_layer("encoder")
    assert len(data) > 6
    grids = cached_grids(encoder, data, preprocess, threads=threads)
    expected = np.asarray(encoder(np.stack([preprocess(image) for image in data.images])))
    assert grids.shape == expected.shape
    assert np.allclose(grids, expected, atol=1e-2)
    other = captioner((SIDE, SIDE, 3), 20, filters=[6, 8]).get_layer("encoder")
    other.set_weights([w + 0.1 for w in encoder.get_weights()])
    assert not np.allclose(cached_grids(other, data, preprocess), grids, atol=1e-2)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    mirrored = cached_grids(encoder, data, preprocess, mirrored=True)
    turned = np.stack([preprocess(np.ascontiguousarray(image[:, ::-1])) for image in data.images])
    assert np.allclose(mirrored, np.asarray(encoder(turned)), atol=1e-2)


def test_a_frozen_encoder_sees_mirrored_pictures_too(folder, tmp_path):
    problem = CaptionProblem(recipe(folder, **{"model.freeze": True, "augment.flip": True}))
    problem.model()
    plain, mirrored = problem._grids["train"], problem._grids["mirrored"]
    (grids, _, _), _, _ = problem.batches(0, 0)[0]
    shown = [any(np.allclose(grid, kept) for kept in mirrored) for grid in grids]
    assert 0 < np.mean(shown) < 1
    assert all(any(np.allclose(grid, kept) for kept in plain) for grid in grids[~np.array(shown)])


def test_a_run_begins_with_another_and_its_encoder_learns_more_slowly(folder, tmp_path):
    train(recipe(folder, **{"model.freeze": True, "train.epochs": 2}), tmp_path / "frozen")
    before = load_model(tmp_path / "frozen" / "model.keras")
    chosen = {"train.init": str(tmp_path / "frozen"), "train.epochs": 1, "train.encoder_rate": 0.01}
    result = train(recipe(folder, **chosen), tmp_path / "tuned")
    after = load_model(tmp_path / "tuned" / "model.keras")

    def moved(layer):
        pairs = zip(
            before.get_layer(layer).trainable_weights, after.get_layer(layer).trainable_weights, strict=True
        )
        return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)

    assert 0 < moved("encoder") < moved("decoder") / 3
    statistics = [w for w in before.get_layer("encoder").variables if "moving" in w.path]
    for old, new in zip(
        statistics, [w for w in after.get_layer("encoder").variables if "moving" in w.path], strict=True
    ):
        assert np.array_equal(old, new)  # normalisation keeps what it knows
    assert result.labels == json.loads((tmp_path / "frozen" / "train.json").read_text())["labels"]
    with pytest.raises(InputError, match="another model"):
        CaptionProblem(recipe(folder, **{**chosen, "model.units": 20}))
    with pytest.raises(InputError, match=r"train\.init: .*nowhere: holds no finished training"):
        CaptionProblem(recipe(folder, **{**chosen, "train.init": str(tmp_path / "nowhere")}))


def test_smoothed_cross_entropy_is_its_equation():
    rng = np.random.default_rng(0)
    logits, words = rng.normal(size=(2, 3, 5)).astype(np.float32), rng.integers(0, 5, (2, 3))
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for smoothing in (0.0, 0.2):
        target = np.eye(5)[words] * (1 - smoothing) + smoothing / 5
        each = -(target * logs).sum(-1)
        loss = SmoothedCrossEntropy(smoothing, words=3)
        assert np.allclose(loss(words, logits), each.mean(), atol=1e-5)
        # Of a batch with few words each counts as much as of another.
        weights = np.array([[1, 1, 0], [1, 0, 0]], np.float32)
        assert np.allclose(loss(words, logits, weights), (each * weights).sum() / 6, atol=1e-5)


def test_some_weights_learn_more_slowly():
    import keras

    fast, slow = (keras.Variable(np.zeros(3, np.float32), name=name) for name in ("fast", "slow"))
    optimizer = make_optimizer("sgd", 0.1, slow=[slow.path], rate=0.1)
    optimizer.build([fast, slow])
    optimizer.apply([keras.ops.ones(3), keras.ops.ones(3)])
    assert np.allclose(fast, -0.1)
    assert np.allclose(slow, -0.01)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("clip.fps", 5.0, ["clip.fps=5.0", "clips (model.kind='clip_rnn')", "captioner"]),
        ("train.carry", True, ["train.carry=True", "clips"]),
        ("model.image", "last", ["model.image", "attention"]),
        ("caption.length", 0, ["caption.length=0"]),
    ],
)
def test_what_does_not_fit_is_refused_by_name(folder, key, value, words):
    with pytest.raises(InputError) as error:
        recipe(folder, **{key: value})
    assert all(word in str(error.value) for word in words)


def test_a_recipe_for_images_has_no_captions():
    with pytest.raises(
        InputError, match=r"train.label_smoothing=0.1: is for captions \(model.kind='captioner'\)"
    ):
        load_recipe("digits-lstm", ["train.label_smoothing=0.1"])
