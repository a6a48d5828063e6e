"""What the page refuses, and what it says where something is missing: nothing is loaded, nothing breaks."""

import hashlib
import json
import zipfile

import pytest
from chromium import CHROMIUM, DRIVER, chromium, click, complaints, screen, screenshot, shown, text, wait_for
from live import english_left, open_page
from served import served

from rnnedge.deploy.phone.site import write_site

pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromium-driver")
INSECURE = "phone.test"  # a name of this machine that is neither https nor localhost


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    rules = f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1"
    with chromium(tmp_path_factory.mktemp("chromium"), rules) as driver:
        screen(driver, 390, 844)
        yield driver


@pytest.fixture(scope="module")
def site(bundles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusals") / "site"
    write_site(bundles / "row.rnnedge", folder)
    return folder


@pytest.fixture(scope="module")
def port(site):
    with served(site) as port:
        yield port


def repacked(bundle, out, change):
    """A copy of a bundle with one member changed by `change(name, data)`."""
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out


def tampered(bundle, out):
    def change(name, data):
        return bytes([*data[:-1], data[-1] ^ 1]) if name.endswith(".tflite") else data

    return repacked(bundle, out, change)


def huge(bundle, out):
    """Its manifest says that a member has 200 MB."""

    def change(name, data):
        if name != "manifest.json":
            return data
        manifest = json.loads(data)
        for member in manifest["files"].values():
            member["size"] = 200_000_000
        return json.dumps(manifest).encode()

    return repacked(bundle, out, change)


def deceiving(bundle, out):
    """The archive itself says that a member has 200 MB."""
    data = bytearray(bundle.read_bytes())
    at = data.find(b"PK\x01\x02")
    data[at + 24 : at + 28] = (200_000_000).to_bytes(4, "little")
    out.write_bytes(data)
    return out


def half(bundle, out):
    data = bundle.read_bytes()
    out.write_bytes(data[: len(data) // 2])
    return out


def no_bundle(bundle, out):
    out.write_bytes(b"<html>" * 100)
    return out


@pytest.mark.parametrize("make", [tampered, huge, deceiving, half, no_bundle])
def test_a_hostile_bundle_is_refused_and_the_one_before_stays(make, bundles, browser, port, tmp_path):
    open_page(browser, f"http://localhost:{port}/")
    name = text(browser, "name")
    bad = make(bundles / "clip.rnnedge", tmp_path / "bad.rnnedge")
    browser.find_element("id", "file").send_keys(str(bad))
    wait_for(lambda: shown(browser, "notice"), "the refusal")
    message = text(browser, "notice")
    assert len(message) > 15
    assert "undefined" not in message
    assert text(browser, "name") == name
    assert text(browser, "state") == "Ready"
    screenshot(browser, f"refused-{make.__name__}")
    click(browser, "language")
    assert text(browser, "notice").startswith("未载入：")
    assert (
        english_left(
            browser, {"manifest.json", "model.tflite", "golden.npz", "SHA-256", "ZIP", "digits-lstm"}
        )
        == set()
    )
    click(browser, "language")
    assert text(browser, "notice") == message


# A model that never lets go of its worker is one that never hears of its bundle; half a minute is then half a second.
HANGING = """
const [send, later] = [Worker.prototype.postMessage, window.setTimeout];
Worker.prototype.postMessage = function (message, ...rest) {
  if (!window.hanging || message.kind !== "load") return send.call(this, message, ...rest);
};
window.setTimeout = (act, ms, ...rest) => later(act, window.hanging && ms === 30000 ? 500 : ms, ...rest);
"""


def test_a_model_that_never_begins_is_given_up_and_the_one_before_answers(bundles, browser, port):
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HANGING})
    try:
        open_page(browser, f"http://localhost:{port}/")
        name = text(browser, "name")
        browser.execute_script("window.hanging = true")
        browser.find_element("id", "file").send_keys(str(bundles / "clip.rnnedge"))
        wait_for(lambda: shown(browser, "notice"), "the end of the trial")
        assert "30 seconds" in text(browser, "notice")
        assert text(browser, "name") == name
        click(browser, "start")
        wait_for(lambda: text(browser, "label") not in ("", "–"), "an answer")
        click(browser, "start")
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_a_bundle_is_exchanged_while_the_camera_runs(bundles, browser, port):
    open_page(browser, f"http://localhost:{port}/")
    click(browser, "start")
    wait_for(lambda: text(browser, "label") not in ("", "–"), "an answer")
    browser.find_element("id", "file").send_keys(str(bundles / "clip.rnnedge"))
    wait_for(lambda: "clips" in text(browser, "details"), "the other bundle")
    wait_for(lambda: text(browser, "label") not in ("", "–"), "its answer")
    assert text(browser, "state") == "Running"
    assert not shown(browser, "notice")
    click(browser, "start")


def test_a_good_bundle_can_be_picked_instead(bundles, browser, port):
    open_page(browser, f"http://localhost:{port}/")
    browser.find_element("id", "file").send_keys(str(bundles / "clip.rnnedge"))
    wait_for(lambda: "clips" in text(browser, "details"), "the other bundle")
    assert not shown(browser, "notice")


@pytest.mark.parametrize(
    "address", ["https://other.example/a.rnnedge", "//other.example/a.rnnedge", "data:,x", "http://["]
)
def test_a_bundle_of_another_origin_is_refused(address, browser, port):
    open_page(browser, f"http://localhost:{port}/")
    name = text(browser, "name")
    browser.get_log("performance")
    field = browser.find_element("id", "url")
    field.send_keys(address)
    field.submit()
    wait_for(lambda: shown(browser, "notice"), "the refusal")
    assert text(browser, "notice").startswith("Not loaded: ")
    assert text(browser, "name") == name
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    assert not [found for found in asked if found["method"] == "Network.requestWillBeSent"]


def test_a_page_opened_with_a_foreign_bundle_loads_nothing(browser, port):
    open_page(browser, f"http://localhost:{port}/?bundle=https://other.example/a.rnnedge", "No bundle")
    assert "at another origin" in text(browser, "notice")
    assert browser.execute_script("return document.getElementById('start').disabled")


def test_an_address_of_this_site_is_loaded(browser, port):
    open_page(browser, f"http://localhost:{port}/?bundle=bundle.rnnedge")
    assert not shown(browser, "notice")


def test_a_missing_bundle_says_so(browser, port):
    open_page(browser, f"http://localhost:{port}/?bundle=nothing.rnnedge", "No bundle")
    assert "404" in text(browser, "notice")


def test_an_insecure_address_is_explained(browser, port):
    open_page(browser, f"http://{INSECURE}:{port}/", "Problem")
    assert "https" in text(browser, "notice")
    assert browser.execute_script("return document.getElementById('start').disabled")
    screenshot(browser, "insecure")
    click(browser, "language")
    assert english_left(browser, {"https", "localhost", "rnnedge"}) == set()
    click(browser, "language")


def test_an_old_browser_is_told_what_it_lacks(browser, port):
    script = {"source": "delete HTMLVideoElement.prototype.requestVideoFrameCallback"}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        browser.get(f"http://localhost:{port}/")
        wait_for(lambda: "requestVideoFrameCallback" in text(browser, "old"), "the message")
        assert shown(browser, "old")
        assert not browser.execute_script("return document.querySelector('main').checkVisibility()")
        screenshot(browser, "old-browser")
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_the_page_works_without_the_network_from_the_second_visit_on(site, tmp_path):
    with chromium(tmp_path) as driver:
        screen(driver, 390, 844)
        with served(site) as port:
            open_page(driver, f"http://localhost:{port}/")
            wait_for(
                lambda: driver.execute_script("return navigator.serviceWorker.controller !== null"),
                "it is kept",
            )
        # The server is gone.
        open_page(driver, f"http://localhost:{port}/")
        click(driver, "start")
        wait_for(lambda: text(driver, "label") not in ("", "–"), "an answer")
        assert text(driver, "state") == "Running"
        assert not [line for line in complaints(driver) if "sw.js" not in line]


def test_a_newer_site_is_offered_and_taken(bundles, tmp_path):
    folder = tmp_path / "site"
    write_site(bundles / "row.rnnedge", folder)
    with chromium(tmp_path / "profile") as driver:
        with served(folder) as port:
            open_page(driver, f"http://localhost:{port}/")
            wait_for(
                lambda: driver.execute_script("return navigator.serviceWorker.controller !== null"),
                "the first",
            )
        first = hashlib.sha256((folder / "sw.js").read_bytes()).digest()
        write_site(bundles / "clip.rnnedge", folder)
        assert hashlib.sha256((folder / "sw.js").read_bytes()).digest() != first
        with served(folder, port=port):
            open_page(driver, f"http://localhost:{port}/")
            assert "images" in text(driver, "details")  # still the one before
            wait_for(lambda: shown(driver, "fresh"), "the offer")
            click(driver, "renew")
            wait_for(lambda: "clips" in text(driver, "details"), "the newer bundle")
