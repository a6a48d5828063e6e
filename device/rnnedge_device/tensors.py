"""The border of a model: its tensors, its recurrent states, and the order in which an image is read."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import BundleError
from rnnedge_device.fields import Fields, is_count, is_whole, shown
from rnnedge_device.quantization import dequantize, quantize

DTYPES = ("int8", "float32", "int32")


@dataclass(frozen=True)
class Tensor:
    """An input or output by its name in the signature.

    Args:
        name: such as `x`, `y`, `h0`, `h0_next`.
        shape: with the batch axis, which is 1.
        dtype: `int8` or `float32`; `int32` for a caption model's `token`, which is a number and no quantity.
        scale: above zero for int8, else 0.0.
        zero_point: the int8 of the real value 0; else 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float = 0.0
    zero_point: int = 0

    def encode(self, real: NDArray[np.float32]) -> NDArray[Any]:
        """Real values as this tensor holds them, in this tensor's shape."""
        return np.ascontiguousarray(self.hold(real)).reshape(self.shape)

    def hold(self, real: NDArray[np.float32]) -> NDArray[Any]:
        """Real values of any shape as this tensor holds them."""
        return quantize(real, self.scale, self.zero_point) if self.dtype == "int8" else real

    def decode(self, value: NDArray[Any]) -> NDArray[np.float32]:
        """The real values (float32) that `value`, of any shape, stands for."""
        if self.dtype == "int8":
            return dequantize(value, self.scale, self.zero_point)
        return value

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "shape": list(self.shape)}

    @classmethod
    def from_dict(cls, data: Any, where: str) -> "Tensor":
        fields = Fields(data, where, BundleError)
        dtype = fields.text("dtype", allowed=DTYPES)
        tensor = cls(
            fields.text("name"),
            fields.list_of("shape", is_count, "whole numbers above zero"),
            dtype,
            fields.number("scale"),
            fields.integer("zero_point"),
        )
        fields.done()
        if (tensor.scale > 0) != (dtype == "int8"):
            raise fields.fail("scale", f"{dtype}: above zero for int8, 0 for float32 and int32")
        if not (-128 <= tensor.zero_point <= 127 if dtype == "int8" else tensor.zero_point == 0):
            raise fields.fail("zero_point", f"{dtype}: -128 to 127 for int8, 0 for float32 and int32")
        return tensor


@dataclass(frozen=True)
class State:
    """A recurrent state: the output to feed back into which input, and its value before the first step.

    Args:
        input: name of the input, such as `h0`.
        output: name of the output with the next value, such as `h0_next`.
        reset: real value; the device quantises it with the input's scale and zero point. A caption model's
            states begin with what `encode` gives, and have none: 0.0.
    """

    input: str
    output: str
    reset: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @classmethod
    def from_dict(cls, data: Any, where: str) -> "State":
        fields = Fields(data, where, BundleError)
        state = cls(fields.text("input"), fields.text("output"), fields.number("reset"))
        fields.done()
        return state


@dataclass(frozen=True)
class Scan:
    """How an image `[h, w, C]` becomes the sequence `[T, F]` of a step form.

    Args:
        steps: `("transpose", axes)` and `("reshape", shape)`, applied in order.
    """

    steps: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def __call__(self, image: NDArray[Any]) -> NDArray[Any]:
        for name, numbers in self.steps:
            image = image.transpose(numbers) if name == "transpose" else image.reshape(numbers)
        return image

    def shape(self, image_shape: tuple[int, ...], where: str) -> tuple[int, ...]:
        """The shape of the sequence; BundleError where the steps do not fit `image_shape`."""
        shape = tuple(image_shape)
        for name, numbers in self.steps:
            fits = (
                sorted(numbers) == list(range(len(shape)))
                if name == "transpose"
                else math.prod(numbers) == math.prod(shape)
            )
            if not fits:
                raise BundleError(f"{where}: scan: {name} {list(numbers)} does not fit the shape {shape}")
            shape = tuple(shape[axis] for axis in numbers) if name == "transpose" else numbers
        return shape

    def to_list(self) -> list[Any]:
        return [[name, list(numbers)] for name, numbers in self.steps]

    @classmethod
    def from_list(cls, data: Any, where: str) -> "Scan":
        steps = []
        for step in data if isinstance(data, list) else [data]:
            known = isinstance(step, list) and len(step) == 2 and step[0] in ("transpose", "reshape")
            if not known or not isinstance(step[1], list) or not all(is_whole(item) for item in step[1]):
                raise BundleError(
                    f'{where}: scan = {shown(step)}: must be ["transpose", axes] or ["reshape", shape]'
                )
            steps.append((step[0], tuple(step[1])))
        return cls(tuple(steps))
