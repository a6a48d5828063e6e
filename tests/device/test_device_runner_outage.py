"""A whole runner while everything it tells is away: webhook servers and broker, all at once, for `RNNEDGE_AWAY_S`.

Two seconds by default; `make test-faults` takes the minute.
"""

import os
import time

import cv2
import numpy as np
import pytest
from http_camera import HttpCamera
from running import Running, assert_events_are_whole, camera
from sink_parts import MOSQUITTO, Broker, HookServer, Listener, once, wait_until
from tiny_clips import brightness

AWAY_S = float(os.environ.get("RNNEDGE_AWAY_S", "2"))
FPS = 30.0


def rising_and_falling():
    """Pictures of a film of five seconds, again and again."""
    number = 0
    while True:
        grey = round(brightness(number * 1000 / FPS % 5000))
        yield cv2.imencode(".jpg", np.full((48, 64, 3), grey, np.uint8))[1].tobytes()
        number += 1


@pytest.fixture
def hooks():
    servers = [HookServer(), HookServer()]
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.gate.set()
        server.stop()


def test_what_was_promised_waits_until_all_are_back(tmp_path, clip_bundle_path, hooks):
    network = HttpCamera(rising_and_falling, FPS)
    text = "[runner]\ndrain_s = 60.0\n\n" + camera("door", network.url, clip_bundle_path)
    for server, spool in zip(hooks, ("", f"spool = '{tmp_path / 'hook.spool'}'\n"), strict=True):
        text += f"[[webhook]]\nurl = '{server.url}'\nretry_s = 1.0\n{spool}\n"
    broker = Broker(tmp_path) if MOSQUITTO else None
    if broker:
        broker.start()
        listener = Listener(broker.port, "rnnedge/#")
        text += f"[mqtt]\nhost = '127.0.0.1'\nport = {broker.port}\nretry_s = 1.0\ndiscovery = ''\n"
        text += f"spool = '{tmp_path / 'mqtt.spool'}'\n"
    try:
        with network, Running(tmp_path / "a.toml", text) as running:
            running.wait_for(lambda: len(running.lines("door", "event")) >= 2)
            for server in hooks:
                server.stop()
            if broker:
                broker.kill()
            gone, count = time.monotonic(), len(running.lines("door", "event"))
            # For so long, and until there is something that has to wait.
            while time.monotonic() - gone < AWAY_S:
                time.sleep(0.1)
            running.wait_for(lambda: len(running.lines("door", "event")) >= count + 3)
            before = running.frames("door")
            # The model did not wait for anybody.
            running.wait_for(lambda: running.frames("door") > before + FPS)
            sinks = running.runner.status.snapshot()["sinks"]
            away = {name: sinks[name] for name in ("webhook", "webhook-2", "mqtt") if name in sinks}
            assert all(status["queued"] >= 3 and status["lost"] == 0 for status in away.values())
            if broker:
                broker.start()
            for server in hooks:
                server.start()
            told = [line["id"] for line in running.lines("door") if "id" in line]
            for server in hooks:
                wait_until(lambda server=server: set(told) <= set(server.ids()), "the server has all")
        told = [line["id"] for line in running.lines("door") if "id" in line]
        assert_events_are_whole(running.lines("door"))
        for server in hooks:
            assert once(server.ids()) == told
        if broker:
            wait_until(lambda: set(told) <= set(listener.ids()), "the listener has all")
            assert once(listener.ids()) == told
            listener.close()
    finally:
        if broker:
            broker.kill()
    sinks = running.runner.status.snapshot()["sinks"]
    assert [sinks[name]["lost"] for name in away] == [0] * len(away)
