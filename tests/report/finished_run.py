"""A finished run's folder with figures that are known, so that a test can change one and look for it."""

import base64
import copy
import json

import cv2
import numpy as np

from rnnedge.evaluate import score
from rnnedge.recipes import load_recipe, write_recipe

LABELS = ["cat", "dog", "owl"]
HISTORY = "epoch,step,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n"


class Truth:
    """What ``score`` needs of a data set."""

    def __init__(self, labels, names):
        self.labels, self.names = np.asarray(labels), list(names)
        self.name, self.split, self.skipped = "pets", "test", []

    def __len__(self):
        return len(self.labels)


def png(seed=0, size=8, color=False):
    """A PNG in base64."""
    shape = (size, size, 3) if color else (size, size)
    image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return base64.b64encode(cv2.imencode(".png", image)[1]).decode()


def evaluation(labels=LABELS, images=1200, wrong=(20, 24, 30), latency=37.4):
    """``evaluation.json``: the first so many images of float, QAT and int8 are called the next class."""
    classes = len(labels)
    truth = np.arange(images) % classes
    scored = {}
    for name, count in zip(("float", "qat", "int8"), wrong, strict=True):
        called = truth.copy()
        called[:count] = (called[:count] + 1) % classes
        form, time = ("loop", latency) if name == "int8" else ("keras", None)
        scored[name] = score(Truth(truth, labels), called, classes=classes, form=form, latency=time).to_dict()
    samples = [
        {
            "image": png(i),
            "label": labels[truth[i]],
            "float": labels[truth[i]],
            "qat": labels[truth[i]],
            "int8": labels[(truth[i] + (i < 4)) % classes],
            "score": 0.5 + i / 100,
            "id": f"pets/{i:04d}",
        }
        for i in range(8)
    ]
    return scored | {
        "data": "pets",
        "split": "test",
        "labels": list(labels),
        "agreement": 0.9942,
        "max_lsb": 7,
        "sizes": {"float32_tflite": 329_100, "int8_tflite": 91_600},
        "latency_us": {"float32": 165.2, "loop": 39.7, "unrolled": 36.6},
        "samples": samples,
    }


AUDIT = {
    "ops": {"FULLY_CONNECTED": 4, "WHILE": 1, "TANH": 13},
    "versions": {"FULLY_CONNECTED": 4, "WHILE": 1, "TANH": 2},
    "dtypes": {"int8": 38, "int32": 5},
    "float_ops": {},
    "ties": [],
    "size_bytes": 91_600,
    "macs": 2_465_280,
    "runtimes": {"ai-edge-litert": [], "tflite-runtime 2.14": []},
    "failures": [],
    "passed": True,
}
PARITY = {"top1": 0.9961, "max_lsb": 5, "equal": 0.8123, "max_abs": 0.21, "repeatable": True, "samples": 256}


def quantization():
    """``quantize.json``."""
    return copy.deepcopy(
        {
            "form": "loop",
            "io": "int8",
            "forms": {
                "loop": {"size_bytes": 91_600, "latency_us": 39.7, "parity": PARITY, "audit": AUDIT},
                "unrolled": {"size_bytes": 157_000, "latency_us": 36.6, "parity": None, "audit": AUDIT},
            },
            "refused": {"step": "its state has two scales"},
            "parity": {
                "twin_max_abs": 3e-8,
                "int8_equal": 0.8123,
                "int8_samples": 256,
                "int8_repeatable": True,
            },
            "history": [
                {"epoch": 1, "loss": 0.31, "accuracy": 0.961, "val_accuracy": 0.955},
                {"epoch": 2, "loss": 0.22, "accuracy": 0.972, "val_accuracy": 0.968},
            ],
            "layers": [{"name": "lstm_0", "type": "LSTM"}, {"name": "logits", "type": "Dense"}],
            "ranges": {
                "quantize_layer": {"quantize_layer": [0.0, 1.0]},
                "lstm_0": {"kernel": [-0.619, 0.619], "c": [-7.273, 5.478]},
                "logits": {"kernel": [-0.654, 0.654], "post_activation": [-7.096, 9.483]},
            },
        }
    )


def training():
    """``train.json``."""
    return {
        "recipe": "digits-lstm",
        "data": "pets",
        "val_accuracy": 0.9711,
        "val_loss": 0.135,
        "best_epoch": 2,
        "epochs": 3,
        "steps": 1468,
        "seconds": 147.0,
        "images": {"train": 4258, "val": 600},
        "skipped": 0,
        "labels": LABELS,
        "parameters": 21_386,
        "backend": "jax",
        "stopped": False,
    }


def summary():
    """``summary.json``."""
    return {
        "data": "pets",
        "recipe": "digits-lstm",
        "stream": {"frames": 1361, "accuracy": 0.9853, "fps": 812.3, "dropped": 2},
        "seconds": 96.2,
    }


def write(folder, *, evaluation_=None, quantization_=None, training_=None, summary_=None):
    """A finished run in ``folder``; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_recipe(load_recipe("digits-lstm"), folder / "recipe.toml")
    rows = "".join(
        f"{e},{e * 40},{1.5 / e},{0.6 + e / 10},{1.2 / e},{0.65 + e / 10},0.004,1.5\n" for e in (1, 2, 3)
    )
    (folder / "history.csv").write_text(HISTORY + rows)
    for name, values in (
        ("train.json", training_ or training()),
        ("quantize.json", quantization_ or quantization()),
        ("evaluation.json", evaluation_ or evaluation()),
        ("summary.json", summary_),
    ):
        if values is not None:
            (folder / name).write_text(json.dumps(values))
    return folder
