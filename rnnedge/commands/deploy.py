"""``rnnedge deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnnedge.commands import options
from rnnedge.deploy.phone_target import PhoneChoices, phone_options


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--deb", metavar="OUT.deb", type=click.Path(path_type=Path), help="Write a Debian package.")
@click.option(
    "--arch", metavar="A", default="arm64", show_default=True, help="Of the package: arm64, armhf or amd64."
)
@click.option(
    "--source", metavar="S", default="0", show_default=True, help="The camera, as rnnedge-run takes it."
)
@click.option(
    "--wheels",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where downloaded wheels are kept.  [default: the user's cache folder]",
)
@phone_options
@options.as_json
def command(
    bundle: Path,
    deb: Path | None,
    arch: str,
    source: str,
    wheels: Path | None,
    as_json: bool,
    **phone: Any,
) -> None:
    """Put BUNDLE on a device, with all that it runs on.

    \b
    Example:
      rnnedge deploy digits.rnnedge --deb digits.deb
      rnnedge deploy digits.rnnedge --deb digits.deb --arch armhf --source picamera
      rnnedge deploy digits.rnnedge --web site
      rnnedge deploy digits.rnnedge --apk digits.apk --install
    """
    choices = PhoneChoices(**phone)
    if choices.wanted == (deb is not None):
        raise click.UsageError("say where to: --deb OUT.deb, or --web DIR and --apk OUT.apk")
    if choices.wanted:
        from rnnedge.deploy.phone_target import write_for_phones

        write_for_phones(bundle, choices, as_json)
        return
    from rnnedge.deploy.deb_target import write_deb

    assert deb is not None
    write_deb(bundle, deb, arch, source, wheels, as_json)
