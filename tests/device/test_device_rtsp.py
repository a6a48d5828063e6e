"""RTSP for real: a server of GStreamer's that streams H.264, dies, hangs, comes back, and asks for a password."""

from itertools import pairwise

import pytest
from rtsp_camera import RtspCamera, missing
from running import Running, assert_events_are_whole, camera

from rnnedge_device.errors import SourceError, SourceHungError
from rnnedge_device.sources import open_source

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
PATIENT = "[runner]\nbackoff_s = 0.1\nbackoff_most_s = 0.5\nrestart_budget = 1000\nopen_s = 60\n"


def told_since(running, count):
    """The kinds of health lines after the first `count`."""
    return running.health()[count:]


def read_on(source):
    while source.read(1.0):
        pass


def test_a_server_that_dies_hangs_and_returns(tmp_path, clip_bundle_path):
    with RtspCamera(tmp_path, ("me", "s3cret")) as network:
        text = PATIENT + "hang_s = 2.0\n\n" + camera("door", network.url, clip_bundle_path)
        with Running(tmp_path / "a.toml", text) as running:
            running.wait_for(lambda: running.lines("door", "event"))
            before = len(running.health())
            network.kill()
            running.wait_for(lambda: "lost" in told_since(running, before))
            assert running.runner.status.snapshot()["cameras"]["door"]["state"] == "recovering"
            network.start()
            running.wait_for(lambda: "recovered" in told_since(running, before))
            count, before = len(running.lines("door", "event")), len(running.health())
            running.wait_for(lambda: len(running.lines("door", "event")) >= count + 2)
            network.hang()
            running.wait_for(lambda: "hung" in told_since(running, before))
            network.go_on()
            running.wait_for(lambda: told_since(running, before)[-1] == "recovered")
            count = len(running.lines("door", "event"))
            running.wait_for(lambda: len(running.lines("door", "event")) >= count + 2)
            status = running.runner.status.snapshot()["cameras"]["door"]
    assert status["restarts"] >= 2
    # Said once each, however many attempts it took.
    assert all(a != b for a, b in pairwise(running.health()))
    resets = [line["reset"] for line in running.lines("door", "step") if "reset" in line]
    assert resets[0] == "start"
    # A machine that is busy with other things may take so long to see the end that it counts as hanging.
    assert len(resets) >= 3
    assert set(resets[1:]) <= {"lost", "hung"}
    assert_events_are_whole(running.lines("door"))
    for key in ("ts_ms", "frame"):
        values = [line[key] for line in running.lines("door", "step")]
        assert values == sorted(values)
    assert "s3cret" not in str([message.line for message in running.messages])
    assert "s3cret" not in str(running.runner.status.snapshot())


def test_a_read_that_hangs_has_a_deadline(tmp_path):
    with RtspCamera(tmp_path) as network, open_source(network.url) as source:
        assert source.read(60).image.shape == (80, 96, 3)
        assert (source.fps, source.live) == (30, True)
        network.hang()
        with pytest.raises(SourceHungError, match=r"no frame for 1 s"):
            read_on(source)
        # What hangs is in a process that can be killed.
        child = source._child
        source.close()
        assert child.returncode is not None


def test_a_wrong_password_is_one_message_without_it(tmp_path):
    with RtspCamera(tmp_path, ("me", "s3cret")) as network:
        url = network.url.replace("s3cret", "gu3ss")
        with pytest.raises(SourceError, match=r"rtsp://\*\*\*@127.*user and password are refused") as caught:
            open_source(url)
        assert "gu3ss" not in str(caught.value)
        with open_source(network.url) as source:
            assert source.read(60) is not None
