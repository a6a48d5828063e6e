"""The page: its figures are those of the inputs, it needs nothing but itself, and it never lies half-written."""

import base64
import html
import json
import os
import re
import subprocess
import sys

import cv2
import finished_run
import numpy as np
import pytest

from rnnedge.report import write_report
from rnnedge.report.canvas import look
from rnnedge.report.confusion import confusion
from rnnedge.report.content import content
from rnnedge.report.page import NAMES, render
from rnnedge.report.record import read_record
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess

DATA_IMAGE = re.compile(r'<img src="data:image/png;base64,([A-Za-z0-9+/=]+)"[^>]*alt="([^"]+)"')


def section(page, name):
    """The text of one section, without tags and images."""
    part = re.search(rf'<section id="{name}">(.*?)</section>', page, re.S).group(1)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part.replace("<wbr>", ""))).split())


def head(page):
    part = re.search(r"<header>(.*?)<nav", page, re.S).group(1)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split())


@pytest.fixture
def run(tmp_path):
    return finished_run.write(tmp_path / "run")


def page_of(folder):
    path = write_report(folder)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


def words_of(folder):
    """The page as `page_of` gives it, but without figures: drawing takes a second."""
    return render(content(read_record(folder)), {})


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """The page and the figures that no test has changed an input of."""
    folder = finished_run.write(tmp_path_factory.mktemp("report") / "run")
    page = page_of(folder)
    return page, figures_of(folder)


def figures_of(folder):
    return {path.stem: path.read_bytes() for path in (folder / "figures").iterdir()}


def test_the_answer_comes_first(run):
    text = head(words_of(run))
    assert "right on 1,170 of 1,200 test images (0.9750), 0.83 points fewer than the float model" in text
    assert "3.6 times smaller, at 40 µs an image" in text
    assert "0.9750 int8 accuracy" in text
    assert "−0.83 points int8 against float float: 0.9833" in text
    assert "3.6 × smaller than float32 92 KB instead of 329 KB" in text


def test_an_int8_model_that_is_equal_better_or_larger_is_told_so(tmp_path):
    equal = finished_run.evaluation(wrong=(20, 24, 20))
    assert "as many as the float model" in head(
        words_of(finished_run.write(tmp_path / "a", evaluation_=equal))
    )
    better = finished_run.evaluation(wrong=(20, 24, 8))
    better["sizes"] = {"float32_tflite": 1000, "int8_tflite": 2000}
    text = head(words_of(finished_run.write(tmp_path / "b", evaluation_=better)))
    assert "1.00 points more than the float model, in a file 2.0 times larger" in text
    assert "2.0 × larger than float32" in text


# One changed input each: where it lies, the section that shows it, what stands there before and after.
CHANGES = [
    ("evaluation", lambda e: e["sizes"].update(int8_tflite=54_321), "models", "92 KB", "54 KB"),
    ("evaluation", lambda e: e["latency_us"].update(loop=12.3), "models", "40 µs", "12 µs"),
    ("evaluation", lambda e: e["latency_us"].update(float32=777.0), "models", "165 µs", "777 µs"),
    ("evaluation", lambda e: e.update(agreement=0.8642), "models", "99.42 %", "86.42 %"),
    ("evaluation", lambda e: e.update(max_lsb=1999), "models", "7 LSB", "1,999 LSB"),
    ("evaluation", lambda e: e["int8"]["classes"]["owl"].update(f1=0.1234), "classes", "", "0.1234"),
    ("evaluation", lambda e: e["float"]["classes"]["owl"].update(recall=0.0), "classes", "", "+97.50"),
    ("evaluation", lambda e: e["samples"][0].update(id="pets/odd"), "samples", "pets/0000", "pets/odd"),
    ("evaluation", lambda e: e["samples"][3].update(score=0.987), "samples", "0.53", "0.99"),
    (
        "quantization",
        lambda q: q["forms"]["loop"]["parity"].update(top1=0.1357),
        "latency",
        "99.61 %",
        "13.57 %",
    ),
    ("quantization", lambda q: q["forms"]["unrolled"].update(size_bytes=9876), "latency", "157 KB", "9.9 KB"),
    (
        "quantization",
        lambda q: q["refused"].update(step="another reason"),
        "latency",
        "two scales",
        "another reason",
    ),
    ("quantization", lambda q: q["parity"].update(twin_max_abs=4.5e-6), "models", "3e-08", "4.5e-06"),
    (
        "quantization",
        lambda q: q["parity"].update(int8_repeatable=False),
        "models",
        "output yes",
        "output NO",
    ),
    (
        "quantization",
        lambda q: q["ranges"]["lstm_0"].update(c=[-3.0, 2.1]),
        "ranges",
        "−7.273 5.478 0.05",
        "−3 2.1 0.02",
    ),
    ("quantization", lambda q: q["layers"][0].update(type="GRU"), "ranges", "lstm_0 (LSTM)", "lstm_0 (GRU)"),
    ("quantization", lambda q: q["forms"]["loop"]["audit"]["ops"].update(MUL=6789), "audit", "", "MUL 6,789"),
    (
        "quantization",
        lambda q: q["forms"]["loop"]["audit"].update(macs=1234567),
        "audit",
        "2,465,280",
        "1,234,567",
    ),
    ("quantization", lambda q: q.update(io="float32"), "made", "int8 in and out", "float32 in and out"),
    ("training", lambda t: t.update(steps=54321), "made", "1,468 steps", "54,321 steps"),
    ("training", lambda t: t.update(skipped=17), "made", "", "skipped 17"),
    ("training", lambda t: t.update(stopped=True), "made", "2 min 27 s,", "stopped early"),
]


@pytest.mark.parametrize(("source", "change", "name", "before", "after"), CHANGES)
def test_a_changed_input_changes_its_section(tmp_path, unchanged, source, change, name, before, after):
    values = getattr(finished_run, source)()
    change(values)
    old = section(unchanged[0], name)
    new = section(words_of(finished_run.write(tmp_path / "new", **{f"{source}_": values})), name)
    assert before in old
    assert after not in old
    assert after in new


# One changed input each, and the one figure that must be another picture for it.
FIGURES = [
    ("evaluation", lambda e: e["latency_us"].update(unrolled=99.0), {"latency"}),
    ("evaluation", lambda e: e["samples"][5].update(image=finished_run.png(77)), {"samples"}),
    ("quantization", lambda q: q["history"][1].update(loss=0.9), {"qat_curves"}),
    ("quantization", lambda q: q["ranges"]["logits"].update(kernel=[-5.0, 5.0]), {"ranges"}),
    ("training", lambda t: t.update(best_epoch=3), {"float_curves"}),
]


@pytest.mark.parametrize(("source", "change", "changed"), FIGURES)
def test_a_changed_input_changes_its_figure_and_no_other(tmp_path, unchanged, source, change, changed):
    values = getattr(finished_run, source)()
    change(values)
    folder = finished_run.write(tmp_path / "new", **{f"{source}_": values})
    write_report(folder)
    old, new = unchanged[1], figures_of(folder)
    assert old.keys() == new.keys() == set(NAMES)
    assert {name for name in old if old[name] != new[name]} == changed


def test_a_changed_history_and_confusion_change_their_figures(run, unchanged):
    old = unchanged[1]
    history = run / "history.csv"
    history.write_text(history.read_text().replace("0.95,", "0.55,"))
    (run / "evaluation.json").write_text(json.dumps(finished_run.evaluation(wrong=(20, 24, 90))))
    page = page_of(run)
    new = figures_of(run)
    assert {name for name in old if old[name] != new[name]} == {"float_curves", "confusion"}
    assert "cat dog 30 7.50 %" in section(page, "confusion")


def test_the_page_needs_nothing_but_itself(tmp_path):
    run = finished_run.write(tmp_path / "run", summary_=finished_run.summary())
    (run / "stream.mp4").write_bytes(b"video")
    page = page_of(run)
    assert not re.search(r"(?i)https?:|//[a-z]+\.|<script|<link|@import|url\(|javascript:", page)
    assert set(re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)([^"]*)"', page)) == {"stream.mp4"}
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors == set(re.findall(r'<section id="([^"]+)"', page))


def test_the_stream_is_told_and_its_video_linked_where_there_is_one(tmp_path):
    run = finished_run.write(tmp_path / "run", summary_=finished_run.summary())
    text = section(words_of(run), "models")
    assert "1,361 frames at 812.3 frames a second, 2 dropped, accuracy 0.9853" in text
    assert "stream.mp4" not in text
    (run / "summary.json").unlink()
    assert "frames" not in section(words_of(run), "models")


def test_every_figure_is_a_png_with_an_alt_text_and_lies_beside_the_page(run):
    page = page_of(run)
    shown = {base64.b64decode(data): alt for data, alt in DATA_IMAGE.findall(page)}
    assert page.count("<img ") == len(DATA_IMAGE.findall(page))
    for name in NAMES:
        png = (run / "figures" / f"{name}.png").read_bytes()
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        assert image.shape[1] > 700
        assert (image[0, 0] == 255).all()  # on white, whatever the page's colours are
        # The samples stand on the page one by one.
        assert name == "samples" or len(shown[png]) > 30
    assert sum("pets/" in alt for alt in shown.values()) == 8


def test_wrong_samples_come_first_the_surest_leading(run):
    text = section(words_of(run), "samples")
    order = re.findall(r"pets/(\d+)", text)
    assert order == ["0003", "0002", "0001", "0000", "0004", "0005", "0006", "0007"]
    assert "wrong on 30 of 1,200 images. Shown: 4 of them" in text
    assert "cat 0.52 true: owl float: owl QAT: owl pets/0002" in text


def test_a_large_sample_becomes_small(tmp_path):
    values = finished_run.evaluation()
    for sample in values["samples"]:
        sample["image"] = finished_run.png(1, 600, color=True)
    page = page_of(finished_run.write(tmp_path / "run", evaluation_=values))
    samples = [base64.b64decode(data) for data, alt in DATA_IMAGE.findall(page) if "pets/" in alt]
    assert {cv2.imdecode(np.frombuffer(s, np.uint8), -1).shape for s in samples} == {(160, 160, 3)}


HOSTILE = ["<script>alert(1)</script>", '"onload="x', "日本語 $x_", "  "]


def test_a_hostile_class_name_stays_text(tmp_path):
    values = finished_run.evaluation(HOSTILE)
    values["samples"][0]["id"] = "<img src=x onerror=alert(1)>"
    quantized = finished_run.quantization()
    quantized["refused"] = {"<b>": "</section><script>"}
    page = page_of(finished_run.write(tmp_path / "run", evaluation_=values, quantization_=quantized))
    assert "<script" not in page
    assert "onerror=alert(1)>" not in page
    assert '"onload' not in page
    text = section(page, "classes")
    assert all(name.strip() in text for name in HOSTILE)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("classes", [2, 12, 24, 100])
def test_any_number_of_classes(tmp_path, classes):
    labels = [f"kind of thing {i}" for i in range(classes)]
    folder = finished_run.write(tmp_path / "run", evaluation_=finished_run.evaluation(labels))
    assert all(label in section(words_of(folder), "classes") for label in labels)
    with look():
        found = read_record(folder).evaluations
        drawn = confusion(found.int8, found.labels)
    png = cv2.imdecode(np.frombuffer(drawn.png, np.uint8), cv2.IMREAD_COLOR)
    # Its diagonal is blue: the matrix is there, and not just its axes.
    blue = (png[..., 0] > 150) & (png[..., 2] < 80)
    assert blue.mean() > 0.3 / classes


def test_a_failed_audit_is_not_hidden(tmp_path):
    values = finished_run.quantization()
    values["forms"]["loop"]["audit"] |= {
        "passed": False,
        "failures": ["ADD computes in float: oh"],
        "float_ops": {"ADD [1x64]": "float tensors inside"},
        "ties": ["MUL in subgraph 1: factor 0.5"],
        "runtimes": {"ai-edge-litert": [], "tflite-runtime 2.14": ["GATHER version 9: it has up to 6"]},
    }
    text = section(words_of(finished_run.write(tmp_path / "run", quantization_=values)), "audit")
    default = text.split("unrolled")[0]
    for part in ("FAILED", "ADD computes in float: oh", "ADD [1x64]: float tensors inside", "factor 0.5"):
        assert part in default
    assert "tflite-runtime 2.14: cannot load it : GATHER version 9: it has up to 6" in default


def test_what_a_run_lacks_is_said_not_drawn(tmp_path):
    quantized, evaluated = finished_run.quantization(), finished_run.evaluation()
    quantized |= {"history": [], "ranges": {}, "refused": {}, "parity": {}}
    evaluated |= {"samples": [], "latency_us": {}}
    run = finished_run.write(tmp_path / "run", quantization_=quantized, evaluation_=evaluated)
    (run / "figures").mkdir()
    (run / "figures/ranges.png").write_bytes(b"an older report's")
    (run / "figures/mine.png").write_bytes(b"somebody's")
    page = page_of(run)
    assert {path.name for path in (run / "figures").iterdir()} == {
        "float_curves.png",
        "confusion.png",
        "mine.png",
    }
    assert "no fine-tuning" in section(page, "curves")
    assert "no learned ranges" in section(page, "ranges")
    assert "kept no samples" in section(page, "samples")
    assert "40 µs" in head(page)  # the form's own figure


def test_more_ranges_than_a_figure_holds_stay_in_the_table(tmp_path):
    values = finished_run.quantization()
    values["ranges"] = {
        f"lstm_{i}": {"zx": [-i, 1e-3], "z": [-1.0, 1.0], "kernel": [0.0, 0.0]} for i in range(40)
    }
    text = section(words_of(finished_run.write(tmp_path / "run", quantization_=values)), "ranges")
    assert "first 22 of 40 layers" in text
    assert "lstm_39" in text


def test_the_bundle_gives_its_versions_and_the_command_lines(run):
    from rnnedge_device.bundle import write_bundle
    from rnnedge_device.form import Form
    from rnnedge_device.manifest import Manifest
    from rnnedge_device.tensors import Tensor

    tensors = (Tensor("x", (1, 16, 16, 1), "float32", 0.0, 0),), (Tensor("y", (1, 3), "float32", 0.0, 0),)
    form = Form("loop", "model.tflite", "serve", *tensors, (), size_bytes=4)
    manifest = Manifest(
        "pets",
        ("cat", "dog", "owl"),
        Preprocess((16, 16)),
        (form,),
        versions={"keras": "3.99.1"},
        created="2026-01-02",
    )
    write_bundle(run / "digits-lstm.rnnedge", manifest, {"model.tflite": b"data"})
    (run / "digits-lstm.ptq-static.rnnedge").write_bytes(b"a baseline, not the run's own")
    text = section(words_of(run), "made")
    assert "keras 3.99.1" in text
    assert "rnnedge evaluate run/digits-lstm.rnnedge --data pets --split test" in text
    assert "rnnedge train run/recipe.toml --out run-again" in text


def test_a_report_needs_neither_keras_nor_tensorflow_and_matplotlib_only_to_draw(run):
    code = """
        import sys
        from rnnedge.report import write_report
        assert "matplotlib" not in sys.modules and "jinja2" not in sys.modules
        write_report(sys.argv[1])
        loaded = {"keras", "tensorflow", "tf_keras", "matplotlib.pyplot"} & set(sys.modules)
        assert not loaded, loaded
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_another_report_of_the_same_run_is_the_same(run, unchanged):
    assert page_of(run) == unchanged[0]


def test_a_disk_that_fills_leaves_the_older_report_whole(run, monkeypatch):
    old = page_of(run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    (run / "evaluation.json").write_text(json.dumps(finished_run.evaluation(wrong=(20, 24, 90))))
    before[run / "evaluation.json"] = (run / "evaluation.json").read_bytes()
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(run)
    monkeypatch.undo()
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()  # nothing half-written is left
    assert (run / "report.html").read_text() == old


def test_figures_that_cannot_be_written_are_refused(run):
    (run / "figures").write_text("a file")
    with pytest.raises(InputError, match=r"figures: is not a folder"):
        write_report(run)
    assert not (run / "report.html").exists()
