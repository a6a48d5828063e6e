"""``rnnedge caption``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options

DEMO = Path("runs/demo-captions/shapes-attention.rnnedge")


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    default=DEMO,
    show_default=True,
    help="A caption bundle.",
)
@options.beam
@click.option(
    "--n-best", type=click.IntRange(min=1), default=1, show_default=True, help="Sentences an image."
)
@click.option(
    "--temperature", type=click.FloatRange(min=0), default=0.0, help="Above 0: draw words at random."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the drawing.")
@options.strict
@options.as_json
def command(
    images: tuple[Path, ...],
    bundle: Path,
    beam: int | None,
    n_best: int,
    temperature: float,
    seed: int,
    strict: bool,
    as_json: bool,
) -> None:
    """Write a sentence about each IMAGE with a caption bundle, through the device's own code.

    An image that cannot be read is skipped with a message; --strict stops there.

    \b
    Example:
      rnnedge caption photo.jpg --bundle runs/flickr8k/flickr8k.rnnedge --beam 3
      rnnedge caption *.jpg --n-best 3 --beam 3 --json
    """
    from rnnedge_device.bundle import read_bundle
    from rnnedge_device.captioner import Captioner
    from rnnedge_device.errors import InputError, SourceError
    from rnnedge_device.images import read_image
    from rnnedge_device.search import SearchOptions

    captioner = Captioner(read_bundle(bundle))
    chosen = SearchOptions.of(
        captioner.spec,
        beam=beam or captioner.spec.beam,
        n_best=n_best,
        temperature=temperature,
        seed=seed,
    )
    rows, skipped = [], 0
    for path in images:
        try:
            found = captioner.caption(read_image(path), chosen)
        except SourceError as error:
            if strict:
                raise
            skipped += 1
            click.echo(f"skipped: {error}", err=True)
            continue
        rows.append({"image": str(path), "captions": [{"text": c.text, "score": c.score} for c in found]})
        if not as_json:
            for caption in found:
                click.echo(f"{path}: {caption.text}" + (f"  ({caption.score:.3f})" if n_best > 1 else ""))
    if as_json:
        options.print_json({"bundle": str(bundle), "images": rows, "skipped": skipped})
    if not rows:
        raise InputError(f"IMAGE: none of {len(images)} could be read; see the messages above")
