"""``rnnedge demo``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options


@click.command()
@click.option(
    "--task",
    type=click.Choice(["classify", "clips", "captions"]),
    default="classify",
    show_default=True,
    help="classify: images, row by row. clips: video, frame by frame. captions: a sentence an image.",
)
@click.option(
    "--recipe",
    help="The recipe to run.  [default: digits-lstm; clips: motion-rows; captions: shapes-attention]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run's folder.  [default: runs/demo, runs/demo-clips, runs/demo-captions]",
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
      rnnedge demo --task captions
      rnnedge demo --recipe row-lstm --out runs/mnist-demo --set train.epochs=3
    """
    from rnnedge.commands import tables
    from rnnedge.training.progress import ProgressBar

    def say(text: str) -> None:
        click.echo(text, err=True)

    bar = ProgressBar(quiet=as_json)
    if task == "clips":
        from rnnedge.clips.demo import run_clip_demo

        folder = out or Path("runs/demo-clips")
        summary = run_clip_demo(recipe or "motion-rows", folder, overrides, say, bar)
    elif task == "captions":
        from rnnedge.captions.demo import run_caption_demo

        folder = out or Path("runs/demo-captions")
        summary = run_caption_demo(recipe or "shapes-attention", folder, overrides, say, bar)
    else:
        from rnnedge.demo import run_demo

        folder = out or Path("runs/demo")
        summary = run_demo(recipe or "digits-lstm", folder, overrides, say, bar)
    if as_json:
        options.print_json(summary)
        return
    seen = summary["stream"]
    if task == "clips":
        tables.print_clips(summary)
        told = seen["events"]
        what = f"{told['detections']} events for {told['events']} motions, F1 {told['f1']:.2f}"
    elif task == "captions":
        tables.print_captions(summary)
        what = f"{seen['captions']} captions, {seen['attributes']:.1%} of the attributes right"
    else:
        tables.print_accuracy(summary)
        what = f"{seen['accuracy']:.2%} right"
    click.echo(
        f"stream: {seen['frames']:,} frames, {what}, {seen['fps']:,.0f} frames/s, "
        f"{seen['dropped']} dropped\n{summary['seconds']:.0f} s in all; open {folder / 'report.html'}"
    )
