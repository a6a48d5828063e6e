"""Small real video files and folders of frames whose pictures tell their number."""

import cv2
import numpy as np

from rnnedge.data import ClipOptions
from rnnedge_device.preprocess import Preprocess

PREPROCESS = Preprocess((8, 12))
OPTIONS = ClipOptions(fps=10.0)


def grey(index, start=10):
    """The value that fills a film's picture number `index`; motion JPEG keeps flat pictures but for 2 levels."""
    return (start + 5 * index) % 240


def film(path, count=20, fps=10.0, start=10, size=(24, 16)):
    """A motion-JPEG file of `count` flat pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, size)
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.full((size[1], size[0], 3), grey(index, start), np.uint8))
    writer.release()
    return path


def pictures(folder, count=12, name="{}.png", start=10):
    """A folder of `count` flat pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        cv2.imwrite(str(folder / name.format(index)), np.full((16, 24), grey(index, start), np.uint8))
    return folder


def numbers(frames, start=10):
    """Which pictures these frames are, as far as 48 of them can be told apart."""
    return np.rint((frames.reshape(len(frames), -1).mean(axis=1) - start) / 5).astype(int).tolist()
