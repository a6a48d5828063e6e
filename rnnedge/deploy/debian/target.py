"""``rnnedge deploy BUNDLE --deb OUT.deb``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options
from rnnedge.deploy.debian.package import build_deb


def write_deb(bundle: Path, out: Path, arch: str, source: str, wheels: Path | None, as_json: bool) -> None:
    """Build a package and say what is in it.

    Raises:
        InputError: as :func:`build_deb`.
    """
    facts = build_deb(bundle, out, arch, source=source, wheels=wheels)
    if as_json:
        options.print_json(facts.to_dict())
        return
    click.echo(
        f"wrote {facts.path}: rnnedge {facts.version} for {facts.arch}, {facts.bytes / 1e6:.1f} MB, "
        f"{facts.installed_bytes / 1e6:.0f} MB installed"
    )
    click.echo(f"  largest  {_sizes(facts.largest)}")
    click.echo(f"  trimmed  {_sizes(facts.trimmed)}")
    click.echo(f"  install  sudo apt install ./{out.name}")


def _sizes(parts: dict[str, int]) -> str:
    ordered = sorted(parts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in ordered if size >= 50_000)
