"""``CaptionDecoder``: words of a sentence from an image's features, one recurrent step a word."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.models.attended_lstm import Shared, attended_lstm
from rnnedge.models.recurrent import recurrent_layer

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402

IMAGES = ("first", "state", "attention")


@keras.saving.register_keras_serializable("rnnedge")
class CaptionDecoder(keras.layers.Layer):
    """Logits of the next word, ``[B, L, words]``, from ``features`` and the words so far, ``tokens`` int ``[B, L]``.

    Args:
        words: of the vocabulary, the output's size.
        image: how the image enters. ``first``: features ``[B, E]`` are the first input of the recurrent layers, before
            any word (Show and Tell, Vinyals et al. 2015). ``state``: two dense layers make the initial states of them.
            ``attention``: features ``[B, P, E]`` of P places, to which what is learned of each place is added; at each
            step additive attention (Bahdanau et al. 2015; Show, Attend and Tell, Xu et al. 2015) weighs them by the
            state before and the word that is read (without it, "a large green" could not look for the green thing),
            and what it sees is added to the word's embedding and, through a matrix, to what the logits are made of;
            their mean makes the initial states.
        cell: ``lstm`` or ``gru``.
        units, layers: of the recurrent network.
        embedding: E, also the features'.
        attention: size of the attention's keys.
        dropout: before the recurrent layers, between them and behind them.
    """

    def __init__(
        self,
        words: int,
        image: str = "first",
        cell: str = "lstm",
        units: int = 256,
        layers: int = 1,
        embedding: int = 256,
        attention: int = 128,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings: dict[str, Any] = {
            "words": words,
            "image": image,
            "cell": cell,
            "units": units,
            "layers": layers,
            "embedding": embedding,
            "attention": attention,
            "dropout": dropout,
        }
        self.image = image
        # XLA on TensorFlow knows no gradient of a loop over as many words as a batch has.
        self.supports_jit = keras.backend.backend() != "tensorflow"
        self.samples = False  # whether training reads words of its own at all
        self.words = keras.layers.Embedding(words, embedding, name="words")
        self.recurrent = [
            recurrent_layer(cell, units, sequences=True, name=f"{cell}_{i}") for i in range(layers)
        ]
        self.drop = keras.layers.Dropout(dropout, name="dropout")
        self.logits = keras.layers.Dense(words, dtype="float32", name="logits")
        self.start: list[Any] = []
        if image != "first":
            states = 2 if cell == "lstm" else 1
            # h stays where the cell's own outputs lie, and where int8 keeps them.
            self.start = [
                keras.layers.Dense(units, "hard_tanh" if state == "h" else None, name=f"start_{state}{i}")
                for i in range(layers)
                for state in ("h", "c")[:states]
            ]
        self.seeds = keras.random.SeedGenerator()
        if image == "attention":
            self.keys = keras.layers.Dense(attention, use_bias=False, name="keys")
            self.query = keras.layers.Dense(attention, name="query")
            self.ask = keras.layers.Dense(attention, use_bias=False, name="ask")
            self.energy = keras.layers.Dense(1, use_bias=False, name="energy")
            self.glimpse = keras.layers.Dense(units, use_bias=False, name="glimpse")

    def named_weights(self) -> dict[str, list[Any]]:
        """The arrays of each layer by its name, ``{"words": [table], "lstm_0": [kernel, ...], ...}``."""
        layers = [self.words, *self.recurrent, self.logits, *self.start]
        layers += (
            [self.keys, self.query, self.ask, self.energy, self.glimpse] if self.image == "attention" else []
        )
        found = {layer.name: layer.get_weights() for layer in layers}
        if self.image == "attention":
            found["places"] = [ops.convert_to_numpy(self.places)]
        return found

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}

    def build(self, features_shape: Any, tokens_shape: Any) -> None:
        """See Keras."""
        embedding, units = self.settings["embedding"], self.settings["units"]
        self.words.build(tokens_shape)
        for index, layer in enumerate(self.recurrent):
            layer.build((None, tokens_shape[1], units if index else embedding))
        self.logits.build((None, units))
        for layer in self.start:
            layer.build((None, embedding))
        if self.image == "attention":
            self.keys.build((None, None, embedding))
            self.query.build((None, units))
            self.ask.build((None, embedding))
            self.energy.build((None, None, self.settings["attention"]))
            self.glimpse.build((None, embedding))
            spread = keras.initializers.RandomNormal(stddev=0.5)  # about as large as what it is added to
            self.places = self.add_weight(features_shape[1:], spread, name="places")
        # The share of words that training reads from the model itself.
        self.sampling = self.add_weight((), "zeros", trainable=False, name="sampling")
        super().build((features_shape, tokens_shape))

    def compute_output_shape(self, features_shape: Any, tokens_shape: Any) -> tuple:
        return (*tokens_shape, self.settings["words"])

    def call(self, features: Any, tokens: Any, training: bool | None = None) -> Any:
        """Teacher forcing: the logits at each place know the words up to it.

        In training a share ``sampling`` of these words are the model's own, as it says them behind the right ones
        (scheduled sampling, Bengio et al. 2015, in two parallel passes: Mihaylova and Martins 2019).
        """
        if training and self.samples:
            tokens = self._sampled(features, tokens)
        return self._taught(features, tokens, training)

    def _sampled(self, features: Any, tokens: Any) -> Any:
        said = ops.argmax(ops.stop_gradient(self._taught(features, tokens, False)), axis=-1)
        # What it says behind a word stands in the place of the next one; the first, START, stays.
        said = ops.concatenate([tokens[:, :1], ops.cast(said[:, :-1], tokens.dtype)], axis=1)
        drawn = keras.random.uniform(ops.shape(tokens), seed=self.seeds) < self.sampling
        return ops.where(drawn, said, tokens)

    def _taught(self, features: Any, tokens: Any, training: bool | None) -> Any:
        x = self.drop(self.words(tokens), training=training)
        if self.image == "attention":
            return self.logits(self._attended(features + self.places, x, training))
        first = self.image == "first"
        if first:
            x = ops.concatenate([ops.expand_dims(features, 1), x], axis=1)
        for layer, states in zip(self.recurrent, self._initial(features), strict=True):
            x = self.drop(layer(x, initial_state=states, training=training), training=training)
        return self.logits(x[:, 1:] if first else x)

    def _initial(self, features: Any) -> list[list[Any] | None]:
        """The initial states of each layer; None is zeros."""
        if not self.start:
            return [None] * len(self.recurrent)
        pooled = ops.mean(features, axis=1) if self.image == "attention" else features
        states = [layer(pooled) for layer in self.start]
        each = len(states) // len(self.recurrent)
        return [states[i : i + each] for i in range(0, len(states), each)]

    def _attended(self, features: Any, x: Any, training: bool | None) -> Any:
        """The recurrent layers over the words, each step with what attention sees: ``[B, L, units]``."""
        one = self.settings["cell"] == "lstm" and self.settings["layers"] == 1
        # Of use to a gradient alone, for which it keeps [B, P, A] of every step.
        own = training and one and keras.backend.backend() == "tensorflow"
        seen, y = (self._lstm if own else self._scanned)(features, x, training)
        y = self.drop(y, training=training) + self.drop(self.glimpse(seen), training=training)
        return ops.moveaxis(y, 0, 1)

    def _lstm(self, features: Any, x: Any, training: bool | None) -> tuple[Any, Any]:
        """The same as :meth:`_scanned` of one LSTM on TensorFlow, whose gradient takes less time."""
        asked, cell = self.ask(x) + self.query.bias, self.recurrent[0].cell
        weights = self.query.kernel, self.energy.kernel, cell.kernel, cell.recurrent_kernel, cell.bias
        shared = Shared(features, self.keys(features), *weights)
        (initial,) = self._initial(features)
        assert initial is not None
        h, c = initial
        return attended_lstm(ops.moveaxis(x, 1, 0), ops.moveaxis(asked, 1, 0), h, c, shared)

    def _scanned(self, features: Any, x: Any, training: bool | None) -> tuple[Any, Any]:
        """What each step sees ``[L, B, E]`` and the last layer's outputs ``[L, B, units]``, of any cell and backend."""
        keys, asked, units = self.keys(features), self.ask(x), self.settings["units"]
        # The loop may hold no random state: what is dropped between two layers is drawn before it.
        ones = ops.tile(ops.ones_like(x[..., :1]), (1, 1, units))
        masks = [self.drop(ones, training=training) for _ in self.recurrent[1:]]
        # One array, for a scan of several of unknown length fails in Keras on TensorFlow.
        parts = [x, asked, *masks]
        cuts = np.cumsum([part.shape[-1] for part in parts])[:-1].tolist()

        def step(carried: tuple, given: Any) -> tuple:
            states = carried[1]
            word, ask, *kept = ops.split(given, cuts, axis=-1)
            query = self.query(states[-1][0]) + ask
            energies = self.energy(ops.tanh(keys + ops.expand_dims(query, 1)))  # [B, P, 1]
            seen = ops.matmul(ops.softmax(ops.moveaxis(energies, 1, 2), axis=-1), features)[:, 0]
            y, after = word + seen, []
            for index, layer in enumerate(self.recurrent):
                y = y * kept[index - 1] if index else y
                y, state = layer.cell(y, states[index], training=training)
                after.append(state)
            return (seen, after), (seen, after)

        start: tuple = ops.zeros_like(features[:, 0]), self._initial(features)
        _, (seen, states) = ops.scan(step, start, ops.moveaxis(ops.concatenate(parts, axis=-1), 1, 0))
        return seen, states[-1][0]
