"""The captioner on a real int8 model and on a float one in NumPy, and the models and bundles it is not for."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_captions import (
    VOCABULARY,
    captioner,
    changed_form,
    engines,
    forms,
    images,
    manifest,
)

from rnnedge_device.bundle import Bundle, read_bundle, write_bundle
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.interpreter import load_model
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.search import SearchOptions
from rnnedge_device.vocabulary import END, START, Vocabulary


@pytest.fixture
def int8(caption_bundle):
    return Captioner(caption_bundle)


@pytest.fixture(params=["int8", "attention", "plain"])
def any_captioner(request, caption_bundle):
    return Captioner(caption_bundle) if request.param == "int8" else captioner(request.param == "attention")


# --- captions ------------------------------------------------------------------------------------------


def test_greedy_on_the_real_file_is_what_a_loop_by_hand_gives(int8, caption_bundle):
    """Against a loop that hands the states over itself, byte by byte."""
    data = caption_bundle.members["model.tflite"]
    encode, decode = (load_model(data, signature=name) for name in ("encode", "decode"))
    y = caption_bundle.manifest.form("decode").output("y")
    lengths = set()
    for image in images(12):
        x = np.clip(np.rint(image.astype(np.float32)) - 128, -128, 127).astype(np.int8).reshape(1, 8, 8, 1)
        feeds, ids, rows, total = encode.run({"x": x}), [], [], 0.0
        token = START
        for _ in range(6):
            found = decode.run({**feeds, "token": np.array([token], np.int32)})
            feeds["h0"] = found["h0_next"]
            logits = (found["y"][0].astype(np.float64) - y.zero_point) * y.scale
            token = max([END, *range(4, len(VOCABULARY))], key=lambda word: logits[word])
            total += logits[token] - np.log(np.exp(logits).sum())
            if token == END:
                break
            ids.append(token)
            rows.append((found["attention"][0].astype(np.float32) + 128) / 256)
        (caption,) = int8.caption(image, SearchOptions(no_repeat=0, max_length=6))
        assert caption.ids == tuple(ids)
        assert caption.text == VOCABULARY.sentence(ids)
        assert caption.log_probability == pytest.approx(total, abs=1e-4)
        assert caption.score == pytest.approx(total / (len(ids) + 1) ** 0.7, abs=1e-4)
        assert caption.attention.tolist() == np.array(rows, np.float32).reshape(-1, 4).tolist()
        assert caption.steps == len(ids) + (token == END)
        lengths.add((len(ids), caption.text))
    assert len(lengths) > 8
    assert len({length for length, _ in lengths}) > 1


def test_the_fields_of_a_caption_fit_each_other(any_captioner):
    for image in images(4):
        found = any_captioner.caption(image, SearchOptions(beam=3, n_best=3, max_length=6))
        assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
        for item in found:
            assert item.text.split() == list(item.words) == [VOCABULARY.words[word] for word in item.ids]
            if any_captioner.spec.grid is None:
                assert item.attention is None
            else:
                assert item.attention.shape == (len(item.ids), 4)
                assert item.attention.dtype == np.float32
                assert item.attention.sum(axis=1) == pytest.approx(1, abs=0.02)
            assert item.encode_us > 0
            assert item.decode_us > 0
            assert item.steps == found[0].steps >= max(len(other.ids) for other in found)


def test_without_options_the_bundles_are_taken():
    image = images(1)[0]
    for spec in ({"beam": 1}, {"beam": 4, "length_penalty": 0.0, "no_repeat": 1, "max_length": 3}):
        made = captioner(**spec)
        expected = made.caption(image, SearchOptions(**{"max_length": 6, **spec}))
        assert [item.ids for item in made.caption(image)] == [item.ids for item in expected]
    assert len(captioner(max_length=2).caption(image)[0].ids) <= 2


def test_words_are_told_as_words(any_captioner):
    for options in (None, SearchOptions(beam=3, max_length=6), SearchOptions(temperature=1.0, seed=4)):
        heard = []
        caption = any_captioner.caption(images(1)[0], options, heard.append)[0]
        assert tuple(heard) == caption.words


def test_a_state_is_kept_and_searched_again(any_captioner):
    image = images(1)[0]
    state = any_captioner.encode(image)
    before = {name: value.copy() for name, value in state.items()}
    options = SearchOptions(beam=4, n_best=4, max_length=6)
    first, again = (any_captioner.caption_state(state, options) for _ in range(2))
    assert [item.ids for item in first] == [item.ids for item in again]
    assert [item.ids for item in first] == [item.ids for item in any_captioner.caption(image, options)]
    assert first[0].encode_us == 0
    assert all((state[name] == before[name]).all() for name in before)
    pixels = any_captioner.preprocess.pixels(image)
    assert all((any_captioner.encode_pixels(pixels)[name] == before[name]).all() for name in before)


def test_the_state_is_never_converted(caption_bundle):
    """What a call gives is what the next one takes, the very array."""
    made, given, wrong = Captioner(caption_bundle), {}, []
    encode, decode = made._encode, made._decode

    def watched_encode(feeds):
        found = encode(feeds)
        given.update({id(value): value for value in found.values()})
        return found

    def watched_decode(feeds):
        wrong.extend(name for name, value in feeds.items() if name != "token" and id(value) not in given)
        found = decode(feeds)
        given[id(found["h0_next"])] = found["h0_next"]
        return found

    made._encode, made._decode = watched_encode, watched_decode
    made.caption(images(1)[0], SearchOptions(beam=3))
    assert len(given) > 6
    assert wrong == []


def test_frames_of_any_size_and_colour(int8):
    image = images(1)[0]
    large = np.kron(image, np.ones((10, 10), np.uint8))
    expected = int8.caption(image)[0].ids
    assert int8.caption(large)[0].ids == int8.caption(np.stack([large] * 3, axis=2))[0].ids == expected
    for bad in (image.astype(np.float32), image[None], image[:0]):
        with pytest.raises(InputError, match=r"^image: "):
            int8.caption(bad)


def test_two_images_in_turn_do_not_bleed_into_each_other(int8):
    alone = [int8.caption(image)[0].ids for image in images(2)]
    states = [int8.encode(image) for image in images(2)]
    assert [int8.caption_state(states[number])[0].ids for number in (1, 0, 1)] == [
        alone[n] for n in (1, 0, 1)
    ]


def test_logits_along_a_sentence(any_captioner):
    """Row t answers START and the words before t; the likeliest of each row is what greedy takes."""
    state = any_captioner.encode(images(1)[0])
    y = any_captioner.forms[1].output("y")
    caption = any_captioner.caption_state(state, SearchOptions(no_repeat=0, max_length=6))[0]
    raw = any_captioner.logits(state, [*caption.ids, END])
    assert raw.shape == (len(caption.ids) + 1, len(VOCABULARY))
    assert raw.dtype == y.dtype
    allowed = raw.astype(np.float64)
    allowed[:, [0, 1, 3]] = -np.inf
    assert tuple(allowed.argmax(1)[:-1]) == caption.ids
    real = y.decode(raw).astype(np.float64)
    steps = real - np.log(np.exp(real).sum(axis=1, keepdims=True))
    said = sum(steps[place, word] for place, word in enumerate(caption.ids))
    ended = len(caption.ids) < 6
    assert caption.log_probability == pytest.approx(said + ended * steps[-1, END], abs=1e-4)
    assert any_captioner.logits(state, []).shape == (0, len(VOCABULARY))
    for bad in (-1, len(VOCABULARY)):
        with pytest.raises(InputError, match=f"ids: {bad}: must be 0 to {len(VOCABULARY) - 1}"):
            any_captioner.logits(state, [4, bad])


def test_attention_looks_at_the_image():
    maps = [captioner().caption(image)[0].attention[0] for image in images(5)]
    assert np.ptp(maps, axis=0).max() > 0.05


# --- what does not fit ---------------------------------------------------------------------------------


def test_a_vocabulary_that_does_not_match_the_model_is_refused(caption_bundle):
    short = Vocabulary(VOCABULARY.words[:-1])
    with pytest.raises(BundleError, match=r"vocabulary of 10 words: the model's y \(1, 11\) has 11"):
        Captioner(
            Bundle(
                caption_bundle.manifest,
                {**caption_bundle.members, "vocabulary.txt": short.to_text().encode()},
            )
        )
    with pytest.raises(BundleError, match="vocabulary of 10 words"):
        Captioner.of(*engines(), manifest(), short)
    for data, message in ((b"a\ndog\n", "words begin with"), (b"\xff\xfe", "must be UTF-8")):
        with pytest.raises(BundleError, match=f"^vocabulary.txt: .*{message}"):
            Captioner(Bundle(caption_bundle.manifest, {**caption_bundle.members, "vocabulary.txt": data}))


def test_a_bundle_without_its_vocabulary_is_neither_written_nor_read(caption_bundle, tmp_path):
    members = {name: data for name, data in caption_bundle.members.items() if name != "vocabulary.txt"}
    with pytest.raises(
        BundleError, match=r"bundle: caption: vocabulary = 'vocabulary\.txt': is not a member"
    ):
        write_bundle(tmp_path / "x.rnnedge", caption_bundle.manifest, members)
    other = replace(
        caption_bundle.manifest, caption=replace(caption_bundle.manifest.caption, vocabulary="words.txt")
    )
    with pytest.raises(BundleError, match=r"'words\.txt': is not a member"):
        write_bundle(tmp_path / "x.rnnedge", other, caption_bundle.members)
    with pytest.raises(BundleError, match=r"'words\.txt': is not a member"):
        Bundle(other, caption_bundle.members).vocabulary()


def test_a_caption_bundle_comes_back_as_it_was_written(caption_bundle):
    assert caption_bundle.vocabulary() == VOCABULARY
    assert caption_bundle.manifest.caption == CaptionSpec(max_length=6, grid=(2, 2))
    assert caption_bundle.manifest.labels == ()


def test_each_model_takes_a_bundle_of_its_own_task(caption_bundle, bundle_path):
    digits = read_bundle(bundle_path)
    with pytest.raises(BundleError, match="task = 'classify': a captioner takes a bundle of task captions"):
        Captioner(digits)
    with pytest.raises(BundleError, match="only a bundle of task captions has a vocabulary"):
        digits.vocabulary()
    with pytest.raises(BundleError, match="task = 'classify'"):
        Captioner.of(*engines(), digits.manifest, VOCABULARY)
    with pytest.raises(BundleError, match="task = 'captions'"):
        Classifier(caption_bundle)
    with pytest.raises(BundleError, match="task = 'captions'"):
        ClipModel(caption_bundle)
    with pytest.raises(InputError, match="threads = 0"):
        Captioner(caption_bundle, threads=0)


def test_a_model_that_differs_from_the_manifest_is_refused(caption_bundle):
    loose = tuple(changed_form(form, "keys", scale=0.5) for form in caption_bundle.manifest.forms)
    with pytest.raises(BundleError, match=r"form encode: output: .* in the manifest, .* in the model"):
        Captioner(Bundle(replace(caption_bundle.manifest, forms=loose), caption_bundle.members))


def test_engines_must_fit_the_manifest_and_each_other():
    encode, decode = engines()
    with pytest.raises(BundleError, match="forms decode, encode: must be encode, decode"):
        Captioner.of(decode, encode, manifest(), VOCABULARY)
    with pytest.raises(BundleError, match="must be the same"):
        Captioner.of(encode, engines(attention=False)[1], manifest(), VOCABULARY)
    with pytest.raises(BundleError, match=r"grid = None, attention \(1, 4\)"):
        Captioner.of(encode, decode, manifest(attention=False), VOCABULARY)
    with pytest.raises(BundleError, match=r"must be \(1, 9, 8, 1\)"):
        Captioner.of(*engines(False), manifest(False, preprocess=PREPROCESS_9, forms=tall()), VOCABULARY)


PREPROCESS_9 = Preprocess((9, 8))


def tall():
    encode, decode = forms(attention=False)
    return changed_form(encode, "x", shape=(1, 9, 8, 1)), decode
