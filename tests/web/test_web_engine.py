"""The web engine against the Python part: types, unit tests on its vectors, and whole bundles in a real browser."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from node_commands import run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage")
PATIENCE_S = 900


@pytest.fixture(scope="module")
def report(probe: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the probe's page found in a headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium and chromedriver here (apt-get install chromium chromium-driver)")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.get(probe)
        deadline = time.monotonic() + PATIENCE_S
        while not (found := driver.execute_script("return window.report")) and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        driver.quit()
    assert found, f"the page has not reported in {PATIENCE_S} s"
    assert "problem" not in found, found["problem"]
    print_report(found)
    return found


def print_report(found: dict[str, Any]) -> None:
    print(f"\n{found['agent']}")
    for name, one in found["bundles"].items():
        print(
            f"{name}: {one['loaded']['form']} on {one['loaded']['runtime']}\n"
            f"  {one['differ']} of {one['values']} outputs differ from Python's, at most by {one['most']:.3g}; "
            f"{one['sameTop1']} of {one['answers']} answers are the same\n"
            f"  {one['lines']} lines, {one['events']} of them events: {one['apart'] or 'all the same'}\n"
            f"  interpreter: median {one['median_ms']:.3f} ms, p95 {one['p95_ms']:.3f} ms; page to worker and back, "
            f"preprocessing included: {one['round_ms']:.2f} ms"
        )
    for what, ms in found["preprocessing"].items():
        print(f"preprocessing a frame of 640 x 480 to {what}: median {ms:.2f} ms")


def test_types(node: None) -> None:
    run("npx", "tsc", "--noEmit")


def test_units(node: None, vectors: Path) -> None:
    """Vitest, on what the Python part computed."""
    print(run("npx", "vitest", "run", "--reporter=verbose", RNNEDGE_WEB_VECTORS=vectors))


def test_every_kind_is_there(report: dict[str, Any]) -> None:
    assert {one["loaded"]["task"] for one in report["bundles"].values()} == {"images", "clips", "captions"}
    if "forms" in report["bundles"]:  # of ours, see make_bundles.py: what no browser runs comes first in it
        forms = {one["loaded"]["form"] for name, one in report["bundles"].items() if name.startswith("forms")}
        assert forms == {"loop", "unrolled", "step"}


def test_int8_outputs_in_the_browser_are_the_python_parts_bit_for_bit(report: dict[str, Any]) -> None:
    for name, one in report["bundles"].items():
        assert one["answers"] >= 500, name
        assert one["differ"] == 0, (
            f"{name}: {one['differ']} of {one['values']} outputs differ, at most by {one['most']}"
        )
        assert one["sameTop1"] == one["answers"]


def test_lines_in_the_browser_are_the_python_runners(report: dict[str, Any]) -> None:
    for name, one in report["bundles"].items():
        assert not one["apart"], f"{name}: {one['apart']}"
        assert one["lines"] > 50, name
    if "clip" in report["bundles"]:  # one of ours, see make_bundles.py
        assert report["bundles"]["clip"]["events"] > 10


def test_bad_bundles_are_refused_in_the_browser(report: dict[str, Any]) -> None:
    changed, huge, empty, page = report["refused"]
    assert "the SHA-256 differs" in changed or "damaged" in changed
    assert "its declared size 200000000 is false" in huge
    assert "not a ZIP file" in empty
    assert "not a ZIP file" in page
