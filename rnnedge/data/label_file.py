"""``events:PATH``: videos with a file of what happens when, ``labels.csv``: clip, start_ms, end_ms, label."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rnnedge.data.clips import UNLABELLED, Clip, ClipSet, Truth
from rnnedge.data.frame_cache import CachedFrames
from rnnedge.data.videos import VideoLoading, find_videos
from rnnedge_device.errors import InputError

COLUMNS = ("clip", "start_ms", "end_ms", "label")

log = logging.getLogger("rnnedge.data")


@dataclass(frozen=True)
class Row:
    """A line of the label file."""

    clip: str
    start_ms: float
    end_ms: float
    label: str


def read_labels(path: Path, clips: Sequence[str]) -> list[Row]:
    """The rows of a label file in their order; further columns are ignored.

    Args:
        path: a CSV file in UTF-8 with a header.
        clips: the clips that there are.

    Raises:
        InputError: names the line: a missing column or cell, a time that is no number, an end that is not after
            its start, an unknown clip.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise InputError(
                    f"{path}: line 1: has no column {', '.join(missing)}; needs {', '.join(COLUMNS)}"
                )
            known = set(clips)
            rows = [_row(cells, known, f"{path}: line {reader.line_num}") for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV file: {error}") from None
    if not rows:
        raise InputError(f"{path}: has no rows")
    return rows


def _row(cells: Mapping[str | None, str | list[str] | None], clips: set[str], where: str) -> Row:
    if None in cells:
        raise InputError(f"{where}: has more cells than the header; quote a label that holds a comma")
    text = {name: str(cells[name] or "").strip() for name in COLUMNS}
    for name in COLUMNS:
        if not text[name]:
            raise InputError(f"{where}: has no {name}")
    times = []
    for name in ("start_ms", "end_ms"):
        try:
            times.append(float(text[name]))
        except ValueError:
            times.append(math.nan)
        if not 0 <= times[-1] < math.inf:
            raise InputError(f"{where}: {name}={text[name]!r}: must be a number of milliseconds, 0 or more")
    start, end = times
    if end <= start:
        raise InputError(f"{where}: end_ms={text['end_ms']} is not after start_ms={text['start_ms']}")
    if text["clip"] not in clips:
        raise InputError(f"{where}: clip={text['clip']!r}: there is no such video in videos/")
    return Row(text["clip"], start, end, text["label"])


def load_label_file(path: str, split: str, loading: VideoLoading) -> ClipSet:
    """Load a split of labelled videos; see :func:`rnnedge.data.load_clips`.

    With ``head = "last"`` each labelled segment is a clip, with ``every`` each video, whole, with a label a frame
    (where rows overlap, the later row's); with ``both`` there are both. A video without any row counts as not
    labelled and is left out.
    """
    root, spec, options = Path(path), f"events:{path}", loading.clip
    if not root.is_dir():
        raise InputError(f"data={spec}: is not a folder")
    folder = root / "videos"
    files = {f.relative_to(folder).with_suffix("").as_posix(): f for f in find_videos(folder)}
    if not files:
        raise InputError(f"data={spec}: has no videos in its folder videos")
    rows = read_labels(root / "labels.csv", list(files))
    class_of = loading.gather(sorted({row.label for row in rows}))
    names = list(dict.fromkeys(class_of.values()))
    if options.background and options.head != "last" and options.background not in names:
        names.append(options.background)
    if len(names) < 2:
        raise InputError(f"data={spec}: has one class only ({names[0]}); needs two or more")

    ids = sorted({row.clip for row in rows})
    groups = loading.split(ids, split)
    decoded, skipped = loading.decode({name: files[name] for name in groups})
    clips: list[Clip] = []
    for name, video in decoded.items():
        events = []
        for row in rows:
            if row.clip != name or row.label not in class_of:
                continue
            event = Truth(row.start_ms, row.end_ms, names.index(class_of[row.label]))
            if len(video.ts_ms[event.span(video.ts_ms)]):
                events.append(event)
                continue
            # It lies behind the video's end, or is too short for the model's rate.
            log.warning("skipped %s of %s at %.0f ms: it has no frame", row.label, name, row.start_ms)
            skipped.append(_segment_id(name, event))
        whole = Clip(name, UNLABELLED, video.frames, video.ts_ms, path=str(files[name]), group=groups[name])
        background = names.index(options.background) if options.background in names else UNLABELLED
        if options.head != "every":
            real = [event for event in events if options.head == "last" or event.label != background]
            clips += _segments(whole, video.frames, real, options.lead_ms)
        if options.head != "last":
            clips.append(_labelled(whole, events, background))
    if not clips:
        raise InputError(
            f"data={spec}: split {split!r} has no clips ({len(ids)} videos in all splits, {len(skipped)} skipped)"
        )
    return ClipSet(clips, names, spec, split, options.rate, skipped)


def _segment_id(video: str, event: Truth) -> str:
    return f"{video}/{event.start_ms:.0f}-{event.end_ms:.0f}"


def _segments(video: Clip, frames: CachedFrames, events: list[Truth], lead_ms: float) -> list[Clip]:
    """A clip for each event, from ``lead_ms`` before it."""
    spans = [replace(event, start_ms=event.start_ms - lead_ms).span(video.ts_ms) for event in events]
    return [
        replace(
            video,
            id=_segment_id(video.id, event),
            label=event.label,
            frames=frames.part(span),
            ts_ms=video.ts_ms[span],
            truths=(event,),
        )
        for event, span in zip(events, spans, strict=True)
    ]


def _labelled(video: Clip, events: list[Truth], background: int) -> Clip:
    """The whole video with a label a frame."""
    labels = np.full(len(video), background, np.int64)
    for event in events:
        labels[event.span(video.ts_ms)] = event.label
    truths = merged([event for event in events if event.label != background])
    return replace(video, frame_labels=labels, truths=truths)


def merged(events: Sequence[Truth]) -> tuple[Truth, ...]:
    """Events in order of their start; those of one label that touch or overlap become one."""
    found: list[Truth] = []
    for event in sorted(events, key=lambda e: (e.label, e.start_ms)):
        if found and found[-1].label == event.label and event.start_ms <= found[-1].end_ms:
            last = found.pop()
            event = Truth(last.start_ms, max(last.end_ms, event.end_ms), event.label)
        found.append(event)
    return tuple(sorted(found, key=lambda e: e.start_ms))
