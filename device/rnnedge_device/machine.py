"""What machine this is, and what of ours is installed on it."""

import contextlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGE = "rnnedge"
_SERVICE = "rnnedge.service"


def machine() -> dict[str, Any]:
    """`{"model", "os", "kernel", "architecture", "processors", "memory_mib", "python"}`; None for what nobody tells."""
    return {
        "model": _model(),
        "os": _os_name(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processors": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "python": platform.python_version(),
    }


def installed() -> dict[str, Any]:
    """`{"rnnedge", "package", "service"}`: our version, the Debian package's and the service's state, or None."""
    try:
        ours: str | None = version("rnnedge")
    except PackageNotFoundError:
        ours = None
    package = _said("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", _PACKAGE)
    # Without systemd at work there is nothing to ask.
    service = _said("systemctl", "is-active", _SERVICE) if os.path.isdir("/run/systemd/system") else None
    status, _, number = (package or "").partition(" ")
    return {"rnnedge": ours, "package": number if status == "installed" else None, "service": service}


def _model() -> str | None:
    with contextlib.suppress(OSError):
        return Path("/proc/device-tree/model").read_text().rstrip("\0\n") or None
    with contextlib.suppress(OSError):
        return _field("/proc/cpuinfo", "Model", ":") or _field("/proc/cpuinfo", "model name", ":")
    return None


def _os_name() -> str | None:
    with contextlib.suppress(OSError):
        return (_field("/etc/os-release", "PRETTY_NAME", "=") or "").strip('"') or None
    return None


def _field(path: str, name: str, separator: str) -> str | None:
    for line in Path(path).read_text(errors="replace").splitlines():
        key, found, value = line.partition(separator)
        if found and key.strip() == name:
            return value.strip()
    return None


def _said(program: str, *arguments: str) -> str | None:
    """What a program says on stdout, whatever its exit code; None where it is missing or says nothing."""
    if shutil.which(program) is None:
        return None
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.strip() or None
    return None
