"""Clips streamed through the device's code, frame by frame, by whichever arithmetic: float, QAT or int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np

from rnnedge.clips.event_scores import Detection, detections
from rnnedge.data.clips import Clip
from rnnedge_device.clips import ClipModel
from rnnedge_device.events import EventDecoder, EventRules


@dataclass(frozen=True)
class Streamed:
    """What a model said about each frame of one clip, from a fresh state.

    Attributes:
        raw: ``[T, K]`` as the graph gives it.
        scores: probabilities, float32 ``[T, K]``.
        latency_us: median time of a step.
    """

    raw: np.ndarray
    scores: np.ndarray
    latency_us: float


def stream_clip(model: ClipModel, clip: Clip) -> Streamed:
    """One clip, whose frames are already at the model's rate, through a stream of its own."""
    stream = model.open_stream(clip.id)
    steps = []
    for first in range(0, len(clip), 256):  # long videos are read piece by piece
        part = np.asarray(clip.frames[first : first + 256])
        steps += [
            stream.step(pixels, float(ts)) for pixels, ts in zip(part, clip.ts_ms[first:], strict=False)
        ]
    return Streamed(
        np.stack([step.raw for step in steps]),
        np.stack([step.scores for step in steps]),
        float(np.median([step.latency_us for step in steps])),
    )


def answer(scores: np.ndarray, labels: Sequence[str], background: str = "") -> int:
    """A clip's class: the best at its last frame, of scores ``[T, K]``; the background is no answer."""
    last = np.array(scores[-1])
    if background:
        last[list(labels).index(background)] = -np.inf
    return int(last.argmax())


def decode(
    scores: np.ndarray, ts_ms: np.ndarray, labels: Sequence[str], background: str, rules: EventRules
) -> list[Detection]:
    """The events of one video, from its scores ``[T, K]`` at ``ts_ms [T]``, by the device's decoder."""
    decoder = EventDecoder(labels, background, rules)
    events: list[dict[str, Any]] = []
    for ts, row in zip(ts_ms, scores, strict=True):
        events += decoder.step(float(ts), row)
    return detections(events + decoder.finish(), labels)


def step_and_window_us(
    model: ClipModel, pixels: np.ndarray, window: int, rounds: int = 100
) -> tuple[float, float]:
    """Median microseconds a frame: one step with the state carried, and a whole window run anew, in turns.

    Args:
        pixels: model frames, uint8 ``[N, h, w, c]``, at least ``window`` of them.
    """
    stream = model.open_stream()
    times: tuple[list[int], list[int]] = ([], [])
    for index in range(rounds):
        at = index % (len(pixels) - window + 1)
        begin = perf_counter_ns()
        stream.step(pixels[at])
        middle = perf_counter_ns()
        model.sequence(pixels[at : at + window])
        times[0].append(middle - begin)
        times[1].append(perf_counter_ns() - middle)
    step, whole = (float(np.median(values)) / 1000 for values in times)
    return step, whole
