"""clip_rnn: encoders, cells, causality, fixed lengths, pretrained encoders, refused arguments."""

import keras
import numpy as np
import pytest

from rnnedge.models import clip_rnn, fixed_length, load_model
from rnnedge_device.errors import InputError


def clips(*shape):
    return np.random.default_rng(1).random(shape, np.float32)


@pytest.mark.parametrize("encoder", ["row_rnn", "cnn"])
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_logits_at_every_frame_of_clips_of_any_length(encoder, cell, layers):
    model = clip_rnn(
        (9, 8, 1), 3, encoder=encoder, encoder_units=4, filters=[4, 5], cell=cell, units=6, layers=layers
    )
    assert model.input_shape == (None, None, 9, 8, 1)
    for length in (1, 7):
        y = np.asarray(model(clips(2, length, 9, 8, 1)))
        assert y.shape == (2, length, 3)
        assert np.isfinite(y).all()
    names = [layer.name for layer in model.layers]
    assert names == ["frames", "encoder", *(f"{cell}_{i}" for i in range(layers)), "logits"]


@pytest.mark.parametrize("encoder", ["row_rnn", "cnn"])
def test_it_is_causal(encoder):
    model = clip_rnn((9, 8, 1), 3, encoder=encoder, encoder_units=4, filters=[4], units=6, layers=2)
    x = clips(2, 8, 9, 8, 1)
    changed = x.copy()
    changed[:, 5:] = 0
    before, after = np.asarray(model(x)), np.asarray(model(changed))
    assert np.array_equal(before[:, :5], after[:, :5])
    assert (before[:, 5:] != after[:, 5:]).any()
    assert np.allclose(model(x[:, :5]), before[:, :5], atol=1e-6)


def test_it_remembers():
    model = clip_rnn((9, 8, 1), 3, encoder="row_rnn", encoder_units=4, units=6)
    x = clips(1, 8, 9, 8, 1)
    changed = x.copy()
    changed[:, 0] = 0
    assert (np.asarray(model(x))[0, -1] != np.asarray(model(changed))[0, -1]).any()


def test_fixed_length_has_the_same_weights_and_answers(tmp_path):
    model = clip_rnn((9, 8, 1), 3, filters=[4, 6], units=6, layers=2, dropout=0.5)
    fixed = fixed_length(model, 5)
    x = clips(2, 5, 9, 8, 1)
    assert (fixed.input_shape, fixed.output_shape) == ((None, 5, 9, 8, 1), (None, 5, 3))
    assert np.allclose(fixed(x), model(x), atol=1e-6)
    assert [layer.name for layer in fixed.layers] == [layer.name for layer in model.layers]
    model.save(tmp_path / "model.keras")
    assert np.allclose(fixed_length(load_model(tmp_path / "model.keras"), 5)(x), model(x), atol=1e-6)
    with pytest.raises(InputError, match="length=0"):
        fixed_length(model, 0)


def test_the_row_encoder_reads_its_rows():
    model = clip_rnn((9, 8, 1), 3, encoder="row_rnn", encoder_cell="lstm", encoder_units=7, rows_per_step=2)
    inner = model.get_layer("encoder").layer
    assert inner.output_shape == (None, 7)
    assert tuple(inner.get_layer("rows_lstm").input.shape[1:]) == (5, 16)  # nine rows, two a step


def test_every_block_of_the_cnn_halves_the_frame():
    inner = clip_rnn((33, 20, 3), 3, filters=[4, 6, 8]).get_layer("encoder").layer
    assert inner.get_layer("average").input.shape[1:] == (5, 3, 8)
    kinds = [type(layer).__name__ for layer in inner.layers]
    assert kinds.count("DepthwiseConv2D") == 2
    assert kinds.count("BatchNormalization") == kinds.count("ReLU") == 5


def test_a_small_frame_keeps_its_size_in_the_first_block():
    for stride, left in ((2, 2), (1, 4)):
        inner = clip_rnn((16, 16, 1), 2, filters=[4, 6, 8], first_stride=stride).get_layer("encoder").layer
        assert inner.get_layer("average").input.shape[1:] == (left, left, 8)


def test_dense_features_and_plain_convolutions():
    x = clips(1, 1, 8, 8, 1)
    sizes = {}
    for features, separable in ((0, True), (5, True), (5, False)):
        model = clip_rnn((8, 8, 1), 2, filters=[4, 6], features=features, separable=separable, units=3)
        encoder = model.get_layer("encoder")
        assert encoder.output.shape[-1] == (features or 6)
        sizes[features, separable] = model.count_params()
        assert np.asarray(encoder(x)).min() >= 0
    assert sizes[0, True] < sizes[5, True] < sizes[5, False]


def test_what_and_where_are_told_apart():
    """The pooled part does not change when the frame is moved, the place does."""
    model = clip_rnn((16, 16, 2), 3, filters=(6,), first_stride=1, separable=False, pool="both", place=4)
    encoder = model.get_layer("encoder").layer
    assert encoder.output_shape == (None, 6 + 6 + 4)
    frame = np.zeros((1, 16, 16, 2), np.float32)
    frame[:, 3:6, 3:6] = 1
    here, there = (np.asarray(encoder(np.roll(frame, shift, (1, 2)))) for shift in (0, 6))
    assert np.allclose(here[:, :12], there[:, :12], atol=1e-6)
    assert not np.allclose(here[:, 12:], there[:, 12:])


def test_a_mask_passes_where_features_are_joined():
    """Padding leaves batch statistics alone, behind a Concatenate as elsewhere."""
    model = clip_rnn((8, 8, 1), 2, filters=(4,), separable=False, pool="both", place=3)
    frames = np.random.default_rng(0).random((2, 4, 8, 8, 1), np.float32)
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    encoder = model.get_layer("encoder")
    padded = frames.copy()
    padded[~mask] = 7.0
    found = [np.asarray(encoder(x, training=True, mask=mask))[mask] for x in (frames, padded)]
    assert np.allclose(*found, atol=1e-5)


def test_without_recurrent_layers_it_has_no_memory():
    model = clip_rnn((8, 8, 1), 2, filters=[4], layers=0)
    x = clips(1, 6, 8, 8, 1)
    alone = np.concatenate([np.asarray(model(x[:, i : i + 1])) for i in range(6)], axis=1)
    assert np.allclose(model(x), alone, atol=1e-6)


def test_dropout_stands_behind_the_encoder_and_each_recurrent_layer_and_works_in_training_only():
    model = clip_rnn((9, 8, 1), 3, encoder="row_rnn", units=16, layers=2, dropout=0.5)
    x = clips(1, 4, 9, 8, 1)
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == 3
    assert np.array_equal(model(x), model(x))
    assert not np.array_equal(model(x, training=True), model(x, training=True))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of MobileNetV2's weights, as a user would bring."""
    path = tmp_path_factory.mktemp("weights") / "mine.weights.h5"
    model = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, include_top=False, weights=None)
    model.save_weights(path)
    return path, model


def test_mobilenet_with_weights_keeps_its_normalisation(weights):
    path, source = weights
    model = clip_rnn((64, 64, 3), 3, encoder="mobilenet_v2", alpha=0.35, weights=str(path), units=4)
    inner = model.get_layer("encoder").layer
    for ours, theirs in zip(inner.get_weights(), source.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    x = clips(1, 2, 64, 64, 3)
    before = [np.asarray(w) for w in inner.non_trainable_weights]
    model(x, training=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, inner.non_trainable_weights, strict=True))
    norms = [layer for layer in inner.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert norms
    assert not any(layer.trainable for layer in norms)
    assert any(layer.trainable_weights for layer in inner.layers)  # the convolutions are fine-tuned


def test_mobilenets_without_weights_are_trained_whole():
    for encoder, alpha, more in (
        ("mobilenet_v2", 0.35, {}),
        ("mobilenet_v3", 0.5, {}),
        ("mobilenet_v3", 0.5, {"minimalistic": True}),
    ):
        model = clip_rnn((32, 32, 3), 3, encoder=encoder, alpha=alpha, units=4, **more)
        assert np.asarray(model(clips(1, 2, 32, 32, 3))).shape == (1, 2, 3)
        assert all(layer.trainable for layer in model.get_layer("encoder").layer.layers)


def test_weights_that_do_not_fit_are_one_clear_error(weights, tmp_path):
    path, _ = weights
    options = {"encoder": "mobilenet_v2", "units": 4}
    for alpha, file, words in (
        (0.5, str(path), "do not load into mobilenet_v2 with alpha=0.5"),
        (0.35, str(tmp_path / "absent.h5"), "is no file"),
        (0.4, "imagenet", "alpha"),
    ):
        with pytest.raises(InputError, match="weights=") as error:
            clip_rnn((64, 64, 3), 3, alpha=alpha, weights=file, **options)
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (8, 8)}, ["input_shape=(8, 8)", "height"]),
        ({"input_shape": (8, 8, 4)}, ["input_shape=(8, 8, 4)", "2 (foreground and motion)"]),
        ({"classes": 1}, ["classes=1", "at least 2"]),
        ({"length": 0}, ["length=0"]),
        ({"units": 0}, ["units=0"]),
        ({"layers": 1.5}, ["layers=1.5"]),
        ({"pool": "max"}, ["pool='max'", "average, both"]),
        ({"pool": "both", "features": 64}, ["pool='both'", "features=0"]),
        ({"pool": "both", "encoder": "row_rnn"}, ["pool='both'", "encoder='cnn'"]),
        ({"place": -1}, ["place=-1"]),
        ({"dropout": 1.0}, ["dropout=1.0"]),
        ({"encoder": "resnet"}, ["encoder='resnet'", "row_rnn, cnn, mobilenet_v2"]),
        ({"cell": "rnn"}, ["cell='rnn'", "simple_rnn, lstm, gru"]),
        ({"encoder_cell": "rnn"}, ["encoder_cell='rnn'"]),
        ({"encoder_units": 0}, ["encoder_units=0"]),
        ({"rows_per_step": 0}, ["rows_per_step=0"]),
        ({"filters": []}, ["filters=[]", "list"]),
        ({"filters": "16"}, ["filters='16'"]),
        ({"filters": [8, 0]}, ["filters[1]=0"]),
        ({"alpha": 0}, ["alpha=0", "above 0"]),
        ({"encoder": "mobilenet_v2"}, ["encoder='mobilenet_v2'", "3 channels, got 1"]),
        ({"encoder": "mobilenet_v2", "input_shape": (16, 64, 3)}, ["32x32", "16x64"]),
        (
            {"encoder": "mobilenet_v2", "input_shape": (64, 64, 3), "minimalistic": True},
            ["minimalistic=True", "mobilenet_v3"],
        ),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(InputError) as error:
        clip_rnn(**({"input_shape": (8, 8, 1), "classes": 2, "units": 2} | arguments))
    for word in words:
        assert word in str(error.value)
