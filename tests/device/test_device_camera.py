"""Live capture: the latest frame wins and the others are counted. A video file plays the camera."""

import threading

import cv2
import pytest
from watching import watch

from rnnedge_device.errors import SourceLostError
from rnnedge_device.sources import open_source
from rnnedge_device.sources.live import LiveSource
from rnnedge_device.stream import stream


class Gated:
    """A real capture that delivers a frame only when the test lets it through."""

    def __init__(self, path):
        self._capture = cv2.VideoCapture(str(path))
        self.gate = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)
        self.released = False

    def read(self):
        self.asked.release()
        self.gate.acquire()
        return self._capture.read()

    def get(self, which):
        return self._capture.get(which)

    def release(self):
        self.released = True
        self._capture.release()

    def deliver(self, count):
        """Let `count` frames through; return when the capture thread has stored the last of them."""
        for _ in range(count):
            self.gate.release()
            # The thread asks for the next frame only after it has put this one away.
            assert self.asked.acquire(timeout=20)


@pytest.fixture
def gated(clip):
    capture = Gated(clip)
    source = LiveSource(capture, "clip as camera", patience_s=20)
    assert capture.asked.acquire(timeout=20)
    yield capture, source
    capture.gate.release(100)
    source.close()
    assert capture.released


def test_a_consumer_that_keeps_up_gets_every_frame(gated):
    capture, source = gated
    frames = iter(source)
    got = []
    for _ in range(5):
        capture.deliver(1)
        got.append(next(frames))
    assert [frame.index for frame in got] == [0, 1, 2, 3, 4]
    assert source.dropped == 0
    assert [frame.ts_ms for frame in got] == sorted(frame.ts_ms for frame in got)
    assert int(got[4].image[2, 2].mean()) == pytest.approx(32, abs=4)


def test_a_slow_consumer_gets_the_newest_and_the_rest_is_counted(gated):
    capture, source = gated
    frames = iter(source)
    capture.deliver(1)
    assert next(frames).index == 0
    capture.deliver(7)
    newest = next(frames)
    assert newest.index == 7
    assert int(newest.image[2, 2].mean()) == pytest.approx(56, abs=4)
    assert source.dropped == 6
    capture.deliver(2)
    assert next(frames).index == 9
    assert source.dropped == 7


def test_a_consumer_waits_for_a_frame_and_never_gets_one_twice(gated):
    capture, source = gated
    frames = iter(source)
    capture.deliver(1)
    next(frames)
    got = []
    reader = threading.Thread(target=lambda: got.append(next(frames)))
    reader.start()
    reader.join(0.3)
    assert got == []
    capture.deliver(1)
    reader.join(20)
    assert [frame.index for frame in got] == [1]


def test_a_free_running_capture_accounts_for_every_frame(clip):
    """No gate: whatever the threads do, delivered and dropped add up."""
    source = LiveSource(cv2.VideoCapture(str(clip)), "clip as camera")
    frames = iter(source)
    got = [next(frames)]
    assert source.wait_until_ended(20)
    with pytest.raises(SourceLostError, match="stopped delivering after 24 frames"):
        got.extend(frames)
    assert got[-1].index == 23
    assert len(got) + source.dropped == 24
    assert len(got) <= 2
    source.close()


def test_a_camera_that_delivers_nothing_is_lost(clip):
    capture = Gated(clip)
    source = LiveSource(capture, "silent", patience_s=0.2)
    with pytest.raises(SourceLostError, match="'silent': no frame for"):
        next(iter(source))
    capture.gate.release(100)
    source.close()


def test_a_camera_without_a_frame_does_not_hold_up_other_sources(gated, tiny_clips):
    """It delivers for the first time when the other source is at its end."""
    capture, camera = gated
    seen = []

    def open_the_gate_at_the_end(frame, prediction, event):
        seen.append((prediction.source, frame.index))
        if seen[-1] == ("synthetic:8x8@10x50", 49):
            capture.gate.release(100)

    with open_source("synthetic:8x8@10x50") as other, pytest.raises(SourceLostError, match="after 24 frames"):
        stream([camera, other], tiny_clips.model(), [watch(open_the_gate_at_the_end)])
    assert seen[0] == ("synthetic:8x8@10x50", 0)
    assert seen[-1] == ("clip as camera", 23)


def test_ready_tells_whether_a_frame_waits(gated):
    capture, source = gated
    assert not source.ready()
    capture.deliver(1)
    assert source.ready()
    next(iter(source))
    assert not source.ready()
    source.stop()
    assert source.ready()


def test_stop_ends_a_waiting_consumer(gated):
    _, source = gated
    got = []
    reader = threading.Thread(target=lambda: got.extend(source))
    reader.start()
    source.stop()
    reader.join(20)
    assert not reader.is_alive()
    assert got == []


def test_closing_ends_the_thread_and_releases_the_camera(clip):
    capture = Gated(clip)
    source = LiveSource(capture, "clip as camera")
    capture.gate.release(100)
    source.close()
    source.close()
    assert capture.released
    assert not source._thread.is_alive()
