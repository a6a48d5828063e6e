"""A few frames in memory that two processes share: one writes, the other takes the newest."""

import mmap
import os

import numpy as np
from numpy.typing import NDArray

SLOTS = 4  # the writer is three frames ahead before it comes upon one that is being read
_HEAD = 64  # bytes before the frames: the number of the frame in each slot, int64
_BEING_WRITTEN = -1


class FrameRing:
    """Slots for frames behind a file descriptor of anonymous memory. One writer, one reader.

    Args:
        handle: from `os.memfd_create`. It is not closed here.
        slot_bytes: the largest frame; None to take what the writer has settled.
    """

    def __init__(self, handle: int, slot_bytes: int | None = None) -> None:
        if slot_bytes is not None:
            os.ftruncate(handle, _HEAD + SLOTS * slot_bytes)
        size = os.fstat(handle).st_size
        self.slot_bytes = (size - _HEAD) // SLOTS
        self._memory = mmap.mmap(handle, size)
        self._numbers = np.frombuffer(self._memory, np.int64, SLOTS)
        self._bytes = np.frombuffer(self._memory, np.uint8, offset=_HEAD)

    def put(self, number: int, image: NDArray[np.uint8]) -> None:
        """Write frame `number` over the oldest."""
        slot = number % SLOTS
        self._numbers[slot] = _BEING_WRITTEN
        self._place(slot, image.shape)[:] = image
        self._numbers[slot] = number

    def get(self, number: int, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        """A copy of frame `number`; None if it was overwritten meanwhile."""
        slot = number % SLOTS
        if self._numbers[slot] != number:
            return None
        image = self._place(slot, shape).copy()
        return image if self._numbers[slot] == number else None

    def _place(self, slot: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        begin = slot * self.slot_bytes
        return self._bytes[begin : begin + int(np.prod(shape))].reshape(shape)

    def close(self) -> None:
        """Give the memory back."""
        # NumPy's views hold the mapping; without them it can go.
        self._numbers = self._bytes = np.empty(0, np.uint8)  # type: ignore[assignment]
        self._memory.close()
