"""Lines to an MQTT broker, with availability and Home Assistant's discovery."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rnnedge_device.errors import InputError
from rnnedge_device.extras import load_extra
from rnnedge_device.sinks.backlog import MemoryBacklog
from rnnedge_device.sinks.discovery import announcement, camera_topic
from rnnedge_device.sinks.encode import to_json
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.options import Above, Name, Queue, Seconds, SinkOptions
from rnnedge_device.sinks.secret import read_secret
from rnnedge_device.sinks.spool import Spool
from rnnedge_device.sinks.worker import PROMISED, RefusedError, WorkerSink

_FAREWELL_S = 1.0
# Without what has a meaning in subscriptions or is the broker's own.
_Topic = Annotated[str, Field(pattern=r"^[^+#/$\x00][^+#\x00]*$")]


class MqttOptions(SinkOptions):
    """The section `[mqtt]`.

    Args:
        host, port: of the broker.
        user, password_file: "" for none.
        tls: encrypt; `ca` is a file of the certificates to trust, "" for the system's.
        topic: what every topic begins with; one of its own for each runner.
        discovery: Home Assistant's prefix, usually `homeassistant`; "" announces nothing.
        steps_s: a camera's steps are told at most so often, and at once when the label changes.
        queue: promised lines that wait for the broker at most.
        spool: a file in which they wait, through a crash of the runner; "" for memory.
        keepalive_s: a connection without life is given up after one and a half of these.
        retry_s: longest wait between two attempts to connect.
    """

    host: Name
    port: Annotated[int, Field(ge=1, le=65_535)] = 1883
    user: str = ""
    password_file: str = ""
    tls: bool = False
    ca: str = ""
    topic: _Topic = "rnnedge"
    discovery: str = "homeassistant"
    steps_s: Seconds = 1.0
    queue: Queue = 1_000
    spool: str = ""
    keepalive_s: Annotated[int, Field(ge=1, le=3_600)] = 30
    retry_s: Above = 30.0


class MqttSink(WorkerSink):
    """Lines as JSON at `TOPIC/CAMERA/KIND`, and whether the runner is there at `TOPIC/availability`.

    The promise: every event, caption and health line reaches the broker at least once and in order (QoS 1, one on
    its way at a time), or is counted as lost when more than `queue` wait. A line comes twice only where the
    connection broke between it and its acknowledgement, so at most one for each break; its `id` tells. Steps are
    QoS 0 and sent only while there is a connection. The newest health line is retained.

    Raises:
        InputError: paho-mqtt is missing, or a file of the options cannot be used.

    Example:
        with MqttSink(MqttOptions(host="broker.lan")) as sink:
            sink.put(message)
    """

    def __init__(self, options: MqttOptions, name: str = "mqtt") -> None:
        self._mqtt = load_extra("paho.mqtt.client", "mqtt")
        self._options = options
        self._client = self._make_client(name)
        self._link = threading.Condition()  # guards what the client's thread tells
        self._connected = False
        self._no_link: str | None = "not connected yet"
        self._expecting = False  # is anyone waiting for an acknowledgement?
        self._acknowledged: set[int] = set()
        self._flying: int | None = None  # the client's number of the line that is on its way
        self._announced: dict[tuple[str, str], None] = {}
        self._steps: dict[str, tuple[str, float]] = {}
        backlog = Spool(options.spool, options.queue) if options.spool else MemoryBacklog(options.queue)
        super().__init__(name, backlog, (*PROMISED, "step"))
        self._client.connect_async(options.host, options.port, options.keepalive_s)
        self._client.loop_start()
        self.start()

    def status(self) -> dict[str, Any]:
        found = super().status()
        return {**found, "failing": self._no_link or found["failing"]}

    def put(self, message: Message) -> None:
        if message.kind == "step":
            label, told = self._steps.get(message.camera, ("", float("-inf")))
            now, new = time.monotonic(), str(message.line.get("label", ""))
            if not self._connected or (new == label and now - told < self._options.steps_s):
                return
            self._steps[message.camera] = new, now
        super().put(message)

    def deliver(self, messages: Sequence[Message]) -> int:
        message = messages[0]
        topic = camera_topic(self._options.topic, message.camera, message.kind)
        if not message.promised:
            if self._connected:
                self._announce(message.camera, message.kind)
                self._client.publish(topic, to_json(message.line), qos=0)
            return 1
        # The client itself sends it again after a break: told once, it is waited for.
        if self._flying is None:
            self._wait(lambda: self._connected)
            self._announce(message.camera, message.kind)
            self._flying = self._tell(topic, to_json(message.line), retain=message.kind == "health")
        number = self._flying
        self._wait(lambda: number in self._acknowledged)
        self._flying = None
        return 1

    def release(self) -> None:
        if self._connected:
            # The last will is for those who leave without a word.
            last = self._tell(self._availability, b"offline", retain=True)
            with self._link:
                self._link.wait_for(lambda: last in self._acknowledged, _FAREWELL_S)
        self._client.disconnect()
        self._client.loop_stop()
        # It holds two descriptors for as long as someone holds it, and its callbacks hold this sink.
        self._client = None

    def _tell(self, topic: str, body: bytes, retain: bool) -> int:
        with self._link:
            self._expecting = True
            self._acknowledged.clear()
        try:
            return int(self._client.publish(topic, body, qos=1, retain=retain).mid)
        except ValueError as problem:
            raise RefusedError(f"{topic}: {problem}") from None

    @property
    def _availability(self) -> str:
        return f"{self._options.topic}/availability"

    def _wait(self, ready: Callable[[], bool]) -> None:
        with self._link:
            while not ready():
                if self.seconds_left() == 0:
                    raise TimeoutError("the broker did not answer before the sink was closed")
                self._link.wait(0.1 if self.closing else 1.0)
            self._expecting = False

    def _announce(self, camera: str, kind: str) -> None:
        """A camera's entities become known with its first line, that of its health at once."""
        for new in {(camera, "health"), (camera, kind)} - self._announced.keys():
            self._announced[new] = None
            self._announce_one(*new)

    def _announce_one(self, camera: str, kind: str) -> None:
        if self._options.discovery:
            where, what = announcement(self._options.discovery, self._options.topic, camera, kind)
            self._client.publish(where, what, qos=0, retain=True)

    def _make_client(self, name: str) -> Any:
        options, mqtt = self._options, self._mqtt
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if options.user:
            secret = (
                read_secret(options.password_file, f"{name}: password_file")
                if options.password_file
                else None
            )
            client.username_pw_set(options.user, secret)
        elif options.password_file:
            raise InputError(f"{name}: password_file = {options.password_file!r}: is given without a user")
        if options.ca and not Path(options.ca).is_file():
            raise InputError(f"{name}: ca = {options.ca!r}: is not a file")
        if options.tls:
            try:
                client.tls_set(ca_certs=options.ca or None)
            except OSError as problem:
                raise InputError(f"{name}: ca = {options.ca!r}: cannot be used: {problem}") from None
        elif options.ca:
            raise InputError(f"{name}: ca = {options.ca!r}: is given without tls = true")
        client.will_set(self._availability, b"offline", qos=1, retain=True)
        client.reconnect_delay_set(1, max(1, round(options.retry_s)))
        client.suppress_exceptions = True
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_publish = self._on_connect_fail, self._on_publish
        client.on_message = self._on_message
        return client

    # What follows is called in the client's own thread.

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._set_link(False, f"the broker refuses: {reason}")
            return
        client.publish(self._availability, b"online", qos=0, retain=True)
        if self._options.discovery:
            client.subscribe(f"{self._options.discovery}/status")
        # A broker that was started anew may have forgotten.
        self._announce_all()
        self._set_link(True, None)

    def _announce_all(self) -> None:
        for camera, kind in list(self._announced):
            self._announce_one(camera, kind)

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        if message.payload == b"online":  # Home Assistant was started anew
            self._announce_all()

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        # A refusal says more than the end that follows it, and an end of our own is none.
        if self._connected and not self.closing:
            self._set_link(False, f"the connection broke: {reason}")

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        self._set_link(False, f"no connection to {self._options.host}:{self._options.port}")

    def _on_publish(self, client: Any, data: Any, number: int, reason: Any, properties: Any) -> None:
        with self._link:
            if self._expecting:
                self._acknowledged.add(number)
                self._link.notify_all()

    def _set_link(self, connected: bool, trouble: str | None) -> None:
        with self._link:
            self._connected, self._no_link = connected, trouble
            self._link.notify_all()
        self.note(trouble)
