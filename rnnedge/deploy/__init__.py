"""A bundle on its way to a device: `debian` packs it, `ssh` and `sd_card` install it, `phone` serves phones."""

from rnnedge.deploy.debian.package import DebFacts, build_deb

__all__ = ["DebFacts", "build_deb"]
