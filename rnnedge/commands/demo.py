"""``rnnedge demo``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options


@click.command()
@click.option(
    "--task",
    type=click.Choice(["classify", "clips"]),
    default="classify",
    show_default=True,
    help="classify: images, row by row. clips: video, frame by frame.",
)
@click.option("--recipe", help="The recipe to run.  [default: digits-lstm; clips: motion-rows]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run's folder.  [default: runs/demo; clips: runs/demo-clips]",
)
@options.overrides
@options.as_json
def command(
    task: str, recipe: str | None, out: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Train a recurrent model on real images, quantise it, pack it, and stream a video through it.

    \b
    Example:
      rnnedge demo
      rnnedge demo --task clips
      rnnedge demo --recipe row-lstm --out runs/mnist-demo --set train.epochs=3
    """
    from rnnedge.training.progress import ProgressBar

    def say(text: str) -> None:
        click.echo(text, err=True)

    bar = ProgressBar(quiet=as_json)
    if task == "clips":
        from rnnedge.clips.demo import run_clip_demo

        folder = out or Path("runs/demo-clips")
        summary = run_clip_demo(recipe or "motion-rows", folder, overrides, say, bar)
    else:
        from rnnedge.demo import run_demo

        folder = out or Path("runs/demo")
        summary = run_demo(recipe or "digits-lstm", folder, overrides, say, bar)
    if as_json:
        options.print_json(summary)
        return
    seen = summary["stream"]
    if task == "clips":
        from rnnedge.commands.tables import print_clips

        print_clips(summary)
        told = seen["events"]
        what = f"{told['detections']} events for {told['events']} motions, F1 {told['f1']:.2f}"
    else:
        from rnnedge.commands.tables import print_accuracy

        print_accuracy(summary)
        what = f"{seen['accuracy']:.2%} right"
    click.echo(
        f"stream: {seen['frames']:,} frames, {what}, {seen['fps']:,.0f} frames/s, "
        f"{seen['dropped']} dropped\n{summary['seconds']:.0f} s in all; open {folder / 'report.html'}"
    )
