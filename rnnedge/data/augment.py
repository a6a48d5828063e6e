"""Random changes of a training image: shift, rotate, scale, shear, brightness, contrast, blur, a part erased."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np

from rnnedge_device.errors import InputError

BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
}
LIMITS = {
    "shift": (1, "share of the image's side"),
    "rotate": (180, "degrees"),
    "scale": (0.9, "share"),
    "shear": (0.9, "share"),
    "brightness": (1, "share of 255"),
    "contrast": (0.9, "share"),
    "blur": (10, "pixels of standard deviation"),
    "erase": (1, "share of the images"),
}
DRAWS = 14  # random numbers an image


@dataclass(frozen=True)
class Augment:
    """The largest change of each kind; every image draws its own, evenly from minus to plus that much.

    Attributes:
        shift: share of the image's height and width.
        rotate: degrees.
        scale: share; 0.1 draws a factor from 1/1.1 to 1.1.
        shear: horizontal offset a pixel of height.
        brightness: share of the full range 255, added.
        contrast: share; 0.2 draws a factor from 1/1.2 to 1.2 about the image's mean.
        blur: standard deviation of a Gaussian in pixels, drawn from 0 to this.
        erase: share of the images of which one rectangle, each side a sixth to a half of the image's, is painted over
            in one brightness (random erasing, https://arxiv.org/abs/1708.04896).
        border: what fills the uncovered edge: ``constant`` (black), ``replicate`` or ``reflect``.
    """

    shift: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    blur: float = 0.0
    erase: float = 0.0
    border: str = "replicate"

    def __post_init__(self) -> None:
        for name, (most, unit) in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise InputError(f"{name}={value!r}: must be from 0 to {most} ({unit})")
        if self.border not in BORDERS:
            raise InputError(f"border={self.border!r}: must be one of {', '.join(BORDERS)}")

    def __bool__(self) -> bool:
        """Whether anything is changed at all."""
        return any(getattr(self, f.name) for f in fields(self) if f.name != "border")

    def draw(self, seed: int, epoch: int, count: int) -> np.ndarray:
        """Draws from -1 to 1, float64 ``[count, 14]``: row i depends on (seed, epoch, i) alone."""
        change = np.random.default_rng([seed, epoch]).uniform(-1.0, 1.0, (count, 8))
        hole = np.random.default_rng([seed, epoch, 7]).uniform(-1.0, 1.0, (count, DRAWS - 8))
        return np.hstack([change, hole])

    def apply(self, image: np.ndarray, draw: np.ndarray, mean: float | None = None) -> np.ndarray:
        """Change uint8 pixels ``[h, w, c]`` (c = 1 or 3) by one row of :meth:`draw`; zeros change nothing.

        Contrast turns about ``mean``, so that it can be the same for all frames of a clip; None: the image's own.
        """
        shape = image.shape
        dx, dy, angle, grow, slant, light, steep, soft = (float(value) for value in draw[:8])
        image = self._warp(image, dx, dy, angle, grow, slant)
        if self.contrast or self.brightness:
            gain = (1 + self.contrast) ** steep
            if mean is None:
                mean = float(image.mean()) if gain != 1 else 0.0
            image = cv2.convertScaleAbs(
                np.maximum(
                    image * np.float32(gain) + np.float32(mean * (1 - gain) + self.brightness * 255 * light),
                    0,
                )
            )
        if self.blur and (sigma := self.blur * abs(soft)) > 0.05:
            image = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        image = image.reshape(shape)
        return self._erased(image, draw[9:]) if abs(draw[8]) > 1 - self.erase else image

    def _erased(self, image: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """The image with one rectangle in it of one brightness."""
        h, w, _ = image.shape
        tall, wide, top, left, light = (draw + 1) / 2
        height, width = round(h * (1 + 2 * tall) / 6), round(w * (1 + 2 * wide) / 6)
        y, x = round(top * (h - height)), round(left * (w - width))
        image = image.copy()
        image[y : y + height, x : x + width] = round(255 * light)
        return image

    def _warp(
        self, image: np.ndarray, dx: float, dy: float, angle: float, grow: float, slant: float
    ) -> np.ndarray:
        """Shift, rotate, scale and shear about the centre in one interpolation."""
        if not (self.shift or self.rotate or self.scale or self.shear):
            return image
        h, w = image.shape[:2]
        turn = np.deg2rad(self.rotate * angle)
        factor = (1 + self.scale) ** grow
        cos, sin, lean = np.cos(turn) * factor, np.sin(turn) * factor, self.shear * slant
        a, b, c, d = cos, cos * lean - sin, sin, sin * lean + cos
        if a == d == 1 and b == c == 0 and not (self.shift and (dx or dy)):
            return image
        mx, my = (w - 1) / 2, (h - 1) / 2
        tx = mx - a * mx - b * my + self.shift * w * dx
        ty = my - c * mx - d * my + self.shift * h * dy
        matrix = np.array([[a, b, tx], [c, d, ty]])
        return cv2.warpAffine(image, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=BORDERS[self.border])
