"""``write_report``: from a finished run's folder to ``report.html`` and ``figures/*.png``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rnnedge.report import answer, figures, formats, tables
from rnnedge.report.canvas import Picture, look
from rnnedge.report.confusion import confusion, mistakes
from rnnedge.report.facts import right
from rnnedge.report.record import Record, read_record
from rnnedge.report.samples import Shown, choose, contact_sheet
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

PAGE = "report.html"
FIGURES = "figures"
NAMES = ("float_curves", "qat_curves", "confusion", "samples", "latency", "ranges")
# More classes than this, and the page shows the weakest with the whole table behind a click.
LONG_TABLE = 20


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
    run = read_record(folder)
    samples = choose(run)
    pictures = draw(run, samples)
    page = render(run, samples, pictures)
    target = folder / FIGURES
    with _folder(target), contextlib.ExitStack() as files:
        # The stack renames in reverse: the page, opened first, last, when its figures are in place.
        files.enter_context(atomic_path(folder / PAGE)).write_text(page, encoding="utf-8")
        for name, picture in pictures.items():
            files.enter_context(atomic_path(target / f"{name}.png")).write_bytes(picture.png)
    for name in set(NAMES) - set(pictures):
        (target / f"{name}.png").unlink(missing_ok=True)  # an older report's
    return folder / PAGE


def draw(run: Record, samples: list[Shown]) -> dict[str, Picture]:
    """The figures by name; one without anything to show is left out."""
    with look():
        drawn = (
            figures.float_curves(run),
            figures.qat_curves(run),
            confusion(run.evaluations),
            contact_sheet(samples),
            figures.latency(run),
            figures.ranges(run),
        )
    return {picture.name: picture for picture in drawn if picture}


def render(run: Record, samples: list[Shown], pictures: dict[str, Picture]) -> str:
    """The page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    rows = tables.classes(run)
    environment = Environment(
        loader=PackageLoader("rnnedge.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": formats.count, "share": formats.share, "percent": formats.percent}
    e = run.evaluations
    return environment.get_template(PAGE).render(
        run=run,
        evaluations=e,
        sentence=answer.sentence(run),
        numbers=answer.numbers(run),
        models=answer.models(run),
        agreement=answer.agreement(run),
        pictures=pictures,
        mistakes=mistakes(e),
        classes=rows,
        weakest=tables.weakest(run, rows) if len(rows) > LONG_TABLE else [],
        wrong=e.int8.images - right(e.int8),
        samples=samples,
        forms=tables.forms(run),
        ranges=tables.ranges(run),
        drawn=len(figures.drawn_layers(run)),
        audits=tables.audits(run),
        making=tables.making(run),
        commands=tables.commands(run),
    )


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
