"""captioner: three ways for the image to enter, causality, encoders, saving, refused arguments."""

import keras
import numpy as np
import pytest

from rnnedge.models import captioner, encoder_of, load_model
from rnnedge.models.applications import application_encoder
from rnnedge_device.errors import InputError

SMALL = {"units": 12, "embedding": 10, "attention": 6, "filters": [4, 6]}
LARGE = {"input_shape": (32, 32, 3)}


def inputs(count=2, side=16, words=20, length=7, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((count, side, side, 3), np.float32), rng.integers(4, words, (count, length), np.int32)]


@pytest.mark.parametrize("image", ["first", "state", "attention"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_each_place_knows_the_image_and_the_words_up_to_it(image, cell, layers):
    model = captioner((16, 16, 3), 20, image=image, cell=cell, layers=layers, **SMALL)
    x, words = inputs()
    before = np.asarray(model([x, words]))
    assert before.shape == (2, 7, 20)
    changed = words.copy()
    changed[:, 4:] = 5
    after = np.asarray(model([x, changed]))
    assert np.allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert (np.abs(before[:, 4:] - after[:, 4:]).max(axis=(1, 2)) > 1e-6).all()
    other = np.asarray(model([x[::-1], words]))
    assert (np.abs(before - other).max(axis=(0, 2)) > 1e-7).all()


@pytest.mark.parametrize("image", ["first", "attention"])
def test_it_is_saved_and_read_back(image, tmp_path):
    model = captioner((16, 16, 3), 20, image=image, dropout=0.3, **SMALL)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert np.array_equal(np.asarray(again(inputs())), np.asarray(model(inputs())))
    assert again.get_layer("decoder").settings == model.get_layer("decoder").settings


def test_the_encoder_gives_features_or_places():
    x = inputs()[0]
    assert np.asarray(encoder_of(captioner((16, 16, 3), 20, **SMALL))(x)).shape == (2, 10)
    assert np.asarray(encoder_of(captioner((16, 16, 3), 20, image="attention", **SMALL))(x)).shape == (
        2,
        16,
        10,
    )


def test_the_decoder_names_its_arrays():
    decoder = captioner((16, 16, 3), 20, image="attention", cell="gru", layers=2, **SMALL).get_layer(
        "decoder"
    )
    shapes = {name: [array.shape for array in arrays] for name, arrays in decoder.named_weights().items()}
    assert shapes["words"] == [(20, 10)]
    assert shapes["gru_1"] == [(12, 36), (12, 36), (2, 36)]
    assert shapes["start_h0"] == [(10, 12), (12,)]
    assert shapes["energy"] == [(6, 1)]
    assert shapes["places"] == [(16, 10)]
    assert set(shapes) == {
        "words",
        "gru_0",
        "gru_1",
        "logits",
        "start_h0",
        "start_h1",
        "keys",
        "query",
        "energy",
        "ask",
        "glimpse",
        "places",
    }


def test_scheduled_sampling_reads_the_models_own_words_in_training_alone():
    decoder = captioner((16, 16, 3), 20, **SMALL).get_layer("decoder")
    decoder.samples = True
    features = np.random.default_rng(1).normal(size=(2, 10)).astype(np.float32)
    words = inputs()[1]
    before = np.asarray(decoder(features, words))
    assert np.array_equal(np.asarray(decoder(features, words, training=True)), before)  # a share of none
    decoder.sampling.assign(1.0)
    own = np.asarray(decoder(features, words, training=True))
    assert np.array_equal(np.asarray(decoder(features, words)), before)
    mixed = np.concatenate([words[:, :1], before.argmax(-1)[:, :-1]], axis=1)  # START stays
    assert np.allclose(own, np.asarray(decoder(features, mixed)), atol=1e-6)
    assert np.abs(own - before).max() > 1e-6


@pytest.mark.parametrize("name", ["efficientnet_lite", "resnet50", "mobilenet_v2", "mobilenet_v3"])
def test_published_networks_give_a_grid(name):
    encoder = application_encoder(name, (64, 96, 3), alpha=0.35 if name == "mobilenet_v2" else 1.0)
    assert encoder.output_shape[1:3] == (2, 3)
    pooled = application_encoder(name, (32, 32, 3), pooling="avg", alpha=1.0)
    assert len(pooled.output_shape) == 2


def test_efficientnet_lite_is_the_published_one(tmp_path):
    model = application_encoder("efficientnet_lite", (32, 32, 3))
    assert 3_350_000 < model.count_params() < 3_450_000  # 4.65 million with its classifier of 1,281,000
    kinds = {type(layer).__name__ for layer in model.layers}
    assert "Activation" not in kinds
    assert "Multiply" not in kinds
    model.save_weights(tmp_path / "lite.weights.h5")
    again = application_encoder("efficientnet_lite", (32, 32, 3), weights=str(tmp_path / "lite.weights.h5"))
    x = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    assert np.array_equal(np.asarray(again(x)), np.asarray(model(x)))
    frozen = [layer for layer in again.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert not any(layer.trainable for layer in frozen)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image": "last"}, ["image='last'", "first, state, attention"]),
        ({"cell": "simple_rnn"}, ["cell='simple_rnn'", "lstm, gru"]),
        ({"encoder": "vgg"}, ["encoder='vgg'", "resnet50"]),
        ({"words": 4}, ["words=4", "at least 5"]),
        (
            {**LARGE, "encoder": "efficientnet_lite", "weights": "imagenet"},
            ["weights='imagenet'", "efficientnet_lite"],
        ),
        ({"encoder": "mobilenet_v2"}, ["mobilenet_v2", "at least 32x32"]),
        ({**LARGE, "encoder": "resnet50", "weights": "/none.h5"}, ["weights='/none.h5'", "no file"]),
    ],
)
def test_refused_arguments(arguments, words):
    given = {"input_shape": (16, 16, 3), "words": 20, **arguments}
    with pytest.raises(InputError) as error:
        captioner(**given)
    assert all(word in str(error.value) for word in words)
