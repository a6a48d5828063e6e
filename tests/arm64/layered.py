"""This machine's own root under a layer, as a device for packages to be installed on and cut short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

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
