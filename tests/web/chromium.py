"""Headless Chromium with a video as its camera, and what tests ask a page about."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
PATIENCE_S = 240  # a loaded machine is slow, and that is no fault of the page


def camera_film(video: Path, out: Path, seconds: float = 6, size: tuple[int, int] = (640, 480)) -> Path:
    """The first seconds of a video as Chromium plays it for a camera (Y4M, 30 a second), over and over."""
    command = [
        *("ffmpeg", "-v", "error", "-y", "-i", str(video), "-t", str(seconds), "-r", "30"),
        *("-vf", f"scale={size[0]}:{size[1]}", "-pix_fmt", "yuv420p", str(out)),
    ]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=120)
    return out


@contextmanager
def chromium(
    profile: Path, *flags: str, film: Path | None = None, cameras: int = 1, asks: bool = False
) -> Iterator[Any]:
    """A browser with so many cameras: a film, or a drawn picture. Who wants one gets it, unless it `asks` somebody."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    if not asks:
        options.add_argument("--use-fake-ui-for-media-stream")
    if cameras:
        options.add_argument(f"--use-fake-device-for-media-stream=device-count={cameras}")
    if film is not None:
        options.add_argument(f"--use-file-for-fake-video-capture={film}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(PATIENCE_S)
    driver.set_script_timeout(PATIENCE_S)
    try:
        yield driver
    finally:
        driver.quit()


def screen(driver: Any, width: int, height: int, dark: bool = False, scale: float = 1) -> None:
    """A phone's screen of that size, and what its owner prefers."""
    size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})


def text(driver: Any, element: str) -> str:
    return str(
        driver.execute_script("return document.getElementById(arguments[0])?.textContent ?? ''", element)
    )


def shown(driver: Any, element: str) -> bool:
    script = "const found = document.getElementById(arguments[0]); return !!found && found.checkVisibility()"
    return bool(driver.execute_script(script, element))


def click(driver: Any, element: str) -> None:
    driver.execute_script("document.getElementById(arguments[0]).click()", element)


def wait_for(ready: Callable[[], Any], what: str = "", patience_s: float = PATIENCE_S) -> Any:
    """What `ready` gives once it gives something."""
    end = time.monotonic() + patience_s
    while not (found := ready()):
        assert time.monotonic() < end, f"waited in vain for {what or ready}"
        time.sleep(0.05)
    return found


def complaints(driver: Any) -> list[str]:
    """What the browser said of the page: errors of scripts, refusals of the Content-Security-Policy."""
    return [line["message"] for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def screenshot(driver: Any, name: str) -> None:
    """Into the folder of RNNEDGE_SCREENSHOTS, where it is set."""
    folder = os.environ.get("RNNEDGE_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(str(Path(folder) / f"{name}.png"))
