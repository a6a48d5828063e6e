"""Bundles on their way to where they run: a static site, an APK."""
