"""`rnnedge-device`: bundles on this device.

Exit codes: 0 done, 1 it could not be written, 2 bad input or a bundle that fails its test.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rnnedge_device.errors import InputError
from rnnedge_device.install.installer import install, roll_back, status
from rnnedge_device.install.store import FOLDER, BundleStore
from rnnedge_device.signature import PublicKey


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=FOLDER,
    show_default=True,
    metavar="DIR",
    help="Where the device's bundles are.",
)
@click.pass_context
def main(context: click.Context, folder: Path) -> None:
    """Install bundles on this device. Each command prints one line of JSON.

    \b
    Example:
      sudo rnnedge-device install actions.rnnedge --require-signature /etc/rnnedge/factory.key.pub
      sudo rnnedge-device rollback
      rnnedge-device status
    """
    context.obj = BundleStore(folder)


@main.command("install")
@click.argument("bundle")
@click.option(
    "--require-signature", metavar="KEY.pub", help="Refuse a bundle that is not signed with this key."
)
@click.option("--form", metavar="F", help="Run it in this form, not in the fastest.")
@click.pass_obj
def install_command(store: BundleStore, bundle: str, require_signature: str | None, form: str | None) -> None:
    """Try BUNDLE here, and make it the current one if it passes. A runner that is at work takes it by itself."""
    _answer(lambda: install(bundle, store, _key(require_signature), form))


@main.command("rollback")
@click.pass_obj
def rollback_command(store: BundleStore) -> None:
    """Go back to the bundle before."""
    _answer(lambda: roll_back(store))


@main.command("status")
@click.pass_obj
def status_command(store: BundleStore) -> None:
    """Which bundles, which runtime, which machine, and whether the service runs."""
    _answer(lambda: status(store))


def _key(path: str | None) -> PublicKey | None:
    return PublicKey.read(path) if path else None


def _answer(act: Callable[[], dict[str, Any]]) -> None:
    """One line of JSON, whatever comes of it; an error for people on stderr as well."""
    code = 0
    try:
        found = {"ok": True, **act()}
    except (InputError, OSError) as problem:
        code = 2 if isinstance(problem, InputError) else 1
        found = {"ok": False, "error": str(problem)}
        click.echo(f"rnnedge-device: {problem}", err=True)
    click.echo(json.dumps(found))
    sys.exit(code)


if __name__ == "__main__":
    main(prog_name="rnnedge-device")
