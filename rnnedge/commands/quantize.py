"""``rnnedge quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnnedge.commands import options
from rnnedge.commands.tables import print_accuracy, print_baselines, print_captions, print_clips


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(["qat", "ptq"]),
    default="qat",
    show_default=True,
    help="qat: quantisation-aware, the product. ptq: post-training baselines (int8 weights; int8 by calibration).",
)
@click.option(
    "--form",
    multiple=True,
    type=click.Choice(["auto", "loop", "unrolled", "step", "sequence", "fused"]),
    help="Repeat to pack several; the first is the default.  [default: the recipe's]",
)
@click.option(
    "--io",
    type=click.Choice(["int8", "float32"]),
    help="Type at the model's border.  [default: the recipe's]",
)
@click.option("--baseline", is_flag=True, help="For clips: also train the same model without a memory.")
@options.overrides
@click.option("--out", type=click.Path(path_type=Path), help="The bundle.  [default: RUN/RECIPE.rnnedge]")
@options.strict
@options.as_json
def command(
    run: Path,
    method: str,
    form: tuple[str, ...],
    io: str | None,
    baseline: bool,
    overrides: tuple[str, ...],
    out: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Turn a trained model into an int8 bundle. RUN is the folder of a finished `rnnedge train`.

    \b
    Example:
      rnnedge quantize runs/row-lstm --set quantize.epochs=3
      rnnedge quantize runs/row-lstm --form loop --form step --out digits.rnnedge
      rnnedge quantize runs/row-lstm --method ptq --json
    """
    from rnnedge.runs import Run
    from rnnedge_device.errors import InputError

    opened = Run.open(run, overrides, strict)

    def say(text: str) -> None:
        click.echo(text, err=True)

    task = opened.recipe.task
    if method == "ptq" and task != "classify":
        raise InputError(f"--method ptq: is for images; {run} ({task}) is quantised by --method qat")
    if baseline and task != "clips":
        raise InputError(f"--baseline: is for clips; {run} is of task {task}")
    if form and task == "captions":
        raise InputError(f"--form {form[0]}: a captioner has encode and decode, always both")
    if method == "ptq":
        from rnnedge.quantize import baselines

        rows = baselines(opened, say)
        if as_json:
            options.print_json({"baselines": rows})
        else:
            print_baselines(rows)
        return
    chosen = None if not form else form[0] if len(form) == 1 else form
    outcome: Any
    if task == "clips":
        from rnnedge.clips.quantize import quantize_clips

        outcome = quantize_clips(opened, out=out, form=chosen, io=io, baseline=baseline, say=say)
    elif task == "captions":
        from rnnedge.captions.quantize import quantize_captions

        outcome = quantize_captions(opened, out=out, io=io, say=say)
    else:
        from rnnedge.quantize import quantize_run

        outcome = quantize_run(opened, out=out, form=chosen, io=io, say=say)
    from rnnedge.report import write_report

    report = write_report(run)
    if as_json:
        options.print_json({**outcome.to_dict(), "report": str(report)})
        return
    show = {"classify": print_accuracy, "clips": print_clips, "captions": print_captions}
    show[task](outcome.to_dict())
    click.echo(f"{outcome.bundle}\n{report}")
