"""JSON lines of a service: appended, rotated, through crashes, full disks and disks that hang."""

import json
import os
import resource
import signal
import subprocess
import sys

import pytest
from pydantic import ValidationError
from sink_parts import event, fill, ids, small_disk, step, wait_until

from rnnedge_device.errors import InputError
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.sinks.rotating import JsonlOptions, RotatingLines


def open_lines(path, **options):
    return RotatingLines(JsonlOptions(path=str(path), **options), backoff=Backoff(0.02, 0.1))


def read(path):
    """The lines of all of a log's files, the oldest first; each must be whole."""
    numbered = sorted(path.parent.glob(f"{path.name}.*"), key=lambda each: -int(each.suffix[1:]))
    text = "".join(each.read_text() for each in [*numbered, path])
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def read_ids(path):
    return [line["id"] for line in read(path) if "id" in line]


def test_lines_are_appended_and_a_new_start_goes_on(tmp_path):
    path = tmp_path / "events.jsonl"
    for start in (0, 5):
        with open_lines(path) as sink:
            for number in range(start, start + 5):
                sink.put(step(number))
                sink.put(event(number))
    assert read_ids(path) == ids(10)
    assert len(read(path)) == 20
    assert sink.status() == {"queued": 0, "sent": 10, "lost": 0, "failing": None, "skipped": 0}


def test_steps_can_be_left_out(tmp_path):
    with open_lines(tmp_path / "a.jsonl", steps=False) as sink:
        sink.put(step(0))
        sink.put(event(0))
    assert read(tmp_path / "a.jsonl") == [event(0).line]


def test_files_are_rotated_at_their_size_and_the_oldest_go(tmp_path):
    path = tmp_path / "events.jsonl"
    with open_lines(path, max_bytes=1000, keep=3) as sink:
        for number in range(200):
            sink.put(event(number))
    assert sorted(os.listdir(tmp_path)) == ["events.jsonl", *(f"events.jsonl.{n}" for n in (1, 2, 3))]
    assert all((tmp_path / name).stat().st_size <= 1000 for name in os.listdir(tmp_path))
    found = read_ids(path)
    assert found == ids(200)[-len(found) :]  # no gap between the files
    assert len(found) > 25


def test_a_line_longer_than_a_file_is_written_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    with open_lines(path, max_bytes=100, keep=9) as sink:
        for number in range(3):
            sink.put(event(number, text="x" * 500))
    assert read_ids(path) == ids(3)


@pytest.mark.parametrize(
    ("end", "kept"), [('{"id": "run-door-1", "tor', 1), ('{"id": "run-door-1"}', 2), ("", 1)]
)
def test_a_line_torn_by_a_crash_is_cut_off(tmp_path, end, kept):
    path = tmp_path / "events.jsonl"
    path.write_text('{"id": "run-door-0"}\n' + end)
    with open_lines(path) as sink:
        sink.put(event(2))
    assert read_ids(path) == [*ids(kept), "run-door-2"]


def test_a_file_that_someone_moves_is_begun_anew(tmp_path):
    path = tmp_path / "events.jsonl"
    with open_lines(path) as sink:
        sink.put(event(0))
        wait_until(lambda: sink.status()["sent"] == 1, "the first line is written")
        path.rename(tmp_path / "events.jsonl.1")  # as logrotate does
        sink.put(event(1))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ids(2)[1:]
    assert read_ids(path) == ids(2)


def test_a_full_disk_is_reported_and_nothing_promised_is_lost(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "events.jsonl"
        sink = open_lines(path)
        sink.put(event(0))
        wait_until(lambda: sink.status()["sent"] == 1, "the first line is written")
        filler = fill(disk)
        for number in range(1, 300):
            sink.put(event(number))
        wait_until(lambda: "No space left" in str(sink.status()["failing"]), "the full disk is reported")
        sink.put(step(0))
        assert sink.status()["lost"] == 0
        assert sink.status()["skipped"] == 1  # no room is given to steps
        assert sink.status()["queued"] + sink.status()["sent"] == 300
        read(path)  # whole lines only
        filler.unlink()
        wait_until(lambda: sink.status()["sent"] == 300, "all lines are written")
        assert sink.status()["failing"] is None
        sink.close()
        assert read_ids(path) == ids(300)


def test_a_disk_that_stays_full_loses_the_oldest_beyond_the_bound(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "events.jsonl"
        sink = open_lines(path, queue=50)
        fill(disk)
        sink.put(event(0))
        wait_until(lambda: sink.status()["failing"], "the full disk is reported")
        for number in range(1, 80):
            sink.put(event(number))
        assert (sink.status()["queued"], sink.status()["lost"]) == (50, 30)
        sink.close(0.5)
        assert sink.status()["lost"] == 80
        assert read(path) == []


def test_half_a_line_is_cut_off_again_at_a_files_limit(tmp_path):
    """The same without the right to mount: the system allows the process's files a size only."""
    path = tmp_path / "events.jsonl"
    code = f"""
import resource, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from sink_parts import event, wait_until
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.sinks.rotating import JsonlOptions, RotatingLines
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
sink = RotatingLines(JsonlOptions(path={str(path)!r}), backoff=Backoff(0.02, 0.1))
for number in range(100):
    sink.put(event(number))
wait_until(lambda: "too large" in str(sink.status()["failing"]), "the limit is reported")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
wait_until(lambda: sink.status()["sent"] == 100, "all lines are written")
sink.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read_ids(path) == ids(100)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000  # of this process


def test_a_disk_that_hangs_holds_nobody_up(tmp_path):
    """A pipe that nobody reads: writing hangs once it is full."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    sink = open_lines(path, steps=False)
    for number in range(3000):  # some 300 kB, far more than a pipe holds
        sink.put(event(number))
    assert sink.status()["queued"] > 0
    with path.open("rb", buffering=0) as pipe:
        text = b""
        while text.count(b"\n") < 3000:
            text += pipe.read(65536)
    sink.close()
    assert [json.loads(line)["id"] for line in text.splitlines()] == ids(3000)


def test_what_was_written_outlives_a_killed_process(tmp_path):
    path = tmp_path / "events.jsonl"
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from sink_parts import event
from rnnedge_device.sinks.rotating import JsonlOptions, RotatingLines
sink = RotatingLines(JsonlOptions(path={str(path)!r}))
for number in range(10_000_000):
    sink.put(event(number))
    if number % 100 == 0:
        print(sink.status()["sent"], flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    sent = 0
    while sent < 500:
        sent = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait()
    open_lines(path).close()  # mends the end
    found = read_ids(path)
    assert len(found) >= sent
    assert once_in_order(found)


def once_in_order(found):
    numbers = [int(each.rpartition("-")[2]) for each in found]
    return numbers == sorted(set(numbers))


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(InputError, match=r"path = .*cannot be written: Is a directory"):
        open_lines(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        open_lines(tmp_path / "no" / "a.jsonl")


@pytest.mark.parametrize(
    "wrong", [{"colour": 1}, {"path": ""}, {"max_bytes": 0}, {"keep": "5"}, {"queue": 0}]
)
def test_options_refuse_what_they_do_not_know(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        JsonlOptions(**{"path": "a.jsonl", **wrong})
