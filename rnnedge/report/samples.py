"""Sample predictions: which to show, their images made small, and all of them on one sheet."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import cv2
import numpy as np

from rnnedge.report.answer import ImageRun
from rnnedge.report.canvas import INK, QAT, Picture, data_uri, drawable, picture, sheet
from rnnedge.report.facts import Sample
from rnnedge.report.record import damaged

MOST_WRONG, MOST_RIGHT = 24, 8
# A page of camera pictures would be as heavy as the pictures; nobody needs more to see what is on one.
LARGEST_SIDE = 160
COLUMNS = 6


@dataclass(frozen=True)
class Shown:
    """A sample on the page: ``image`` is RGB or grey, ``uri`` the same as a PNG."""

    sample: Sample
    image: np.ndarray
    uri: str

    @property
    def wrong(self) -> bool:
        return self.sample.int8 != self.sample.label

    @property
    def others(self) -> list[str]:
        """What float and QAT called it, where that differs from int8."""
        told = (("float", self.sample.float_), ("QAT", self.sample.qat))
        return [f"{name}: {label}" for name, label in told if label != self.sample.int8]

    @property
    def alt(self) -> str:
        told = "wrongly called" if self.wrong else "rightly called"
        return f"Test image {self.sample.id}: a {self.sample.label}, {told} {self.sample.int8}"


def choose(run: ImageRun) -> list[Shown]:
    """The wrong ones first, the surest mistake leading, then a few right ones.

    Raises:
        InputError: an image is not a PNG in base64.
    """
    numbered = list(enumerate(run.evaluations.samples))
    wrong = [item for item in numbered if item[1].int8 != item[1].label]
    wrong.sort(key=lambda item: -item[1].score)
    chosen = wrong[:MOST_WRONG] + [item for item in numbered if item[1].int8 == item[1].label][:MOST_RIGHT]
    found = []
    for index, sample in chosen:
        image = decoded(sample.image)
        if image is None:
            where = f"samples.{index}.image ({sample.id})"
            raise damaged(run.folder / "evaluation.json", f"{where}: is not an 8-bit PNG in base64")
        found.append(_shown(sample, image))
    return found


def decoded(text: str) -> np.ndarray | None:
    """A PNG in base64 as grey ``[H, W]`` or BGR ``[H, W, 3]``; None if it is none."""
    try:
        data = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (binascii.Error, cv2.error):
        return None
    if image is None or image.dtype != np.uint8:
        return None
    return image[..., :3] if image.ndim == 3 else image


def _shown(sample: Sample, image: np.ndarray) -> Shown:
    factor = LARGEST_SIDE / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    png = cv2.imencode(".png", image)[1].tobytes()
    return Shown(sample, image[..., ::-1] if image.ndim == 3 else image, data_uri(png))


def contact_sheet(shown: list[Shown]) -> Picture | None:
    """All shown samples with what they are and what int8 called them; None where there are none."""
    if not shown:
        return None
    rows = -(-len(shown) // COLUMNS)
    figure = sheet(1.32 * rows)
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, item in zip(grid, shown, strict=False):
        axes.imshow(item.image, cmap="gray", vmin=0, vmax=255)
        true, called = drawable([item.sample.label, item.sample.int8], 11)
        title = f"{true} → {called}" if item.wrong else f"{called}"
        axes.set_title(
            f"{title}\n{item.sample.score:.2f}",
            fontsize=7.5,
            loc="center",
            color=QAT if item.wrong else INK,
        )
    wrong = sum(item.wrong for item in shown)
    return picture(
        "samples",
        figure,
        f"{wrong} test images that int8 calls wrongly and {len(shown) - wrong} that it calls rightly.",
    )
