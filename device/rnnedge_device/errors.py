"""Errors a user can act on: one clear message, no traceback at the command line."""


class InputError(ValueError):
    """Bad input. The message names the argument, the value received and what is allowed."""


class BundleError(InputError):
    """A bundle that cannot be trusted or understood; nothing in it was used."""


class SignatureError(BundleError):
    """A bundle without the signature that was asked for, or with a false one; nothing in it was parsed."""


class SourceError(InputError):
    """A frame source that does not exist or cannot be read."""


class SourceLostError(SourceError):
    """A live source that worked and then stopped: a failure while running, not bad input."""


class SourceHungError(SourceLostError):
    """A live source that gives no frame and does not end either."""
