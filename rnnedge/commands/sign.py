"""``rnnedge sign``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options


@click.command()
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--key", metavar="KEY", type=click.Path(path_type=Path), help="Sign with this private key.")
@click.option(
    "--new-key",
    metavar="KEY",
    type=click.Path(path_type=Path),
    help="Make a private key KEY (mode 600) and its public half KEY.pub; with BUNDLE, sign with it at once.",
)
@options.as_json
def command(bundle: Path | None, key: Path | None, new_key: Path | None, as_json: bool) -> None:
    """Sign BUNDLE in place with an Ed25519 key, so that runners can refuse all others' bundles.

    \b
    Example:
      rnnedge sign --new-key factory.key
      rnnedge sign actions.rnnedge --key factory.key
      rnnedge-run actions.rnnedge --source 0 --require-signature factory.key.pub
    """
    from rnnedge_device.bundle import read_bundle, sign_bundle
    from rnnedge_device.signature import PrivateKey

    if (key is None) == (new_key is None):
        raise click.UsageError("give --key or --new-key")
    if bundle is None and new_key is None:
        raise click.UsageError("give the BUNDLE to sign")
    if bundle is not None:
        read_bundle(bundle)  # before a key is made that nobody then needs
    private = PrivateKey.new(new_key) if new_key is not None else PrivateKey.read(str(key))
    facts = {"key": private.public.id}
    if new_key is not None:
        facts |= {"private": str(new_key), "public": f"{new_key}.pub"}
    if bundle is not None:
        sign_bundle(bundle, private)
        facts["bundle"] = str(bundle)
    if as_json:
        options.print_json(facts)
        return
    if new_key is not None:
        click.echo(f"made {new_key} (keep it secret, keep a copy) and {new_key}.pub: key {facts['key']}")
    if bundle is not None:
        click.echo(f"signed {bundle} with the key {facts['key']}")
