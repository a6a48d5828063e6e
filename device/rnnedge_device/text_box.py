"""Text over several lines in a box whose size does not change."""

import math
import unicodedata
from collections.abc import Iterator
from typing import Any

import cv2

_FONT, _INK, _MARGIN = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255), 6
_SCALES = (0.55, 0.5, 0.45, 0.4, 0.35)
_LEAST = 0.2  # no smaller, however much there is to say
_LINES = 4  # more only where the smallest usual letters need them


class TextBox:
    """A box that holds a text of a given length at a given width.

    The letters are as large as give at most four lines, within limits; a text that is longer than foreseen gets
    smaller ones, and ends in `...` where even the smallest do not do.

    Args:
        width: pixels.
        room: characters of the longest text to be expected.
    """

    def __init__(self, width: int, room: int) -> None:
        self._width = max(1, width - 2 * _MARGIN)
        for self._scale in _SCALES:
            # A line ends at a word: half a word, some four letters, of each stay empty.
            line = max(4, int(self._width / (_text_width("average text, ", self._scale) / 14)) - 4)
            lines = max(1, math.ceil(room / line))
            if lines <= _LINES:
                break
        self.height = lines * _pitch(self._scale) + 4  # pixels

    def draw(self, canvas: Any, top: int, text: str) -> None:
        """The text from row `top` of a picture `uint8 [H, W, 3]`, which is changed.

        OpenCV's letters are ASCII: an accent is left out, any other letter becomes `?`.
        """
        text, scale = plain(text), self._scale
        while len(lines := self._wrapped(text, scale)) > (fit := self._lines(scale)) and scale > _LEAST:
            scale = max(_LEAST, scale - 0.05)
        if len(lines) > fit:
            lines = [*lines[: fit - 1], lines[fit - 1][:-3].rstrip() + "..."]
        for number, line in enumerate(lines, start=1):
            row = top + number * _pitch(scale) - _pitch(scale) // 4
            cv2.putText(canvas, line, (_MARGIN, row), _FONT, scale, _INK, 1, cv2.LINE_AA)

    def _lines(self, scale: float) -> int:
        return max(1, (self.height - 4) // _pitch(scale))

    def _wrapped(self, text: str, scale: float) -> list[str]:
        lines: list[str] = []
        for piece in self._pieces(text, scale):
            if lines and _text_width(f"{lines[-1]} {piece}", scale) <= self._width:
                lines[-1] = f"{lines[-1]} {piece}"
            else:
                lines.append(piece)
        return lines

    def _pieces(self, text: str, scale: float) -> Iterator[str]:
        """The words; one that is wider than the box in parts."""
        for word in text.split():
            while _text_width(word, scale) > self._width and len(word) > 1:
                count = max(1, int(len(word) * self._width / _text_width(word, scale)))
                while count > 1 and _text_width(word[:count], scale) > self._width:
                    count -= 1
                yield word[:count]
                word = word[count:]
            if word:
                yield word


def plain(text: str) -> str:
    """The text in ASCII: `Bär` is `Bar`, and what has no such letter is `?`."""
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return bare.encode("ascii", "replace").decode()


def _pitch(scale: float) -> int:
    """From line to line, pixels."""
    return max(6, round(34 * scale))


def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])
