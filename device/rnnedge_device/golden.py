"""Golden inputs: a few real images in a bundle with the outputs each form must give for them."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import BundleError

GOLDEN = "golden.npz"
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Golden:
    """Images and expected raw outputs.

    Args:
        images: `uint8 [N, H, W]` or `[N, H, W, 3]` BGR, as a source would deliver them; of a clip model
            consecutive frames, the first after a reset.
        outputs: by form, `[N, K]` in the dtype of that form's `y`.
    """

    images: NDArray[np.uint8]
    outputs: Mapping[str, NDArray[Any]]

    def to_bytes(self) -> bytes:
        """The `golden.npz` member; equal contents give equal bytes."""
        arrays = {"images": self.images, **{f"y_{form}": y for form, y in self.outputs.items()}}
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(arrays):
                data = io.BytesIO()
                np.lib.format.write_array(data, np.ascontiguousarray(arrays[name]), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), data.getvalue())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Golden":
        """Read a `golden.npz`; no pickles, nothing compressed, no array larger than its member.

        Raises:
            BundleError: anything else, or arrays that do not fit each other.
        """
        try:
            arrays = _arrays(data)
        except BundleError:
            raise
        except (
            zipfile.BadZipFile,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as problem:
            raise BundleError(f"{GOLDEN}: damaged: {problem}") from None
        images = arrays.pop("images", np.empty(0))
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) == 0:
            raise BundleError(f"{GOLDEN}: images {images.dtype} {images.shape}: must be uint8 [N, H, W(, 3)]")
        outputs = {}
        for name, y in arrays.items():
            if not name.startswith("y_") or y.ndim != 2 or len(y) != len(images):
                raise BundleError(f"{GOLDEN}: {name} {y.dtype} {y.shape}: must be y_FORM [{len(images)}, K]")
            outputs[name[2:]] = y
        return cls(images, outputs)


def _arrays(data: bytes) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            name, suffix = info.filename[:-4], info.filename[-4:]
            if suffix != ".npy" or name in found or info.compress_type != zipfile.ZIP_STORED:
                raise BundleError(f"{GOLDEN}: {info.filename!r}: must be a stored .npy, there once")
            if info.file_size > len(data):
                raise BundleError(f"{GOLDEN}: {info.filename!r}: its declared size {info.file_size} is false")
            found[name] = _array(archive.read(info), info.filename)
    return found


def _array(data: bytes, name: str) -> NDArray[Any]:
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise BundleError(f"{GOLDEN}: {name!r}: not an .npy of version 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise BundleError(f"{GOLDEN}: {name!r}: holds Python objects (a pickle): refused")
    count = int(np.prod([int(side) for side in shape], dtype=object)) if shape else 1
    if fortran or any(side < 0 for side in shape) or count * dtype.itemsize != len(data) - stream.tell():
        raise BundleError(f"{GOLDEN}: {name!r}: its shape {shape} of {dtype} does not fit its size")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)
