"""PyTorch candidates: the same layer in float32, as it is and traced and frozen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.forms.candidate import Candidate
from benchmarks.forms.subject import CLASSES, FEATURES, Subject

_LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}


class _Net(torch.nn.Module):
    def __init__(self, cell: str, units: int) -> None:
        super().__init__()
        self.layer = _LAYERS[cell](FEATURES, units, batch_first=True)
        self.dense = torch.nn.Linear(units, CLASSES)
        self.lstm = cell == "lstm"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, state = self.layer(x)
        return self.dense((state[0] if self.lstm else state)[0])


def torch_peers(subject: Subject) -> list[Candidate]:
    """PyTorch on one thread, eager and through TorchScript."""
    torch.set_num_threads(1)
    net = _Net(subject.cell, subject.units).eval()
    _load(net, subject)
    with torch.inference_mode():
        traced = torch.jit.freeze(torch.jit.trace(net, torch.from_numpy(subject.frames[:1])))
    return [
        Candidate("PyTorch float32", "peer", _runner(net), exact=True),
        Candidate("PyTorch float32, TorchScript", "peer", _runner(traced), exact=True),
    ]


def _load(net: _Net, subject: Subject) -> None:
    kernel, recurrent, bias, dense, dense_bias = subject.weights
    if subject.cell == "gru":  # Keras u, r, n and a bias for each product; PyTorch r, u, n
        kernel, recurrent, bias = (_swap(weight) for weight in (kernel, recurrent, bias))
        first, second = bias
    else:
        first, second = bias, np.zeros_like(bias)
    arrays = (kernel.T, recurrent.T, first, second, dense.T, dense_bias)
    with torch.no_grad():
        for parameter, array in zip(net.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(np.array(array)))


def _swap(array: np.ndarray) -> np.ndarray:
    u, r, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, u, n], axis=-1)


def _runner(module: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(x)).numpy()

    return run
