"""Image files: which they are, and how they become frames."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import SourceError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """An image file as a frame, `uint8 [H, W, 3]` BGR, turned upright by its EXIF orientation.

    Raises:
        SourceError: the file is missing or cannot be decoded.
    """
    try:
        # Through memory: cv2.imread complains on stderr and does not say why.
        image: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except OSError as problem:
        raise SourceError(f"image {os.fspath(path)!r}: {problem.strerror or problem}") from None
    except cv2.error:  # an empty file, or sides beyond OpenCV's limits
        image = None
    if image is None:
        raise SourceError(
            f"image {os.fspath(path)!r}: cannot be decoded; readable: {', '.join(IMAGE_SUFFIXES)}"
        )
    return image


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Every image file in `folder` and below, sorted by relative path; hidden files are left out."""
    root = Path(folder)
    found = {}
    for path in root.rglob("*"):
        name = path.relative_to(root)
        hidden = any(part.startswith(".") for part in name.parts)
        if not hidden and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            found[name.as_posix()] = path
    return [found[name] for name in sorted(found)]
