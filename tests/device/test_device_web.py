"""The web view's server over real HTTP: page, API, health, metrics, TLS; what it refuses."""

import datetime
import ipaddress
import re
import ssl
import threading
from importlib import resources

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from live_run import LiveRun
from pydantic import ValidationError
from web_client import browser, connect, ended, metric, serving, token_file, wait_for

from rnnedge_device.errors import InputError
from rnnedge_device.sinks.message import Message
from rnnedge_device.web.live import LiveView
from rnnedge_device.web.options import WebOptions
from rnnedge_device.web.server import WebServer


@pytest.fixture(scope="module")
def run(tiny_clips):
    with LiveRun(tiny_clips.model, ("door", "garden")).running() as run:
        run.say("door", "lost", "no frame for 2 s")
        yield run


@pytest.fixture(scope="module")
def server(run):
    with serving(run) as server:
        yield server


# --- the sink


def step(number, label="fall"):
    return Message("door", {"ts_ms": number, "label": label, "score": 0.5})


def test_the_view_keeps_what_is_newest_and_does_not_grow():
    view = LiveView()
    for number in range(1000):
        view.put(step(number))
        view.put(Message("door", {"ts_ms": number, "event": "start", "label": "fall", "score": 0.9}))
    door = view.camera("door")
    lines = door.lines()
    assert [line["number"] for line in lines] == list(range(801, 1001))
    assert door.lines(after=998) == lines[-2:]
    assert len(door.history()) < 20  # a point each half second, not one each step
    assert door.history()[-1][1:] == (0.5, "fall")
    assert door.events == {"fall": 1000}
    assert view.status() == {"queued": 0, "sent": 1000, "lost": 0, "failing": None}


# --- page and API


def test_the_page_and_its_files(server):
    for path, kind in (
        ("", "text/html"),
        ("page.css", "text/css"),
        ("theme.css", "text/css"),
        ("page.js", "text/javascript"),
        ("chart.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        answer = httpx.get(server.url + path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        again = httpx.get(server.url + path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_page_asks_nobody_else_and_needs_nothing_inline():
    folder = resources.files("rnnedge_device.web") / "page"
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        outside = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) - {"http://www.w3.org"}
        assert outside == set(), file.name
        if file.name.endswith(".html"):
            assert not re.search(r"<style|<script(?![^>]*src=)|\son\w+=|\sstyle=", text), file.name


def test_the_status_is_the_runners_without_passwords(server, run):
    status = httpx.get(f"{server.url}api/status").json()
    assert set(status["cameras"]) == {"door", "garden"}
    assert status["cameras"]["door"]["bundle"] == "light.rnnedge"
    assert status["cameras"]["door"]["source"] == "rtsp://…@127.0.0.1/door"
    assert "hidden" not in httpx.get(f"{server.url}metrics").text


def test_events_and_history(server):
    url = f"{server.url}api/cameras/door/"

    def events(after=0):
        return httpx.get(f"{url}events", params={"after": after}).json()["events"]

    assert events()[0]["health"] == "lost"
    wait_for(lambda: {line.get("event") for line in events()} >= {"start", "end"})
    known = events()
    assert all(line["number"] > 1 for line in events(after=1))
    assert known[1]["label"] in ("brighter", "darker")
    history = httpx.get(f"{url}history").json()
    times = [point[0] for point in history["points"]]
    assert times == sorted(times)
    assert times[-1] <= history["now"]
    later = httpx.get(f"{url}history", params={"after": times[-1]}).json()["points"]
    assert all(point[0] > times[-1] for point in later)


@pytest.mark.parametrize("after", ["x", "-1", "nan", "inf", "1e300"])
def test_a_bad_number_is_one_clear_error(server, after):
    answer = httpx.get(f"{server.url}api/cameras/door/events", params={"after": after})
    assert answer.status_code == 400
    assert "after" in answer.json()["error"]


def test_what_is_not_there(server):
    for path in ("api/cameras/attic/events", "api/cameras/attic/stream.mjpg", "nothing", "api/cameras"):
        answer = httpx.get(server.url + path)
        assert answer.status_code == 404
        assert answer.json()["error"]
    assert httpx.get(f"{server.url}api/cameras/door/reset").status_code == 405


def test_reset_reaches_the_model(server, run):
    with browser(server) as client:
        answer = client.post("/api/cameras/door/reset")
        assert (answer.status_code, answer.json()) == (202, {"asked": "reset", "camera": "door"})
    wait_for(lambda: run.snapshot()["cameras"]["door"]["resets"].get("demand"))
    assert "demand" not in run.snapshot()["cameras"]["garden"]["resets"]


def test_what_the_runner_refuses_is_told(server):
    with browser(server) as client:
        answer = client.post("/api/cameras/door/rollback")
    assert answer.status_code == 400
    assert answer.json() == {"error": "camera 'door': there is no bundle to go back to"}


def test_only_bundles_of_the_folder_are_swapped_in(run, tmp_path):
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / "new.rnnedge").write_bytes(b"whatever: the runner looks into it")
    (tmp_path / "secret.rnnedge").write_bytes(b"not for others")
    with serving(run) as server, browser(server) as client:
        assert client.post("/api/cameras/door/swap", json={"bundle": "new.rnnedge"}).status_code == 403
    with serving(run, bundles=folder) as server, browser(server) as client:
        for name in ("../secret.rnnedge", str(tmp_path / "secret.rnnedge"), "gone.rnnedge", "", 7, ["a"]):
            answer = client.post("/api/cameras/door/swap", json={"bundle": name})
            assert answer.status_code == 400
            assert "bundle" in answer.json()["error"]
        for body in (b"{", b"[]", b"\xff", b'{"bundle": "new.rnnedge", "more": 1}', b"[" * 4000):
            head = {"Content-Type": "application/json"}
            assert client.post("/api/cameras/door/swap", content=body, headers=head).status_code == 400
        assert client.post("/api/cameras/door/swap", content=b"{}").status_code == 415
        assert client.post("/api/cameras/attic/swap", json={"bundle": "new.rnnedge"}).status_code == 404
        assert not [asked for asked in run.asked if asked[0] == "swap"]
        assert client.post("/api/cameras/door/swap", json={"bundle": "new.rnnedge"}).status_code == 202
        assert run.asked[-1] == ("swap", "door", "new.rnnedge")


def test_health(server, run):
    assert httpx.get(f"{server.url}healthz").status_code == 200
    run.healthy = False
    try:
        wait_for(lambda: httpx.get(f"{server.url}healthz").status_code == 503)
        assert metric(server, "rnnedge_healthy") == 0
    finally:
        run.healthy = True
    wait_for(lambda: httpx.get(f"{server.url}healthz").json() == {"healthy": True})


def test_metrics(server):
    wait_for(lambda: metric(server, "rnnedge_events_total", camera="door", label="brighter"))
    assert metric(server, "rnnedge_health_lines_total", camera="door", health="lost") == 1
    assert metric(server, "rnnedge_frames_total", camera="garden") > 0
    assert metric(server, "rnnedge_camera_state", camera="door", state="running") == 1
    assert metric(server, "rnnedge_camera_state", camera="door", state="failed") == 0
    assert 0 < metric(server, "rnnedge_inference_seconds", camera="door", quantile="0.5") < 1
    assert metric(server, "rnnedge_sink_lost_total", sink="web") == 0
    assert metric(server, "rnnedge_temperature_celsius") == 51.5
    assert metric(server, "rnnedge_capture_to_event_seconds") is None  # not known, so not told


# --- what is sent to do harm


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/page.css/../../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/page/page.html",
        "//etc/passwd",
        "/api/cameras/..%2f..%2fetc%2fpasswd/events",
        "/page.js%00.css",
        "/\\..\\..",
    ],
)
def test_no_path_leads_elsewhere(server, path):
    with connect(server) as opened:
        opened.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: opened.recv(1 << 16), b""))
    assert answer.split()[1] in (b"404", b"400")
    assert b"root:" not in answer


def test_oversized_bodies_and_heads(server):
    with browser(server) as client:
        for content in (b"x" * 5000, iter([b"x" * 1000] * 50)):  # with its length, and in chunks
            head = {"Content-Type": "application/json"}
            answer = client.post("/api/cameras/door/swap", content=content, headers=head)
            assert answer.status_code in (403, 413)
    for head in (b"GET /" + b"a" * 70_000, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000):
        with connect(server) as opened:
            opened.sendall(head + b"\r\n\r\n")
            assert opened.recv(100).split()[1] in (b"400", b"431")
    assert httpx.get(f"{server.url}healthz").status_code == 200


def test_bodies_have_a_limit_where_they_are_read(run, tmp_path):
    with serving(run, bundles=tmp_path) as server, browser(server) as client:
        for content in (b" " * 5000, iter([b" " * 1000] * 50)):
            head = {"Content-Type": "application/json"}
            assert client.post("/api/cameras/door/swap", content=content, headers=head).status_code == 413


@pytest.mark.parametrize(
    "sent", [b"\x00\xff" * 50, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_http(server, sent):
    with connect(server) as opened:
        opened.sendall(sent + b"\r\n\r\n")
        assert b"200" not in opened.recv(100)
    assert httpx.get(f"{server.url}healthz").status_code == 200


# --- starting and stopping


def test_a_port_in_use_is_one_clear_error(server, run):
    port = httpx.URL(server.url).port
    with pytest.raises(InputError, match=rf"cannot listen on 127.0.0.1:{port}: the port is in use"):
        WebServer(WebOptions(port=port), run.view, run, run).start()


def test_an_address_of_another_machine(run, tmp_path):
    options = WebOptions(host="192.0.2.1", port=0, token_file=token_file(tmp_path))
    with pytest.raises(InputError, match=r"192\.0\.2\.1.*no such address"):
        WebServer(options, run.view, run, run).start()


def test_stopped_and_started_again_on_its_port(run):
    before = threading.active_count()
    with serving(run) as server:
        port = httpx.URL(server.url).port
        idle = connect(server)
    assert ended(idle)
    server.stop()
    assert threading.active_count() == before
    with WebServer(WebOptions(port=port), run.view, run, run) as again:
        assert httpx.get(f"{again.url}healthz").status_code == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "token_file must be given"),
        ({"host": "::"}, "token_file must be given"),
        ({"host": "pi.local"}, "token_file must be given"),
        ({"cert": "pi.crt"}, "cert is given and key is not"),
        ({"port": 70000}, "less than or equal to 65535"),
        ({"prot": 80}, "prot"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValidationError, match=message):
        WebOptions(**options)


# --- TLS


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pi")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "pi.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "pi.key").write_bytes(key.private_bytes(*plain))
    other = ec.generate_private_key(ec.SECP256R1())
    (folder / "other.key").write_bytes(other.private_bytes(*plain))
    return folder


def test_https(run, pair, tmp_path):
    options = {"cert": pair / "pi.crt", "key": pair / "pi.key", "token_file": token_file(tmp_path)}
    with serving(run, patience_s=1.0, **options) as server:
        assert server.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=pair / "pi.crt")
        with httpx.Client(base_url=server.url, verify=trusted) as client:
            head = {"Authorization": "Bearer correct-horse-battery-staple"}
            assert client.get("/healthz", headers=head).status_code == 200
            answer = client.post("/login", data={"token": "correct-horse-battery-staple"})
            assert "Secure" in answer.headers["Set-Cookie"]
        with pytest.raises(httpx.ConnectError):  # nobody we know
            httpx.get(server.url)
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.url.replace("https", "http"))
        with connect(server) as silent:  # no handshake ever comes
            assert ended(silent)


def test_certificates_that_cannot_be_used(run, pair, tmp_path):
    (tmp_path / "no.pem").write_text("no certificate")
    for cert, key, message in (
        (pair / "pi.crt", pair / "other.key", "no usable PEM pair"),
        (tmp_path / "no.pem", pair / "pi.key", "no usable PEM pair"),
        (tmp_path / "gone.crt", pair / "pi.key", "gone.crt.*no such file"),
    ):
        with pytest.raises(InputError, match=message):
            WebServer(WebOptions(cert=cert, key=key), run.view, run, run)
