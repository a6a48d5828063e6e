"""``rnnedge deploy BUNDLE --to``, ``--fleet`` and ``--sd-card``: what is asked for, done and told."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rnnedge.commands import options
from rnnedge.deploy.sd_card import prepare_card
from rnnedge.deploy.ssh.connection import DeployError
from rnnedge.deploy.ssh.deployment import Deployment, Told
from rnnedge.deploy.ssh.fleet import Act, print_summary, run_fleet
from rnnedge.deploy.ssh.host import Host
from rnnedge.deploy.ssh.shelf import PackageShelf
from rnnedge_device.bundle import read_bundle
from rnnedge_device.errors import InputError
from rnnedge_device.install.installer import wanted_forms

_OFFLINE = "arm64"  # elsewhere Debian has to bring packages that a card without a network cannot get


def over_ssh(
    bundle: Path | None, to: str | None, fleet: Path | None, as_json: bool, given: dict[str, Any]
) -> bool:
    """Deploy to one host or to those of a file, and print what became of each.

    Args:
        given: the options of the command, by name.

    Returns:
        Has everything worked?

    Raises:
        InputError: what was given cannot be used; no device was touched.
    """
    deployments, parallel = _deployments(to, fleet, given)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="rnnedge-") as folder:
        reports = run_fleet(deployments, _act(bundle, Path(folder), deployments, given), parallel, console)
    if as_json:
        failed = sum(not report["ok"] for report in reports)
        options.print_json({"hosts": reports, "done": len(reports) - failed, "failed": failed})
    else:
        print_summary(reports, Console())
    return all(report["ok"] for report in reports)


def to_card(bundle: Path | None, folder: Path, as_json: bool, given: dict[str, Any]) -> None:
    """Prepare a card's boot partition.

    Raises:
        InputError: the folder is no boot partition, it is too full, or the package would need a network.
    """
    assert bundle is not None
    architecture = given["arch"] or _OFFLINE
    if architecture != _OFFLINE:
        raise InputError(
            f"--arch {architecture} with --sd-card: must be {_OFFLINE}; other systems need packages from a network, "
            "which a first boot does not have: use --to"
        )
    _check_config(given["config"])
    with tempfile.TemporaryDirectory(prefix="rnnedge-") as temporary:
        shelf = PackageShelf(bundle, Path(temporary), given["source"], given["wheels"])
        try:
            package = shelf.package(architecture)
        except DeployError as problem:
            raise InputError(str(problem)) from None
        facts = prepare_card(folder, package.path, given["config"])
    if as_json:
        options.print_json(facts)
        return
    click.echo(
        f"{folder}: {facts['package']} ({facts['bytes'] / 1e6:.1f} MB) and the script that installs it"
    )
    click.echo("Unmount the card, put it in and switch on; what came of it: rnnedge-firstrun.log beside it")


def _deployments(to: str | None, fleet: Path | None, given: dict[str, Any]) -> tuple[list[Deployment], int]:
    if fleet is not None:
        from rnnedge.deploy.ssh.fleet_file import load_fleet

        loaded, deployments = load_fleet(fleet)
        for deployment in deployments:
            _check_config(deployment.config)
        return deployments, loaded.parallel
    assert to is not None
    _check_config(given["config"])
    host = Host.parse(to, given["identity"], given["ssh_config"])
    one = Deployment(host, given["arch"], given["form"], given["config"], given["retries"])
    return [one], 1


def _act(bundle: Path | None, folder: Path, deployments: list[Deployment], given: dict[str, Any]) -> Act:
    """What is done with each host."""
    if bundle is None:
        return lambda one, told: one.back(told)
    if given["bundle_only"] or bundle.suffix != ".deb":
        found = read_bundle(bundle)
        for form in {one.form for one in deployments}:
            wanted_forms(found, form)
    if given["bundle_only"]:
        return lambda one, told: one.of_bundle(bundle, told)
    shelf = PackageShelf(bundle, folder, given["source"], given["wheels"])

    def of_package(one: Deployment, told: Told) -> dict[str, Any]:
        return one.of_package(shelf, told)

    return of_package


def _check_config(path: Path | None) -> None:
    """A config is read here, before it goes anywhere; the device reads it again with its own runner."""
    if path is not None:
        from rnnedge_device.runner.config import load_config

        load_config(path)
