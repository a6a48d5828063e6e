"""Every cell kind and odd model is quantised once a session: a conversion takes seconds."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import pytest
from models import MODELS, inputs, one_layer

from rnnedge_export import Quantized, quantize


@cache
def _cell(kind: str) -> tuple[Any, Quantized]:
    model = one_layer(kind)
    return model, quantize(
        model, inputs(model, 96), epochs=1, batch_size=32, form=("loop", "unrolled", "step")
    )


@cache
def _model(name: str) -> tuple[Any, Quantized]:
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    return model, quantize(model, inputs(model, 96), epochs=1, batch_size=32, form=("loop", "unrolled"))


@pytest.fixture(scope="session")
def quantized_cell() -> Any:
    """``kind -> (Keras model, Quantized)`` with the forms loop, unrolled and step."""
    return _cell


@pytest.fixture(scope="session")
def quantized_model() -> Any:
    """``name -> (Keras model, Quantized)`` with the forms loop and unrolled."""
    return _model
