"""The sinks of a runner, from the sections of its config."""

from collections.abc import Callable
from typing import Any

from rnnedge_device.runner.config import Config
from rnnedge_device.runner.sections import SECTIONS
from rnnedge_device.sinks.beside import BesideSink
from rnnedge_device.sinks.lines import JsonLines
from rnnedge_device.sinks.pictures import OfCamera
from rnnedge_device.sinks.recorder import Recorder
from rnnedge_device.sinks.sink import Sink


def wanted_sinks(config: Config) -> dict[str, Any]:
    """What each sink of a config is made from, by its name; what is equal need not be made anew."""
    found: dict[str, Any] = {}
    for name, options in config.sections.items():
        if name == "web":  # a view with a server behind it
            continue
        many = options if isinstance(options, list) else [options]
        for number, one in enumerate(many, start=1):
            found[name if number == 1 else f"{name}-{number}"] = one
    for camera in config.camera:
        if camera.record:
            found[f"record-{camera.name}"] = (camera.name, camera.record)
    return found


def make_sink(name: str, made_from: Any, fps: Callable[[str], float]) -> Sink:
    """A sink from what `wanted_sinks` gave.

    Args:
        fps: tells a camera's rate once it runs.

    Raises:
        InputError: a package that it needs is missing, or an option cannot be used.
    """
    if isinstance(made_from, tuple):
        camera, path = made_from
        # The rate is known when the first frame is.
        return OfCamera(camera, lambda: BesideSink(Recorder(path, fps(camera)), name))
    if getattr(made_from, "path", None) == "-":
        return BesideSink(JsonLines("-"), name, queued=1000)
    sink: Sink = SECTIONS[name.partition("-")[0]].make(made_from, name)
    return sink
