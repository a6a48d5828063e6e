"""Run by systemd inside the container: what becomes of the unit. Writes /result/found.json, then switches it off."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LINES = Path("/var/lib/rnnedge/events.jsonl")
found: dict[str, Any] = {}


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=120).stdout.strip()


def shown(name: str) -> str:
    return systemctl("show", "rnnedge", "--value", "--property", name)


def wait_for(what: Callable[[], Any], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def count() -> int:
    return len(LINES.read_text().splitlines()) if LINES.exists() else 0


def goes_on() -> bool:
    """It is up, and new lines come."""
    if not wait_for(lambda: shown("ActiveState") == "active" and shown("MainPID") != "0"):
        return False
    before = count()
    return wait_for(lambda: count() > before)


def restarted_by(name: str, act: Callable[[int], None]) -> None:
    before, pid = int(shown("NRestarts")), shown("MainPID")
    act(int(pid))
    found[name] = wait_for(lambda: int(shown("NRestarts")) > before and shown("MainPID") not in ("0", pid))
    found[f"{name}: goes on"] = goes_on()


def main() -> None:
    systemctl("start", "rnnedge")
    found["ready"], found["status"] = goes_on(), shown("StatusText")
    if not found["ready"]:
        return
    pid = shown("MainPID")
    status = Path(f"/proc/{pid}/status").read_text()
    found["user"] = int(next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1])
    found["capabilities"] = next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[
        1
    ]
    inside = ["nsenter", "--target", pid, "--mount", "touch"]
    found["can write"] = [
        folder
        for folder in ("/etc", "/usr", "/var/lib", "/root", "/var/lib/rnnedge")
        if subprocess.run([*inside, f"{folder}/x"], capture_output=True).returncode == 0
    ]
    systemctl("reload", "rnnedge")
    found["reload"] = goes_on() and shown("MainPID") == pid
    restarted_by("killed", lambda pid: os.kill(pid, 9))
    restarted_by("hangs", lambda pid: os.kill(pid, 19))  # no ping any more: the watchdog's
    systemctl("stop", "rnnedge")
    found["stop"] = [shown(name) for name in ("ActiveState", "Result", "ExecMainStatus")]


try:
    main()
except Exception as problem:
    found["problem"] = repr(problem)
finally:
    found["journal"] = subprocess.run(
        ["journalctl", "--no-pager", "-u", "rnnedge", "-o", "cat"], capture_output=True, text=True
    ).stdout[-8000:]
    Path("/result/found.json").write_text(json.dumps(found))
    systemctl("poweroff", "--force", "--force")
