"""Deployment over ssh to the emulated arm64 machine: sshd is x86's, on loopback, every session runs in there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import EMULATED_ROOT, Emulated

from rnnedge.deploy import build_deb
from rnnedge_device.errors import InputError
from rnnedge_device.files import sha256

pytestmark = pytest.mark.skipif(not os.environ.get("RNNEDGE_CUTS"), reason="minutes long: make test-deploy")


@pytest.fixture(scope="module")
def machine(emulated: Emulated, layers: Path) -> Emulated:
    """As it was built, without the package."""
    return Emulated(layers / "ssh")


@pytest.fixture(scope="module")
def package(emulated: Emulated, bundles: dict[str, Path]) -> Path:
    """The real one."""
    path = emulated.shared / "rnnedge.deb"
    if not path.exists():
        try:
            build_deb(bundles["rows"], path, "arm64")
        except InputError as problem:
            pytest.skip(str(problem))
    return path


@pytest.fixture(scope="module")
def ssh(machine: Emulated) -> Iterator[list[str]]:
    """Its sshd; the options that lead there."""
    if os.geteuid() != 0 or shutil.which("sshd", path="/usr/sbin") is None:
        pytest.skip("no sshd, or not root")
    folder = machine.shared
    for key in ("host_key", "client_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    session = folder / "session"
    root = os.environ.get("RNNEDGE_ARM64_ROOT", "")  # sshd hands no variables on
    words = f"{EMULATED_ROOT} run --over {machine.layer} --show {folder}"
    settings = f"export RNNEDGE_ARM64_ROOT={root}\n" if root else ""
    session.write_text(f'#!/bin/sh\n{settings}exec {words} sh -c "$SSH_ORIGINAL_COMMAND"\n')
    session.chmod(0o755)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'client_key.pub'}\nStrictModes no\nPermitRootLogin prohibit-password\n"
        f"PasswordAuthentication no\nForceCommand {session}\n"
    )
    key = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
    (folder / "ssh_config").write_text(
        f"UserKnownHostsFile {folder / 'known_hosts'}\nGlobalKnownHostsFile /dev/null\n"
        f"IdentityFile {folder / 'client_key'}\nIdentitiesOnly yes\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL
    )
    yield ["--to", f"root@127.0.0.1:{port}", "--ssh-config", str(folder / "ssh_config"), "--json"]
    server.terminate()
    server.wait()


def deploy(*words: object) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "rnnedge", "deploy", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["hosts"][0]


def test_deploy_to_arm64_and_another_bundle(
    machine: Emulated, package: Path, bundles: dict[str, Path], ssh: list[str]
) -> None:
    code, report = deploy(package, *ssh)
    assert code == 0, report.get("error")
    assert (report["architecture"], report["service"]) == ("arm64", "no systemd")
    assert report["bundle"] == sha256(bundles["rows"].read_bytes())
    assert report["selftest"]["machine"] == "aarch64"
    assert all(form["equal"] == 1.0 for form in report["selftest"]["forms"] if "max_lsb" in form)

    code, report = deploy(bundles["clips"], "--bundle-only", *ssh)
    assert code == 0, report.get("error")
    current = "/var/lib/rnnedge-bundles/current.rnnedge"
    lines = machine.run("rnnedge-run", current, "--source", "synthetic:64x48@10x20", "--jsonl", "-").stdout
    assert json.loads(lines.splitlines()[0])["task"] == "clips"

    code, report = deploy("--rollback", *ssh)
    assert code == 0, report.get("error")
    assert report["bundle"] == sha256(bundles["rows"].read_bytes())
