"""Splits that stay the same from run to run and machine to machine: they follow a hash of each name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from rnnedge_device.errors import InputError

SPLITS = ("train", "val", "test", "all")


class MissingSplitError(InputError):
    """A split that a data set does not have; one that cannot be read is another error."""


def check_split(split: str) -> None:
    """Refuse a split's name that is not one of :data:`SPLITS`."""
    if split not in SPLITS:
        raise InputError(f"split={split!r}: must be one of {', '.join(SPLITS)}")


def stable_fraction(name: str) -> float:
    """A number from 0 to below 1 that depends on the name alone."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def split_by_hash(
    names: Sequence[str], split: str, *, val: float, test: float, group: str | None = None
) -> np.ndarray:
    """Indices of the names that belong to a split; a name keeps its side when others are added.

    Args:
        names: relative paths.
        split: ``train``, ``val``, ``test`` or ``all``.
        val, test: shares of the whole, the rest is ``train``.
        group: a regular expression searched in each name. Names with the same match (its groups, or all of it
            where it has none) fall on the same side, so that one person's images never lie in train and test
            at once.
    """
    check_split(split)
    keys = group_keys(names, group)
    sides = ["test" if f < test else "val" if f < test + val else "train" for f in map(stable_fraction, keys)]
    return np.array([i for i, side in enumerate(sides) if split in (side, "all")], np.int64)


def split_by_fold(
    names: Sequence[str], split: str, *, fold: int, folds: int, group: str | None = None
) -> np.ndarray:
    """Indices of a split for cross-validation: each group is ``test`` in one fold of ``folds``.

    Groups in sorted order go to the folds in turn; of those left over in this fold every sixth is ``val``.

    Args:
        names, split, group: as for :func:`split_by_hash`.
        fold, folds: which fold, from 0 to ``folds - 1``.
    """
    check_split(split)
    if folds < 2 or not 0 <= fold < folds:
        raise InputError(f"fold={fold!r}, folds={folds!r}: fold must be from 0 to folds - 1, folds 2 or more")
    keys = group_keys(names, group)
    groups = sorted(set(keys))
    if len(groups) < folds:
        raise InputError(f"folds={folds!r}: there are {len(groups)} groups only")
    test = set(groups[fold::folds])
    val = set([key for key in groups if key not in test][::6])
    sides = ["test" if key in test else "val" if key in val else "train" for key in keys]
    return np.array([i for i, side in enumerate(sides) if split in (side, "all")], np.int64)


def group_keys(names: Sequence[str], pattern: str | None) -> list[str]:
    """What a split keeps together: each name's group, or the name itself where there is no pattern."""
    return [group_key(name, pattern) for name in names] if pattern else list(names)


def group_key(name: str, pattern: str) -> str:
    """The text that a group pattern finds in a name."""
    try:
        match = re.search(pattern, name)
    except re.error as error:
        raise InputError(f"group={pattern!r}: is not a regular expression: {error}") from None
    if match is None:
        raise InputError(f"group={pattern!r}: does not match {name!r}; every one must belong to a group")
    return "\0".join(text or "" for text in match.groups()) if match.groups() else match.group()


def split_by_class(
    names: Sequence[str], labels: np.ndarray, split: str, *, val: float, test: float
) -> np.ndarray:
    """Indices of a split with the same shares in every class, for a data set whose members never change."""
    check_split(split)
    if split == "all":
        return np.arange(len(names))
    order = np.array([stable_fraction(name) for name in names])
    chosen: list[np.ndarray] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(order[members], kind="stable")]
        first, second = round(len(members) * test), round(len(members) * (test + val))
        chosen.append(
            {"test": members[:first], "val": members[first:second], "train": members[second:]}[split]
        )
    return np.sort(np.concatenate(chosen))
