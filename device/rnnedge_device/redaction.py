"""Secrets kept out of what is written down: passwords in addresses, tokens, and values that were declared secret."""

import re
import threading

HIDDEN = "***"
_PATTERNS = (
    # rtsp://user:password@camera → rtsp://***@camera. Up to the last @ before the path: passwords may have one.
    (re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#]+@"), rf"\1{HIDDEN}@"),
    # token=..., "password": "...", Api-Key: ...
    (
        re.compile(
            r"""(?ix)
                ( \b [\w-]* (?: password | passwd | passphrase | secret | token | api[_-]?key ) ["']? \s* [=:] \s* )
                (?: "[^"]*" | '[^']*' | [^\s&,;}\]"']+ )"""
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)(\bauthorization[\"']?\s*[=:]\s*[\"']?(?:bearer|basic)\s+)[^\s\"',]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}"), rf"\1{HIDDEN}"),
)
_lock = threading.Lock()
_declared: list[str] = []


def declare_secret(value: str) -> None:
    """From now on `value` is hidden wherever `redact` sees it. For passwords and tokens as they are read from files.

    Values of fewer than 4 characters are not hidden: they would be found everywhere.
    """
    with _lock:
        if len(value) >= 4 and value not in _declared:
            # The longest first: a secret that contains another one is hidden whole.
            _declared[:] = sorted([*_declared, value], key=len, reverse=True)


def redact(text: str) -> str:
    """`text` without what looks like a secret or was declared one.

    Example:
        redact("lost rtsp://admin:1234@10.0.0.7/live")  # "lost rtsp://***@10.0.0.7/live"
    """
    for value in _declared:
        text = text.replace(value, HIDDEN)
    for pattern, hidden in _PATTERNS:
        text = pattern.sub(hidden, text)
    return text
