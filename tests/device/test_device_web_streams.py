"""Live pictures: encoded once for all viewers, the newest one for a slow viewer, nothing while nobody looks."""

import contextlib
import time

import cv2
import httpx
import numpy as np
import pytest
from live_run import LiveRun
from web_client import Viewer, connect, ended, metric, serving, wait_for

from rnnedge_device.sinks.message import Message
from rnnedge_device.source import Frame
from rnnedge_device.web.server import CONNECTIONS
from rnnedge_device.web.streams import VIEWERS

PATIENCE_S = 1.5


@pytest.fixture(scope="module")
def run(tiny_clips):
    with LiveRun(tiny_clips.model, size="640x480").running() as run:
        yield run


@pytest.fixture
def server(run):
    """Impatient, and quick: every frame is shown."""
    with serving(run, patience_s=PATIENCE_S, max_fps=60.0) as server:
        yield server


def encoded(server):
    return metric(server, "rnnedge_web_pictures_total", camera="door") or 0


def nobody_looks(server):
    wait_for(lambda: metric(server, "rnnedge_web_viewers", camera="door") == 0)


def test_a_picture_is_annotated_and_reduced(run):
    with serving(run, max_side=320) as server:
        answer = wait_for(
            lambda: (
                (found := httpx.get(f"{server.url}api/cameras/door/picture.jpg")).status_code == 200 and found
            )
        )
        assert answer.headers["Content-Type"] == "image/jpeg"
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        height, width = picture.shape[:2]
        assert width == 320
        assert height > 240  # the label's bar is below the frame
        bar = picture[244:].astype(int)
        assert (bar.max(axis=2) > 200).any()  # letters
        assert (bar.max(axis=2) < 60).mean() > 0.5


def test_no_picture_yet(tiny_clips):
    with serving(LiveRun(tiny_clips.model)) as server:
        answer = httpx.get(f"{server.url}api/cameras/door/picture.jpg")
        assert (answer.status_code, answer.json()) == (404, {"error": "there is no picture yet"})
        assert httpx.head(f"{server.url}api/cameras/door/stream.mjpg").status_code == 405


def test_a_stream_shows_frame_after_frame(server):
    viewer = Viewer(server)
    parts = [viewer.part() for _ in range(8)]
    viewer.close()
    numbers = [number for number, _ in parts]
    assert numbers == sorted(set(numbers))
    pictures = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for _, jpeg in parts]
    assert all(picture is not None for picture in pictures)
    assert any((pictures[0] != picture).any() for picture in pictures[1:])


def test_many_viewers_are_served_by_one_encoding(server, run):
    before, frames = encoded(server), run.view.camera("door").number
    viewers = [Viewer(server) for _ in range(12)]
    assert metric(server, "rnnedge_web_viewers", camera="door") == 12
    seen = [{number for number, _ in (viewer.part() for _ in range(10))} for viewer in viewers]
    for viewer in viewers:
        viewer.close()
    nobody_looks(server)
    made = encoded(server) - before
    # No frame was encoded twice, however many looked: 120 pictures were seen at least.
    assert len(set.union(*seen)) <= made <= run.view.camera("door").number - frames + 1


def test_nothing_is_encoded_while_nobody_looks(server, run):
    viewer = Viewer(server)
    viewer.part()
    viewer.close()
    nobody_looks(server)
    before, frames = encoded(server), run.view.camera("door").number
    wait_for(lambda: run.view.camera("door").number > frames + 20)
    assert encoded(server) - before <= 1  # the one that was on its way


def test_a_slow_viewer_gets_the_newest_and_slows_nobody(run):
    with serving(run, max_fps=60.0) as server:
        slow, quick = Viewer(server, receive_buffer=4096), Viewer(server)
        first = newest = slow.part()[0]
        while newest < first + 60:  # three seconds of film, and the slow one takes nothing
            newest = quick.part()[0]
        numbers = [first]
        while numbers[-1] < newest:
            numbers.append(slow.part()[0])
        # A few old ones were on their way; then comes the newest, and the others are left out.
        assert len(numbers) < 30
        assert max(np.diff(numbers)) > 20
        quick.close()
        slow.close()


def test_a_viewer_that_takes_nothing_is_cut_off(server):
    stuck = Viewer(server, receive_buffer=4096)
    wait_for(lambda: metric(server, "rnnedge_web_viewers", camera="door") == 1)
    nobody_looks(server)
    assert ended(stuck.socket)


def test_a_camera_that_is_silent_keeps_its_viewers(tiny_clips):
    run = LiveRun(tiny_clips.model)
    with serving(run, patience_s=6.0) as server:
        viewer = Viewer(server)
        run.view.put(Message("door", {}, Frame(np.zeros((48, 64), np.uint8), 0, 0.0)))
        first, again = (
            viewer.part(),
            viewer.part(),
        )  # the same one, so that a viewer who has gone is found out
        assert first == again
        assert encoded(server) == 1
        viewer.close()


def test_viewers_have_a_limit(server):
    viewers = [Viewer(server) for _ in range(VIEWERS)]
    assert Viewer(server).status == 503
    # The rest of the server has room left.
    assert httpx.get(f"{server.url}healthz").status_code == 200
    for viewer in viewers:
        viewer.close()
    nobody_looks(server)
    again = Viewer(server)
    assert again.status == 200
    again.close()


def test_stopping_ends_the_streams(run):
    with serving(run) as server:
        viewer = Viewer(server)
        viewer.part()
    assert ended(viewer.socket)


# --- clients that dawdle


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100\r\n\r\nt",
    ],
)
def test_a_request_that_never_ends_is_cut_off(server, sent):
    with connect(server) as opened:
        opened.sendall(sent)
        assert ended(opened)


def keeps_sending(opened, sent):
    """Until the connection is ended, ten seconds at the most; takes no answer."""
    opened.setblocking(False)
    for _ in range(200):
        try:
            opened.send(sent)
        except BlockingIOError:
            pass
        except ConnectionError:
            return False
        time.sleep(0.05)
    return True


def test_a_request_byte_by_byte_is_cut_off(server):
    with connect(server) as opened:
        assert not keeps_sending(opened, b"x")


def test_answers_that_nobody_takes_are_given_up(server):
    with connect(server, receive_buffer=4096) as opened:
        assert not keeps_sending(opened, b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
    assert httpx.get(f"{server.url}healthz").status_code == 200


def test_connections_have_a_limit(run):
    with serving(run) as server:
        idle = [connect(server) for _ in range(CONNECTIONS)]

        def refused():
            with connect(server) as one_more, contextlib.suppress(ConnectionError):
                one_more.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return one_more.recv(100) == b""
            return True

        # A busy server takes the idle ones late, and its queue is shorter than they are many.
        wait_for(refused)
        for opened in idle:
            opened.close()

        def answers():
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{server.url}healthz").status_code == 200

        wait_for(answers)
