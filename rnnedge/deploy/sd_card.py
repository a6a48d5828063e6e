"""What goes onto a freshly flashed card's boot partition, so that its first boot installs the package by itself.

Raspberry Pi OS 12: `systemd.run=` in `cmdline.txt` lets systemd run a script at the next boot and restart the machine.
That boot comes after the system's own first one, which grows the root partition and changes `cmdline.txt`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from rnnedge.deploy.ssh.device import step_script
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path, sha256

SCRIPT = "rnnedge-firstrun.sh"
STATE = "rnnedge"
# Where the partition is once the system runs.
_MOUNTED = "/boot/firmware"
_RUN = f"systemd.run={_MOUNTED}/{SCRIPT}"
_AFTER = ("systemd.run_success_action=reboot", "systemd.unit=kernel-command-line.target")
_SPARE = 4 * 2**20


def prepare_card(folder: Path, package: Path, config: Path | None = None) -> dict[str, Any]:
    """Put a package, and the script that installs it at the first boot, onto a mounted boot partition.

    `cmdline.txt` is kept as `cmdline.txt.before-rnnedge` and gets the words that start the script, before those of
    Raspberry Pi Imager if it has any. Doing it again replaces what was there of ours.

    Args:
        folder: where the boot partition is mounted.
        package: the .deb; it must install without a network.
        config: a file for the device's `/etc/rnnedge/rnnedge.toml`.

    Returns:
        `{"folder", "package", "bytes", "cmdline"}`.

    Raises:
        InputError: `folder` is no boot partition of Raspberry Pi OS, or it is too full; nothing was changed.

    Example:
        prepare_card(Path("/media/me/bootfs"), Path("actions_arm64.deb"))
    """
    line = _command_line(folder)
    data = package.read_bytes()
    digest = sha256(data)
    name = f"{digest[:16]}.deb"
    state = folder / STATE
    old = sum(file.stat().st_size for file in state.glob("*.deb")) if state.is_dir() else 0
    free = shutil.disk_usage(folder).free + old
    if free < len(data) + _SPARE:
        raise InputError(
            f"--sd-card {str(folder)!r}: has {free / 2**20:.0f} MiB free: must be "
            f"{(len(data) + _SPARE) / 2**20:.0f} MiB"
        )
    words = _words(line)
    _remove_hook(folder, line)
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    settings = ""
    if config is not None:
        text = config.read_bytes()
        settings = f"{sha256(text)[:16]}.toml"
        _write(state / settings, text)
    _write(state / name, data)
    _write(folder / SCRIPT, _script(name, digest, settings, words).encode())
    (folder / SCRIPT).chmod(0o755)
    kept = folder / "cmdline.txt.before-rnnedge"
    _write(kept, f"{_without_hook(line)}\n".encode())
    # Last: only now does the card do anything else than before.
    hooked = _with_hook(_without_hook(line), words)
    _write(folder / "cmdline.txt", f"{hooked}\n".encode())
    return {"folder": str(folder), "package": name, "bytes": len(data), "cmdline": hooked}


def _command_line(folder: Path) -> str:
    """The line in `cmdline.txt` of a boot partition."""
    where = f"--sd-card {str(folder)!r}"
    must = "must be the mounted boot partition of a card with Raspberry Pi OS (its name is bootfs)"
    if not folder.is_dir():
        raise InputError(f"{where}: no such folder; {must}")
    missing = [name for name in ("cmdline.txt", "config.txt") if not (folder / name).is_file()]
    firmware = [*folder.glob("start*.elf"), *folder.glob("kernel*.img"), *folder.glob("bcm27*.dtb")]
    if missing or not firmware:
        raise InputError(f"{where}: has no {missing[0] if missing else 'firmware'}; {must}")
    lines = (folder / "cmdline.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    line = lines[0].strip()
    if any(text.strip() for text in lines[1:]) or "root=" not in line:
        raise InputError(f"{where}: cmdline.txt is not one line with root=; {must}")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{where}: cannot be written to by this user")
    return line


def _words(line: str) -> list[str]:
    """Which words are ours to add: what to do after a script is said once, by Imager's hook if there is one."""
    others = [word for word in line.split() if word.startswith("systemd.run=") and word != _RUN]
    return [_RUN] if others else [_RUN, *_AFTER]


def _with_hook(line: str, words: list[str]) -> str:
    if len(words) > 1:
        return " ".join([line, *words])
    # Before Imager's: its script takes everything from its own word on out of the line.
    parts = line.split(" ")
    at = next(index for index, part in enumerate(parts) if part.startswith("systemd.run="))
    return " ".join([*parts[:at], *words, *parts[at:]])


def _without_hook(line: str) -> str:
    parts = line.split(" ")
    if _RUN not in parts:
        return line
    ours = set(_words(line))
    return " ".join(part for part in parts if part not in ours)


def _remove_hook(folder: Path, line: str) -> None:
    # While its files are replaced, a card that was prepared before must not start a half of them.
    if _without_hook(line) != line:
        _write(folder / "cmdline.txt", f"{_without_hook(line)}\n".encode())


def _script(package: str, digest: str, settings: str, words: list[str]) -> str:
    head = (
        "#!/bin/sh\n"
        f"# Written by rnnedge deploy --sd-card. Installs {package} at the first boot, then removes itself from it.\n"
        f"PACKAGE={package} DIGEST={digest} SETTINGS={settings}\nWORDS='{' '.join(words)}'\n\n"
    )
    first_run = (Path(__file__).parent / "firstrun.sh").read_text(encoding="utf-8")
    return f"{head}{step_script()}\n{first_run}"


def _write(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
