"""A Debian package of a bundle: runner, runtime, service and model in one file."""
