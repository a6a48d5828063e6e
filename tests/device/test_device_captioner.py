"""The captioner on a real int8 model and on a float one in NumPy, and the manifests that it must not be given."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from test_device_manifest import changed
from tiny_captions import (
    UNITS,
    VOCABULARY,
    captioner,
    changed_form,
    engines,
    forms,
    images,
    manifest,
    real_manifest,
)

from rnnedge_device.bundle import Bundle, read_bundle, write_bundle
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.form import Form
from rnnedge_device.golden import Golden, golden_captions
from rnnedge_device.interpreter import load_model
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.scene import SceneCut
from rnnedge_device.search import SearchOptions
from rnnedge_device.selftest import self_test
from rnnedge_device.tensors import Scan, State, Tensor
from rnnedge_device.vocabulary import END, START, Vocabulary


@pytest.fixture(scope="module")
def bundle(caption_bundle_path):
    return read_bundle(caption_bundle_path)


@pytest.fixture
def int8(bundle):
    return Captioner(bundle)


@pytest.fixture(params=["int8", "attention", "plain"])
def any_captioner(request, bundle):
    return Captioner(bundle) if request.param == "int8" else captioner(request.param == "attention")


# --- captions ------------------------------------------------------------------------------------------


def test_greedy_on_the_real_file_is_what_a_loop_by_hand_gives(int8, bundle):
    """Against a loop that hands the states over itself, byte by byte."""
    data = bundle.members["model.tflite"]
    encode, decode = (load_model(data, signature=name) for name in ("encode", "decode"))
    y = bundle.manifest.form("decode").output("y")
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


def test_the_state_is_never_converted(bundle):
    """What a call gives is what the next one takes, the very array."""
    made, given, wrong = Captioner(bundle), {}, []
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


def test_a_vocabulary_that_does_not_match_the_model_is_refused(bundle):
    short = Vocabulary(VOCABULARY.words[:-1])
    with pytest.raises(BundleError, match=r"vocabulary of 10 words: the model's y \(1, 11\) has 11"):
        Captioner(Bundle(bundle.manifest, {**bundle.members, "vocabulary.txt": short.to_text().encode()}))
    with pytest.raises(BundleError, match="vocabulary of 10 words"):
        Captioner.of(*engines(), manifest(), short)
    for data, message in ((b"a\ndog\n", "words begin with"), (b"\xff\xfe", "must be UTF-8")):
        with pytest.raises(BundleError, match=f"^vocabulary.txt: .*{message}"):
            Captioner(Bundle(bundle.manifest, {**bundle.members, "vocabulary.txt": data}))


def test_a_bundle_without_its_vocabulary_is_neither_written_nor_read(bundle, tmp_path):
    members = {name: data for name, data in bundle.members.items() if name != "vocabulary.txt"}
    with pytest.raises(
        BundleError, match=r"bundle: caption: vocabulary = 'vocabulary\.txt': is not a member"
    ):
        write_bundle(tmp_path / "x.rnnedge", bundle.manifest, members)
    other = replace(bundle.manifest, caption=replace(bundle.manifest.caption, vocabulary="words.txt"))
    with pytest.raises(BundleError, match=r"'words\.txt': is not a member"):
        write_bundle(tmp_path / "x.rnnedge", other, bundle.members)
    with pytest.raises(BundleError, match=r"'words\.txt': is not a member"):
        Bundle(other, bundle.members).vocabulary()


def test_a_caption_bundle_comes_back_as_it_was_written(bundle):
    assert bundle.vocabulary() == VOCABULARY
    assert bundle.manifest.caption == CaptionSpec(max_length=6, grid=(2, 2))
    assert bundle.manifest.labels == ()


def test_each_model_takes_a_bundle_of_its_own_task(bundle, bundle_path):
    digits = read_bundle(bundle_path)
    with pytest.raises(BundleError, match="task = 'classify': a captioner takes a bundle of task captions"):
        Captioner(digits)
    with pytest.raises(BundleError, match="only a bundle of task captions has a vocabulary"):
        digits.vocabulary()
    with pytest.raises(BundleError, match="task = 'classify'"):
        Captioner.of(*engines(), digits.manifest, VOCABULARY)
    with pytest.raises(BundleError, match="task = 'captions'"):
        Classifier(bundle)
    with pytest.raises(BundleError, match="task = 'captions'"):
        ClipModel(bundle)
    with pytest.raises(InputError, match="threads = 0"):
        Captioner(bundle, threads=0)


def test_a_model_that_differs_from_the_manifest_is_refused(bundle):
    loose = tuple(changed_form(form, "keys", scale=0.5) for form in bundle.manifest.forms)
    with pytest.raises(BundleError, match=r"form encode: output: .* in the manifest, .* in the model"):
        Captioner(Bundle(replace(bundle.manifest, forms=loose), bundle.members))


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


# --- the manifest --------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", [True, False])
def test_a_caption_manifest_survives_json(attention):
    spec = CaptionSpec("words.txt", 9, 3, 0.5, 2, 1500.0, SceneCut(0.2), (2, 2) if attention else None)
    for made in (manifest(attention), manifest(attention, caption=spec)):
        again = Manifest.from_dict(json.loads(json.dumps(made.to_dict())))
        assert again == made
        assert again.to_dict() == made.to_dict()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("caption", "speed"), 1.0),
        (("caption", "vocabulary"), 3),
        (("caption", "vocabulary"), ""),
        (("caption", "max_length"), 0),
        (("caption", "max_length"), 2.5),
        (("caption", "beam"), 0),
        (("caption", "length_penalty"), -1),
        (("caption", "length_penalty"), "0.7"),
        (("caption", "no_repeat"), -1),
        (("caption", "no_repeat"), True),
        (("caption", "interval_ms"), 0),
        (("caption", "scene_cut"), 0.2),
        (("caption", "scene_cut", "threshold"), 2),
        (("caption", "grid"), [2]),
        (("caption", "grid"), [2, 0]),
        (("caption", "grid"), 4),
        (("caption", "grid"), [2, 3]),
        (("caption", "grid"), None),
        (("caption",), None),
        (("caption",), []),
        (("labels",), ["a"]),
        (("output",), "probabilities"),
        (("task",), "classify"),
        (("task",), "clips"),
        (("forms", 0, "name"), "step"),
        (("forms", 0, "name"), "decode"),
        (("forms", 0, "file"), "encode.tflite"),
        (("forms", 0, "signature"), "decode"),
        (("forms", 1, "states"), []),
        (("forms", 1, "scan"), [["reshape", [8, 8]]]),
        (("forms", 0, "inputs", 0, "shape"), [1, 8, 8, 3]),
        (("forms", 0, "outputs", 0, "shape"), [1, 5]),
        (("forms", 0, "outputs"), []),
        (("forms", 1, "inputs", 0, "dtype"), "int8"),
        (("forms", 1, "inputs", 0, "dtype"), "float32"),
        (("forms", 1, "inputs", 0, "dtype"), "int64"),
        (("forms", 1, "inputs", 0, "scale"), 1.0),
        (("forms", 1, "inputs", 0, "zero_point"), 1),
        (("forms", 1, "inputs", 0, "shape"), [1, 1]),
        (("forms", 1, "outputs", 0, "shape"), [11]),
        (("forms", 1, "outputs", 2, "name"), "alpha"),
    ],
)
def test_a_wrong_key_or_type_of_a_caption_manifest_is_refused(path, value):
    spec = replace(manifest().caption, scene_cut=SceneCut(0.2))
    with pytest.raises(BundleError, match=r"^manifest\.json") as caught:
        Manifest.from_dict(changed(manifest(caption=spec).to_dict(), path, value))
    if path[0] in ("caption", "labels", "output"):
        assert path[-1] in str(caught.value)


@pytest.mark.parametrize("key", CaptionSpec.__dataclass_fields__)
def test_a_missing_key_of_the_caption_section_is_named(key):
    data = manifest().to_dict()
    del data["caption"][key]
    with pytest.raises(BundleError, match=f"caption: the key '{key}' is missing"):
        Manifest.from_dict(data)


@pytest.mark.parametrize(
    "change",
    [
        {"vocabulary": 5},
        {"max_length": 0},
        {"beam": 1.5},
        {"length_penalty": float("inf")},
        {"no_repeat": -2},
        {"interval_ms": -1.0},
        {"scene_cut": 0.3},
        {"grid": (1, 2, 3)},
        {"grid": "7x7"},
    ],
)
def test_a_bad_parameter_of_captions_is_named(change):
    ((key, value),) = change.items()
    with pytest.raises(InputError, match=f"^caption: {key} = ") as caught:
        CaptionSpec(**change)
    assert repr(value) in str(caught.value)


def test_only_a_caption_bundle_has_a_caption_section(tiny, tiny_clips):
    assert "caption" not in tiny.manifest().to_dict()
    for other in (tiny, tiny_clips):
        with pytest.raises(BundleError, match=r"caption = .*: there for task captions, and only there"):
            other.manifest(caption=CaptionSpec())
    with pytest.raises(BundleError, match=r"clip = .*: there for task clips, and only there"):
        manifest(clip=tiny_clips.manifest().clip)


def test_a_caption_bundle_has_exactly_encode_and_decode(tiny):
    encode, decode = forms()
    for some in ((encode,), (decode,)):
        with pytest.raises(BundleError, match="captions have encode and decode, both"):
            manifest(forms=some)
    with pytest.raises(BundleError, match="a captions bundle has encode, decode"):
        manifest(forms=(encode, decode, tiny.form("loop")))
    with pytest.raises(BundleError, match="a classify bundle has"):
        tiny.manifest(forms=(encode,))
    assert manifest(forms=(decode, encode)).form().name == "decode"


TIED = [
    ("h0", {"shape": (1, UNITS + 1)}),
    ("keys", {"shape": (1, 4, UNITS + 1)}),
    ("features", {"dtype": "int8", "scale": 0.5}),
    ("features", {"name": "pixels"}),
]


@pytest.mark.parametrize(("name", "changes"), TIED)
def test_the_decoder_takes_what_the_encoder_gives(name, changes):
    encode, decode = forms()
    with pytest.raises(BundleError, match=r"forms encode and decode: .* must be the same"):
        manifest(forms=(changed_form(encode, name, **changes), decode))


@pytest.mark.parametrize("changes", [{"scale": 0.25}, {"zero_point": 3}, {"dtype": "float32", "scale": 0.0}])
def test_scales_of_both_sides_are_tied(bundle, changes):
    encode, decode = bundle.manifest.forms
    for name in ("h0", "features", "keys"):
        with pytest.raises(BundleError, match="must be the same"):
            replace(bundle.manifest, forms=(changed_form(encode, name, **changes), decode))
    with pytest.raises(BundleError, match=r"state h0: .* must be tied"):
        replace(bundle.manifest, forms=(encode, changed_form(decode, "h0_next", **changes)))


@pytest.mark.parametrize(
    ("attention", "change", "message"),
    [
        (True, lambda e, d: (e, changed_form(d, "attention", shape=(1, 5))), r"grid = \(2, 2\), attention"),
        (True, lambda e, d: (e, replace(d, outputs=d.outputs[:2])), r"grid = \(2, 2\), attention None"),
        (
            False,
            lambda e, d: (e, replace(d, outputs=(*d.outputs, Tensor("attention", (1, 4))))),
            r"grid = None, attention \(1, 4\)",
        ),
        (
            True,
            lambda e, d: tuple(changed_form(form, "keys", shape=(1, 3, UNITS)) for form in (e, d)),
            r"keys \(1, 3, 6\): must be \(1, 4, any\)",
        ),
    ],
)
def test_attention_fits_the_grid(attention, change, message):
    with pytest.raises(BundleError, match=message):
        manifest(attention, forms=change(*forms(attention)))


def test_numbers_that_are_no_quantities_are_for_the_token_only(tiny):
    encode, decode = forms()
    with pytest.raises(BundleError, match="h0: dtype int32: int32 is for token, only"):
        manifest(forms=tuple(changed_form(form, "h0", dtype="int32") for form in (encode, decode)))
    with pytest.raises(BundleError, match="token: dtype float32: int32 is for token"):
        manifest(forms=(encode, changed_form(decode, "token", dtype="float32")))
    for name in ("x", "y"):
        with pytest.raises(BundleError, match=f"{name}: dtype int32"):
            tiny.manifest(forms=(changed_form(tiny.form("loop"), name, dtype="int32", scale=0.0),))


def test_names_of_a_caption_model_are_its_own():
    encode, decode = forms()
    more = replace(encode, inputs=(*encode.inputs, Tensor("mask", (1, 4))))
    with pytest.raises(BundleError, match="form encode: inputs"):
        manifest(forms=(more, decode))
    for name in ("x", "y", "token"):
        with pytest.raises(BundleError, match="form encode: outputs"):
            manifest(forms=(changed_form(encode, "keys", name=name), decode))
    twice = replace(encode, outputs=(*encode.outputs, encode.outputs[0]))
    with pytest.raises(BundleError, match="each once"):
        manifest(forms=(twice, decode))
    with pytest.raises(BundleError, match="encode none, and neither has a scan"):
        manifest(forms=(replace(encode, scan=Scan((("reshape", (8, 8)),))), decode))
    with pytest.raises(BundleError, match="encode none"):
        manifest(forms=(replace(encode, states=(State("h0", "h0_next"),)), decode))
    with pytest.raises(BundleError, match="'token' is missing"):
        manifest(forms=(encode, changed_form(decode, "token", name="word")))
    assert isinstance(decode, Form)


# --- golden inputs and the self-test -------------------------------------------------------------------


def test_golden_captions_are_the_decoders_own_words(bundle, int8):
    golden = Golden.from_bytes(bundle.members["golden.npz"])
    assert (golden.images == images(6)).all()
    assert golden.tokens.dtype == np.int32
    assert golden.tokens.shape == (6, 5)
    assert golden.tokens.min() >= 4
    assert len(np.unique(golden.tokens)) > 3
    for number, image in enumerate(golden.images):
        state, ids = int8.encode(image), golden.tokens[number].tolist()
        raw = int8.logits(state, ids)
        assert (golden.outputs["decode"][number].reshape(5, -1) == raw).all()
        assert (4 + raw[:, 4:].argmax(1)).tolist() == ids
        first = bundle.manifest.form("encode").outputs[0].name
        assert (golden.outputs["encode"][number] == state[first].ravel()).all()
    assert golden.to_bytes() == bundle.members["golden.npz"]
    assert golden_captions(int8, images(6), 5).to_bytes() == golden.to_bytes()


def test_the_self_test_passes_on_the_machine_that_made_it(bundle, caption_bundle_path, run_cli):
    result = self_test(bundle)
    assert result["ok"]
    assert [(form["form"], form["equal"], form["agree"], form["max_lsb"]) for form in result["forms"]] == [
        ("encode", 1.0, 1.0, 0),
        ("decode", 1.0, 1.0, 0),
    ]
    assert [form["form"] for form in self_test(bundle, "decode")["forms"]] == ["decode"]
    code, out, _ = run_cli(caption_bundle_path, "--selftest", "--json")
    assert code == 0
    assert json.loads(out)["selftest"]["ok"]


@pytest.mark.parametrize("form", ["encode", "decode"])
def test_the_self_test_finds_one_wrong_byte(bundle, form):
    golden = Golden.from_bytes(bundle.members["golden.npz"])
    outputs = {name: y.copy() for name, y in golden.outputs.items()}
    outputs[form][3, 7] += 100 if outputs[form][3, 7] < 0 else -100
    data = Golden(golden.images, outputs, golden.tokens).to_bytes()
    result = self_test(Bundle(bundle.manifest, {**bundle.members, "golden.npz": data}))
    assert not result["ok"]
    assert {row["form"]: row["ok"] for row in result["forms"]}[form] is False
    assert max(row["max_lsb"] for row in result["forms"]) >= 100


def arrays(**changes):
    """A golden file of two images, three tokens each, 11 words."""
    found = {
        "images": np.zeros((2, 8, 8), np.uint8),
        "y_encode": np.zeros((2, 40), np.int8),
        "tokens": np.full((2, 3), 4, np.int32),
        "y_decode": np.zeros((2, 33), np.int8),
        **changes,
    }
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in found.items() if value is not None})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": None}, "tokens and y_decode, or neither"),
        ({"y_decode": None}, "tokens and y_decode, or neither"),
        ({"tokens": np.full((2, 3), 4, np.int64)}, r"tokens int64 \(2, 3\): must be int32"),
        ({"tokens": np.full((2, 3), 4.0, np.float32)}, "tokens float32"),
        ({"tokens": np.full(6, 4, np.int32)}, r"must be int32 \[2, T\]"),
        ({"tokens": np.full((3, 2), 4, np.int32)}, r"must be int32 \[2, T\]"),
        ({"tokens": np.zeros((2, 0), np.int32)}, r"must be int32 \[2, T\]"),
        ({"tokens": np.full((2, 4), 4, np.int32)}, r"must be ids below K and \[N, T \* K\]"),
        ({"tokens": np.full((2, 3), 11, np.int32)}, "4?11 to 11, .* must be ids below K"),
        ({"tokens": np.full((2, 3), -1, np.int32)}, "-1 to -1, .* must be ids below K"),
        ({"y_decode": np.zeros((6, 11), np.int8)}, "y_decode int8"),
        ({"y_decode": np.zeros((2, 36), np.int8)}, r"y_decode int8 \(2, 36\): must be int8 \[N, 33\]"),
        ({"y_decode": np.zeros((2, 33), np.float32)}, "y_decode float32"),
        ({"y_encode": np.zeros((2, 41), np.int8)}, r"y_encode int8 \(2, 41\): must be int8 \[N, 40\]"),
    ],
)
def test_golden_captions_that_cannot_be_trusted_are_refused(bundle, changes, message):
    with pytest.raises(BundleError, match=f"^golden.npz: .*{message}"):
        self_test(Bundle(bundle.manifest, {**bundle.members, "golden.npz": arrays(**changes)}))


def test_golden_captions_need_images_words_and_a_length(int8):
    for given, length in ((images(2), 0), (images(2), 2.5), (images(0), 3)):
        with pytest.raises(InputError, match=f"length = {length}, {len(given)} images"):
            golden_captions(int8, given, length)


def test_a_real_manifest_describes_the_real_file(bundle):
    assert bundle.manifest.forms == real_manifest(bundle.members["model.tflite"]).forms
