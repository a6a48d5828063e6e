"""The built page, live: Chromium plays a real video as the camera, and the page's log is the Python runner's."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from chromium import (
    CHROMIUM,
    DRIVER,
    camera_film,
    chromium,
    click,
    complaints,
    screen,
    screenshot,
    shown,
    text,
    wait_for,
)
from live import (
    end_live,
    english_left,
    open_page,
    recorded,
    run_live,
    runner_lines,
    sent_frames,
    watch_frames,
)
from served import served

from rnnedge.deploy.phone.site import write_site
from rnnedge_device.bundle import read_bundle

pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER and shutil.which("ffmpeg")), reason="needs chromium, chromium-driver and ffmpeg"
)
VIDEOS = Path(os.environ.get("RNNEDGE_DATA", "/nonexistent")) / "camera_videos"


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Six seconds of somebody who walks past, 160 x 120: small enough to keep every frame."""
    video = VIDEOS / "one-by-one-person-detection.mp4"
    if not video.is_file():
        pytest.skip("RNNEDGE_DATA has no camera_videos")
    return camera_film(video, tmp_path_factory.mktemp("film") / "camera.y4m", size=(160, 120))


@pytest.fixture(scope="module")
def browser(film, tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium"), film=film) as driver:
        watch_frames(driver)
        screen(driver, 390, 844)
        yield driver


@pytest.fixture(params=["row", "clip", "caption"])
def bundle(request, bundles):
    return bundles / f"{request.param}.rnnedge"


def test_a_bundle_runs_live_and_its_log_is_the_runners(bundle, browser, tmp_path):
    write_site(bundle, tmp_path / "site")
    with served(tmp_path / "site") as port:
        browser.get_log("performance")  # what was before is not the page's
        open_page(browser, f"http://localhost:{port}/")
        click(browser, "record")
        run_live(browser, 60)
        end_live(browser)
        wait_for(
            lambda: browser.execute_script("return !document.getElementById('picture').srcObject"),
            "no camera",
        )
        lines = recorded(browser, tmp_path)
        frames = sent_frames(browser)
        expected = runner_lines(bundle, frames)
        assert not complaints(browser)
        assert foreign_requests(browser, port) == []
        compare(lines, expected, bundle.stem)
        click(browser, "start")
        wait_for(lambda: text(browser, "state") == "Running", "the camera once more")
        click(browser, "language")
        wait_for(lambda: text(browser, "lines"), "a line")
        (log,) = tmp_path.glob("*.jsonl")
        assert english_left(browser, {log.name, *words_of(bundle)}) == set()
        click(browser, "language")
        for theme in ("light", "dark"):
            for name, size in (("portrait", (360, 740)), ("landscape", (740, 360))):
                screen(browser, *size, dark=theme == "dark")
                bottom = (
                    "return document.getElementById('start').getBoundingClientRect().bottom <= innerHeight"
                )
                assert browser.execute_script(bottom), f"{name}: Stop is out of sight"
                screenshot(browser, f"{bundle.stem}-{theme}-{name}")
        click(browser, "start")


def words_of(bundle):
    """What a page shows of a bundle itself: its name, its labels or its captions' words."""
    loaded = read_bundle(bundle)
    said = [loaded.manifest.name, *loaded.manifest.labels]
    if loaded.manifest.caption:
        said.append(loaded.members[loaded.manifest.caption.vocabulary].decode())
    return " ".join(said).split()


def compare(lines, expected, kind):
    """Equal lines; of a captioner equal sentences about equal frames, since time decides which frames it takes."""
    key = ("ts_ms", "label", "event", "reset", "frame")
    if kind == "caption":
        # Live, frames come while a sentence is written; the runner on recorded frames takes each that is due.
        by_time = {line["ts_ms"]: line["label"] for line in expected}
        common = [line for line in lines if line["ts_ms"] in by_time]
        assert common
        assert all(line["label"] == by_time[line["ts_ms"]] for line in common)
        return
    assert [[line.get(name) for name in key] for line in lines] == [
        [line.get(name) for name in key] for line in expected
    ]
    for line, other in zip(lines, expected, strict=True):
        assert line["score"] == pytest.approx(other["score"], abs=2e-4)
        assert line["task"] == other["task"]


def foreign_requests(driver, port):
    """Requests to anywhere but the site, since the last call."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith((f"http://localhost:{port}/", "data:", "blob:")):
                found.append(url)
    return found


NAMED = {"button", "textbox", "combobox", "listbox", "list", "region", "image", "Video", "link"}


def nameless(driver):
    """Roles of what a screen reader would come to and have no name for."""
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    seen = [node for node in nodes if not node["ignored"] and node["role"]["value"] in NAMED]
    assert len(seen) > 10
    return [node["role"]["value"] for node in seen if not node.get("name", {}).get("value", "").strip()]


def test_the_page_speaks_both_languages_and_has_large_buttons(bundles, browser, tmp_path):
    write_site(bundles / "clip.rnnedge", tmp_path / "site")
    with served(tmp_path / "site") as port:
        open_page(browser, f"http://localhost:{port}/")
        screen(browser, 390, 844)
        small = browser.execute_script(
            "return [...document.querySelectorAll('button, select, input:not(.unseen)')]"
            ".filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 48).map((e) => e.id)"
        )
        assert small == []
        assert nameless(browser) == []
        english = text(browser, "start"), text(browser, "events-title")
        click(browser, "language")
        chinese = text(browser, "start"), text(browser, "events-title")
        assert chinese == ("开始", "事件")
        assert nameless(browser) == []
        assert browser.execute_script("return document.documentElement.lang") == "zh-CN"
        screenshot(browser, "chinese")
        open_page(browser, f"http://localhost:{port}/", "就绪")  # it is remembered
        click(browser, "language")
        assert (text(browser, "start"), text(browser, "events-title")) == english == ("Start", "Events")
        wide = "return document.documentElement.scrollWidth <= innerWidth"
        ground = "return getComputedStyle(document.body).backgroundColor"
        grounds = []
        for dark in (False, True):
            screen(browser, 360, 740, dark=dark)
            grounds.append(browser.execute_script(ground))
        assert grounds == ["rgb(246, 247, 249)", "rgb(15, 20, 27)"]
        # Nothing sticks out of the page, nor of the card it lies in, in either language.
        out = (
            "const right = (e) => e.getBoundingClientRect().right;"
            "return [...document.querySelectorAll('.card *')].filter((e) => e.checkVisibility()"
            " && !e.closest('svg, .unseen') && right(e) > right(e.closest('.card'))).map((e) => e.id)"
        )
        for _ in range(2):
            for size in ((320, 640), (360, 740), (390, 844), (740, 360)):
                screen(browser, *size)
                assert browser.execute_script(wide), size
                assert browser.execute_script(out) == [], size
            click(browser, "language")


def test_reset_begins_anew(bundles, browser, tmp_path):
    write_site(bundles / "clip.rnnedge", tmp_path / "site")
    with served(tmp_path / "site") as port:
        open_page(browser, f"http://localhost:{port}/")
        run_live(browser, 30)
        click(browser, "reset")
        wait_for(lambda: "reset: " in text(browser, "lines"), "the reset's line")
        click(browser, "start")
        assert not shown(browser, "notice")


def test_how_fast_it_is(bundle, tmp_path):
    """Prints; how fast a machine is, and how busy, is no reason to fail."""
    video = VIDEOS / "one-by-one-person-detection.mp4"
    if not video.is_file():
        pytest.skip("RNNEDGE_DATA has no camera_videos")
    film = camera_film(video, tmp_path / "camera.y4m", seconds=4)
    write_site(bundle, tmp_path / "site")
    with served(tmp_path / "site") as port, chromium(tmp_path / "profile", film=film) as driver:
        screen(driver, 390, 844)
        open_page(driver, f"http://localhost:{port}/")
        marks = "return performance.getEntriesByType('mark').map((mark) => [mark.name, Math.round(mark.startTime)])"
        marked = dict(driver.execute_script(marks))
        click(driver, "start")
        wait_for(lambda: text(driver, "state") == "Running", "the camera")
        time.sleep(8)
        shown_now = {name: text(driver, name) for name in ("fps", "inference", "delay", "dropped")}
        print(f"\n{bundle.stem}, camera of 640 x 480 at 30: ms {marked}, {shown_now}")
