"""Is there a picture in the frames: black ones, and ones that stand still to the bit, are a camera's fault."""

import time

import numpy as np
from numpy.typing import NDArray

_EVERY_S = 0.2  # looks at most so often
_GRID = 24  # samples along a side
_DARK = 16  # of 255; a covered lens gives 0 to 10, a dim room more


class PictureWatch:
    """Looks at a few pixels of a few frames a second.

    A real sensor's noise never repeats, so that equal samples for a long time mean a frozen driver or encoder.

    Args:
        black_s, frozen_s: for how long before it is said; 0 never says it.

    Example:
        watch = PictureWatch(black_s=60, frozen_s=30)
        for frame in source:
            if trouble := watch.look(frame.image, frame.taken_s): ...
    """

    def __init__(self, black_s: float, frozen_s: float) -> None:
        self._limits = {"black": black_s, "frozen": frozen_s}
        self._since: dict[str, float] = {}
        self._looked = -1e9
        self._samples = b""
        self.trouble = ""

    def look(self, image: NDArray[np.uint8], now: float | None = None) -> str:
        """`black`, `frozen`, or "" while all is well.

        Args:
            now: by `time.monotonic`.
        """
        now = time.monotonic() if now is None else now
        if now - self._looked < _EVERY_S:
            return self.trouble
        self._looked = now
        rows, columns = (max(1, side // _GRID) for side in image.shape[:2])
        samples = image[rows // 2 :: rows, columns // 2 :: columns]
        before, self._samples = self._samples, samples.tobytes()
        self._note("black", int(samples.max()) < _DARK, now)
        self._note("frozen", self._samples == before, now)
        self.trouble = next((kind for kind in ("black", "frozen") if self._lasts(kind, now)), "")
        return self.trouble

    def _note(self, kind: str, seen: bool, now: float) -> None:
        if not seen:
            self._since.pop(kind, None)
        else:
            self._since.setdefault(kind, now)

    def _lasts(self, kind: str, now: float) -> bool:
        limit_s = self._limits[kind]
        return limit_s > 0 and kind in self._since and now - self._since[kind] >= limit_s
