"""What may be asked of a runner while it runs: by the API, by signals, by the watch on bundle files."""

from pathlib import Path
from typing import Protocol


class Controls(Protocol):
    """Orders to a runner. Safe from any thread; they return at once, and what comes of them is a health line.

    Raises:
        InputError: (all that name a camera) there is no such camera, or it cannot do that.
    """

    def reset(self, camera: str) -> None:
        """The camera's state begins anew with its next frame."""

    def swap(self, camera: str, bundle: Path) -> None:
        """Check and load another bundle beside the one that runs, then switch between two frames.

        Says `swapped`, or `refused` where the trial found it unfit and the old one goes on; `rolled_back` where it was
        worse at work. `detail` has the reason.
        """

    def rollback(self, camera: str) -> None:
        """Go back to the bundle before the last swap. Says `rolled_back`."""

    def reload(self) -> None:
        """Read the config again; cameras and sinks that are the same in it run on. What SIGHUP does."""

    def stop(self) -> None:
        """Take no further frame, deliver what was promised, end. What SIGTERM does."""
