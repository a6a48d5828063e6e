"""What is said about an answer: lines, ready for JSON."""

from rnnedge_device.caption_stream import CaptionPrediction, mean_probability
from rnnedge_device.classify import Prediction
from rnnedge_device.clip_stream import ClipPrediction
from rnnedge_device.errors import InputError
from rnnedge_device.events import Event
from rnnedge_device.source import Frame


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


def event_line(event: Event, task: str) -> Event:
    """The line about the start or end of an event, as `EventDecoder.step` gives it."""
    return {"ts_ms": event["ts_ms"], "task": task, **event}


def lines_about(frame: Frame, prediction: Prediction, task: str) -> list[Event]:
    """Every line of one answer, in the order of their times; an empty one for a caption that is being written."""
    if isinstance(prediction, CaptionPrediction) and prediction.finished is None:
        return [{}]
    step = make_event(frame, prediction, task)
    if not isinstance(prediction, ClipPrediction):
        return [step]
    events = [event_line(event, task) for event in prediction.events]
    # What a reset ended comes before the step that began anew: times do not fall.
    return sorted([step, *events], key=lambda line: float(line["ts_ms"]))
