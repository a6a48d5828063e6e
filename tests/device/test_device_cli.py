"""`rnnedge-run` as a user runs it: output, exit codes, Ctrl-C."""

import array
import contextlib
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import termios
import time
import zipfile

import cv2
import numpy as np
import pytest

from rnnedge_device.bundle import read_bundle, write_bundle
from rnnedge_device.golden import Golden
from rnnedge_device.sources import open_source
from rnnedge_device.sources.live import LiveSource


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "rnnedge_device", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_help_has_examples(run_cli):
    code, out, err = run_cli("--help")
    assert (code, err) == (0, "")
    assert "rnnedge-run digits.rnnedge --source 0 --jsonl -" in out
    for option in ("--form", "--max-frames", "--save", "--show", "--selftest", "--threads", "--json"):
        assert option in out


def test_the_installed_command_is_this_one(bundle_path):
    script = os.path.join(os.path.dirname(sys.executable), "rnnedge-run")
    done = subprocess.run([script, str(bundle_path), "--selftest"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "self-test passed: loop" in done.stdout


def test_the_summary_as_json(bundle_path, clip, run_cli):
    code, out, err = run_cli(bundle_path, "--source", clip, "--json")
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert (summary["frames"], summary["dropped"], summary["skipped"]) == (24, 0, 0)
    assert (summary["form"], summary["source"], summary["interrupted"]) == ("loop", str(clip), False)
    assert 0 < summary["latency_us"]["median"] <= summary["latency_us"]["p95"]
    assert summary["latency_us"]["median"] < summary["total_us"]["median"]
    assert summary["fps"] > 0
    assert sum(summary["labels"].values()) == 24


def test_people_see_each_change_of_the_label_and_a_summary(bundle_path, pictures, tiny, run_cli):
    code, out, err = run_cli(bundle_path, "--source", pictures)
    assert (code, err) == (0, "")
    *lines, summary = out.splitlines()
    assert summary.startswith("10 frames in ")
    seen = [line.split()[4] for line in lines]
    assert all(a != b for a, b in itertools.pairwise(seen))
    _, out, _ = run_cli(bundle_path, "--source", pictures, "--jsonl", "-")
    every = [json.loads(line)["label"] for line in out.splitlines()]
    assert seen == [label for number, label in enumerate(every) if number == 0 or label != every[number - 1]]


@pytest.mark.parametrize("form", ["loop", "step", "fused"])
def test_every_form_sees_the_same(bundle_path, pictures, run_cli, form):
    labels = []
    for chosen in ("loop", form):
        code, out, _ = run_cli(bundle_path, "--source", pictures, "--form", chosen, "--jsonl", "-")
        assert code == 0
        labels.append([json.loads(line)["label"] for line in out.splitlines()])
    same = sum(a == b for a, b in zip(*labels, strict=True))
    assert same >= (10 if form != "fused" else 9)


def test_max_frames_ends_an_endless_source(bundle_path, tmp_path, run_cli):
    events = tmp_path / "events.jsonl"
    code, out, _ = run_cli(
        bundle_path, "--source", "synthetic", "--max-frames", 7, "--jsonl", events, "--json"
    )
    assert code == 0
    assert json.loads(out)["frames"] == 7
    assert len(events.read_text().splitlines()) == 7


def test_events_on_stdout_and_the_summary_beside_them(bundle_path, run_cli):
    code, out, err = run_cli(bundle_path, "--source", "synthetic:64x48x5", "--jsonl", "-", "--json")
    assert code == 0
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [0, 1, 2, 3, 4]
    assert json.loads(err)["frames"] == 5


def test_save_makes_a_playable_video(bundle_path, clip, tmp_path, run_cli):
    code, _, _ = run_cli(bundle_path, "--source", clip, "--save", tmp_path / "seen.mp4", "--json")
    assert code == 0
    with open_source(str(tmp_path / "seen.mp4")) as source:
        frames = list(source)
    assert len(frames) == 24
    assert frames[0].image.shape[0] > 240


def test_the_image_that_was_skipped_is_in_the_summary(bundle_path, pictures, run_cli):
    (pictures / "02.png").write_bytes(b"broken")
    code, out, err = run_cli(bundle_path, "--source", pictures, "--json")
    assert code == 0
    assert (json.loads(out)["frames"], json.loads(out)["skipped"]) == (9, 1)
    assert "02.png" in err


# --- the self-test -------------------------------------------------------------------------------------


def test_the_self_test_passes_on_the_machine_that_made_it(bundle_path, run_cli):
    code, out, _ = run_cli(bundle_path, "--selftest", "--json")
    result = json.loads(out)["selftest"]
    assert code == 0
    assert result["ok"] is True
    assert {form["form"]: form["equal"] for form in result["forms"]} == {"loop": 1, "step": 1, "fused": 1}
    assert result["forms"][0]["max_lsb"] == 0
    assert result["forms"][2]["max_abs"] == 0
    assert result["runtime"].split()[1][0].isdigit()


def tampered(bundle_path, path, form, change):
    """The bundle with another expected output for one form."""
    bundle = read_bundle(bundle_path)
    golden = Golden.from_bytes(bundle.members["golden.npz"])
    outputs = {name: y.copy() for name, y in golden.outputs.items()}
    outputs[form][2, 5] += np.asarray(change, outputs[form].dtype)
    members = {**bundle.members, "golden.npz": Golden(golden.images, outputs).to_bytes()}
    write_bundle(path, bundle.manifest, members)
    return path


@pytest.mark.parametrize(("form", "change"), [("loop", 4), ("step", -4), ("fused", 1.5), ("fused", np.nan)])
def test_the_self_test_fails_on_another_result(bundle_path, tmp_path, run_cli, form, change):
    path = tampered(bundle_path, tmp_path / "bad.rnnedge", form, change)
    code, out, _ = run_cli(path, "--selftest")
    assert code == 1
    assert f"self-test FAILED: {form}" in out
    assert out.count("FAILED") == 1
    # A form that is not asked for does not fail the others.
    other = "loop" if form != "loop" else "step"
    assert run_cli(path, "--selftest", "--form", other)[0] == 0


def test_a_failed_self_test_stops_before_the_stream(bundle_path, tmp_path, run_cli):
    path = tampered(bundle_path, tmp_path / "bad.rnnedge", "loop", 4)
    events = tmp_path / "events.jsonl"
    code, out, _ = run_cli(path, "--selftest", "--source", "synthetic:8x8x2", "--jsonl", events, "--json")
    assert code == 1
    assert json.loads(out)["selftest"]["ok"] is False
    assert not events.exists()


def test_a_passed_self_test_goes_on_to_the_stream(bundle_path, run_cli):
    code, out, _ = run_cli(bundle_path, "--selftest", "--source", "synthetic:8x8x2", "--json")
    assert code == 0
    assert json.loads(out)["selftest"]["ok"] is True
    assert json.loads(out)["frames"] == 2


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--source"),
        (["--source", "97"], "there is no camera /dev/video97"),
        (["--source", "gone.mp4"], "no such file"),
        (["--source", "synthetic:8x8x1", "--form", "unrolled"], "this bundle has loop, step, fused"),
        (["--source", "synthetic:8x8x1", "--max-frames", "0"], "max-frames"),
        (["--source", "synthetic:8x8x1", "--threads", "none"], "threads"),
        (["--source", "synthetic:8x8x1", "--jsonl", "/no/such/folder/e.jsonl"], "does not exist"),
        (["--source", "synthetic:8x8x1", "--save", "x.gif"], ".mp4"),
        (["--source", "synthetic:8x8x1", "--jsonl", "/"], "is a folder"),
        (["--selftest", "--form", "unrolled"], "this bundle has loop, step, fused"),
        (["--no-such-option"], "no-such-option"),
    ],
)
def test_bad_arguments_are_one_message_and_exit_code_2(bundle_path, run_cli, arguments, message):
    code, out, err = run_cli(bundle_path, *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("display", ["", ":97"])
def test_show_without_a_display_is_a_clear_error(bundle_path, run_cli, monkeypatch, display):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    if display and not _opencv_is_headless():
        pytest.skip("this OpenCV has windows; without a server behind DISPLAY it would end the process")
    code, out, err = run_cli(bundle_path, "--source", "synthetic:8x8x1", "--show")
    assert (code, out) == (2, "")
    assert "--show: " in err
    assert "--save" in err


def _opencv_is_headless():
    return any("GUI:" in line and "NONE" in line for line in cv2.getBuildInformation().splitlines())


def test_an_error_of_the_program_itself_has_no_traceback(bundle_path, tmp_path):
    """The same through a real process: nothing of Python's own on stderr."""
    (tmp_path / "cut.rnnedge").write_bytes(bundle_path.read_bytes()[:5000])
    process = start(tmp_path / "cut.rnnedge", "--source", "synthetic:8x8x1")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith("rnnedge-run: bundle ")
    assert len(err.splitlines()) == 1


# --- the end -------------------------------------------------------------------------------------------


def test_ctrl_c_leaves_whole_files_and_a_summary(bundle_path, tmp_path):
    events, video = tmp_path / "events.jsonl", tmp_path / "seen.mp4"
    process = start(bundle_path, "--source", "synthetic:64x48@30", "--jsonl", events, "--save", video)
    first = process.stdout.readline()  # it runs
    assert "frame 0" in first
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    count = int(out.splitlines()[-1].split()[0])
    assert "frames in" in out.splitlines()[-1]
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(count))
    with open_source(str(video)) as source:
        assert len(list(source)) == count
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "seen.mp4"]


def test_a_camera_that_gives_up_leaves_whole_files_and_exit_code_3(
    bundle_path, clip, tmp_path, run_cli, monkeypatch, no_restarts
):
    """A video file plays the camera and ends, as if it were unplugged for good."""
    monkeypatch.setattr(
        "rnnedge_device.sources.open_camera",
        lambda spec, open_s: LiveSource(cv2.VideoCapture(str(clip)), spec),
    )
    events, video = tmp_path / "events.jsonl", tmp_path / "seen.mp4"
    code, out, err = run_cli(bundle_path, "--source", "0", "--jsonl", events, "--save", video, "--json")
    assert code == 3
    assert "'0': stopped delivering after 24 frames" in err
    summary = json.loads(out)
    assert summary["frames"] + summary["dropped"] == 24
    indices = [json.loads(line)["frame"] for line in events.read_text().splitlines()]
    assert len(indices) == summary["frames"]
    assert indices[-1] == 23
    with open_source(str(video)) as source:
        assert len(list(source)) == summary["frames"]


def test_ctrl_c_again_ends_a_run_that_hangs(bundle_path):
    """A pipe that nobody empties blocks the stream in a write."""
    process = start(bundle_path, "--source", "synthetic:64x48", "--jsonl", "-")
    waiting = array.array("i", [0])
    while waiting[0] < 65_536 - 4096:  # until Linux's pipe is full to the last page
        assert process.poll() is None
        time.sleep(0.05)
        fcntl.ioctl(process.stdout, termios.FIONREAD, waiting)
    for _ in range(60):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
            break
    # One more may come when Python is about to leave and no longer answers for signals; to a shell that is 130, too.
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in process.stderr.read()
    process.stdout.close()


def test_a_reader_that_has_enough_ends_the_run_quietly(bundle_path):
    process = start(bundle_path, "--source", "synthetic:64x48", "--jsonl", "-")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    err = process.stderr.read()
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_a_label_the_terminal_cannot_print_does_not_end_the_stream(tiny, tmp_path):
    path = tmp_path / "umlaut.rnnedge"
    labels = tuple(f"Ziffer {number} schön 数" for number in range(10))
    write_bundle(path, tiny.manifest("loop", labels=labels), tiny.members("loop"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    process = start(path, "--source", "synthetic:8x8x2", "--jsonl", "-", env=environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[0])["label"] in labels


def test_the_bundle_file_is_not_changed_by_running_it(bundle_path, run_cli):
    before = bundle_path.read_bytes()
    run_cli(bundle_path, "--source", "synthetic:8x8x2", "--selftest")
    assert bundle_path.read_bytes() == before
    assert zipfile.is_zipfile(bundle_path)
