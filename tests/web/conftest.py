"""The web app's tests: they need Node, npm and the registry for `npm ci`, and Chromium for what runs in a browser.

`make test-web` runs them; the default `make test` does not collect this folder.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_commands import WEB, run

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node() -> None:
    """The packages of `device/web`, as the lock file has them."""
    if not shutil.which("npm"):
        pytest.skip("no npm here (apt-get install nodejs npm)")
    assert (WEB / "node_modules").is_dir(), "device/web/node_modules is missing: make test-web installs it"


@pytest.fixture(scope="session")
def bundles() -> Path:
    """A folder with `row.rnnedge`, `clip.rnnedge`, `caption.rnnedge` and more, see `make_bundles.py`.

    RNNEDGE_WEB_BUNDLES names another folder of bundles.
    """
    return Path(os.environ.get("RNNEDGE_WEB_BUNDLES", HERE / "bundles"))


@pytest.fixture(scope="session")
def vectors(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `vectors.json` and `vectors.bin`, see `vectors.py`."""
    out = tmp_path_factory.mktemp("vectors")
    run(sys.executable, HERE / "make_vectors.py", bundles, out)
    return out


class _Isolated(http.server.SimpleHTTPRequestHandler):
    """Without cross-origin isolation a browser's clock has steps of 0.1 ms."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def probe(node: None, vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the probe's page: the engine as the app has it, built, with the vectors beside it."""
    site = tmp_path_factory.mktemp("site")
    run("npx", "vite", "build", RNNEDGE_WEB_PROBE=1, RNNEDGE_WEB_OUT=site)
    for name in ("vectors.json", "vectors.bin"):
        os.link(vectors / name, site / name)
    handler = functools.partial(_Isolated, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/tests/probe.html"
        server.shutdown()
        thread.join(10)
