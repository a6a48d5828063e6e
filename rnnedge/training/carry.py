"""Training on windows of clips: masks, and the state carried from window to window."""

from __future__ import annotations

from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models import PerFrame

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402


class Carry(keras.layers.Layer):
    """A recurrent layer that goes on from the state in which the batch before left it.

    Inputs: windows ``[B, L, F]`` and ``keep`` ``[B, 1]``, 0 where a row begins anew (its state is zero), 1 where it
    goes on. Output ``[B, L, units]``. No gradient flows from one window into the one before: truncated
    back-propagation through time.

    A window that ends in padding leaves a state that has seen the padding. That is harmless because padding lies
    only at a clip's end: the next window in that row begins anew (``ClipBatches``).

    Args:
        rnn: a SimpleRNN, LSTM or GRU layer that returns sequences; its weights are used, not copied.
        batch_size: B.
    """

    def __init__(self, rnn: keras.layers.RNN, batch_size: int) -> None:
        super().__init__(name=f"carry_{rnn.name}")
        self.rnn = rnn
        self.states = [
            self.add_weight((batch_size, size), "zeros", trainable=False, name=f"state_{index}")
            for index, size in enumerate(rnn.state_size)
        ]

    def call(self, windows: Any, keep: Any, training: bool = False) -> Any:
        """See the class; the states move in training only, so that a look at a batch changes nothing."""
        # Not a product: what is not finite would stay so for ever.
        initial = [ops.where(keep > 0, ops.convert_to_tensor(state), 0.0) for state in self.states]
        self.rnn.return_state = True
        try:
            y, *states = self.rnn(windows, initial_state=initial, training=training)
        finally:
            self.rnn.return_state = False
        if training:
            for variable, state in zip(self.states, states, strict=True):
                variable.assign(state)
        return y

    def compute_output_shape(self, windows_shape: Any, keep_shape: Any = None) -> Any:
        """``[B, L, units]``."""
        return self.rnn.compute_output_shape(windows_shape)


def windowed(model: keras.Model, batch_size: int, length: int, *, carry: bool = False) -> keras.Model:
    """A :func:`rnnedge.models.clip_rnn` for training on windows; it holds the very layers of ``model``.

    Args:
        model: the clip model.
        batch_size: B, the same in every batch.
        length: L, frames of a window.
        carry: recurrent layers go on where the batch before left them (:class:`Carry`).

    Returns:
        A model of ``(frames float32 [B, L, h, w, c], mask bool [B, L], keep float32 [B, 1])`` with logits
        ``[B, L, K]``. Where the mask is false, a frame is padding behind a clip's end: no statistic of a
        normalisation layer sees it, and no logit before it can.
    """
    frames = keras.Input((length, *model.input_shape[2:]), batch_size=batch_size, name="frames")
    mask = keras.Input((length,), batch_size=batch_size, dtype="bool", name="mask")
    keep = keras.Input((1,), batch_size=batch_size, name="keep")
    x = frames
    for layer in model.layers[1:]:
        if isinstance(layer, PerFrame):
            x = layer(x, mask=mask)
        elif carry and isinstance(layer, keras.layers.RNN):
            x = Carry(layer, batch_size)(x, keep)
        else:
            x = layer(x)
    return keras.Model((frames, mask, keep), x, name=model.name)
