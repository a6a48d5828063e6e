"""What a viewer sees: the frame with label or caption, confidence, running events, frames a second and latency."""

import time
from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.caption_stream import CaptionPrediction
from rnnedge_device.classify import Prediction
from rnnedge_device.clip_stream import ClipPrediction
from rnnedge_device.text_box import TextBox

_LEAST_SIDE = 240  # pixels; a smaller frame is enlarged until the text is readable
_LABEL, _STATUS, _MARGIN, _FONT = 22, 22, 6, cv2.FONT_HERSHEY_SIMPLEX
_INK, _DIM = (255, 255, 255), (190, 190, 190)
_ALERT, _TAG = (60, 60, 220), 22  # red, and the height of an event's tag


class Overlay:
    """Draws predictions on frames. The first frame settles the picture's size; others are fitted into it.

    A caption goes over several lines; the first one settles how many, for the longest the model may write.

    Args:
        figures: a line with frames a second (of the calls) and latency as well?
    """

    def __init__(self, figures: bool = True) -> None:
        self._figures = figures
        self._size: tuple[int, int] | None = None
        self._box: TextBox | None = None
        self._times: deque[float] = deque(maxlen=30)

    def __call__(
        self, image: NDArray[np.uint8], prediction: Prediction, now_s: float | None = None
    ) -> NDArray[np.uint8]:
        """`uint8 [H, W, 3]` BGR: the frame above, a bar with the texts below. `image` is left as it is.

        Args:
            now_s: the time to count frames a second by; None: now.
        """
        self._times.append(time.monotonic() if now_s is None else now_s)
        picture = self._fitted(image)
        height, width = picture.shape[:2]
        if self._box is None and isinstance(prediction, CaptionPrediction):
            self._box = TextBox(width, prediction.room)
        # Of even height, as the picture is.
        bar = self._box.height + self._box.height % 2 if self._box else _LABEL
        bar += _STATUS if self._figures else _MARGIN
        canvas: Any = np.full((height + bar, width, 3), 24, np.uint8)
        canvas[:height] = picture
        if isinstance(prediction, ClipPrediction):
            _draw_tags(canvas, prediction.running)
        # The bar behind the texts is as long as the model is sure.
        cv2.rectangle(
            canvas,
            (0, height),
            (int((width - 1) * min(1.0, prediction.score)), height + 3),
            (80, 175, 76),
            -1,
        )
        if self._box:
            growing = isinstance(prediction, CaptionPrediction) and prediction.writing
            self._box.draw(canvas, height + 5, f"{prediction.label} ..." if growing else prediction.label)
        else:
            text = f"{prediction.label}  {prediction.score:.0%}"
            cv2.putText(canvas, text, (6, height + 21), _FONT, 0.55, _INK, 1, cv2.LINE_AA)
        if self._figures:
            text = f"{self._fps():.0f} fps  {prediction.total_us / 1000:.2f} ms"
            cv2.putText(canvas, text, (6, height + bar - 6), _FONT, 0.42, _DIM, 1, cv2.LINE_AA)
        return canvas

    def _fps(self) -> float:
        seconds = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / seconds if seconds > 0 else 0.0

    def _fitted(self, image: Any) -> Any:
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        rows, columns = image.shape[:2]
        if self._size is None:
            factor = -(-_LEAST_SIDE // min(rows, columns)) if min(rows, columns) < _LEAST_SIDE else 1
            # Even sides: most video codecs take no others.
            self._size = (rows * factor + rows * factor % 2, columns * factor + columns * factor % 2)
        h, w = self._size
        scale = min(h / rows, w / columns)
        inner_h, inner_w = min(h, max(1, int(rows * scale))), min(w, max(1, int(columns * scale)))
        if (inner_h, inner_w) != (rows, columns):
            # Enlarged pixels stay squares: the viewer sees what the model sees.
            how = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
            image = cv2.resize(image, (inner_w, inner_h), interpolation=how)
        top, left = (h - inner_h) // 2, (w - inner_w) // 2
        return cv2.copyMakeBorder(
            image, top, h - inner_h - top, left, w - inner_w - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )


def _draw_tags(canvas: Any, labels: tuple[str, ...]) -> None:
    """The events that go on, one below the other in the upper left corner."""
    for number, label in enumerate(labels):
        top = number * (_TAG + 2)
        (width, _), _ = cv2.getTextSize(label, _FONT, 0.5, 1)
        cv2.rectangle(canvas, (0, top), (width + 12, top + _TAG), _ALERT, -1)
        cv2.putText(canvas, label, (6, top + 16), _FONT, 0.5, _INK, 1, cv2.LINE_AA)
