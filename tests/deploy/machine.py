"""Devices to deploy to: Debian machines with systemd and sshd of their own, in namespaces, on a layer over a root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent


def missing() -> str | None:
    """Why there can be no such machines here; None if there can."""
    if os.geteuid() != 0:
        return "not root"
    for program in ("sshd", "ssh", "ssh-keygen", "sudo", "dpkg", "unshare", "nsenter", "mount"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if "VERSION_CODENAME=bookworm" not in Path("/etc/os-release").read_text():
        return "this is not Debian bookworm"
    script = "mkdir -p $0/c && mount -t tmpfs t $0/c && mkdir $0/c/u $0/c/w $0/c/m && mount -t overlay o "
    script += "-o lowerdir=/,upperdir=$0/c/u,workdir=$0/c/w $0/c/m && mount -t cgroup2 c $0/c/u"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "/tmp"], capture_output=True, text=True
    )
    return (
        None if tried.returncode == 0 else f"no namespaces, overlays or cgroups here: {tried.stderr.strip()}"
    )


class Machine:
    """A device that can be switched on and off, and that keeps what was written to it.

    Args:
        folder: for its files.
        address, port: of its sshd.
        disk_mib: how much it can hold above its lower layer.
        lower: its root below its own layer.
        netns: the network namespace it lives in; None for this one's.
        site: a folder of Python packages that it sees as /opt/site.
        console_netns: the network namespace from which it can be reached.
    """

    def __init__(
        self,
        folder: Path,
        address: str = "127.0.0.1",
        port: int = 0,
        disk_mib: int = 2000,
        lower: Path = Path("/"),
        netns: str | None = None,
        site: Path | None = None,
        console_netns: str | None = None,
    ) -> None:
        self.folder, self.address, self.port, self.lower = folder, address, port, lower
        self.site, self._netns, self._console_netns = site, netns, console_netns
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        (folder / "layer").mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={disk_mib}m,mode=755", "tmpfs", folder / "layer"],
            check=True,
        )
        for key in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        self.known(folder / "known_hosts", address, port)

    def known(self, file: Path, address: str, port: int) -> None:
        """Write a file of known hosts that has this one under an address."""
        key = (self.folder / "host_key.pub").read_text().split()
        with file.open("a") as lines:
            lines.write(f"[{address}]:{port} {key[0]} {key[1]}\n")

    def ssh_config(self, known_hosts: Path | None = None) -> Path:
        """A config for ssh that knows this machine and has a key for it."""
        path = self.folder / "ssh_config"
        path.write_text(
            f"UserKnownHostsFile {known_hosts or self.folder / 'known_hosts'}\nGlobalKnownHostsFile /dev/null\n"
            f"IdentityFile {self.folder / 'client_key'}\nIdentitiesOnly yes\n"
        )
        return path

    @property
    def boot_partition(self) -> Path:
        """What it mounts at /boot/firmware; the words systemd.* of cmdline.txt there are told to its systemd."""
        return self.folder / "bootfs"

    def boot(self) -> None:
        """Switch it on; returns when its sshd answers."""
        self._start()
        self._wait(self._answers, "its sshd")

    def boot_once(self) -> None:
        """Switch it on, and wait until it has restarted itself, as systemd.run_success_action= lets it."""
        self._start()
        assert self._process is not None
        self._process.wait(400)
        self._process = None

    def _start(self) -> None:
        words = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        inside = [
            "bash",
            str(HERE / "machine.sh"),
            str(self.folder),
            str(self.lower),
            self.address,
            str(self.port),
        ]
        before = ["ip", "netns", "exec", self._netns] if self._netns else []
        with (self.folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                [*before, *words, *inside], stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                env={**os.environ, "SITE": str(self.site or "")},
            )  # fmt: skip

    @property
    def root(self) -> Path:
        """Its root folder, while it is on."""
        assert self._process is not None
        return Path(f"/proc/{_children(self._process.pid)[0]}/root")

    def power_off(self) -> None:
        """As when the plug is pulled: everything ends at once."""
        if self._process is None:
            return
        for child in _children(self._process.pid):
            os.kill(child, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def close(self) -> None:
        """Switch it off and throw it away."""
        self.power_off()
        subprocess.run(["umount", "-l", self.folder / "layer"], check=False)
        group = str(self.folder).replace("/", "-")
        script = 'mkdir -p "$0/g"; mount -t cgroup2 c "$0/g"; find "$0/g/$1" -depth -type d -exec rmdir {} +'
        subprocess.run(["unshare", "--mount", "sh", "-c", script, self.folder, group], check=False)

    def run(self, command: str, check: bool = True, stdin: str = "") -> str:
        """Run a command as root inside, not over ssh; what it says on stdout."""
        done = subprocess.run(
            ["nsenter", "-t", str(_children(self._process.pid)[0]), "--all", "--root", "--wd", "sh", "-c", command],
            input=stdin, capture_output=True, text=True, timeout=300, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def wait_for_service(self) -> None:
        """Returns when its rnnedge.service says that it runs."""

        def active() -> bool:
            return self.run("systemctl is-active rnnedge", check=False).strip() == "active"

        self._wait(active, "rnnedge.service")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "console").read_text()
        words = ["ssh", "-F", str(self.ssh_config()), "-p", str(self.port), "-o", "BatchMode=yes"]
        before = ["ip", "netns", "exec", self._console_netns] if self._console_netns else []
        return (
            subprocess.run([*before, *words, f"root@{self.address}", "true"], capture_output=True).returncode
            == 0
        )

    @staticmethod
    def _wait(holds: Callable[[], bool], what: str, tries: int = 1200) -> None:
        for _ in range(tries):
            if holds():
                return
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within two minutes")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
