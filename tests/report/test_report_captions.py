"""The page of a caption run: its figures are those of the inputs, and each word's picture shows its own attention."""

import base64
import html
import json
import re
import subprocess
import sys

import cv2
import finished_captions
import finished_clips
import numpy as np
import pytest
from test_report_page import HOSTILE, head, page_of, section, words_of

from rnnedge.report import looks, sentences, write_report
from rnnedge.report.record import read_record
from rnnedge_device.bundle import write_bundle
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.errors import InputError
from rnnedge_device.form import Form
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.tensors import State, Tensor
from rnnedge_device.vocabulary import SPECIALS

FIGURES = {"float_curves", "qat_curves", "latency"}
IMAGE = re.compile(r'<img src="data:image/(png|jpeg);base64,([A-Za-z0-9+/=]+)"[^>]*alt="([^"]*)"')


def words(folder, evaluation=None, quantization=None, *overrides):
    return words_of(finished_captions.write(folder / "run", evaluation, quantization, *overrides))


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """The words of the pages that no test has changed an input of: of shapes, and of photos."""
    return {
        kind: words(tmp_path_factory.mktemp(kind), finished_captions.evaluation(kind))
        for kind in ("shapes", "photos")
    }


def images_of(page, name):
    """The pictures of a section as ``(kind, BGR, alt)``."""
    part = re.search(rf'<section id="{name}">(.*?)</section>', page, re.S).group(1)
    return [
        (kind, cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR), html.unescape(alt))
        for kind, data, alt in IMAGE.findall(part)
    ]  # fmt: skip


def test_the_answer_of_shapes_is_of_attributes(unchanged):
    e = finished_captions.evaluation()
    told, before = (e[kind]["scenes"]["attributes"] for kind in ("int8", "float"))
    text = head(unchanged["shapes"])
    assert f"sentences have {100 * told:.2f} % of the attributes of 40 test images right" in text
    assert f"{100 * (before - told):.2f} points fewer than the float model’s" in text
    assert "the float model’s very sentence for 68.20 % of them, from a file 3.6 times smaller" in text
    assert "in 333 µs an image" in text
    assert f"{told:.4f} attributes right in int8" in text
    assert "3.6 × smaller than float32 158 KB instead of 564 KB" in text
    assert "35 µs to encode, 27 µs a decode step" in text
    assert f": {told:.4f} attributes right in int8" in unchanged["shapes"].split("</title>")[0]


def test_the_answer_of_photos_is_of_bleu_and_cider(unchanged):
    e = finished_captions.evaluation("photos")
    text = head(unchanged["photos"])
    for kind in ("int8", "float"):
        assert f"{e[kind]['bleu_4']:.4f} and" in text
        assert f"{e[kind]['cider_d']:.4f}" in text
    assert "attributes" not in text
    assert f"{e['int8']['bleu_4']:.4f} BLEU-4 in int8 float: {e['float']['bleu_4']:.4f}" in text


@pytest.mark.parametrize("kind", ["shapes", "photos"])
def test_every_model_has_its_figures_in_the_table(unchanged, kind):
    e = finished_captions.evaluation(kind)
    names = {"float": "float", "qat": "QAT", "int8": "int8"}
    if kind == "photos":
        names |= {"float_beam": "float, beam 3", "int8_beam": "int8, beam 3"}
    text = section(unchanged[kind], "models")
    for key, name in names.items():
        row = e[key]
        scenes = list(row.get("scenes", {}).values())
        figures = [*scenes, *(row[f"bleu_{n}"] for n in (1, 2, 3, 4)), row["rouge_l"], row["cider_d"]]
        assert f"{name} {' '.join(f'{value:.4f}' for value in figures)} 40" in text
    assert ("grammar" in text) == (kind == "shapes")


def int8(**values):
    return lambda e, q: e["int8"].update(values)


# One changed input each: the section that shows it, what stands there before and after.
CHANGES = [
    (lambda e, q: e.update(same_captions=0.1357), "models", "75.60 %", "13.57 %"),
    (lambda e, q: e.update(same_as_float=0.2468), "models", "68.20 %", "24.68 %"),
    (lambda e, q: e.update(token_agreement=0.8642), "models", "97.27 %", "86.42 %"),
    (int8(rouge_l=0.1234), "models", "", "0.1234"),
    (int8(cider_d=2.3456), "models", "", "2.3456"),
    (lambda e, q: e["qat"]["scenes"].update(exact=0.4321), "models", "", "0.4321"),
    (lambda e, q: q["parity"].update(int8_max_lsb=1999), "models", "12 LSB", "1,999 LSB"),
    (lambda e, q: q["parity"].update(int8_words=777), "models", "544 words", "777 words"),
    (lambda e, q: q["parity"].update(twin_max_abs=4.5e-6), "models", "2.4e-06", "4.5e-06"),
    (int8(encode_us=77.7), "latency", "35 µs", "78 µs"),
    (int8(step_us=12.3), "latency", "27 µs", "12 µs"),
    (lambda e, q: e["sizes"].update(int8_tflite=54_321), "latency", "158 KB", "54 KB"),
    (lambda e, q: q["decoder"].update(units=321), "latency", "96 units", "321 units"),
    (lambda e, q: q["decoder"].update(image="state"), "latency", "attention, 48", "sets the state it begins with"),
    (lambda e, q: q["audits"]["decode"].update(macs=1_234_567), "audit", "71,232", "1,234,567"),
    (lambda e, q: q["audits"]["encode"]["ops"].update(MUL=6789), "audit", "", "MUL 6,789"),
    (lambda e, q: q["audits"]["decode"].update(passed=False), "audit", "passed 71,232", "FAILED 71,232"),
    (lambda e, q: q.update(io="float32"), "made", "int8 in and out", "float32 in and out"),
    (int8(skipped=17), "made", "", "skipped 17"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "name", "before", "after"), CHANGES)
def test_a_changed_input_changes_its_section(tmp_path, unchanged, change, name, before, after):
    e, q = finished_captions.evaluation(), finished_captions.quantization()
    change(e, q)
    old, new = section(unchanged["shapes"], name), section(words(tmp_path, e, q), name)
    assert before in old
    assert after not in old
    assert after in new


def test_ranges_are_shown_once_the_quantisation_tells_them(tmp_path, unchanged):
    assert 'id="ranges"' not in unchanged["shapes"]
    values = finished_captions.quantization()
    values["ranges"] = {"conv": {"kernel": [-0.5, 0.5]}}
    assert "weights kernel weights −0.5 0.5" in section(words(tmp_path, None, values), "ranges")


def test_the_recipes_beam_is_named(tmp_path, unchanged):
    assert "the best word at each step (greedy); at most 16 words" in section(unchanged["shapes"], "latency")
    told = words(tmp_path, finished_captions.evaluation("photos"), None, "caption.beam=3")
    assert "3 sentences side by side (beam)" in section(told, "latency")


@pytest.mark.parametrize("kind", ["shapes", "photos"])
def test_the_page_needs_nothing_but_itself_and_its_links_lead_somewhere(tmp_path, kind):
    folder = finished_captions.write(tmp_path / "run", finished_captions.evaluation(kind))
    page = page_of(folder)
    bare = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"(?i)https?:|//[a-z]+\.|<script|<link|@import|url\(|javascript:", bare)
    assert page.count("<img ") == len(IMAGE.findall(page))
    assert re.findall(r'href="#([^"]+)"', page) == re.findall(r'<section id="([^"]+)"', page)
    assert {path.stem for path in (folder / "figures").iterdir()} == FIGURES
    assert len(page) < 1_000_000


def test_the_words_that_differ_are_marked_and_their_images_come_first(unchanged):
    e = finished_captions.evaluation()
    part = re.search(r'<section id="samples">(.*?)</section>', unchanged["shapes"], re.S).group(1)
    items = part.split("<li><img ")[1:]
    assert len(items) == 10
    for number, item in enumerate(items):
        sample = e["samples"][[2, 3, 0, 1, *range(4, 10)][number]]
        said = dict(re.findall(r'<p class="(float|int8)"><span class="dot">\w+</span> (.*?)</p>', item, re.S))
        pairs = list(zip(sample["float"].split(), sample["int8"].split(), strict=True))
        assert said["float"].split() == [f"<mark>{a}</mark>" if a != b else a for a, b in pairs]
        assert said["int8"].split() == [f"<mark>{b}</mark>" if a != b else b for a, b in pairs]
        assert ("<mark>" in item) == (number < 2)
        assert all(text in item for text in sample["references"])
    assert "10 images, taken evenly from the 40 test images. On 2 of them float and int8 differ" in section(
        unchanged["shapes"], "samples"
    )


@pytest.mark.parametrize(
    ("one", "other", "first", "second"),
    [
        ("a red dog", "a red dog", "", ""),
        ("a red dog", "a dog", "red", ""),
        ("dogs", "a dog runs", "dogs", "a dog runs"),
        ("", "a dog", "", "a dog"),
        ("the the cat", "the cat", "the", ""),
    ],
)
def test_words_are_compared_in_order(one, other, first, second):
    found = sentences.compare(one.split(), other.split())
    assert [" ".join(w.text for w in side) for side in found] == [one, other]
    assert [" ".join(w.text for w in side if w.differs) for side in found] == [first, second]


def test_a_sentence_without_words_is_said_to_have_none(tmp_path):
    values = finished_captions.evaluation()
    values["samples"][0] |= {"int8": "", "attention": []}
    page = words(tmp_path, values)
    assert "int8 no words" in section(page, "samples")
    assert values["samples"][0]["id"] not in section(page, "attention")


def test_photos_are_made_small_and_drawings_stay_as_they_are(unchanged):
    photos, drawings = (images_of(unchanged[kind], "samples") for kind in ("photos", "shapes"))
    assert {(kind, image.shape) for kind, image, _ in photos} == {("jpeg", (171, 256, 3))}
    assert {kind for kind, *_ in drawings} == {"png"}
    given = [sentences.decoded(s["image"]) for s in finished_captions.evaluation()["samples"]]
    assert all(
        (image == given[[2, 3, 0, 1, *range(4, 10)][i]]).all() for i, (_, image, _) in enumerate(drawings)
    )


def test_every_word_has_a_picture_of_its_own_attention(unchanged):
    given = {s["id"]: s for s in finished_captions.evaluation()["samples"]}
    found = images_of(unchanged["shapes"], "attention")
    starts = [i for i, (*_, alt) in enumerate(found) if alt.startswith("Test image")]
    assert len(starts) == looks.MOST
    for begin, end in zip(starts, [*starts[1:], len(found)], strict=True):
        plain, name = found[begin][1].astype(int), found[begin][2].split()[2].rstrip(",")
        said = given[name]["int8"].split()
        assert end - begin - 1 == len(said)
        for at, (word, (_, image, alt)) in enumerate(zip(said, found[begin + 1 : end], strict=True)):
            row, column = divmod(at % 16, 4)
            assert alt == (f"{word}: most, {50 + at} %, at row {row + 1} of 4, column {column + 1} of 4")
            assert image.shape == plain.shape == (96, 96, 3)
            # Yellow without its blue: where the map is high, green rises over blue the most.
            yellow = image[..., 1].astype(int) - image[..., 0]
            cells = yellow.reshape(4, 24, 4, 24).mean(axis=(1, 3))
            assert np.unravel_index(cells.argmax(), (4, 4)) == (row, column)


def test_without_attention_there_are_no_pictures_of_it(unchanged):
    assert 'id="attention"' not in unchanged["photos"]
    assert 'href="#attention"' not in unchanged["photos"]
    assert "Where int8 looked" not in unchanged["photos"]


def reshaped(places):
    """Samples whose attention has that many places."""
    values = finished_captions.evaluation()
    for sample in values["samples"]:
        sample["attention"] = [[1 / places] * places for _ in sample["attention"]]
    return values


def bundled(run, grid):
    """A caption bundle beside it, whose manifest knows the grid."""
    places, state = grid[0] * grid[1], Tensor("h0", (1, 3))
    kept = (state, Tensor("features", (1, places, 5)))
    token, shown = Tensor("token", (1,), "int32"), Tensor("attention", (1, places))
    outputs = (Tensor("y", (1, 5)), Tensor("h0_next", (1, 3)), shown)
    encode = Form("encode", "model.tflite", "encode", (Tensor("x", (1, 64, 64, 3)),), kept, latency_us=14.3)
    decode = Form("decode", "model.tflite", "decode", (token, *kept), outputs, (State("h0", "h0_next"),))
    manifest = Manifest(
        "shapes",
        (),
        Preprocess((64, 64), "rgb"),
        (encode, decode),
        task="captions",
        caption=CaptionSpec(grid=grid),
    )
    members = {"model.tflite": b"data", "vocabulary.txt": "\n".join([*SPECIALS, "dog", ""]).encode()}
    write_bundle(run / "shapes-attention.rnnedge", manifest, members)


def test_the_grid_is_the_evaluations_or_the_bundles_or_a_squares(tmp_path):
    assert "of 16 places (4 rows of 4)" in section(words(tmp_path / "square"), "attention")
    measured = reshaped(16) | {"grid": [2, 8]}
    assert "of 16 places (2 rows of 8)" in section(words(tmp_path / "told", measured), "attention")
    run = finished_captions.write(tmp_path / "run", reshaped(12))
    assert 'id="attention"' not in words_of(run)  # 12 places may lie in many ways
    bundled(run, (3, 4))
    page = words_of(run)
    assert "of 12 places (3 rows of 4)" in section(page, "attention")
    assert "encode once an image 35 µs 14 µs 3,076,096 6 passed" in section(page, "latency")
    assert "rnnedge-run run/shapes-attention.rnnedge" in section(page, "made")


def test_half_of_the_pictures_are_of_images_that_both_tell_alike(tmp_path):
    values = finished_captions.evaluation()
    for sample in values["samples"][:8]:
        sample["float"] = "something else"
    run = read_record(finished_captions.write(tmp_path / "run", values))
    shown = looks.choose(run, sentences.choose(run))
    assert [look.id[-1] for look in shown] == ["0", "1", "2", "3", "8", "9"]


@pytest.mark.parametrize(("fit", "shape"), [("stretch", (48, 96)), ("crop", (96, 96)), ("pad", (96, 96))])
def test_the_map_lies_over_what_the_model_saw(fit, shape):
    image = np.full((100, 200, 3), (10, 20, 200), np.uint8)
    image[:, :50] = 255
    seen = looks.as_seen(image, Preprocess((64, 64), "rgb", fit))
    assert seen.shape[:2] == shape
    left = seen[shape[0] // 2, 2].tolist()
    assert left == ([10, 20, 200] if fit == "crop" else [255, 255, 255])
    assert (seen[0, 48].tolist() == [0, 0, 0]) == (fit == "pad")


def test_a_map_without_any_attention_leaves_the_picture_pale():
    picture = np.zeros((8, 8, 3), np.uint8)
    assert (looks.overlay(picture, np.zeros((2, 2), np.float32), 0.0) == looks.LIFT).all()


def test_hostile_text_stays_text(tmp_path):
    values = finished_captions.evaluation()
    for sample, hostile in zip(values["samples"], HOSTILE, strict=False):
        said = hostile.split()
        sample |= {"int8": hostile, "attention": [[1.0, *[0.0] * 15]] * len(said)}
        sample["references"][0] = sample["id"] = hostile
    values["samples"][0]["float"] = "<img src=x onerror=alert(1)>"
    page = words(tmp_path, values)
    assert "<script" not in page
    assert "onerror=alert(1)>" not in page
    assert '"onload' not in page
    assert "<script>alert(1)</script>" in section(page, "samples")
    assert "<script>alert(1)</script>" in section(page, "attention")


def row_short(e, q):
    e["samples"][1]["attention"].pop()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda e, q: e.update(task="clips"), "evaluation.json: is damaged: task: Input should be 'captions'"),
        (lambda e, q: e.pop("int8"), "evaluation.json: is damaged: int8: Field required"),
        (lambda e, q: e["qat"].update(images=7), "evaluation.json: is damaged: qat.images: 7, but images is 40"),
        (lambda e, q: e["float"].pop("scenes"), "float.scenes: must be there for every model, or for none"),
        (lambda e, q: e["int8"].update(bleu_4=1.5), "int8.bleu_4: Input should be less than or equal to 1, not 1.5"),
        (row_short, "samples.1.attention: must be "),
        (lambda e, q: e.update(grid=[3, 5]), "samples.0.attention: rows of 16, but the grid is 3 x 5"),
        (lambda e, q: e["samples"][2].update(image="aGk="), "samples.2.image (shapes/test/0002): is not an 8-bit PNG"),
        (lambda e, q: q["audits"].pop("decode"), "quantize.json: is damaged: audits: 'decode' is not among them"),
        (lambda e, q: q.pop("audits"), "quantize.json: is damaged: audits: Field required"),
        (lambda e, q: q["audits"].update(encode="x"), "quantize.json: is damaged: audits.encode"),
        (lambda e, q: q["decoder"].update(image="far"), "quantize.json: is damaged: decoder.image"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place(tmp_path, change, told):
    e, q = finished_captions.evaluation(), finished_captions.quantization()
    change(e, q)
    run = finished_captions.write(tmp_path / "run", e, q)
    with pytest.raises(InputError) as caught:
        write_report(run)
    assert told in str(caught.value)
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "command"),
    [("train.json", "train"), ("quantize.json", "quantize"), ("evaluation.json", "quantize")],
)
def test_a_missing_input_is_named_with_its_command(tmp_path, name, command):
    run = finished_captions.write(tmp_path / "run")
    (run / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: is missing; `rnnedge {command}` writes it"):
        write_report(run)


def test_a_clip_runs_files_are_no_caption_runs(tmp_path):
    run = finished_captions.write(tmp_path / "run", finished_clips.evaluation())
    with pytest.raises(InputError, match=r"evaluation\.json: is damaged: task: Input should be 'captions'"):
        write_report(run)


@pytest.mark.filterwarnings("error")
def test_what_a_run_lacks_is_said_not_drawn(tmp_path):
    e, q = finished_captions.evaluation(), finished_captions.quantization()
    e["samples"] = []
    q |= {"history": [], "parity": {}}
    run = finished_captions.write(tmp_path / "run", e, q)
    page = page_of(run)
    assert "no fine-tuning" in section(page, "curves")
    assert "kept no samples" in section(page, "samples")
    assert 'id="attention"' not in page
    assert {path.stem for path in (run / "figures").iterdir()} == FIGURES - {"qat_curves"}


def test_the_curves_change_with_their_inputs(tmp_path):
    run = finished_captions.write(tmp_path / "run")
    write_report(run)
    old = {path.stem: path.read_bytes() for path in (run / "figures").iterdir()}
    values = finished_captions.quantization()
    values["history"][0]["agreement"] = 0.5
    (run / "quantize.json").write_text(json.dumps(values))
    page = page_of(run)
    new = {path.stem: path.read_bytes() for path in (run / "figures").iterdir()}
    assert {name for name in FIGURES if old[name] != new[name]} == {"qat_curves"}
    assert "Agreement is how often" in section(page, "curves")


def test_a_report_of_captions_needs_neither_keras_nor_tensorflow(tmp_path):
    run = finished_captions.write(tmp_path / "run")
    code = (
        "import sys\nfrom rnnedge.report import write_report\nwrite_report(sys.argv[1])\n"
        "assert not {'keras', 'tensorflow', 'tf_keras', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
