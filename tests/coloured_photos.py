"""A folder of captioned pictures of one colour each, as the CSV layout has them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0), "grey": (128, 128, 128)}


def coloured_photos(root: Path, count: int = 60, side: int = 12) -> Path:
    """Write them; each has two sentences that name its colour."""
    root.mkdir()
    rows, rng = ["image,caption"], np.random.default_rng(0)
    for i in range(count):
        name = list(COLOURS)[i % len(COLOURS)]
        noise = rng.integers(0, 40, (side, side, 3))
        picture = np.clip(np.array(COLOURS[name]) * 0.8 + noise, 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / f"{i:02d}.png"), picture)
        rows += [f"{i:02d}.png,It is {name}!", f"{i:02d}.png,a {name} picture"]
    (root / "captions.csv").write_text("\n".join(rows) + "\n")
    return root
