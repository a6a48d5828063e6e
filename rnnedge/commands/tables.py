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


def print_clips(figures: dict[str, Any]) -> None:
    """A clip model's figures: clips, frames and events by float, QAT and int8, then the cost of a frame."""
    console = Console()
    titles = {"float": "float32", "qat": "fake-quantised", "int8": "int8", "single_frame": "one frame alone"}
    clips = figures["clip_accuracy"]
    if clips["int8"] is not None:
        balanced = figures.get("balanced") or {}
        table = _table(f"{figures['data']}, {clips['clips']:,} test clips", "", "accuracy", "balanced")
        for key, title in titles.items():
            if clips.get(key) is not None:
                mean = balanced.get(key)
                table.add_row(title, f"{clips[key]:.4f}", "" if mean is None else f"{mean:.4f}")
        console.print(table)
    events = figures.get("events") or {}
    if events.get("int8"):
        print_events(f"{figures['data']}", {titles[key]: events[key] for key in ("float", "qat", "int8")})
    same = figures["stream_equals_batch"]
    console.print(
        f"int8 agrees with the trained model on {figures['agreement']:.2%} of the frames; streamed and at once "
        f"differ by {same['max_abs']:g} over {same['frames']} frames; {figures['step_us']:,.0f} µs a frame "
        f"(a window of 16 run anew: {figures['window_us']:,.0f} µs)",
        highlight=False,
    )


def print_captions(figures: dict[str, Any]) -> None:
    """A captioner's figures by float, QAT and int8, then how alike the last two are and what a word costs."""
    titles = {"float": "float32", "qat": "fake-quantised", "int8": "int8"}
    scenes = bool(figures["int8"].get("scenes"))
    columns = ("attributes", "exact", "grammar") if scenes else ("BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr-D")
    table = _table(f"{figures['data']}, {figures['images']:,} images, split {figures['split']}", "", *columns)
    for kind, title in titles.items():
        row = figures[kind]
        keys = ("bleu_1", "bleu_4", "rouge_l", "cider_d")
        values = row["scenes"].values() if scenes else (row[key] for key in keys)
        table.add_row(title, *(f"{value:.4f}" for value in values))
    console = Console()
    console.print(table)
    console.print(
        f"int8 says the trained model's sentence for {figures['same_captions']:.1%} of the images and chooses its word "
        f"{figures['token_agreement']:.2%} of the time; {figures['encode_us']:,.0f} µs an image, "
        f"{figures['decode_step_us']:,.0f} µs a word",
        highlight=False,
    )


def print_scores(row: dict[str, Any]) -> None:
    """One captioner's figures on one set."""
    named = [("BLEU-1", "bleu_1"), ("BLEU-2", "bleu_2"), ("BLEU-3", "bleu_3"), ("BLEU-4", "bleu_4")]
    named += [("ROUGE-L", "rouge_l"), ("CIDEr-D", "cider_d")]
    values = [(title, row[key]) for title, key in named] + list(row.get("scenes", {}).items())
    beam = "greedy" if row["beam"] == 1 else f"beam {row['beam']}"
    skipped = f", {row['skipped']} skipped" if row["skipped"] else ""
    table = _table(
        f"{row['data']}, split {row['split']}: {row['images']:,} images{skipped}, {beam}", "", "score"
    )
    for title, value in values:
        table.add_row(title, f"{value:.4f}")
    console = Console()
    console.print(table)
    console.print(
        f"{row['encode_us']:,.0f} µs an image, {row['decode_us']:,.0f} µs a sentence", highlight=False
    )


def print_events(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """Event figures, one row a model."""
    first = next(iter(rows.values()))
    table = _table(
        f"{title}: {first['events']} events in {first['hours']:.2f} h, temporal IoU {first['iou']}",
        "",
        *("precision", "recall", "F1", "delay", "false alarms/h"),
    )
    for name, row in rows.items():
        delay = "" if row["delay_ms"] is None else f"{row['delay_ms']:,.0f} ms"
        values = (f"{row[key]:.3f}" for key in ("precision", "recall", "f1"))
        table.add_row(name, *values, delay, f"{row['false_alarms_per_hour']:,.1f}")
    Console().print(table)


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
