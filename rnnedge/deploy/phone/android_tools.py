"""Debian's Android tools: found, called, and what to install where one is missing."""

import os
import shutil
import subprocess
from pathlib import Path

from rnnedge_device.errors import InputError

PACKAGES = {
    "aapt": "aapt",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
    "keytool": "default-jre-headless",
}
# What the resources of the manifest are looked up in.
FRAMEWORK = Path(
    os.environ.get("RNNEDGE_ANDROID_FRAMEWORK", "/usr/share/android-framework-res/framework-res.apk")
)


def require_tools() -> None:
    """Are all tools of an APK here?

    Raises:
        InputError: names every package that is missing.
    """
    missing = [package for tool, package in PACKAGES.items() if shutil.which(tool) is None]
    if not FRAMEWORK.is_file():
        missing.append("android-framework-res")
    if missing:
        raise InputError(f"--apk needs tools that are not here; apt install {' '.join(sorted(missing))}")


def call(tool: str, *arguments: str | Path, secrets: dict[str, str] | None = None) -> str:
    """Run a tool and return what it printed.

    Args:
        tool: its name, looked up in the PATH.
        arguments: of the command line; nothing secret.
        secrets: further environment variables of the tool.

    Raises:
        InputError: it failed; the message has its own words.
    """
    command = [tool, *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
        env={**os.environ, **(secrets or {})},
    )
    if done.returncode:
        # Java's own warnings come first, the reason last.
        words = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise InputError(f"{tool} failed: " + (" / ".join(words[-3:]) or f"exit code {done.returncode}"))
    return done.stdout
