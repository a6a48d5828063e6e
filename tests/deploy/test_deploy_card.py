"""A card's boot partition, and the first boot with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from light_package import light_package
from machine import Machine

from rnnedge.cli import main
from rnnedge.deploy.sd_card import prepare_card
from rnnedge_device.errors import InputError

# As on Raspberry Pi OS 12's image, but for the words of the system's own first boot.
LINE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 fsck.repair=yes rootwait"
)
IMAGER = (
    "systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target"
)
OURS = "systemd.run=/boot/firmware/rnnedge-firstrun.sh"


def card(folder: Path, line: str = LINE) -> Path:
    folder.mkdir()
    (folder / "cmdline.txt").write_text(f"{line}\n")
    (folder / "config.txt").write_text("arm_64bit=1\n")
    (folder / "kernel8.img").write_bytes(b"kernel")
    return folder


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_card_gets_package_script_and_hook(tmp_path: Path, packages: dict[str, Path]) -> None:
    boot = card(tmp_path / "bootfs")
    before = files(boot)
    prepare_card(boot, packages["old"])
    line = (boot / "cmdline.txt").read_text()
    assert (
        line == f"{LINE} {OURS} systemd.run_success_action=reboot systemd.unit=kernel-command-line.target\n"
    )
    assert (boot / "cmdline.txt.before-rnnedge").read_text() == f"{LINE}\n"
    once = files(boot)
    assert all(once[name] == what for name, what in before.items() if name != "cmdline.txt")
    prepare_card(boot, packages["old"])
    assert files(boot) == once
    prepare_card(boot, packages["new"])
    assert len(list((boot / "rnnedge").glob("*.deb"))) == 1
    assert (boot / "cmdline.txt").read_text() == line


def test_imagers_hook_stays_and_comes_after_ours(tmp_path: Path, packages: dict[str, Path]) -> None:
    boot = card(tmp_path / "bootfs", f"{LINE} {IMAGER}")
    prepare_card(boot, packages["old"])
    prepare_card(boot, packages["old"])
    assert (boot / "cmdline.txt").read_text() == f"{LINE} {OURS} {IMAGER}\n"
    assert (boot / "cmdline.txt.before-rnnedge").read_text() == f"{LINE} {IMAGER}\n"


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ("cmdline.txt", "has no cmdline.txt"),
        ("config.txt", "has no config.txt"),
        ("kernel8.img", "has no firmware"),
        (None, "cmdline.txt is not one line with root="),
    ],
)
def test_a_folder_that_is_no_boot_partition(
    tmp_path: Path, packages: dict[str, Path], lacks: str | None, says: str
) -> None:
    boot = card(tmp_path / "bootfs", LINE if lacks else "quiet")
    if lacks:
        (boot / lacks).unlink()
    before = files(boot)
    with pytest.raises(InputError, match=says):
        prepare_card(boot, packages["old"])
    assert files(boot) == before


def test_the_command_refuses_what_a_first_boot_cannot_install(
    tmp_path: Path, packages: dict[str, Path]
) -> None:
    boot = card(tmp_path / "bootfs")
    for words, says in (
        ((packages["old"], "--sd-card", boot, "--arch", "armhf"), "need packages from a network"),
        ((packages["old"], "--sd-card", boot), "architecture is arm64, and old.deb is for amd64"),
        ((packages["old"], "--sd-card", tmp_path / "gone"), "architecture is arm64"),
        ((packages["old"], "--sd-card", boot, "--rollback"), "takes no BUNDLE"),
        (
            (packages["old"], "--deb", boot / "x.deb", "--config", boot / "x.toml"),
            "--config: is for --to and --sd-card",
        ),
        (("--to", "pi@door", "--rollback", "--form", "loop"), "--form goes with a bundle"),
        ((packages["old"],), "say where to, once"),
    ):
        done = CliRunner().invoke(main, ["deploy", *map(str, words)])
        assert done.exit_code == 2
        assert says in done.output
    assert (boot / "cmdline.txt").read_text() == f"{LINE}\n"


def test_first_boot_installs_and_the_next_runs_it(
    new_machine: Callable[..., Machine], packages: dict[str, Path]
) -> None:
    machine = new_machine()
    boot = card(machine.boot_partition)
    prepare_card(boot, packages["old"])
    # The system's own first boot gives the partitions another name meanwhile.
    changed = (boot / "cmdline.txt").read_text().replace("4e639091", "0badcafe")
    (boot / "cmdline.txt").write_text(changed)
    machine.boot_once()
    log = (boot / "rnnedge-firstrun.log").read_text()
    assert "done: rnnedge 0.1.0+0" in log, log
    assert (boot / "cmdline.txt").read_text() == LINE.replace("4e639091", "0badcafe") + "\n"
    assert not (boot / "rnnedge").exists()
    machine.boot()
    machine.wait_for_service()
    assert machine.run("ls /var/cache/rnnedge/*.deb").count(".deb") == 1


@pytest.mark.skipif(not os.environ.get("RNNEDGE_CUTS"), reason="boots twice: make test-deploy")
def test_a_first_boot_that_cannot_install_says_so_and_ends(
    new_machine: Callable[..., Machine], bundles: dict[str, Path], tmp_path: Path
) -> None:
    machine = new_machine()
    boot = card(machine.boot_partition)
    prepare_card(boot, light_package(bundles["old"], tmp_path / "other.deb", arch="arm64"))
    machine.boot_once()
    log = (boot / "rnnedge-firstrun.log").read_text()
    assert "architecture" in log, log
    assert "failed" in log
    assert (boot / "cmdline.txt").read_text() == f"{LINE}\n"
    machine.boot()
    assert machine.run("systemctl is-system-running").strip() == "running"
