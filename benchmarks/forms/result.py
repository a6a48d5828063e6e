"""What one size's run found: a row for each candidate, and the targets that the project has set itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.forms.candidate import Agreement, Candidate
from benchmarks.forms.timing import Timing

STOCK_INT8 = "TFLite fused, post-training int8"
ROLES = ("ours", "peer", "limit")
Row = tuple[Candidate, Timing, Agreement | None]


@dataclass(frozen=True)
class Target:
    """One target, for a model that runs by itself and for one that is called in turn with all the others.

    Args:
        found, met: a ratio of ``Timing.median_us`` (or of file sizes), and whether it is enough.
        cold_found, cold_met: the same for ``Timing.cold_us``.
    """

    name: str
    found: float
    met: bool
    cold_found: float
    cold_met: bool

    def __str__(self) -> str:
        line = f"{'met' if self.met else 'MISSED'} {self.found:.2f}"
        if self.cold_found != self.found:
            line += f", in turn: {'met' if self.cold_met else 'MISSED'} {self.cold_found:.2f}"
        return f"{self.name}: {line}"


@dataclass(frozen=True)
class Result:
    """All candidates at one size."""

    cell: str
    units: int
    rows: list[Row]

    def best(self, role: str, time: Callable[[Timing], float] = lambda t: t.median_us) -> float:
        """The smallest median of a role's candidates."""
        return min(time(timing) for candidate, timing, _ in self.rows if candidate.role == role)

    def sorted(self) -> list[Row]:
        """The rows as a table shows them: ours, peers, limits, each from fast to slow."""
        return sorted(self.rows, key=lambda row: (ROLES.index(row[0].role), row[1].median_us))

    def targets(self) -> list[Target]:
        """What of the project's targets this size answers."""
        warm = {role: self.best(role) for role in ROLES}
        cold = {role: self.best(role, lambda t: t.cold_us) for role in ROLES}
        ratios = warm["peer"] / warm["ours"], cold["peer"] / cold["ours"]
        found = [_target("best peer / our best form > 1", lambda ratio: ratio > 1, *ratios)]
        rows = {candidate.name: (candidate, timing) for candidate, timing, _ in self.rows}
        if STOCK_INT8 in rows:
            stock, timing = rows[STOCK_INT8]
            ratios = timing.median_us / warm["ours"], timing.cold_us / cold["ours"]
            found.append(
                _target("stock fused int8 / our best form >= 20", lambda ratio: ratio >= 20, *ratios)
            )
            size = (rows["loop"][0].size_bytes or 0) / (stock.size_bytes or 1)
            found.append(
                _target("loop .tflite / stock fused int8 .tflite <= 1.1", lambda r: r <= 1.1, size, size)
            )
        if self.units >= 128:
            ratios = warm["ours"] / warm["limit"], cold["ours"] / cold["limit"]
            found.append(_target("our best form / limit <= 2", lambda ratio: ratio <= 2, *ratios))
        return found

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        ours, peer = self.best("ours"), self.best("peer")
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
        ours, peer = self.best("ours"), self.best("peer")
        lines = [
            f"{self.cell}, {self.units} units",
            "",
            "| candidate | median µs | p95 µs | / our best | / best peer | in turn µs | file KB | max error | top-1 |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for candidate, timing, agreement in self.sorted():
            label = f"**{candidate.name}**" if candidate.role == "ours" else candidate.name
            size = f"{candidate.size_bytes / 1000:.1f}" if candidate.size_bytes else ""
            same = f"{agreement.max_abs:.0e} | {agreement.top1:.1%}" if agreement else " | "
            times = f"{timing.median_us:.1f} | {timing.p95_us:.1f}"
            ratios = f"{timing.median_us / ours:.2f} | {timing.median_us / peer:.2f}"
            lines.append(f"| {label} | {times} | {ratios} | {timing.cold_us:.1f} | {size} | {same} |")
        lines.append("")
        lines += [f"- {target}" for target in self.targets()]
        return "\n".join(lines)


def _target(name: str, enough: Callable[[float], bool], warm: float, cold: float) -> Target:
    return Target(name, warm, enough(warm), cold, enough(cold))
