"""The page runs for minutes: what its heap and the browser's documents, nodes and listeners hold does not grow."""

import os
import time

import pytest
from chromium import CHROMIUM, DRIVER, chromium, click, screen, text, wait_for
from live import open_page
from served import served

from rnnedge.deploy.phone.site import write_site

MINUTES = float(os.environ.get("RNNEDGE_SOAK_WEB", "0"))
pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
pytestmark = [
    pytest.mark.skipif(not MINUTES, reason="minutes; make soak-web runs it"),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromium-driver"),
]
WARM_UP = 0.3  # of the time: the history fills, code is compiled
MOST_GROWTH = 3e6  # bytes between two halves that are alike: a frame alone has 0.9 MB


def heap(driver):
    """Bytes that live objects of the page have, as a heap snapshot would hold them, and counts of the document."""
    driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    used = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
    counts = driver.execute_cdp_cmd("Memory.getDOMCounters", {})
    return used, counts["nodes"], counts["jsEventListeners"]


def test_memory_stays_as_it_is(bundles, tmp_path):
    write_site(bundles / "clip.rnnedge", tmp_path / "site")
    with served(tmp_path / "site") as port, chromium(tmp_path / "profile") as driver:
        screen(driver, 390, 844)
        driver.execute_cdp_cmd("HeapProfiler.enable", {})
        open_page(driver, f"http://localhost:{port}/")
        click(driver, "start")
        wait_for(lambda: text(driver, "state") == "Running", "the camera")
        driver.get_log("performance")
        begin, seen = time.monotonic(), []
        while (passed := time.monotonic() - begin) < 60 * MINUTES:
            time.sleep(10)
            seen.append((passed, *heap(driver), resident(driver)))
            driver.get_log("performance")  # the driver's own list must not grow either
            _, used, nodes, listeners, memory = seen[-1]
            print(
                f"{passed:6.0f} s  heap {used / 1e6:6.2f} MB, {nodes} nodes, {listeners} listeners,", end=" "
            )
            print(
                f"renderer {memory / 1e6:.0f} MB; {text(driver, 'fps')} fps, dropped {text(driver, 'dropped')}"
            )
        assert text(driver, "state") == "Running"
    steady = seen[int(WARM_UP * len(seen)) :]
    early, late = steady[: len(steady) // 2], steady[len(steady) // 2 :]
    for column, most in ((1, MOST_GROWTH), (2, 400), (3, 50), (4, 30e6)):
        low = [min(row[column] for row in half) for half in (early, late)]
        assert low[1] - low[0] < most, f"column {column}: {low}"


def resident(driver):
    """Bytes in memory of the browser's largest process that renders."""
    return max(map(_bytes, _renderers(driver)), default=0)


def _renderers(driver):
    root = driver.service.process.pid
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    for pid in parents:
        at = pid
        while at in parents and at != root:
            at = parents[at]
        if at == root:
            yield pid


def _bytes(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"--type=renderer" not in file.read():
                return 0
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
