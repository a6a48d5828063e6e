"""MNIST, Fashion-MNIST and CIFAR-10 through ``keras.datasets``, which downloads once and caches."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from rnnedge.data.dataset import Dataset
from rnnedge.data.split import split_by_class
from rnnedge_device.errors import InputError

# The sets come as train and test; val is this share of each class of train.
VAL = 0.10

DIGITS = [str(i) for i in range(10)]
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"]
FASHION += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
CLASSES = {"mnist": DIGITS, "fashion_mnist": FASHION, "cifar10": CIFAR}

Pairs = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_keras_set(name: str, split: str) -> Dataset:
    """Load a split of ``mnist``, ``fashion_mnist`` or ``cifar10``.

    ``$RNNEDGE_DATA/mnist/mnist.npz``, where it exists, is read instead of Keras's own cache.
    """
    (x_train, y_train), (x_test, y_test) = _arrays(name)
    if split == "test":
        return _dataset(name, "test", x_test, y_test)
    train = _dataset(name, "train", x_train, y_train)
    if split == "all":
        test = _dataset(name, "test", x_test, y_test)
        images = np.concatenate([train.images, test.images])
        labels = np.concatenate([train.labels, test.labels])
        return Dataset(images, labels, train.names, train.ids + test.ids, name)
    return train.take(split_by_class(train.ids, train.labels, split, val=VAL, test=0.0), split)


def _dataset(name: str, part: str, images: np.ndarray, labels: np.ndarray) -> Dataset:
    """Check one part. Labels come as ``[N]`` or ``[N, 1]``, colour images as RGB."""
    if images.ndim == 4 and images.shape[-1] == 3:
        images = np.ascontiguousarray(images[..., ::-1])
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    ids = [f"{name}/{part}/{i:05d}" for i in range(len(images))]
    return Dataset(images, labels, CLASSES[name], ids, name, part)


def _arrays(name: str) -> Pairs:
    local = os.environ.get("RNNEDGE_DATA")
    if name == "mnist" and local and (path := Path(local) / "mnist" / "mnist.npz").is_file():
        return _read_npz(path)
    from rnnedge.backend import use_backend

    use_backend()
    import keras

    try:
        pairs: Pairs = getattr(keras.datasets, name).load_data()
    except Exception as error:
        # No network, a full disk, a damaged cache file: Keras raises bare Exception for the first of them.
        raise InputError(f"data={name!r}: keras.datasets could not load it: {error}") from error
    return pairs


def _read_npz(path: Path) -> Pairs:
    keys = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in keys if key not in archive.files]
            if missing:
                raise InputError(f"{path}: has no array {', '.join(missing)}; needs {', '.join(keys)}")
            x_train, y_train, x_test, y_test = (archive[key] for key in keys)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as an .npz archive: {error}") from error
    return (x_train, y_train), (x_test, y_test)
