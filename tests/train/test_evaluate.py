"""Scoring: figures that are known beforehand, of a model and of a bundle through the device's code."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tiny import python

from rnnedge.cli import main
from rnnedge.data import Dataset, load_data
from rnnedge.evaluate import evaluate_bundle, evaluate_model, mean_loss, predict_logits, score
from rnnedge_device.bundle import read_bundle, write_bundle
from rnnedge_device.errors import InputError
from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_model as load_tflite
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess

LABELS = ["zebra", "apple", "mango"]  # the model's order, which is not the folder's sorted one


def stripe(column, size=6, seed=0):
    """A dark image, bright in one third of its width."""
    image = np.random.default_rng(seed).integers(0, 40, (size, size), np.uint8)
    third = size // 3
    image[:, column * third : (column + 1) * third] = 220
    return image


def stripes_dataset(labels, shown):
    images = np.stack([stripe(c, seed=i) for i, c in enumerate(shown)])
    return Dataset(images, np.array(labels), LABELS, [str(i) for i in range(len(images))], "stripes", "test")


def column_model():
    """Logits are the mean brightness of each third: right by construction."""
    import keras

    image = keras.Input((6, 6, 1))
    x = keras.layers.Reshape((36,))(image)
    model = keras.Model(image, keras.layers.Dense(3)(x))
    kernel = np.zeros((6, 6, 3), np.float32)
    for c in range(3):
        kernel[:, 2 * c : 2 * c + 2, c] = 1 / 12
    model.set_weights([kernel.reshape(36, 3), np.zeros(3, np.float32)])
    return model


def test_confusion_and_table():
    labels, shown = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0]
    result = evaluate_model(column_model(), stripes_dataset(labels, shown), Preprocess((6, 6)))
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.images == 6
    assert result.confusion == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert result.classes["zebra"] == {"images": 3, "precision": 0.6667, "recall": 0.6667, "f1": 0.6667}
    assert result.classes["apple"] == {"images": 2, "precision": 0.6667, "recall": 1.0, "f1": 0.8}
    assert result.classes["mango"] == {"images": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_batches_that_do_not_divide_give_the_same_logits():
    model, x = column_model(), np.random.default_rng(0).random((23, 6, 6, 1), np.float32)
    whole = predict_logits(model, x, 23)
    assert whole.shape == (23, 3)
    assert np.allclose(predict_logits(model, x, 5), whole, atol=1e-6)
    assert np.allclose(predict_logits(model, x, 500), whole, atol=1e-6)


def test_loss_is_keras_loss():
    import keras

    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 30, (50, 4)).astype(np.float32), rng.integers(0, 4, 50)
    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert mean_loss(logits, labels) == pytest.approx(float(keras_loss), rel=1e-5)


def test_a_model_of_other_classes_or_size_is_refused():
    data = stripes_dataset([0, 1], [0, 1])
    with pytest.raises(InputError, match=r"makes \[5, 6, 1\], but the model's input is \[6, 6, 1\]"):
        evaluate_model(column_model(), data, Preprocess((5, 6)))
    with pytest.raises(InputError, match="has 3 classes, but the model has 4 outputs"):
        score(data, np.array([0, 1]), classes=4)


CONVERT = """
    import os, sys
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np, tensorflow as tf

    kernel = tf.constant(np.load(sys.argv[1] + "/kernel.npy"))
    serve = tf.function(lambda x: {"y": tf.matmul(tf.reshape(x, (1, 36)), kernel)})
    module = tf.Module()
    module.serve_ = serve
    concrete = serve.get_concrete_function(x=tf.TensorSpec((1, 6, 6, 1), name="x"))
    tf.saved_model.save(module, sys.argv[1] + "/saved", signatures={"serve": concrete})
    converter = tf.lite.TFLiteConverter.from_saved_model(sys.argv[1] + "/saved", signature_keys=["serve"])
    open(sys.argv[1] + "/model.tflite", "wb").write(converter.convert())
"""


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory):
    """The same three-stripe classifier as a bundle, float32 throughout."""
    out = tmp_path_factory.mktemp("bundle")
    np.save(out / "kernel.npy", 10 * column_model().get_weights()[0])
    done = python(CONVERT, out)
    assert done.returncode == 0, done.stderr[-3000:]
    data = (out / "model.tflite").read_bytes()
    loaded = load_tflite(data)
    form = Form(
        name="loop",
        file="model.tflite",
        signature=loaded.signature,
        inputs=tuple(port.tensor for port in loaded.inputs.values()),
        outputs=tuple(port.tensor for port in loaded.outputs.values()),
        ops={"FULLY_CONNECTED": 1},
        size_bytes=len(data),
    )
    manifest = Manifest(
        name="stripes",
        labels=tuple(LABELS),
        preprocess=Preprocess((6, 6)),
        forms=(form,),
        metrics={},
        versions={},
        created="2024-01-01T00:00:00Z",
    )
    path = out / "stripes.rnnedge"
    write_bundle(path, manifest, {"model.tflite": data})
    return path


def write_folder(root, shown):
    """{class name: stripes shown in its images}, as colour PNG files of another size."""
    for name, columns in shown.items():
        (root / name).mkdir(parents=True)
        for i, column in enumerate(columns):
            image = cv2.cvtColor(stripe(column, 12, i), cv2.COLOR_GRAY2BGR)
            cv2.imwrite(str(root / name / f"{i}.png"), image)
    return f"folder:{root}"


def test_a_bundle_matches_classes_by_name(tmp_path, bundle_path):
    spec = write_folder(tmp_path, {"apple": [1, 1, 1, 0], "mango": [2, 2], "zebra": [0, 0]})
    result = evaluate_bundle(read_bundle(bundle_path), load_data(spec, "all"))
    assert result.accuracy == pytest.approx(7 / 8)
    assert result.confusion == [[2, 0, 0], [1, 3, 0], [0, 0, 2]]  # rows and columns in the bundle's order
    assert result.form == "loop"
    assert result.latency_us > 0


def test_a_folder_with_some_of_the_classes(tmp_path, bundle_path):
    spec = write_folder(tmp_path, {"mango": [2, 2], "zebra": [0, 1]})
    result = evaluate_bundle(read_bundle(bundle_path), load_data(spec, "all"))
    assert result.accuracy == pytest.approx(3 / 4)
    assert result.classes["apple"]["images"] == 0


def test_classes_the_bundle_does_not_know(tmp_path, bundle_path):
    spec = write_folder(tmp_path, {"mango": [2], "pear": [0]})
    with pytest.raises(InputError, match=r"does not know: pear; its labels are zebra, apple, mango"):
        evaluate_bundle(read_bundle(bundle_path), load_data(spec, "all"))


def invoke(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_command_scores_a_bundle_on_a_folder(tmp_path, bundle_path):
    spec = write_folder(tmp_path, {"apple": [1, 1, 2], "zebra": [0]})
    (tmp_path / "apple" / "broken.png").write_bytes(b"x")
    done = invoke(bundle_path, "--data", spec, "--split", "all", "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["accuracy"] == 0.75
    assert (figures["images"], figures["skipped"]) == (4, 1)
    table = invoke(bundle_path, "--data", spec, "--split", "all")
    assert "accuracy 0.7500 on 4 images (loop" in table.stdout
    assert "1 damaged images skipped" in table.stdout
    strict = invoke(bundle_path, "--data", spec, "--split", "all", "--strict")
    assert strict.exit_code == 2
    assert "broken.png" in strict.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.rnnedge", "--data", "digits"], "'nothing.rnnedge': is not a file"),
        (["BUNDLE"], "--data"),
        (["BUNDLE", "--data", "imagenet"], "imagenet"),
        (["BUNDLE", "--data", "digits"], "does not know: 0, 1"),
        (["BUNDLE", "--data", "digits", "--recipe", "x.toml"], "--recipe x.toml"),
        (["BUNDLE", "--data", "digits", "--split", "dev"], "dev"),
    ],
)
def test_command_refuses(bundle_path, arguments, words):
    done = invoke(*[bundle_path if a == "BUNDLE" else a for a in arguments])
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output


def test_command_on_a_damaged_model(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"not a model")
    (tmp_path / "recipe.toml").write_text("[data]\nname = 'digits'\n")
    done = invoke(tmp_path / "model.keras")
    assert done.exit_code == 2
    assert "is not a Keras model that can be read" in done.stderr
