"""A form: one way the model of a bundle is compiled, with its border and its states."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rnnedge_device.errors import BundleError
from rnnedge_device.fields import Fields, is_count
from rnnedge_device.tensors import Scan, State, Tensor

FORMS = ("loop", "unrolled", "step", "fused", "sequence", "encode", "decode")
_FORMS_OF = {
    "classify": ("loop", "unrolled", "step", "fused"),
    "clips": ("step", "sequence"),
    "captions": ("encode", "decode"),
}
TASKS = tuple(_FORMS_OF)


@dataclass(frozen=True)
class Form:
    """One way the model is compiled: a signature of one `.tflite` member.

    Args:
        name: of an image model, `loop`, `unrolled` and `fused` take the whole image (input `x`, output
            `y`); `step` takes one row of the sequence and the states, and gives `y` and the next states.
            Of a clip model, `step` takes one frame and the states, `sequence` several frames. Of a caption
            model, `encode` takes the image and gives what `decode` begins with; `decode` takes the last
            word (`token`) and the states, and gives `y` over the vocabulary and the next states.
        file: the member, such as `model.tflite`.
        signature: the signature's name in that file.
        inputs, outputs: tensors by signature name.
        states: what a step or sequence form feeds back.
        scan: how the preprocessed image becomes the rows of an image model's step form.
        ops: how many of each operator the graph has.
        size_bytes: of the member.
        latency_us: median of one image where it was exported, or None.
    """

    name: str
    file: str
    signature: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    states: tuple[State, ...] = ()
    scan: Scan = field(default_factory=Scan)
    ops: Mapping[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    latency_us: float | None = None

    def input(self, name: str) -> Tensor:
        """The input of that name; BundleError if there is none."""
        return _named(self.inputs, name, f"form {self.name}: input")

    def output(self, name: str) -> Tensor:
        """The output of that name; BundleError if there is none."""
        return _named(self.outputs, name, f"form {self.name}: output")

    def check(self, image_shape: tuple[int, int, int], classes: int, task: str = "classify") -> None:
        """Do the tensors fit the task, each other, the preprocessed image and the labels? BundleError if not."""
        where = f"manifest.json: form {self.name}"
        if self.name not in _FORMS_OF[task]:
            raise BundleError(f"{where}: a {task} bundle has {', '.join(_FORMS_OF[task])}")
        if task == "clips":
            self._check_clips(image_shape, classes, where)
        elif task == "captions":
            self._check_captions(image_shape, where)
        else:
            self._check_image(image_shape, classes, where)
        for tensor in (*self.inputs, *self.outputs):
            if (tensor.dtype == "int32") != (self.name == "decode" and tensor.name == "token"):
                raise BundleError(f"{where}: {tensor.name}: dtype {tensor.dtype}: int32 is for token, only")
        for state in self.states:
            before, after = self.input(state.input), self.output(state.output)
            if (before.shape, before.dtype, before.scale, before.zero_point) != (
                (after.shape, after.dtype, after.scale, after.zero_point)
            ):
                raise BundleError(f"{where}: state {state.input}: {before} and {after} must be tied")
        inputs, outputs = self._known(task)
        for side, given, known in (("inputs", self.inputs, inputs), ("outputs", self.outputs, outputs)):
            names = [tensor.name for tensor in given]
            if sorted(names) != sorted(known):
                raise BundleError(f"{where}: {side} {names}: must be {sorted(known)}, each once")

    def _known(self, task: str) -> tuple[set[str], set[str]]:
        """The names of the inputs and outputs that a form of these states has."""
        inputs, outputs = {state.input for state in self.states}, {state.output for state in self.states}
        if task != "captions":
            return {"x", *inputs}, {"y", *outputs}
        given, found = {tensor.name for tensor in self.inputs}, {tensor.name for tensor in self.outputs}
        if self.name == "encode":
            return {"x"}, found - {"x", "y", "token", "attention"}
        # What is no state stays as the encoder gave it; that the encoder gives it, the manifest checks.
        return {"token", *inputs, *given - outputs - {"x", "y"}}, {"y", *outputs, *found & {"attention"}}

    def _check_image(self, image_shape: tuple[int, int, int], classes: int, where: str) -> None:
        x, y = self.input("x"), self.output("y")
        if y.shape != (1, classes):
            raise BundleError(f"{where}: y has shape {y.shape} for {classes} labels: must be (1, {classes})")
        sequence = self.scan.shape(image_shape, where)
        if self.name == "step":
            if len(sequence) != 2 or x.shape != (1, sequence[1]) or not self.states:
                raise BundleError(
                    f"{where}: x {x.shape}, scan {sequence} and {len(self.states)} states: a step form takes "
                    "(1, F) rows of a (T, F) scan and at least one state"
                )
        elif math.prod(sequence) != math.prod(x.shape) or x.shape[0] != 1 or self.states:
            raise BundleError(
                f"{where}: x {x.shape}: must be one image {image_shape}, and no states ({len(self.states)})"
            )

    def _check_clips(self, image_shape: tuple[int, int, int], classes: int, where: str) -> None:
        x, y = self.input("x"), self.output("y")
        time = x.shape[1:2] if self.name == "sequence" else ()
        if x.shape != (1, *time, *image_shape) or y.shape != (1, *time, classes):
            axes = "(1, T, " if self.name == "sequence" else "(1, "
            raise BundleError(
                f"{where}: x {x.shape}, y {y.shape}: must be {axes}{str(image_shape)[1:]} and {axes}{classes})"
            )
        if not self.states or self.scan.steps:
            raise BundleError(
                f"{where}: {len(self.states)} states, scan {self.scan.to_list()}: a clip model has at least "
                "one state and no scan"
            )

    def _check_captions(self, image_shape: tuple[int, int, int], where: str) -> None:
        if self.scan.steps or bool(self.states) != (self.name == "decode"):
            raise BundleError(
                f"{where}: {len(self.states)} states, scan {self.scan.to_list()}: decode has at least one "
                "state, encode none, and neither has a scan"
            )
        if self.name == "encode":
            if self.input("x").shape != (1, *image_shape) or not self.outputs:
                raise BundleError(
                    f"{where}: x {self.input('x').shape}, {len(self.outputs)} outputs: must be "
                    f"{(1, *image_shape)}, and at least one"
                )
            return
        token, y = self.input("token"), self.output("y")
        if token.shape != (1,) or len(y.shape) != 2 or y.shape[0] != 1:
            raise BundleError(f"{where}: token {token.shape}, y {y.shape}: must be (1,) and (1, K)")

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "file": self.file,
            "signature": self.signature,
            "inputs": [tensor.to_dict() for tensor in self.inputs],
            "outputs": [tensor.to_dict() for tensor in self.outputs],
            "states": [state.to_dict() for state in self.states],
            "scan": self.scan.to_list(),
            "ops": dict(self.ops),
            "size_bytes": self.size_bytes,
            "latency_us": self.latency_us,
        }

    @classmethod
    def from_dict(cls, data: Any, where: str) -> "Form":
        fields = Fields(data, where, BundleError)
        form = cls(
            fields.text("name", allowed=FORMS),
            fields.text("file"),
            fields.text("signature"),
            fields.objects("inputs", Tensor.from_dict),
            fields.objects("outputs", Tensor.from_dict),
            fields.objects("states", State.from_dict),
            Scan.from_list(fields.raw("scan"), where),
            _counts(fields),
            fields.integer("size_bytes"),
            None if fields.raw("latency_us") is None else fields.number("latency_us"),
        )
        fields.done()
        return form


def _counts(fields: Fields) -> dict[str, int]:
    ops = fields.table("ops")
    if not all(is_count(count) for count in ops.values()):
        raise fields.fail("ops", "must be {operator: count above zero}")
    return ops


def _named(tensors: tuple[Tensor, ...], name: str, what: str) -> Tensor:
    for tensor in tensors:
        if tensor.name == name:
            return tensor
    raise BundleError(f"manifest.json: {what} {name!r} is missing")
