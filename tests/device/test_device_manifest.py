"""The manifest: everything survives, nothing unknown, mistyped or contradictory gets in."""

import copy
import json
from dataclasses import replace

import pytest

from rnnedge_device.errors import BundleError
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
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
