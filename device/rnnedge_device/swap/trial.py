"""A bundle's trial: read, self-test, time. It may crash or hang the process it runs in, see `Checker`."""

import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from statistics import median
from typing import Any

from rnnedge_device.bundle import Bundle, read_bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import BundleError
from rnnedge_device.golden import GOLDEN, Golden
from rnnedge_device.selftest import self_test
from rnnedge_device.signature import PublicKey

# Timing ends with whichever comes first.
_CALLS, _SECONDS = 60, 1.0
_WARM_UP = 3


def try_bundle(
    path: str, key: PublicKey | None = None, form: str | None = None, threads: int = 1, task: str = ""
) -> dict[str, Any]:
    """Everything that can be found out about a bundle before it is let near a live camera.

    Args:
        key: it must be signed with it.
        form: to test and time; None: all that have golden outputs are tested, the default is timed.
        task: it must be of this task; "" for any.

    Returns:
        `{"sha256", "task", "selftest", "latency_us": {"median", "best", "calls"}}`, JSON-ready; the latency is
        the interpreter's: an image's, a step's, or a whole caption's.

    Raises:
        BundleError: whatever is wrong with it, a self-test that fails included.
    """
    bundle = read_bundle(path, key)
    manifest = bundle.manifest
    if task and manifest.task != task:
        raise BundleError(f"bundle {path!r}: task = {manifest.task!r}: must be {task}, as the one that runs")
    result = self_test(bundle, None if manifest.task == "captions" else form, threads)
    for tested in result["forms"]:
        if not tested["ok"]:
            gap = f"{tested['max_lsb']} LSB" if "max_lsb" in tested else f"{tested['max_abs']:.2g}"
            raise BundleError(
                f"bundle {path!r}: the self-test failed: form {tested['form']}: largest difference {gap}, "
                f"allowed {tested['allowed']:.2g}; {tested['agree']:.0%} of the labels agree"
            )
    return {
        "sha256": bundle.sha256,
        "task": manifest.task,
        "selftest": result,
        "latency_us": _latency(bundle, form, threads),
    }


def _latency(bundle: Bundle, form: str | None, threads: int) -> dict[str, Any]:
    images = Golden.from_bytes(bundle.members[GOLDEN]).images
    call, given = _calls(bundle, form, threads, images)
    times: list[float] = []
    end = time.monotonic() + _SECONDS
    for number, item in enumerate(islice(given, _WARM_UP + _CALLS)):
        spent = call(item)
        if number >= _WARM_UP:
            times.append(spent)
        if times and time.monotonic() > end:
            break
    return {"median": median(times), "best": min(times), "calls": len(times)}


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
        return lambda pixels: stream.step(pixels).latency_us, cycle(map(view.pixels, images))
    classifier = Classifier(bundle, form, threads)
    return lambda image: classifier.predict(image).latency_us, cycle(images)
