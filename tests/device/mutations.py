"""Seeded mutations of bytes and of manifests: what a broken disk, a bad copy or an enemy makes of a file."""

import json
from typing import Any

import numpy as np

# Numbers that programs trip over: ends of ranges, beyond them, and what is no number.
NUMBERS = (
    0,
    -1,
    1,
    2,
    127,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    2**32,
    2**63,
    10**30,
    10**400,
    -(10**400),
    1e308,
    1e-320,
    0.5,
)
VALUES = (
    *NUMBERS,
    True,
    None,
    "",
    "x" * 5000,
    "\ud800",
    "../../x",
    "\0",
    [],
    {},
    [[]] * 50,
    {"a": {"a": {}}},
)
WORDS = tuple(
    value.to_bytes(4, "little") for value in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 4, 1024)
)


def mutated_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Bits, bytes and words that look like offsets and lengths; in every second file blocks moved, lost or doubled too.

    A file whose length has changed seldom passes the first check; one that kept it goes deeper.
    """
    found, gentle = bytearray(data), bool(rng.integers(2))
    for _ in range(int(rng.integers(1, 5 if gentle else 9))):
        if not found:
            break
        at, length = int(rng.integers(len(found))), int(rng.integers(1, 65))
        kind = int(rng.integers(4 if gentle else 8))
        if kind == 0:
            found[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            found[at] = int(rng.integers(256))
        elif kind in (2, 3):
            # Flatbuffers and ZIP directories are made of aligned words.
            at &= ~3
            found[at : at + 4] = WORDS[int(rng.integers(len(WORDS)))]
        elif kind == 4:
            found[at : at + length] = rng.bytes(len(found[at : at + length]))
        elif kind == 5:
            del found[at : at + length]
        elif kind == 6:
            found[at:at] = found[at : at + length]
        elif rng.random() < 0.3:
            del found[at:]
    return bytes(found)


def mutated_json(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three values of a JSON text replaced, removed or doubled, wherever they are."""
    tree = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(tree))
        holder, key = places[int(rng.integers(len(places)))]
        kind = int(rng.integers(4))
        if kind == 0 and isinstance(holder, dict):
            holder[str(rng.choice(["x", "", "size", "files"]))] = holder.pop(key)
        elif kind == 0:
            holder.insert(key, holder[key])
        elif kind == 1:
            del holder[key]
            if not any(True for _ in _places(tree)):
                break
        else:
            holder[key] = VALUES[int(rng.integers(len(VALUES)))]
    return json.dumps(tree).encode()


def _places(tree: Any) -> Any:
    """Every (container, key) of a JSON tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from _places(value)
