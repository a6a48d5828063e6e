"""The manifest: everything survives, nothing unknown, mistyped or contradictory gets in."""

import copy
import json
from dataclasses import replace

import pytest

from rnnedge_device.clip import ClipSpec
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.events import EventRules
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.scene import SceneCut
from rnnedge_device.tensors import Scan, State, Tensor


def changed(data, path, value):
    data = copy.deepcopy(data)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


def test_it_survives_json(tiny):
    made = tiny.manifest()
    again = Manifest.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert again.to_dict() == made.to_dict()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("taks",), "classify"),
        (("preprocess", "colour"), "gray"),
        (("forms", 0, "kind"), "loop"),
        (("forms", 1, "inputs", 0, "axis"), 0),
        (("forms", 1, "states", 0, "start"), 0.0),
        (("name",), 5),
        (("task",), "translate"),
        (("output",), "softmax"),
        (("labels",), ["a", 2]),
        (("labels",), "abc"),
        (("labels",), []),
        (("preprocess", "size"), [8]),
        (("preprocess",), None),
        (("forms",), []),
        (("forms",), {}),
        (("forms", 0, "name"), "rolled"),
        (("forms", 0, "inputs"), [3]),
        (("forms", 0, "ops"), {"ADD": 0}),
        (("forms", 0, "size_bytes"), "12"),
        (("forms", 0, "latency_us"), "fast"),
        (("forms", 0, "inputs", 0, "shape"), [1, -8]),
        (("forms", 0, "inputs", 0, "dtype"), "uint8"),
        (("forms", 0, "inputs", 0, "scale"), 0.0),
        (("forms", 0, "inputs", 0, "zero_point"), 300),
        (("forms", 2, "inputs", 0, "scale"), 0.5),
        (("forms", 1, "scan"), [["flip", [0]]]),
        (("forms", 1, "scan"), [["reshape", [-1, 8]]]),
        (("forms", 1, "scan"), 3),
        (("metrics",), []),
        (("versions",), None),
        (("files",), {"model.tflite": {"size": 1}}),
        (("files",), {"model.tflite": {"size": "1", "sha256": ""}}),
        (("format_version",), True),
        (("format_version",), 0),
    ],
)
def test_a_wrong_key_or_type_is_named(tiny, path, value):
    with pytest.raises(BundleError, match=r"^manifest\.json") as caught:
        Manifest.from_dict(changed(tiny.manifest("loop", "step", "fused").to_dict(), path, value))
    named = [key for key in path if isinstance(key, str)]
    assert named[-1] in str(caught.value)


@pytest.mark.parametrize(
    "key", ["format_version", "name", "labels", "preprocess", "forms", "files", "metrics", "output"]
)
def test_a_missing_key_is_named(tiny, key):
    data = tiny.manifest("loop").to_dict()
    del data[key]
    with pytest.raises(BundleError, match=f"{key}.* is missing"):
        Manifest.from_dict(data)


def test_a_newer_format_says_update_whatever_else_is_new(tiny):
    data = {**tiny.manifest("loop").to_dict(), "format_version": 2, "speech": "new in 2"}
    with pytest.raises(BundleError, match=r"newer rnnedge.*update"):
        Manifest.from_dict(data)


def test_what_is_not_an_object_is_refused():
    for data in ([], None, "text", 3):
        with pytest.raises(BundleError, match="not an object"):
            Manifest.from_dict(data)


def test_states_that_are_not_tied_are_refused(tiny):
    step = tiny.form("step")
    loose = tuple(
        replace(tensor, scale=tensor.scale * 2) if tensor.name == "h0_next" else tensor
        for tensor in step.outputs
    )
    with pytest.raises(BundleError, match=r"state h0: .* must be tied"):
        tiny.manifest(forms=(replace(step, outputs=loose),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"states": ()}, "0 states"),
        ({"states": (State("h0", "h0_next"),)}, "inputs"),
        ({"states": (State("h0", "h0_next"), State("c9", "c0_next"))}, "'c9' is missing"),
        ({"states": (State("h0", "h0_next"), State("c0", "y"))}, "must be tied"),
        ({"scan": Scan()}, "scan"),
        ({"scan": Scan((("reshape", (4, 16)),))}, "rows"),
        ({"scan": Scan((("transpose", (1, 0)),))}, "does not fit"),
        ({"scan": Scan((("reshape", (8, 9)),))}, "does not fit"),
        ({"outputs": (Tensor("z", (1, 10)),)}, "'y' is missing"),
        ({"inputs": (Tensor("image", (1, 8)),)}, "'x' is missing"),
    ],
)
def test_a_step_form_that_contradicts_itself_is_refused(tiny, changes, message):
    with pytest.raises(BundleError, match=message):
        tiny.manifest(forms=(replace(tiny.form("step"), **changes),))


def test_forms_must_fit_labels_and_preprocessing(tiny):
    with pytest.raises(BundleError, match="10\\) for 2 labels"):
        tiny.manifest("loop", labels=("a", "b"))
    with pytest.raises(BundleError, match="one image"):
        tiny.manifest("loop", preprocess=Preprocess((9, 8)))
    with pytest.raises(BundleError, match="each name once"):
        tiny.manifest("loop", "loop")


def test_the_first_form_is_the_default_and_a_foreign_name_lists_what_there_is(tiny):
    manifest = tiny.manifest("step", "loop")
    assert manifest.form().name == "step"
    assert manifest.form("loop").name == "loop"
    with pytest.raises(BundleError, match="'unrolled': this bundle has step, loop"):
        manifest.form("unrolled")


# --- clips ---------------------------------------------------------------------------------------------


def test_a_clip_manifest_survives_json(tiny_clips):
    clip = ClipSpec(
        25.0, 3, 16, "both", "still", 400.0, SceneCut(0.2), EventRules(100.0, 0.7, 0.3, 0.0, 50.0)
    )
    made = tiny_clips.manifest(clip=clip)
    again = Manifest.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert again.to_dict() == made.to_dict()
    assert again.clip.rate == pytest.approx(25 / 3)
    without = tiny_clips.manifest(clip=replace(clip, scene_cut=None))
    assert Manifest.from_dict(json.loads(json.dumps(without.to_dict()))) == without


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("clip", "speed"), 1.0),
        (("clip", "events", "label"), "fall"),
        (("clip", "scene_cut", "side"), 16),
        (("clip", "fps"), 0),
        (("clip", "fps"), "10"),
        (("clip", "stride"), 0),
        (("clip", "stride"), 1.5),
        (("clip", "length"), -4),
        (("clip", "head"), "first"),
        (("clip", "background"), None),
        (("clip", "background"), "nothing"),
        (("clip", "max_gap_ms"), -1),
        (("clip", "scene_cut"), 0.2),
        (("clip", "scene_cut", "threshold"), 2),
        (("clip", "events"), None),
        (("clip", "events", "on"), 1.5),
        (("clip", "events", "min_ms"), True),
        (("clip",), None),
        (("clip",), []),
        (("task",), "classify"),
        (("forms", 0, "name"), "loop"),
        (("forms", 0, "states"), []),
        (("forms", 0, "scan"), [["reshape", [8, 8]]]),
        (("forms", 0, "inputs", 1, "shape"), [1, 99]),
    ],
)
def test_a_wrong_key_or_type_of_a_clip_manifest_is_refused(tiny_clips, path, value):
    data = tiny_clips.manifest(clip=replace(tiny_clips.manifest().clip, scene_cut=SceneCut(0.2))).to_dict()
    with pytest.raises(BundleError, match=r"^manifest\.json") as caught:
        Manifest.from_dict(changed(data, path, value))
    if path[0] == "clip":
        assert path[-1] in str(caught.value)


@pytest.mark.parametrize(
    "key", ["fps", "stride", "length", "head", "background", "max_gap_ms", "scene_cut", "events"]
)
def test_a_missing_key_of_the_clip_section_is_named(tiny_clips, key):
    data = tiny_clips.manifest().to_dict()
    del data["clip"][key]
    with pytest.raises(BundleError, match=f"clip: the key '{key}' is missing"):
        Manifest.from_dict(data)


def test_only_a_clip_bundle_has_a_clip_section(tiny, tiny_clips):
    assert "clip" not in tiny.manifest().to_dict()
    with pytest.raises(BundleError, match="for task clips, and only there"):
        tiny.manifest(clip=tiny_clips.manifest().clip)
    with pytest.raises(BundleError, match="for task clips, and only there"):
        tiny_clips.manifest(clip=None)


def shaped(form, name, shape):
    """The form with another shape of one tensor."""
    sides = {
        side: tuple(replace(t, shape=shape) if t.name == name else t for t in getattr(form, side))
        for side in ("inputs", "outputs")
    }
    return replace(form, **sides)


@pytest.mark.parametrize(
    ("name", "tensor", "shape", "message"),
    [
        ("step", "x", (1, 8, 9, 1), r"must be \(1, 8, 8, 1\) and \(1, 3\)"),
        ("step", "x", (1, 64), r"must be \(1, 8, 8, 1\) and \(1, 3\)"),
        ("step", "y", (1, 4), r"must be \(1, 8, 8, 1\) and \(1, 3\)"),
        ("sequence", "x", (1, 4, 8, 8, 3), r"must be \(1, T, 8, 8, 1\) and \(1, T, 3\)"),
        ("sequence", "x", (1, 5, 8, 8, 1), r"must be \(1, T, 8, 8, 1\) and \(1, T, 3\)"),
        ("sequence", "y", (1, 3), r"must be \(1, T, 8, 8, 1\) and \(1, T, 3\)"),
        ("step", "h0_next", (1, 5), "state h0: .* must be tied"),
    ],
)
def test_a_clip_form_must_fit_frames_and_labels(tiny_clips, name, tensor, shape, message):
    forms = {form.name: form for form in tiny_clips.manifest().forms}
    forms[name] = shaped(forms[name], tensor, shape)
    with pytest.raises(BundleError, match=message):
        tiny_clips.manifest(forms=tuple(forms.values()))


def test_the_forms_of_a_clip_model_share_states_and_scales(tiny_clips):
    step, sequence = tiny_clips.manifest("int8").forms
    for changes in (
        {"states": (State("h0", "h0_next", reset=0.5),)},
        {"outputs": tuple(replace(t, scale=0.5) if t.name == "y" else t for t in sequence.outputs)},
        {"inputs": tuple(replace(t, zero_point=3) if t.name == "x" else t for t in sequence.inputs)},
    ):
        with pytest.raises(BundleError, match="form sequence: its states and scales differ"):
            tiny_clips.manifest("int8", forms=(step, replace(sequence, **changes)))
    with pytest.raises(BundleError, match="'step': this bundle has sequence"):
        tiny_clips.manifest("int8", forms=(sequence,))


def test_image_forms_and_clip_forms_do_not_mix(tiny, tiny_clips):
    with pytest.raises(BundleError, match="a clips bundle has step, sequence"):
        tiny_clips.manifest(forms=(tiny.form("loop"),))
    with pytest.raises(BundleError, match="a classify bundle has loop, unrolled, step, fused"):
        tiny.manifest(forms=(tiny_clips.form("sequence"),))


@pytest.mark.parametrize(
    "change",
    [
        {"fps": -1.0},
        {"stride": 0},
        {"length": 1.5},
        {"head": "all"},
        {"max_gap_ms": 0},
        {"fps": float("inf")},
        {"fps": 1e12},
        {"stride": 10**9},
    ],
)
def test_a_bad_parameter_of_a_clip_is_named(change):
    ((key, value),) = change.items()
    with pytest.raises(InputError, match=f"^clip: {key} = ") as caught:
        ClipSpec(**{"fps": 10.0, "stride": 1, "length": 8, **change})
    assert repr(value) in str(caught.value)


def test_a_frame_is_not_held_for_hours():
    with pytest.raises(
        InputError, match=r"max_gap_ms = 3600000\.0: a frame would be held for up to 3.6e\+04 steps"
    ):
        ClipSpec(10.0, 1, 8, max_gap_ms=3_600_000.0)
    assert ClipSpec(10.0, 2, 8, max_gap_ms=2_000_000.0).rate == 5
