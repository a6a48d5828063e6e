"""``rnnedge-run --serve-web DIR``: its options, and what it says in the terminal."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rnnedge_device.errors import InputError
from rnnedge_device.extras import load_extra


def serving_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--serve-web` and what belongs to it to a command; `serve` takes their values."""
    for option in reversed(
        [
            click.option(
                "--serve-web",
                metavar="DIR",
                help="Hand the site that rnnedge deploy --web wrote to phones in the network, and do nothing else.",
            ),
            click.option(
                "--listen",
                metavar="HOST:PORT",
                default="0.0.0.0:8443",
                show_default=True,
                help="Of --serve-web: where to listen.",
            ),
            click.option(
                "--cert", metavar="FILE", help="Of --serve-web: a certificate of yours (PEM), with --key."
            ),
            click.option("--key", metavar="FILE", help="Of --serve-web: its key (PEM)."),
        ]
    ):
        command = option(command)
    return command


def serve(folder: str, listen: str, cert: str | None, key: str | None) -> int:
    """Serve until Ctrl-C; returns the exit code.

    Raises:
        InputError: bad options, a folder without a site, a port that is taken.
    """
    load_extra("aiohttp", "--serve-web")
    import asyncio  # takes as long to load as all else that --help needs

    from rnnedge_device.phones.certificate import Certificate, addresses, machine_names, own_certificate
    from rnnedge_device.phones.server import AUTHORITY, PhoneServer, default_folder
    from rnnedge_device.phones.site import read_site

    host, port = _address(listen)
    if (cert is None) != (key is None):
        raise InputError("--cert and --key belong together: give both, or none to have one made")
    files = read_site(Path(folder))
    if cert is not None and key is not None:
        certificate = Certificate(Path(cert), Path(key))
    else:
        certificate = own_certificate(default_folder(), machine_names())
    server = PhoneServer(files, host, port, certificate)
    anywhere = host in ("0.0.0.0", "::")
    seen = (addresses() or ["127.0.0.1"]) if anywhere else [host]
    urls = [f"https://{f'[{name}]' if ':' in name else name}:{server.port}/" for name in seen]
    _say(urls, f"{urls[0]}{AUTHORITY[1:]}" if certificate.made else None, certificate.fingerprint)
    asyncio.run(server.run())
    return 0


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or not host:
        raise InputError(f"--listen {listen!r}: give HOST:PORT, such as 0.0.0.0:8443")
    return host.strip("[]"), int(port)


def _say(urls: list[str], authority: str | None, fingerprint: str) -> None:
    click.echo(code(urls[0]), nl=False)
    click.echo("Open on a phone in this network:")
    for url in urls:
        click.echo(f"  {url}")
    if authority:
        click.echo(
            "\nBrowsers give the camera to secure addresses only, so this machine made a certificate of its own;\n"
            "the phone does not know it and warns. Either go on past the warning (the page works, but not without\n"
            "the network), or "
            f"open {authority} there, install it as a CA certificate\n"
            '(Settings, search for "CA certificate"), and it is trusted from then on. Compare its SHA-256:\n'
            f"  {fingerprint}\n"
            "Whoever is in this network may open the page; each phone uses its own camera, no picture comes here."
        )
    click.echo("Ctrl-C ends it.")
    sys.stdout.flush()


def code(text: str) -> str:
    """`text` as a QR code of characters, for a terminal of either colour."""
    import io

    drawn = io.StringIO()
    load_extra("segno", "--serve-web").make(text, error="m", micro=False).terminal(
        drawn, compact=True, border=2
    )
    return drawn.getvalue()
