"""One source's way through a captioner: when a caption is due, and what is to be seen until it is written."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.caption_writer import CaptionWriter, Finished, Writing
from rnnedge_device.captioner import Caption
from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event
from rnnedge_device.scene import SceneDetector
from rnnedge_device.source import Frame
from rnnedge_device.vocabulary import SPECIALS

if TYPE_CHECKING:
    from rnnedge_device.answers import Flow

REASONS = ("start", "scene_cut", "interval", "image")
# Times of a video are rounded: a frame at 1999.97 ms is the one at two seconds.
_SLACK_MS = 0.5


def _none() -> NDArray[Any]:
    return np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class CaptionPrediction(Prediction):
    """What is said while a frame is shown.

    A caption has no place among labels: `index` is -1, `scores` and `raw` are empty; `label` is the text to
    show, and `score`, `latency_us` and `total_us` are the last finished caption's.

    Args:
        source: name of the stream.
        words: to show: those of the caption being written, before its first one those of the last.
        writing: is it a caption that still grows?
        room: how many characters a caption of the greatest length has in the mean.
        finished: the caption that became whole with this frame, perhaps an earlier frame's; or None.
        begun: of a live source, why a caption of this frame is being written; "" where none is.
    """

    source: str = ""
    words: tuple[str, ...] = ()
    writing: bool = False
    room: int = 0
    finished: Finished | None = field(default=None)
    begun: str | None = None


class CaptionStream:
    """The captions of one source.

    The first frame gets one (`start`), then each frame with which a new scene begins (`scene_cut`, where the
    bundle has a detector) and each that comes `interval_ms` of the source's time after the last captioned one
    (`interval`). Images without times get one each (`image`).

    A live source does not wait: a caption is written beside it, and what falls due meanwhile is the frame that is
    newest when the writer is free. Any other source waits for each caption, so that equal files give equal
    captions of equal frames, however fast the machine. Of frames of a recorded live source those get a caption that
    got one then.

    Args:
        writer: shared with the streams of other sources.
        source: whose frames are fed; `live`, `timed` and `stopped` are asked of it.
        name: for the predictions.

    Raises:
        InputError: (`feed`) the image's dtype or shape is not a frame's, or the model gives NaN.
    """

    def __init__(self, writer: CaptionWriter, source: "Flow", name: str = "") -> None:
        spec, words = writer.captioner.spec, writer.captioner.vocabulary.words[len(SPECIALS) :]
        self.name = name
        self._writer, self._source, self._interval_ms = writer, source, spec.interval_ms
        self._room = math.ceil(spec.max_length * (sum(map(len, words)) / max(1, len(words)) + 1))
        self._detector = SceneDetector(spec.scene_cut) if spec.scene_cut and source.timed else None
        self._begun_ms: float | None = None  # of the last frame that was taken for a caption
        self._cut = False  # a new scene has begun since
        self._writing: Writing | None = None
        self._last: Finished | None = None

    def set_rate(self, rate: float) -> None:
        """At most so many captions a second for want of a new scene, and never more than the bundle says."""
        self._interval_ms = max(self._writer.captioner.spec.interval_ms, 1000 / rate)

    def reset(self) -> None:
        """The next frame is the first of another scene."""
        self._begun_ms, self._cut = None, False
        if self._detector:
            self._detector.reset()

    def interrupt(self, reason: str) -> list[Event]:
        """The source is gone for a while: nothing ends, and its next frame is the first of another scene."""
        self.reset()
        return []

    def feed(self, frame: Frame) -> list[CaptionPrediction]:
        """A frame of the source; always one answer, whose `finished` is mostly None."""
        if frame.rate:
            self.set_rate(frame.rate)
        if frame.reset:
            self.reset()
        pixels = None
        if self._detector:
            pixels = self._writer.captioner.preprocess.pixels(frame.image)
            self._cut |= self._detector.cut(pixels)
        finished = self._collected()
        reason = self._reason(frame) if frame.caption is None else frame.caption
        if not self._source.live:
            if reason:
                self._writer.write(self._begin(frame, reason, pixels))
                finished = self._collected()
            return [self._prediction(finished)]
        begun = reason if reason and self._writer.turn_of(self) else ""
        if begun:
            self._writer.start(self, self._begin(frame, begun, pixels))
        return [self._prediction(finished, begun)]

    def finish(self) -> list[CaptionPrediction]:
        """The source has ended: the caption being written, if nobody stopped the source.

        Raises:
            TimeoutError: it is not done in 30 seconds.
        """
        self._writer.leave(self)
        if self._writing is not None:
            self._writing.wait(self._writing.stopped)
        finished = self._collected()
        return [self._prediction(finished)] if finished else []

    def _reason(self, frame: Frame) -> str:
        """Why a caption is due with this frame; "" if none is, or one is being written."""
        if self._writing is not None:
            return ""
        if not self._source.timed:
            return "image"
        if self._begun_ms is None:
            return "start"
        if self._cut:
            return "scene_cut"
        return "interval" if frame.ts_ms - self._begun_ms >= self._interval_ms - _SLACK_MS else ""

    def _begin(self, frame: Frame, reason: str, pixels: NDArray[np.uint8] | None) -> Writing:
        self._begun_ms, self._cut = frame.ts_ms, False
        self._writing = self._writer.writing(frame, reason, lambda: self._source.stopped, pixels)
        return self._writing

    def _collected(self) -> Finished | None:
        """What has been written meanwhile; its error, if there was one."""
        writing = self._writing
        if writing is None or not writing.over:
            return None
        self._writing, finished = None, writing.result()
        self._last = finished or self._last
        return finished

    def _prediction(self, finished: Finished | None, begun: str | None = None) -> CaptionPrediction:
        last, words = self._last, self._writing.words if self._writing else ()
        growing = bool(words)
        if not growing and last:
            words = last.caption.words
        return CaptionPrediction(
            -1,
            " ".join(words),
            mean_probability(last.caption) if last else 0.0,
            _none(),
            _none(),
            last.caption.encode_us + last.caption.decode_us if last else 0.0,
            last.total_us if last else 0.0,
            self.name,
            words,
            growing,
            self._room,
            finished,
            begun,
        )


def mean_probability(caption: Caption) -> float:
    """The geometric mean of the words' probabilities, 0..1, the caption's end counted as a word."""
    return math.exp(caption.log_probability / (len(caption.ids) + 1))
