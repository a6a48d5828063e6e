"""The captions road: train, quantise, evaluate, caption, run on a device, on a folder of captioned pictures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from coloured_photos import COLOURS, coloured_photos
from commands import rnnedge_here, run_device

from rnnedge.captions.demo import HOLD_S, SCENES, stream_scenes
from rnnedge_device.bundle import read_bundle

SETTINGS = {
    "data.size": [12, 12],
    "caption.length": 5,
    "caption.beam": 2,
    "model.units": 16,
    "model.embedding": 12,
    "model.attention": 8,
    "model.filters": [6, 8],
    "train.epochs": 14,
    "train.batch_size": 16,
    "train.learning_rate": 0.03,
    "quantize.batch_size": 16,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured_photos(tmp_path_factory.mktemp("photos") / "colours")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A run that was trained and quantised."""
    out = tmp_path_factory.mktemp("runs") / "colours"
    changes = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    rnnedge_here(
        "train", "shapes-attention", "--data", f"captions:{photos}", "--out", out, *changes, "--json"
    )
    rnnedge_here("quantize", out, "--json")
    return out


@pytest.fixture(scope="module")
def bundle(run: Path) -> Path:
    return run / "shapes-attention.rnnedge"


def test_int8_says_what_the_pictures_show(run: Path) -> None:
    found = json.loads((run / "evaluation.json").read_text())
    assert found["split"] == "test"
    assert found["images"] == found["int8"]["images"] >= 4
    for kind in ("float", "qat", "int8", "float_beam", "int8_beam"):
        assert found[kind]["bleu_1"] > 0.6, kind
    assert found["int8_beam"]["beam"] == 2
    assert found["token_agreement"] > 0.9
    assert found["sizes"]["int8_tflite"] < found["sizes"]["float32_tflite"]
    quantized = json.loads((run / "quantize.json").read_text())
    assert all(audit["passed"] and not audit["float_ops"] for audit in quantized["audits"].values())
    page = (run / "report.html").read_text()
    assert "CIDEr-D" in page
    text = re.sub("</?mark>", "", page)
    for sample in found["samples"]:
        assert all(words in text for words in (sample["float"], sample["int8"], *sample["references"])), (
            sample["id"]
        )


def test_evaluate_prints_what_quantize_measured(run: Path, bundle: Path, photos: Path) -> None:
    measured = json.loads((run / "evaluation.json").read_text())
    for beam, key in ((1, "int8"), (2, "int8_beam")):
        done = rnnedge_here("evaluate", bundle, "--data", f"captions:{photos}", "--beam", beam, "--json")
        found = json.loads(done.stdout)
        for name in ("bleu_1", "bleu_4", "rouge_l", "cider_d", "captions", "images"):
            assert found[name] == measured[key][name]


def test_caption_names_the_colour_and_skips_what_is_no_image(
    bundle: Path, photos: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    images = [photos / f"{i:02d}.png" for i in range(4)]
    done = rnnedge_here("caption", *images, broken, "--bundle", bundle, "--n-best", 2, "--json")
    found = json.loads(done.stdout)
    assert found["skipped"] == 1
    assert "broken.png" in done.stderr
    for row, colour in zip(found["images"], COLOURS, strict=True):
        assert colour in row["captions"][0]["text"].split()
        assert row["captions"][0]["score"] >= row["captions"][1]["score"]
    assert (
        rnnedge_here("caption", broken, images[0], "--bundle", bundle, "--strict", check=False).returncode
        == 2
    )
    assert rnnedge_here("caption", broken, "--bundle", bundle, check=False).returncode == 2
    drawn = [
        rnnedge_here(
            "caption", images[0], "--bundle", bundle, "--temperature", 2, "--seed", seed, "--json"
        ).stdout
        for seed in (1, 1)
    ]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("size", [(1, 1), (9000, 12000)])
def test_pictures_of_any_size(bundle: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "odd.jpg"
    cv2.imwrite(str(path), np.full((*size, 3), (0, 0, 200), np.uint8))
    text = json.loads(rnnedge_here("caption", path, "--bundle", bundle, "--json").stdout)["images"][0][
        "captions"
    ][0]
    assert "red" in text["text"].split()


def test_the_device_tests_itself_and_captions_a_folder(bundle: Path, photos: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for i in range(4):
        shutil.copy(photos / f"{i:02d}.png", few)
    done = run_device(bundle, "--selftest", "--source", few, "--jsonl", tmp_path / "events.jsonl", "--json")
    report = json.loads(done.stdout)
    assert report["selftest"]["ok"]
    assert report["captions"] == 4
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["task"] for event in events] == ["captions"] * 4
    for event, colour in zip(events, COLOURS, strict=True):
        assert colour in event["label"].split()


def test_the_demos_film_is_captioned_scene_by_scene(bundle: Path, tmp_path: Path) -> None:
    found = stream_scenes(bundle, tmp_path)
    assert found["frames"] == SCENES * HOLD_S * 10
    assert found["captions"] >= SCENES // 2  # at every cut that is found, and every two seconds
    assert found["attributes"] == 0  # it knows nothing of shapes
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert events[0]["reason"] == "start"
    assert {event["reason"] for event in events} <= {"start", "interval", "scene_cut"}


def test_the_bundle_holds_its_words(bundle: Path) -> None:
    read = read_bundle(bundle)
    assert set(read.vocabulary().words[4:]) == {"it", "is", "a", "picture", *COLOURS}
    assert read.manifest.labels == ()
    assert read.manifest.caption.grid == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "BUNDLE"), ["--data", "flickr8k:PATH"]),
        (("evaluate", "BUNDLE", "--data", "shapes", "--form", "encode"), ["--form encode"]),
        (("evaluate", "BUNDLE", "--data", "captions:/none"), ["/none"]),
        (("quantize", "RUN", "--form", "loop"), ["--form loop", "encode and decode"]),
        (("quantize", "RUN", "--method", "ptq"), ["--method ptq", "captions"]),
        (("caption", "x.png", "--bundle", "none.rnnedge"), ["none.rnnedge", "no such file"]),
        (("demo", "--task", "captions", "--recipe", "flickr8k"), ["flickr8k", "shapes"]),
    ],
)
def test_bad_input_is_one_message(
    run: Path, bundle: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    given = [{"BUNDLE": str(bundle), "RUN": str(run)}.get(part, part) for part in arguments]
    done = rnnedge_here(*given, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
