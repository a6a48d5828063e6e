"""`rnnedge-run`: a bundle on a source of frames, or a config of cameras for as long as it may be.

Exit codes: 0 done, 1 the self-test or the run failed, 2 bad input, 3 a camera gave up and the others are at their ends,
130 Ctrl-C.
"""

import contextlib
import errno
import json
import os
import sys
from typing import Any

import click

from rnnedge_device import report_text
from rnnedge_device.errors import InputError, SourceLostError
from rnnedge_device.phones.command import serve, serving_options


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  rnnedge-run digits.rnnedge --source 0 --jsonl -
  rnnedge-run digits.rnnedge --source clip.mp4 --save seen.mp4 --json
  rnnedge-run actions.rnnedge --source 0 --source 1 --jsonl -
  rnnedge-run scenes.rnnedge --source 0 --beam 3 --show
  rnnedge-run digits.rnnedge --selftest --json
  rnnedge-run digits.rnnedge --benchmark
  rnnedge-run actions.rnnedge --source 0 --record seen.rec
  rnnedge-run actions.rnnedge --source replay:seen.rec --jsonl -
  rnnedge-run --config door.toml""",
)
@click.argument("bundle", required=False)
@click.option("--config", metavar="FILE", help="Cameras, sinks and web view from a TOML file, left running.")
@click.option("--check", is_flag=True, help="With --config: check all it names, start nothing.")
@click.option(
    "--source",
    "sources",
    metavar="S",
    multiple=True,
    help="Camera (0, /dev/video0 or picamera, each with [:WxH[@FPS]][,mjpg]), rtsp:// or http:// URL, video file, "
    "image file, folder of images (FOLDER@FPS where they are frames), raw:WxH[@FPS][,gray] on stdin, replay:FILE, or "
    "synthetic[:WxH[@FPS][xFRAMES]]; live: before a file plays it at its own rate. Several for clips, each with a "
    "state of its own, and captions.",
)
@click.option(
    "--form",
    metavar="F",
    help="loop, unrolled, step or fused, or auto for what rnnedge-device chose; the bundle's default if not given.",
)
@click.option(
    "--beam", type=click.IntRange(min=1), metavar="N", help="Captions: hypotheses kept; 1 is greedy."
)
@click.option(
    "--interval-ms",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Captions: a new one so long after the last, by the source's time.",
)
@click.option("--max-frames", type=click.IntRange(min=1), metavar="N", help="Stop after N frames a source.")
@click.option(
    "--jsonl",
    metavar="FILE|-",
    help="Write an event a line to FILE (whole, at the end) or to - (stdout, at once).",
)
@click.option("--show", is_flag=True, help="Show the annotated frames in a window.")
@click.option(
    "--save",
    metavar="FILE",
    help="Write the annotated frames to a video (.mp4, .avi); a further source to NAME-2, …",
)
@click.option(
    "--record",
    metavar="FILE",
    help="Keep the raw frames and their times, for --source replay:FILE; a further source's in NAME-2, …",
)
@click.option("--selftest", is_flag=True, help="First check the bundle's golden inputs on this machine.")
@click.option("--benchmark", is_flag=True, help="Time every form on this machine, and run nothing.")
@click.option(
    "--require-signature",
    metavar="KEY.pub",
    help="Refuse a bundle that is not signed with this key (rnnedge sign).",
)
@click.option(
    "--print-unit",
    is_flag=True,
    help="Print a systemd unit that runs this very command as a hardened service, and do nothing else.",
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, metavar="N")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the summary as JSON on stdout (on stderr beside --jsonl -).",
)
@serving_options
def run(
    bundle: str | None,
    sources: tuple[str, ...],
    as_json: bool,
    selftest: bool,
    benchmark: bool,
    require_signature: str | None,
    config: str | None,
    check: bool,
    print_unit: bool,
    serve_web: str | None,
    listen: str,
    cert: str | None,
    key: str | None,
    **options: Any,
) -> int:
    """Run BUNDLE on the frames of a source and report what it sees.

    A clip model carries its state from frame to frame; the signal USR1 makes every source begin anew. A caption
    model writes a caption when the scene changes or the interval is over: beside the frames of a camera, which go
    on, and at once for each such frame of a file.
    """
    # What it takes is imported when it is needed, so that --help and a wrong option answer at once.
    if serve_web is not None:
        return serve(serve_web, listen, cert, key)
    if print_unit:
        from rnnedge_device.service.unit import unit_of

        named, files = (sources, ()) if config is None else _runner_command().named_in(config)
        click.echo(unit_of(click.get_current_context().obj, named, files), nl=False)
        return 0
    if config is not None:
        return _run_config(config, check)
    if bundle is None or check:
        raise click.UsageError("--check is for --config" if check else "give BUNDLE, or --config FILE")
    from rnnedge_device.bundle import read_bundle
    from rnnedge_device.signature import PublicKey

    if benchmark and (sources or selftest):
        raise click.UsageError("--benchmark runs alone; leave out --source and --selftest")
    if not sources and not selftest and not benchmark:
        raise click.UsageError("give --source, --selftest, or both; or --benchmark")
    loaded = read_bundle(bundle, PublicKey.read(require_signature) if require_signature else None)
    from rnnedge_device.models import check_options
    from rnnedge_device.session import run_session

    if benchmark:
        from rnnedge_device import device_report

        found = device_report.benchmark(loaded, options["form"], options["threads"])
        click.echo(json.dumps(found) if as_json else "\n".join(report_text.benchmark_lines(found)))
        return 0
    check_options(loaded, options["form"] if sources else None, options["beam"], options["interval_ms"])
    report: dict[str, Any] = {"bundle": bundle}
    if selftest:
        from rnnedge_device.device_report import self_test_report

        report |= self_test_report(loaded, options["form"], options["threads"], alone=not sources)
        if not as_json:
            click.echo("\n".join(report_text.self_test_lines(report)))
        if not report["selftest"]["ok"] or not sources:
            if as_json:
                click.echo(json.dumps(report))
            return 0 if report["selftest"]["ok"] else 1

    def print_summary(summary: dict[str, Any]) -> None:
        whole = {**report, **summary}
        text = json.dumps(whole) if as_json else report_text.session_text(whole)
        click.echo(text, err=options["jsonl"] == "-")

    return run_session(
        loaded, sources, print_summary, text=not as_json and options["jsonl"] != "-", **options
    )


def _runner_command() -> Any:
    from rnnedge_device.extras import load_extra

    load_extra("pydantic", "--config")
    from rnnedge_device.runner import command

    return command


def _run_config(path: str, check: bool) -> int:
    context = click.get_current_context()
    beside = [
        name
        for name in context.params
        if name not in ("config", "check")
        and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ]
    if beside:
        raise click.UsageError(f"--config has everything in its file; leave out {', '.join(beside)}")
    command = _runner_command()
    if check:
        click.echo(command.check_config(path))
        return 0
    code: int = command.run_config(path)
    return code


def main(arguments: list[str] | None = None) -> None:
    """The command; ends the process with its exit code."""
    # A label that the terminal cannot print must not end the stream.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(_exit_code(sys.argv[1:] if arguments is None else arguments))


def _exit_code(arguments: list[str]) -> int:
    try:
        # Not click's main(): it has exit codes of its own for Ctrl-C and for a closed pipe.
        with run.make_context("rnnedge-run", list(arguments), obj=arguments) as context:
            code: int = run.invoke(context)
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as ended:  # --help
        return ended.exit_code
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except SourceLostError as problem:
        return _fail(problem, 3)
    except InputError as problem:
        return _fail(problem, 2)
    except BrokenPipeError:
        # Whoever read our stdout (such as `head`) has enough.
        _drop_stdout()
        return 0
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return _fail(f"{problem}{'; the file of that name was left as it was' if full else ''}", 1)
    except (KeyboardInterrupt, click.Abort):
        _drop_stdout()
        return 130


def _drop_stdout() -> None:
    # Python flushes stdout once more at the end, into a pipe that is closed or that nobody empties.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(problem: object, code: int) -> int:
    click.echo(f"rnnedge-run: {problem}", err=True)
    return code
