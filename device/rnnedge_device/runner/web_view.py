"""The web view of a runner: a server around a sink, opened, changed and closed as the config says."""

import contextlib
import logging
from typing import Any

from rnnedge_device.errors import InputError
from rnnedge_device.runner.config import Config
from rnnedge_device.runner.controls import Controls
from rnnedge_device.runner.sections import SECTIONS
from rnnedge_device.runner.status import RunnerStatus
from rnnedge_device.sinks.sink import Sink

_log = logging.getLogger(__name__)


class ConfiguredWeb:
    """What `[web]` asks for.

    Args:
        status, controls: what the server shows, and whom it asks.
        sink: that takes messages for it; None without a web view.
    """

    def __init__(self, status: RunnerStatus, controls: Controls) -> None:
        self._status, self._controls = status, controls
        self._options: Any = None
        self._server: Any = None
        self.sink: Sink | None = None

    def open(self, config: Config) -> None:
        """Make it, if there is to be one.

        Raises:
            InputError: a package that it needs is missing, or an option cannot be used.
        """
        self._options = config.sections.get("web")
        if self._options is None:
            self.sink = None
            return
        from rnnedge_device.web.live import LiveView  # needs the extra, as the section does

        # What it has seen stays: it is a view of the same cameras.
        view = self.sink or LiveView()
        # Not a sink like the others: it is a server around one, and asks the runner back.
        self._server = SECTIONS["web"].make(self._options, view, self._status, self._controls)
        self.sink = view

    def start(self) -> None:
        """Listen.

        Raises:
            InputError: the address cannot be used.
        """
        if self._server is not None:
            self._server.start()

    def change(self, config: Config) -> None:
        """That of another config; the same one goes on. Where it cannot be opened, the log says so and the one
        before comes back."""
        if config.sections.get("web") == self._options:
            return
        before = self._options
        self.close()
        for options in (config.sections.get("web"), before):
            try:
                self.open(config.model_copy(update={"sections": {"web": options}}))
                self.start()
                return
            except InputError as problem:
                _log.error("reload: %s", problem, extra={"sink": "web"})
                self.close()

    def close(self) -> None:
        """Stop listening."""
        server, self._server, self._options = self._server, None, None
        if server is not None:
            with contextlib.suppress(Exception):
                server.stop()
