"""Several devices side by side: one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from rnnedge.deploy.ssh.deployment import Deployment, Told
from rnnedge_device.errors import InputError

Act = Callable[[Deployment, Told], dict[str, Any]]


def run_fleet(
    deployments: list[Deployment], act: Act, parallel: int, console: Console
) -> list[dict[str, Any]]:
    """Do the same with every device, so many at a time, and show how far each is.

    Args:
        act: what is done with one; its report has `"ok"`.
        console: where the table goes; on one that is no terminal, a line for each device that is done.

    Returns:
        The reports, in the order of the deployments. What fails in an unforeseen way is a report too.

    Example:
        run_fleet(deployments, lambda one, told: one.of_package(shelf, told), 4, Console(stderr=True))
    """
    with _table(deployments, console) as tells, ThreadPoolExecutor(parallel) as pool:
        futures = [
            pool.submit(_reported, act, one, told, console)
            for one, told in zip(deployments, tells, strict=True)
        ]
        return [future.result() for future in futures]


def print_summary(reports: list[dict[str, Any]], console: Console) -> None:
    """A line for each device: what became of it, and its warnings."""
    table = Table(box=None)
    for column in ("device", "", "seconds", "what runs"):
        table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
    for report in reports:
        outcome = "[green]done[/]" if report["ok"] else f"[red]failed[/]: {escape(report.get('failed', ''))}"
        table.add_row(escape(report["host"]), outcome, f"{report['seconds']:.1f}", escape(_told(report)))
    console.print(table)
    for report in reports:
        for warning in report["warnings"]:
            console.print(f"{escape(report['host'])}: warning: {escape(warning)}", highlight=False)


def _told(report: dict[str, Any]) -> str:
    if not report["ok"]:
        return str(report["error"])
    what = f"bundle {report['bundle'][:16]}, service {report['service']}"
    if events := report.get("events"):
        what += f"; first event: {events[0]['label']} {events[0].get('score', 0):.2f}"
    return what


def _reported(act: Act, deployment: Deployment, told: Told, console: Console) -> dict[str, Any]:
    try:
        report = act(deployment, told)
    except (InputError, OSError) as problem:
        report = {
            "host": deployment.host.title,
            "ok": False,
            "warnings": [],
            "error": str(problem),
            "failed": "start",
            "seconds": 0.0,
        }
    told("done" if report["ok"] else "failed", 1.0 if report["ok"] else None)
    if not console.is_terminal:
        console.print(
            f"{report['host']}: {'done' if report['ok'] else 'failed: ' + report['error']}", markup=False
        )
    return report


@contextmanager
def _table(deployments: list[Deployment], console: Console) -> Iterator[list[Told]]:
    """A row for each device, and for each what moves it."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[host]}"),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield [_teller(progress, one) for one in deployments]


def _teller(progress: Progress, deployment: Deployment) -> Told:
    row = progress.add_task("waits", total=1.0, host=escape(deployment.host.title), start=False)

    def told(step: str, share: float | None) -> None:
        progress.start_task(row)
        progress.update(row, description=step, completed=share if share is not None else 0.0)
        if step in ("done", "failed"):
            progress.stop_task(row)

    return told
