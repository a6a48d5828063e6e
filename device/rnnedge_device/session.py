"""A bundle on its sources from opening to summary: outputs, Ctrl-C, a camera that is lost."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rnnedge_device import sinks
from rnnedge_device.bundle import Bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError, SourceLostError
from rnnedge_device.interpreter import runtime_version
from rnnedge_device.models import check_options, form_of, open_model
from rnnedge_device.runner.supervised import open_supervised
from rnnedge_device.source import Source
from rnnedge_device.stream import stream
from rnnedge_device.tally import Tally, distinct_names


def run_session(
    bundle: Bundle,
    specs: Sequence[str],
    report: Callable[[dict[str, Any]], None],
    *,
    form: str | None = None,
    threads: int = 1,
    beam: int | None = None,
    interval_ms: float | None = None,
    max_frames: int | None = None,
    jsonl: str | None = None,
    show: bool = False,
    save: str | None = None,
    record: str | None = None,
    text: bool = False,
) -> int:
    """Run a bundle on sources until they end, or until Ctrl-C.

    Args:
        specs: of the sources, as `open_source` takes them.
        report: called with the summary when it is over, after an error too, if there was a frame at all.
        beam, interval_ms: of captions, in place of the bundle's; None for the bundle's.
        jsonl, save, record: files for lines, video and raw frames; None for none.
        show: windows.
        text: lines for people on stdout.

    Returns:
        The exit code: 0, or 130 after Ctrl-C.

    Raises:
        InputError: as whatever is opened here, and as `check_options`.
        SourceLostError: a camera gave up, or a file hangs; files and summary are whole.
    """
    check_options(bundle, form, beam, interval_ms)
    model = open_model(bundle, form, threads, beam, interval_ms)
    lost: SourceLostError | None = None
    interrupted: list[int] = []
    with contextlib.ExitStack() as opened:
        sources = [opened.enter_context(open_supervised(spec, _say)) for spec in specs]
        tally = Tally(*sources)
        if isinstance(model, ClipModel):
            opened.enter_context(_usr1_resets(model.reset))
        try:
            with _ctrl_c_stops(sources, interrupted), contextlib.ExitStack() as stack:
                outputs: list[sinks.Sink] = []
                if jsonl:
                    outputs.append(stack.enter_context(sinks.JsonLines(jsonl)))
                outputs += _of_sources(sources, show, save, record, stack)
                if text:
                    outputs.append(stack.enter_context(sinks.TextLines()))
                try:
                    stream(sources, model, outputs, max_frames, tally)
                except SourceLostError as problem:
                    lost = problem  # what was seen before is worth its files
        except InputError:
            # A video cannot be made of nothing; after Ctrl-C that is no news.
            if not interrupted or tally.frames:
                raise
        finally:
            if tally.frames:
                about = {"source": ", ".join(specs), "form": form_of(model), "runtime": runtime_version()}
                report({**about, **tally.to_dict(), "interrupted": bool(interrupted)})
    if lost:
        raise lost
    return 130 if interrupted else 0


def _say(line: str) -> None:
    print(f"rnnedge-run: {line}", file=sys.stderr, flush=True)


def _of_sources(
    sources: list[Source], show: bool, save: str | None, record: str | None, stack: contextlib.ExitStack
) -> list[sinks.Sink]:
    """A video, a window and a recording for each source."""
    found: list[sinks.Sink] = []
    for number, (source, name) in enumerate(zip(sources, distinct_names(sources), strict=True), start=1):
        makers: list[Callable[[], sinks.Sink]] = []
        if save:
            makers.append(partial(sinks.VideoFile, _numbered(save, number), source.fps))
        if record:
            makers.append(partial(sinks.Recorder, _numbered(record, number), source.fps, source.timed))
        if show:
            makers.append(partial(sinks.Window, f"rnnedge: {name}", source.stop))
        for make in makers:
            found.append(stack.enter_context(make() if len(sources) == 1 else sinks.OfCamera(name, make)))
    return found


def _numbered(path: str, number: int) -> str:
    """Of the first source the path itself; of a further one such as `NAME-2`."""
    return path if number == 1 else str(Path(path).with_stem(f"{Path(path).stem}-{number}"))


@contextlib.contextmanager
def _usr1_resets(reset: Callable[[], None]) -> Iterator[None]:
    """For whoever knows that the scene has changed: kill -USR1."""
    if not hasattr(signal, "SIGUSR1"):
        yield
        return
    before = signal.signal(signal.SIGUSR1, lambda number, frame: reset())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextlib.contextmanager
def _ctrl_c_stops(sources: list[Source], caught: list[int]) -> Iterator[None]:
    """The first Ctrl-C ends the stream between two frames, so that files are whole; a second one kills."""

    def stop(number: int, frame: Any) -> None:
        caught.append(number)
        for source in sources:
            source.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
