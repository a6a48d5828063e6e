"""The whole road on real scans: the demo's outputs, and the commands on what it made."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import rnnedge, rnnedge_here, run_device

from rnnedge.data import load_data
from rnnedge.runs import Run
from rnnedge_device.bundle import read_bundle
from rnnedge_device.classify import Classifier

FAST = ("--set", "train.epochs=30", "--set", "quantize.epochs=3", "--set", "quantize.form=auto")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `rnnedge demo`, a little shorter than the real one."""
    out = tmp_path_factory.mktemp("runs") / "demo"
    rnnedge("demo", "--out", out, *FAST, "--json")
    return out


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_summary_reaches_its_goals(demo: Path) -> None:
    summary = _json(demo / "summary.json")
    assert set(summary) == {
        *(
            "data",
            "recipe",
            "accuracy",
            "agreement",
            "max_lsb",
            "size_bytes",
            "latency_us",
            "form",
            "stream",
            "seconds",
        )
    }
    accuracy = summary["accuracy"]
    assert accuracy["images"] == len(load_data("digits", "test")) > 300
    assert accuracy["int8"] >= 0.96
    assert abs(accuracy["int8"] - accuracy["float"]) <= 0.01
    assert summary["agreement"] >= 0.99
    assert summary["size_bytes"]["int8_tflite"] < summary["size_bytes"]["float32_tflite"]
    assert summary["form"] in summary["latency_us"]
    assert summary["stream"]["dropped"] == 0
    assert summary["stream"]["accuracy"] >= 0.95


def test_events_are_what_the_device_sees_in_the_video(demo: Path) -> None:
    summary = _json(demo / "summary.json")
    events = [json.loads(line) for line in (demo / "events.jsonl").read_text().splitlines()]
    test = load_data("digits", "test")
    assert len(events) == summary["stream"]["frames"] == 2 * len(test)
    assert [event["frame"] for event in events] == list(range(len(events)))
    assert all(a["ts_ms"] < b["ts_ms"] for a, b in itertools.pairwise(events))
    truth = [test.names[label] for label in test.labels for _ in range(2)]
    right = np.mean([event["label"] == label for event, label in zip(events, truth, strict=True)])
    assert right == pytest.approx(summary["stream"]["accuracy"])
    video = cv2.VideoCapture(str(demo / "stream.mp4"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == len(events)
    video.release()


def test_demo_leaves_a_report_and_a_bundle_that_tests_itself(demo: Path) -> None:
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert f"{_json(demo / 'evaluation.json')['int8']['accuracy']:.4f}"[:6] in page
    answer = json.loads(run_device(demo / "digits-lstm.rnnedge", "--selftest", "--json").stdout)
    assert answer["selftest"]["ok"] is True


def test_bundle_scores_a_folder_of_the_same_images_alike(demo: Path, tmp_path: Path) -> None:
    test = load_data("digits", "test")
    for index, (image, label) in enumerate(zip(test.images, test.labels, strict=True)):
        folder = tmp_path / test.names[label]
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"{index:04d}.png"), image)
    done = rnnedge_here(
        "evaluate", demo / "digits-lstm.rnnedge", "--data", f"folder:{tmp_path}", "--split", "all", "--json"
    )
    scored, expected = json.loads(done.stdout), _json(demo / "evaluation.json")["int8"]
    assert scored["images"] == expected["images"]
    assert scored["accuracy"] == pytest.approx(expected["accuracy"])
    assert scored["confusion"] == expected["confusion"]


def test_inspect_tells_what_the_file_holds(demo: Path, tmp_path: Path) -> None:
    bundle = demo / "digits-lstm.rnnedge"
    facts = json.loads(rnnedge_here("inspect", bundle, "--json").stdout)
    form = facts["forms"][_json(demo / "summary.json")["form"]]
    assert facts["labels"] == [str(n) for n in range(10)]
    assert form["signatures"]["serve"]["inputs"]["x"]["dtype"] == "int8"
    assert form["ties"] == []
    assert form["float_ops"] == {}
    plain = tmp_path / "model.tflite"
    plain.write_bytes(read_bundle(bundle).model())
    assert json.loads(rnnedge_here("inspect", plain, "--json").stdout)["ops"] == form["ops"]
    text = rnnedge_here("inspect", bundle).stdout
    assert "FULLY_CONNECTED" in text
    assert "the same bits on x86 and ARM" in text


@pytest.fixture(scope="module")
def forms(demo: Path) -> Path:
    """The same model as a bundle of three forms, calibrated only."""
    out = demo / "forms.rnnedge"
    wanted = [word for form in ("loop", "unrolled", "step") for word in ("--form", form)]
    rnnedge_here("quantize", demo, *wanted, "--set", "quantize.epochs=0", "--out", out)
    return out


def test_every_form_gives_the_same_events(demo: Path, forms: Path, tmp_path: Path) -> None:
    lines = []
    for form in ("loop", "unrolled", "step"):
        log = tmp_path / f"{form}.jsonl"
        run_device(forms, "--source", demo / "camera.mp4", "--form", form, "--jsonl", log)
        events = [json.loads(line) for line in log.read_text().splitlines()]
        lines.append([(e["ts_ms"], e["frame"], e["label"], e["score"]) for e in events])
    assert len(lines[0]) > 600
    assert lines[0] == lines[1] == lines[2]


def test_tflite_runtime_runs_the_same_bundle(demo: Path, forms: Path, tmp_path: Path) -> None:
    """The other runtime, in an environment of its own, on real images: the same labels, all but always."""
    python = os.environ.get("RNNEDGE_TFLITE_RUNTIME_PYTHON")
    if not python:
        pytest.skip("RNNEDGE_TFLITE_RUNTIME_PYTHON names no Python with tflite-runtime (`make test` sets it)")
    answer = json.loads(
        run_device(forms, "--selftest", "--json", python=python, RNNEDGE_RUNTIME="tflite").stdout
    )
    assert answer["selftest"]["ok"] is True
    assert [form["form"] for form in answer["selftest"]["forms"]] == ["loop", "unrolled", "step"]
    labels = []
    for name, interpreter in (("tflite", python), ("litert", sys.executable)):
        log = tmp_path / f"{name}.jsonl"
        run_device(
            forms, "--source", demo / "camera.mp4", "--jsonl", log, python=interpreter, RNNEDGE_RUNTIME=name
        )
        labels.append([json.loads(line)["label"] for line in log.read_text().splitlines()])
    assert len(labels[0]) == len(labels[1]) > 600
    assert np.mean(np.array(labels[0]) == np.array(labels[1])) >= 0.99


def test_post_training_baselines_are_scored_beside_it(demo: Path) -> None:
    rows = json.loads(rnnedge_here("quantize", demo, "--method", "ptq", "--json").stdout)["baselines"]
    assert {(row["method"], row["form"]) for row in rows} == {
        (method, form) for method in ("dynamic", "static") for form in ("fused", "unrolled")
    }
    done = [row for row in rows if "error" not in row]
    assert len(done) >= 3
    assert all(row["images"] > 300 and row["accuracy"] > 0.9 for row in done)


def test_a_full_disk_leaves_the_old_bundle(demo: Path, forms: Path, tmp_path: Path) -> None:
    """A write that fails half-way (a file-size limit stands in for the full disk) loses nothing."""
    from rnnedge_device.bundle import write_bundle

    target = tmp_path / "model.rnnedge"
    target.write_bytes((demo / "digits-lstm.rnnedge").read_bytes())
    before = target.read_bytes()
    bundle = read_bundle(forms)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
        with pytest.raises(OSError, match=r"File too large|No space left"):
            write_bundle(target, bundle.manifest, bundle.members)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
    assert Classifier(read_bundle(target)).labels == tuple("0123456789")


BAD = {
    "no such run": (("quantize", "nowhere"), "'nowhere'"),
    "a run that is not finished": (("quantize", "{empty}"), "train.json"),
    "an unknown key": (("demo", "--set", "train.epoch=3"), "epoch"),
    "an unknown recipe": (("demo", "--recipe", "digits-lstmm"), "digits-lstmm"),
    "a form that is none": (("quantize", "{demo}", "--form", "spiral"), "spiral"),
    "no such file": (("inspect", "nothing.rnnedge"), "'nothing.rnnedge'"),
    "no bundle": (("inspect", "{junk}"), "junk.rnnedge"),
    "no model": (("inspect", "{model}"), "TFL3"),
    "a form the bundle lacks": (("evaluate", "{bundle}", "--data", "digits", "--form", "fused"), "fused"),
    "other classes": (("evaluate", "{bundle}", "--data", "folder:{classes}", "--split", "all"), "cat"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_message_and_exit_2(case: str, demo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.rnnedge").write_bytes(os.urandom(500))
    (tmp_path / "model.tflite").write_bytes(os.urandom(500))
    for name in ("cat", "dog"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "classes" / name / "a.png"), np.zeros((8, 8), np.uint8))
    places = {
        "empty": tmp_path / "empty",
        "junk": tmp_path / "junk.rnnedge",
        "model": tmp_path / "model.tflite",
        "classes": tmp_path / "classes",
        "demo": demo,
        "bundle": demo / "digits-lstm.rnnedge",
    }
    words, named = BAD[case]
    # One of them as a user would see it; a process each would cost seconds each.
    run = rnnedge if case == "no such run" else rnnedge_here
    done = run(*(word.format(**places) for word in words), check=False)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_mnist_row_lstm_from_real_images(real_data: Path, tmp_path: Path) -> None:
    """A short training on real MNIST, quantised: int8 stays with float on 10,000 test images."""
    if not (real_data / "mnist" / "mnist.npz").exists():
        pytest.skip("RNNEDGE_DATA has no mnist/mnist.npz")
    small = ("--set", "model.units=32", "--set", "train.epochs=1", "--set", "quantize.epochs=0")
    rnnedge_here("train", "row-lstm", *small, "--out", tmp_path / "run")
    rnnedge_here("quantize", tmp_path / "run", "--form", "loop")
    evaluation = _json(tmp_path / "run" / "evaluation.json")
    assert evaluation["int8"]["images"] == 10_000
    assert evaluation["float"]["accuracy"] > 0.7
    assert abs(evaluation["int8"]["accuracy"] - evaluation["float"]["accuracy"]) <= 0.005
    assert Run.open(tmp_path / "run").recipe.model.units == 32
