"""From a source's frames to what is said about them: one path for files and for cameras."""

import contextlib
from collections.abc import Sequence

from rnnedge_device.caption_stream import CaptionStream
from rnnedge_device.caption_writer import CaptionWriter
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier, Prediction
from rnnedge_device.clips import ClipModel, ClipStream
from rnnedge_device.errors import InputError
from rnnedge_device.event_lines import event_line, lines_about
from rnnedge_device.events import Event
from rnnedge_device.sinks.message import Message
from rnnedge_device.source import Frame, Source
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
            self._latest = frame, prediction
            found += self._said(lines_about(frame, prediction, self._task))
        if not predictions:
            # A picture nevertheless, with the answer before it.
            self._latest = (frame, self._latest[1]) if self._latest else None
            found = [Message(self.camera, {}, frame, self._latest[1] if self._latest else None)]
        return predictions, found

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


def open_answers(
    sources: Sequence[Source],
    names: Sequence[str],
    model: Model,
    opened: contextlib.ExitStack,
    tags: Sequence[Event] | None = None,
) -> list[Answers]:
    """One for each source, all through one model.

    Args:
        names: of the sources, for messages.
        opened: takes what has to be closed at the end.
        tags: keys that every line of the source has as well.

    Raises:
        InputError: several sources for a classifier, or images without times for a clip model.
    """
    fed = _fed(sources, names, model, opened)
    return [
        Answers(name, one, model.manifest.task, tag)
        for name, one, tag in zip(names, fed, tags or [{}] * len(names), strict=True)
    ]


def _fed(
    sources: Sequence[Source], names: Sequence[str], model: Model, opened: contextlib.ExitStack
) -> Sequence[Fed]:
    if isinstance(model, Captioner):
        writer = opened.enter_context(CaptionWriter(model))
        return [CaptionStream(writer, source, name) for source, name in zip(sources, names, strict=True)]
    if isinstance(model, Classifier):
        return [Stills(model) for _ in sources]
    for source in sources:
        if not source.timed:
            raise InputError(
                f"source {source.name!r}: images without times: a clip model needs the rate of a film's "
                "frames, as in FOLDER@12"
            )
    return [model.open_stream(name) for name in names]
