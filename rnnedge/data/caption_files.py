"""Captioned photos in folders: Flickr8k's and COCO's official layouts, and a plain ``captions.csv``.

Photos and sentences are joined by the photo's name only, never by the order of lines or files.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from rnnedge.data.captions import CaptionSet
from rnnedge.data.folder import END_MARKS, TEST, VAL, ImageFiles
from rnnedge.data.split import MissingSplitError, check_split, split_by_hash
from rnnedge_device.errors import InputError

FLICKR_PHOTOS = ("Flicker8k_Dataset", "Flickr8k_Dataset")
FLICKR_SPLITS = {"train": "train", "val": "dev", "test": "test"}
COCO_YEARS = (2017, 2014)
COLUMNS = ("image", "caption")

log = logging.getLogger("rnnedge.data")


@dataclass(frozen=True)
class Row:
    """A sentence of a caption file: the name of its photo, its text as written, its file and line."""

    photo: str
    caption: str
    where: str


def load_flickr8k(path: str | Path, split: str = "train", *, strict: bool = False) -> CaptionSet:
    """Load an official split of a Flickr8k folder; see :func:`rnnedge.data.captions.load_captions`.

    ``all`` is every official split whose list is there.
    """
    check_split(split)
    spec, root = f"flickr8k:{path}", _folder("flickr8k", path)
    folder = next((root / name for name in FLICKR_PHOTOS if (root / name).is_dir()), None)
    if folder is None:
        raise InputError(f"data={spec}: has no folder {' or '.join(FLICKR_PHOTOS)}")
    texts = root / "Flickr8k_text"
    names = _flickr_names(texts, split)
    rows = _flickr_rows(texts / "Flickr8k.token.txt")
    return _join(spec, split, {name: folder / name for name in names}, rows, strict)


def load_coco_captions(path: str | Path, split: str = "train", *, strict: bool = False) -> CaptionSet:
    """Load a split of a COCO folder, 2017 or 2014; see :func:`rnnedge.data.captions.load_captions`.

    COCO keeps its test captions to itself: the official val is halved, by a hash of each photo's name, into ``val``
    and ``test``. ``all`` is every official part whose captions are there.
    """
    check_split(split)
    spec, root = f"coco_captions:{path}", _folder("coco_captions", path)
    texts = root / "annotations"
    # One year for every split: what is train in one year is val in the other.
    year = next((y for y in COCO_YEARS if any(texts.glob(f"captions_*{y}.json"))), COCO_YEARS[0])
    files = {part: texts / f"captions_{part}{year}.json" for part in ("train", "val")}
    parts = ["train" if split == "train" else "val"]
    if split == "all":
        parts = [part for part in files if files[part].is_file()] or list(files)
    photos: dict[str, Path] = {}
    rows: list[Row] = []
    for part in parts:
        names, found = _read_coco(files[part])
        if split in ("val", "test"):
            names = [names[i] for i in split_by_hash(names, split, val=0.5, test=0.5)]
        photos |= {name: root / f"{part}{year}" / name for name in names}
        rows += found
    return _join(spec, split, photos, rows, strict)


def load_caption_csv(path: str | Path, split: str = "train", *, strict: bool = False) -> CaptionSet:
    """Load a split of a folder with ``captions.csv``; see :func:`rnnedge.data.captions.load_captions`.

    Its header names the columns ``image`` (a path inside the folder) and ``caption``; a photo may have several rows.
    The split follows each photo's path, so that photos added later do not move the others.
    """
    check_split(split)
    spec, root = f"captions:{path}", _folder("captions", path)
    rows = _read_csv(root / "captions.csv")
    names = sorted({row.photo for row in rows})
    chosen = [names[i] for i in split_by_hash(names, split, val=VAL, test=TEST)]
    return _join(spec, split, {name: root / name for name in chosen}, rows, strict)


def looks_whole(path: Path) -> bool:
    """Whether a file begins as an image that can be read and ends as one; it is not decoded."""
    try:
        with path.open("rb") as file:
            begin = file.read(8)
            file.seek(max(0, path.stat().st_size - 1024))
            tail = file.read()
    except OSError:
        return False
    cut_off = any(begin.startswith(start) and end not in tail for start, end in END_MARKS.items())
    return bool(begin) and not cut_off and cv2.haveImageReader(str(path))


def _join(spec: str, split: str, photos: dict[str, Path], rows: Iterable[Row], strict: bool) -> CaptionSet:
    """The photos that are there, in order of their names, each with its sentences in order of the rows."""
    captions: dict[str, list[str]] = {name: [] for name in photos}
    left_out: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.photo in captions and row.caption.strip():
            captions[row.photo].append(row.caption.strip())
        elif row.photo in captions:
            left_out["empty caption"].append(f"{row.where} ({row.photo})")
    names: list[str] = []
    for name in sorted(photos):
        if not photos[name].is_file():
            left_out["missing photo"].append(str(photos[name]))
        elif not looks_whole(photos[name]):
            left_out["damaged photo"].append(str(photos[name]))
        elif not captions[name]:
            left_out["photo without a caption"].append(str(photos[name]))
        else:
            names.append(name)
    for what, where in left_out.items():
        if strict:
            raise InputError(f"data={spec}: {what}: {len(where)} of them, first {where[0]}")
        log.warning("skipped %d of %s, first %s", len(where), what, where[0])
    skipped = tuple(f"{what}: {where}" for what in left_out for where in left_out[what])
    if not names:
        problem = InputError if photos else MissingSplitError
        raise problem(
            f"data={spec}: split {split!r} has no photos with captions ({len(photos)} listed"
            f"{f', {len(skipped)} photos and captions skipped, first {skipped[0]}' if skipped else ''})"
        )
    return CaptionSet(
        ImageFiles([photos[name] for name in names]),
        [tuple(captions[name]) for name in names],
        names,
        spec,
        split,
        skipped,
    )


def _folder(kind: str, path: str | Path) -> Path:
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"data={kind}:{path}: is not a folder")
    return root


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as text in UTF-8: {error}") from None


def _flickr_names(texts: Path, split: str) -> set[str]:
    """The photos of an official split."""
    files = {part: texts / f"Flickr_8k.{name}Images.txt" for part, name in FLICKR_SPLITS.items()}
    lists = [file for file in files.values() if file.is_file()] if split == "all" else [files[split]]
    if split != "all" and not files[split].is_file():
        raise MissingSplitError(f"{files[split]}: there is no such file")
    return {line.strip() for file in lists or files.values() for line in _read(file).split("\n")} - {""}


def _flickr_rows(file: Path) -> list[Row]:
    """The lines ``NAME.jpg#NUMBER<TAB>caption``, in order of names and numbers."""
    found: dict[tuple[str, int], Row] = {}
    for number, line in enumerate(_read(file).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{file}: line {number}"
        key, tab, caption = line.partition("\t")
        name, _, order = key.rpartition("#")
        if not (tab and name and order.isdecimal()):
            raise InputError(f"{where}: {line[:60]!r}: must be NAME.jpg#NUMBER, a tab and a caption")
        if (name, int(order)) in found:
            raise InputError(f"{where}: {key} is there twice")
        found[name, int(order)] = Row(name, caption, where)
    return [found[key] for key in sorted(found)]


def _read_coco(file: Path) -> tuple[list[str], list[Row]]:
    """The photos' names and, in order of their numbers, the sentences of a COCO caption file."""
    text = _read(file)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError(f"{file}: is not JSON: {error}") from None
    names = {
        entry["id"]: entry["file_name"]
        for _, entry in _entries(content, file, "images", {"id": int, "file_name": str})
    }
    rows: list[tuple[int, Row]] = []
    kinds = {"id": int, "image_id": int, "caption": str}
    for where, entry in _entries(content, file, "annotations", kinds):
        if entry["image_id"] not in names:
            raise InputError(f"{where}: image_id={entry['image_id']}: there is no such entry in images")
        rows.append((entry["id"], Row(names[entry["image_id"]], entry["caption"], where)))
    rows.sort(key=lambda row: row[0])
    return sorted(names.values()), [row for _, row in rows]


def _entries(
    content: Any, file: Path, key: str, kinds: dict[str, type]
) -> Iterable[tuple[str, dict[str, Any]]]:
    """The entries of one list of a COCO file, each checked and with its place."""
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{file}: has no list {key!r}")
    for number, entry in enumerate(entries):
        where = f"{file}: {key}[{number}]"
        for name, kind in kinds.items():
            if not isinstance(entry, dict) or not isinstance(entry.get(name), kind):
                raise InputError(f"{where}: {name} must be {'a number' if kind is int else 'a text'}")
        yield where, entry


def _read_csv(file: Path) -> list[Row]:
    """The rows of a ``captions.csv``; further columns are ignored."""
    reader = csv.DictReader(io.StringIO(_read(file)), strict=True)
    rows: list[Row] = []
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise InputError(
                f"{file}: line 1: has no column {', '.join(missing)}; needs {', '.join(COLUMNS)}"
            )
        for cells in reader:
            where = f"{file}: line {reader.line_num}"
            if None in cells:
                raise InputError(
                    f"{where}: has more cells than the header; quote a caption that holds a comma"
                )
            photo, caption = (cells[name] for name in COLUMNS)
            if not photo or not photo.strip() or caption is None:
                raise InputError(f"{where}: must have an image and a caption")
            # "./a.jpg" and "a.jpg" are one photo, which must not lie in two splits.
            rows.append(Row(Path(photo.strip()).as_posix(), caption, where))
    except csv.Error as error:
        raise InputError(f"{file}: line {reader.reader.line_num}: cannot be read as CSV: {error}") from None
    return rows
