"""Batch normalisation through TensorFlow's fused kernel trains as Keras's own does."""

import keras
import numpy as np
import pytest
from keras import layers

from rnnedge.training.fused_norm import fuse_normalisation

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="another backend has no fused kernel"
)


def clip_model() -> keras.Model:
    """Frames through normalised convolutions, one without a scale; features and states normalised, too."""
    keras.utils.set_random_seed(1)
    frames = keras.Input((3, 8, 8, 3))
    eyes = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(scale=False, epsilon=0.01),
            layers.GlobalAveragePooling2D(),
        ]
    )
    x = layers.BatchNormalization()(layers.GRU(5)(layers.TimeDistributed(eyes)(frames)))
    return keras.Model(frames, layers.Dense(2)(x))


def trained(fused: bool, frozen: bool = False) -> keras.Model:
    """The model after six steps; ``frozen`` leaves its last normalisation of images as it is."""
    model = clip_model()
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    norms[1].trainable = not frozen
    if fused:
        fuse_normalisation(model)
    rng = np.random.default_rng(0)
    clips, targets = (rng.normal(size=shape).astype(np.float32) for shape in ((16, 3, 8, 8, 3), (16, 2)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(clips, targets, batch_size=8, epochs=3, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("frozen", [False, True])
def test_it_trains_to_the_weights_and_averages_of_keras(frozen: bool) -> None:
    keras_own, fused = trained(False, frozen), trained(True, frozen)
    start = clip_model().get_weights()
    moved = [not np.array_equal(a, b) for a, b in zip(start, fused.get_weights(), strict=True)]
    assert sum(moved) >= len(moved) - (4 if frozen else 0)
    for ours, theirs in zip(fused.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_what_is_saved_is_a_plain_keras_model(tmp_path) -> None:
    model = trained(True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    clips = np.random.default_rng(1).normal(size=(4, 3, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(clips, verbose=0), model.predict(clips, verbose=0))


def test_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = trained(True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(w).all() for w in model.get_weights())
    full = trained(True)
    for ours, theirs in zip(model.get_weights(), full.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.2)
