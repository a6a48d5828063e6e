"""Captioners: the decoder is Keras's, two int8 signatures with tied states follow it, one code decodes all three."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from caption_models import LENGTH, SIDE, VOCABULARY, WORDS, images, model, parts, quantized, sentences

from rnnedge_device.bundle import read_bundle
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.captioner import Captioner
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.search import SearchOptions
from rnnedge_device.selftest import self_test
from rnnedge_export import calibration
from rnnedge_export.annotate import quantization_model
from rnnedge_export.captions.attention import rounded_twice
from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.captions.finetune import calibrate_decoder, finetune_decoder, write
from rnnedge_export.captions.qat import quantize_captioner
from rnnedge_export.flatbuffer import read_model
from rnnedge_export.qat import ranges
from rnnedge_export.twin import build_twin

PIXELS = Preprocess((SIDE, SIDE), "rgb")
KINDS = [
    ("first", "lstm", 1),
    ("first", "gru", 2),
    ("state", "lstm", 2),
    ("attention", "lstm", 1),
    ("attention", "gru", 2),
]
# A conversion takes seconds; every way in and every cell is among these.
CONVERTED = [("first", "lstm", 1), ("state", "gru", 2), ("attention", "lstm", 1)]


def spec(image: str) -> CaptionSpec:
    return CaptionSpec(max_length=LENGTH, beam=1, grid=(6, 6) if image == "attention" else None)


def frames(count: int = 12) -> np.ndarray:
    return np.rint(images(count) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def attentive():
    return quantized("attention", "lstm", 1)


@pytest.mark.parametrize(("image", "cell", "layers"), KINDS)
def test_the_float_decoder_is_kerass(image, cell, layers):
    built = model(image, cell, layers)
    encoder, settings, weights = parts(built)
    decoder = CaptionDecoder(settings, weights)
    decoder.mode = "exact"
    words = sentences(8)[:, :-1]
    features = np.asarray(encoder(images(8)))
    ours = decoder.teach(tf.constant(features), tf.constant(words)).numpy()
    assert np.abs(ours - np.asarray(built([images(8), words]))).max() < 1e-5
    state = decoder.begin(tf.constant(features))
    for place in range(3):  # one word at a time is the same
        logits, state, looked = decoder.step(tf.constant(words[:, place]), state)
        assert np.abs(logits.numpy() - ours[:, place]).max() < 1e-5
    if image == "attention":
        assert np.allclose(looked.numpy().sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("image", "cell", "layers"), CONVERTED)
def test_int8_follows_the_trained_model_through_one_code(image, cell, layers):
    _, result = quantized(image, cell, layers)
    for name, found in result.report["audits"].items():
        assert found["passed"], name
        assert found["ties"] == []
        assert found["float_ops"] == {}
        assert found["runtimes"] == {"ai-edge-litert": [], "tflite-runtime 2.14": []}
    assert result.report["parity"]["int8_top1"] >= 0.95
    captioners = {k: result.captioner(k, VOCABULARY, PIXELS, spec(image)) for k in ("float", "qat", "int8")}
    said = {kind: [c.caption(frame)[0] for frame in frames()] for kind, c in captioners.items()}
    assert len({caption.ids for caption in said["float"]}) > 3  # the image matters
    same = np.mean([a.ids == b.ids for a, b in zip(said["qat"], said["int8"], strict=True)])
    assert same >= 0.75  # an untrained model's words are near ties
    encode, decode = result.forms
    for tensor in (*encode.inputs, *encode.outputs, *decode.inputs, *decode.outputs):
        assert tensor.dtype == ("int32" if tensor.name == "token" else "int8")


def test_one_step_from_equal_states_gives_equal_bits(attentive):
    """No result lies near a half: a scale, a bias or a rounding that is not the file's shows at once."""
    _, result = attentive
    (encode, decode), (_, trained) = result.engines("int8"), result.engines("qat")
    form, apart, looked = decode.form, [], []
    for image, sentence in zip(images(16), sentences(16), strict=True):
        state = encode.run({"x": encode.form.input("x").encode(image[np.newaxis])})
        for word in sentence[:4]:
            token = np.array([word], np.int32)
            ours = decode.run({"token": token, **state})
            real = {name: form.input(name).decode(value) for name, value in state.items()}
            theirs = trained.run({"token": token, **real})
            for name in ("y", "c0_next", "h0_next"):
                tensor = form.output(name)
                apart.append(np.rint((tensor.decode(ours[name]) - theirs[name]) / tensor.scale).ravel())
            looked.append(form.output("attention").decode(ours["attention"]) - theirs["attention"])
            state = {**state, "h0": ours["h0_next"], "c0": ours["c0_next"]}
    assert (np.concatenate(apart) == 0).mean() > 0.9995
    # A softmax that is only as exact is 1/256 apart in one place of a hundred.
    assert (np.abs(np.concatenate(looked)) < 1e-6).mean() > 0.9995


def test_what_attention_sees_is_rounded_as_the_kernel_does_it(attentive):
    """The kernel in whole numbers: a doubling product of 32 bits, then a shift, both to the nearest."""
    sites = attentive[1].student[1].sites_of()
    unit = sites.scale("features") * sites.scale("sigmoid")
    step = sites.scale("seen")
    mantissa, exponent = math.frexp(unit / step)
    factor, shift = round(mantissa * 2**31), -exponent
    # Every sum that does not saturate.
    sums = np.arange(-int(127 * step / unit), int(127 * step / unit) + 1)
    once = (np.abs(sums) * factor + 2**30) >> 31
    expected = np.sign(sums) * ((once + 2 ** (shift - 1)) >> shift)
    # As a product of float32 numbers comes out, some millionths off.
    seen = sums * unit * (1 + np.random.default_rng(0).uniform(-3e-7, 3e-7, sums.shape))
    found = rounded_twice(tf.constant(seen, tf.float32), sites).numpy() / step
    assert np.abs(found - expected).max() < 1e-3


def test_no_softmax_computes_in_int8(attentive):
    """Its kernels for int8 are not the same bits on x86 and ARM."""
    _, result = attentive
    softmaxes = [op for _, op in read_model(result.tflite).operators if op.name == "SOFTMAX"]
    assert [op.outputs[0].dtype for op in softmaxes] == ["int16"]


def test_the_bundle_is_whole_and_tests_itself(attentive, tmp_path):
    _, result = attentive
    path = tmp_path / "tiny.rnnedge"
    result.save(path, vocabulary=VOCABULARY, preprocess=PIXELS, caption=spec("attention"), golden=frames(4))
    bundle = read_bundle(path)
    assert bundle.manifest.task == "captions"
    assert bundle.vocabulary() == VOCABULARY
    assert bundle.members["vocabulary.txt"].decode().split() == list(VOCABULARY.words)
    tested = self_test(bundle)
    assert tested["ok"]
    assert [row["equal"] for row in tested["forms"]] == [1.0, 1.0]
    captioner = Captioner(bundle)
    caption = captioner.caption(frames(1)[0])[0]
    direct = result.captioner("int8", VOCABULARY, PIXELS, spec("attention")).caption(frames(1)[0])[0]
    assert (caption.ids, caption.score) == (direct.ids, direct.score)
    assert caption.attention.shape == (len(caption.ids), 36)
    assert np.allclose(caption.attention.sum(axis=1), 1, atol=0.1)  # 36 shares in steps of 1/256
    wide = captioner.caption(frames(1)[0], SearchOptions(beam=3, n_best=3, max_length=LENGTH))
    assert wide[0].score >= captioner.caption(frames(1)[0], SearchOptions(max_length=LENGTH))[0].score
    assert len({one.ids for one in wide}) == 3


def test_a_float_border_says_the_same(attentive):
    _, result = attentive
    _, border = quantized("attention", "lstm", io="float32")
    assert {t.dtype for t in border.forms[1].inputs} == {"float32", "int32"}
    one, other = (r.captioner("int8", VOCABULARY, PIXELS, spec("attention")) for r in (result, border))
    for frame in frames(6):
        assert one.caption(frame)[0].ids == other.caption(frame)[0].ids


def test_ranges_hold_what_the_decoder_reaches_by_itself(attentive):
    """The states of its own sentences saturate nowhere: on policy, not only on people's."""
    encoder, decoder = attentive[1].student
    features = encoder(images(8))
    state = decoder.begin(tf.constant(features))
    said = write(decoder, features, LENGTH)
    bounds = decoder._sites["lstm_0"].ranges["c"]
    low, high = float(bounds["min_var"]), float(bounds["max_var"])
    token = tf.fill((8,), 1)
    for place in range(LENGTH):
        _, state, _ = decoder.step(token, state)
        c = state["c0"].numpy()
        assert ((c <= low) | (c >= high)).mean() < 0.02
        token = tf.constant(said[:, place])


def test_calibration_in_parts_sets_the_ranges_of_all_images(monkeypatch):
    twin = build_twin(parts(model("attention", "lstm"))[0])
    found = []
    for at_once in (2**23, 5 * SIDE * SIDE * 3):
        monkeypatch.setattr(calibration, "_NUMBERS_AT_ONCE", at_once)
        student = quantization_model(twin)
        calibration.calibrate(student, twin, images())
        # Keras numbers the layer that quantises the input; all come in one order.
        found.append(np.array([pair for layer in ranges(student).values() for pair in layer.values()]))
    whole, pieces = found
    assert len(whole) > 5
    assert np.allclose(whole, pieces, rtol=1e-4, atol=1e-5)


def test_fine_tuning_brings_the_student_nearer_to_its_teacher():
    encoder, settings, weights = parts(model("first", "lstm"))
    features, words = np.asarray(encoder(images())), sentences()
    teacher, student = CaptionDecoder(settings, weights), CaptionDecoder(settings, weights)
    teacher.mode = "exact"
    calibrate_decoder(student, features, words)
    options = {"learning_rate": 1e-3, "batch_size": 16, "distill": 1.0, "seed": 0}
    rows = finetune_decoder(
        student, teacher, features, features, words, np.arange(len(words)), epochs=6, **options
    )
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["loss"] < rows[0]["loss"]
    with pytest.raises(InputError, match="learning_rate"):
        finetune_decoder(
            student,
            teacher,
            features * np.float32(np.nan),
            features,
            words,
            np.arange(len(words)),
            epochs=1,
            **options,
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tokens": np.full((48, 9), WORDS, np.int32)}, ["tokens", str(WORDS), "words"]),
        ({"of": np.arange(47)}, ["tokens", "47"]),
        ({"of": np.full(48, 48)}, ["tokens", "48 images"]),
    ],
)
def test_data_that_do_not_fit_are_refused(change, words):
    given = {"tokens": sentences(), "of": np.arange(48), **change}
    with pytest.raises(InputError) as error:
        quantize_captioner(*parts(model("first", "lstm")), images(), **given)
    assert all(word in str(error.value) for word in words)


def test_a_vocabulary_of_another_size_is_refused(attentive, tmp_path):
    short = type(VOCABULARY)(VOCABULARY.words[:-1])
    with pytest.raises(InputError, match="23 words for 24 outputs"):
        attentive[1].save(
            tmp_path / "x.rnnedge", vocabulary=short, preprocess=PIXELS, caption=spec("attention")
        )
    assert not list(tmp_path.iterdir())
