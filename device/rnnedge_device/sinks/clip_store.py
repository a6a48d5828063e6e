"""A folder of numbered clips that keeps within its bounds: the oldest go."""

import logging
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rnnedge_device.errors import InputError

_log = logging.getLogger(__name__)
_NAME = re.compile(r"(\d{6,})_.+\.mp4")
_HALF = re.compile(r"\.\d{6,}_.+\.tmp\.(mp4|json)")  # as atomic_path names what is not whole yet


@dataclass(frozen=True, slots=True)
class Clip:
    """A whole clip: its number, its film, and the facts beside it (`.json`)."""

    number: int
    film: Path

    @property
    def facts(self) -> Path:
        return self.film.with_suffix(".json")

    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in (self.film, self.facts) if path.exists())


class ClipStore:
    """The clips in a folder, by number: a clock that jumps does not make a new clip an old one.

    Nothing but clips of such names is ever touched. Half a clip, as a crash leaves it, is removed.

    Args:
        folder: made if it is missing; its parent must be there.
        max_bytes: of all clips together. The newest stays even where it is larger by itself.
        keep_free: bytes that stay free on the disk, as far as clips to remove allow it.

    Raises:
        InputError: the folder cannot be made or written.
    """

    def __init__(self, folder: str, max_bytes: int, keep_free: int) -> None:
        self.folder, self._max_bytes, self._keep_free = Path(folder), max_bytes, keep_free
        try:
            self.folder.mkdir(exist_ok=True)
            (self.folder / ".writable").touch()
            (self.folder / ".writable").unlink()
        except OSError as problem:
            raise InputError(f"clips: folder = {folder!r}: cannot be written: {problem.strerror}") from None
        for path in self.folder.iterdir():
            if _HALF.fullmatch(path.name):
                path.unlink(missing_ok=True)
        self._number = max((clip.number for clip in self.clips()), default=0)

    def clips(self) -> list[Clip]:
        """The oldest first."""
        found = [(path, _NAME.fullmatch(path.name)) for path in self.folder.iterdir()]
        return sorted(
            (Clip(int(name[1]), path) for path, name in found if name), key=lambda clip: clip.number
        )

    def new(self, camera: str, label: str) -> Path:
        """The path of the next clip: `NUMBER_CAMERA_TIME_LABEL.mp4`, the time in UTC."""
        self._number += 1
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return self.folder / f"{self._number:06d}_{_plain(camera)}_{stamp}_{_plain(label)}.mp4"

    def make_room(self) -> None:
        """Remove the oldest until both bounds are kept."""
        clips = self.clips()
        sizes = {clip: clip.size() for clip in clips}
        total = sum(sizes.values())
        for clip in clips[:-1]:
            if total <= self._max_bytes and shutil.disk_usage(self.folder).free >= self._keep_free:
                return
            clip.film.unlink(missing_ok=True)
            clip.facts.unlink(missing_ok=True)
            total -= sizes[clip]
            _log.info("clips: removed %s to make room", clip.film.name)


def _plain(name: str) -> str:
    """What is safe in a file's name on every system, and no path."""
    return re.sub(r"[^\w-]+", "-", name)[:40].strip("-") or "x"
