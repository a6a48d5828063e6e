"""The config of a runner: one TOML file, checked as a whole before anything starts."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rnnedge_device.errors import InputError
from rnnedge_device.runner.sections import SECTIONS, Section
from rnnedge_device.runner.supervision import Supervision
from rnnedge_device.sources import device_of
from rnnedge_device.sources.camera_spec import public_name
from rnnedge_device.toml_file import read_toml

Seconds = Annotated[float, Field(gt=0, le=86_400)]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Options(BaseModel):
    """The rules of every section: no unknown keys, no silent change of type, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RunnerOptions(Options):
    """The section `[runner]`: what holds for all cameras.

    Args:
        restart_budget, restart_window_s, backoff_s, backoff_most_s, hang_s, open_s, black_s, frozen_s: see
            `Supervision`.
        degrade: step model rates down while the machine does not keep up.
        watch_bundles: swap a bundle in when its file is replaced.
        require_signature: a public key (PEM); only bundles that it signed are run.
        state: a folder of the runner's own, for copies of bundles that have proved themselves; None for
            `$STATE_DIRECTORY`, which systemd sets. With one, bundles are tried in a process of their own at the start
            too, and a copy runs where the file is worse.
        threads: of each interpreter.
        drain_s: how long sinks may take to deliver at the end.
    """

    restart_budget: Annotated[int, Field(ge=0, le=1_000_000)] = Supervision.restart_budget
    restart_window_s: Seconds = Supervision.restart_window_s
    backoff_s: Seconds = Supervision.backoff_s
    backoff_most_s: Seconds = Supervision.backoff_most_s
    hang_s: Seconds = Supervision.hang_s
    open_s: Seconds = Supervision.open_s
    black_s: Annotated[float, Field(ge=0, le=86_400)] = Supervision.black_s
    frozen_s: Annotated[float, Field(ge=0, le=86_400)] = Supervision.frozen_s
    degrade: bool = True
    watch_bundles: bool = True
    require_signature: str | None = None
    state: str | None = None
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    drain_s: Seconds = 10.0

    @property
    def supervision(self) -> Supervision:
        """What of this is about watching a camera."""
        return Supervision(**{field.name: getattr(self, field.name) for field in fields(Supervision)})


class CameraOptions(Options):
    """A section `[[camera]]`.

    Args:
        name: letters, digits, `-` and `_`; unique.
        source: as `--source` of `rnnedge-run` takes it.
        bundle: path; cameras of equal bundle and form share one interpreter.
        form: of the bundle; None for its default, `auto` for the one that `rnnedge-device install` has chosen.
        roi: `[x0, y0, x1, y1]`, the part of the picture that the model sees, in shares of its width and height.
        rate: model steps a second at most; None for the bundle's, or as many as come.
        record: a file for the raw frames, for `replay:FILE`.
        save: files for the annotated frames, `.mp4` or `.avi`: of `NAME.mp4` the parts `NAME-000001.mp4`, …
        save_minutes: of a part, which is there to be played when it is over.
        show: its annotated frames in a window.
    """

    name: str
    source: Annotated[str, Field(min_length=1)]
    bundle: Annotated[str, Field(min_length=1)]
    form: str | None = None
    roi: Annotated[list[float], Field(min_length=4, max_length=4)] | None = None
    rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    record: Annotated[str, Field(min_length=1)] | None = None
    save: Annotated[str, Field(pattern=r"\.(mp4|avi)$")] | None = None
    save_minutes: Annotated[float, Field(gt=0, le=1440)] = 10.0
    show: bool = False

    @field_validator("name")
    @classmethod
    def _is_plain(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("must be letters, digits, - and _, 64 at most, and begin with a letter or digit")
        return name

    @field_validator("roi")
    @classmethod
    def _is_a_part(cls, roi: list[float] | None) -> list[float] | None:
        if roi is not None and not (0 <= roi[0] < roi[2] <= 1 and 0 <= roi[1] < roi[3] <= 1):
            raise ValueError("must be [x0, y0, x1, y1] with 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1")
        return roi


class Config(Options):
    """A whole config.

    Args:
        runner, camera: the sections of these names.
        sections: those of sinks and web view, in the types of `SECTIONS`; a list where there may be several.

    Raises:
        ValidationError: a value that is not allowed, or two that do not go together.
    """

    runner: RunnerOptions = RunnerOptions()
    camera: Annotated[list[CameraOptions], Field(min_length=1)]
    sections: dict[str, Any] = {}

    @model_validator(mode="after")
    def _are_distinct(self) -> Self:
        names, devices, files = set[str](), dict[str, str](), dict[str, str]()
        for camera in self.camera:
            if camera.name in names:
                raise ValueError(f"two cameras are named {camera.name!r}: a name must be unique")
            names.add(camera.name)
            device = device_of(camera.source)
            if device and device in devices:
                raise ValueError(
                    f"cameras {devices[device]!r} and {camera.name!r} are on one device, {device}: only one "
                    "at a time can use it"
                )
            if device:
                devices[device] = camera.name
            for path in [str(Path(file).resolve()) for file in (camera.record, camera.save) if file]:
                if path in files:
                    raise ValueError(f"cameras {files[path]!r} and {camera.name!r} write to one file, {path}")
                files[path] = camera.name
        return self


def load_config(path: str | Path) -> Config:
    """Read and check a config. Nothing is opened yet.

    Raises:
        InputError: no such file, not TOML, an unknown key, a wrong type, a value that is not allowed, or two cameras
            on one device; the message names the key, the value and what is allowed.

    Example:
        load_config("door.toml").camera[0].name
    """
    values = read_toml(path, "config")
    where = f"config {path}"
    sections = {name: values.pop(name) for name in SECTIONS if name in values}
    if "sections" in values:  # a field of ours, not a key of the file
        raise InputError(f"{where}: unknown key 'sections'; allowed: {_allowed(Config)}")
    try:
        return Config(
            **values, sections={name: _read(SECTIONS[name], given) for name, given in sections.items()}
        )
    except ValidationError as error:
        raise InputError(f"{where}: " + "; ".join(_problem(Config, e) for e in error.errors())) from None
    except InputError as problem:
        raise InputError(f"{where}: {problem}") from None


def _read(section: Section, given: Any) -> Any:
    kind = section.options()
    if section.many != isinstance(given, list):
        form = f"tables, [[{section.name}]]" if section.many else f"one table, [{section.name}]"
        raise InputError(f"{section.name}: must be {form}")
    found = []
    for number, values in enumerate(given if section.many else [given]):
        where = f"{section.name}.{number}" if section.many else section.name
        try:
            found.append(kind.model_validate(values))
        except ValidationError as error:
            problems = "; ".join(_problem(kind, e, f"{where}.") for e in error.errors())
            raise InputError(problems) from None
    return found if section.many else found[0]


def _problem(kind: type[BaseModel], error: Any, prefix: str = "") -> str:
    """One validation error as text: the key, what it received, what is allowed."""
    place = [str(part) for part in error["loc"]]
    key = prefix + ".".join(place)
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; allowed: {_allowed(_model_at(kind, place[:-1]))}"
    if error["type"] == "missing":
        return f"{key}: is missing"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if not place:
        return f"{prefix.rstrip('.')}: {message}" if prefix else message
    # A source may hold a password, and whatever is wrong about it goes into logs.
    shown = public_name(error["input"]) if isinstance(error["input"], str) else error["input"]
    return f"{key} = {shown!r}: {message}"


def _model_at(kind: type[BaseModel], place: list[str]) -> type[BaseModel]:
    """The section that a list of keys leads to."""
    inner: dict[str, type[BaseModel]] = {"runner": RunnerOptions, "camera": CameraOptions}
    return inner.get(place[0], kind) if kind is Config and place else kind


def _allowed(kind: type[BaseModel]) -> str:
    names = set(kind.model_fields)
    if kind is Config:
        names = (names - {"sections"}) | set(SECTIONS)
    return ", ".join(sorted(names))
