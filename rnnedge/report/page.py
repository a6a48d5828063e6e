"""``write_report``: from a finished run's folder to ``report.html`` and ``figures/*.png``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rnnedge.report import films, formats
from rnnedge.report.canvas import Picture, look
from rnnedge.report.content import Content, content
from rnnedge.report.record import read_record
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

PAGE = "report.html"
FIGURES = "figures"
NAMES = ("float_curves", "qat_curves", "confusion", "samples", "latency", "ranges")
FILMS = tuple(films.name(number) for number in range(1, films.MOST + 1))


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write the report of the finished run in ``folder``; returns the page's path.

    The page holds everything it shows. The same figures lie beside it as ``figures/NAME.png``. All of it is drawn
    before anything is written, and nothing takes its name before everything is on the disk.

    Raises:
        InputError: an input is missing or damaged; the message names it and the command that writes it. An older
            report stays as it was.

    Example:
        >>> write_report("runs/demo")
        PosixPath('runs/demo/report.html')
    """
    folder = Path(folder)
    found = content(read_record(folder))
    pictures = draw(found)
    page = render(found, pictures)
    target = folder / FIGURES
    with _folder(target), contextlib.ExitStack() as files:
        # The stack renames in reverse: the page, opened first, last, when its figures are in place.
        files.enter_context(atomic_path(folder / PAGE)).write_text(page, encoding="utf-8")
        for name, picture in pictures.items():
            files.enter_context(atomic_path(target / f"{name}.png")).write_bytes(picture.png)
    for name in {*NAMES, *FILMS} - set(pictures):
        (target / f"{name}.png").unlink(missing_ok=True)  # an older report's
    return folder / PAGE


def draw(found: Content) -> dict[str, Picture]:
    """The figures by name; one without anything to show is left out."""
    with look():
        drawn = [figure() for figure in found.figures]
    return {picture.name: picture for picture in drawn if picture}


def render(found: Content, pictures: dict[str, Picture]) -> str:
    """The page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rnnedge.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        function.__name__: function
        for function in (formats.count, formats.share, formats.percent, formats.milliseconds)
    }
    return environment.get_template(found.template).render(**found.values, pictures=pictures)


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[None]:
    """The folder exists inside; one that was made here for nothing is removed."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is not a folder; the report's figures go there")
    made = not path.exists()
    path.mkdir(exist_ok=True)
    try:
        yield
    except BaseException:
        if made:
            path.rmdir()
        raise
