"""``CaptionBatches``: captioned images as the batches of one epoch, for ``keras.Model.fit``."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.data.augment import Augment
from rnnedge.data.batches import Batches, to_inputs
from rnnedge.data.caption_text import encode
from rnnedge.data.captions import CaptionSet
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.vocabulary import PAD, SPECIALS, UNKNOWN, Vocabulary

use_backend()

import keras  # noqa: E402 - the backend is chosen first

SIDES = ("left", "right")  # words that are wrong of a photo's mirror image


class Sentences:
    """Every sentence of a set as a row of word numbers.

    Attributes:
        tokens: int32 ``[M, length + 2]``, ``START w1 ... wn END PAD ...``.
        of: int64 ``[M]``, the image of each.
        lengths: int64 ``[M]``, of each with its marks.
        sided: bool ``[M]``, whether it has one of :data:`SIDES`.
    """

    def __init__(self, captions: CaptionSet, vocabulary: Vocabulary, length: int) -> None:
        self.tokens = encode([s for row in captions.captions for s in row], vocabulary, length + 2)
        self.of = np.repeat(np.arange(len(captions)), [len(row) for row in captions.captions])
        self.lengths = (self.tokens != PAD).sum(axis=1)
        known = [word for word in vocabulary.ids(SIDES) if word != UNKNOWN]
        self.sided = np.isin(self.tokens, known).any(axis=1)

    def __len__(self) -> int:
        return len(self.of)


class ImageInputs:
    """The model's inputs of a set's images, float32 ``[n, h, w, c]`` for a slice or for numbers, read as needed."""

    def __init__(self, captions: CaptionSet, preprocess: Preprocess) -> None:
        self._images, self._preprocess = captions.images, preprocess

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return to_inputs(self.pixels(rows), self._preprocess)

    def pixels(self, rows: slice | np.ndarray) -> np.ndarray:
        """The same as pixels uint8 ``[n, h, w, c]``."""
        chosen = range(len(self))[rows] if isinstance(rows, slice) else rows
        return np.stack([self._preprocess.pixels(self._images[int(i)]) for i in chosen])


class CaptionBatches(keras.utils.PyDataset):
    """The batches of one epoch, every sentence once: ``((images, words, of), next words, weights)``.

    Images are float32 ``[I, h, w, c]``, or rows of ``grids``, each once; words int32 ``[B, L]`` begin with START, the
    next ones end with END; weights float32 ``[B, L]`` are 0 behind it; ``of`` int32 ``[B]`` is the image of each row.
    L is that of the batch's longest sentence, which comes first, the shortest last. Order and augmentation are a pure
    function of (seed, epoch, index); sentences that do not fill the last batch wait for another epoch's order.

    Args:
        captions, preprocess: the images.
        sentences: theirs.
        batch_size: sentences a batch; all of them where there are fewer.
        grids, mirrored: what an encoder that does not learn gives for each image, and for its mirror image,
            ``[N, rows, columns, C]``.
        augment: random changes of the images, or None.
        flip: show half of the images mirrored, left for right, but those whose sentence names a side.
        word_dropout: share of the words read that become UNKNOWN, so that the image counts for more (Bowman et al.
            2016, https://arxiv.org/abs/1511.06349).
        pool: of so many batches the sentences are sorted by length, so that each has some of about one length and few
            steps go into padding.
        seed, epoch: name the order and the draws.
        start: batches of this epoch to leave out at its beginning, when it is resumed.
    """

    def __init__(
        self,
        captions: CaptionSet,
        preprocess: Preprocess,
        sentences: Sentences,
        batch_size: int,
        *,
        grids: np.ndarray | None = None,
        mirrored: np.ndarray | None = None,
        augment: Augment | None = None,
        flip: bool = False,
        word_dropout: float = 0.0,
        pool: int = 1,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._inputs, self._preprocess = ImageInputs(captions, preprocess), preprocess
        # A column more, see `_longest`.
        self._tokens = np.pad(sentences.tokens, ((0, 0), (0, 1)), constant_values=PAD)
        self._sentences, self._grids, self._mirrored = sentences, grids, mirrored
        self._size = min(batch_size, len(sentences))
        self._start = start
        self._order = self._drawn_order(np.random.default_rng([seed, epoch, 1]), pool)
        self._augment = augment if augment else None
        self._draws = augment.draw(seed, epoch, len(sentences)) if augment else None
        mirrors = np.random.default_rng([seed, epoch, 3]).random(len(captions)) < 0.5
        self._flipped = mirrors[sentences.of] & ~sentences.sided & flip
        drawn = np.random.default_rng([seed, epoch, 2]).random(self._tokens.shape)
        self._dropped = (drawn < word_dropout) & (self._tokens >= len(SPECIALS)) if word_dropout else None

    count = staticmethod(Batches.count)

    def __len__(self) -> int:
        return self.count(len(self._sentences), self._size) - self._start

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray, np.ndarray]:
        chosen = self._order[self._start + index]
        words = self._tokens[chosen, : self._longest(self._start + index)]
        after = words[:, 1:]
        weights = (after != PAD).astype(np.float32)
        before = words[:, :-1]
        if self._dropped is not None:
            before = np.where(self._dropped[chosen, : before.shape[1]], np.int32(UNKNOWN), before)
        shown = 2 * self._sentences.of[chosen] + self._flipped[chosen]
        _, first, of = np.unique(shown, return_index=True, return_inverse=True)
        return (self._images(chosen[first]), before, of.astype(np.int32)), after, weights

    def _longest(self, number: int) -> int:
        """The columns of an epoch's batch ``number``: even for the even ones, odd for the others.

        Keras on TensorFlow takes the shape of all batches from its first two, so these must not be of one length.
        """
        longest = int(self._sentences.lengths[self._order[number, 0]])
        return longest + (longest - number) % 2

    def _drawn_order(self, rng: np.random.Generator, pool: int) -> np.ndarray:
        """The sentences of each batch, the longest first: ``[batches, B]``."""
        count = self.count(len(self._sentences), self._size)
        drawn = rng.permutation(len(self._sentences))[: count * self._size]
        if pool == 1:
            batches = drawn.reshape(count, self._size)
        else:
            pools = np.split(drawn, range(pool * self._size, len(drawn), pool * self._size))
            alike = [each[np.argsort(self._sentences.lengths[each], kind="stable")] for each in pools]
            batches = rng.permutation(np.concatenate(alike).reshape(count, self._size))
        ranks = np.argsort(-self._sentences.lengths[batches], axis=1, kind="stable")
        return np.take_along_axis(batches, ranks, axis=1)

    def _images(self, chosen: np.ndarray) -> np.ndarray:
        of, flipped = self._sentences.of[chosen], self._flipped[chosen]
        if self._grids is not None:
            grids = self._grids[of]
            if self._mirrored is not None:
                grids[flipped] = self._mirrored[of[flipped]]
            return grids.astype(np.float32)
        pixels = self._inputs.pixels(of)
        pixels[flipped] = pixels[flipped, :, ::-1]
        if self._augment is not None and self._draws is not None:
            for row, draw in enumerate(self._draws[chosen]):
                pixels[row] = self._augment.apply(pixels[row], draw)
        return to_inputs(pixels, self._preprocess)
