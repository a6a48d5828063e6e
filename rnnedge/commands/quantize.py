"""``rnnedge quantize``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options
from rnnedge.commands.tables import print_accuracy, print_baselines


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
    type=click.Choice(["auto", "loop", "unrolled", "step", "fused"]),
    help="Repeat to pack several; the first is the default.  [default: the recipe's]",
)
@click.option(
    "--io",
    type=click.Choice(["int8", "float32"]),
    help="Type at the model's border.  [default: the recipe's]",
)
@options.overrides
@click.option("--out", type=click.Path(path_type=Path), help="The bundle.  [default: RUN/RECIPE.rnnedge]")
@options.strict
@options.as_json
def command(
    run: Path,
    method: str,
    form: tuple[str, ...],
    io: str | None,
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
    from rnnedge.quantize import baselines, quantize_run
    from rnnedge.runs import Run

    opened = Run.open(run, overrides, strict)

    def say(text: str) -> None:
        click.echo(text, err=True)

    if method == "ptq":
        rows = baselines(opened, say)
        if as_json:
            options.print_json({"baselines": rows})
        else:
            print_baselines(rows)
        return
    chosen = None if not form else form[0] if len(form) == 1 else form
    outcome = quantize_run(opened, out=out, form=chosen, io=io, say=say)
    from rnnedge.report import write_report

    report = write_report(run)
    if as_json:
        options.print_json({**outcome.to_dict(), "report": str(report)})
        return
    print_accuracy(outcome.to_dict())
    click.echo(f"{outcome.bundle}\n{report}")
