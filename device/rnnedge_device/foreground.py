"""What has come into the room: a fixed camera's frames against the empty room, and against the frame before.

All of it is whole-number arithmetic, so that every machine finds the same pixels.
"""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import InputError
from rnnedge_device.fields import Fields, is_count, is_number

CHANNELS = 2  # foreground and motion
_UNIT = 1024  # of a natural logarithm
_DRIFT_UNIT = 4096  # of a grey level
_BRIGHT = 0.6  # this share of the room is darker than what the light is measured on
_OPEN = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Foreground:
    """How the two channels are made, for a camera that does not move.

    The room is the median of the first `learn` model frames after a reset: let it be empty then. A pixel's change is
    `|log((grey + floor) / (room + floor))|`, a ratio, as light on a surface is; less the median change of the room's
    brighter pixels, which is the lamp's or the exposure's. Where it exceeds `threshold`, and not for a lone pixel,
    there is foreground; where it differs by more than `motion` from the model frame before, there is motion. Both are
    found on a frame of `detail` times the model's height and width, and averaged: 255 is a pixel all of which is.

    Args:
        learn: model frames; the room is what they have in common.
        detail: pixels a model's pixel, in each direction.
        threshold: of the logarithm; 0.3 is a third brighter, or a quarter darker.
        motion: the same between two model frames.
        floor: grey levels added to both, so that a dark picture's noise does not count.
        drift: grey levels a model frame by which the room follows the picture once it is learned, for a sun that
            moves; what stands still longer becomes a part of the room. 0 keeps the room as it was.

    Raises:
        InputError: a value out of its range.
    """

    learn: int = 15
    detail: int = 4
    threshold: float = 0.3
    motion: float = 0.12
    floor: float = 20.0
    drift: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("learn", 1000), ("detail", 16)):
            value = getattr(self, name)
            if not is_count(value) or value > most:
                raise InputError(f"foreground: {name} = {value!r}: must be whole, from 1 to {most}")
        for name, most in (("threshold", 5), ("motion", 5), ("floor", 255)):
            value = getattr(self, name)
            if not is_number(value) or not 0 < value <= most:
                raise InputError(f"foreground: {name} = {value!r}: must be above 0 and at most {most}")
        if not is_number(self.drift) or not 0 <= self.drift <= 255:
            raise InputError(f"foreground: drift = {self.drift!r}: must be from 0 to 255")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return asdict(self)

    @classmethod
    def from_dict(
        cls, data: Any, where: str = "foreground", error: type[InputError] = InputError
    ) -> "Foreground":
        """What `to_dict` wrote, checked.

        Raises:
            InputError (or `error`): a missing or unknown key, or a value out of its range.
        """
        fields = Fields(data, where, error)
        found: dict[str, Any] = {name: fields.integer(name) for name in ("learn", "detail")}
        found |= {name: fields.number(name) for name in ("threshold", "motion", "floor", "drift")}
        fields.done()
        try:
            return cls(**found)
        except InputError as problem:
            raise error(f"{where}: {problem}") from None


class Room:
    """One camera's room, learned and kept.

    Args:
        spec: how.
        stride: frames from one model frame to the next where those between are looked at, too, as in training: motion
            is what changed since then.
    """

    def __init__(self, spec: Foreground, stride: int = 1) -> None:
        self._spec, self._stride = spec, stride
        grey = np.arange(256)
        self._log = np.rint(np.log(grey + spec.floor) * _UNIT).astype(np.int32)
        self._threshold, self._motion = (round(value * _UNIT) for value in (spec.threshold, spec.motion))
        self._drift = round(spec.drift * _DRIFT_UNIT)
        self.reset()

    def reset(self) -> None:
        """Another room, or nobody knows: it is learned anew from the next frame on."""
        self._learning: list[NDArray[np.uint8]] = []
        self._room: NDArray[np.int32] | None = None  # in _DRIFT_UNIT of a grey level
        self.pause()

    def pause(self) -> None:
        """Frames are missing: the room is still the same, but what moved in between is not known."""
        self._before: NDArray[np.int32] | None = None
        self._recent: deque[NDArray[np.int32]] = deque(maxlen=self._stride)

    def look(self, grey: NDArray[np.uint8], step: bool = True) -> NDArray[np.uint8]:
        """Foreground and motion, `uint8 [h, w, 2]`, of a frame `uint8 [h * detail, w * detail]`.

        Args:
            step: a model frame; one between two of them teaches nothing.
        """
        if step or self._room is None:
            self._learn(grey)
        change = self._change(grey)
        before = self._before if step or not self._recent else self._recent[0]
        moved = np.abs(change - (change if before is None else before)) > self._motion
        self._recent.append(change)
        if step:
            self._before = change
        there = cv2.morphologyEx((np.abs(change) > self._threshold).astype(np.uint8), cv2.MORPH_OPEN, _OPEN)
        return np.stack([self._shrunk(there), self._shrunk(moved)], axis=-1)

    def _learn(self, grey: NDArray[np.uint8]) -> None:
        if self._room is None or self._learning:
            self._learning.append(grey.copy())
            # The lower of two middle ones: whole, and the same everywhere.
            middle = (len(self._learning) - 1) // 2
            room = np.partition(np.stack(self._learning), middle, axis=0)[middle]
            self._room = room.astype(np.int32) * _DRIFT_UNIT
            if len(self._learning) == self._spec.learn:
                self._learning = []
        elif self._drift:
            apart = grey.astype(np.int32) * _DRIFT_UNIT - self._room
            self._room += np.clip(apart, -self._drift, self._drift)
        else:
            return
        room = ((self._room + _DRIFT_UNIT // 2) // _DRIFT_UNIT).astype(np.uint8)
        flat = np.sort(room, axis=None)
        self._bright = room >= flat[int(_BRIGHT * (flat.size - 1))]
        self._room_log = self._log[room]

    def _change(self, grey: NDArray[np.uint8]) -> NDArray[np.int32]:
        change: NDArray[np.int32] = self._log[grey] - self._room_log
        light = change[self._bright]
        middle = light.size // 2
        return change - np.partition(light, middle)[middle]

    def _shrunk(self, mask: Any) -> NDArray[np.uint8]:
        """The share of each block that is set, 0..255."""
        side = self._spec.detail
        h, w = mask.shape[0] // side, mask.shape[1] // side
        count = mask.reshape(h, side, w, side).sum(axis=(1, 3), dtype=np.int32)
        shares: NDArray[np.uint8] = ((count * 255 + side * side // 2) // (side * side)).astype(np.uint8)
        return shares
