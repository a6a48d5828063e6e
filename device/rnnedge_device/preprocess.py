"""From a frame to the model's input: the one preprocessing, used in training and on the device alike."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import InputError
from rnnedge_device.fields import Fields, is_count, is_number
from rnnedge_device.foreground import CHANNELS, Foreground, Room

COLORS = ("gray", "rgb")
FITS = ("stretch", "pad", "crop")


@dataclass(frozen=True)
class Preprocess:
    """Frame `uint8 [H, W]` (grey) or `[H, W, 3]` (BGR, as OpenCV delivers) → `float32 [h, w, C]`.

    The steps: colour, fit, size, equalisation, inversion, then `(pixel · scale − mean) / std` for each
    channel.

    Args:
        size: (h, w) of the result in pixels.
        color: `gray` (C = 1) or `rgb` (C = 3, in R, G, B order).
        fit: `stretch` to the size; `pad` keeps the proportions and fills up with zero pixels; `crop`
            keeps the proportions and cuts off what sticks out, both centred.
        scale: factor on the pixel value 0..255.
        mean, std: empty, one value, or one a channel (R, G, B order); applied after `scale`.
        invert: take 255 − pixel (dark ink on light paper for a model of light on dark). The border
            that `pad` adds is zero *after* inversion.
        equalize: spread the grey values of the resized frame over 0..255 (histogram equalisation), for
            scenes of changing light; `gray` only. The border that `pad` adds does not count.
        foreground: in place of the grey picture what has come into the room and what moves (C = 2), for a
            camera that does not move; `gray` only, None for the picture. It depends on the frames before: see
            `view`.

    Raises:
        InputError: an argument out of its range.

    Example:
        Preprocess((28, 28))(cv2.imread("digit.png")).shape  # (28, 28, 1)
    """

    size: tuple[int, int]
    color: str = "gray"
    fit: str = "stretch"
    scale: float = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    invert: bool = False
    equalize: bool = False
    foreground: Foreground | None = None

    def __post_init__(self) -> None:
        for name in ("size", "mean", "std"):
            value = getattr(self, name)
            # Lists are welcome (JSON, TOML have no tuples); the object itself stays hashable.
            object.__setattr__(self, name, tuple(value) if isinstance(value, (list, tuple)) else (value,))
        if len(self.size) != 2 or not all(is_count(side) for side in self.size):
            raise InputError(f"preprocess: size = {self.size!r}: must be (height, width), whole, above zero")
        if self.color not in COLORS:
            raise InputError(f"preprocess: color = {self.color!r}: must be one of {', '.join(COLORS)}")
        if self.fit not in FITS:
            raise InputError(f"preprocess: fit = {self.fit!r}: must be one of {', '.join(FITS)}")
        if not is_number(self.scale) or self.scale == 0:
            raise InputError(f"preprocess: scale = {self.scale!r}: must be a number other than zero")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) not in {0, 1, self.channels} or not all(map(is_number, values)):
                raise InputError(
                    f"preprocess: {name} = {values!r}: must be empty, one number, or one for each of "
                    f"the {self.channels} channels"
                )
        if any(value <= 0 for value in self.std):
            raise InputError(f"preprocess: std = {self.std!r}: must be above zero")
        for name in ("invert", "equalize"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"preprocess: {name} = {getattr(self, name)!r}: must be true or false")
        if self.equalize and self.color != "gray":
            raise InputError(f"preprocess: equalize = True: must be false where color is {self.color!r}")
        if self.foreground and (self.color != "gray" or self.invert):
            raise InputError(
                f"preprocess: foreground: color = {self.color!r}, invert = {self.invert}: must be gray and false"
            )

    @property
    def channels(self) -> int:
        """C of the result: 1 for gray, 3 for rgb, 2 for a foreground."""
        if self.foreground:
            return CHANNELS
        return 1 if self.color == "gray" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, C) of the result."""
        return (*self.size, self.channels)

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """`float32 [256, C]`: the model's input for each pixel value.

        There are only 256 pixel values, so scale, mean and std are one look-up, the same bits on every
        machine; a device with int8 input quantises the table once instead of every frame.
        """
        values: Any = np.arange(256, dtype=np.float32)[:, None] * np.float32(self.scale)
        values = values - np.asarray(self.mean or 0, np.float32)
        values = values / np.asarray(self.std or 1, np.float32)
        return np.ascontiguousarray(np.broadcast_to(values, (256, self.channels)), dtype=np.float32)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`float32 [h, w, C]` of one frame.

        Raises:
            InputError: `image` is not uint8 `[H, W]` or `[H, W, 3]`, or is empty.
        """
        result: NDArray[np.float32] = self.look_up(self.pixels(image), self.table)
        return result

    def look_up(self, pixels: NDArray[np.uint8], table: NDArray[Any]) -> NDArray[Any]:
        """`table [256, C]` applied to `pixels [..., w, C]`; the result has the table's dtype."""
        rows = pixels.reshape(-1, *pixels.shape[-2:])
        found: NDArray[Any] = cv2.LUT(rows, table.reshape(256, 1, self.channels)).reshape(pixels.shape)
        return found

    def pixels(self, image: Any) -> NDArray[np.uint8]:
        """A frame as `uint8 [h, w, C]`: all but scale, mean and std, the values still pixels.

        Raises:
            InputError: `image` is not uint8 `[H, W]` or `[H, W, 3]`, or is empty; or there is a foreground, which
                no frame shows by itself.
        """
        if self.foreground:
            raise InputError("preprocess: foreground: is for frames of one camera in their order, see view()")
        return self._picture(image, self.size).reshape(self.shape)

    def view(self, stride: int = 1) -> "View":
        """The frames of one camera in their order, with what of them is remembered; see `View`."""
        return View(self, stride)

    def _picture(self, image: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
        """A frame as `uint8 [*size]` or `[*size, 3]`: colour, fit, size, tone."""
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            raise InputError(f"image: {getattr(image, 'dtype', type(image).__name__)}: must be a uint8 array")
        if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or 0 in image.shape:
            raise InputError(f"image: shape {image.shape}: must be [H, W] or [H, W, 3], not empty")
        # Colour first when it makes less to resize, last when it would make more.
        if image.ndim == 3:
            code = cv2.COLOR_BGR2GRAY if self.color == "gray" else cv2.COLOR_BGR2RGB
            image = cv2.cvtColor(image, code)
        image = self._fitted(image, size) if image.shape[:2] != size else self._toned(image)
        if image.ndim == 2 and self.color == "rgb":
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        return np.ascontiguousarray(image)

    def _fitted(self, image: Any, size: tuple[int, int]) -> Any:
        (rows, columns), (h, w) = image.shape[:2], size
        if self.fit == "crop":
            # The largest centred window with the proportions of the result.
            keep_h = min(rows, max(1, round(columns * h / w)))
            keep_w = min(columns, max(1, round(rows * w / h)))
            top, left = (rows - keep_h) // 2, (columns - keep_w) // 2
            image = image[top : top + keep_h, left : left + keep_w]
        inner_h, inner_w = h, w
        if self.fit == "pad":
            factor = min(h / rows, w / columns)
            inner_h, inner_w = (
                min(h, max(1, round(rows * factor))),
                min(w, max(1, round(columns * factor))),
            )
        image = self._toned(_resized(image, inner_h, inner_w))
        if (inner_h, inner_w) != (h, w):
            top, left = (h - inner_h) // 2, (w - inner_w) // 2
            image = cv2.copyMakeBorder(
                image, top, h - inner_h - top, left, w - inner_w - left, cv2.BORDER_CONSTANT, value=0
            )
        return image

    def _toned(self, image: Any) -> Any:
        if self.equalize:
            image = cv2.equalizeHist(image)
        return cv2.bitwise_not(image) if self.invert else image

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object with every parameter."""
        return {
            "size": list(self.size),
            "color": self.color,
            "fit": self.fit,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
            "invert": self.invert,
            "equalize": self.equalize,
            **({"foreground": self.foreground.to_dict()} if self.foreground else {}),
        }

    @classmethod
    def from_dict(
        cls, data: Any, where: str = "preprocess", error: type[InputError] = InputError
    ) -> "Preprocess":
        """What `to_dict` wrote, checked; only `size` is required.

        Raises:
            InputError (or `error`): an unknown key, or a value out of its range.
        """
        fields = Fields(data, where, error)
        found: dict[str, Any] = {
            "size": fields.list_of("size", is_count, "two whole numbers above zero"),
            "color": fields.text("color", "gray", COLORS),
            "fit": fields.text("fit", "stretch", FITS),
            "scale": fields.number("scale", 1 / 255),
            "mean": fields.list_of("mean", is_number, "numbers", ()),
            "std": fields.list_of("std", is_number, "numbers", ()),
            "invert": fields.flag("invert", False),
            "equalize": fields.flag("equalize", False),
        }
        given = fields.raw("foreground", None)
        if given is not None:
            found["foreground"] = Foreground.from_dict(given, f"{where}: foreground", error)
        fields.done()
        try:
            return cls(**found)
        except InputError as problem:
            raise error(f"{where}: {problem}") from None


class View:
    """One camera's frames as a model's pixels: what `Preprocess.pixels` gives, and where there is a foreground, the
    room that they are seen against.

    Args:
        preprocess: size, colour and foreground.
        stride: see `Room`.
    """

    def __init__(self, preprocess: Preprocess, stride: int = 1) -> None:
        self._preprocess = preprocess
        self._room = Room(preprocess.foreground, stride) if preprocess.foreground else None

    def reset(self) -> None:
        """The next frame has none before it."""
        if self._room:
            self._room.reset()

    def pause(self) -> None:
        """Frames are missing before the next one; what was learned of the room stays."""
        if self._room:
            self._room.pause()

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The camera's next frame as `float32 [h, w, C]`."""
        found: NDArray[np.float32] = self._preprocess.look_up(self.pixels(image), self._preprocess.table)
        return found

    def pixels(self, image: Any, step: bool = True) -> NDArray[np.uint8]:
        """The camera's next frame as `uint8 [h, w, C]`.

        Args:
            step: a model frame; of those between, only a foreground wants to know.

        Raises:
            InputError: as `Preprocess.pixels`.
        """
        preprocess, spec = self._preprocess, self._preprocess.foreground
        if self._room is None or spec is None:
            return preprocess.pixels(image)
        h, w = preprocess.size
        return self._room.look(preprocess._picture(image, (h * spec.detail, w * spec.detail)), step)


def _resized(image: Any, h: int, w: int) -> Any:
    rows, columns = image.shape[:2]
    if (rows, columns) == (h, w):
        return image
    # Averaging keeps thin strokes when shrinking; it is blocky when enlarging.
    shrinks = h * w < rows * columns
    return cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
