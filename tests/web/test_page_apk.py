"""The page as it comes out of the signed APK, at the app's own origin, in the same browser test as the site."""

import io
import shutil
import subprocess
import zipfile

import pytest
from chromium import CHROMIUM, DRIVER, chromium, click, complaints, screen, screenshot, shown, wait_for
from live import end_live, open_page, run_live, runner_lines, sent_frames, watch_frames
from served import served

from rnnedge.deploy.phone.android_tools import FRAMEWORK, PACKAGES
from rnnedge.deploy.phone.apk import AppFacts, write_apk
from rnnedge.deploy.phone.keystore import Keystore
from rnnedge.deploy.phone.site import site_files
from rnnedge_device.phones.certificate import own_certificate

pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromium-driver")
HOST = "rnnedge.invalid"


@pytest.fixture(scope="module")
def apk(bundles, tmp_path_factory):
    if not (all(map(shutil.which, PACKAGES)) and FRAMEWORK.is_file()):
        pytest.skip("needs aapt, zipalign, apksigner and android-framework-res")
    folder = tmp_path_factory.mktemp("apk")
    facts = AppFacts("row", "org.rnnedge.app.row", 1, "0")
    write_apk(
        site_files(bundles / "row.rnnedge"), folder / "row.apk", facts, Keystore.for_debugging(folder / "key")
    )
    return folder / "row.apk"


def test_the_page_of_the_apk_runs_at_its_own_origin(apk, bundles, tmp_path):
    subprocess.run(["apksigner", "verify", apk], check=True, timeout=120, stdin=subprocess.DEVNULL)
    site = tmp_path / "site"
    with zipfile.ZipFile(io.BytesIO(apk.read_bytes())) as packed:
        for name in packed.namelist():
            if name.startswith("assets/site/"):
                place = site / name.removeprefix("assets/site/")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(packed.read(name))
    certificate = own_certificate(tmp_path / "keys", [HOST])
    with served(site, certificate) as port:
        flags = (f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{port}", "--ignore-certificate-errors")
        with chromium(tmp_path / "profile", *flags) as driver:
            # As the Activity offers it: the page saves through the app, and keeps nothing offline.
            app = "window.rnnedgeApp = { save: (name, text) => { window.kept = [name, text]; } };"
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": app})
            watch_frames(driver)
            screen(driver, 390, 844)
            open_page(driver, f"https://{HOST}/index.html")
            assert driver.execute_script("return isSecureContext && crossOriginIsolated")
            click(driver, "record")
            run_live(driver, 30)
            screenshot(driver, "apk")
            end_live(driver)
            click(driver, "record")
            name, lines = wait_for(lambda: driver.execute_script("return window.kept"), "the log")
            expected = runner_lines(bundles / "row.rnnedge", sent_frames(driver))
            assert name.endswith(".jsonl")
            assert lines.count("\n") == len(expected)
            assert driver.execute_script("return navigator.serviceWorker.controller === null")
            assert not shown(driver, "notice")
            assert not complaints(driver)
