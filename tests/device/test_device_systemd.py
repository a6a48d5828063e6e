"""The unit under a systemd that is process 1: in a container made of this machine's own root, and thrown away after.

Only `make test-systemd` runs it: it needs root, systemd-nspawn and half a minute.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from rnnedge_device.service.unit import unit_text

ROOT = Path(__file__).parents[2]
_PYTHON = "/usr/bin/python3"
_BOOT = """
set -e
mkdir -p "$1/upper" "$1/root"
mount -t tmpfs tmpfs "$1/upper"
mkdir "$1/upper/changes" "$1/upper/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper/changes,workdir=$1/upper/work" "$1/root"
root="$1/root"
mkdir -p "$root/etc/systemd/system/rnnedge.service.d" "$root/etc/rnnedge"
cp "$1/rnnedge.service" "$1/check.service" "$root/etc/systemd/system/"
cp "$1/drop-in.conf" "$root/etc/systemd/system/rnnedge.service.d/"
cp "$1/door.toml" "$1/actions.rnnedge" "$root/etc/rnnedge/"
chmod -R a+rX "$root/etc/rnnedge"
shift
exec systemd-nspawn --quiet --register=no --keep-unit --directory="$root" "$@" \
  --boot systemd.unit=check.service
"""
_CHECK = """
[Unit]
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /srv/rnnedge/tests/device/systemd_check.py
TimeoutStartSec=900
"""
_CONFIG = """
[[camera]]
name = "door"
source = "live:synthetic:64x48@30"
bundle = "/etc/rnnedge/actions.rnnedge"

[jsonl]
path = "events.jsonl"
"""


@pytest.mark.skipif(not os.environ.get("RNNEDGE_SYSTEMD"), reason="make test-systemd")
def test_the_unit_under_a_live_systemd(tmp_path, clip_bundle_path, monkeypatch):
    if os.getuid() != 0 or shutil.which("systemd-nspawn") is None:
        pytest.skip("needs root and systemd-nspawn (systemd-container)")
    # The system's interpreter: this one may be in somebody's home, which no service sees.
    version = [_PYTHON, "-c", "import sys; print(*sys.version_info[:2])"]
    if subprocess.run(version, capture_output=True, text=True).stdout.split() != [
        *map(str, sys.version_info[:2])
    ]:
        pytest.skip(f"{_PYTHON} is another version than {sys.executable}, whose packages it would need")
    monkeypatch.setattr(sys, "executable", _PYTHON)
    text = unit_text(["--config", "/etc/rnnedge/door.toml"], "none")
    assert "ProtectHome=yes" in text
    program = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    # The package as it lies here, whatever is installed.
    text = text.replace(program, f"ExecStart={_PYTHON} -m rnnedge_device --config /etc/rnnedge/door.toml")
    (tmp_path / "rnnedge.service").write_text(text)
    (tmp_path / "drop-in.conf").write_text(
        f"[Service]\nEnvironment=PYTHONPATH=/srv/rnnedge/device:{sysconfig.get_path('purelib')}\n"
        "WatchdogSec=10\nRestartSec=1\n"
    )
    (tmp_path / "check.service").write_text(_CHECK)
    (tmp_path / "door.toml").write_text(_CONFIG)
    shutil.copy(clip_bundle_path, tmp_path / "actions.rnnedge")
    result = tmp_path / "result"
    result.mkdir()
    binds = [f"--bind-ro={ROOT}:/srv/rnnedge", f"--bind={result}:/result", f"--bind-ro={sys.prefix}"]
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", _BOOT, "boot", tmp_path, *binds],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
    )
    report = result / "found.json"
    assert report.exists(), (done.stdout + done.stderr)[-4000:]
    found = json.loads(report.read_text())
    print(found.pop("journal"))
    assert "problem" not in found
    user = found.pop("user")
    assert 61184 <= user <= 65519, found  # DynamicUser's range
    assert found == {
        "ready": True,
        "status": "cameras: door",
        "capabilities": "0" * 16,
        "can write": ["/var/lib/rnnedge"],
        "reload": True,
        "killed": True,
        "killed: goes on": True,
        "hangs": True,
        "hangs: goes on": True,
        "stop": ["inactive", "success", "0"],
    }
