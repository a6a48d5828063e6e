"""The progress bar; where the output is no terminal, one line an epoch."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar:
    """Shows a training's progress on stderr, so that stdout stays free for ``--json``.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, console=self._console, disable=quiet or not self._console.is_terminal)
        self._task = self._bar.add_task("", total=None, note="")

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, highlight=False, soft_wrap=True)

    def epoch(self, epoch: int, epochs: int, steps: int, done: int = 0) -> None:
        """Begin epoch ``epoch`` (from 1) of ``epochs`` with ``steps`` batches, ``done`` of them finished."""
        self._bar.reset(
            self._task, total=steps, completed=done, description=f"epoch {epoch}/{epochs}", note=""
        )

    def step(self, loss: float | None = None) -> None:
        """One batch is done."""
        note = {} if loss is None else {"note": f"loss {loss:.4f}"}
        self._bar.update(self._task, advance=1, **note)  # type: ignore[arg-type]

    def report(self, row: dict[str, float], epochs: int) -> None:
        """Print an epoch's figures."""
        self.say(
            f"epoch {int(row['epoch'])}/{epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.4f}  "
            f"val_loss {row['val_loss']:.4f}  val_accuracy {row['val_accuracy']:.4f}  {row['seconds']:.1f} s"
        )
