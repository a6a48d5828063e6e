"""The page of a clip run: its figures are those of the inputs, and each film shows its own clip."""

import base64
import json
import re

import cv2
import finished_clips
import finished_run
import numpy as np
import pytest
from test_report_page import DATA_IMAGE, HOSTILE, head, page_of, section, words_of

from rnnedge.report import films, write_report
from rnnedge.report.canvas import look
from rnnedge.report.clip_facts import ClipEvaluations
from rnnedge.report.record import read_record
from rnnedge_device.errors import InputError

FIGURES = {"float_curves", "qat_curves", "confusion", "latency", "ranges"}


def words(folder, evaluation, head="last"):
    return words_of(finished_clips.write(folder / "run", evaluation, head=head))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with its page and figures, which no test changes."""
    folder = finished_clips.write(tmp_path_factory.mktemp("clips") / "run")
    return folder, page_of(folder)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """The words of the pages that no test has changed an input of, by head."""
    return {
        head: words(tmp_path_factory.mktemp(head), finished_clips.evaluation(head), head)
        for head in ("last", "every", "both")
    }


def test_the_answer_comes_first(unchanged):
    text = head(unchanged["last"])
    assert "right on 66 of 72 test clips (0.9167), 2.78 points fewer than the float model" in text
    assert (
        "at 61 µs a frame: with its state carried, 15 times cheaper than running the last 16 frames" in text
    )
    assert "0.9167 int8 accuracy 72 test clips" in text
    assert "−2.78 points int8 against float float: 0.9444" in text
    assert re.search(r"0\.08\d\d from a single frame", text)


def test_whole_videos_are_told_by_their_frames_and_events(unchanged):
    figures = finished_clips.evaluation("every")["int8"]
    text = head(unchanged["every"])
    assert (
        f"right on {100 * figures['frames']['accuracy']:.2f} % of {figures['frames']['frames']:,} test frames"
        in text
    )
    assert f"{figures['events']['f1']:.4f} F1 of events 216 events" in text
    assert 'id="confusion"' not in unchanged["every"]
    assert "clip accuracy" not in section(unchanged["every"], "models")


def test_that_a_single_frame_cannot_tell_is_said_in_words(tmp_path, unchanged):
    text = section(unchanged["last"], "models")
    alone = finished_clips.evaluation()["single_frame"]
    assert "A single frame cannot tell." in text
    assert f"right on {100 * alone['accuracy']:.2f} % of {alone['frames']:,} frames" in text
    assert "the most frequent class would be right on 8.33 %" in text
    assert "With its memory the int8 model is right on 91.67 % of the clips" in text
    # A data set of which a frame gives the class away is told so.
    values = finished_clips.evaluation()
    values["single_frame"]["accuracy"] = 0.9
    assert "Much can be told from a single frame." in section(words(tmp_path, values), "models")


def test_without_a_baseline_nothing_is_said_of_one(tmp_path):
    values = finished_clips.evaluation()
    del values["memoryless"], values["single_frame"]
    page = words(tmp_path, values)
    assert "single frame" not in page
    assert "without memory" not in page
    assert "54 KB int8 .tflite" in head(page)


def event(**values):
    return lambda e: e["int8"]["events"].update(values)


# One changed input each: the head, the section that shows it, what stands there before and after.
CHANGES = [
    ("last", lambda e: e["stream_equals_batch"].update(max_abs=0.125), "models", "equal to the bit", "0.125"),
    ("last", lambda e: e["stream_equals_batch"].update(frames=345), "models", "200 frames", "345 frames"),
    ("last", lambda e: e["stream_equals_batch"].update(float_max_abs=3e-6), "models", "2.4e-07", "3e-06"),
    ("last", lambda e: e.update(agreement=0.8642), "models", "99.42 %", "86.42 %"),
    ("last", lambda e: e["int8"].update(balanced=0.1234), "models", "0.9167", "0.1234"),
    ("both", lambda e: e["qat"]["frames"].update(accuracy=0.4321), "models", "frame accuracy", "0.4321"),
    ("last", lambda e: e["int8"]["clips"]["classes"]["circle"].update(f1=0.1357), "classes", "", "0.1357"),
    ("every", event(f1=0.7531), "events", "216", "0.7531"),
    ("every", event(delay_ms=-80.0), "events", "ms", "−80 ms"),
    ("every", event(false_alarms_per_hour=1234.5), "events", "", "1,234.5"),
    ("every", event(hours=7.25), "events", "0.11 hours", "7.25 hours"),
    ("every", lambda e: e["int8"]["events"]["classes"]["shake"].update(recall=0.2468), "events", "", "0.2468"),
    ("last", lambda e: e.update(step_us=307.0), "latency", "15 times less", "3.0 times less"),
    ("last", lambda e: e.update(rate=7.5), "time", "10 frames a second,", "7.5 frames a second,"),
    ("last", lambda e: e.update(head="both"), "time", "the best class at a clip’s last", "a class at every frame, and"),
    ("last", lambda e: e["scene_cut"].update(threshold=0.321), "time", "at a scene cut", "above 0.321 of 1"),
    ("last", lambda e: e["scene_cut"].update(hit_rate=0.5151), "time", "of 71 joins of two clips", "51.51 % of 71"),
    ("last", lambda e: e["scene_cut"].update(threshold=None), "time", "at a scene cut", "too much alike"),
    ("last", lambda e: e.update(scene_cut={"threshold": None}), "time", "at a scene cut", "too few frames"),
    ("last", lambda e: e["rules"].update(smooth_ms=0.0), "time", "over 300 ms", "scores as they are"),
    ("last", lambda e: e["rules"].update(on=0.85), "time", "on from 0.6", "on from 0.85"),
    ("every", lambda e: e["rules"].update(tuned=True, val=e["qat"]["events"]), "time", "as in the recipe", "F1 0.9"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "change", "name", "before", "after"), CHANGES)
def test_a_changed_input_changes_its_section(tmp_path, unchanged, head, change, name, before, after):
    values = finished_clips.evaluation(head)
    change(values)
    old, new = section(unchanged[head], name), section(words(tmp_path, values, head), name)
    assert before in old
    assert after not in old
    assert after in new


def test_every_model_stands_in_the_tables(unchanged):
    names = ["float", "QAT", "int8", "without memory"]
    for task, tables in (("last", 1), ("both", 1), ("every", 2)):
        assert re.findall(r'class="dot"[^>]*>([^<]+)<', unchanged[task]) == names * tables


@pytest.mark.parametrize("head", ["last", "every", "both"])
def test_the_page_needs_nothing_but_itself_and_its_links_lead_somewhere(unchanged, head):
    page = unchanged[head]
    assert not re.search(r"(?i)https?:|//[a-z]+\.|<script|<link|@import|url\(|javascript:", page)
    anchors = re.findall(r'href="#([^"]+)"', page)
    assert anchors == re.findall(r'<section id="([^"]+)"', page)


def test_the_stream_of_the_demo_is_told(tmp_path):
    events = {
        "precision": 0.9,
        "recall": 0.75,
        "f1": 0.8182,
        "delay_ms": 640.0,
        "events": 24,
        "detections": 20,
    }
    stream = {
        "frames": 432,
        "fps": 88.8,
        "dropped": 1,
        "steps": 216,
        "resets": {"start": 1, "cut": 22},
        "events": events,
    }
    page = words_of(finished_clips.write(tmp_path / "run", summary_={"stream": stream, "seconds": 71.0}))
    text = section(page, "models")
    assert "432 frames at 88.8 frames a second, 1 dropped." in text
    assert "216 steps of the model; its state was reset 1 × (start), 22 × (cut)." in text
    assert "(cut). Of 24 events it found 18 with 20 detections (F1 0.8182, told 640 ms after their" in text


def test_how_it_was_made_speaks_of_clips(unchanged):
    text = section(unchanged["last"], "made")
    assert "motion: 2,400 train, 480 val, 72 test clips" in text
    assert "image" not in text


def test_the_command_scores_the_bundle_on_the_recipes_own_data(tmp_path):
    from rnnedge_device.bundle import write_bundle
    from rnnedge_device.form import Form
    from rnnedge_device.manifest import Manifest
    from rnnedge_device.preprocess import Preprocess
    from rnnedge_device.tensors import Tensor

    run = finished_clips.write(tmp_path / "run")
    tensors = (Tensor("x", (1, 16, 16, 1), "float32", 0.0, 0),), (Tensor("y", (1, 2), "float32", 0.0, 0),)
    form = Form("loop", "model.tflite", "serve", *tensors, (), size_bytes=4)
    manifest = Manifest("motion", ("a", "b"), Preprocess((16, 16)), (form,), created="2026-01-02")
    write_bundle(run / "motion-rows.rnnedge", manifest, {"model.tflite": b"data"})
    text = section(words_of(run), "made")
    assert "rnnedge evaluate run/motion-rows.rnnedge --recipe run/recipe.toml --split test" in text


def test_wrong_films_come_first_the_surest_mistake_leading(whole):
    _, page = whole
    alts = [alt for _, alt in DATA_IMAGE.findall(page) if alt.startswith("Film of")]
    numbered = [
        re.match(r"Film of motion/test/(\d+): a (.*), (wrongly|rightly) called (.*); (\d+) pict", alt)
        for alt in alts
    ]
    wrong = [match.group(3) == "wrongly" for match in numbered]
    assert wrong == [True] * 4 + [False] * 6
    given = {film["id"][-4:]: film for film in finished_clips.evaluation()["samples"]}
    sure = [max(given[match.group(1)]["scores"][-1]) for match in numbered[:4]]
    assert sure == sorted(sure, reverse=True)
    for match in numbered:
        film = given[match.group(1)]
        assert (match.group(2), match.group(4)) == (film["label"], film["int8"])
        assert int(match.group(5)) == len(film["pictures"])


def test_every_figure_is_on_the_page_and_beside_it(whole):
    folder, page = whole
    shown = {base64.b64decode(data) for data, _ in DATA_IMAGE.findall(page)}
    beside = {path.stem: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert beside.keys() == FIGURES | {f"film_{number}" for number in range(1, 11)}
    assert shown == set(beside.values())
    for name in beside.keys() - FIGURES:
        image = cv2.imdecode(np.frombuffer(beside[name], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1] > 700
        assert (image[0, 0] == 255).all()


def test_another_task_or_fewer_films_leave_no_older_figure(tmp_path):
    folder = finished_run.write(tmp_path / "run")
    write_report(folder)
    values = finished_clips.evaluation("every")
    values["samples"] = values["samples"][:1]
    write_report(finished_clips.write(folder, values, head="every"))
    left = {path.stem for path in (folder / "figures").iterdir()}
    assert left == FIGURES - {"confusion"} | {"film_1"}


def film(**changes):
    """A film of one second that is right, as a test changes it: its picture in BGR, at float's 160 dots an inch."""
    labels = ["none", "wave", "nod"]
    ts = [100.0 * i for i in range(11)]
    values = finished_clips.evaluation()["samples"][0]
    values |= {
        "id": "waves/1",
        "label": "wave",
        "int8": "wave",
        "float": "wave",
        "ts_ms": ts,
        "scores": [[0.1, 0.9, 0.0] for _ in ts],
        "truths": [[0.0, 1100.0, "wave"]],
    }
    shown = films.Shown(films.Film.model_validate_json(json.dumps(values | changes)), images_of(values))
    with look():
        drawn = films.draw(shown, 1, labels, "none")
    return cv2.imdecode(np.frombuffer(drawn.png, np.uint8), cv2.IMREAD_COLOR)


def images_of(values):
    return tuple(films.decoded(text) for _, text in values["pictures"])


def spread(image, color):
    """From which to which column there is a thick bar of that ``#rrggbb``, as shares of the width; None for none."""
    bgr = [int(color[i : i + 2], 16) for i in (5, 3, 1)]
    columns = np.flatnonzero((np.abs(image.astype(int) - bgr).max(axis=2) < 8).sum(axis=0) > 15)
    return None if not len(columns) else (columns[0] / image.shape[1], columns[-1] / image.shape[1])


WAVE, NOD = films.PALETTE[1], films.PALETTE[2]


def test_a_films_bars_stand_at_their_times():
    both = spread(film(), WAVE)
    assert both[1] - both[0] > 0.7
    assert spread(film(), NOD) is None
    # Half of it is something else, first as it is labelled, then as it is called.
    truths = [[0.0, 500.0, "wave"], [500.0, 1100.0, "nod"]]
    late = [[0.1, 0.1, 0.8] if i >= 5 else [0.1, 0.9, 0.0] for i in range(11)]
    middle = sum(both) / 2
    for changes in ({"truths": truths}, {"scores": late}):
        begin, end = spread(film(**changes), NOD)
        assert begin == pytest.approx(middle, abs=0.05)
        assert end == pytest.approx(both[1], abs=0.02)


def test_the_background_has_no_bar():
    quiet = film(label=None, int8=None, float=None, truths=[], scores=[[0.9, 0.1, 0.0]] * 11)
    assert all(spread(quiet, color) is None for color in (*films.PALETTE, films.OTHER))
    told = film(label=None, int8=None, float=None, scores=[[0.9, 0.1, 0.0]] * 11)
    assert spread(told, WAVE) is not None


def test_a_film_shows_its_own_pictures():
    values = finished_clips.evaluation()["samples"][0]
    image = images_of(values)[3]
    drawn = cv2.cvtColor(film(), cv2.COLOR_BGR2GRAY)
    side = max(  # a picture's side in the figure: wherever the scan is found best
        range(40, 80),
        key=lambda n: cv2.matchTemplate(drawn, cv2.resize(image, (n, n)), cv2.TM_CCOEFF_NORMED).max(),
    )
    found = cv2.matchTemplate(drawn, cv2.resize(image, (side, side)), cv2.TM_CCOEFF_NORMED)
    assert found.max() > 0.9
    at = np.unravel_index(found.argmax(), found.shape)[1]
    width = drawn.shape[1]
    # The fourth of them, in a strip that spans the axes.
    assert (at + side / 2) / width == pytest.approx(0.1 + 0.9 * 3.5 / len(values["pictures"]), abs=0.05)


@pytest.mark.filterwarnings("error")
def test_films_of_one_frame_of_many_labels_and_of_tall_pictures(tmp_path):
    values = finished_clips.evaluation("every")
    one, many, tall = values["samples"][:3]
    for key in ("ts_ms", "scores", "pictures"):
        one[key] = one[key][:1]
    many["truths"] = [[200.0 * i, 200.0 * (i + 1), label] for i, label in enumerate(values["labels"])]
    tall["pictures"] = [[ts, tall_png(i)] for i, (ts, _) in enumerate(tall["pictures"])]
    values["samples"] = [one, many, tall]
    found = read_record(finished_clips.write(tmp_path / "run", values, head="every"))
    with look():
        drawn = [films.draw(item, 1, found.evaluations.labels) for item in films.choose(found)]
    for picture in drawn:
        width, height = picture.size
        assert 450 < width < 620
        assert 150 < height < 330


def tall_png(seed):
    image = np.random.default_rng(seed).integers(0, 256, (96, 32, 3), np.uint8)
    return base64.b64encode(cv2.imencode(".png", image)[1]).decode()


def test_a_hostile_class_name_stays_text(tmp_path):
    values = finished_clips.evaluation("both")
    values = json.dumps(values | {"samples": values["samples"][:2]})
    for name, hostile in zip(("east", "circle", "shake", "zoom in"), HOSTILE, strict=True):
        values = values.replace(json.dumps(name), json.dumps(hostile))
    page = page_of(finished_clips.write(tmp_path / "run", json.loads(values), head="both"))
    assert "Film of" in page
    assert "<script" not in page
    assert '"onload' not in page
    assert all(name.strip() in section(page, "classes") for name in HOSTILE)


def scores_short(e):
    e["samples"][1]["scores"].pop()


def no_picture(e):
    e["samples"][2]["pictures"][1][1] = "aGk="


def no_clips(e):
    for kind in ("float", "qat", "int8", "memoryless"):
        e[kind]["clips"] = None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda e: e.update(task="classify"), "task: Input should be 'clips'"),
        (no_clips, "float: needs figures of clips, of frames, or of both"),
        (lambda e: e["qat"].update(frames={"accuracy": 1.0, "balanced": 1.0, "frames": 9}), "qat.frames: must be"),
        (lambda e: e["int8"]["clips"].update(accuracy=0.5), "int8.clips.accuracy: 0.5, but its confusion says 0.91"),
        (lambda e: e["memoryless"]["clips"].update(images=7), "memoryless.clips.confusion: holds 72"),
        (lambda e: e.update(step_us=0.0), "step_us"),
        (scores_short, "samples.1.scores: must be "),
        (lambda e: e["samples"][0].update(int8="away"), "samples.0: names 'away', which is not among labels"),
        (no_picture, "samples.2.pictures.1 (motion/test/0002): is not an 8-bit PNG"),
        (lambda e: e["samples"][0].update(pictures=[]), "samples.0.pictures"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place(tmp_path, change, told):
    values = finished_clips.evaluation()
    change(values)
    run = finished_clips.write(tmp_path / "run", values)
    with pytest.raises(InputError) as caught:
        write_report(run)
    assert "evaluation.json: is damaged: " in str(caught.value)
    assert told in str(caught.value)
    assert not (run / "report.html").exists()


def test_an_image_runs_evaluation_is_no_clip_runs(tmp_path):
    run = finished_clips.write(tmp_path / "run", finished_run.evaluation())
    with pytest.raises(InputError, match=r"evaluation\.json: is damaged: task: Field required"):
        write_report(run)


@pytest.mark.parametrize("head", ["last", "every", "both"])
def test_each_head_is_measured_by_what_it_answers(head):
    found = ClipEvaluations.model_validate_json(json.dumps(finished_clips.evaluation(head)))
    assert (found.int8.clips is None) == (head == "every")
    assert (found.int8.frames is None) == (head == "last")
    assert (found.int8.events is None) == (head != "every")
