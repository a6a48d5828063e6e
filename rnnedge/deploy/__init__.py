"""A finished bundle on its way to a device: as a Debian package, and what installs one there."""

from rnnedge.deploy.package import DebFacts, build_deb

__all__ = ["DebFacts", "build_deb"]
