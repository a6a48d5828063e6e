"""What a training leaves to read: ``history.csv`` and TensorBoard events."""

from __future__ import annotations

import csv
from pathlib import Path

from rnnedge_device.files import atomic_path

COLUMNS = ("epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


def write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """Write one line an epoch with the columns :data:`COLUMNS`."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


class TensorBoard:
    """Scalars for TensorBoard, written without TensorFlow.

    Args:
        folder: where the event files go.
        step: the first step still to come; events of a run that was cut off after it are hidden.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step or None)

    def epoch(self, row: dict[str, float]) -> None:
        """Write one epoch's figures at its last step."""
        for name in COLUMNS[2:]:
            self._writer.add_scalar(name, row[name], int(row["step"]))
        self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
