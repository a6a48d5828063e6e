"""A mistake in a config is one clear message before anything starts."""

import pytest
from running import camera

from rnnedge_device.errors import InputError
from rnnedge_device.runner.config import load_config


def config(tmp_path, *parts):
    path = tmp_path / "cameras.toml"
    path.write_text("\n".join(parts))
    return path


def test_what_is_left_out_has_a_default(tmp_path):
    found = load_config(config(tmp_path, camera("door", "0", "a.rnnedge", roi=[0.0, 0.25, 1, 1], rate=5)))
    assert (found.runner.restart_budget, found.runner.restart_window_s) == (10, 600.0)
    assert found.camera[0].roi == [0.0, 0.25, 1, 1]
    assert (found.camera[0].rate, found.camera[0].form, found.camera[0].record) == (5, None, None)
    assert found.sections == {}


WRONG = [
    (["[runner]\nbudget = 3"], "unknown key 'runner.budget'; allowed: backoff_most_s, backoff_s"),
    (
        ["[[camera]]\nname = 'a'\nsource = '0'\nbundle = 'b'\nrio = [0, 0, 1, 1]"],
        "unknown key 'camera.0.rio'",
    ),
    ([camera("door", "0", "b"), "[jsnol]\npath = 'x'"], "unknown key 'jsnol'; allowed: camera, clips, jsonl"),
    ([camera("door", "0", "b"), "[sections]\nx = 1"], "unknown key 'sections'"),
    (["[[camera]]\nname = 'a'\nsource = '0'"], "camera.0.bundle: is missing"),
    (["[runner]\nhang_s = 5"], "camera: is missing"),
    ([camera("door", "0", "b", rate=0)], "camera.0.rate = 0: must be greater than 0"),
    ([camera("door", "0", "b", rate='"5"')], "camera.0.rate = '5': must be a valid number"),
    (
        [camera("door", "0", "b", roi=[0.5, 0, 0.5, 1])],
        "camera.0.roi = [0.5, 0, 0.5, 1]: must be [x0, y0, x1, y1]",
    ),
    ([camera("door", "0", "b", roi=[0, 0, 1])], "camera.0.roi"),
    ([camera("front door", "0", "b")], "camera.0.name = 'front door': must be letters, digits"),
    ([camera("a", "0", "b"), camera("a", "1", "b")], "two cameras are named 'a'"),
    (
        [camera("a", "0", "b"), camera("b", "/dev/video0:64x48", "b")],
        "'a' and 'b' are on one device, /dev/video0",
    ),
    ([camera("a", "raw:4x4", "b"), camera("b", "live:raw:4x4", "b")], "on one device, standard input"),
    (
        [camera("a", "0", "b", record="'x'"), camera("b", "1", "b", record="'./x'")],
        "'a' and 'b' write to one file",
    ),
    (
        [camera("a", "0", "b", save="'x.mp4'"), camera("b", "1", "b", record="'./x.mp4'")],
        "'a' and 'b' write to one file",
    ),
    ([camera("a", "0", "b", save="'x.mkv'")], "camera.0.save = 'x.mkv': "),
    (["[[camera]\n"], "is not TOML"),
]


@pytest.mark.parametrize(("parts", "message"), WRONG)
def test_a_mistake_is_named(tmp_path, run_cli, parts, message):
    path = config(tmp_path, *parts)
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert message in str(caught.value)
    code, out, err = run_cli("--config", path)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert message in err


def test_a_password_of_a_bad_source_is_not_shown(tmp_path):
    path = config(
        tmp_path, "[[camera]]\nname = 'a'\nbundle = 'b'\nsource = 5\nrecord = 'rtsp://me:secret@x/'\nroi = 3"
    )
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert "secret" not in str(caught.value)


def test_what_a_config_names_is_looked_at_before_anything_starts(
    tmp_path, bundle_path, clip_bundle_path, run_cli
):
    (tmp_path / "broken.rnnedge").write_bytes(bundle_path.read_bytes()[:5000])
    record = tmp_path / "door.rec"
    good = camera("door", "synthetic:8x8x5", bundle_path, record=f"'{record}'")
    for second, message in [
        (camera("hall", "0", tmp_path / "gone.rnnedge"), "camera 'hall': bundle = "),
        (camera("hall", "0", tmp_path / "broken.rnnedge"), "camera 'hall': bundle "),
        (camera("hall", "gone.mp4", bundle_path), "camera 'hall': source 'gone.mp4': there is no such file"),
        (camera("hall", "0", bundle_path, form="'unrolled'"), "this bundle has loop, step, fused"),
        (camera("hall", tmp_path, clip_bundle_path), "camera 'hall': source"),
    ]:
        code, out, err = run_cli("--config", config(tmp_path, good, second))
        assert (code, out) == (2, "")
        assert message in err
        assert len(err.splitlines()) == 1
    assert not record.exists()


def test_no_config_is_named(tmp_path, run_cli):
    code, _, err = run_cli("--config", tmp_path / "gone.toml")
    assert (code, "No such file" in err) == (2, True)


def test_a_config_can_be_checked_alone(tmp_path, bundle_path, run_cli):
    path = config(tmp_path, camera("door", "97", bundle_path), camera("hall", "synthetic:8x8x5", bundle_path))
    code, out, err = run_cli("--config", path, "--check")
    assert (code, err) == (0, "")
    assert "cameras: door, hall" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check"], "--check is for --config"),
        ([], "give BUNDLE, or --config FILE"),
        (["--config", "x.toml", "--jsonl", "-"], "leave out jsonl"),
        (["a.rnnedge", "--config", "x.toml"], "leave out bundle"),
    ],
)
def test_a_config_has_everything_in_its_file(run_cli, arguments, message):
    code, out, err = run_cli(*arguments)
    assert (code, out) == (2, "")
    assert message in err
