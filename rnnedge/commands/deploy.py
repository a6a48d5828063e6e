"""``rnnedge deploy``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options


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
@options.as_json
def command(
    bundle: Path, deb: Path | None, arch: str, source: str, wheels: Path | None, as_json: bool
) -> None:
    """Put BUNDLE on a device, with all that it runs on.

    \b
    Example:
      rnnedge deploy digits.rnnedge --deb digits.deb
      rnnedge deploy digits.rnnedge --deb digits.deb --arch armhf --source picamera
    """
    if deb is None:
        raise click.UsageError("say where to: --deb OUT.deb")
    from rnnedge.deploy.deb_target import write_deb

    write_deb(bundle, deb, arch, source, wheels, as_json)
