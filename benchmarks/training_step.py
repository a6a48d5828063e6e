"""What fused batch normalisation, and the attended LSTM's own gradient, save of a training step on TensorFlow.

The ways take turns on the same batches of the recipe's own data; each figure is the median of the rounds.

Usage: python benchmarks/training_step.py RECIPE [--set section.key=value ...] [--rounds 7]
"""

import argparse
import statistics
import time

import keras

from rnnedge.models.caption_decoder import CaptionDecoder
from rnnedge.recipes import load_recipe
from rnnedge.training import loop
from rnnedge.training.fused_norm import fuse_normalisation

STEPS = 16


def main() -> None:
    """Print milliseconds a step, on the clock and of the processors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="values")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    recipe = load_recipe(options.recipe, options.values)
    problem = loop.PROBLEMS[recipe.task](recipe)
    models: dict[str, keras.Model] = {}
    for way in ("Keras's own", "fused", *(["own gradient"] if recipe.task == "captions" else [])):
        models[way] = problem.model()
        if way != "Keras's own":
            fuse_normalisation(models[way])
        for layer in models[way]._flatten_layers():
            if isinstance(layer, CaptionDecoder) and way != "own gradient":
                layer._lstm = layer._scanned
        models[way].compile(keras.optimizers.Adam(1e-4), **problem.objective())
    epoch = problem.batches(0, 0)
    batches = [epoch[i] for i in range(min(STEPS, len(epoch)))]
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in models}
    for round_ in range(options.rounds + 1):  # the first one compiles
        for way, model in models.items():
            clock, processors = time.perf_counter(), time.process_time()
            for batch in batches:
                model.train_on_batch(*batch)
            if round_:
                spent[way].append((time.perf_counter() - clock, time.process_time() - processors))
    for way, rounds in spent.items():
        clock, processors = (1e3 / len(batches) * statistics.median(s) for s in zip(*rounds, strict=True))
        print(f"{way:12s} {clock:7.1f} ms a step, {processors:7.1f} ms of the processors")


if __name__ == "__main__":
    main()
