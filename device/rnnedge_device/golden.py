"""Golden inputs: a few real images in a bundle with the outputs each form must give for them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.fields import is_count
from rnnedge_device.vocabulary import SPECIALS, START

if TYPE_CHECKING:
    from rnnedge_device.captioner import Captioner

GOLDEN = "golden.npz"
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Golden:
    """Images and expected raw outputs.

    In `golden.npz` they are `images`, `y_FORM` for each form, and of a caption model `tokens`.

    Args:
        images: `uint8 [N, H, W]` or `[N, H, W, 3]` BGR, as a source would deliver them; of a clip model
            consecutive frames, the first after a reset.
        outputs: by form, `[N, K]` in the dtype of that form's `y`. Of a caption model, `encode` is the
            form's first output, an image a row, `[N, F]`; `decode` the logits along the image's `tokens`,
            `[N, T * K]`: K for `START` alone, K for `START` and the first token, and so on; never the last.
        tokens: of a caption model, `int32 [N, T]`, the ids the decoder is led along; else None.
    """

    images: NDArray[np.uint8]
    outputs: Mapping[str, NDArray[Any]]
    tokens: NDArray[np.int32] | None = None

    def to_bytes(self) -> bytes:
        """The `golden.npz` member; equal contents give equal bytes."""
        arrays = {"images": self.images, **{f"y_{form}": y for form, y in self.outputs.items()}}
        if self.tokens is not None:
            arrays["tokens"] = self.tokens
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(arrays):
                data = io.BytesIO()
                np.lib.format.write_array(data, np.ascontiguousarray(arrays[name]), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), data.getvalue())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Golden:
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
        tokens = arrays.pop("tokens", None)
        outputs = {}
        for name, y in arrays.items():
            if not name.startswith("y_") or y.ndim != 2 or len(y) != len(images):
                raise BundleError(f"{GOLDEN}: {name} {y.dtype} {y.shape}: must be y_FORM [{len(images)}, K]")
            outputs[name[2:]] = y
        if tokens is not None or "decode" in outputs:
            _check_tokens(tokens, outputs, len(images))
        return cls(images, outputs, tokens)


def golden_captions(captioner: Captioner, images: NDArray[np.uint8], length: int) -> Golden:
    """Golden inputs of a caption model: `encode` and `decode` for each image, as this captioner computes them.

    The decoder is led along its own likeliest words; the marks are left out, `END` too, so that every image
    has as many.

    Args:
        images: `uint8 [N, H, W]` or `[N, H, W, 3]` BGR, at least one.
        length: T, words an image.

    Raises:
        InputError: no images, a length that is no whole number above zero, or a vocabulary without words.
    """
    if not is_count(length) or not len(images):
        raise InputError(
            f"length = {length!r}, {len(images)} images: must be whole and at least one, of both"
        )
    if len(captioner.vocabulary) <= len(SPECIALS):
        raise InputError(f"vocabulary of {len(captioner.vocabulary)} words: must have one beside the marks")
    first = captioner.forms[0].outputs[0].name
    tokens = np.zeros((len(images), length), np.int32)
    encoded, decoded = [], []
    for image, ids in zip(images, tokens, strict=True):
        start = captioner.encode(image)
        encoded.append(start[first].ravel())
        rows, state, token = [], start, START
        for place in range(length):
            row, state, _ = captioner.feed(token, state)
            token = ids[place] = len(SPECIALS) + int(row[len(SPECIALS) :].argmax())
            rows.append(row)
        decoded.append(np.concatenate(rows))
    return Golden(images, {"encode": np.stack(encoded), "decode": np.stack(decoded)}, tokens)


def _check_tokens(tokens: NDArray[Any] | None, outputs: Mapping[str, NDArray[Any]], images: int) -> None:
    if tokens is None or "decode" not in outputs:
        raise BundleError(f"{GOLDEN}: must have tokens and y_decode, or neither")
    if tokens.dtype != np.int32 or tokens.ndim != 2 or len(tokens) != images or not tokens.shape[1]:
        raise BundleError(f"{GOLDEN}: tokens {tokens.dtype} {tokens.shape}: must be int32 [{images}, T]")
    words, rest = divmod(outputs["decode"].shape[1], tokens.shape[1])
    if rest or tokens.min() < 0 or tokens.max() >= words:
        raise BundleError(
            f"{GOLDEN}: tokens {tokens.shape} {tokens.min()} to {tokens.max()}, y_decode "
            f"{outputs['decode'].shape}: must be ids below K and [N, T * K]"
        )


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
