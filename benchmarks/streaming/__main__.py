"""``python -m benchmarks.streaming``: a step at 16 and at 256 frames of history, beside a window run anew."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import click
import numpy as np

from rnnedge_device.bundle import Bundle, read_bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path
from rnnedge_device.stepper import RowStepper

WARM_UP = 20
HISTORIES = (16, 256)
BURST = 5  # calls a turn; the median of the last ones is the turn's, with caches as a running stream has them


def turns(candidates: dict[str, Callable[[], Any]], rounds: int) -> dict[str, np.ndarray]:
    """Microseconds of each candidate in each round, float64 ``[rounds]``, all in turns, the order drawn anew."""
    taken = {name: np.zeros(rounds + WARM_UP) for name in candidates}
    random = np.random.default_rng(0)
    names = list(candidates)
    gc.disable()
    try:
        for turn in range(rounds + WARM_UP):
            for index in random.permutation(len(names)):
                call, calls = candidates[names[index]], []
                for _ in range(BURST):
                    begin = perf_counter_ns()
                    call()
                    calls.append(perf_counter_ns() - begin)
                taken[names[index]][turn] = np.median(calls[1:]) / 1000
    finally:
        gc.enable()
    return {name: values[WARM_UP:] for name, values in taken.items()}


def measure(bundle: Bundle, rounds: int) -> dict[str, Any]:
    """The figures of one bundle, on random frames, one thread."""
    model = ClipModel(bundle)
    length = bundle.manifest.form("sequence").input("x").shape[1]
    random = np.random.default_rng(1)
    frames = random.integers(0, 256, (max(HISTORIES) + length, *model.preprocess.shape), np.uint8)

    def step_after(history: int) -> Callable[[], Any]:
        stepper = RowStepper(model.engine, model.form)
        for frame in frames[:history]:
            stepper.feed(model.encode(frame))
        states = stepper.states

        def step() -> Any:
            stepper.states = states  # else the history would grow with every call
            return stepper.feed(model.encode(frames[history]))

        return step

    candidates = {f"step after {history} frames": step_after(history) for history in HISTORIES}
    candidates[f"window of {length} frames anew"] = lambda: model.sequence(frames[:length])
    taken = turns(candidates, rounds)
    rows = {
        name: {
            "median_us": round(float(np.median(values)), 2),
            "p95_us": round(float(np.percentile(values, 95)), 2),
        }
        for name, values in taken.items()
    }
    short, long, window = taken.values()
    return {
        "name": bundle.manifest.name,
        "window": length,
        "candidates": rows,
        "long_to_short": round(float(np.median(long / short)), 4),
        "window_to_step": round(float(np.median(window / short)), 2),
    }


@click.command(epilog="Example: python -m benchmarks.streaming runs/demo-clips/motion-rows.rnnedge")
@click.argument("bundles", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--rounds", default=400, show_default=True, type=click.IntRange(50), help="Turns of each candidate."
)
@click.option(
    "--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to this file."
)
def main(bundles: tuple[str, ...], rounds: int, path: Path | None) -> None:
    """Time a frame of clip BUNDLES: one step with the state carried, and a whole window run anew.

    Preprocessed frames through the device's code, one thread, in turns in one process; ratios are the median of the
    rounds' ratios.
    """
    results = []
    for bundle in bundles:
        try:
            result = measure(read_bundle(bundle), rounds)
        except InputError as problem:
            raise click.UsageError(str(problem)) from None
        results.append(result)
        click.echo(f"{result['name']}, one thread")
        for name, row in result["candidates"].items():
            click.echo(f"  {name:28} median {row['median_us']:9.1f} µs   p95 {row['p95_us']:9.1f} µs")
        click.echo(
            f"  256 frames of history / 16: {result['long_to_short']:.3f}; "
            f"window / step: {result['window_to_step']:.1f}"
        )
    if path:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({"rounds": rounds, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
