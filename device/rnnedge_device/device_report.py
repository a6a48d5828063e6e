"""What a machine makes of a bundle, for one line of JSON: does it compute the right thing, how fast, how hot?"""

from typing import Any

from rnnedge_device.bundle import Bundle
from rnnedge_device.camera_probe import probe_camera
from rnnedge_device.choice import chosen_form
from rnnedge_device.golden import GOLDEN
from rnnedge_device.interpreter import runtime_version
from rnnedge_device.machine import machine
from rnnedge_device.selftest import self_test
from rnnedge_device.thermal import Thermal
from rnnedge_device.timing import candidates, summary, time_forms

_CALLS = 300  # of each form in a benchmark, at least 200 for a p95 that means something


def self_test_report(bundle: Bundle, form: str | None, threads: int, alone: bool) -> dict[str, Any]:
    """The self-test; where it passes and nothing else is to run (`alone`), also how fast, how hot, and the camera.

    Returns:
        `{"selftest"}` as `self_test` has it, and if `alone` `{"throughput": {"form", "median_us", "p95_us", "fps"},
        "camera", "temperature_c", "throttled"}`; `camera` as `probe_camera` has it.

    Raises:
        BundleError: as `self_test`.
    """
    form = chosen_form(bundle, form)
    report: dict[str, Any] = {"selftest": self_test(bundle, form, threads)}
    if not alone or not report["selftest"]["ok"]:
        return report
    streamed = form if form in candidates(bundle) else None
    times = summary(time_forms(bundle, [streamed], threads, seconds=0.5)[0])
    heat = Thermal().read()
    return {
        **report,
        "throughput": {"form": streamed or _default(bundle), **_speed(times)},
        "camera": probe_camera(),
        "temperature_c": heat.temperature_c,
        "throttled": heat.throttled,
    }


def benchmark(bundle: Bundle, form: str | None, threads: int, seconds: float = 60.0) -> dict[str, Any]:
    """Time the forms of a bundle that a stream can run in, in turn, on its golden images.

    Args:
        form: this one alone; None for all.
        seconds: at most, for all together.

    Returns:
        `{"machine", "runtime", "threads", "name", "task", "forms": {name: {"median_us", "p95_us", "fps", "calls"}},
        "temperature_c": {"before", "after"}, "throttled"}`; fps is of the interpreter alone.

    Raises:
        BundleError: no golden images, or no such form.
    """
    if GOLDEN not in bundle.members:
        self_test(bundle)  # says so
    form = chosen_form(bundle, form)
    forms = [bundle.manifest.form(form).name] if form else candidates(bundle)
    thermal = Thermal()
    before = thermal.read()
    times = time_forms(bundle, forms, threads, _CALLS, seconds)
    after = thermal.read()
    found = {name or _default(bundle): summary(spent) for name, spent in zip(forms, times, strict=True)}
    return {
        "machine": machine(),
        "runtime": runtime_version(),
        "threads": threads,
        "name": bundle.manifest.name,
        "task": bundle.manifest.task,
        "forms": {name: {**_speed(one), "calls": one["calls"]} for name, one in found.items()},
        "temperature_c": {"before": before.temperature_c, "after": after.temperature_c},
        "throttled": after.throttled,
    }


def _default(bundle: Bundle) -> str:
    names = {"captions": "encode+decode", "clips": "step"}
    return names.get(bundle.manifest.task) or bundle.manifest.form(None).name


def _speed(times: dict[str, Any]) -> dict[str, float]:
    return {
        "median_us": round(times["median"], 1),
        "p95_us": round(times["p95"], 1),
        "fps": round(1e6 / times["median"], 1),
    }
