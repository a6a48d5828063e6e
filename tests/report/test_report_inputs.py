"""Missing and damaged inputs: one message that names the file, what is wrong, and the command that writes it."""

import json

import finished_run
import pytest

from rnnedge.report import write_report
from rnnedge_device.errors import InputError

INPUTS = {
    "recipe.toml": "rnnedge train",
    "train.json": "rnnedge train",
    "history.csv": "rnnedge train",
    "quantize.json": "rnnedge quantize",
    "evaluation.json": "rnnedge quantize",
}


@pytest.fixture
def run(tmp_path):
    return finished_run.write(tmp_path / "run", summary_=finished_run.summary())


def refused(run, *parts):
    """The report is refused in these words, and nothing was written."""
    before = {path.name for path in run.iterdir()}
    with pytest.raises(InputError) as caught:
        write_report(run)
    for part in parts:
        assert part in str(caught.value)
    assert {path.name for path in run.iterdir()} == before


@pytest.mark.parametrize(("name", "command"), INPUTS.items())
def test_a_missing_input_is_named_with_its_command(run, name, command):
    (run / name).unlink()
    refused(run, f"{name}: is missing; `{command}` writes it")


@pytest.mark.parametrize("name", [*INPUTS, "summary.json"])
@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"{ half", b"[1, 2"])
def test_a_damaged_input_is_named(run, name, content):
    (run / name).write_bytes(content)
    refused(run, f"{name}: is damaged: ")


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: is not a folder"):
        write_report(tmp_path / "nowhere")


def set_at(values, path, value):
    *parents, last = path
    for key in parents:
        values = values[key]
    values[last] = value


@pytest.mark.parametrize(
    ("name", "path", "value", "told"),
    [
        ("train.json", ["steps"], "many", "steps: Input should be a valid integer, not 'many'"),
        (
            "train.json",
            ["val_accuracy"],
            97.1,
            "val_accuracy: Input should be less than or equal to 1, not 97.1",
        ),
        ("quantize.json", ["form"], "swirl", "form 'swirl' is not among forms (loop, unrolled)"),
        ("quantize.json", ["forms", "loop", "audit", "ops", "TANH"], None, "forms.loop.audit.ops.TANH"),
        ("quantize.json", ["ranges", "lstm_0", "c"], [1.0], "ranges.lstm_0.c"),
        ("quantize.json", ["forms", "loop", "latency_us"], float("nan"), "forms.loop.latency_us"),
        ("evaluation.json", ["int8", "confusion"], [[1, 2], [3, 4]], "int8.confusion: must be 3 rows"),
        ("evaluation.json", ["qat", "images"], 7, "qat.confusion: holds 1200 images, but qat.images is 7"),
        ("evaluation.json", ["float", "accuracy"], 0.5, "float.accuracy: 0.5, but its confusion says 0.98"),
        (
            "evaluation.json",
            ["labels"],
            ["cat", "dog", "emu"],
            "float.classes: its names are not those in labels",
        ),
        ("evaluation.json", ["sizes", "int8_tflite"], 0, "sizes.int8_tflite"),
        (
            "evaluation.json",
            ["samples", 5, "image"],
            "!!",
            "samples.5.image (pets/0005): is not an 8-bit PNG",
        ),
        (
            "evaluation.json",
            ["samples", 6, "image"],
            "aGVsbG8=",
            "samples.6.image (pets/0006): is not an 8-bit PNG",
        ),
        ("evaluation.json", ["samples", 7, "image"], "", "samples.7.image"),
        ("summary.json", ["stream", "frames"], -1, "stream.frames"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(run, name, path, value, told):
    values = json.loads((run / name).read_text())
    set_at(values, path, value)
    (run / name).write_text(json.dumps(values))
    refused(run, f"{name}: is damaged: ", told)


@pytest.mark.parametrize("missing", ["agreement", "int8", "sizes"])
def test_a_missing_key_is_named(run, missing):
    values = finished_run.evaluation()
    del values[missing]
    (run / "evaluation.json").write_text(json.dumps(values))
    refused(run, f"evaluation.json: is damaged: {missing}: Field required")


@pytest.mark.parametrize("rows", ["", "1,40,oops,0.7,1.2,0.7,0.1,2\n", "1,40\n"])
def test_a_history_without_numbers_is_named(run, rows):
    (run / "history.csv").write_text(finished_run.HISTORY + rows)
    refused(run, "history.csv: is damaged: ")


def test_a_diverged_training_is_still_reported(run):
    rows = "1,40,nan,0.1,nan,0.1,0.1,2\n2,80,inf,0.1,nan,0.1,0.1,2\n"
    (run / "history.csv").write_text(finished_run.HISTORY + rows)
    assert "Learning curves" in write_report(run).read_text(encoding="utf-8")


def test_a_damaged_bundle_is_named(run):
    (run / "digits-lstm.rnnedge").write_bytes(b"PK but no")
    refused(run, "digits-lstm.rnnedge")


def test_keys_of_a_later_version_are_left_alone(run):
    values = finished_run.quantization() | {"novelty": 1}
    (run / "quantize.json").write_text(json.dumps(values))
    write_report(run)
