"""``CaptionSet``: images with their reference sentences, and one door to every set of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnedge.data.dataset import Selection
from rnnedge.data.scenes import Scene
from rnnedge.data.split import check_split
from rnnedge_device.errors import InputError

NAMES = ("shapes", "flickr8k:PATH", "coco_captions:PATH", "captions:PATH")


@dataclass(frozen=True)
class CaptionSet:
    """Images with sentences that describe them.

    Attributes:
        images: N images, each uint8 ``[H, W, 3]`` BGR, decoded or drawn when indexed; sizes may differ. A file
            that cannot be decoded raises :class:`SourceError`.
        captions: the reference sentences of each image as they were written, one or more.
        ids: N stable names of the images.
        name: what was loaded, for reports: ``flickr8k:/data/flickr8k``.
        split: ``train``, ``val``, ``test`` or ``all``.
        skipped: what was left out, each with its reason: photos and captions.
        scenes: what each image shows, for ``shapes``; else empty.
    """

    images: Sequence[NDArray[np.uint8]]
    captions: list[tuple[str, ...]]
    ids: list[str]
    name: str
    split: str
    skipped: tuple[str, ...] = ()
    scenes: tuple[Scene, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not go together here, once for every loader."""
        counts = [len(self.images), len(self.captions), len(self.ids)]
        if len(set(counts)) > 1 or (self.scenes and len(self.scenes) != counts[0]):
            raise InputError(
                f"{self.name}: {counts[0]} images, {counts[1]} captions, {counts[2]} ids and {len(self.scenes)} "
                "scenes; must be equal (or no scenes)"
            )
        for name, sentences in zip(self.ids, self.captions, strict=True):
            if isinstance(sentences, str) or not sentences or not all(s.strip() for s in sentences):
                raise InputError(
                    f"{self.name}: {name}: captions are {sentences!r}; must be sentences, none empty"
                )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: NDArray[np.int64] | Sequence[int]) -> CaptionSet:
        """The images at ``indices`` in that order, as a set of its own."""
        index = np.asarray(indices, np.int64)
        return CaptionSet(
            Selection(self.images, index),
            [self.captions[i] for i in index],
            [self.ids[i] for i in index],
            self.name,
            self.split,
            self.skipped,
            tuple(self.scenes[i] for i in index) if self.scenes else (),
        )


def load_captions(spec: str, split: str = "train", *, strict: bool = False) -> CaptionSet:
    """Load a set of captioned images by its name.

    Args:
        spec: ``shapes`` (drawn when asked for, no download), ``flickr8k:PATH`` or ``coco_captions:PATH`` (their
            official folders), or ``captions:PATH`` (a folder with ``captions.csv``: image, caption).
        split: ``train``, ``val``, ``test`` or ``all``. No image lies in two of the first three.
        strict: stop at a photo that is missing or no image and at an empty caption, instead of skipping it with
            a count.

    Raises:
        MissingSplitError: the set has no such split.
        InputError: unknown name, missing file, a line that cannot be understood, or nothing left.
    """
    check_split(split)
    name, _, path = spec.partition(":")
    if spec == "shapes":
        from rnnedge.data.shapes import load_shapes

        return load_shapes(split)
    if name not in ("flickr8k", "coco_captions", "captions"):
        raise InputError(f"data={spec!r}: must be one of {', '.join(NAMES)}")
    if not path:
        raise InputError(f"data={spec!r}: a folder needs its path, as in {name}:/data/{name}")
    from rnnedge.data.caption_files import load_caption_csv, load_coco_captions, load_flickr8k

    loaders = {"flickr8k": load_flickr8k, "coco_captions": load_coco_captions, "captions": load_caption_csv}
    return loaders[name](path, split, strict=strict)
