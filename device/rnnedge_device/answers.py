"""From a source's frames to what is said about them: one path for files and for cameras."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from rnnedge_device.caption_stream import CaptionPrediction, CaptionStream
from rnnedge_device.caption_writer import CaptionWriter
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier, Prediction
from rnnedge_device.clips import ClipModel, ClipStream
from rnnedge_device.errors import InputError
from rnnedge_device.event_lines import event_line, lines_about
from rnnedge_device.events import Event
from rnnedge_device.sinks.message import Message
from rnnedge_device.source import Frame
from rnnedge_device.stills import Stills

Model = Classifier | ClipModel | Captioner
Fed = ClipStream | CaptionStream | Stills


class Answers:
    """One source's frames through its model, as messages for the sinks.

    Args:
        camera: the name in the messages.
        fed: the source's own stream through a model.
        task: of the bundle.
        tag: keys that every line has as well.
    """

    def __init__(self, camera: str, fed: Fed, task: str, tag: Event | None = None) -> None:
        self.camera, self.fed = camera, fed
        self._task, self._tag = task, tag or {}
        self._latest: tuple[Frame, Prediction] | None = None

    def feed(self, frame: Frame) -> tuple[Sequence[Prediction], list[Message]]:
        """A frame; the model's answers to it, and what there is to say: one message at least.

        Raises:
            InputError: as the model's `feed`.
        """
        predictions: Sequence[Prediction] = self.fed.feed(frame)
        found = []
        for prediction in predictions:
            if isinstance(prediction, CaptionPrediction) and prediction.begun is not None:
                # A part of the frame from here on, for its recording.
                frame = replace(frame, caption=prediction.begun)
            self._latest = frame, prediction
            found += self._said(lines_about(frame, prediction, self._task))
        if not predictions:
            # A picture nevertheless, with the answer before it.
            self._latest = (frame, self._latest[1]) if self._latest else None
            found = [Message(self.camera, {}, frame, self._latest[1] if self._latest else None)]
        return predictions, found

    def switch(self, fed: Fed) -> None:
        """Another model answers from now on."""
        self.fed = fed

    def interrupt(self, reason: str) -> list[Message]:
        """The source is gone for a while: what ran has ended, and its next frame begins anew."""
        return self._said([event_line(event, self._task) for event in self.fed.interrupt(reason)])

    def finish(self) -> tuple[Sequence[Prediction], list[Message]]:
        """The source has ended: what was still open."""
        if not isinstance(self.fed, CaptionStream):
            return [], self._said([event_line(event, self._task) for event in self.fed.finish()])
        last = self.fed.finish()
        if not (last and self._latest):
            return last, []
        frame = self._latest[0]
        self._latest = frame, last[-1]
        return last, [
            message for found in last for message in self._said(lines_about(frame, found, self._task))
        ]

    def _said(self, lines: Sequence[Event]) -> list[Message]:
        frame, prediction = self._latest or (None, None)
        return [
            Message(self.camera, {**line, **self._tag} if line else {}, frame, prediction) for line in lines
        ]


class Flow(Protocol):
    """What a stream has to know about where its frames come from: a `Source`, or a runner's capture."""

    @property
    def live(self) -> bool: ...
    @property
    def timed(self) -> bool: ...
    @property
    def stopped(self) -> bool: ...


def open_stream(flow: Flow, name: str, model: Model, writer: CaptionWriter | None = None) -> Fed:
    """One source's own stream through a model.

    Args:
        flow: where the frames come from.
        name: of the source, for messages.
        writer: of captions, shared by all streams of the captioner.

    Raises:
        InputError: images without times for a clip model.
    """
    if isinstance(model, Captioner):
        if writer is None or writer.captioner is not model:
            raise InputError(f"source {name!r}: captions need the writer of their captioner")
        return CaptionStream(writer, flow, name)
    if isinstance(model, Classifier):
        return Stills(model)
    if not flow.timed:
        raise InputError(
            f"source {name!r}: images without times: a clip model needs the rate of a film's frames, as in FOLDER@12"
        )
    return model.open_stream(name)
