"""``folder:PATH``: one sub-folder of images a class."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rnnedge.data.dataset import Dataset
from rnnedge.data.split import split_by_hash
from rnnedge_device.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
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
        image = read_image(self.paths[item])
        if image is None:
            raise InputError(f"{self.paths[item]}: could be decoded when the folder was read, and no longer can")
        return image


def read_image(path: Path) -> np.ndarray | None:
    """Decode a file to uint8 ``[H, W, 3]`` BGR, or None where it is damaged or not an image."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    for start, end in END_MARKS.items():
        if data.startswith(start) and end not in data[-1024:]:
            return None
    if not data:
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None


def load_folder(
    path: str | Path, split: str = "train", *, group: str | None = None, strict: bool = False
) -> Dataset:
    """Load a split of a folder of class sub-folders; see :func:`rnnedge.data.load_data`.

    Class names are the sub-folders' names in sorted order. The split follows each file's relative path (or its group),
    so that files added later do not move the others.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"data=folder:{path}: is not a folder")
    files = {d.name: _images_in(d) for d in sorted(root.iterdir()) if d.is_dir() and not d.name.startswith(".")}
    files = {name: found for name, found in files.items() if found}
    if not files:
        raise InputError(f"data=folder:{path}: has no class sub-folder with images ({', '.join(SUFFIXES)})")
    if len(files) < 2:
        raise InputError(f"data=folder:{path}: has images of one class only ({next(iter(files))}); needs two or more")

    names = list(files)
    paths = [(file, label) for label, name in enumerate(names) for file in files[name]]
    ids = [file.relative_to(root).as_posix() for file, _ in paths]
    chosen = split_by_hash(ids, split, val=VAL, test=TEST, group=group)
    good, skipped = [], []
    for index in chosen:
        if read_image(paths[index][0]) is not None:
            good.append(index)
            continue
        if strict:
            raise InputError(f"{paths[index][0]}: cannot be decoded as an image")
        log.warning("skipped %s: cannot be decoded as an image", paths[index][0])
        skipped.append(ids[index])
    if not good:
        raise InputError(
            f"data=folder:{path}: split {split!r} has no images ({len(ids)} files in all, {len(skipped)} damaged)"
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


def _images_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
