"""This machine's own root under a layer, as a device for packages to be installed on and cut short."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from rnnedge.deploy.debian.architecture import architecture
from rnnedge.deploy.debian.archive import deb
from rnnedge.deploy.debian.package import _control
from rnnedge.deploy.debian.payload import Runtime, payload

# One mount namespace a command: nothing stays mounted, whatever becomes of the command.
_INSIDE = """
set -e
layer=$1; below=$2; size=$3; site=$4; shift 4
mount --make-rprivate /
if [ -n "$size" ]; then mount -t tmpfs -o "size=$size" tmpfs "$layer"; fi
mkdir -p "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=$below,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
mount -t proc proc "$layer/root/proc"
mount --rbind /dev "$layer/root/dev"
mount -t tmpfs tmpfs "$layer/root/run"
mkdir -p "$layer/root/opt/site"
mount --bind "$site" "$layer/root/opt/site"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C chroot "$layer/root" "$@"
"""


def missing() -> str | None:
    """Why there can be no such device here; None if there can."""
    if os.geteuid() != 0:
        return "not root"
    for program in ("dpkg", "unshare", "strace", "deb-systemd-helper"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if "VERSION_CODENAME=bookworm" not in Path("/etc/os-release").read_text():
        return "this is not Debian bookworm"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    return None if tried.returncode == 0 else "no mount namespaces here"


class Layered:
    """A device whose files are this machine's, but for a layer.

    Args:
        folder: of the layer.
        below: layers of other devices, the uppermost first.
    """

    def __init__(self, folder: Path, below: list[Path] | None = None) -> None:
        self.folder = folder
        self.below = below or []
        folder.mkdir(parents=True)

    def child(self, folder: Path) -> Layered:
        """A device that begins as this one is now. This one must not change any more."""
        return Layered(folder, [self.folder / "upper", *self.below])

    def run(self, *command: object, size: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root; with a `size`, its layer is in memory, so large and gone afterwards."""
        lower = ":".join(map(str, [*self.below, Path("/")]))
        words = ["unshare", "--mount", "--fork", "sh", "-c", _INSIDE, "sh", self.folder, lower, size]
        words += [sysconfig.get_path("purelib"), *command]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=600)
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done

    def put(self, file: Path) -> str:
        """Copy a file into its folder /srv; where it lies in there."""
        place = self.folder / "upper" / "srv"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
        return f"/srv/{file.name}"


def light_package(bundle: Path, out: Path, mark: int) -> Path:
    """A package that differs from a real one in one thing: it borrows NumPy, OpenCV and LiteRT from /opt/site.

    Postinst, launchers, unit, config and the device's own code are what every package has; with 55 MB less to unpack,
    dpkg is done in a second. MARK makes packages differ, in their runtime too, as those of two versions do.
    """
    runtime = Runtime([])
    borrow = f"import sys\nsys.path.append('/opt/site')\n# {mark}\n"
    runtime._files["sitecustomize.py"] = borrow.encode(), 0o644
    runtime.id = hashlib.sha256(f"{runtime.id} {mark}".encode()).hexdigest()[:16]
    epoch, version = 1_700_000_000 + mark, f"0.1.0+{mark}"
    entries = payload(runtime, bundle.read_bytes(), "0", epoch, version)
    installed = sum(len(entry.data or b"") for entry in entries)
    control = _control(architecture("amd64"), version, installed, runtime, entries)
    out.write_bytes(deb(control, entries, epoch))
    return out
