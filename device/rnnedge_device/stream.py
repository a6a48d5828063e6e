"""The loop: frames → model → events → sinks, for one source or several at once, each frame in its order."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from rnnedge_device.answers import Answers, Model, open_stream
from rnnedge_device.caption_writer import CaptionWriter
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.errors import InputError, SourceLostError
from rnnedge_device.sinks.sink import Sink
from rnnedge_device.source import Frame, Source
from rnnedge_device.tally import Tally, distinct_names

# How long to wait where none of several live sources has a frame.
_PAUSE_S = 0.002


def stream(
    source: Source | Sequence[Source],
    model: Model,
    sinks: Sequence[Sink] = (),
    max_frames: int | None = None,
    tally: Tally | None = None,
) -> dict[str, Any]:
    """Frame after frame through the model until each source ends, is stopped, or gave `max_frames`.

    Args:
        source: one, or for clips and captions several, which take turns; each has a state of its own.
        model: what answers; a clip model's events go to the sinks beside its steps, a captioner's captions as
            they are finished.
        tally: counts into this one, for a caller who wants the figures after an error.

    Returns:
        The summary, see `Tally.to_dict`.

    Raises:
        InputError: several sources for a classifier, or images without times for a clip model.
        SourceLostError: a live source stopped delivering; other sources went on to their ends.
        TimeoutError: the caption at a source's end takes more than 30 seconds.
    """
    sources = [source] if isinstance(source, Source) else list(source)
    names = distinct_names(sources)
    if isinstance(model, Classifier) and len(sources) != 1:
        raise InputError(f"{len(sources)} sources: a bundle of task classify takes one")
    tags = [{"source": name} if len(sources) > 1 else {} for name in names]
    tally = tally or Tally(*sources)
    with contextlib.ExitStack() as opened:
        writer = opened.enter_context(CaptionWriter(model)) if isinstance(model, Captioner) else None
        answers = [
            Answers(name, open_stream(one, name, model, writer), model.manifest.task, tag)
            for one, name, tag in zip(sources, names, tags, strict=True)
        ]
        for number, frame in _in_turns(sources, max_frames):
            if frame is not None:
                predictions, messages = answers[number].feed(frame)
                tally.add(number, predictions)
            else:
                predictions, messages = answers[number].finish()
                tally.answers(predictions)
            for message in messages:
                for sink in sinks:
                    sink.put(message)
    return tally.to_dict()


def _in_turns(sources: Sequence[Source], max_frames: int | None) -> Iterator[tuple[int, Frame | None]]:
    """A frame of each source in turn, with the source's number; None for a source's end.

    A live source that has no frame yet is passed over. One that is lost ends, and is the error at the
    end of all the others.
    """
    active = {number: islice(source, max_frames) for number, source in enumerate(sources)}
    lost: list[SourceLostError] = []
    while active:
        waiting = True
        for number, frames in list(active.items()):
            if len(active) > 1 and not sources[number].ready():
                continue
            waiting, frame = False, None
            try:
                frame = next(frames, None)
            except SourceLostError as problem:
                lost.append(problem)
            if frame is None:
                del active[number]
            yield number, frame
        if waiting:
            time.sleep(_PAUSE_S)
    if lost:
        raise lost[0]
