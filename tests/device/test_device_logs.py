"""The log: one line an entry, machine readable where asked for, no flood, and no secret in it."""

import io
import json
import logging
import os
import subprocess
import sys

import pytest

from rnnedge_device.errors import InputError
from rnnedge_device.logs import LineFormatter, RateLimit, log_to
from rnnedge_device.redaction import _declared, declare_secret, redact
from rnnedge_device.sinks.secret import read_secret
from rnnedge_device.web.secret import Secret

LOG = logging.getLogger("rnnedge.test")


def written(form, *calls, **options):
    stream = io.StringIO()
    with log_to(stream, form, **options):
        for call in calls:
            call()
    return stream.getvalue().splitlines()


def test_a_line_for_people():
    (line,) = written(
        "text", lambda: LOG.warning("no frame for %.1f s", 2, extra={"camera": "front door", "n": 3})
    )
    assert line[10] == "T"
    assert line.split(" ", 1)[1] == 'warning rnnedge.test: no frame for 2.0 s camera="front door" n=3'


def test_a_line_for_machines():
    (line,) = written("json", lambda: LOG.error("lost", extra={"camera": "door", "age_s": 1.5}))
    found = json.loads(line)
    assert found.pop("ts").endswith("Z")
    assert found == {
        "level": "error",
        "logger": "rnnedge.test",
        "message": "lost",
        "camera": "door",
        "age_s": 1.5,
    }


def test_a_line_for_the_journal(tmp_path, monkeypatch):
    """Chosen by itself where systemd says that the journal reads this very file."""
    path = tmp_path / "err"
    with path.open("w") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        with log_to(stream):
            LOG.info("started")
            LOG.error("lost")
        with log_to(stream, level="error"):
            LOG.info("not told")
    assert path.read_text().splitlines() == ["<6>rnnedge.test: started", "<3>rnnedge.test: lost"]
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    with path.open("w") as stream, log_to(stream):
        LOG.info("started")
    assert path.read_text()[0] == "2"


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_entry_is_one_line_whatever_is_in_it(form):
    def fail():
        try:
            raise RuntimeError("a\nb")
        except RuntimeError:
            LOG.exception("odd \x1b[31m name\n2024-01-01T00:00:00Z info forged: entry", extra={"x": 'a"\nb'})

    lines = written(form, fail)
    assert len(lines) == 1
    assert "RuntimeError" in lines[0]
    assert "\x1b" not in lines[0]


def test_repeats_are_counted_and_summed_up():
    def flood():
        for number in range(1000):
            LOG.warning("frame %d is corrupt", number, extra={"camera": "door"})
            LOG.warning("frame %d is corrupt", number, extra={"camera": "hall"})
        LOG.warning("something else")

    lines = written("text", flood, burst=3)
    assert len(lines) == 3 + 3 + 1 + 2
    assert lines[6].endswith("something else")
    assert [line.split(": ", 1)[1] for line in lines[7:]] == [
        f"frame 999 is corrupt camera={camera} repeated=997" for camera in ("door", "hall")
    ]


def test_a_sum_is_told_when_its_window_is_over_and_then_it_begins_anew():
    now, told = [0.0], []
    limit = RateLimit(
        lambda record: told.append((record.getMessage(), record.repeated)), 2, 60, lambda: now[0]
    )

    def say(text):
        return limit.filter(logging.makeLogRecord({"name": "a", "levelno": 30, "msg": text}))

    assert [say("x") for _ in range(5)] == [True, True, False, False, False]
    now[0] = 59.0
    assert (say("y"), told) == (True, [])
    now[0] = 60.0
    assert (say("z"), told) == (True, [("x", 3)])
    assert [say("x") for _ in range(3)] == [True, True, False]
    limit.flush()
    assert told == [("x", 3), ("x", 1)]
    limit.flush()
    assert len(told) == 2


def test_a_flood_of_unlike_messages_is_a_flood_too():
    lines = written("text", lambda: [LOG.warning(f"unlike {number}") for number in range(5000)])
    assert len(lines) < 520


@pytest.mark.parametrize(
    ("text", "hidden", "kept"),
    [
        ("lost rtsp://admin:12@34@10.0.0.7:554/live", "12@34", "@10.0.0.7:554/live"),
        ("GET http://host/api?token=abcdef&camera=door", "abcdef", "&camera=door"),
        ('{"password": "two words", "user": "x"}', "two words", '"user": "x"'),
        ("Authorization: Bearer abc.def.ghi", "abc.def", "Bearer"),
        ("X-Api-Key: 12345678", "12345678", "Api-Key"),
        ("mqtt password='hidden away'", "hidden away", "mqtt"),
        ("bearer abcdefghijkl sent", "abcdefghijkl", "sent"),
    ],
)
def test_secrets_are_hidden(text, hidden, kept):
    found = redact(text)
    assert hidden not in found
    assert kept in found


def test_what_is_no_secret_stays():
    for text in (
        "rtsp://10.0.0.7/live@2",
        "password_file=/etc/rnnedge/mqtt",
        "5 tokens decoded",
        "mail@example.org",
    ):
        assert redact(text) == text


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_declared_secret_is_nowhere_in_the_log(form):
    declare_secret("correct horse")
    try:

        def say():
            LOG.info(
                "it is %s", "correct horse", extra={"seen": ["correct horse"], "token": "abcdef", "n": 4}
            )
            try:
                raise ValueError("correct horse")
            except ValueError:
                LOG.exception("failed")

        text = "\n".join(written(form, say))
    finally:
        _declared.clear()
    assert "horse" not in text
    assert "abcdef" not in text
    assert text.count("***") >= 4
    declare_secret("abc")  # would be found everywhere
    assert redact("abc") == "abc"


def test_what_is_read_from_a_secrets_file_is_a_secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text("pure-gold-4711-mine\n")
    path.chmod(0o600)
    try:
        for read in (lambda: read_secret(str(path), "mqtt: password_file"), lambda: Secret.read(path)):
            _declared.clear()
            read()
            assert redact("refused: pure-gold-4711-mine") == "refused: ***"
    finally:
        _declared.clear()


def test_nothing_is_left_behind():
    root = logging.getLogger("rnnedge")
    before = list(root.handlers), root.level, root.propagate
    written("text", lambda: LOG.info("x"))
    assert (list(root.handlers), root.level, root.propagate) == before


def test_no_line_is_lost_while_models_load(tiny, tmp_path):
    """Loading sends the runtime's chatter on descriptor 2 away; the log has a descriptor of its own."""
    model = tmp_path / "loop.tflite"
    model.write_bytes(tiny.models["loop"])
    code = (
        "import sys, threading, logging\n"
        "from rnnedge_device.interpreter import load_model\n"
        "from rnnedge_device.logs import log_to\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "def load(): [load_model(data) for _ in range(100)]\n"
        "with log_to(sys.stderr, 'text', burst=10**6) as logger:\n"
        "    threads = [threading.Thread(target=load) for _ in range(3)]\n"
        "    [thread.start() for thread in threads]\n"
        "    count = 0\n"
        "    while any(thread.is_alive() for thread in threads) and count < 10**5:\n"
        "        logger.info('line %d', count); count += 1\n"
        "    [thread.join() for thread in threads]\n"
        "print(count); print('after', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("rnnedge: line ") == int(done.stdout) > 0
    assert done.stderr.endswith("after\n")


@pytest.mark.parametrize("options", [{"form": "xml"}, {"level": "loud"}, {"burst": 0}, {"window_s": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError), log_to(io.StringIO(), **options):
        pass


def test_the_formatter_takes_records_of_other_libraries():
    record = logging.LogRecord("aiohttp", logging.INFO, __file__, 1, "%s", ("x",), None)
    assert LineFormatter("journal").format(record) == "<6>aiohttp: x"
