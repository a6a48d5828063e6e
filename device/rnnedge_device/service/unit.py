"""The systemd unit of a runner: printed, put into /etc/systemd/system, enabled."""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from rnnedge_device.errors import InputError
from rnnedge_device.sources.camera_spec import CameraSpec

_UNIT = """\
# A recurrent vision model on live cameras. Written by rnnedge-run --print-unit.
#   rnnedge-run ... --print-unit | sudo tee /etc/systemd/system/rnnedge.service
#   sudo systemctl daemon-reload && sudo systemctl enable --now rnnedge
[Unit]
Description=rnnedge: {description}
Documentation=man:systemd.exec(5)
Wants=network-online.target
After=network-online.target time-sync.target
# Ten starts in ten minutes, then it stays down and systemctl status says why.
StartLimitIntervalSec=600
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
# Bad input or a bad configuration (2) does not become better by being started again.
RestartPreventExitStatus=2
# Pings come while frames are answered; what hangs is ended, its stacks are in the journal, and it is started anew.
WatchdogSec=60
Environment=PYTHONFAULTHANDLER=1 PYTHONUNBUFFERED=1
TimeoutStartSec=120
TimeoutStopSec=30
# A bundle's trial runs in a process that takes the blame when memory is short; the runner goes on.
OOMPolicy=continue

# Nobody in particular, with a folder of its own: /var/lib/rnnedge.
DynamicUser=yes
SupplementaryGroups=video
StateDirectory=rnnedge
StateDirectoryMode=0750
WorkingDirectory=%S/rnnedge
UMask=0077

# Cameras, and no other device. (ProtectClock= would add one, and the clock is out of reach without capabilities.)
DevicePolicy=closed
{devices}
# The system is read only, homes are {homes}, /tmp is its own. /proc/cpuinfo stays: the runtime picks its kernels by it.
ProtectSystem=strict
ProtectHome={protect_home}
PrivateTmp=yes
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
PrivateMounts=yes

# No privileges, and no way to get any.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallArchitectures=native
# Of the resources, limits and niceness are wanted: a bundle's trial takes the lowest.
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @obsolete
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
_PRIVATE = ("/tmp/", "/var/tmp/")  # the service has its own
# What a family of cameras needs, by the kernel's names in /proc/devices.
_DEVICES = {
    "v4l2": ("char-video4linux rw",),
    # libcamera talks to the media controller and takes its buffers from the DMA heaps.
    "picamera2": ("char-video4linux rw", "char-media rw", "char-dma_heap rw"),
}


def unit_text(
    arguments: list[str],
    cameras: str = "v4l2",
    description: str = "live cameras",
    program: list[str] | None = None,
) -> str:
    """The unit file for `rnnedge-run ARGUMENTS`.

    Args:
        arguments: of the command line, as it runs now; files in it should be absolute, since the service has a
            working directory of its own.
        cameras: `v4l2` (USB and other video devices), `picamera2`, or `none` (network cameras and files only).
        description: one line.
        program: how `rnnedge-run` is called where the unit is to run; None for how it is called here.

    Raises:
        InputError: an unknown family of cameras, a description of several lines, or a file in /tmp, which the
            service cannot see.

    Example:
        print(unit_text(["/etc/rnnedge/runner.toml"]))
    """
    if cameras not in (*_DEVICES, "none"):
        raise InputError(f"cameras = {cameras!r}: must be one of {', '.join((*_DEVICES, 'none'))}")
    if "\n" in description or not description:
        raise InputError(f"description = {description!r}: must be one line")
    command = [*(program or _program()), *arguments]
    for word in command:
        if word.startswith(_PRIVATE):
            raise InputError(
                f"{word!r}: the service has a /tmp of its own; put it elsewhere, such as in /etc/rnnedge"
            )
    # A program or a bundle in somebody's home can then be read, and nothing there be written.
    at_home = any(word.startswith(("/home/", "/root/")) for word in command)
    allowed = _DEVICES.get(cameras, ())
    return _UNIT.format(
        description=description,
        command=" ".join(map(_quoted, command)),
        devices="".join(f"DeviceAllow={line}\n" for line in allowed),
        homes="read only" if at_home else "hidden",
        protect_home="read-only" if at_home else "yes",
    )


def unit_of(command_line: list[str], sources: Iterable[str]) -> str:
    """The unit for a command line of `rnnedge-run` that has `--print-unit` in it.

    Files that are there get their absolute names.

    Args:
        sources: the cameras, of the command line or of its config; they decide which devices the service may use.

    Raises:
        InputError: as `unit_text`.
    """
    words = [word for word in command_line if word != "--print-unit"]
    absolute = [os.path.abspath(word) if os.path.exists(word) else word for word in words]
    specs = [CameraSpec.parse(source) for source in sources]
    return unit_text(absolute, "picamera2" if any(spec and spec.picamera for spec in specs) else "v4l2")


def _program() -> list[str]:
    """How this very program is started: its script beside the interpreter, or the interpreter and the module."""
    script = shutil.which("rnnedge-run", path=os.path.dirname(sys.executable)) or shutil.which("rnnedge-run")
    if script is not None and Path(script).is_absolute():
        return [script]
    return [sys.executable, "-m", "rnnedge_device"]


def _quoted(word: str) -> str:
    """A word of a command line as systemd reads it: % and $ doubled, quoted where need be."""
    if any(ord(letter) < 32 for letter in word):
        raise InputError(f"{word!r}: must not have control characters")
    text = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{text}"' if text != word or " " in word or "'" in word or ";" in word or not word else text
