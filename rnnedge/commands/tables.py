"""Tables on the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def print_accuracy(figures: dict[str, Any]) -> None:
    """Float, QAT and int8 side by side: accuracy, size, latency."""
    images = figures.get("images") or figures["accuracy"].get("images")
    sizes, times, form = figures["size_bytes"], figures["latency_us"], figures["form"]
    table = _table(f"{figures['data']}, {images:,} test images", "", "accuracy", ".tflite", "one image")
    rows = (
        ("float32", "float", sizes["float32_tflite"], times["float32"]),
        ("fake-quantised", "qat", None, None),
        (f"int8 {form}", "int8", sizes["int8_tflite"], times[form]),
    )
    for title, key, size, time in rows:
        table.add_row(
            title,
            f"{figures['accuracy'][key]:.4f}",
            f"{size / 1000:,.1f} kB" if size else "",
            f"{time:,.1f} µs" if time else "",
        )
    console = Console()
    console.print(table)
    console.print(
        f"int8 agrees with the trained model on {figures['agreement']:.2%} of the images, "
        f"at most {figures['max_lsb']} LSB apart",
        highlight=False,
    )


def print_baselines(rows: list[dict[str, Any]]) -> None:
    """Post-training conversions, one row each."""
    table = _table("post-training baselines", "method", "form", "accuracy", ".tflite", "one image")
    for row in rows:
        if "error" in row:
            table.add_row(row["method"], row["form"], "failed", "", "")
        else:
            table.add_row(
                row["method"],
                row["form"],
                f"{row['accuracy']:.4f}",
                f"{row['size_bytes'] / 1000:,.1f} kB",
                f"{row['latency_us']:,.1f} µs",
            )
    Console().print(table)
