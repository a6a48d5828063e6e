"""A classifier as a stream: each frame for itself."""

from rnnedge_device.classify import Classifier, Prediction
from rnnedge_device.events import Event
from rnnedge_device.rate import FramePicker
from rnnedge_device.source import Frame


class Stills:
    """One source's frames through a classifier; each of them, or as many a second as it was told.

    Args:
        classifier: may be shared with other sources.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._picker: FramePicker | None = None

    def set_rate(self, rate: float) -> None:
        """At most so many frames a second from now on, by their times."""
        self._picker = FramePicker(rate)

    def reset(self) -> None:
        """There is no state that could begin anew."""

    def feed(self, frame: Frame) -> list[Prediction]:
        """The answer to a frame; none where the rate passes it over.

        Raises:
            InputError: the frame's dtype or shape is not one.
        """
        if frame.rate:
            self.set_rate(frame.rate)
        if self._picker and not self._picker.take(frame.ts_ms):
            return []
        return [self._classifier.predict(frame.image)]

    def interrupt(self, reason: str) -> list[Event]:
        """Nothing runs that could end."""
        return []

    def finish(self) -> list[Event]:
        """Likewise."""
        return []
