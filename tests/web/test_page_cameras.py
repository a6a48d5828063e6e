"""Cameras as a phone has them: two of them, none, one that is refused, in use or taken away."""

import pytest
from chromium import CHROMIUM, DRIVER, chromium, click, screen, screenshot, shown, text, wait_for
from live import open_page
from served import served

from rnnedge.deploy.phone.site import write_site

pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromium-driver")
OPEN = "return document.getElementById('picture').srcObject?.getVideoTracks()[0].getSettings().deviceId"


@pytest.fixture(scope="module")
def port(bundles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cameras") / "site"
    write_site(bundles / "clip.rnnedge", folder)
    with served(folder) as port:
        yield port


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium"), cameras=2) as driver:
        screen(driver, 360, 740)
        yield driver


def run(driver, port):
    open_page(driver, f"http://localhost:{port}/")
    click(driver, "start")
    wait_for(lambda: text(driver, "state") == "Running", "the camera")
    return wait_for(lambda: driver.execute_script(OPEN), "its id")


def restarts(driver):
    """How often the model's memory began anew with a camera."""
    return text(driver, "lines").count("reset: by you") + text(driver, "lines").count("reset: first frame")


def test_of_two_cameras_each_can_be_chosen_and_memory_begins_anew(browser, port):
    first = run(browser, port)
    wait_for(lambda: shown(browser, "turn") and shown(browser, "camera"), "the choice")
    screenshot(browser, "two-cameras")
    wait_for(lambda: restarts(browser) == 1, "the first answer")
    click(browser, "turn")
    second = wait_for(lambda: (found := browser.execute_script(OPEN)) != first and found, "the other camera")
    wait_for(lambda: restarts(browser) == 2, "its first answer")
    chosen = "return document.getElementById('camera').value"
    wait_for(lambda: browser.execute_script(chosen) == second, "the other one's name")
    names = browser.execute_script("return [...document.getElementById('camera').options].map((o) => o.text)")
    assert len(set(names)) == 2
    assert all(names)
    pick = "const c = document.getElementById('camera'); c.value = arguments[0]; c.dispatchEvent(new Event('change'))"
    browser.execute_script(pick, first)
    wait_for(lambda: browser.execute_script(OPEN) == first, "the first camera")
    wait_for(lambda: restarts(browser) == 3, "its answer")
    assert text(browser, "state") == "Running"
    assert not shown(browser, "notice")
    click(browser, "start")


def test_a_camera_that_is_taken_away_is_noticed_and_can_be_opened_again(browser, port):
    run(browser, port)
    lose = "const [track] = document.getElementById('picture').srcObject.getVideoTracks();"
    browser.execute_script(f"{lose} track.stop(); track.dispatchEvent(new Event('ended'))")
    wait_for(lambda: text(browser, "state") == "Stopped", "the end")
    assert text(browser, "notice") == "The camera was taken away. Press Start to try again."
    click(browser, "start")
    wait_for(lambda: text(browser, "state") == "Running", "the camera again")
    assert not shown(browser, "notice")
    click(browser, "start")


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("NotReadableError", "in use by another app"),
        ("OverconstrainedError", "no camera"),
        ("TypeError", "cannot be opened: of the browser"),
    ],
)
def test_a_camera_that_does_not_open_is_explained(problem, words, browser, port):
    """Only another program, or another browser, could make these: the browser's answer is set here."""
    open_page(browser, f"http://localhost:{port}/")
    answer = "() => Promise.reject(new DOMException('of the browser', name))"
    browser.execute_script(
        f"const [name] = arguments; navigator.mediaDevices.getUserMedia = {answer}", problem
    )
    click(browser, "start")
    wait_for(lambda: text(browser, "state") == "Problem", "the message")
    assert words in text(browser, "notice")
    assert text(browser, "start") == "Start"


@pytest.mark.parametrize(
    ("cameras", "english", "chinese"),
    [
        (1, "The camera was refused.", "摄像头权限被拒绝。"),
        (0, "This device has no camera", "没有可用的摄像头。"),
    ],
)
def test_a_refused_or_missing_camera_is_explained_in_both_languages(
    cameras, english, chinese, port, tmp_path
):
    with chromium(tmp_path, cameras=cameras, asks=cameras > 0) as driver:
        screen(driver, 360, 740)
        if cameras:
            denied = {"permission": {"name": "camera"}, "setting": "denied"}
            driver.execute_cdp_cmd("Browser.setPermission", denied)
        open_page(driver, f"http://localhost:{port}/")
        click(driver, "start")
        wait_for(lambda: text(driver, "state") == "Problem", "the refusal")
        assert text(driver, "notice").startswith(english)
        assert text(driver, "start") == "Start"
        screenshot(driver, "refused-camera" if cameras else "no-camera")
        click(driver, "language")
        assert text(driver, "notice").startswith(chinese)
