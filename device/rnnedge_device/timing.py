"""How long a bundle's forms take on this machine, on its golden images."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from rnnedge_device.bundle import Bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.golden import GOLDEN, Golden

_WARM_UP = 3


def candidates(bundle: Bundle) -> list[str | None]:
    """The forms among which one can choose for a stream of frames; `[None]` where there is no choice.

    Only forms with golden outputs: no other can be tested. Clips run `step` and captions `encode` and `decode`,
    whatever else is in the bundle.
    """
    if bundle.manifest.task != "classify" or GOLDEN not in bundle.members:
        return [None]
    tested = Golden.from_bytes(bundle.members[GOLDEN]).outputs
    return [form.name for form in bundle.manifest.forms if form.name in tested] or [None]


def time_forms(
    bundle: Bundle, forms: Sequence[str | None], threads: int = 1, calls: int = 60, seconds: float = 1.0
) -> list[list[float]]:
    """Time forms in turn (A B C A B C ...), so that a machine that slows down does so for all.

    Args:
        forms: of `candidates`.
        calls: of each form, after three to warm up.
        seconds: for all of them together; each is called once at least.

    Returns:
        Microseconds in the interpreter for each call of each form: an image's, a step's, or a whole caption's.

    Raises:
        BundleError: no such form, or a model that the runtime cannot load.
    """
    images = Golden.from_bytes(bundle.members[GOLDEN]).images
    made = [_calls(bundle, form, threads, images) for form in forms]
    times: list[list[float]] = [[] for _ in made]
    end = time.monotonic() + seconds
    for number in range(_WARM_UP + calls):
        for (call, given), spent in zip(made, times, strict=True):
            took = call(next(given))
            if number >= _WARM_UP:
                spent.append(took)
        if number >= _WARM_UP and time.monotonic() > end:
            break
    return times


def summary(times: Sequence[float]) -> dict[str, Any]:
    """`{"median", "p95", "best", "calls"}`, microseconds."""
    median, p95 = np.percentile(times, (50, 95))
    return {"median": float(median), "p95": float(p95), "best": min(times), "calls": len(times)}


def _calls(
    bundle: Bundle, form: str | None, threads: int, images: Any
) -> tuple[Callable[[Any], float], Iterator[Any]]:
    """What to time, in microseconds, and on what."""
    if bundle.manifest.caption is not None:
        captioner = Captioner(bundle, threads)

        def write(image: Any) -> float:
            found = captioner.caption(image)[0]
            return found.encode_us + found.decode_us

        return write, cycle(images)
    if bundle.manifest.clip is not None:
        model = ClipModel(bundle, form or "step", threads)
        stream = model.open_stream()
        view = model.preprocess.view()
        return lambda pixels: stream.step(pixels).latency_us, cycle([view.pixels(image) for image in images])
    classifier = Classifier(bundle, form, threads)
    return lambda image: classifier.predict(image).latency_us, cycle(images)
