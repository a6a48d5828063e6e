"""Batches of captioned images: pairs stay pairs, padding weighs nothing, an epoch is a function of its seed."""

from itertools import pairwise

import numpy as np
import pytest

from rnnedge.data.augment import Augment
from rnnedge.data.caption_batches import CaptionBatches, ImageInputs, Sentences
from rnnedge.data.captions import CaptionSet
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.vocabulary import END, PAD, SPECIALS, START, UNKNOWN, Vocabulary

PIXELS = Preprocess((6, 8), "rgb")
NUMBERS = ("zero", "one", "two", "three", "four")
VOCABULARY = Vocabulary((*SPECIALS, *NUMBERS, "is"))


class Flat:
    """Pictures of one brightness, their number; decoded when asked for."""

    def __init__(self, count):
        self.count, self.asked = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        self.asked.append(i)
        return np.full((9 + i, 12, 3), 10 * i, np.uint8)


def captions(count=5):
    texts = [(NUMBERS[i], f"{NUMBERS[i]} is {NUMBERS[i]}") for i in range(count)]
    return CaptionSet(Flat(count), texts, [f"p{i}" for i in range(count)], "numbers", "train")


def batches(data=None, **options):
    data = data or captions()
    sentences = Sentences(data, VOCABULARY, 4)
    return CaptionBatches(data, PIXELS, sentences, options.pop("size", 3), **options)


def seen(part):
    """Each sentence of all batches with the brightness of its picture."""
    found = []
    for index in range(len(part)):
        (images, before, of), after, weights = part[index]
        assert set(of) == set(range(len(images)))  # no image comes twice, none for nothing
        assert (np.diff(weights.sum(axis=1)) <= 0).all()
        for image, words, nexts, weight in zip(images[of], before, after, weights, strict=True):
            assert words[0] == START
            assert np.array_equal(
                words[1:][weight[:-1] > 0][: int(weight.sum()) - 1], nexts[: int(weight.sum()) - 1]
            )
            assert np.array_equal(weight, (nexts != PAD).astype(np.float32))
            assert nexts[int(weight.sum()) - 1] == END
            found.append((round(float(image.mean()) * 255 / 10), tuple(nexts.tolist())))
    return found


def test_every_sentence_comes_once_with_its_own_picture():
    found = seen(batches(size=5))
    assert len(found) == len(set(found)) == 10
    for picture, words in found:
        said = [VOCABULARY.words[word] for word in words if word not in (END, PAD)]
        assert set(said) - {"is"} == {NUMBERS[picture]}


def test_shapes_and_types():
    found = [batches()[i] for i in range(3)]
    for (images, before, of), after, weights in found:
        assert (images.shape[1:], images.dtype) == ((6, 8, 3), np.float32)
        assert (of.shape, of.dtype) == ((3,), np.int32)
        longest = int(weights.sum(axis=1).max())
        assert before.shape == after.shape == weights.shape
        assert before.shape[1] - longest in (0, 1)  # hardly a step is padding for all
        assert before.dtype == after.dtype == np.int32
    # Keras on TensorFlow would take one length of the first two for that of all.
    lengths = [after.shape[1] for _, after, _ in found]
    assert all(one != other for one, other in pairwise(lengths))
    assert batches(start=1)[0][1].shape[1] == lengths[1]


def test_a_batch_holds_sentences_of_one_length():
    part = batches(captions(5), size=5, pool=2)
    assert len(set(seen(part))) == 10
    ends = [set(part[i][2].sum(axis=1)) for i in range(2)]
    assert sorted(ends, key=max) == [{2.0}, {4.0}]  # a number, or three words, and END


def test_half_of_the_pictures_are_mirrored_but_where_words_name_a_side():
    sides = ("right", "left")
    pictures = [np.tile(np.arange(12, dtype=np.uint8)[:, None] * 20, (9, 1, 3)) for _ in range(64)]
    texts = [(sides[i % 2],) if i < 32 else ("one",) for i in range(64)]
    data = CaptionSet(pictures, texts, [str(i) for i in range(64)], "ramps", "train")
    words = Vocabulary((*SPECIALS, *sides, "one"))
    part = CaptionBatches(data, PIXELS, Sentences(data, words, 2), 64, flip=True, seed=1)
    (images, _, of), after, _ = part[0]
    falling = (images[:, 0, 0, 0] > images[:, 0, -1, 0])[of]
    one = after[:, 0] == words.ids(["one"])[0]
    assert not falling[~one].any()
    assert 5 < falling[one].sum() < 27
    grids = np.zeros((64, 1, 1, 1), np.float16)
    seen, _, of = CaptionBatches(
        data, PIXELS, Sentences(data, words, 2), 64, grids=grids, mirrored=grids + 1, flip=True, seed=1
    )[0][0]
    assert np.array_equal(seen[of, 0, 0, 0] == 1, falling)


def test_pictures_are_read_when_they_are_needed():
    data = captions()
    part = batches(data)
    assert data.images.asked == []
    (images, _, _), _, _ = part[0]
    assert len(data.images.asked) == len(images) <= 3


def test_order_is_a_function_of_seed_and_epoch_and_can_be_entered_anywhere():
    one, same, other = batches(seed=1, epoch=2), batches(seed=1, epoch=2), batches(seed=1, epoch=3)
    assert seen(one) == seen(same)
    assert seen(one) != seen(other)
    assert seen(batches(seed=1, epoch=2, start=1)) == seen(one)[3:]
    assert len(one) == CaptionBatches.count(10, 3) == 3
    assert len(batches(size=64)) == 1


def test_grids_stand_for_the_pictures():
    data, grids = (
        captions(),
        np.arange(5, dtype=np.float16).reshape(5, 1, 1, 1) * np.ones((5, 2, 2, 4), np.float16),
    )
    part = batches(data, grids=grids)
    (images, _, of), after, _ = part[0]
    assert images.dtype == np.float32
    assert [NUMBERS[int(image[0, 0, 0])] for image in images[of]] == [
        VOCABULARY.words[row[0]] for row in after
    ]
    assert data.images.asked == []


def test_hidden_words_are_hidden_from_reading_alone():
    plain, hidden = batches(size=10), batches(size=10, word_dropout=0.5)
    (_, before, _), after, weights = plain[0]
    (_, read, _), same, alike = hidden[0]
    assert np.array_equal(after, same)
    assert np.array_equal(weights, alike)
    gone = read != before
    assert 0 < gone.sum() < (before >= len(SPECIALS)).sum()
    assert set(read[gone]) == {UNKNOWN}
    assert (before[gone] >= len(SPECIALS)).all()


def test_augmentation_changes_the_picture_not_the_words():
    (images, before, _), _, _ = batches(augment=Augment(brightness=0.3))[0]
    (plain, same, _), _, _ = batches()[0]
    assert np.array_equal(before, same)
    assert not np.array_equal(images, plain)


@pytest.mark.parametrize("rows", [slice(1, 4), np.array([3, 1])])
def test_inputs_are_what_the_device_sees(rows):
    data = captions()
    found = ImageInputs(data, PIXELS)[rows]
    expected = [PIXELS(data.images[int(i)]) for i in np.arange(5)[rows]]
    assert np.array_equal(found, np.stack(expected))


def test_sentences_name_their_image():
    sentences = Sentences(captions(), VOCABULARY, 2)  # too short for three words
    assert sentences.of.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert sentences.tokens.shape == (10, 4)
    assert (sentences.tokens == END).sum() == 10
