"""A phone at a cable: an APK is installed by adb."""

import os
import shutil
from pathlib import Path

from rnnedge.deploy.phone.android_tools import call
from rnnedge_device.errors import InputError


def the_phone() -> str:
    """The serial number of the one device that adb sees and may use, or of the one that ANDROID_SERIAL names.

    Raises:
        InputError: no adb, no device, one that has not said yes yet, or several.
    """
    if shutil.which("adb") is None:
        raise InputError(
            "--install needs adb; apt install adb (or copy the APK to the phone and open it there)"
        )
    rows = [line.split() for line in call("adb", "devices").splitlines()[1:] if line.strip()]
    usable = [row[0] for row in rows if len(row) > 1 and row[1] == "device"]
    wanted = os.environ.get("ANDROID_SERIAL", "")
    if wanted in usable:
        return wanted
    if wanted:
        raise InputError(f"--install: ANDROID_SERIAL {wanted!r}: adb sees {', '.join(usable) or 'no device'}")
    if len(usable) == 1:
        return usable[0]
    if usable:
        raise InputError(
            f"--install: adb sees {len(usable)} devices ({', '.join(usable)}); leave one, or set ANDROID_SERIAL"
        )
    why = ", ".join(f"{row[0]} is {row[1]}" for row in rows if len(row) > 1) or "none is connected"
    raise InputError(
        f"--install: no device that adb may use: {why}; allow USB debugging on the phone and say yes there"
    )


def install(apk: Path, serial: str) -> None:
    """Install or update an app.

    Raises:
        InputError: the phone refused; the message has its reason.
    """
    call("adb", "-s", serial, "install", "-r", apk)
