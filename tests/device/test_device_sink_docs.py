"""The examples of docs/sinks.md are what the code takes."""

import re
import tomllib
from pathlib import Path

from sink_parts import HookServer, event

from rnnedge_device.sinks.event_clips import ClipsOptions
from rnnedge_device.sinks.mqtt import MqttOptions
from rnnedge_device.sinks.rotating import JsonlOptions
from rnnedge_device.sinks.webhook import Webhook, WebhookOptions

DOCS = (Path(__file__).parents[2] / "docs" / "sinks.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


def test_the_example_config_is_taken_as_it_stands():
    (text,) = blocks("toml")
    config = tomllib.loads(text)
    assert JsonlOptions(**config.pop("jsonl")).keep == 5
    assert MqttOptions(**config.pop("mqtt")).port == 8883
    assert [WebhookOptions(**each).events for each in config.pop("webhook")] == [["event", "health"]]
    assert ClipsOptions(**config.pop("clips")).pre_s == 5.0
    assert config == {}


def test_the_receivers_check_takes_what_we_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "hook").write_text("a long secret\n")
    server = HookServer()
    server.start()
    with Webhook(WebhookOptions(url=server.url, secret_file="$CREDENTIALS_DIRECTORY/hook")) as sink:
        sink.put(event(0))
    server.stop()
    names: dict = {}
    exec(blocks("python")[0], names)
    (headers, body), genuine = server.received[0], names["genuine"]
    assert genuine(b"a long secret", headers, body)
    assert not genuine(b"another secret", headers, body)
    assert not genuine(b"a long secret", headers, body + b" ")
    assert not genuine(b"a long secret", {**headers, "X-Rnnedge-Timestamp": "1700000000"}, body)
