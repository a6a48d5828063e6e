"""rnnedge-run --serve-web: what goes out and what does not, over real HTTPS on this machine."""

import gzip
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="rnnedge[runner]")
from rnnedge_device.errors import InputError
from rnnedge_device.phones.certificate import own_certificate
from rnnedge_device.phones.command import code, serve
from rnnedge_device.phones.site import read_site

FILES = {
    "index.html": b"<p>page",
    "site.json": b"{}",
    "wasm/a.wasm": b"\0asm" + bytes(2000),
    "manifest.webmanifest": b"{}",
    "bundle.rnnedge": b"PK" + os.urandom(50),
}


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def server(site, tmp_path):
    """The command itself; gives its port and the certificate that it made."""
    command = [sys.executable, "-m", "rnnedge_device", "--serve-web", site, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
        # As from a terminal: what a shell starts in the background ignores Ctrl-C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C ends it" in line:
                break
        url = next(line.strip() for line in said if line.startswith("  https://"))
        yield (
            int(url.rpartition(":")[2].strip("/")),
            tmp_path / ".local/share/rnnedge/serve-web.crt",
            "".join(said),
        )
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(60) in (0, 130)
        finally:
            process.kill()


def ask(port, cert, path, method="GET", **headers):
    context = ssl.create_default_context(cafile=cert)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_the_site_goes_out_with_its_types_and_headers_and_nothing_else_does(server):
    port, cert, said = server
    for path, type_ in {
        "/": "text/html; charset=utf-8",
        "/wasm/a.wasm": "application/wasm",
        "/manifest.webmanifest": "application/manifest+json",
        "/bundle.rnnedge": "application/octet-stream",
    }.items():
        status, headers, body = ask(port, cert, path)
        assert (status, headers["content-type"]) == (200, type_)
        assert body == FILES[path[1:] or "index.html"]
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-embedder-policy"] == "require-corp"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert ask(port, cert, path, **{"If-None-Match": headers["etag"]})[0] == 304
    status, headers, body = ask(port, cert, "/wasm/a.wasm", **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == FILES["wasm/a.wasm"]
    for path in (
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "//secret.txt",
        "/wasm/",
        "/etc/passwd",
        "/a\\b",
    ):
        status, _, body = ask(port, cert, path)
        assert status == 404, path
        assert b"secret" not in body
    assert ask(port, cert, "/", method="POST")[0] == 405
    assert "█" in said or "▄" in said  # the code
    assert "SHA-256" in said


def test_the_phone_can_fetch_the_certificate_but_never_the_key(server, tmp_path):
    port, cert, said = server
    status, headers, body = ask(port, cert, "/rnnedge.crt")
    assert (status, headers["content-type"]) == (200, "application/x-x509-ca-cert")
    assert body == cert.read_bytes()
    assert b"PRIVATE" not in body
    assert (cert.parent / "serve-web.key").stat().st_mode & 0o077 == 0
    assert f"https://127.0.0.1:{port}/rnnedge.crt" in said


def test_a_certificate_is_kept_until_it_lacks_a_name(tmp_path):
    first = own_certificate(tmp_path, ["192.0.2.7", "pi.local"])
    assert own_certificate(tmp_path, ["pi.local"]) == first
    assert own_certificate(tmp_path, ["pi.local", "192.0.2.8"]) != first
    first.cert.write_text("not a certificate")
    assert own_certificate(tmp_path, ["pi.local"]).fingerprint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nowhere", "127.0.0.1:0", None, None), "there is no such folder"),
        ((".", "127.0.0.1:0", None, None), "no site is in it"),
        (("site", "8443", None, None), "give HOST:PORT"),
        (("site", "127.0.0.1:99999", None, None), "give HOST:PORT"),
        (("site", "127.0.0.1:0", "a.crt", None), "belong together"),
        (("site", "127.0.0.1:0", "site/index.html", "site/index.html"), "no usable PEM pair"),
    ],
)
def test_bad_options_are_one_message(options, words, site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError, match=words):
        serve(*options)


def test_a_taken_port_and_links_are_refused(site, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="in use"):
            serve(str(site), f"127.0.0.1:{taken.getsockname()[1]}", None, None)
    (site / "link").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(InputError, match="is a link"):
        read_site(site)


def test_the_code_in_the_terminal_reads_as_the_address():
    """As a phone sees it: each character is two modules, one above the other."""
    url = "https://192.0.2.7:8443/"
    halves = {" ": (0, 0), "█": (255, 255), "▀": (255, 0), "▄": (0, 255)}
    rows = [[halves[sign] for sign in line] for line in code(url).splitlines() if line]
    modules = np.array(rows, np.uint8).transpose(0, 2, 1).reshape(2 * len(rows), -1)
    picture = cv2.copyMakeBorder(
        np.kron(modules, np.ones((8, 8), np.uint8)), 32, 32, 32, 32, cv2.BORDER_CONSTANT, value=255
    )
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == url
