"""What every set of videos shares: finding them, gathering labels into classes, splitting, decoding."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnedge.data.clips import ClipOptions
from rnnedge.data.folder import TEST, VAL
from rnnedge.data.frame_cache import CachedVideo, cache_videos
from rnnedge.data.split import group_keys, split_by_fold, split_by_hash
from rnnedge_device.errors import InputError
from rnnedge_device.images import IMAGE_SUFFIXES
from rnnedge_device.preprocess import Preprocess

VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ogv", ".y4m")


@dataclass(frozen=True)
class VideoLoading:
    """How a set of videos is loaded; the arguments of :func:`rnnedge.data.load_clips`."""

    preprocess: Preprocess
    clip: ClipOptions
    group: str | None = None
    classes: Mapping[str, Sequence[str]] | None = None
    fold: int = -1
    folds: int = 0
    strict: bool = False
    cache: Path | None = None
    workers: int = 2

    def gather(self, labels: Sequence[str]) -> dict[str, str]:
        """The class of each label that has one, in the order of the classes; ``labels`` are all that occur.

        Raises:
            InputError: a class without labels, a label that does not occur or that two classes name.
        """
        if not self.classes:
            return {label: label for label in sorted(labels)}
        found: dict[str, str] = {}
        for name, members in self.classes.items():
            if not members:
                raise InputError(f"classes: {name} gathers no label; allowed: {', '.join(labels)}")
            for label in members:
                if label not in labels:
                    raise InputError(
                        f"classes: {name}: no label {label!r} occurs; allowed: {', '.join(labels)}"
                    )
                if label in found:
                    raise InputError(f"classes: {label!r} is gathered by both {found[label]} and {name}")
                found[label] = name
        return found

    def split(self, ids: Sequence[str], split: str) -> dict[str, str]:
        """The videos of a split with the group of each."""
        if self.fold < 0:
            chosen = split_by_hash(ids, split, val=VAL, test=TEST, group=self.group)
        else:
            chosen = split_by_fold(ids, split, fold=self.fold, folds=self.folds, group=self.group)
        keys = group_keys(ids, self.group)
        return {ids[i]: keys[i] for i in chosen}

    def decode(self, videos: Mapping[str, Path]) -> tuple[dict[str, CachedVideo], list[str]]:
        """The videos by name through the frame cache, and the names of the damaged ones."""
        return cache_videos(
            videos, self.preprocess, self.clip, cache=self.cache, workers=self.workers, strict=self.strict
        )


def find_videos(root: Path) -> list[Path]:
    """Every video file below ``root``, and every folder below it that holds pictures, sorted by relative path.

    Hidden files and folders are left out, and pictures that lie beside videos.
    """
    found = []
    for name, folders, files in os.walk(root):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        folder = Path(name)
        paths = [folder / file for file in files if not file.startswith(".")]
        videos = [path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES]
        found += videos
        if not videos and folder != root and any(path.suffix.lower() in IMAGE_SUFFIXES for path in paths):
            found.append(folder)
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())
