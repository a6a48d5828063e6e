"""Webhooks with a real server: down, slow, out of order, refusing; a runner that is killed."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from pydantic import ValidationError
from sink_parts import HookServer, event, ids, once, step, wait_until

from rnnedge_device.errors import InputError
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.webhook import Webhook, WebhookOptions, _retry_after


@pytest.fixture
def server():
    server = HookServer()
    server.start()
    yield server
    server.gate.set()
    server.stop()


def open_webhook(url, **options):
    return Webhook(WebhookOptions(url=url, **{"timeout_s": 20.0, "retry_s": 0.1, **options}))


def test_lines_are_posted_in_order(server):
    with open_webhook(server.url, events=["event"]) as sink:
        for number in range(50):
            sink.put(event(number))
            sink.put(step(number))
        sink.put(Message("door", {"ts_ms": 0.0, "health": "lost", "id": "run-door-50"}))
    assert server.ids() == ids(50)
    assert sink.status() == {"queued": 0, "sent": 50, "lost": 0, "failing": None}
    headers, body = server.received[0]
    assert json.loads(body) == event(0).line
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "run-door-0"
    assert "X-Rnnedge-Signature" not in headers


def test_a_name_in_any_script_gets_through(server):
    with open_webhook(server.url) as sink:
        sink.put(event(0, camera="Tür 1\r\n"))
    headers, body = server.received[0]
    assert json.loads(body)["id"] == "run-Tür 1\r\n-0"
    assert headers["Idempotency-Key"] == "run-T%C3%BCr 1%0D%0A-0"


def test_a_server_that_is_down_gets_everything_when_it_is_back():
    server = HookServer()
    sink = open_webhook(server.url)
    for number in range(20):
        sink.put(event(number))
    wait_until(lambda: "refused" in str(sink.status()["failing"]), "the absence is reported")
    assert sink.status()["queued"] == 20
    server.start()
    wait_until(lambda: sink.status()["sent"] == 20, "all lines are taken")
    sink.close()
    server.stop()
    assert server.ids() == ids(20)
    assert sink.status() == {"queued": 0, "sent": 20, "lost": 0, "failing": None}


def test_a_server_that_goes_and_comes_while_events_flow_loses_none(server):
    sink = open_webhook(server.url)
    for number in range(300):
        sink.put(event(number))
        if number % 100 == 50:
            wait_until(lambda number=number: sink.status()["sent"] > number - 40, "lines flow")
            server.stop()
        elif number % 100 == 70:
            server.start()
    wait_until(lambda: sink.status()["sent"] == 300, "all lines are taken")
    sink.close()
    assert once(server.ids()) == ids(300)
    assert sink.status()["lost"] == 0


def test_answers_that_pass_are_waited_for_in_order(server):
    # Whoever mends a wrong path or token must find what came meanwhile.
    passing = [500, 502, 503, 429, 408, 404, 401, 301]
    server.answers.extend((status, {"Location": "/elsewhere"}) for status in passing)
    with open_webhook(server.url) as sink:
        for number in range(3):
            sink.put(event(number))
        wait_until(lambda: sink.status()["sent"] == 3, "all lines are taken")
    assert server.ids() == [*ids(1) * len(passing), *ids(3)]
    assert server.taken == ids(3)


def test_a_busy_server_says_when_to_come_back(server):
    server.answers.append((429, {"Retry-After": "1"}))
    with open_webhook(server.url) as sink:
        begin = time.monotonic()
        sink.put(event(0))
        wait_until(lambda: sink.status()["sent"] == 1, "the line is taken")
    # No earlier than asked for; a busy machine makes it later, never earlier.
    assert time.monotonic() - begin >= 1
    assert server.ids() == ids(1) * 2


def test_how_long_retry_after_means():
    assert _retry_after("7") == 7
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert 3590 < _retry_after("Fri, 31 Dec 9999 23:59:59 GMT") <= 3600
    assert [_retry_after(text) for text in ("", "soon", "-3", "nan", "inf")] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_line_that_is_refused_is_counted_and_holds_no_other_up(server, status):
    server.answers.append((status, {}))
    with open_webhook(server.url) as sink:
        sink.put(event(0))
        sink.put(event(1))
        wait_until(lambda: sink.status()["sent"] == 1, "the second line is taken")
        assert sink.status() == {"queued": 0, "sent": 1, "lost": 1, "failing": None}
    assert server.ids() == ids(2)


def test_a_server_that_hangs_holds_nobody_up(server):
    server.gate.clear()
    sink = open_webhook(server.url, queue=5000)
    for number in range(200):
        sink.put(event(number))
    assert server.taken == []
    assert sink.status()["queued"] == 200
    server.gate.set()
    sink.close(60)
    assert once(server.ids()) == ids(200)


def test_an_answer_that_comes_too_late_makes_a_double_with_the_same_id(server):
    server.gate.clear()
    sink = open_webhook(server.url, timeout_s=0.5)
    sink.put(event(0))
    wait_until(lambda: len(server.received) >= 2, "the line is sent again")
    assert "Timeout" in str(sink.status()["failing"])
    server.gate.set()
    wait_until(lambda: sink.status()["sent"] == 1, "the line is taken")
    sink.close()
    assert set(server.ids()) == set(ids(1))
    assert {headers["Idempotency-Key"] for headers, _ in server.received} == set(ids(1))


def test_a_runner_killed_while_the_server_is_slow_loses_no_event(server, tmp_path):
    spool = tmp_path / "hook.spool"
    code = f"""
import sys, time
sys.path.insert(0, {os.path.dirname(__file__)!r})
from sink_parts import event, wait_until
from rnnedge_device.sinks.webhook import Webhook, WebhookOptions
sink = Webhook(WebhookOptions(url={server.url!r}, spool={str(spool)!r}))
for number in range(100):
    sink.put(event(number))
wait_until(lambda: sink.backlog.pending == 0, "all lines are on disk")
print("ready", flush=True)
time.sleep(60)
"""
    # A dozen are answered, then the server hangs with one request in its hands.
    slow = threading.Thread(
        target=lambda: (wait_until(lambda: len(server.taken) >= 12, "some"), server.gate.clear())
    )
    slow.start()
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    slow.join()
    child.send_signal(signal.SIGKILL)
    child.wait()
    server.gate.set()
    with open_webhook(server.url, spool=str(spool)) as sink:
        sink.put(event(100))
        wait_until(lambda: sink.status()["queued"] == 0, "the spool is empty")
        assert sink.status()["lost"] == 0
    assert once(server.ids()) == ids(101)
    assert len(server.ids()) - 101 <= 2  # what was on its way, and what was taken but not yet crossed out


def test_a_receiver_can_check_who_sent_it(server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a long secret\n")
    with open_webhook(server.url, secret_file=str(secret)) as sink:
        sink.put(event(0, text="Füße"))
    headers, body = server.received[0]
    signed = headers["X-Rnnedge-Timestamp"].encode() + b"." + body
    expected = hmac.new(b"a long secret", signed, hashlib.sha256).hexdigest()
    assert headers["X-Rnnedge-Signature"] == f"sha256={expected}"
    assert abs(int(headers["X-Rnnedge-Timestamp"]) - time.time()) < 600


def test_no_secret_is_shown(caplog):
    server = HookServer()
    caplog.set_level("DEBUG", "rnnedge_device")
    caplog.set_level("INFO", "httpx")
    sink = open_webhook(f"http://user:pass-word@127.0.0.1:{server.port}/hook?token=s3cret")
    sink.put(event(0))
    wait_until(lambda: sink.status()["failing"], "the absence is reported")
    shown = str(sink.status())
    server.start()
    wait_until(lambda: sink.status()["sent"] == 1, "the line is taken")
    sink.close()
    server.stop()
    assert server.received[0][0]["Authorization"].startswith("Basic ")
    assert caplog.records
    for secret in ("pass-word", "s3cret"):
        assert secret not in shown + caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": 1},
        {"url": "ftp://host/a"},
        {"url": "hook"},
        {"url": "http://host:99999/"},
        {"events": []},
        {"events": ["step"]},
        {"timeout_s": 0},
    ],
)
def test_options_refuse_what_they_do_not_know(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        WebhookOptions(**{"url": "http://127.0.0.1/", **wrong})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secret_file": "/no/such/file"}, "secret_file = '/no/such/file': cannot be read"),
        ({"secret_file": "/dev/null"}, "is empty"),
        ({"ca": "/no/such/file"}, "ca = '/no/such/file': cannot be used"),
        ({"spool": "/no/such/folder/spool"}, "cannot be opened"),
    ],
)
def test_what_cannot_be_used_is_named_at_once(options, message):
    with pytest.raises(InputError, match=message):
        Webhook(WebhookOptions(url="http://127.0.0.1/", **options))
