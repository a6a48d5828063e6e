"""Bundles on a device: installed only when they pass their trial, the one before kept, links switched by rename."""

from rnnedge_device.install.installer import install, roll_back, status
from rnnedge_device.install.store import BundleStore

__all__ = ["BundleStore", "install", "roll_back", "status"]
