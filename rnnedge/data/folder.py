"""``folder:PATH``: one sub-folder of images a class."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnnedge.data.dataset import Dataset
from rnnedge.data.split import split_by_hash
from rnnedge_device.errors import InputError, SourceError
from rnnedge_device.images import IMAGE_SUFFIXES, list_images, read_image

VAL, TEST = 0.15, 0.15

# OpenCV decodes a file that was cut off and only warns; these end marks tell.
END_MARKS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND"}

log = logging.getLogger("rnnedge.data")


class ImageFiles(Sequence[np.ndarray]):
    """Image files decoded when asked for, so that a large folder need not fit in memory."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item):  # type: ignore[no-untyped-def]
        if isinstance(item, slice):
            return ImageFiles(self.paths[item])
        return read_image(self.paths[item])


def decodes(path: Path) -> bool:
    """Whether a file is a whole image."""
    try:
        data = path.read_bytes()
        cut_off = any(data.startswith(start) and end not in data[-1024:] for start, end in END_MARKS.items())
        return not cut_off and read_image(path) is not None
    except (SourceError, OSError):
        return False


def load_folder(
    path: str | Path, split: str = "train", *, group: str | None = None, strict: bool = False
) -> Dataset:
    """Load a split of a folder of class sub-folders; see :func:`rnnedge.data.load_data`.

    Class names are the sub-folders' names in sorted order. The split follows each file's relative path (or
    its group), so that files added later do not move the others.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"data=folder:{path}: is not a folder")
    files = {
        d.name: list_images(d) for d in sorted(root.iterdir()) if d.is_dir() and not d.name.startswith(".")
    }
    files = {name: found for name, found in files.items() if found}
    if not files:
        raise InputError(
            f"data=folder:{path}: has no class sub-folder with images ({', '.join(IMAGE_SUFFIXES)})"
        )
    if len(files) < 2:
        raise InputError(
            f"data=folder:{path}: has images of one class only ({next(iter(files))}); needs two or more"
        )

    names = list(files)
    paths = [(file, label) for label, name in enumerate(names) for file in files[name]]
    ids = [file.relative_to(root).as_posix() for file, _ in paths]
    chosen = split_by_hash(ids, split, val=VAL, test=TEST, group=group)
    good, skipped = [], []
    for index in chosen:
        if decodes(paths[index][0]):
            good.append(index)
            continue
        if strict:
            raise InputError(f"{paths[index][0]}: cannot be decoded as an image")
        log.warning("skipped %s: cannot be decoded as an image", paths[index][0])
        skipped.append(ids[index])
    if not good:
        raise InputError(
            f"data=folder:{path}: split {split!r} has no images "
            f"({len(ids)} files in all splits, {len(skipped)} damaged here)"
        )
    return Dataset(
        ImageFiles([paths[i][0] for i in good]),
        np.array([paths[i][1] for i in good], np.int64),
        names,
        [ids[i] for i in good],
        f"folder:{path}",
        split,
        skipped,
    )
