"""The page in a real browser, over a real running stream: what is seen changes, and a button does what it says."""

import os
import shutil
from pathlib import Path

import pytest
from live_run import LiveRun
from web_client import TOKEN, serving, token_file, wait_for

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no chromium and chromedriver here (apt-get install chromium chromium-driver)",
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
    ),
)
# The live picture's middle as numbers, read off a canvas.
PIXELS = """
const img = document.getElementById("picture"), canvas = document.createElement("canvas");
if (!img.naturalWidth) return null;
canvas.width = canvas.height = 16;
const context = canvas.getContext("2d");
context.drawImage(img, 0, 0, 16, 16);
return Array.from(context.getImageData(0, 0, 16, 16).data).join();
"""

COLOURS = """
const style = getComputedStyle(document.querySelector(".card:not(#live)"));
return [style.backgroundColor, style.color].map((colour) => colour.match(/\\d+/g).slice(0, 3).map(Number));
"""
LINE = "return document.querySelector('#chart .score-line')?.getAttribute('points')"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A browser."""
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    emulate(driver, 1280, 900, False)
    yield driver
    driver.quit()


def emulate(driver, width, height, dark):
    """A screen of that size, and what the viewer prefers."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})


@pytest.fixture(scope="module")
def run(tiny_clips):
    with LiveRun(tiny_clips.model, ("door", "garden")).running() as run:
        yield run


def text(driver, element):
    return driver.execute_script("return document.getElementById(arguments[0]).textContent", element)


def complaints(driver):
    """What the browser said of the page: errors of scripts, refusals of the Content-Security-Policy."""
    return [line["message"] for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def test_the_page_over_a_running_stream(run, page):
    with serving(run) as server:
        page.get(server.url)
        wait_for(lambda: text(page, "health") == "Healthy")
        labels, pictures, paths = set(), set(), set()

        def enough():
            labels.add(text(page, "label"))
            pictures.add(page.execute_script(PIXELS))
            paths.add(
                page.execute_script(
                    "return document.querySelector('#chart .score-line')?.getAttribute('points')"
                )
            )
            return len(labels - {"–"}) > 1 and len(pictures - {None}) > 3 and len(paths - {None}) > 2

        wait_for(enough, 60)
        assert labels - {"–"} <= {"still", "brighter", "darker"}
        wait_for(lambda: "brighter" in text(page, "lines"), 30)
        assert text(page, "score").endswith("%")
        assert float(page.execute_script("return document.getElementById('fps').firstChild.textContent")) > 1
        assert "rtsp://…@127.0.0.1/door" in text(page, "details")
        assert page.execute_script("return document.querySelectorAll('#cameras button').length") == 2

        before = run.snapshot()["cameras"]["door"]["resets"].get("demand", 0)
        page.find_element("id", "reset").click()
        wait_for(lambda: run.snapshot()["cameras"]["door"]["resets"].get("demand", 0) == before + 1)
        wait_for(lambda: "begins anew" in text(page, "told"))

        page.find_element("id", "rollback").click()
        wait_for(lambda: page.find_element("id", "sure").is_displayed())
        page.find_element("css selector", "#sure button[value=yes]").click()
        wait_for(lambda: "there is no bundle to go back to" in text(page, "told"))

        page.find_element("css selector", "#cameras button[value=garden]").click()
        wait_for(lambda: "rtsp://…@127.0.0.1/garden" in text(page, "details"))
        assert page.execute_script("return document.getElementById('picture').src").endswith(
            "/garden/stream.mjpg"
        )
        # The refusal of the roll back is told by the browser too; nothing else may be.
        assert [line for line in complaints(page) if "rollback" not in line] == []
        page.get("about:blank")


def test_logging_in_by_the_form(run, page, tmp_path):
    with serving(run, token_file=token_file(tmp_path)) as server:
        page.get(server.url)
        assert page.current_url.endswith("/login")
        page.find_element("id", "token").send_keys("certainly not the token")
        page.find_element("css selector", "form button").click()
        wait_for(lambda: "This is not the token." in page.execute_script("return document.body.innerText"))
        page.find_element("id", "token").send_keys(TOKEN)
        page.find_element("css selector", "form button").click()
        wait_for(lambda: page.current_url == server.url)
        wait_for(lambda: text(page, "health") == "Healthy")
        assert TOKEN not in page.page_source
        assert page.execute_script("return document.cookie") == ""  # no script can read it
        page.find_element("id", "reset").click()
        wait_for(lambda: "begins anew" in text(page, "told"))
        page.find_element("css selector", "#logout button").click()
        wait_for(lambda: page.current_url.endswith("/login"))
        page.get("about:blank")


def test_a_runner_that_has_gone_is_told(run, page):
    with serving(run) as server:
        page.get(server.url)
        wait_for(lambda: text(page, "health") == "Healthy")
    wait_for(lambda: text(page, "health") == "No connection", 30)
    page.get("about:blank")


def test_nothing_is_cut_off_on_phone_and_desktop_in_light_and_dark(run, page):
    run.say("door", "recovered", "a-very-long-word-" * 12)
    with serving(run) as server:
        for width, dark in ((390, False), (390, True), (1280, True), (1280, False)):
            emulate(page, width, 844, dark)
            page.get(server.url)
            wait_for(lambda: text(page, "health") == "Healthy")
            wait_for(lambda: page.execute_script(PIXELS))
            wait_for(lambda: "very-long-word" in text(page, "lines"))
            assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
            ground, ink = page.execute_script(COLOURS)
            assert (sum(ground) < sum(ink)) == dark
            for name in ("reset", "rollback"):
                assert page.find_element("id", name).size["height"] >= 44  # a finger's width
            if folder := os.environ.get("RNNEDGE_SCREENSHOTS"):
                name = f"{'phone' if width < 600 else 'desktop'}-{'dark' if dark else 'light'}.png"
                page.save_screenshot(str(Path(folder) / name))
        page.get("about:blank")
