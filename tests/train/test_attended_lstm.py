"""The attended LSTM's own gradient is that of the scan which any cell and backend takes."""

import keras
import numpy as np
import pytest

from rnnedge.models import captioner
from rnnedge.training.caption_graph import teaching_graph

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="another backend scans whatever the cell"
)
WORDS = 9
TOKENS = np.random.default_rng(0).integers(4, WORDS, (5, 6)).astype(np.int32)
SIZES = {"units": 6, "embedding": 8, "attention": 4, "filters": (4, 4)}
FEATURES = np.random.default_rng(1).normal(size=(5, 16, 8)).astype(np.float32)


def decoder(*, scanned=False, dropout=0.0, precision="float32"):
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(precision)
    try:
        model = captioner((16, 16, 3), WORDS, image="attention", dropout=dropout, **SIZES)
    finally:
        keras.config.set_dtype_policy("float32")
    layer = model.get_layer("decoder")
    if scanned:
        layer._lstm = layer._scanned
    return layer


def logits_and_gradients(layer, tokens=TOKENS):
    """Logits, and the gradients of features and weights by a loss that weighs each logit differently."""
    import tensorflow as tf

    weights = np.random.default_rng(2).normal(size=(*tokens.shape, WORDS)).astype(np.float32)

    @tf.function
    def run(features):
        with tf.GradientTape() as tape:
            tape.watch(features)
            logits = layer(features, tokens, training=True)
            loss = tf.reduce_sum(tf.square(logits) * weights)
        return logits, tape.gradient(loss, [features, *layer.trainable_weights])

    logits, gradients = run(tf.constant(FEATURES[: len(tokens)]))
    return logits.numpy(), [tf.convert_to_tensor(each).numpy() for each in gradients]


@pytest.mark.parametrize(
    "tokens", [TOKENS, TOKENS[:, :1], TOKENS[:1]], ids=["batch", "one word", "one sentence"]
)
def test_logits_and_gradients_are_those_of_the_scan(tokens):
    own, own_gradients = logits_and_gradients(decoder(), tokens)
    scan, scan_gradients = logits_and_gradients(decoder(scanned=True), tokens)
    assert np.allclose(own, scan, atol=1e-6)
    assert sum(np.abs(gradient).max() > 1e-4 for gradient in scan_gradients) == len(scan_gradients)
    for ours, theirs in zip(own_gradients, scan_gradients, strict=True):
        assert np.allclose(ours, theirs, atol=1e-5)


def test_dropout_lies_outside_the_loop():
    own, own_gradients = logits_and_gradients(decoder(dropout=0.5))
    scan, scan_gradients = logits_and_gradients(decoder(scanned=True, dropout=0.5))
    assert not np.allclose(own, logits_and_gradients(decoder())[0], atol=1e-2)
    assert np.allclose(own, scan, atol=1e-6)
    for ours, theirs in zip(own_gradients, scan_gradients, strict=True):
        assert np.allclose(ours, theirs, atol=1e-5)


def test_it_learns_in_mixed_precision():
    half, gradients = logits_and_gradients(decoder(precision="mixed_bfloat16"))
    full, of_full = logits_and_gradients(decoder())
    assert 1e-5 < np.abs(half - full).max() < 0.05
    for ours, theirs in zip(gradients, of_full, strict=True):
        assert np.abs(ours - theirs).max() <= 0.1 * np.abs(theirs).max() + 1e-3


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_where_there_is_a_gpu_keras_compiles_it_without_xla_and_in_one_piece(cell, monkeypatch):
    """XLA finds no gradient of loops of unknown length; a batch's words decide theirs."""
    import tensorflow as tf

    there = [tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: there)
    keras.utils.set_random_seed(1)
    model = captioner((16, 16, 3), WORDS, image="attention", cell=cell, **SIZES)
    graph = teaching_graph(model)
    graph.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, of = np.random.default_rng(3).normal(size=(5, 16, 16, 3)).astype(np.float32), np.arange(5)[::-1]
    before = graph.evaluate([images, TOKENS, of], TOKENS, verbose=0)
    for columns in (6, 5, 4) * 10:
        words = TOKENS[:, :columns]
        graph.train_on_batch([images, words, of.astype(np.int32)], words)
    assert graph.evaluate([images, TOKENS, of], TOKENS, verbose=0) < before
    assert not graph.jit_compile
    taught = np.asarray(graph([images, TOKENS, of]))
    assert np.allclose(taught, np.asarray(model([images[of], TOKENS])), atol=1e-5)
