"""``rnnedge demo``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options


@click.command()
@click.option("--recipe", default="digits-lstm", show_default=True, help="The recipe to run.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/demo"),
    show_default=True,
    help="The run's folder.",
)
@options.overrides
@options.as_json
def command(recipe: str, out: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Train a recurrent classifier on real images, quantise it, pack it, and stream a video through it.

    \b
    Example:
      rnnedge demo
      rnnedge demo --recipe row-lstm --out runs/mnist-demo --set train.epochs=3
    """
    from rnnedge.commands.tables import print_accuracy
    from rnnedge.demo import run_demo
    from rnnedge.training.progress import ProgressBar

    def say(text: str) -> None:
        click.echo(text, err=True)

    summary = run_demo(recipe, out, overrides, say, ProgressBar(quiet=as_json))
    if as_json:
        options.print_json(summary)
        return
    print_accuracy(summary)
    seen = summary["stream"]
    click.echo(
        f"stream: {seen['frames']:,} frames, {seen['accuracy']:.2%} right, {seen['fps']:,.0f} frames/s, "
        f"{seen['dropped']} dropped\n{summary['seconds']:.0f} s in all; open {out / 'report.html'}"
    )
