"""``load_data``: one door to every data set."""

from __future__ import annotations

from rnnedge.data.dataset import Dataset
from rnnedge.data.split import check_split
from rnnedge_device.errors import InputError

NAMES = ("digits", "mnist", "fashion_mnist", "cifar10", "folder:PATH")


def load_data(spec: str, split: str = "train", *, group: str | None = None, strict: bool = False) -> Dataset:
    """Load a data set by its name.

    Args:
        spec: ``digits`` (scikit-learn's scans, no download), ``mnist``, ``fashion_mnist``, ``cifar10``
            (downloaded once and cached by Keras) or ``folder:PATH`` (one sub-folder of images a class).
        split: ``train``, ``val``, ``test`` or ``all``. No image lies in two of the first three.
        group: for a folder, a regular expression on the relative path; all images of a match go to one side.
        strict: stop at an image that cannot be decoded, instead of skipping it with a count.

    Raises:
        InputError: unknown name, missing or empty folder, one class only, wrong shapes, dtypes or labels.
    """
    check_split(split)
    name, _, path = spec.partition(":")
    if name == "folder":
        if not path:
            raise InputError(f"data={spec!r}: a folder needs its path, as in folder:/data/leaves")
        from rnnedge.data.folder import load_folder

        return load_folder(path, split, group=group, strict=strict)
    if path or name not in NAMES:
        raise InputError(f"data={spec!r}: must be one of {', '.join(NAMES)}")
    if group:
        raise InputError(f"group={group!r}: groups are for folder:PATH, not for {name}")
    if name == "digits":
        from rnnedge.data.digits import load_digits

        return load_digits(split)
    from rnnedge.data.keras_sets import load_keras_set

    return load_keras_set(name, split)
