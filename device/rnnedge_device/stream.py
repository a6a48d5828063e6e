"""The loop: frames → model → events → sinks, for one source or several at once."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from rnnedge_device.caption_stream import CaptionPrediction, CaptionStream, mean_probability
from rnnedge_device.caption_writer import CaptionWriter
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier, Prediction
from rnnedge_device.clips import ClipModel, ClipPrediction, ClipStream
from rnnedge_device.errors import InputError, SourceLostError
from rnnedge_device.events import Event
from rnnedge_device.sinks import Sink
from rnnedge_device.source import Frame, Source
from rnnedge_device.tally import Tally, distinct_names

# How long to wait where none of several live sources has a frame.
_PAUSE_S = 0.002


def stream(
    source: Source | Sequence[Source],
    model: Classifier | ClipModel | Captioner,
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
    tags = [{"source": name} if len(sources) > 1 else {} for name in distinct_names(sources)]
    tally, task = tally or Tally(*sources), model.manifest.task
    latest: dict[int, tuple[Frame, Prediction]] = {}

    def emit(number: int, lines: Sequence[Event]) -> None:
        for line in lines:
            for sink in sinks:
                sink(*latest[number], line)

    def answer(number: int, frame: Frame, prediction: Prediction) -> None:
        latest[number] = frame, prediction
        emit(number, _lines(frame, prediction, task, tags[number]))

    with contextlib.ExitStack() as opened:
        streams = _open(sources, model, opened)
        for number, frame in _in_turns(sources, max_frames):
            fed = streams[number]
            if frame is not None:
                predictions = fed.feed(frame)
                tally.add(number, predictions)
                for prediction in predictions:
                    answer(number, frame, prediction)
                if not predictions:
                    latest[number] = frame, latest[number][1]
                    emit(number, [{}])
            elif isinstance(fed, CaptionStream):
                for last in fed.finish():
                    tally.answers([last])
                    answer(number, latest[number][0], last)
            else:
                emit(number, [_event_line(event, task, tags[number]) for event in fed.finish()])
    return tally.to_dict()


def make_event(frame: Frame, prediction: Prediction, task: str) -> Event:
    """`{"ts_ms", "frame", "task", "label", "score", "latency_ms"}`; the latency is the interpreter's.

    A clip model's step that began anew has `reset`, the reason, as well. A finished caption's line tells the frame
    it is about; it has `words`, how many, and `reason` as well, and its score is the mean probability of a word.

    Raises:
        InputError: a caption that is not finished.
    """
    if isinstance(prediction, CaptionPrediction):
        return _caption_line(prediction, task)
    event = {
        "ts_ms": round(frame.ts_ms, 3),
        "frame": frame.index,
        "task": task,
        "label": prediction.label,
        "score": round(prediction.score, 6),
        "latency_ms": round(prediction.latency_us / 1000, 4),
    }
    if isinstance(prediction, ClipPrediction):
        event["ts_ms"] = round(prediction.ts_ms, 3)
        if prediction.reset:
            event["reset"] = prediction.reset
    return event


def _caption_line(prediction: CaptionPrediction, task: str) -> Event:
    finished = prediction.finished
    if finished is None:
        raise InputError(f"caption {prediction.label!r}: is not finished; there is no line about it")
    caption = finished.caption
    return {
        "ts_ms": round(finished.ts_ms, 3),
        "frame": finished.frame,
        "task": task,
        "label": caption.text,
        "score": round(mean_probability(caption), 6),
        "latency_ms": round((caption.encode_us + caption.decode_us) / 1000, 4),
        "words": len(caption.words),
        "reason": finished.reason,
    }


def _event_line(event: Event, task: str, tag: Event) -> Event:
    return {"ts_ms": event["ts_ms"], "task": task, **event, **tag}


def _lines(frame: Frame, prediction: Prediction, task: str, tag: Event) -> list[Event]:
    if isinstance(prediction, CaptionPrediction) and prediction.finished is None:
        return [{}]
    step = {**make_event(frame, prediction, task), **tag}
    if not isinstance(prediction, ClipPrediction):
        return [step]
    events = [_event_line(event, task, tag) for event in prediction.events]
    # What a reset ended comes before the step that began anew: times do not fall.
    return sorted([step, *events], key=lambda line: float(line["ts_ms"]))


class _Stills:
    """A classifier as a stream: each frame for itself."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def feed(self, frame: Frame) -> list[Prediction]:
        return [self._classifier.predict(frame.image)]

    def finish(self) -> list[Event]:
        return []


def _open(
    sources: Sequence[Source], model: Classifier | ClipModel | Captioner, opened: contextlib.ExitStack
) -> Sequence[ClipStream | CaptionStream | _Stills]:
    names = distinct_names(sources)
    if isinstance(model, Captioner):
        writer = opened.enter_context(CaptionWriter(model))
        return [CaptionStream(writer, source, name) for source, name in zip(sources, names, strict=True)]
    if isinstance(model, Classifier):
        if len(sources) != 1:
            raise InputError(f"{len(sources)} sources: a bundle of task classify takes one")
        return [_Stills(model)]
    for source in sources:
        if not source.timed:
            raise InputError(
                f"source {source.name!r}: images without times: a clip model needs the rate of a film's "
                "frames, as in FOLDER@12"
            )
    return [model.open_stream(name) for name in names]


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
