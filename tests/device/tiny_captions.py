"""A tiny caption model in NumPy, float32: a random image encoder and a GRU over words, with or without attention."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnedge_device.caption import CaptionSpec
from rnnedge_device.captioner import Captioner
from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_model
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.tensors import State, Tensor
from rnnedge_device.vocabulary import SPECIALS, Vocabulary

WORDS = ("a", "dog", "cat", "runs", "sits", "on", "grass")
VOCABULARY = Vocabulary((*SPECIALS, *WORDS))
PREPROCESS = Preprocess((8, 8))
UNITS, PLACES, DEPTH = 6, 4, 5


@dataclass(frozen=True)
class Engine:
    """A form and what computes it, as the exporter's engines are."""

    form: Form
    run: Callable[..., dict[str, np.ndarray]]


def forms(attention: bool = True, words: int = len(VOCABULARY)) -> tuple[Form, Form]:
    """The border of `encode` and `decode`, all float32 but the token."""
    kept = [Tensor("h0", (1, UNITS))]
    more = [Tensor("attention", (1, PLACES))] if attention else []
    if attention:
        kept += [Tensor("features", (1, PLACES, DEPTH)), Tensor("keys", (1, PLACES, UNITS))]
    token, after = Tensor("token", (1,), "int32"), Tensor("h0_next", (1, UNITS))
    return (
        Form("encode", "model.tflite", "encode", (Tensor("x", (1, 8, 8, 1)),), tuple(kept)),
        Form(
            "decode",
            "model.tflite",
            "decode",
            (token, *kept),
            (Tensor("y", (1, words)), after, *more),
            (State("h0", "h0_next"),),
        ),
    )


def manifest(attention: bool = True, **changes: Any) -> Manifest:
    arguments: dict[str, Any] = {
        "name": "tiny-captions",
        "task": "captions",
        "labels": (),
        "preprocess": PREPROCESS,
        "forms": forms(attention),
        "caption": CaptionSpec(max_length=6, grid=(2, 2) if attention else None),
    }
    return Manifest(**{**arguments, **changes})


def real_manifest(data: bytes, **changes: Any) -> Manifest:
    """Of the real int8 model, as an exporter would describe it, read off the model itself."""
    described = []
    for form in forms():
        model = load_model(data, signature=form.name)
        inputs = tuple(port.tensor for port in model.inputs.values())
        outputs = tuple(port.tensor for port in model.outputs.values())
        described.append(replace(form, inputs=inputs, outputs=outputs, size_bytes=len(data)))
    return manifest(forms=tuple(described), **changes)


def changed_form(form: Form, name: str, /, **changes: Any) -> Form:
    """The form with its tensors of that name changed."""
    sides = {
        side: tuple(replace(t, **changes) if t.name == name else t for t in getattr(form, side))
        for side in ("inputs", "outputs")
    }
    return replace(form, **sides)


def engines(attention: bool = True, seed: int = 0, sharpness: float = 3.0) -> tuple[Engine, Engine]:
    """Random weights; `sharpness` scales the logits."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(0, 1 / np.sqrt(shape[0]), shape).astype(np.float32)

    start, places, to_keys = weights(64, UNITS), weights(16, DEPTH), weights(DEPTH, UNITS)
    embedding = weights(len(VOCABULARY), UNITS) * 3
    seen, gates, inner = weights(DEPTH, UNITS), weights(UNITS, 2 * UNITS), weights(UNITS, UNITS)
    head = sharpness * weights(UNITS, len(VOCABULARY))

    def encode(feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = feeds["x"].astype(np.float32)
        assert image.shape == (1, 8, 8, 1)
        quarters = image.reshape(2, 4, 2, 4).transpose(0, 2, 1, 3).reshape(PLACES, 16)
        features = np.tanh(quarters @ places)
        found = {"h0": np.tanh(3 * (image.reshape(1, 64) - 0.5) @ start)}
        if attention:
            found |= {"features": features[None], "keys": (features @ to_keys)[None]}
        return found

    def decode(feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        token, h = feeds["token"], feeds["h0"]
        assert token.dtype == np.int32
        assert token.shape == (1,)
        x, found = embedding[token], {}
        if attention:
            powers = np.exp(feeds["keys"][0] @ h[0])
            found["attention"] = (powers / powers.sum())[None]
            x = x + found["attention"] @ feeds["features"][0] @ seen
        z, r = np.split(1 / (1 + np.exp(-(x + h) @ gates)), 2, axis=1)
        after = z * h + (1 - z) * np.tanh(x + (r * h) @ inner)
        return {"y": after @ head, "h0_next": after, **found}

    encoder, decoder = forms(attention)
    return Engine(encoder, encode), Engine(decoder, decode)


def captioner(attention: bool = True, seed: int = 0, **spec: Any) -> Captioner:
    made = manifest(attention)
    assert made.caption is not None
    made = replace(made, caption=replace(made.caption, **spec))
    return Captioner.of(*engines(attention, seed), made, VOCABULARY)


def images(count: int, seed: int = 0) -> np.ndarray:
    """Frames uint8 [count, 8, 8]."""
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8), np.uint8)
