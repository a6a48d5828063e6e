"""``rnnedge deploy BUNDLE --web DIR --apk OUT.apk``: the options, and what is said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rnnedge.deploy.phone.keystore import Keystore

_PATH = click.Path(path_type=Path)


def phone_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of :class:`PhoneChoices` to a command."""
    for option in reversed(
        [
            click.option(
                "--web", metavar="DIR", type=_PATH, help="Write a static site for phones' browsers."
            ),
            click.option("--apk", metavar="OUT.apk", type=_PATH, help="Write an Android app."),
            click.option(
                "--keystore", metavar="FILE", type=_PATH, help="Sign the app with this one, not a debug key."
            ),
            click.option(
                "--keystore-password",
                metavar="env:NAME|file:PATH",
                help="Where its password is; asked for if not given.",
            ),
            click.option(
                "--key-alias", metavar="NAME", help="Which of the keystore's keys; needed if it has several."
            ),
            click.option(
                "--app-name", metavar="TEXT", help="Below the app's icon.  [default: the bundle's name]"
            ),
            click.option(
                "--app-id", metavar="ID", help="The app's package.  [default: org.rnnedge.app.NAME]"
            ),
            click.option(
                "--app-version", metavar="N", type=int, default=1, show_default=True, help="Of the app."
            ),
            click.option("--install", is_flag=True, help="Install the app on the phone that adb sees."),
        ]
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class PhoneChoices:
    """What was asked for; the names are those of the options."""

    web: Path | None
    apk: Path | None
    keystore: Path | None
    keystore_password: str | None
    key_alias: str | None
    app_name: str | None
    app_id: str | None
    app_version: int
    install: bool

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> PhoneChoices:
        """Take these options out of all that were given."""
        return cls(**{field.name: given.pop(field.name) for field in fields(cls)})

    @property
    def wanted(self) -> bool:
        """Is anything for phones to be written?"""
        return self.web is not None or self.apk is not None


def write_for_phones(bundle: Path, choices: PhoneChoices, as_json: bool) -> None:
    """Write the site, the app, or both, and say what was written.

    Raises:
        InputError: as `site.write_site`, `apk.write_apk`, `keystore` and `phone`.
    """
    from rnnedge.commands import options

    apart = [
        f"--{name.replace('_', '-')}"
        for name in ("keystore", "keystore_password", "key_alias", "app_name", "app_id", "install")
        if getattr(choices, name)
    ]
    if choices.apk is None and apart:
        raise click.UsageError(f"{', '.join(apart)} goes with --apk OUT.apk")
    if choices.keystore is None and (choices.keystore_password or choices.key_alias):
        raise click.UsageError("--keystore-password and --key-alias go with --keystore FILE")
    facts: dict[str, Any] = {"bundle": str(bundle)}
    if choices.apk is not None:
        facts["apk"] = _app(bundle, choices.apk, choices)
    if choices.web is not None:
        facts["web"] = _site(bundle, choices.web)
    if as_json:
        options.print_json(facts)
        return
    if "apk" in facts:
        app = facts["apk"]
        signed = "a debug key: good for trying, no store takes it" if app["debug_key"] else choices.keystore
        click.echo(
            f"wrote {app['path']}: {app['id']} {app['version']}, {app['bytes'] / 1e6:.1f} MB, signed with {signed}"
        )
        click.echo(
            f"  installed on {app['installed_on']}"
            if app["installed_on"]
            else f"  install  adb install -r {app['path']}"
        )
    if "web" in facts:
        site = facts["web"]
        click.echo(
            f"wrote {site['path']}: {site['files']} files, {site['bytes'] / 1e6:.1f} MB, of it "
            f"{site['gzip_bytes'] / 1e6:.2f} MB gzip beside the bundle; version {site['version']}"
        )
        click.echo(f"  try it   rnnedge-run --serve-web {site['path']}")


def _site(bundle: Path, folder: Path) -> dict[str, Any]:
    import gzip
    import json

    from rnnedge.deploy.phone.site import BUNDLE, FACTS, write_site

    files = write_site(bundle, folder)
    return {
        "path": str(folder),
        "files": len(files),
        "bytes": sum(map(len, files.values())),
        # What a server that compresses sends, without the bundle.
        "gzip_bytes": sum(len(gzip.compress(data)) for path, data in files.items() if path != BUNDLE),
        "version": json.loads(files[FACTS])["version"],
    }


def _app(bundle: Path, out: Path, choices: PhoneChoices) -> dict[str, Any]:
    from rnnedge import __version__
    from rnnedge.deploy.phone import adb
    from rnnedge.deploy.phone.android_tools import require_tools
    from rnnedge.deploy.phone.apk import AppFacts, app_id, write_apk
    from rnnedge.deploy.phone.site import site_files

    name = bundle.name.removesuffix(".rnnedge")
    facts = AppFacts(
        choices.app_name or name, choices.app_id or app_id(name), choices.app_version, __version__
    )
    # Everything that can be wrong before anything is asked for or made.
    require_tools()
    serial = adb.the_phone() if choices.install else None
    files = site_files(bundle)
    keystore = _keystore(choices)
    write_apk(files, out, facts, keystore)
    if serial is not None:
        adb.install(out, serial)
    return {
        "path": str(out),
        "id": facts.id,
        "version": facts.version,
        "bytes": out.stat().st_size,
        "debug_key": keystore.debug,
        "installed_on": serial,
    }


def _keystore(choices: PhoneChoices) -> Keystore:
    from rnnedge.deploy.phone.keystore import Keystore, read_password
    from rnnedge_device.errors import InputError

    if choices.keystore is None:
        return Keystore.for_debugging()
    Keystore.of(choices.keystore, "")  # before a password is asked for
    if choices.keystore_password is not None:
        password = read_password(choices.keystore_password)
    elif sys.stdin.isatty():
        password = click.prompt(f"Password of {choices.keystore}", hide_input=True, err=True)
    else:
        raise InputError("--keystore-password: give env:NAME or file:PATH; there is no terminal to ask at")
    return Keystore.of(choices.keystore, password, choices.key_alias)
