"""Reports of `rnnedge-run` as lines for people."""

from collections.abc import Iterator
from typing import Any


def session_text(report: dict[str, Any]) -> str:
    """The summary of a session, a line."""
    what = f", {report['steps']} steps" if "steps" in report else ""
    if "captions" in report:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report["reasons"].items())
        what = f", {report['captions']} captions ({reasons or 'none finished'})"
    return (
        f"{report['frames']} frames{what} in {report['seconds']:.2f} s ({report['fps']:.1f} fps), "
        f"{report['dropped']} dropped, {report['skipped']} skipped; {report['form']} on {report['runtime']}: "
        f"{_timing(report)}"
    )


def self_test_lines(report: dict[str, Any]) -> Iterator[str]:
    """A line for each form that was tested, and one for what else was looked at."""
    result = report["selftest"]
    for form in result["forms"]:
        gap = f"{form['max_lsb']} LSB" if "max_lsb" in form else f"{form['max_abs']:.2g}"
        yield (
            f"self-test {'passed' if form['ok'] else 'FAILED'}: {form['form']}: {result['images']} images, "
            f"{form['equal']:.1%} of outputs bit-equal, largest difference {gap} "
            f"(allowed {form['allowed']:.2g}), {form['agree']:.0%} same label; "
            f"{result['runtime']} on {result['machine']}"
        )
    if "throughput" in report:
        speed, camera = report["throughput"], report["camera"]
        seen = "no camera"
        if camera is not None:
            seen = f"camera {camera['source']}: {camera.get('error') or camera['size']}"
        yield (
            f"{speed['form']}: median {speed['median_us']:.0f} us, p95 {speed['p95_us']:.0f} us; {seen}; "
            f"{_degrees(report['temperature_c'])}"
        )


def benchmark_lines(report: dict[str, Any]) -> Iterator[str]:
    """The machine, then a line a form."""
    about = report["machine"]
    name = about["model"] or about["architecture"]
    yield f"{name}, {about['os']}, {report['runtime']}, {report['threads']} thread(s)"
    for name, form in report["forms"].items():
        yield (
            f"{name:<14} median {form['median_us']:>9.1f} us  p95 {form['p95_us']:>9.1f} us  "
            f"{form['fps']:>9.1f} fps  {form['calls']} calls"
        )
    heat = report["temperature_c"]
    slowed = ", ".join(report["throttled"] or []) or "not slowed down"
    yield f"{_degrees(heat['before'])} before, {_degrees(heat['after'])} after; {slowed}"


def _timing(report: dict[str, Any]) -> str:
    latency = report["latency_us"]
    if latency is None:  # stopped before the first caption
        return "nothing measured"
    if "captions" in report:
        encode, decode = (report[key]["median"] / 1000 for key in ("encode_us", "decode_us"))
        return f"median {encode:.2f} ms to encode, {decode:.2f} ms to decode"
    return f"median {latency['median']:.0f} us, p95 {latency['p95']:.0f} us"


def _degrees(value: float | None) -> str:
    return "temperature unknown" if value is None else f"{value:.1f} C"
