"""``rnnedge deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnnedge.commands import options
from rnnedge.deploy.phone.target import PhoneChoices, phone_options

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", required=False, type=_FILE)
@click.option("--deb", metavar="OUT.deb", type=_FILE, help="Write a Debian package.")
@click.option("--to", metavar="[USER@]HOST[:PORT]", help="Install it on a device, over ssh.")
@click.option("--fleet", metavar="FLEET.toml", type=_FILE, help="Install it on all devices of a file.")
@click.option(
    "--sd-card",
    metavar="DIR",
    type=_FILE,
    help="Put it onto a freshly flashed card's boot partition: the first boot installs it, without a network.",
)
@click.option(
    "--arch",
    metavar="A",
    help="arm64, armhf or amd64.  [default: arm64; with --to and --fleet whatever the device is]",
)
@click.option(
    "--source", metavar="S", default="0", show_default=True, help="The camera, as rnnedge-run takes it."
)
@click.option("--config", metavar="FILE", type=_FILE, help="For the device's /etc/rnnedge/rnnedge.toml.")
@click.option("--form", metavar="F", help="Run the bundle in this form there, not in the fastest.")
@click.option(
    "--bundle-only", is_flag=True, help="With --to or --fleet: the bundle alone, into what runs there."
)
@click.option(
    "--rollback", is_flag=True, help="With --to or --fleet: what ran there before the last deployment."
)
@click.option("--identity", metavar="FILE", type=_FILE, help="With --to: the private key for ssh.")
@click.option(
    "--ssh-config", metavar="FILE", type=_FILE, help="With --to: in place of the user's ssh config."
)
@click.option(
    "--retries",
    type=click.IntRange(0, 20),
    default=3,
    show_default=True,
    metavar="N",
    help="With --to: tries of a step after a lost connection.",
)
@click.option(
    "--wheels",
    metavar="DIR",
    type=_FILE,
    help="Where downloaded wheels are kept.  [default: the user's cache folder]",
)
@phone_options
@options.as_json
def command(
    bundle: Path | None,
    deb: Path | None,
    to: str | None,
    fleet: Path | None,
    sd_card: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Put BUNDLE on a device, with all that it runs on. In place of a bundle a package that --deb has written will do.

    \b
    Example:
      rnnedge deploy digits.rnnedge --deb digits.deb
      rnnedge deploy digits.rnnedge --to pi@door.local --source picamera
      rnnedge deploy better.rnnedge --to pi@door.local --bundle-only
      rnnedge deploy --to pi@door.local --rollback
      rnnedge deploy digits.rnnedge --fleet fleet.toml
      rnnedge deploy digits.rnnedge --sd-card /media/me/bootfs
      rnnedge deploy digits.rnnedge --web site
      rnnedge deploy digits.rnnedge --apk digits.apk --install
    """
    phone = PhoneChoices.taken_from(given)
    targets = [target for target in (deb, to, fleet, sd_card) if target is not None]
    if len(targets) + phone.wanted != 1:
        raise click.UsageError(
            "say where to, once: --deb OUT.deb, --to HOST, --fleet FILE, --sd-card DIR, or --web DIR and --apk OUT.apk"
        )
    _check_options(bundle, to is not None, fleet is not None, sd_card is not None, given)
    if phone.wanted:
        from rnnedge.deploy.phone.target import write_for_phones

        assert bundle is not None
        write_for_phones(bundle, phone, as_json)
        return
    if deb is not None:
        from rnnedge.deploy.debian.target import write_deb

        assert bundle is not None
        write_deb(bundle, deb, given["arch"] or "arm64", given["source"], given["wheels"], as_json)
        return
    from rnnedge.deploy import targets as target

    if sd_card is not None:
        target.to_card(bundle, sd_card, as_json, given)
        return
    ok = target.over_ssh(bundle, to, fleet, as_json, given)
    click.get_current_context().exit(0 if ok else 1)


def _check_options(bundle: Path | None, to: bool, fleet: bool, card: bool, given: dict[str, Any]) -> None:
    """Say what does not go together before anything begins."""
    if given["rollback"] and (given["bundle_only"] or bundle is not None):
        raise click.UsageError(
            "--rollback brings back what ran before: it takes no BUNDLE and no --bundle-only"
        )
    for way in ("bundle_only", "rollback"):
        if given[way] and given["config"] is not None:
            raise click.UsageError(f"--config goes with a package, not with --{way.replace('_', '-')}")
    if given["rollback"] and given["form"] is not None:
        raise click.UsageError("--form goes with a bundle, not with --rollback")
    if bundle is None and not given["rollback"]:
        raise click.UsageError("give the BUNDLE to deploy")
    context = click.get_current_context()
    for name in ("bundle_only", "rollback", "identity", "ssh_config", "retries", "config", "form", "arch"):
        alone = name in ("identity", "ssh_config", "retries")  # a fleet file has these for each host
        fits = to or (fleet and not alone and name not in ("arch", "config", "form"))
        fits = fits or (name == "config" and card) or (name == "arch" and not fleet)
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT and not fits:
            both = " and --sd-card" if name == "config" else ""
            where = "a fleet file says this for each host" if fleet else f"is for --to{both}"
            raise click.UsageError(f"--{name.replace('_', '-')}: {where}")
