"""``CaptionDecoder``: the decoder's arithmetic in TensorFlow, exact or with a quantisation site at each requantisation.

``begin(features)`` makes the state that a sentence begins with; ``step(token, state)`` is one word. A state is a
``{name: tensor}``: ``h0``, ``c0``, ``h1``, ... and with attention ``features [B, P, E]`` and their ``keys [B, P, A]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_export.captions.attention import ATTENTION_SITES, attend
from rnnedge_export.captions.product import product
from rnnedge_export.captions.settings import DecoderSettings
from rnnedge_export.cells import Cell, Weights, cell_of, project
from rnnedge_export.scheme import FIXED, weight_quantizer
from rnnedge_export.sites import Sites, fixed_sites

State = dict[str, tf.Tensor]


class CaptionDecoder(tf_keras.layers.Layer):
    """A decoder with the weights of a trained one.

    Args:
        settings: its shape.
        weights: Keras's arrays by layer: ``words`` [table], ``lstm_0`` [kernel, recurrent kernel, bias], ``logits``
            [kernel, bias], and where they exist ``start_h0`` [kernel, bias], ..., ``keys`` [kernel], ``query`` [kernel,
            bias], ``ask``, ``energy`` and ``glimpse`` [kernel], ``places`` [``[P, E]``, added to the features].

    Attributes:
        mode: ``device`` (fake-quantised, rounded as the kernels do), ``quantised`` (the same as a graph to convert),
            ``observed`` (float; ranges are taken inside ``scheme.observing``) or ``exact``.
    """

    def __init__(
        self, settings: DecoderSettings, weights: Mapping[str, Sequence[np.ndarray]], **kwargs: Any
    ) -> None:
        super().__init__(name="decoder", **kwargs)
        self.settings = settings
        self.mode = "device"
        config = {"units": settings.units, "cell": settings.cell, "reset_after": True, "activation": "tanh"}
        self.cells: list[Cell] = [cell_of(config) for _ in range(settings.layers)]
        self._arrays: dict[str, tf.Variable] = {}
        for layer, arrays in weights.items():
            index = layer.rpartition("_")[2]
            recurrent = layer.startswith(f"{settings.cell}_")
            named = (
                self.cells[int(index)].from_keras(list(arrays))
                if recurrent
                else dict(zip(("kernel", "bias"), arrays, strict=False))
            )
            for name, array in named.items():
                self._arrays[f"{layer}/{name}"] = self.add_weight(
                    name=f"{layer}/{name}",
                    shape=array.shape,
                    initializer=tf_keras.initializers.Constant(array),
                )
        self._quantizers = {name: weight_quantizer() for name in self._arrays if name.endswith("kernel")}
        self._ranges = {
            name: q.build(self._arrays[name].shape, name, self) for name, q in self._quantizers.items()
        }
        fixed = fixed_sites(settings.cell)
        self._sites = {
            f"{settings.cell}_{i}": Sites(self, cell.sites, fixed, f"{settings.cell}_{i}/")
            for i, cell in enumerate(self.cells)
        }
        own = ("logits", *(ATTENTION_SITES if settings.image == "attention" else ()))
        self._own = Sites(self, own, {name: FIXED[name] for name in ("tanh", "sigmoid")})
        self.built = True

    @contextmanager
    def as_mode(self, mode: str) -> Iterator[None]:
        """Inside, the decoder computes in ``mode``."""
        before, self.mode = self.mode, mode
        try:
            yield
        finally:
            self.mode = before

    def cut_logits(self, low: float) -> None:
        """Raise the lower end of the logits' range to ``low``, if it is below."""
        bounds = self._own.ranges["logits"]["min_var"]
        bounds.assign(tf.maximum(bounds, min(low, 0.0)))

    @property
    def places(self) -> int:
        """P, how many places attention looks at."""
        return int(self._arrays["places/kernel"].shape[0])

    def weight_range(self, kernel: str) -> dict[str, tf.Variable]:
        """``{"min_var", "max_var"}`` of a matrix."""
        return self._ranges[kernel]

    def bias_of(self, kernel: str) -> tf.Variable | None:
        """What is added to a matrix's product, if anything is."""
        return self._arrays.get(f"{kernel.removesuffix('kernel')}bias")

    def sites_of(self, layer: int | None = None) -> Sites:
        """The sites of a recurrent layer, or those outside of all."""
        return self._own if layer is None else self._sites[f"{self.settings.cell}_{layer}"]

    def ranges(self) -> dict[str, dict[str, list[float]]]:
        """The range of every learned site, ``{layer: {site: [low, high]}}``."""
        return {
            name: {
                site: [float(bounds["min_var"]), float(bounds["max_var"])]
                for site, bounds in sites.ranges.items()
            }
            for name, sites in {**self._sites, "decoder": self._own}.items()
        }

    @property
    def state_names(self) -> list[str]:
        """The names of the recurrent states, in order."""
        return [f"{state}{i}" for i, cell in enumerate(self.cells) for state in cell.states]

    def begin(self, features: tf.Tensor, zeros: State | None = None) -> State:
        """The state before the first word, of features ``[B, E]``, or ``[B, P, E]`` with attention.

        ``zeros`` are the states that are zero before it; a graph to convert has them as inputs (``rewrite.finish``).
        """
        return self._begin(features, self._weights(False), zeros)

    def step(self, token: tf.Tensor, state: State) -> tuple[tf.Tensor, State, Any]:
        """One word, ``token [B]`` int32: logits ``[B, words]``, the next state, attention's weights ``[B, P]``."""
        w = self._weights(False)
        # Named again, so that what comes from outside has its scale.
        state = {name: self._site(name, value) for name, value in state.items()}
        y, state, looked = self._word(tf.gather(w["words/kernel"], token), state, w)
        return self._logits(y, w), state, looked

    def teach(self, features: tf.Tensor, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Teacher forcing: the logits ``[B, L, words]`` behind each word of ``tokens [B, L]``."""
        w = self._weights(training)
        state = self._begin(features, w)
        words = tf.gather(w["words/kernel"], tokens)
        outputs = []
        for place in range(tokens.shape[1]):
            y, state, _ = self._word(words[:, place], state, w)
            outputs.append(y)
        return self._logits(tf.stack(outputs, axis=1), w)

    def _begin(self, features: tf.Tensor, w: Weights, zeros: State | None = None) -> State:
        if self.settings.image == "first":
            shape = (tf.shape(features)[0], self.settings.units)
            zeros = zeros or {name: tf.zeros(shape) for name in self.state_names}
            return self._recur(features, {name: self._site(name, zero) for name, zero in zeros.items()}, w)[1]
        context: State = {}
        if self.settings.image == "attention":
            features = self._q("features", features + w["places/kernel"])
            context = {"features": features, "keys": self._q("keys", product(features, "keys", w))}
            features = self._q("pooled", tf.reduce_mean(features, axis=1))
        states = {}
        for name in self.state_names:
            z = product(features, f"start_{name}", w)
            # At its site h saturates by itself, at about the same values.
            if self.mode in ("observed", "exact") and name[0] == "h":
                z = tf.clip_by_value(z, -1.0, 1.0)
            states[name] = self._site(name, z)
        return {**states, **context}

    def _word(self, x: tf.Tensor, state: State, w: Weights) -> tuple[tf.Tensor, State, Any]:
        looked = None
        if self.settings.image == "attention":
            looked, seen = self._attend(x, state, w)
            x = self._q("x", x + seen)
        y, states = self._recur(x, state, w)
        if self.settings.image == "attention":
            y = self._q("y", y + self._q("glimpse", product(seen, "glimpse", w)))
        return y, {**state, **states}, looked

    def _attend(self, x: tf.Tensor, state: State, w: Weights) -> tuple[tf.Tensor, tf.Tensor]:
        """Attention by the last state and the word read: weights ``[B, P]``, and what they see ``[B, E]``."""
        rounding = self._own if self.mode == "device" else None
        return attend(x, state[f"h{len(self.cells) - 1}"], state, w, self._q, rounding)

    def _recur(self, x: tf.Tensor, state: State, w: Weights) -> tuple[tf.Tensor, State]:
        """One step of all recurrent layers: ``[B, E]`` to ``[B, units]``, and their states."""
        found: State = {}
        for index, cell in enumerate(self.cells):
            layer = f"{self.settings.cell}_{index}"
            own = {key.partition("/")[2]: value for key, value in w.items() if key.startswith(f"{layer}/")}
            q = partial(self._at, self._sites[layer])
            zx = project(x[:, tf.newaxis], own, q)
            states = [state[f"{kind}{index}"] for kind in cell.states]
            x, states = cell.step(tf.reshape(zx, (-1, zx.shape[-1])), states, own, q)
            found |= {f"{kind}{index}": value for kind, value in zip(cell.states, states, strict=True)}
        return x, found

    def _logits(self, y: tf.Tensor, w: Weights) -> tf.Tensor:
        return self._q("logits", product(y, "logits", w))

    def _weights(self, training: bool) -> Weights:
        """Every matrix as the mode has it, once for all steps."""
        if self.mode == "exact":
            return dict(self._arrays)
        return {
            name: self._quantizers[name](value, training, weights=self._ranges[name])
            if name in self._quantizers
            else value
            for name, value in self._arrays.items()
        }

    def _site(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """A state, or what goes with it, at its own site."""
        if name in ("features", "keys"):
            return self._q(name, value)
        return self._at(self._sites[f"{self.settings.cell}_{name[1:]}"], name[0], value)

    def _q(self, site: str, value: tf.Tensor) -> tf.Tensor:
        return self._at(self._own, site, value)

    def _at(self, sites: Sites, site: str, value: tf.Tensor) -> tf.Tensor:
        return value if self.mode == "exact" else sites(site, value, exact=self.mode == "observed")
