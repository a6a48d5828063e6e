"""The runner as a service: what systemd hears over a real socket, and what it makes of the unit file."""

import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from rnnedge_device.errors import InputError
from rnnedge_device.service import Notifier, Watchdog, unit_text
from rnnedge_device.service.watchdog import Liveness, status_line

# In place of rnnedge-run, which may lie anywhere: a checkout in /tmp would be refused.
PROGRAM = ["/usr/bin/env"]
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


@pytest.fixture
def manager(tmp_path):
    """A service manager's end of the line: (socket, environment)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        yield listening, {"NOTIFY_SOCKET": str(tmp_path / "notify")}


class Runner:
    """The part of a runner's status that the watchdog reads, set by hand."""

    def __init__(self, **states):
        self.progress = 0
        self.cameras = {name: {"state": state, "restarts": 0} for name, state in states.items()}

    def snapshot(self):
        return {"cameras": {name: dict(camera) for name, camera in self.cameras.items()}}


def test_the_words_are_systemds(manager):
    listening, environ = manager
    with Notifier(environ) as notifier:
        notifier.ready("2 cameras,\nall well")
        notifier.reloading()
        notifier.status("door: running 15.0 fps")
        notifier.watchdog()
        notifier.stopping()
        told = [listening.recv(4096).decode() for _ in range(5)]
    assert told[0] == "READY=1\nSTATUS=2 cameras, all well"
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", told[1])
    assert abs(int(told[1].rpartition("=")[2]) / 1e6 - time.monotonic()) < 60
    assert told[2:] == ["STATUS=door: running 15.0 fps", "WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_socket_is_found():
    name = f"rnnedge-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(30)
        with Notifier({"NOTIFY_SOCKET": "@" + name}) as notifier:
            notifier.ready()
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "relative", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_happens(address):
    with Notifier({} if address is None else {"NOTIFY_SOCKET": address}) as notifier:
        notifier.ready()
        notifier.watchdog()
    notifier.close()
    notifier.stopping()


def test_a_manager_that_does_not_read_does_not_block(manager):
    _, environ = manager
    with Notifier(environ) as notifier:
        for _ in range(5000):
            notifier.status("x" * 200)


def test_the_watchdogs_time_is_for_this_process():
    mine = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(mine).watchdog_s == 30
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_s == 30
    for other in (
        {},
        {**mine, "WATCHDOG_PID": "1"},
        {**mine, "WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
    ):
        assert Notifier(other).watchdog_s is None


def test_frames_are_life_and_a_running_camera_without_is_none():
    runner, liveness = Runner(door="running", hall="running"), Liveness()
    answers = []
    for second in range(6):
        runner.progress += second < 3
        answers.append(liveness.alive(runner, second * 20.0))
    assert answers == [True, True, True, False, False, False]
    runner.progress += 1
    assert liveness.alive(runner, 120.0)


def test_a_camera_that_recovers_is_life_up_to_its_budget():
    runner, liveness = Runner(door="recovering"), Liveness(patience_s=60, budget=3)
    runner.progress = 1
    assert liveness.alive(runner, 0.0)
    answers = []
    for number in range(1, 6):
        runner.cameras["door"]["restarts"] += 1
        answers.append(liveness.alive(runner, number * 50.0))
    assert answers == [True, True, True, False, False]
    runner.progress += 1  # it came back: its budget is whole again
    assert liveness.alive(runner, 300.0)
    runner.cameras["door"]["restarts"] += 1
    assert liveness.alive(runner, 350.0)


@pytest.mark.parametrize("state", ["starting", "recovering"])
def test_a_camera_that_hangs_while_it_is_opened_is_no_life_for_ever(state):
    runner, liveness = Runner(door=state), Liveness(patience_s=60)
    liveness.alive(runner, 0.0)
    assert [liveness.alive(runner, now) for now in (20.0, 40.0, 60.0, 80.0, 100.0)] == [True] * 3 + [
        False
    ] * 2


def test_one_that_recovers_does_not_cover_one_that_hangs():
    runner, liveness = Runner(door="recovering", hall="running"), Liveness()
    liveness.alive(runner, 0.0)
    assert not liveness.alive(runner, 20.0)


def test_cameras_that_have_ended_are_no_trouble():
    runner, liveness = Runner(door="stopped", hall="failed"), Liveness()
    assert [liveness.alive(runner, now) for now in (0.0, 500.0, 1000.0)] == [True] * 3


def test_pings_stop_with_the_frames_and_come_back_with_them(manager):
    listening, environ = manager
    runner = Runner(door="running")
    environ = {**environ, "WATCHDOG_USEC": "30000"}

    def until(word):
        for _ in range(5000):
            said = listening.recv(4096).decode()
            if word in said:
                return said
        raise AssertionError(f"no {word}")

    with Notifier(environ) as notifier, Watchdog(runner, notifier):
        runner.progress += 1
        until("WATCHDOG=1")
        assert until("NO PROGRESS").startswith("STATUS=NO PROGRESS; door: running")
        # From here on there is nothing but the status, until a frame is answered.
        assert all("WATCHDOG" not in listening.recv(4096).decode() for _ in range(5))
        runner.progress += 1
        until("WATCHDOG=1")


def test_without_a_manager_there_is_no_thread():
    with Notifier({}) as notifier, Watchdog(Runner(door="running"), notifier) as watchdog:
        assert not watchdog._thread.is_alive()


def test_the_status_line_is_for_people():
    snapshot = {
        "cameras": {"door": {"state": "running", "fps": 14.96}, "hall": {"state": "recovering", "fps": 0.0}}
    }
    assert status_line(snapshot) == "door: running 15.0 fps; hall: recovering"


def settings(text):
    return [line for line in text.splitlines() if line and line[0] not in "#["]


def test_the_unit_opens_cameras_and_nothing_else():
    lines = settings(unit_text(["/etc/rnnedge/runner.toml"], program=PROGRAM))
    assert [line for line in lines if line.startswith("DeviceAllow")] == ["DeviceAllow=char-video4linux rw"]
    for line in (
        "Type=notify",
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "DevicePolicy=closed",
        "WatchdogSec=60",
    ):
        assert line in lines
    assert not [
        line for line in settings(unit_text([], "none", program=PROGRAM)) if line.startswith("DeviceAllow")
    ]
    assert "DeviceAllow=char-dma_heap rw" in unit_text([], "picamera2", program=PROGRAM)


def test_the_command_prints_the_unit_of_itself(bundle_path, run_cli, monkeypatch, tmp_path):
    home = tmp_path / "etc"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setattr("rnnedge_device.service.unit._PRIVATE", ())  # pytest's folder is in /tmp
    shutil.copy(bundle_path, "own%bundle.rnnedge")
    code, out, _ = run_cli("own%bundle.rnnedge", "--source", "0", "--print-unit", "--jsonl", "a b")
    assert code == 0
    command = next(line for line in out.splitlines() if line.startswith("ExecStart="))
    assert f'"{home}/own%%bundle.rnnedge" --source 0 --jsonl "a b"' in command
    assert "--print-unit" not in command


@pytest.mark.parametrize(
    ("source", "devices"),
    [("picamera1:640x480@30", 3), ("picamera", 3), ("0", 1), ("rtsp://picamera/live", 1)],
)
def test_the_unit_opens_the_devices_of_a_configs_cameras(source, devices, run_cli, tmp_path, monkeypatch):
    monkeypatch.setattr("rnnedge_device.service.unit._PRIVATE", ())
    (tmp_path / "a.toml").write_text(
        f'[[camera]]\nname = "door"\nsource = "{source}"\nbundle = "a.rnnedge"\n'
    )
    code, out, _ = run_cli("--config", tmp_path / "a.toml", "--print-unit")
    assert (code, out.count("\nDeviceAllow=")) == (0, devices)
    code, again, _ = run_cli("b.rnnedge", "--source", source, "--print-unit")
    assert (code, again.count("\nDeviceAllow=")) == (0, devices)


def test_the_files_of_a_config_are_looked_at(run_cli, tmp_path, monkeypatch, bundle_path):
    config = tmp_path / "a.toml"

    def unit(bundle):
        config.write_text(f'[[camera]]\nname = "door"\nsource = "0"\nbundle = "{bundle}"\n')
        return run_cli("--config", config, "--print-unit")

    monkeypatch.setattr("rnnedge_device.service.unit._PRIVATE", ())
    code, _, err = unit(tmp_path / "gone.rnnedge")
    assert (code, "gone.rnnedge': there is no such file" in err) == (2, True)
    (tmp_path / "python").symlink_to("/home/pi/.pyenv/bin/python3.11")
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    code, out, _ = unit(bundle_path)
    assert (code, "ProtectHome=yes" in out) == (0, True)
    # A bundle in somebody's home has to be seen, wherever the config is.
    monkeypatch.setattr("os.path.isfile", lambda path: True)
    code, out, _ = unit("/home/pi/a.rnnedge")
    assert (code, "ProtectHome=read-only" in out) == (0, True)
    # So has an interpreter that a virtual environment only links to.
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    code, out, _ = unit(bundle_path)
    assert (code, "ProtectHome=read-only" in out) == (0, True)


def test_what_a_service_cannot_see_is_refused(bundle_path, run_cli):
    code, _, err = run_cli("/tmp/model.rnnedge", "--source", "0", "--print-unit")
    assert (code, "a /tmp of its own" in err) == (2, True)
    for wrong in ({"cameras": "film"}, {"description": "a\nb"}, {"arguments": ["a\nExecStartPre=/bin/sh"]}):
        with pytest.raises(InputError):
            unit_text(**{"arguments": [], **wrong})


@needs_systemd
@pytest.mark.parametrize("cameras", ["v4l2", "picamera2", "none"])
def test_systemd_understands_the_unit(cameras, tmp_path):
    path = tmp_path / "rnnedge.service"
    path.write_text(unit_text(["/etc/rnnedge/a $b %c.toml"], cameras, program=PROGRAM))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_systemd_calls_the_unit_safe(tmp_path):
    """An exposure of 0 to 10; services without hardening have 9.6."""
    path = tmp_path / "rnnedge.service"
    path.write_text(unit_text(["/etc/rnnedge/runner.toml"], program=PROGRAM))
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "offline" in done.stderr:
        pytest.skip("this systemd cannot judge a file that is not installed")
    assert done.returncode == 0, done.stdout[-200:]
