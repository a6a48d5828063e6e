"""Training: it learns, keeps the best, stops early, leaves readable logs, refuses to overwrite."""

import json
import resource
import struct

import numpy as np
import pytest
from tiny import STEPS, history, tiny

from rnnedge.data import load_data
from rnnedge.evaluate import evaluate_model
from rnnedge.models import load_model, row_rnn
from rnnedge.training import load_result, train
from rnnedge.training.checkpoint import Progress, read_progress, save_checkpoint
from rnnedge.training.logs import COLUMNS
from rnnedge_device.errors import InputError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One training of twelve epochs, looked at by several tests."""
    out = tmp_path_factory.mktemp("run")
    recipe = tiny("train.epochs=12", "model.units=32", "model.dropout=0.0")
    return out, recipe, train(recipe, out)


def test_it_learns(run):
    out, recipe, result = run
    assert result.val_accuracy > 0.8  # chance is 0.1
    scored = evaluate_model(load_model(out / "model.keras"), load_data("digits", "test"), recipe.preprocess())
    assert scored.accuracy > 0.75
    assert scored.images == 359


def test_the_result_tells_what_was_done(run):
    out, _, result = run
    assert load_result(out) == result
    assert (result.epochs, result.steps) == (12, 12 * STEPS)
    assert result.images == {"train": 1258, "val": 180}
    assert result.labels == [str(i) for i in range(10)]
    assert result.parameters == load_model(out / "model.keras").count_params()
    assert not result.stopped
    with pytest.raises(InputError, match="no finished training"):
        load_result(out / "checkpoint")


def test_the_kept_model_is_the_best_epochs(run):
    out, recipe, result = run
    scored = evaluate_model(load_model(out / "model.keras"), load_data("digits", "val"), recipe.preprocess())
    assert scored.accuracy == pytest.approx(result.val_accuracy)
    accuracies = [float(row["val_accuracy"]) for row in history(out)]
    assert result.val_accuracy == max(accuracies) == accuracies[result.best_epoch - 1]


def test_csv_log(run):
    out, _, _ = run
    rows = history(out)
    assert (out / "history.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert [int(row["step"]) for row in rows] == [STEPS * (i + 1) for i in range(12)]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 2
    assert float(rows[-1]["learning_rate"]) < 1e-6  # cosine, at its end


def scalars(path):
    """(tag, step, value) of a TensorBoard event file: length-prefixed records of protocol buffers."""
    from tensorboardX.proto.event_pb2 import Event

    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = Event.FromString(data[at + 12 : at + 12 + length])
        yield from ((v.tag, event.step, v.simple_value) for v in event.summary.value)
        at += length + 16


def test_tensorboard_log(run):
    out, _, _ = run
    (path,) = (out / "tensorboard").iterdir()
    found = {(tag, step): value for tag, step, value in scalars(path)}
    assert {tag for tag, _ in found} == set(COLUMNS[2:])
    for row in history(out):
        assert found["val_accuracy", int(row["step"])] == pytest.approx(float(row["val_accuracy"]))


def test_a_finished_folder_is_not_overwritten(run, tmp_path):
    out, recipe, _ = run
    before = (out / "model.keras").read_bytes()
    with pytest.raises(InputError, match=r"holds a training already.*--resume, --overwrite"):
        train(recipe, out)
    assert (out / "model.keras").read_bytes() == before
    assert train(recipe, out, resume=True) == load_result(out)  # nothing left to do
    assert (out / "model.keras").read_bytes() == before


def test_overwrite_starts_from_nothing(tmp_path):
    train(tiny("train.epochs=2"), tmp_path)
    result = train(tiny("train.epochs=1"), tmp_path, overwrite=True)
    assert result.epochs == 1
    assert len(history(tmp_path)) == 1
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_early_stopping(tmp_path):
    # At this rate nothing moves in float32, so no epoch after the first is better.
    still = ["train.learning_rate=1e-30", "train.optimizer=sgd", "train.epochs=9", "train.patience=2"]
    result = train(tiny(*still), tmp_path)
    assert result.stopped
    assert (result.epochs, result.best_epoch) == (3, 1)
    assert train(tiny(*still), tmp_path, resume=True).epochs == 3  # resuming does not start it again


def test_a_loss_that_is_not_finite_is_one_clear_error(tmp_path):
    wild = ["train.optimizer=sgd", "train.learning_rate=1e38", "train.clip=none", "train.schedule=constant"]
    with pytest.raises(InputError, match=r"the loss is (nan|inf) after epoch 1: lower train\.learning_rate"):
        train(tiny(*wild, "train.warmup_epochs=0.0"), tmp_path)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(tmp_path, precision):
    import keras

    base = ["train.epochs=4", "model.units=32", "model.dropout=0.0"]
    full = train(tiny(*base), tmp_path / "float32")
    mixed = train(tiny(*base, f"train.precision={precision}"), tmp_path / precision)
    # It really computes in another precision, and still learns.
    assert history(tmp_path / precision) != history(tmp_path / "float32")
    assert mixed.val_accuracy > 0.4
    assert abs(full.val_accuracy - mixed.val_accuracy) < 0.25
    kept = load_model(tmp_path / precision / "model.keras")
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"  # the caller's setting is back


def test_folder_of_images_with_a_damaged_one(tmp_path):
    import cv2

    for name, shade in (("dark", 40), ("light", 200)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(40):
            image = np.random.default_rng(i).normal(shade, 10, (9, 11, 3)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "images" / name / f"{i:02d}.png"), image)
    recipe = tiny(f"data.name=folder:{tmp_path / 'images'}", "train.epochs=6", "train.batch_size=8")
    inside = load_data(recipe.data.name, "train").ids[0]
    (tmp_path / "images" / inside).write_bytes(b"?")
    result = train(recipe, tmp_path / "run")
    assert result.skipped == 1
    assert result.labels == ["dark", "light"]
    assert result.val_accuracy > 0.9
    with pytest.raises(InputError, match=inside):
        train(recipe, tmp_path / "strict", strict=True)


def test_a_disk_that_fills_leaves_the_old_checkpoint(tmp_path):
    import keras

    model = row_rnn((8, 8, 1), 3, units=40)
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path / "last.npz"
    save_checkpoint(path, model, Progress(epoch=1))
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (20_000, hard)
    )  # the write fails in its middle, as on a full disk
    try:
        with pytest.raises(OSError, match="too large"):
            save_checkpoint(path, model, Progress(epoch=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert read_progress(path).epoch == 1
    assert list(tmp_path.iterdir()) == [path]


def test_results_are_json(run):
    out, _, result = run
    assert json.loads((out / "train.json").read_text()) == result.to_dict()
