"""What a clip model assumes about time: its rate, its memory's limits, and how scores become events."""

from dataclasses import dataclass, field
from typing import Any

from rnnedge_device.errors import InputError
from rnnedge_device.events import EventRules
from rnnedge_device.fields import Fields, is_count, is_number, shown
from rnnedge_device.scene import SceneCut

HEADS = ("last", "every", "both")
_MAX_COUNT = 1_000_000
_MAX_HELD = 10_000  # steps of one frame: a bundle must not be able to keep a runner busy for hours


@dataclass(frozen=True)
class ClipSpec:
    """The temporal side of a bundle.

    Args:
        fps: frames are picked by timestamp at this rate.
        stride: every n-th of those is a model step.
        length: frames of a training window and of the `sequence` form.
        head: which outputs answer: the one at the clip's `last` frame, the one at `every` frame, or `both`.
        background: the label of frames that belong to no event; "" for none.
        max_gap_ms: a longer pause between two frames resets the state; at most 10,000 steps long.
        scene_cut: the detector whose cuts reset the state; None for no detector.
        events: from scores to events.

    Raises:
        InputError: a value out of its range.
    """

    fps: float
    stride: int
    length: int
    head: str = "last"
    background: str = ""
    max_gap_ms: float = 1000.0
    scene_cut: SceneCut | None = None
    events: EventRules = field(default_factory=EventRules)

    def __post_init__(self) -> None:
        for name in ("fps", "max_gap_ms"):
            value = getattr(self, name)
            if not is_number(value) or value <= 0:
                raise InputError(f"clip: {name} = {value!r}: must be a number above zero")
        for name in ("stride", "length"):
            if not is_count(getattr(self, name)) or getattr(self, name) > _MAX_COUNT:
                raise InputError(
                    f"clip: {name} = {shown(getattr(self, name))}: must be whole, above zero, at most {_MAX_COUNT}"
                )
        if self.rate * self.max_gap_ms / 1000 > _MAX_HELD:
            raise InputError(
                f"clip: fps = {self.fps!r}, stride = {self.stride}, max_gap_ms = {self.max_gap_ms!r}: a frame would be "
                f"held for up to {self.rate * self.max_gap_ms / 1000:.3g} steps: at most {_MAX_HELD}"
            )
        if self.head not in HEADS:
            raise InputError(f"clip: head = {self.head!r}: must be one of {', '.join(HEADS)}")

    @property
    def rate(self) -> float:
        """Model steps a second."""
        return self.fps / self.stride

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {
            "fps": self.fps,
            "stride": self.stride,
            "length": self.length,
            "head": self.head,
            "background": self.background,
            "max_gap_ms": self.max_gap_ms,
            "scene_cut": None if self.scene_cut is None else self.scene_cut.to_dict(),
            "events": self.events.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Any, where: str = "clip", error: type[InputError] = InputError) -> "ClipSpec":
        """What `to_dict` wrote, every key and type checked.

        Raises:
            InputError (or `error`): a missing or unknown key, or a value out of its range.
        """
        fields = Fields(data, where, error)
        cut = fields.raw("scene_cut")
        found: dict[str, Any] = {
            "fps": fields.number("fps"),
            "stride": fields.integer("stride"),
            "length": fields.integer("length"),
            "head": fields.text("head", allowed=HEADS),
            "background": fields.text("background"),
            "max_gap_ms": fields.number("max_gap_ms"),
            "scene_cut": None if cut is None else SceneCut.from_dict(cut, f"{where}: scene_cut", error),
            "events": EventRules.from_dict(fields.raw("events"), f"{where}: events", error),
        }
        fields.done()
        try:
            return cls(**found)
        except InputError as problem:
            raise error(f"{where}: {problem}") from None
