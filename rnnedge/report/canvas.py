"""``Picture`` and the look that all figures share. Matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

# Told apart by people who see colours differently, on white; one model keeps one colour on every figure.
FLOAT, QAT, INT8 = "#64748b", "#c2620a", "#2563eb"
WEIGHTS, ACTIVATIONS = "#0f766e", "#7c3aed"
INK, FAINT, GRID, BAD = "#1f2937", "#6b7280", "#e5e7eb", "#b91c1c"
# Inches, narrow: on a phone's 360 points the text is still 9 points high.
WIDTH = 5.6
DPI = 160

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "axes.unicode_minus": True,
    # A class called "$x" is a name, not a formula.
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG.

    Attributes:
        name: of its file, without the suffix.
        alt: what it shows, for those who do not see it.
    """

    name: str
    png: bytes
    alt: str

    @property
    def uri(self) -> str:
        """The PNG as a ``data:`` URI."""
        return data_uri(self.png)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in CSS pixels (96 an inch)."""
        width, height = (int.from_bytes(self.png[at : at + 4], "big") for at in (16, 20))
        return round(width * 96 / DPI), round(height * 96 / DPI)


def data_uri(image: bytes, kind: str = "png") -> str:
    """A PNG or JPEG as a ``data:`` URI."""
    return f"data:image/{kind};base64," + base64.b64encode(image).decode("ascii")


@contextmanager
def look() -> Iterator[None]:
    """Draw in the report's style inside; the caller's own Matplotlib settings come back after."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def sheet(height: float, width: float = WIDTH) -> Any:
    """A new ``Figure`` of that height in inches, on Agg, outside pyplot's list of open windows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def picture(name: str, figure: Any, alt: str) -> Picture:
    """The finished figure."""
    buffer = io.BytesIO()
    # Cropped: a square matrix leaves a margin that depends on its labels.
    figure.savefig(buffer, format="png", facecolor="white", bbox_inches="tight", metadata={"Software": None})
    return Picture(name, buffer.getvalue(), alt)


def drawable(names: list[str], longest: int = 16) -> list[str]:
    """Class names that fit an axis; one in letters the font lacks becomes its number, as in the class table."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    found = []
    for index, name in enumerate(names):
        if not name.strip() or any(not font.get_char_index(ord(letter)) for letter in name):
            found.append(f"#{index}")
        else:
            found.append(name if len(name) <= longest else name[: longest - 1] + "…")
    return found


def on_dark(color: Any) -> str:
    """The ink that is read best on an RGB colour 0 to 1."""
    luminance = float(np.dot(color[:3], (0.2126, 0.7152, 0.0722)))
    return "white" if luminance < 0.5 else INK
