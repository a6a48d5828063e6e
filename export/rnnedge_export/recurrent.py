"""``QuantRecurrent``: SimpleRNN, LSTM and GRU with fake quantisation, traced in the form that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from rnnedge_export.cells import Cell, cell_of, project
from rnnedge_export.sites import Sites, fixed_sites

# Above this many steps training runs a loop: an unrolled graph would take minutes to trace.
UNROLL_LIMIT = 64


class QuantRecurrent(tf_keras.layers.Layer):
    """One recurrent layer in one direction: ``[B, T, F] -> [B, units]``, or ``[B, T, units]`` with sequences.

    One step of a stream may come without its time axis: ``[B, F] -> [B, units]``.

    The weights are held in the cell's own gate order (``Cell.from_keras``). ``tracing(form)`` chooses how the time
    loop is written while a graph is traced; all forms run the same operations on the same numbers.
    """

    def __init__(
        self,
        units: int,
        cell: str,
        activation: str = "tanh",
        reset_after: bool = True,
        return_sequences: bool = False,
        go_backwards: bool = False,
        time_order: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        weight_shapes: dict[str, list[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings: dict[str, Any] = {
            "units": units,
            "cell": cell,
            "activation": activation,
            "reset_after": reset_after,
            "return_sequences": return_sequences,
            "go_backwards": go_backwards,
            "time_order": time_order,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "weight_shapes": weight_shapes or {},
        }
        self.cell: Cell = cell_of(self.settings)
        self.units = units
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards
        # A backward layer yields its outputs in the order it makes them (as Keras does), or in that of the input.
        self.turns_round = go_backwards and time_order
        self.form = "train"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}

    def compute_output_shape(self, input_shape: Any) -> tuple:
        batch, steps = tuple(input_shape)[:2]
        return (batch, steps, self.units) if self.return_sequences else (batch, self.units)

    def build(self, input_shape: Any) -> None:
        self.steps = int(input_shape[1])
        for name, shape in self.settings["weight_shapes"].items():
            setattr(self, name, self.add_weight(name=name, shape=tuple(shape), initializer="zeros"))
        self.sites = Sites(self, self.cell.sites, self.fixed)
        super().build(input_shape)

    @property
    def fixed(self) -> Mapping[str, tuple[float, float]]:
        """The fixed sites of this cell."""
        return fixed_sites(self.settings["cell"], self.settings["activation"])

    def quantize(self, site: str, value: tf.Tensor) -> tf.Tensor:
        """Fake-quantise ``value`` at ``site``."""
        return self.sites(site, value, exact=self.form == "float")

    def zeros(self, batch: Any) -> list[tf.Tensor]:
        """The initial states, ``[B, units]`` each."""
        return [tf.zeros((batch, self.units)) for _ in self.cell.states]

    @tf.autograph.experimental.do_not_convert
    def call(
        self,
        inputs: tf.Tensor,
        training: Any = None,
        initial_state: list[tf.Tensor] | None = None,
        return_state: bool = False,
    ) -> Any:
        """``[B, T, F] -> y``, or ``(y, states)`` with ``return_state``."""
        if inputs.shape.rank == 2:
            _, states = self.call(tf.expand_dims(inputs, 1), training, initial_state, return_state=True)
            return (states[0], states) if return_state else states[0]
        weights = {name: getattr(self, name) for name in self.settings["weight_shapes"]}
        inputs = self._drop(inputs, self.settings["dropout"], training, time_axis=True)
        zx = project(inputs, weights, self.quantize)
        if initial_state:
            states = [self.quantize(n, s) for n, s in zip(self.cell.states, initial_state, strict=True)]
        else:
            states = self.zeros(inputs.shape[0] or tf.shape(inputs)[0])
        drop = self.settings["recurrent_dropout"] and training
        keep = self._drop(tf.ones_like(states[0]), self.settings["recurrent_dropout"], training)

        def step(zt: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
            if drop:
                states = [states[0] * keep, *states[1:]]
            return self.cell.step(zt, states, weights, self.quantize)

        if self.form == "loop" and inputs.shape[1] > 1:
            run: Callable = self._loop
        elif self.form != "train" or inputs.shape[1] <= UNROLL_LIMIT:
            run = self._unrolled
        else:
            run = self._training_loop
        y, states = run(zx, states, step)
        return (y, states) if return_state else y

    def _drop(self, value: tf.Tensor, rate: float, training: Any, time_axis: bool = False) -> tf.Tensor:
        """Dropout with one mask for all time steps, as Keras's cells have it."""
        if not rate or not training:
            return value
        shape = tf.shape(value)
        noise = tf.stack([shape[0], 1, shape[2]]) if time_axis else None
        return tf.nn.dropout(value, rate, noise_shape=noise)

    def _order(self, steps: int) -> range:
        return range(steps - 1, -1, -1) if self.go_backwards else range(steps)

    def _unrolled(self, zx: tf.Tensor, states: list, step: Callable) -> tuple[tf.Tensor, list]:
        batch, steps, width = zx.shape
        # For a batch of one, rows of a matrix: XNNPACK takes such slices, but none that drops an axis.
        rows = tf.reshape(zx, (steps, width)) if batch == 1 else None
        outputs = []
        for t in self._order(steps):
            zt = zx[:, t] if rows is None else rows[t : t + 1] if steps > 1 else rows
            y, states = step(zt, states)
            outputs.append(y)
        if self.turns_round:
            outputs.reverse()
        return (tf.stack(outputs, axis=1) if self.return_sequences else y), states

    def _loop(self, zx: tf.Tensor, states: list, step: Callable) -> tuple[tf.Tensor, list]:
        """A WHILE over time for a batch of known size, int8 inside, a few steps a turn to spread the loop's own cost.

        The outputs of a sequence move through a buffer that is shifted at each step: CONCATENATION keeps its one
        scale in int8, where a TensorArray would leave float tensors behind.
        """
        batch, steps, width = zx.shape
        # Two: up to 10 % faster than one, and still a small file; more gain nothing (docs/forms.md).
        stride = 2 if steps % 2 == 0 else 1
        turns = steps // stride
        if batch == 1:
            rows = tf.reshape(zx, (turns, stride * width))
        else:
            rows = tf.transpose(tf.reshape(zx, (batch, turns, stride * width)), (1, 0, 2))
        collected = [tf.zeros((batch, steps, self.units))] if self.return_sequences else []
        count = len(states)

        def body(turn: tf.Tensor, *carried: tf.Tensor) -> tuple:
            # Loop variables carry no range of their own: naming the site again lets the converter keep them int8.
            now = [self.quantize(name, value) for name, value in zip(self.cell.states, carried, strict=False)]
            buffer = [self.quantize("h", value) for value in carried[count:]]
            at = turns - 1 - turn if self.go_backwards else turn
            row = self.quantize("zx", tf.gather(rows, tf.reshape(at, (1,)) if batch == 1 else at))
            for index in self._order(stride):
                y, now = step(row[:, index * width : (index + 1) * width], now)
                buffer = [self._shift(value, y) for value in buffer]
            return (turn + 1, *now, *buffer)

        result = tf.while_loop(
            lambda turn, *_: turn < turns, body, [tf.constant(0), *states, *collected], parallel_iterations=1
        )[1:]
        states = [self.quantize(name, value) for name, value in zip(self.cell.states, result, strict=False)]
        if self.return_sequences:
            return self.quantize("h", result[-1]), states
        return states[0], states

    def _shift(self, buffer: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Drop the oldest step of ``[B, T, units]`` and put ``y`` at the other end."""
        y = y[:, tf.newaxis]
        return tf.concat([y, buffer[:, :-1]] if self.turns_round else [buffer[:, 1:], y], axis=1)

    def _training_loop(self, zx: tf.Tensor, states: list, step: Callable) -> tuple[tf.Tensor, list]:
        """The same loop for any batch and with gradients, for long sequences."""
        steps = zx.shape[1]
        by_time = tf.transpose(zx, (1, 0, 2))
        size = steps if self.return_sequences else 0
        outputs = tf.TensorArray(tf.float32, size=size, element_shape=(None, self.units))

        def body(t: tf.Tensor, outputs: tf.TensorArray, *states: tf.Tensor) -> tuple:
            y, now = step(by_time[steps - 1 - t if self.go_backwards else t], list(states))
            if self.return_sequences:
                outputs = outputs.write(steps - 1 - t if self.turns_round else t, y)
            return (t + 1, outputs, *now)

        result = tf.while_loop(lambda t, *_: t < steps, body, [tf.constant(0), outputs, *states])
        states = list(result[2:])
        y = tf.transpose(result[1].stack(), (1, 0, 2)) if self.return_sequences else states[0]
        return y, states
