"""Clips that one frame cannot tell: pictures that grow brighter or darker, as folders of frames or as a long film."""

import cv2
import numpy as np

from rnnedge.recipes import load_recipe

TINY = [
    "data.size=[8, 8]",
    "clip.length=8",
    "model.encoder=row_rnn",
    "model.encoder_units=8",
    "model.units=12",
    "model.dropout=0.2",
    "train.epochs=3",
    "train.batch_size=8",
    "train.learning_rate=0.01",
    "train.warmup_epochs=1.0",
    "train.checkpoint_steps=3",
]


def ramps(folder, count=40):
    """`videos:` data: `count` clips of 5 to 12 noisy pictures a class, `brighter` and `darker`."""
    for name, way in (("brighter", 1), ("darker", -1)):
        for number in range(count):
            rng = np.random.default_rng([number, way + 1])
            clip = folder / name / f"{number:03d}"
            clip.mkdir(parents=True)
            grey = rng.uniform(90, 160) + way * 8 * np.arange(rng.integers(5, 13))
            for index, value in enumerate(grey):
                picture = np.clip(rng.normal(value, 5, (8, 8)), 0, 255).astype(np.uint8)
                cv2.imwrite(str(clip / f"{index}.png"), picture)
    return folder


def sessions(folder, count=12, frames=60):
    """`events:` data: films in which the picture brightens or darkens for 0.8 s now and then."""
    (folder / "videos").mkdir(parents=True)
    rows = ["clip,start_ms,end_ms,label"]
    for number in range(count):
        rng = np.random.default_rng([number, 7])
        grey = np.full(frames, rng.uniform(110, 140))
        for start in range(10, frames - 10, 20):
            name, way = (("brighter", 1), ("darker", -1))[rng.integers(2)]
            grey[start : start + 8] += way * 9 * np.arange(1, 9)
            rows.append(f"{number:02d},{start * 100},{start * 100 + 800},{name}")
        film = cv2.VideoWriter(
            str(folder / "videos" / f"{number:02d}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (16, 16)
        )
        for value in grey:
            film.write(np.full((16, 16, 3), np.clip(value, 0, 255), np.uint8))
        film.release()
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def drawn_clips(folder, *overrides):
    """A recipe for :func:`ramps` that trains in seconds, with everything that makes an exact resume hard."""
    return load_recipe("videos", [*TINY, f"data.name=videos:{folder}", *overrides])


def tiny_events(folder, *overrides):
    """The same for :func:`sessions`, a label a frame, the state carried from window to window."""
    return load_recipe("events", [*TINY, f"data.name=events:{folder}", *overrides])
