"""A runner under systemd: what it tells the service manager, and the unit file."""

from rnnedge_device.service.notify import Notifier
from rnnedge_device.service.unit import unit_of, unit_text
from rnnedge_device.service.watchdog import Watchdog

__all__ = ["Notifier", "Watchdog", "unit_of", "unit_text"]
