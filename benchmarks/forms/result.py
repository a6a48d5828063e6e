"""What one size's run found: a row for each candidate, and the targets that the project has set itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.forms.candidate import Agreement, Candidate
from benchmarks.forms.timing import Timing

STOCK_INT8 = "TFLite fused, post-training int8"


@dataclass(frozen=True)
class Target:
    """One target: what was aimed at, what was found, and whether that is enough."""

    name: str
    found: float
    met: bool


@dataclass(frozen=True)
class Result:
    """All candidates at one size."""

    cell: str
    units: int
    rows: list[tuple[Candidate, Timing, Agreement | None]]

    def best(self, role: str) -> tuple[Candidate, Timing]:
        """The candidate of a role with the smallest median."""
        found = [(candidate, timing) for candidate, timing, _ in self.rows if candidate.role == role]
        return min(found, key=lambda pair: pair[1].median_us)

    def sorted(self) -> list[tuple[Candidate, Timing, Agreement | None]]:
        """The rows as a table shows them: ours, peers, limits, each from fast to slow."""
        roles = ("ours", "peer", "limit")
        return sorted(self.rows, key=lambda row: (roles.index(row[0].role), row[1].median_us))

    def targets(self) -> list[Target]:
        """What of the project's targets this size answers."""
        ours, peer, limit = (self.best(role)[1].median_us for role in ("ours", "peer", "limit"))
        found = [
            Target("our best form is faster than every peer: best peer / ours > 1", peer / ours, peer > ours)
        ]
        rows = {candidate.name: (candidate, timing) for candidate, timing, _ in self.rows}
        if STOCK_INT8 in rows:
            stock, timing = rows[STOCK_INT8]
            faster = timing.median_us / ours
            found.append(Target("stock fused int8 / our best form >= 20", faster, faster >= 20))
            size = (rows["loop"][0].size_bytes or 0) / (stock.size_bytes or 1)
            found.append(Target("loop .tflite / stock fused int8 .tflite <= 1.1", size, size <= 1.1))
        if self.units >= 128:
            found.append(Target("our best form / limit <= 2", ours / limit, ours <= 2 * limit))
        return found

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        ours, peer = self.best("ours")[1].median_us, self.best("peer")[1].median_us
        return {
            "cell": self.cell,
            "units": self.units,
            "candidates": [
                {
                    "name": candidate.name,
                    "role": candidate.role,
                    **asdict(timing),
                    "to_our_best": timing.median_us / ours,
                    "to_best_peer": timing.median_us / peer,
                    "size_bytes": candidate.size_bytes,
                    "max_abs": agreement.max_abs if agreement else None,
                    "top1": agreement.top1 if agreement else None,
                }
                for candidate, timing, agreement in self.sorted()
            ],
            "targets": [asdict(target) for target in self.targets()],
        }

    def table(self) -> str:
        """The table as Markdown."""
        ours, peer = self.best("ours")[1].median_us, self.best("peer")[1].median_us
        lines = [
            f"{self.cell}, {self.units} units",
            "",
            "| candidate | median µs | p95 µs | / our best | / best peer | file KB | max error | top-1 |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for candidate, timing, agreement in self.sorted():
            label = f"**{candidate.name}**" if candidate.role == "ours" else candidate.name
            size = f"{candidate.size_bytes / 1000:.1f}" if candidate.size_bytes else ""
            same = (f"{agreement.max_abs:.0e}", f"{agreement.top1:.1%}") if agreement else ("", "")
            ratios = f"{timing.median_us / ours:.2f} | {timing.median_us / peer:.2f}"
            times = f"{timing.median_us:.1f} | {timing.p95_us:.1f}"
            lines.append(f"| {label} | {times} | {ratios} | {size} | {same[0]} | {same[1]} |")
        lines.append("")
        for target in self.targets():
            lines.append(f"- {'met' if target.met else 'MISSED'}: {target.name}: {target.found:.2f}")
        return "\n".join(lines)
