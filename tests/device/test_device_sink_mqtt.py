"""MQTT with a real broker: killed, frozen, refusing, forgetting."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from sink_parts import Broker, Listener, event, ids, needs_mosquitto, once, running, step, wait_until

from rnnedge_device.errors import InputError
from rnnedge_device.sinks.discovery import announcement, camera_topic
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.mqtt import MqttOptions, MqttSink


@pytest.fixture
def broker(tmp_path):
    with running(Broker(tmp_path)) as broker:
        yield broker


def open_mqtt(port, **options):
    return MqttSink(MqttOptions(host="127.0.0.1", port=port, retry_s=1.0, **options))


def health(what, number=0):
    return Message("door", {"ts_ms": 0.0, "health": what, "detail": "", "id": f"run-door-{number}"})


@needs_mosquitto
def test_lines_go_where_their_kind_belongs(broker):
    listener = Listener(broker.port, "home/#")
    with open_mqtt(broker.port, topic="home/rnnedge") as sink:
        sink.put(event(0))
        sink.put(Message("door", {"ts_ms": 0.0, "label": "a dog", "reason": "interval", "id": "run-door-1"}))
        sink.put(health("lost", 2))
        sink.put(event(0, camera="a/b+c"))
        sink.put(Message("door", {}))
        wait_until(lambda: sink.status()["sent"] == 4, "all lines are acknowledged")
        assert sink.status() == {"queued": 0, "sent": 4, "lost": 0, "failing": None}
        sink.put(step(0))
        wait_until(lambda: listener.lines("/step"), "a step is heard")
    wait_until(lambda: listener.lines("a%2Fb%2Bc/event"), "the last line is heard")
    listener.close()
    told = {topic: json.loads(body) for topic, body, _ in listener.heard if "availability" not in topic}
    assert told == {
        "home/rnnedge/door/event": event(0).line,
        "home/rnnedge/door/caption": {
            "ts_ms": 0.0,
            "label": "a dog",
            "reason": "interval",
            "id": "run-door-1",
        },
        "home/rnnedge/door/health": health("lost", 2).line,
        "home/rnnedge/door/step": step(0).line,
        "home/rnnedge/a%2Fb%2Bc/event": event(0, camera="a/b+c").line,
    }


@needs_mosquitto
def test_a_broker_killed_again_and_again_loses_no_event(broker):
    listener = Listener(broker.port, "rnnedge/#")
    sink = open_mqtt(broker.port)
    kills = 3
    for number in range(400):
        sink.put(event(number))
        if number % 100 == 50 and number // 100 < kills:
            # Who is away while the broker is killed is the broker's to remember, not the sink's.
            wait_until(lambda number=number: f"run-door-{number - 30}" in str(listener.heard), "lines flow")
            broker.kill()
            for more in range(10):
                sink.put(step(more))
        elif number % 100 == 80 and number // 100 < kills:
            wait_until(lambda: sink.status()["failing"], "the loss is reported")
            broker.start()
    wait_until(lambda: sink.status()["sent"] == 400, "all lines are acknowledged")
    assert sink.status() == {"queued": 0, "sent": 400, "lost": 0, "failing": None}
    sink.close()
    wait_until(
        lambda: "run-door-399" in [line["id"] for line in listener.lines("/event")], "the last is heard"
    )
    listener.close()
    assert once([line["id"] for line in listener.lines("/event")]) == ids(400)
    # The broker has doubles of its own for the listener, so that it is asked how often it was told.
    assert 0 <= broker.published("rnnedge/door/event") - 400 <= kills


@needs_mosquitto
def test_a_frozen_broker_holds_nobody_up(broker):
    listener = Listener(broker.port, "rnnedge/#")
    with open_mqtt(broker.port) as sink:
        sink.put(event(0))
        wait_until(lambda: sink.status()["sent"] == 1, "the first line is acknowledged")
        broker.send(signal.SIGSTOP)
        for number in range(1, 200):
            sink.put(event(number))
            sink.put(step(number))
        assert sink.status()["queued"] == 199
        broker.send(signal.SIGCONT)
        wait_until(lambda: sink.status()["sent"] == 200, "all lines are acknowledged")
    wait_until(lambda: len(listener.lines("/event")) >= 200, "all lines are heard")
    listener.close()
    assert [line["id"] for line in listener.lines("/event")] == ids(200)


@needs_mosquitto
def test_a_broker_that_comes_late_and_a_queue_that_is_full(tmp_path):
    broker = Broker(tmp_path)
    sink = open_mqtt(broker.port, queue=10)
    for number in range(25):
        sink.put(event(number))
    wait_until(
        lambda: "no connection to 127.0.0.1" in str(sink.status()["failing"]), "the absence is reported"
    )
    assert (sink.status()["queued"], sink.status()["lost"]) == (10, 15)
    with running(broker):
        wait_until(lambda: sink.status()["sent"] == 10, "what is left is acknowledged")
        assert sink.status()["failing"] is None
        sink.close()


@needs_mosquitto
def test_availability_follows_the_runner(broker, tmp_path):
    def seen():
        listener = Listener(broker.port, "rnnedge/availability", f"seer-{os.urandom(4).hex()}")
        wait_until(lambda: listener.heard, "there is a retained availability")
        listener.close()
        return listener.heard[-1][1:]

    sink = open_mqtt(broker.port)
    wait_until(lambda: sink.status()["failing"] is None, "it is connected")
    wait_until(lambda: seen() == (b"online", True), "it is online")
    sink.close()
    assert seen() == (b"offline", True)
    code = f"""
import time
from rnnedge_device.sinks.mqtt import MqttOptions, MqttSink
sink = MqttSink(MqttOptions(host="127.0.0.1", port={broker.port}))
print("ready", flush=True)
time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: seen() == (b"online", True), "the child is online")
    child.kill()  # the broker tells its last will
    child.wait()
    wait_until(lambda: seen() == (b"offline", True), "the child is offline")


@needs_mosquitto
def test_events_in_a_spool_outlive_the_runner(broker, tmp_path):
    broker.kill()
    spool = str(tmp_path / "mqtt.spool")
    sink = open_mqtt(broker.port, spool=spool)
    for number in range(20):
        sink.put(event(number))
    wait_until(lambda: sink.backlog.pending == 0, "all lines are on disk")
    sink.close(0.1)
    assert sink.status()["lost"] == 0
    broker.start()
    listener = Listener(broker.port, "rnnedge/#")
    with open_mqtt(broker.port, spool=spool) as sink:
        wait_until(lambda: sink.status()["sent"] == 20, "all lines are acknowledged")
    wait_until(lambda: len(listener.lines("/event")) >= 20, "all lines are heard")
    listener.close()
    assert [line["id"] for line in listener.lines("/event")] == ids(20)


@needs_mosquitto
def test_steps_are_thinned_but_a_new_label_is_told_at_once(broker):
    listener = Listener(broker.port, "rnnedge/#")
    with open_mqtt(broker.port, steps_s=1000.0) as sink:
        sink.put(event(0))
        wait_until(lambda: sink.status()["sent"] == 1, "it is connected")
        for number in range(50):
            sink.put(step(number))
        wait_until(lambda: len(listener.lines("/step")) == 1, "the first step is heard")
        sink.put(step(50, label="fall"))
        wait_until(lambda: len(listener.lines("/step")) == 2, "the new label is heard")
    listener.close()
    assert [line["label"] for line in listener.lines("/step")] == ["none", "fall"]


# --- Home Assistant ------------------------------------------------------------------------------------


@needs_mosquitto
def test_entities_are_announced_again_when_someone_forgot(tmp_path):
    def announced():
        listener = Listener(broker.port, "homeassistant/#", f"hass-{os.urandom(4).hex()}")
        wait_until(lambda: len(listener.heard) >= 2, "entities are announced")
        listener.close()
        return {topic: json.loads(body) for topic, body, _ in listener.heard}

    broker = Broker(tmp_path, remembers=False)
    with running(broker), open_mqtt(broker.port) as sink:
        sink.put(event(0))
        wait_until(lambda: sink.status()["sent"] == 1, "it is connected")
        found = announced()
        names = sorted(config["name"] for config in found.values())
        assert names == ["Event", "Problem"]
        assert all(config["availability_topic"] == "rnnedge/availability" for config in found.values())
        broker.kill()
        broker.start()
        assert announced() == found
        # Home Assistant itself was started anew: it says so, and hears of them once more.
        listener = Listener(broker.port, "homeassistant/+/+/+/config", "hass")
        wait_until(lambda: len(listener.heard) == 2, "the retained ones are heard")
        listener._client.publish("homeassistant/status", b"online")
        wait_until(lambda: len(listener.heard) == 4, "they are announced once more")
        listener.close()


def test_templates_say_what_home_assistant_shows():
    jinja2 = pytest.importorskip("jinja2")

    def shown(kind, line):
        _, body = announcement("homeassistant", "rnnedge", "door", kind)
        return jinja2.Template(json.loads(body)["value_template"]).render(value_json=line)

    assert shown("step", {"label": "none"}) == "none"
    assert shown("caption", {"label": "x" * 300}) == "x" * 255
    assert json.loads(shown("event", event(0).line)) == {"event_type": "start", "label": "fall", "score": 0.9}
    states = {"lost": "ON", "frozen": "ON", "gave_up": "ON", "recovered": "OFF", "swapped": ""}
    assert {what: shown("health", {"health": what}) for what in states} == states


def test_two_cameras_never_share_a_topic_or_an_entity():
    names = ["door", "a/b", "a_b", "a b", "a%2Fb", "a+b", "é"]
    assert len({camera_topic("rnnedge", name, "event") for name in names}) == len(names)
    assert len({announcement("homeassistant", "rnnedge", name, "event")[0] for name in names}) == len(names)


# --- who may, and how ----------------------------------------------------------------------------------


@needs_mosquitto
def test_a_wrong_password_is_reported_and_the_right_one_delivers(tmp_path):
    passwd = shutil.which("mosquitto_passwd")
    if not passwd:
        pytest.skip("mosquitto_passwd is not installed")
    users = tmp_path / "users"
    subprocess.run([passwd, "-b", "-c", str(users), "runner", "right horse"], check=True, capture_output=True)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("right horse\n")
    wrong.write_text("wrong horse\n")
    with running(Broker(tmp_path, f"allow_anonymous false\npassword_file {users}")) as broker:
        sink = open_mqtt(broker.port, user="runner", password_file=str(wrong))
        sink.put(event(0))
        wait_until(
            lambda: "refuses: Not authorized" in str(sink.status()["failing"]), "the refusal is reported"
        )
        assert sink.status()["queued"] == 1
        assert "horse" not in str(sink.status())
        sink.close(0.1)
        with open_mqtt(broker.port, user="runner", password_file=str(right)) as sink:
            sink.put(event(0))
            wait_until(lambda: sink.status()["sent"] == 1, "the line is acknowledged")


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private


@needs_mosquitto
def test_over_tls_only_a_broker_of_a_trusted_certificate_hears_anything(tmp_path):
    certificate, key = self_signed(tmp_path)
    with running(Broker(tmp_path, listener=f"certfile {certificate}\nkeyfile {key}")) as broker:
        with open_mqtt(broker.port, tls=True, ca=str(certificate)) as sink:
            sink.put(event(0))
            wait_until(lambda: sink.status()["sent"] == 1, "the line is acknowledged")
        sink = open_mqtt(broker.port, tls=True)
        sink.put(event(0))
        wait_until(lambda: "no connection" in str(sink.status()["failing"]), "the distrust is reported")
        assert sink.status()["queued"] == 1
        sink.close(0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": 1},
        {"host": ""},
        {"port": 0},
        {"port": "1883"},
        {"topic": "a/#"},
        {"topic": ""},
        {"queue": 0},
    ],
)
def test_options_refuse_what_they_do_not_know(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        MqttOptions(**{"host": "broker", **wrong})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": "a", "password_file": "/no/such/file"}, "password_file = '/no/such/file': cannot be read"),
        ({"password_file": "/no/such/file"}, "without a user"),
        ({"tls": True, "ca": "/no/such/file"}, "ca = '/no/such/file': is not a file"),
        ({"ca": __file__}, "without tls"),
        ({"tls": True, "ca": __file__}, "cannot be used"),
        ({"spool": "/no/such/folder/spool"}, "cannot be opened"),
    ],
)
def test_what_cannot_be_used_is_named_at_once(options, message):
    with pytest.raises(InputError, match=message):
        MqttSink(MqttOptions(host="127.0.0.1", port=1, **options))


def test_a_missing_library_is_one_clear_error():
    code = """
import sys
sys.modules["paho"] = None
from rnnedge_device.errors import InputError
from rnnedge_device.sinks.mqtt import MqttOptions, MqttSink
try:
    MqttSink(MqttOptions(host="127.0.0.1"))
except InputError as problem:
    print(problem)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "mqtt: needs the package 'paho'; pip install 'rnnedge[runner]'\n", done.stderr
