"""The sinks of a runner, from the sections of its config: opened, changed and closed together."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from rnnedge_device.errors import InputError
from rnnedge_device.runner.config import Config
from rnnedge_device.runner.sections import SECTIONS
from rnnedge_device.sinks.beside import BesideSink
from rnnedge_device.sinks.film_parts import FilmParts
from rnnedge_device.sinks.holding import Holding
from rnnedge_device.sinks.lines import JsonLines
from rnnedge_device.sinks.pictures import OfCamera
from rnnedge_device.sinks.recorder import Recorder
from rnnedge_device.sinks.sink import Sink
from rnnedge_device.sinks.windows import Windows

_log = logging.getLogger(__name__)


class ConfiguredSinks:
    """Those that a config names.

    Args:
        fps: tells a camera's rate once it runs.
        opened: by name.
    """

    def __init__(self, fps: Callable[[str], float]) -> None:
        self._fps = fps
        self._made_from: dict[str, Any] = {}
        self.opened: dict[str, Sink] = {}

    def open(self, config: Config) -> None:
        """All of them.

        Raises:
            InputError: a package that one needs is missing, or an option cannot be used.
        """
        for name, made_from in _wanted(config).items():
            self._open(name, made_from)

    def change(self, config: Config, publish: Callable[[Mapping[str, Sink]], None]) -> None:
        """Those of another config: what is equal goes on. One that cannot be opened stays as it was, or away if it is
        new, and the log says so.

        Args:
            publish: told who takes messages while the others are changed.
        """
        wanted = _wanted(config)
        leaving = {name: made for name, made in self._made_from.items() if wanted.get(name) != made}
        closing = [self.opened.pop(name) for name in leaving]
        held = {name: Holding(name) for name in leaving if name in wanted}
        publish({**self.opened, **held})
        # All are closed before one is opened: it may need the file, the spool or the port of another.
        _close(closing, config.runner.drain_s)
        for name in [name for name in wanted if name not in self.opened]:
            for made_from in (wanted[name], leaving.get(name)):
                try:
                    if made_from is not None:
                        self._open(name, made_from)
                        break
                except InputError as problem:
                    _log.error("reload: %s", problem, extra={"sink": name})
            if name in self.opened and name in held:
                held[name].hand_over(self.opened[name])
        self._made_from = {name: self._made_from[name] for name in self.opened}

    def close(self, deadline_s: float) -> None:
        """Let each deliver what it promised, all of them in so many seconds."""
        _close(list(self.opened.values()), deadline_s)

    def _open(self, name: str, made_from: Any) -> None:
        self.opened[name] = _made(name, made_from, self._fps)
        self._made_from[name] = made_from


def _wanted(config: Config) -> dict[str, Any]:
    """What each sink is made from, by its name; what is equal need not be made anew."""
    found: dict[str, Any] = {}
    for name, options in config.sections.items():
        if name == "web":  # a view with a server behind it
            continue
        many = options if isinstance(options, list) else [options]
        for number, one in enumerate(many, start=1):
            found[name if number == 1 else f"{name}-{number}"] = one
    if showing := frozenset(camera.name for camera in config.camera if camera.show):
        found["window"] = showing
    for camera in config.camera:
        if camera.record:
            found[f"record-{camera.name}"] = (camera.name, Recorder, camera.record)
        if camera.save:
            found[f"save-{camera.name}"] = (camera.name, FilmParts, camera.save, camera.save_minutes)
    return found


def _made(name: str, made_from: Any, fps: Callable[[str], float]) -> Sink:
    if isinstance(made_from, tuple):
        camera, kind, path, *rest = made_from
        # The rate is known when the first frame is.
        return OfCamera(camera, lambda: BesideSink(kind(path, fps(camera), *rest), name))
    if isinstance(made_from, frozenset):
        return BesideSink(Windows(made_from), name)
    if getattr(made_from, "path", None) == "-":
        return BesideSink(JsonLines("-"), name, queued=1000)
    sink: Sink = SECTIONS[name.partition("-")[0]].make(made_from, name)
    return sink


def _close(sinks: list[Sink], deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    for sink in sinks:
        try:
            sink.close(max(0.5, deadline - time.monotonic()))
        except (OSError, InputError) as problem:
            _log.error("%s", problem, extra={"sink": sink.name})
