"""Libraries that come with an extra: imported when asked for, one clear error where they are missing."""

import importlib
from typing import Any

from rnnedge_device.errors import InputError


def load_extra(module: str, purpose: str, extra: str = "runner") -> Any:
    """The imported module.

    Args:
        module: its name, such as `paho.mqtt.client`.
        purpose: what it is for, to begin the message with, such as `mqtt`.
        extra: what to install.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise InputError(
            f"{purpose}: needs the package {package!r}; pip install 'rnnedge[{extra}]'"
        ) from None
