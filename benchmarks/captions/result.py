"""What a run found: a row for each candidate of each half, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.captions.candidate import HALVES, OURS, Agreement, Candidate
from benchmarks.forms.timing import Timing

Row = tuple[Candidate, Timing, Agreement]
_WHAT = {"encode": "one image", "decode": "one word"}


@dataclass(frozen=True)
class Result:
    """All candidates of one captioner.

    Args:
        name: of the bundle.
        rows: in any order; each half has one candidate ``OURS``.
    """

    name: str
    rows: Sequence[Row]

    def half(self, half: str) -> list[tuple[Row, float]]:
        """The rows of a half from fast to slow, ours first, with the ratio of their median to ours."""
        rows = [row for row in self.rows if row[0].half == half]
        (ours,) = (timing.median_us for candidate, timing, _ in rows if candidate.name == OURS)
        rows.sort(key=lambda row: (row[0].name != OURS, row[1].median_us))
        return [(row, row[1].median_us / ours) for row in rows]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {
            "name": self.name,
            "threads": 1,
            **{
                half: [
                    {
                        "name": candidate.name,
                        "median_us": round(timing.median_us, 2),
                        "p95_us": round(timing.p95_us, 2),
                        "in_turn_us": round(timing.cold_us, 2),
                        "to_int8": round(ratio, 3),
                        "size_bytes": candidate.size_bytes,
                        "max_error": found.error,
                        "correlation": found.correlation,
                    }
                    for (candidate, timing, found), ratio in self.half(half)
                ]
                for half in HALVES
            },
        }

    def table(self) -> str:
        """The tables as Markdown."""
        lines = []
        for half in HALVES:
            lines += [
                f"{self.name}: {half} ({_WHAT[half]}), one thread",
                "",
                "| candidate | median µs | p95 µs | / int8 | in turn µs | files KB | max error | correlation |",
                "|---|--:|--:|--:|--:|--:|--:|--:|",
            ]
            for (candidate, timing, found), ratio in self.half(half):
                name = f"**{candidate.name}**" if candidate.name == OURS else candidate.name
                times = f"{timing.median_us:.1f} | {timing.p95_us:.1f} | {ratio:.2f} | {timing.cold_us:.1f}"
                same = f"{found.error:.0e} | {found.correlation:.4f}"
                lines.append(f"| {name} | {times} | {candidate.size_bytes / 1000:.1f} | {same} |")
            lines.append("")
        return "\n".join(lines).rstrip()
