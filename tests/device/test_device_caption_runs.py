"""Captions as a user sees them: pictures with text below, lines, the summary, options and exit codes."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from caption_films import CUT, Camera, Live, changed, run, scenes, untimed, write_film, writers
from watching import watch

from rnnedge_device import sinks
from rnnedge_device.bundle import write_bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.errors import InputError
from rnnedge_device.event_lines import make_event
from rnnedge_device.overlay import Overlay
from rnnedge_device.sinks import Message
from rnnedge_device.sources import open_source
from rnnedge_device.sources.live import LiveSource
from rnnedge_device.text_box import TextBox, plain


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three scenes of two seconds each."""
    return write_film(tmp_path_factory.mktemp("film") / "film.avi", scenes(3))


@pytest.fixture(scope="module")
def cutting(caption_bundle, tmp_path_factory):
    """The bundle with a detector, a second between captions, and words that need a wide font."""
    path = tmp_path_factory.mktemp("cutting") / "cutting.rnnedge"
    made = changed(caption_bundle, interval_ms=1000.0, scene_cut=CUT)
    write_bundle(path, made.manifest, caption_bundle.members)
    return path


@pytest.fixture(scope="module")
def prediction(caption_bundle):
    found = []
    run(
        Captioner(caption_bundle),
        "synthetic:64x48@30x1",
        sinks=[watch(lambda frame, given, event: found.append(given))],
    )
    return found[0]


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def said(prediction, text, room=120):
    return replace(prediction, label=text, words=tuple(text.split()), room=room)


def rows_with_text(box, text, width=320):
    canvas = np.zeros((box.height + 40, width, 3), np.uint8)
    box.draw(canvas, 10, text)
    return np.flatnonzero(canvas.max(axis=(1, 2)) > 100)


# --- text below the picture ----------------------------------------------------------------------------


def test_a_long_caption_wraps_and_the_picture_keeps_its_size(prediction):
    overlay, image = Overlay(), np.full((240, 320), 60, np.uint8)
    short, long, none = (overlay(image, said(prediction, "dog " * count)) for count in (1, 30, 0))
    assert short.shape == long.shape == none.shape
    assert short.shape[0] % 2 == short.shape[1] % 2 == 0
    below = slice(244, short.shape[0] - 20)
    ink = [(picture[below] > 128).any(axis=(1, 2)) for picture in (short, long, none)]
    assert not ink[2].any()
    assert 0 < ink[0].sum() < 20
    assert ink[1][ink[0].argmax() + 20 :].any()  # further lines
    assert (short[:240] == long[:240]).all()


def test_the_box_is_made_for_the_longest_caption(prediction):
    image = np.zeros((240, 320), np.uint8)
    heights = [Overlay()(image, said(prediction, "a dog", room)).shape[0] for room in (20, 60, 120, 300)]
    assert heights == sorted(heights)
    assert heights[0] < heights[-1]
    # Six words of 22 / 7 letters in the mean, and a space for each.
    assert prediction.room == 25


@pytest.mark.parametrize("width", [240, 320, 640, 1920])
@pytest.mark.parametrize("room", [10, 90, 160, 400])
def test_what_was_foreseen_fits_and_what_was_not_stays_inside(width, room):
    rng, letters = np.random.default_rng(room), "abcdefghijklmnopqrstuvwxyz"
    for length in (room // 2, room, 2 * room, 20 * room):
        words = ["".join(rng.choice(list(letters), int(rng.integers(1, 9)))) for _ in range(length)]
        box = TextBox(width, room)
        rows = rows_with_text(box, " ".join(words)[:length], width)
        assert rows.min() >= 10
        assert rows.max() < 10 + box.height + 2


def test_a_word_wider_than_the_picture_goes_on_below(prediction):
    box = TextBox(240, 100)
    assert len(rows_with_text(box, "x" * 100, 240)) > 1.5 * len(rows_with_text(box, "x" * 10, 240))
    canvas = np.zeros((box.height, 240, 3), np.uint8)
    box.draw(canvas, 0, "x" * 100)
    assert not canvas[:, -4:].any()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ein Bär läuft", "ein Bar lauft"),
        ("猫 runs", "? runs"),
        ("\ud800", "?"),
        ("\x00\u200d", None),
        ("", ""),
    ],
)
def test_letters_that_opencv_has_not_do_no_harm(prediction, text, shown):
    assert shown is None or plain(text) == shown
    assert Overlay()(np.zeros((64, 64, 3), np.uint8), said(prediction, text)).shape[2] == 3


def test_a_caption_that_still_grows_can_be_told(prediction):
    image = np.zeros((240, 320), np.uint8)
    done, growing = (
        Overlay()(image, replace(said(prediction, "a dog"), writing=writing)) for writing in (False, True)
    )
    assert (done[244:264] != growing[244:264]).any()


def test_the_saved_video_of_a_live_source_has_every_frame(caption_bundle, tmp_path):
    """Also those while a caption is written, whatever the words so far."""
    path = tmp_path / "seen.mp4"
    with sinks.VideoFile(str(path), 30.0) as video:

        def on_frame(frame, found, event):
            video.put(Message("camera", event, frame, found))
            if len(live.seen) == 40:
                live.source.stop()

        live = Live(scenes(3), on_frame)
        live.run(Captioner(changed(caption_bundle, interval_ms=1e-3)))
    with open_source(str(path)) as source:
        pictures = [frame.image for frame in source]
    assert len(pictures) == 40
    assert len(live.lines) > 1


def test_there_is_no_line_about_a_caption_that_is_not_finished(prediction):
    with pytest.raises(InputError, match="is not finished"):
        make_event(None, replace(prediction, finished=None), "captions")


# --- the command line ----------------------------------------------------------------------------------


def test_lines_video_and_summary_of_a_film(cutting, caption_bundle, film, tmp_path, run_cli):
    jsonl, video = tmp_path / "lines.jsonl", tmp_path / "seen.mp4"
    code, out, err = run_cli(cutting, "--source", film, "--jsonl", jsonl, "--save", video, "--json")
    assert (code, err) == (0, "")
    summary, lines = json.loads(out), lines_of(jsonl.read_text())
    assert (summary["frames"], summary["dropped"], summary["captions"]) == (60, 0, 6)
    assert summary["form"] == "encode+decode"
    assert summary["reasons"] == {"start": 1, "interval": 3, "scene_cut": 2}
    assert set(summary["encode_us"]) == set(summary["decode_us"]) == {"median", "p95"}
    assert [line["frame"] for line in lines] == [0, 10, 20, 30, 40, 50]
    with open_source(str(video)) as source:
        pictures = [frame.image for frame in source]
    assert len(pictures) == 60
    assert pictures[0].shape[0] > 240 + 40
    again = run_cli(cutting, "--source", film, "--jsonl", "-")
    assert again[0] == 0
    assert untimed(lines_of(again[1])) == untimed(lines)


def test_people_see_each_caption_and_a_summary(cutting, film, run_cli):
    code, out, err = run_cli(cutting, "--source", film)
    assert (code, err) == (0, "")
    *shown, summary = out.splitlines()
    lines = lines_of(run_cli(cutting, "--source", film, "--jsonl", "-")[1])
    assert len(shown) == len(lines) == 6
    for text, line in zip(shown, lines, strict=True):
        assert f"frame {line['frame']} " in text
        assert f" {line['label']}  " in text
        assert text.endswith(line["reason"])
    assert summary.startswith("60 frames, 6 captions (1 start, 3 interval, 2 scene_cut) in ")
    assert "to encode" in summary


def test_equal_captions_in_a_row_are_each_shown(caption_bundle, capsys):
    with sinks.TextLines() as sink:
        run(Captioner(changed(caption_bundle, interval_ms=100.0)), "synthetic:8x8@10x3", sinks=[sink])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_options_take_the_place_of_the_bundles(cutting, caption_bundle, film, run_cli):
    code, out, _ = run_cli(cutting, "--source", film, "--beam", 4, "--interval-ms", 500, "--jsonl", "-")
    assert code == 0
    made = changed(caption_bundle, beam=4, interval_ms=500.0, scene_cut=CUT)
    assert untimed(lines_of(out)) == untimed(run(Captioner(made), film)[0])
    greedy = run(Captioner(changed(made, beam=1)), film)[0]
    assert [line["label"] for line in lines_of(out)] != [line["label"] for line in greedy]


def test_a_folder_of_images_and_several_sources(cutting, film, tmp_path, run_cli):
    for number, picture in enumerate(scenes(3)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    code, out, _ = run_cli(cutting, "--source", tmp_path, "--source", film, "--jsonl", "-")
    assert code == 0
    own = [line for line in lines_of(out) if line["source"] == str(tmp_path)]
    assert [line["reason"] for line in own] == ["image"] * 3
    videos = ("--save", tmp_path / "seen.mp4", "--json")
    assert run_cli(cutting, "--source", film, "--source", film, *videos)[0] == 0
    for name in ("seen.mp4", "seen-2.mp4"):
        with open_source(str(tmp_path / name)) as source:
            assert len(list(source)) == 60


def test_the_self_test_goes_before_the_stream(caption_bundle_path, run_cli):
    arguments = ("--selftest", "--source", "synthetic:8x8x2", "--json")
    code, out, _ = run_cli(caption_bundle_path, *arguments)
    result = json.loads(out)
    assert code == 0
    assert [form["form"] for form in result["selftest"]["forms"]] == ["encode", "decode"]
    assert result["captions"] == 1
    code, out, _ = run_cli(caption_bundle_path, "--selftest", "--form", "decode")
    assert (code, out.count("passed")) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--form", "decode"), "--form = 'decode': captions are written by encode and decode together"),
        (("--form", "decode", "--selftest"), "--form = 'decode': captions"),
        (("--beam", "0"), "--beam"),
        (("--interval-ms", "0"), "--interval-ms"),
        (("--interval-ms", "inf"), "interval_ms = inf"),
        (("--interval-ms", "nan"), "interval_ms = nan"),
        (("--source", "gone.mp4"), "no such file"),
    ],
)
def test_bad_arguments_are_one_message_and_exit_code_2(caption_bundle_path, run_cli, arguments, message):
    code, out, err = run_cli(caption_bundle_path, "--source", "synthetic:8x8x1", *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("option", ["--beam", "--interval-ms"])
def test_options_for_captions_are_for_captions_only(bundle_path, clip_bundle_path, run_cli, option):
    for path, task in ((bundle_path, "classify"), (clip_bundle_path, "clips")):
        for what in (("--source", "synthetic:8x8x1"), ("--selftest",)):
            code, out, err = run_cli(path, *what, option, 3)
            assert (code, out) == (2, "")
            assert f"{option} = 3: is for captions; this is a bundle of task {task}" in err


def test_ctrl_c_beside_a_camera(caption_bundle_path, tmp_path, run_cli, monkeypatch):
    """Files are whole, the summary is there, no thread is left."""

    class Interrupting(LiveSource):
        def read(self, timeout_s):
            frame = super().read(timeout_s)
            if frame is not None:
                self._capture.gate.release()
                if frame.index == 30:
                    os.kill(os.getpid(), signal.SIGINT)
            return frame

    camera = Camera(scenes(1))
    monkeypatch.setattr("rnnedge_device.sources.open_camera", lambda spec, open_s: Interrupting(camera, spec))
    arguments = ("--source", "0", "--interval-ms", "1", "--jsonl", tmp_path / "lines.jsonl", "--json")
    code, out, err = run_cli(caption_bundle_path, *arguments)
    assert (code, err) == (130, "")
    summary = json.loads(out)
    assert summary["interrupted"] is True
    assert summary["captions"] == len(lines_of((tmp_path / "lines.jsonl").read_text()))
    assert writers() == []


def test_ctrl_c_in_a_process(caption_bundle_path, tmp_path):
    command = [
        sys.executable,
        "-m",
        "rnnedge_device",
        str(caption_bundle_path),
        "--source",
        "synthetic:64x48@30",
    ]
    command += ["--jsonl", str(tmp_path / "lines.jsonl"), "--interval-ms", "30"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().rstrip().endswith("start")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert " captions (1 start" in out.splitlines()[-1]
    assert lines_of((tmp_path / "lines.jsonl").read_text())[0]["reason"] == "start"


def test_captions_of_a_live_source_are_replayed(caption_bundle_path, tmp_path, run_cli):
    """Which frames get one depends on how long captions take; the recording knows. The interval says nothing then."""
    record, live = tmp_path / "seen.rec", "live:synthetic:64x48@30x90"

    def lines(source, interval_ms, *arguments):
        out = tmp_path / "lines.jsonl"
        arguments = ("--interval-ms", interval_ms, "--jsonl", out, *arguments)
        code, _, err = run_cli(caption_bundle_path, "--source", source, *arguments)
        assert code == 0, err
        return [
            {key: value for key, value in line.items() if not key.endswith("_ms") or key == "ts_ms"}
            for line in lines_of(out.read_text())
        ]

    said = lines(live, 100, "--record", record)
    assert {line["reason"] for line in said} >= {"start", "interval"}
    for interval_ms in (100, 1, 100_000):
        assert lines(f"replay:{record}", interval_ms) == said
