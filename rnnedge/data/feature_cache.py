"""What an encoder that does not learn gives for a set of images, computed once and kept in the cache folder.

The file's name follows the encoder's structure and weights and every pixel that it is shown, so that a change of any of
them computes anew. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rnnedge.data.caption_batches import ImageInputs
from rnnedge.data.captions import CaptionSet
from rnnedge.data.frame_cache import default_cache
from rnnedge_device.files import atomic_path
from rnnedge_device.preprocess import Preprocess

_AT_ONCE = 32


def cached_grids(
    encoder: Any, captions: CaptionSet, preprocess: Preprocess, *, mirrored: bool = False, threads: int = 1
) -> np.ndarray:
    """The encoder's grids, float16 ``[N, rows, columns, C]``, read from the disk as they are needed.

    Args:
        encoder: a Keras model, float32 ``[B, h, w, c]`` to ``[B, rows, columns, C]``.
        mirrored: of the images' mirror images, left for right.
        threads: so many batches are computed at once.
    """
    inputs = ImageInputs(captions, preprocess)
    file = default_cache() / f"features-{_key(encoder, inputs, preprocess)}{'-mirrored' * mirrored}.npy"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as temporary:
            shape = (len(inputs), *encoder.output_shape[1:])
            grids = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)

            def fill(rows: slice) -> None:
                x = inputs[rows][:, :, ::-1] if mirrored else inputs[rows]
                grids[rows] = np.asarray(encoder.predict_on_batch(x))

            first, *rest = _slices(len(inputs))
            fill(first)  # by itself, for with it Keras makes the function that all share
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(fill, rest))
            grids.flush()
            del grids
    return np.load(file, mmap_mode="r")


def _slices(count: int) -> list[slice]:
    return [slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE)]


def _key(encoder: Any, inputs: ImageInputs, preprocess: Preprocess) -> str:
    digest = hashlib.sha256()
    digest.update(encoder.to_json().encode())
    for array in encoder.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(preprocess.table.tobytes())
    for rows in _slices(len(inputs)):
        digest.update(inputs.pixels(rows).tobytes())
    return digest.hexdigest()[:24]
