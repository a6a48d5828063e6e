"""Trains and quantises small real bundles by the repository's own commands: `make_bundles.py OUT [NAME ...]`.

What it made once lies in `bundles/`: minutes of a CPU that the tests need not spend each time.
`RNNEDGE_WEB_BUNDLES=OUT make test-web` compares those of another run.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "train")]
os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")

from coloured_photos import coloured_photos  # noqa: E402
from commands import rnnedge_here  # noqa: E402
from drawn_clips import TINY, ramps  # noqa: E402

from rnnedge_device.bundle import read_bundle, write_bundle  # noqa: E402
from rnnedge_device.events import EventRules  # noqa: E402

ROW = ["train.epochs=3", "quantize.epochs=1"]
CLIP = [*TINY, "events.tune=true", "quantize.epochs=1"]
CAPTION = [
    "data.size=[12, 12]",
    "caption.length=5",
    "caption.beam=2",
    "model.units=16",
    "model.embedding=12",
    "model.attention=8",
    "model.filters=[6, 8]",
    "train.epochs=14",
    "train.batch_size=16",
    "train.learning_rate=0.03",
    "quantize.batch_size=16",
]
PLAIN = [*CAPTION, "model.image=first", "caption.beam=1"]


def main(out: Path, *names: str) -> None:
    """The named bundles (all if none is named) in the folder `out`.

    `row`, `clip` and `caption` (attention, two beams) are one of each kind; `forms` has every form of a row model, the
    one that no browser runs first; `plain` captions without attention, greedily.
    """
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        work = Path(folder)
        clips, photos = f"videos:{ramps(work / 'ramps')}", f"captions:{coloured_photos(work / 'photos')}"
        made: dict[str, Callable[[], Path]] = {
            "row": lambda: make("row", "digits-lstm", None, ROW, work),
            "clip": lambda: make("clip", "videos", clips, CLIP, work),
            "caption": lambda: make("caption", "shapes-attention", photos, CAPTION, work),
            "forms": lambda: make(
                "forms", "digits-lstm", None, ROW, work, ("fused", "loop", "unrolled", "step")
            ),
            "plain": lambda: make("plain", "shapes-attention", photos, PLAIN, work),
        }
        for name in names or made:
            keep(made[name](), out / f"{name}.rnnedge")


def keep(path: Path, to: Path) -> None:
    """The bundle without its figures, which nobody may quote; of a clip model with events in any case."""
    bundle = read_bundle(path)
    manifest = replace(bundle.manifest, metrics={})
    if manifest.clip is not None:
        # Of two labels one always reaches a half, whatever was learned.
        rules = EventRules(smooth_ms=200.0, on=0.5, off=0.45, min_ms=200.0, refractory_ms=300.0)
        manifest = replace(manifest, clip=replace(manifest.clip, events=rules))
    write_bundle(to, manifest, bundle.members)


def make(
    kind: str, recipe: str, data: str | None, settings: list[str], work: Path, forms: tuple[str, ...] = ()
) -> Path:
    """The bundle of a run of `rnnedge train` and `rnnedge quantize`."""
    run = work / kind
    changes = [part for setting in settings for part in ("--set", setting)]
    rnnedge_here("train", recipe, *(("--data", data) if data else ()), "--out", run, *changes, "--json")
    rnnedge_here("quantize", run, "--json", *(part for form in forms for part in ("--form", form)))
    (made,) = [path for path in run.glob("*.rnnedge") if path.name.count(".") == 1]
    return made


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
