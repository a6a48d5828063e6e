"""A captioner as it is taught says, and learns, what the captioner itself does."""

import keras
import numpy as np
import pytest

from rnnedge.models import captioner
from rnnedge.training.caption_graph import teaching_graph
from rnnedge_device.vocabulary import END, PAD, START

WORDS = 9
# Sentences of 4, 3, 1 and 0 words behind START, the longest first, and the image of each.
TOKENS = np.array(
    [[START, 5, 6, 7, 8], [START, 6, 5, 8, END], [START, 7, END, PAD, PAD], [START, END, PAD, PAD, PAD]],
    np.int32,
)
OF = np.array([2, 0, 2, 1], np.int32)


def read(tokens):
    return (tokens != PAD) & (tokens != END)


@pytest.fixture(params=["first", "state", "attention"], scope="module")
def model(request):
    keras.utils.set_random_seed(1)
    return captioner(
        (16, 16, 3), WORDS, filters=(4, 4), image=request.param, units=6, embedding=8, attention=4
    )


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize("rows", [slice(0, 4), slice(0, 3), slice(1, 2)])
def test_it_says_what_the_captioner_says(model, images, rows):
    tokens, of = TOKENS[rows], OF[rows]
    taught = np.asarray(teaching_graph(model)([images, tokens, of]))
    plain = np.asarray(model([images[of], tokens]))
    assert taught.shape == plain.shape
    assert np.allclose(taught[read(tokens)], plain[read(tokens)], atol=1e-5)


def test_one_image_of_one_sentence_is_enough(model, images):
    taught = np.asarray(teaching_graph(model)([images[:1], TOKENS[:1], np.zeros(1, np.int32)], training=True))
    assert np.isfinite(taught).all()
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_behind_an_encoder_that_does_not_learn_it_is_the_same(model, images):
    grids = np.asarray(model.get_layer("encoder")(images))
    taught = np.asarray(teaching_graph(model, encoded=True)([grids, TOKENS, OF]))
    plain = np.asarray(teaching_graph(model)([images, TOKENS, OF]))
    assert np.allclose(taught, plain, atol=1e-6)


def test_a_step_moves_the_weights_as_the_captioners_own_would(model, images):
    """But for batch normalisation, which sees half of the images at a time: it stays as it is here."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    before = model.get_weights()
    after = np.random.default_rng(1).integers(4, WORDS, TOKENS.shape)
    moved = []
    for graph, inputs in ((teaching_graph(model), [images, TOKENS, OF]), (model, [images[OF], TOKENS])):
        model.set_weights(before)
        graph.compile(
            keras.optimizers.SGD(1.0),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
        )
        graph.train_on_batch(inputs, after, read(TOKENS).astype(np.float32))
        moved.append(model.get_weights())
    model.set_weights(before)
    assert any(not np.allclose(a, b, atol=1e-3) for a, b in zip(before, moved[0], strict=True))
    for taught, plain in zip(*moved, strict=True):
        assert np.allclose(taught, plain, atol=1e-4)
