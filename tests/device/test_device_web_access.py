"""Who may look and who may act: tokens, cookies, origins, names, and that no secret is told."""

import contextlib
import logging

import httpx
import numpy as np
import pytest
from live_run import LiveRun
from web_client import TOKEN, browser, connect, serving, token_file, wait_for

from rnnedge_device.errors import InputError
from rnnedge_device.web import guard
from rnnedge_device.web import secret as secret_module
from rnnedge_device.web.attempts import Attempts
from rnnedge_device.web.options import WebOptions
from rnnedge_device.web.secret import Secret
from rnnedge_device.web.server import WebServer

BEARER = {"Authorization": f"Bearer {TOKEN}"}
WRONG = {"Authorization": "Bearer correct-horse-battery-stapler"}
GUARDED = ("", "page.js", "chart.js", "healthz", "metrics", "api/status", "api/cameras/door/events")
GUARDED += (
    "api/cameras/door/history",
    "api/cameras/door/picture.jpg",
    "api/cameras/door/stream.mjpg",
    "none",
)
ACTS = ("api/cameras/door/reset", "api/cameras/door/rollback", "api/cameras/door/swap", "logout")


@pytest.fixture(scope="module")
def run(tiny_clips):
    with LiveRun(tiny_clips.model).running() as run:
        wait_for(lambda: run.view.camera("door").number)
        yield run


@pytest.fixture
def server(run, tmp_path):
    """With a token, on an address that others can reach."""
    with serving(run, host="0.0.0.0", token_file=token_file(tmp_path)) as server:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        yield server


@pytest.fixture
def open_server(run):
    """On loopback, without a token file."""
    with serving(run) as server:
        yield server


# --- the token


def test_without_a_token_there_is_a_way_in_and_nothing_else(server):
    for path in GUARDED[1:]:
        answer = httpx.get(server.url + path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for path in ACTS:
        assert httpx.post(server.url + path).status_code == 401
    sent_on = httpx.get(server.url)
    assert (sent_on.status_code, sent_on.headers["Location"]) == (303, "/login")
    for path in ("login", "page.css", "theme.css", "icon.svg"):
        assert httpx.get(server.url + path).status_code == 200


def test_a_wrong_token_is_no_token(server):
    for path in ("healthz", "api/status", "api/cameras/door/stream.mjpg"):
        assert httpx.get(server.url + path, headers=WRONG).status_code == 401
    for value in ("Basic Y29ycmVjdA==", "Bearer", f"Bearer {TOKEN[:-1]}", TOKEN):
        assert httpx.get(f"{server.url}healthz", headers={"Authorization": value}).status_code == 401


def test_the_right_token(server):
    for path in ("", "page.js", "healthz", "metrics", "api/status", "api/cameras/door/picture.jpg"):
        assert httpx.get(server.url + path, headers=BEARER).status_code == 200
    assert httpx.post(f"{server.url}api/cameras/door/reset", headers=BEARER).status_code == 202


def test_a_token_in_the_address_is_none(server):
    assert httpx.get(f"{server.url}healthz?token={TOKEN}").status_code == 401


def test_logging_in_and_out(server):
    with httpx.Client(base_url=server.url) as client:
        again = client.post("/login", data={"token": "not the token at all"})
        assert again.status_code == 401
        assert 'role="alert">This is not the token.' in again.text
        entered = client.post("/login", data={"token": TOKEN})
        assert (entered.status_code, entered.headers["Location"]) == (303, "/")
        cookie = entered.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        assert 'action="/logout">' in client.get("/").text
        assert client.get("/api/status").status_code == 200
        assert client.post("/api/cameras/door/reset").status_code == 202
        assert client.post("/logout").headers["Location"] == "/login"
        assert client.get("/api/status").status_code == 401


@pytest.mark.parametrize("body", [b"", b"token=", b"token", b"token=%ff%00", b"&" * 4000, b"token=\xff\xfe"])
def test_odd_login_bodies(server, body):
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    assert httpx.post(f"{server.url}login", content=body, headers=head).status_code in (400, 401)
    assert httpx.post(f"{server.url}login", content=body).status_code == 415
    assert httpx.post(f"{server.url}login", content=b"x" * 5000, headers=head).status_code == 413


def test_a_cookie_is_of_its_token_and_time(monkeypatch):
    secret, other = Secret(TOKEN), Secret("another-token-of-this-machine")
    good = secret.session()
    assert secret.is_session(good)
    assert not other.is_session(good)
    expiry, _, signature = good.partition(".")
    for bad in ("", ".", good[:-1], f"{int(expiry) + 1}.{signature}", f"x.{signature}", "1.é\udcff"):
        assert not secret.is_session(bad)
    monkeypatch.setattr(secret_module.time, "time", lambda: 0.0)
    old = secret.session()
    monkeypatch.undo()
    assert not secret.is_session(old)


def test_wrong_tokens_are_limited(run, tmp_path, monkeypatch):
    # No try comes back while the test runs, however busy the machine is.
    monkeypatch.setattr(guard, "Attempts", lambda: Attempts(refill_s=1000.0))
    with (
        serving(run, token_file=token_file(tmp_path)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        client.post("/login", data={"token": TOKEN})
        answers = [httpx.get(f"{server.url}healthz", headers=WRONG).status_code for _ in range(14)]
        assert answers[:10] == [401] * 10
        assert answers[-1] == 429
        # The right one is not even looked at now, or a guess among many would tell.
        refused = httpx.get(f"{server.url}healthz", headers=BEARER)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 5000
        told = httpx.post(f"{server.url}login", data={"token": TOKEN})
        assert told.status_code == 429
        assert "too many wrong tokens" in told.text
        # Who has logged in before goes on.
        assert client.get("/api/status").status_code == 200


def test_tries_come_back_and_the_table_is_limited():
    attempts = Attempts(burst=2, refill_s=0.05)
    for _ in range(3):
        attempts.failed("192.0.2.1")
    assert attempts.wait_s("192.0.2.1") > 0
    assert attempts.wait_s("192.0.2.2") == 0
    wait_for(lambda: attempts.wait_s("192.0.2.1") == 0)
    many = Attempts(burst=1, refill_s=1e6)
    for number in range(5000):
        many.failed(f"10.0.{number // 256}.{number % 256}")
    assert len(many._used) <= 1024
    assert many.wait_s("10.0.19.135") > 0
    many.failed("2001:db8::1")
    assert many.wait_s("2001:db8::ffff") > 0  # the same owner
    assert many.wait_s("2001:db8:0:1::1") == 0
    many.failed("::ffff:192.0.2.7")
    assert many.wait_s("192.0.2.7") > 0


def test_no_secret_is_in_the_log(server, caplog):
    caplog.set_level(logging.DEBUG)
    httpx.get(f"{server.url}api/status", headers=BEARER)
    httpx.get(f"{server.url}api/status", headers=WRONG)
    cookie = httpx.post(f"{server.url}login", data={"token": TOKEN}).headers["Set-Cookie"]
    httpx.post(f"{server.url}login", data={"token": f"{TOKEN}r"})
    httpx.post(f"{server.url}api/cameras/door/reset", headers=BEARER)
    for head in (f"Authorization: Bearer {TOKEN}\x00", f"Authorization Bearer {TOKEN}", f"{TOKEN}"):
        with connect(server) as opened:
            opened.sendall(f"GET /healthz HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
            assert b" 400 " in opened.recv(1000)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("rnnedge_device")]
    assert any("wrong token from 127.0.0.1" in line for line in ours)
    assert any("reset of camera 'door'" in line for line in ours)
    # The client's own log is not ours to judge.
    told = "\n".join(
        f"{record.getMessage()} {record.exc_info}"
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))
    )
    assert "correct-horse" not in told
    assert cookie.partition("=")[2].partition(";")[0] not in told


@pytest.mark.parametrize(
    "content", ["", "short", "x" * 15, "has a space inside it", "ümläute-are-not-ascii", "\x00" * 20]
)
def test_token_files_that_are_none(run, tmp_path, content):
    with pytest.raises(InputError, match="16 or more printable ASCII") as caught:
        WebServer(WebOptions(token_file=token_file(tmp_path, content)), run.view, run, run)
    assert not content or content not in str(caught.value)


def test_a_token_file_for_everybody_is_no_secret(run, tmp_path):
    path = token_file(tmp_path)
    path.chmod(0o644)
    with pytest.raises(InputError, match="everybody on this machine"):
        WebServer(WebOptions(token_file=path), run.view, run, run)
    with pytest.raises(InputError, match=r"gone.*cannot be read"):
        WebServer(WebOptions(token_file=tmp_path / "gone"), run.view, run, run)


# --- other sites' pages


def test_to_act_takes_the_pages_cookie_even_on_loopback(open_server):
    assert httpx.get(f"{open_server.url}api/status").status_code == 200
    assert httpx.post(f"{open_server.url}api/cameras/door/reset").status_code == 401
    with browser(open_server) as client:
        assert client.post("/api/cameras/door/reset").status_code == 202
        assert client.get("/login").status_code == 303


def test_other_sites_may_not_act(open_server):
    ours = str(httpx.URL(open_server.url).netloc, "ascii")
    with browser(open_server) as client:
        for head, status in (
            ({"Origin": f"http://{ours}", "Sec-Fetch-Site": "same-origin"}, 202),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": f"http://{ours}.evil.example"}, 403),
            ({"Origin": "http://127.0.0.1:1"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Origin": f"http://{ours}", "Sec-Fetch-Site": "cross-site"}, 403),
        ):
            assert client.post("/api/cameras/door/reset", headers=head).status_code == status, head


def test_the_right_token_does_not_help_another_site(server):
    head = {**BEARER, "Origin": "http://evil.example"}
    assert httpx.post(f"{server.url}api/cameras/door/reset", headers=head).status_code == 403
    assert httpx.post(f"{server.url}login", data={"token": TOKEN}, headers=head).status_code == 403


def test_a_name_that_is_not_ours_is_refused(run):
    with serving(run, hosts=("Camera.Example",)) as server:
        for host, status in (
            ("localhost", 200),
            ("LOCALHOST:9000", 200),
            ("127.0.0.1", 200),
            ("[::1]:8080", 200),
            ("camera.example:80", 200),
            ("camera.example.", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("[::1", 421),
            ("", 421),
            ("user@localhost", 200),
        ):
            answer = httpx.get(f"{server.url}healthz", headers={"Host": host})
            assert answer.status_code == status, host


def test_whatever_is_shown_is_compared():
    secret = Secret(TOKEN)
    assert secret.is_token(TOKEN)
    for shown in ("x" * 4000, "", "\udcff", TOKEN[:-1], f"{TOKEN} "):
        assert not secret.is_token(shown)


def test_mutated_requests_do_no_harm(run, tmp_path, caplog):
    """Seeded: 400 requests with bytes flipped, lost, doubled and put in, with and without the token."""
    seeds = [
        b'GET / HTTP/1.1\r\nHost: localhost\r\nCookie: rnnedge-0=1.x; a=b\r\nIf-None-Match: "x"\r\n\r\n',
        b"GET /api/cameras/door/events?after=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAuthorization: Bearer TOKEN\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 11\r\n\r\ntoken=wrong",
        b"POST /api/cameras/door/swap HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"
        b'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n',
    ]
    rng, answered = np.random.default_rng(5), 0
    with serving(run, patience_s=2.0, bundles=tmp_path, token_file=token_file(tmp_path)) as server:
        for number in range(400):
            sent = bytearray(seeds[number % len(seeds)].replace(b"TOKEN", TOKEN.encode()))
            for _ in range(rng.integers(1, 6)):
                begin, length = int(rng.integers(len(sent))), int(rng.integers(1, 9))
                noise = rng.integers(0, 256, length, np.uint8).tobytes()
                put = (noise, b"", bytes(sent[begin : begin + length]) * 2, b"\r\n")[rng.integers(4)]
                sent[begin : begin + length] = put
            with connect(server) as opened:
                opened.sendall(sent)
                # One that lacks its end gets no answer; it is left behind.
                opened.settimeout(0.05)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    answer = opened.recv(1 << 16)
                    answered += answer.startswith(b"HTTP/1.")
                    assert not answer.startswith(b"HTTP/1.1 5"), sent
        wait_for(lambda: httpx.get(f"{server.url}healthz", headers=BEARER).status_code in (200, 429))
    assert answered > 40  # it got that far, however slow the machine
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert TOKEN not in caplog.text
