"""A captioner's manifest: what it says comes back, and what does not fit together is refused by name."""

import json
from dataclasses import replace

import pytest
from test_device_manifest import changed
from tiny_captions import UNITS, changed_form, forms, manifest, real_manifest

from rnnedge_device.caption import CaptionSpec
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.form import Form
from rnnedge_device.manifest import Manifest
from rnnedge_device.scene import SceneCut
from rnnedge_device.tensors import Scan, State, Tensor


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
def test_scales_of_both_sides_are_tied(caption_bundle, changes):
    encode, decode = caption_bundle.manifest.forms
    for name in ("h0", "features", "keys"):
        with pytest.raises(BundleError, match="must be the same"):
            replace(caption_bundle.manifest, forms=(changed_form(encode, name, **changes), decode))
    with pytest.raises(BundleError, match=r"state h0: .* must be tied"):
        replace(caption_bundle.manifest, forms=(encode, changed_form(decode, "h0_next", **changes)))


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


def test_a_real_manifest_describes_the_real_file(caption_bundle):
    assert caption_bundle.manifest.forms == real_manifest(caption_bundle.members["model.tflite"]).forms
