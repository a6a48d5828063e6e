"""A finished caption run's folder: real drawings or small photos with sentences a test knows, scored by rnnedge."""

import copy
from functools import cache

import cv2
import finished_run
import numpy as np

from rnnedge.captions.evaluate import score_written
from rnnedge.data.captions import CaptionSet, load_captions
from rnnedge.recipes import load_recipe, write_recipe
from rnnedge.runs import png
from rnnedge_device.captioner import Caption

IMAGES, SAMPLES = 40, 10
# So many images, from the first, are told with another colour than theirs.
WRONG = {"float": 2, "qat": 3, "int8": 4}
TIMES = {"float": (486.0, 3600.0, 300.0), "qat": (515.0, 3700.0, 310.0), "int8": (35.2, 298.0, 26.0)}
COLORS = ("red", "green", "blue", "yellow", "purple", "white")
GRID = (4, 4)


def recipe(*overrides):
    """The demo's."""
    return load_recipe("shapes-attention", overrides)


def recoloured(sentence):
    """The sentence with its first colour changed to the next one."""
    words = sentence.split()
    at = next(i for i, word in enumerate(words) if word in COLORS)
    words[at] = COLORS[(COLORS.index(words[at]) + 1) % len(COLORS)]
    return " ".join(words)


def attention(sentence):
    """``[T, 16]``: the t-th word looks at the t-th place, the more the later it comes."""
    rows = np.full((len(sentence.split()), GRID[0] * GRID[1]), 0.02)
    for at, row in enumerate(rows):
        row[at % row.size] = 0.5 + at / 100
    return np.round(rows, 3).tolist()


def captions_of(kind, test, change):
    encode, decode, _ = TIMES[kind]
    found = []
    for i, references in enumerate(test.captions):
        text = change(references[0]) if i < WRONG[kind] else references[0]
        words = tuple(text.split())
        steps = round(decode / TIMES[kind][2])
        found.append(Caption(text, words, tuple(range(len(words))), -1.0, -1.0, None, encode, decode, steps))
    return found


def photos():
    """Colour photos of 300 x 200 with sentences of people, of which nobody knows what they show."""
    rng = np.random.default_rng(0)
    images = [
        cv2.resize(rng.integers(0, 256, (5, 8, 3), np.uint8), (300, 200), interpolation=cv2.INTER_CUBIC)
        for _ in range(IMAGES)
    ]
    things = (
        "A dog runs.",
        "Two people sit on a bench.",
        "The boy's red kite flies high.",
        "A street at night.",
    )
    captions = [
        (f"{things[i % 4][:-1]} near house {i % 7}", things[i % 4].lower(), "something else")
        for i in range(IMAGES)
    ]
    return CaptionSet(images, captions, [f"photos/{i}.jpg" for i in range(IMAGES)], "captions:photos", "test")


def evaluation(kind="shapes"):
    """``evaluation.json`` as ``rnnedge.captions.quantize`` writes it; the caller's to change. ``photos`` have beams."""
    return copy.deepcopy(_evaluation(kind))


@cache
def _evaluation(kind):
    shapes = kind == "shapes"
    test = load_captions("shapes", "test").take(range(IMAGES)) if shapes else photos()
    change = recoloured if shapes else (lambda text: text.replace(" near", " behind"))
    said = {name: captions_of(name, test, change) for name in WRONG}
    found = {
        "task": "captions",
        "data": test.name,
        "split": "test",
        "images": len(test),
        **{name: score_written(said[name], test, 1).to_dict() for name in WRONG},
        "token_agreement": 0.9727,
        "same_captions": 0.7560,
        "same_as_float": 0.6820,
        "sizes": {"int8_tflite": 157_984, "float32_tflite": 563_964},
        "samples": [
            {
                "image": png(test.images[i]),
                "id": test.ids[i],
                "references": list(test.captions[i]),
                **{name: said[name][i].text for name in WRONG},
                "attention": attention(said["int8"][i].text) if shapes else None,
            }
            for i in range(SAMPLES)
        ],
    }
    if not shapes:
        for name in ("float", "int8"):
            found[f"{name}_beam"] = score_written(said["qat"], test, 3).to_dict()
    return found


def quantization():
    """``quantize.json`` of a captioner: the audits of two signatures of one file."""
    audit = {
        key: value for key, value in finished_run.AUDIT.items() if key not in ("ops", "versions", "macs")
    }
    return copy.deepcopy(
        {
            "io": "int8",
            "decoder": {
                "words": 46,
                "image": "attention",
                "cell": "lstm",
                "units": 96,
                "layers": 1,
                "embedding": 64,
                "attention": 48,
            },
            "audits": {
                "encode": audit
                | {
                    "ops": {"CONV_2D": 5, "MEAN": 1},
                    "versions": {"CONV_2D": 3, "MEAN": 2},
                    "macs": 3_076_096,
                },
                "decode": audit
                | {"ops": {"TANH": 3, "GATHER": 1}, "versions": {"TANH": 2, "GATHER": 2}, "macs": 71_232},
            },
            "parity": {
                "twin_max_abs": 2.4e-6,
                "int8_top1": 0.9926,
                "int8_max_lsb": 12,
                "int8_equal": 0.4511,
                "int8_noise": 0.0324,
                "int8_words": 544,
            },
            "history": [
                {"epoch": 1, "loss": 0.21, "agreement": 0.951},
                {"epoch": 2, "loss": 0.18, "agreement": 0.968},
            ],
        }
    )


def training():
    """``train.json``."""
    return finished_run.training() | {
        "recipe": "shapes-attention",
        "data": "shapes",
        "images": {"train": 4000, "val": 500},
    }


def write(folder, evaluation_=None, quantization_=None, *overrides):
    """A finished caption run in ``folder``, its recipe with ``overrides``; returns it."""
    finished_run.write(
        folder,
        evaluation_=evaluation_ or evaluation(),
        quantization_=quantization_ or quantization(),
        training_=training(),
    )
    write_recipe(recipe(*overrides), folder / "recipe.toml")
    return folder
