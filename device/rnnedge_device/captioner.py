"""A caption bundle at work: frames in, sentences out; the int8 file and any other engine by one code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.bundle import Bundle
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_forms
from rnnedge_device.manifest import Manifest, check_pair
from rnnedge_device.search import Hypothesis, SearchOptions, State, search
from rnnedge_device.stepper import Engine
from rnnedge_device.vocabulary import START, Vocabulary


class FormEngine(Engine, Protocol):
    """What computes a form and knows its border: `run` and `form`."""

    @property
    def form(self) -> Form: ...


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence for one image.

    Args:
        text: the words with a space between them.
        words, ids: without the marks.
        score, log_probability: as `Hypothesis` has them.
        attention: float32 `[T, P]`, where the decoder looked for each word, a row over the grid; or None.
        encode_us: preprocessing and encoder; 0 for a state that was encoded before.
        decode_us: the whole search, which may have found other captions beside.
        steps: of the decoder in that search.
    """

    text: str
    words: tuple[str, ...]
    ids: tuple[int, ...]
    score: float
    log_probability: float
    attention: NDArray[np.float32] | None
    encode_us: float
    decode_us: float
    steps: int


class Captioner:
    """Encoder and decoder of a caption bundle. Not for use by two threads at once.

    The state goes from one call into the next as the graph gave it, without a conversion; it may be kept, and
    searched again with other options.

    Args:
        bundle: as `read_bundle` returns it.
        threads: of the interpreter.

    Raises:
        BundleError: another task, a vocabulary that does not match the model, a model the runtime cannot load,
            or one that differs from the manifest.
        InputError: `threads` out of range.

    Example:
        captioner = Captioner(read_bundle("scenes.rnnedge"))
        captioner.caption(cv2.imread("dog.png"))[0].text
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        manifest = bundle.manifest
        if manifest.caption is None:
            raise BundleError(f"task = {manifest.task!r}: a captioner takes a bundle of task captions")
        forms = manifest.form("encode"), manifest.form("decode")
        vocabulary = bundle.vocabulary()
        encode, decode = load_forms(bundle.members[forms[0].file], forms, threads)
        self._wire(encode, decode, forms, manifest, vocabulary)

    @classmethod
    def of(
        cls, encode: FormEngine, decode: FormEngine, manifest: Manifest, vocabulary: Vocabulary
    ) -> "Captioner":
        """The same around any two engines, such as the float model's, so that all are searched by one code.

        Args:
            encode, decode: compute a signature each; their `form` describes their border.
            manifest: preprocessing and the caption side; its forms are not used.
            vocabulary: in the order of the decoder's outputs.

        Raises:
            BundleError: another task, or forms that do not fit it, each other, or the vocabulary.
        """
        if manifest.caption is None:
            raise BundleError(f"task = {manifest.task!r}: a captioner takes a manifest of task captions")
        forms = encode.form, decode.form
        if [form.name for form in forms] != ["encode", "decode"]:
            raise BundleError(f"forms {', '.join(form.name for form in forms)}: must be encode, decode")
        for form in forms:
            form.check(manifest.preprocess.shape, 0, manifest.task)
        check_pair(*forms, manifest.caption.grid)
        captioner = cls.__new__(cls)
        captioner._wire(encode, decode, forms, manifest, vocabulary)
        return captioner

    def _wire(
        self,
        encode: Engine,
        decode: Engine,
        forms: tuple[Form, Form],
        manifest: Manifest,
        vocabulary: Vocabulary,
    ) -> None:
        assert manifest.caption is not None
        self.manifest, self.vocabulary, self.spec = manifest, vocabulary, manifest.caption
        self.preprocess, self.forms = manifest.preprocess, forms
        self._encode, self._decode = encode.run, decode.run
        self._x, self._y = forms[0].input("x"), forms[1].output("y")
        if self._y.shape[1] != len(vocabulary):
            raise BundleError(
                f"vocabulary of {len(vocabulary)} words: the model's y {self._y.shape} has {self._y.shape[1]}"
            )
        attention = [tensor for tensor in forms[1].outputs if tensor.name == "attention"]
        self._attention = attention[0] if attention else None
        self._given = [tensor.name for tensor in forms[0].outputs]
        self._carry = [(state.input, state.output) for state in forms[1].states]
        self._steps = 0
        self._on_step: Callable[[], None] | None = None
        # Pixel value → model input in one look-up, quantised once.
        self._table = self._x.hold(self.preprocess.table)

    def encode(self, image: NDArray[np.uint8]) -> State:
        """What the decoder begins with, of one frame, `uint8 [H, W]` or `[H, W, 3]` BGR.

        Returns:
            By the decoder's input names, in the border's dtype.

        Raises:
            InputError: the frame's dtype or shape is not one of these.
        """
        return self.encode_pixels(self.preprocess.pixels(image))

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> State:
        """The same of a model frame, uint8 `[h, w, c]`, as `preprocess.pixels` gives it."""
        encoded = self.preprocess.look_up(pixels, self._table)
        found = self._encode({"x": encoded[np.newaxis]})
        return {name: found[name] for name in self._given}

    def caption(
        self,
        image: NDArray[np.uint8],
        options: SearchOptions | None = None,
        on_word: Callable[[str], None] | None = None,
    ) -> list[Caption]:
        """The best sentences for one frame, best first.

        Args:
            image: `uint8 [H, W]` or `[H, W, 3]` BGR.
            options: of the search; None takes the bundle's.
            on_word: called with each word as soon as it is certain, as `search` says.

        Raises:
            InputError: the frame's dtype or shape is not one of these, or the model gives NaN.
        """
        begin = perf_counter_ns()
        state = self.encode(image)
        return self.caption_state(state, options, on_word, (perf_counter_ns() - begin) / 1000)

    def caption_state(
        self,
        state: State,
        options: SearchOptions | None = None,
        on_word: Callable[[str], None] | None = None,
        encode_us: float = 0.0,
        on_step: Callable[[], None] | None = None,
    ) -> list[Caption]:
        """The same from what `encode` gave, which took `encode_us`.

        Args:
            on_step: called before each step of the decoder; what it raises ends the search.
        """
        words, begin, self._steps = self.vocabulary.words, perf_counter_ns(), 0
        tell = None if on_word is None else lambda word: on_word(words[word])
        self._on_step = on_step
        try:
            found = search(self, state, options or SearchOptions.of(self.spec), tell)
        finally:
            self._on_step = None
        decode_us = (perf_counter_ns() - begin) / 1000
        return [self._caption(item, encode_us, decode_us) for item in found]

    def _caption(self, found: Hypothesis, encode_us: float, decode_us: float) -> Caption:
        words = tuple(self.vocabulary.words[word] for word in found.ids)
        return Caption(
            " ".join(words),
            words,
            found.ids,
            found.score,
            found.log_probability,
            self._map(found.attention),
            encode_us,
            decode_us,
            self._steps,
        )

    def _map(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32] | None:
        if self._attention is None:
            return None
        shape = len(rows), self._attention.shape[1]
        return self._attention.decode(np.array(rows, self._attention.dtype).reshape(shape))

    def step(self, token: int, state: State) -> tuple[NDArray[np.float32], State, NDArray[Any] | None]:
        """One step of the search: log-probabilities `[K]`, the next state, raw attention `[P]` or None."""
        raw, after, row = self.feed(token, state)
        # In float64, so that the sums of two machines do not differ before they are rounded.
        real = self._y.decode(raw).astype(np.float64)
        real -= real.max()
        return (real - np.log(np.exp(real).sum())).astype(np.float32), after, row

    def feed(self, token: int, state: State) -> tuple[NDArray[Any], State, NDArray[Any] | None]:
        """One call of the decoder: raw logits `[K]` and attention `[P]` or None, in the border's dtype."""
        if self._on_step:
            self._on_step()
        self._steps += 1
        found = self._decode({**state, "token": np.array([token], np.int32)})
        after: Mapping[str, NDArray[Any]] = {**state, **{name: found[out] for name, out in self._carry}}
        return found["y"][0], after, None if self._attention is None else found["attention"][0]

    def logits(self, state: State, ids: Sequence[int]) -> NDArray[Any]:
        """Raw logits along a given sentence: row t is the answer to `START` and `ids` before t.

        Args:
            state: what `encode` gave.
            ids: T of them; `END` may be the last.

        Returns:
            `[T, K]` in the border's dtype.

        Raises:
            InputError: an id that is not in the vocabulary.
        """
        for word in ids:
            if not 0 <= word < len(self.vocabulary):
                raise InputError(f"ids: {word}: must be 0 to {len(self.vocabulary) - 1}")
        found = np.empty((len(ids), len(self.vocabulary)), self._y.dtype)
        for row, word in zip(found, (START, *ids[:-1]), strict=False):
            row[:], state, _ = self.feed(int(word), state)
        return found
