"""The manifest: what a bundle says about itself, typed and strict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rnnedge_device.caption import CaptionSpec
from rnnedge_device.clip import ClipSpec
from rnnedge_device.errors import BundleError
from rnnedge_device.fields import Fields, shown
from rnnedge_device.form import TASKS, Form
from rnnedge_device.preprocess import Preprocess

FORMAT_VERSION = 1
OUTPUTS = ("logits", "probabilities")
T = TypeVar("T")


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds and how to run it.

    Args:
        name: of the model.
        labels: class names, in the order of the model's outputs; none of a caption model, whose
            vocabulary takes their place.
        preprocess: from frame to input.
        forms: at least one; the first is the default.
        task: `classify` (a label an image), `clips` (labels over time, the state carried) or `captions`
            (a sentence an image).
        output: what `y` holds, `logits` or `probabilities`; of a caption model `logits`.
        metrics: figures with the data they were measured on; any JSON object.
        versions: of the packages that made it, `{package: version}`.
        created: when, as text.
        files: `{member: {"size": bytes, "sha256": digest}}`; filled by `write_bundle`.
        clip: what a clip model assumes about time; None for the other tasks.
        caption: what a caption model assumes about words; None for the other tasks.

    Raises:
        BundleError: the parts contradict each other.
    """

    name: str
    labels: tuple[str, ...]
    preprocess: Preprocess
    forms: tuple[Form, ...]
    task: str = "classify"
    output: str = "logits"
    metrics: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    clip: ClipSpec | None = None
    caption: CaptionSpec | None = None

    def __post_init__(self) -> None:
        for key in ("labels", "forms"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        for key, value, allowed in (("task", self.task, TASKS), ("output", self.output, OUTPUTS)):
            if value not in allowed:
                raise BundleError(
                    f"manifest.json: {key} = {shown(value)}: must be one of {', '.join(allowed)}"
                )
        captions = self.task == "captions"
        if bool(self.labels) == captions or not self.forms:
            labels = "no labels for captions" if captions else "at least one of each"
            raise BundleError(f"manifest.json: {len(self.labels)} labels, {len(self.forms)} forms: {labels}")
        names = [form.name for form in self.forms]
        if len(set(names)) != len(names):
            raise BundleError(f"manifest.json: forms {names}: each name once")
        for form in self.forms:
            form.check(self.preprocess.shape, len(self.labels), self.task)
        for key, spec, task in (("clip", self.clip, "clips"), ("caption", self.caption, "captions")):
            if (spec is None) == (self.task == task):
                raise BundleError(
                    f"manifest.json: {key} = {shown(spec)}: there for task {task}, and only there"
                )
        if self.preprocess.foreground and (self.clip is None or self.clip.scene_cut):
            raise BundleError(
                "manifest.json: preprocess: foreground: is for task clips, of a camera that does not move: no scene_cut"
            )
        if self.clip is not None:
            self._check_clip(self.clip)
        if self.caption is not None:
            self._check_caption(self.caption)

    def _check_clip(self, clip: ClipSpec) -> None:
        if clip.background and clip.background not in self.labels:
            raise BundleError(
                f"manifest.json: clip: background = {clip.background!r}: must be empty or one of the labels"
            )
        step = self.form("step")
        for form in self.forms:
            # A stream may go on in another form: the same states, and the same numbers at the border.
            if form.states != step.states or _border(form) != _border(step):
                raise BundleError(
                    f"manifest.json: form {form.name}: its states and scales differ from form step's"
                )

    def _check_caption(self, caption: CaptionSpec) -> None:
        if self.output != "logits":
            raise BundleError(f"manifest.json: output = {self.output!r}: a caption model gives logits")
        if sorted(form.name for form in self.forms) != ["decode", "encode"]:
            names = ", ".join(form.name for form in self.forms)
            raise BundleError(f"manifest.json: forms {names}: captions have encode and decode, both")
        encode, decode = self.form("encode"), self.form("decode")
        if encode.file != decode.file or encode.signature == decode.signature:
            raise BundleError(
                f"manifest.json: forms encode and decode: {encode.file!r} {encode.signature!r}, "
                f"{decode.file!r} {decode.signature!r}: must be two signatures of one file"
            )
        check_pair(encode, decode, caption.grid)

    def form(self, name: str | None = None) -> Form:
        """The form of that name, or the default.

        Raises:
            BundleError: the bundle has no such form.
        """
        for form in self.forms:
            if name in (None, form.name):
                return form
        raise BundleError(f"form = {name!r}: this bundle has {', '.join(form.name for form in self.forms)}")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {
            "format_version": self.format_version,
            "name": self.name,
            "task": self.task,
            "labels": list(self.labels),
            "output": self.output,
            "preprocess": self.preprocess.to_dict(),
            "forms": [form.to_dict() for form in self.forms],
            "metrics": dict(self.metrics),
            "versions": dict(self.versions),
            "created": self.created,
            "files": {name: dict(entry) for name, entry in self.files.items()},
            **({} if self.clip is None else {"clip": self.clip.to_dict()}),
            **({} if self.caption is None else {"caption": self.caption.to_dict()}),
        }

    @classmethod
    def from_dict(cls, data: Any) -> "Manifest":
        """What `to_dict` wrote, every key and type checked.

        Raises:
            BundleError: an unknown key, a wrong type, a newer format version, or a contradiction.
        """
        where = "manifest.json"
        fields = Fields(data, where, BundleError)
        version = check_version(fields)
        found: dict[str, Any] = {
            "format_version": version,
            "name": fields.text("name"),
            "task": fields.text("task", allowed=TASKS),
            "labels": fields.list_of("labels", lambda item: isinstance(item, str), "texts"),
            "output": fields.text("output", allowed=OUTPUTS),
            "preprocess": Preprocess.from_dict(fields.raw("preprocess"), f"{where}: preprocess", BundleError),
            "forms": fields.objects("forms", Form.from_dict),
            "metrics": fields.table("metrics"),
            "versions": fields.table("versions"),
            "created": fields.text("created"),
            "files": files_of(fields),
            "clip": _spec_of(fields, "clip", ClipSpec.from_dict),
            "caption": _spec_of(fields, "caption", CaptionSpec.from_dict),
        }
        fields.done()
        return cls(**found)


def _border(form: Form) -> dict[str, tuple[Any, ...]]:
    """What must be alike in the forms of a clip model; the shapes of x and y differ by their time axis."""
    return {
        tensor.name: (
            tensor.dtype,
            tensor.scale,
            tensor.zero_point,
            () if tensor.name in ("x", "y") else tensor.shape,
        )
        for tensor in (*form.inputs, *form.outputs)
    }


def check_pair(encode: Form, decode: Form, grid: tuple[int, int] | None) -> None:
    """Does `decode` begin with what `encode` gives, and its attention fit the grid?

    Args:
        encode, decode: forms of a caption model, each checked by itself.
        grid: (rows, columns) of the attention map, or None.

    Raises:
        BundleError: a tensor of another name, shape, dtype, scale or zero point, or another grid.
    """
    where = "manifest.json: forms encode and decode"
    given = {tensor.name: tensor for tensor in encode.outputs}
    taken = {tensor.name: tensor for tensor in decode.inputs if tensor.name != "token"}
    if sorted(given) != sorted(taken):
        raise BundleError(f"{where}: outputs {sorted(given)} and inputs {sorted(taken)}: must be the same")
    for name, tensor in taken.items():
        if given[name] != tensor:
            raise BundleError(f"{where}: {given[name]} and {tensor}: must be the same")
    found = {tensor.name: tensor.shape for tensor in decode.outputs}.get("attention")
    if found != (None if grid is None else (1, grid[0] * grid[1])):
        raise BundleError(
            f"{where}: grid = {grid}, attention {found}: must be (1, rows * columns), or neither"
        )
    for name in {"features", "keys"} & set(taken):
        # Both have a row for each place of the map.
        if found is not None and (len(taken[name].shape) != 3 or taken[name].shape[:2] != found):
            raise BundleError(f"{where}: {name} {taken[name].shape}: must be (1, {found[1]}, any)")


def _spec_of(fields: Fields, key: str, read: Callable[[Any, str, type[BundleError]], T]) -> T | None:
    data = fields.raw(key, None)
    return None if data is None else read(data, f"{fields.where}: {key}", BundleError)


def check_version(fields: Fields) -> int:
    """The format version, before all else: a newer format may have any other key.

    Raises:
        BundleError: newer than this program, or not a version.
    """
    version = fields.integer("format_version")
    if version > FORMAT_VERSION:
        raise BundleError(
            f"{fields.where}: format_version = {version}: made by a newer rnnedge (this one reads up to "
            f"{FORMAT_VERSION}): update rnnedge"
        )
    if version < 1:
        raise fields.fail("format_version", "must be 1 or more")
    return version


def files_of(fields: Fields) -> dict[str, dict[str, Any]]:
    """The `files` table: a whole-number size and a digest for each member."""
    found = {}
    for name, entry in fields.table("files").items():
        inner = Fields(entry, f"{fields.where}: files[{name!r}]", BundleError)
        found[name] = {"size": inner.integer("size"), "sha256": inner.text("sha256")}
        inner.done()
    return found
