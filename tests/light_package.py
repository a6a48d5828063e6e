"""A package that differs from a real one in one thing: its runtime borrows NumPy, OpenCV and LiteRT from /opt/site.

Postinst, launchers, unit, config and the device's own code are what every package has; with 55 MB less to pack, copy
and unpack, a deployment takes a second or two.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rnnedge.deploy.debian.architecture import architecture
from rnnedge.deploy.debian.archive import deb
from rnnedge.deploy.debian.package import _control
from rnnedge.deploy.debian.payload import Runtime, payload

_BORROW = b"import sys\nsys.path.insert(1, '/opt/site')  # after the runtime, before Debian's own\n"
_SOURCE = "live:synthetic:64x48@10"


def light_package(bundle: Path, out: Path, arch: str = "amd64", mark: int = 0) -> Path:
    """Write it. MARK makes packages differ, in their runtime too, as those of two versions do."""
    runtime = Runtime([])
    runtime._files["sitecustomize.py"] = _BORROW + f"# {mark}\n".encode(), 0o644
    runtime.id = hashlib.sha256(f"{runtime.id} {mark}".encode()).hexdigest()[:16]
    epoch, version = 1_700_000_000 + mark, f"0.1.0+{mark}"
    entries = payload(runtime, bundle.read_bytes(), _SOURCE, epoch, version)
    installed = sum(len(entry.data or b"") for entry in entries)
    out.write_bytes(deb(_control(architecture(arch), version, installed, runtime, entries), entries, epoch))
    return out
