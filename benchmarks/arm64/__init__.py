"""Trained bundles on x86-64 and on an emulated arm64 machine: the same outputs? See `__main__.py`."""
