"""What a recipe for clips has beside the others: ``[foreground]``, ``[clip]`` and ``[events]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rnnedge.data.clips import ClipOptions
from rnnedge.recipes.section import Above, Milliseconds, Score, Section, Whole
from rnnedge_device.events import EventRules
from rnnedge_device.foreground import Foreground


class ForegroundSection(Section):
    """What has come into the room in place of the picture; see :class:`rnnedge_device.foreground.Foreground`.

    ``learn = 0``: the picture itself.
    """

    learn: Annotated[int, Field(ge=0)] = 0
    detail: Whole = 4
    threshold: Above = 0.3
    motion: Above = 0.12
    floor: Above = 20.0
    drift: Annotated[float, Field(ge=0)] = 0.0

    def spec(self) -> Foreground | None:
        """The device's."""
        return Foreground(**self.model_dump()) if self.learn else None


class ClipSection(Section):
    """How videos become clips; see :class:`rnnedge.data.ClipOptions`.

    With ``scene_cut`` a detector's threshold is measured on the data, and a cut resets the stream's state.
    """

    fps: Above = 10.0
    stride: Whole = 1
    length: Whole = 16
    head: Literal["last", "every", "both"] = "last"
    background: str = ""
    max_gap_ms: Above = 1000.0
    lead_ms: Milliseconds = 0.0
    scene_cut: bool = True

    def options(self) -> ClipOptions:
        """What the loaders need of it."""
        return ClipOptions(**self.model_dump(exclude={"scene_cut"}))


class Events(Section):
    """From scores to events, see ``rnnedge_device.events``; with ``tune`` they are chosen on ``val``."""

    smooth_ms: Milliseconds = 300.0
    on: Score = 0.6
    off: Score = 0.4
    min_ms: Milliseconds = 200.0
    refractory_ms: Milliseconds = 500.0
    tune: bool = False

    def rules(self) -> EventRules:
        """The device's."""
        return EventRules(**self.model_dump(exclude={"tune"}))
