"""Words of captions: as COCO's evaluation splits them; vocabularies and rows of word numbers."""

import numpy as np
import pytest

from rnnedge.data.caption_text import build_vocabulary, count_words, encode, tokens
from rnnedge.data.captions import load_captions
from rnnedge_device.errors import InputError
from rnnedge_device.vocabulary import END, PAD, SPECIALS, START, UNKNOWN

# Flickr8k's and COCO's kind of sentences, and what coco-caption's own tokenizer (Stanford's, 3.4.1, with -lowerCase)
# and its list of punctuation make of them.
EVALUATED = [
    ("A child in a pink dress is climbing up .", "a child in a pink dress is climbing up"),
    ("Tan dog about to bite gray dog 's ear .", "tan dog about to bite gray dog 's ear"),
    ("The man's dog can't run; don't!", "the man 's dog ca n't run do n't"),
    ("he'll I'm we've you're they'd", "he 'll i 'm we 've you 're they 'd"),
    ('A sign that reads "Stop!" "Go?"', "a sign that reads stop go"),
    ("A sign that says \" Mark ' Mom ' Finley \" .", "a sign that says mark mom finley"),
    ("A black and a tri-colored dog , 2-year-old", "a black and a tri-colored dog 2-year-old"),
    ("A big black-and-white dog -- running ...", "a big black-and-white dog running"),
    ("The racing dog wears jersey # 8 .", "the racing dog wears jersey # 8"),
    ("People racing on ATV 's", "people racing on atv 's"),
    ("Dogs' bowls & women's 1980's t-shirts", "dogs bowls & women 's 1980 's t-shirts"),
    ("1,000 people at 5:30 p.m. in the U.S. pay $5.00", "1,000 people at 5:30 p.m. in the u.s. pay $ 5.00"),
    ("She cannot see and is gonna fall", "she can not see and is gon na fall"),
    ("a black/white cat , rock 'n' roll at five o'clock", "a black/white cat rock 'n' roll at five o'clock"),
    ("it’s a “quoted” café — isn’t it", "it 's a quoted café is n't it"),
]


@pytest.mark.parametrize(("sentence", "words"), EVALUATED)
def test_words_are_those_that_the_evaluation_counts(sentence, words):
    assert tokens(sentence) == words.split()


def test_brackets_are_dropped_and_splitting_twice_changes_nothing():
    assert tokens("a dog (brown) [big] {wet}") == ["a", "dog", "brown", "big", "wet"]
    assert tokens("") == tokens(" . ... ?! ") == []
    for sentence, words in EVALUATED:
        assert tokens(" ".join(tokens(sentence))) == words.split()


def test_real_captions_become_words_without_punctuation(real_data):
    captions = load_captions(f"flickr8k:{real_data / 'flickr8k'}", "val").captions
    counts = count_words(captions)
    assert counts["a"] > 7000
    assert counts["dog"] > 900
    assert not [word for word in counts if not any(c.isalnum() for c in word) and word not in "&#=$%"]
    assert not [word for word in counts if word != word.lower()]
    vocabulary = build_vocabulary(captions, 5)
    assert vocabulary.words[4:7] == ("a", "in", "the")
    assert 700 < len(vocabulary) < 1500


def test_a_vocabulary_is_sorted_by_count_then_alphabet():
    captions = [("A dog runs.", "The dog is a dog"), ("A cat",)]
    assert count_words(captions) == {"a": 3, "dog": 3, "cat": 1, "is": 1, "runs": 1, "the": 1}
    assert build_vocabulary(captions, 1).words == (*SPECIALS, "a", "dog", "cat", "is", "runs", "the")
    assert build_vocabulary(captions, 3).words == (*SPECIALS, "a", "dog")
    assert build_vocabulary(captions[::-1], 1) == build_vocabulary(captions, 1)


def test_rows_begin_end_and_are_cut_to_fit():
    vocabulary = build_vocabulary([("a dog runs on the red grass",)], 1)
    a, dog, cat = vocabulary.ids(["a", "dog", "cat"])
    rows = encode(["A dog.", "a cat", "", "a dog runs on the red grass"], vocabulary, 5)
    assert rows.dtype == np.int32
    assert rows[:3].tolist() == [
        [START, a, dog, END, PAD],
        [START, a, UNKNOWN, END, PAD],
        [START, END, PAD, PAD, PAD],
    ]
    assert cat == UNKNOWN
    assert rows[3].tolist() == [START, *vocabulary.ids(["a", "dog", "runs"]), END]
    assert encode([], vocabulary, 7).shape == (0, 7)


def test_rows_of_captions_read_back():
    data = load_captions("shapes", "val")
    vocabulary = build_vocabulary(data.captions, 1)
    sentences = [caption for group in data.captions[:50] for caption in group]
    rows = encode(sentences, vocabulary, 18)
    assert [vocabulary.sentence(row) for row in rows.tolist()] == sentences


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: build_vocabulary([("a dog",)], 0), ["min_count=0", "1 or more"]),
        (lambda: build_vocabulary([("a dog", "a cat")], 3), ["min_count=3", "occurs 2 times"]),
        (lambda: build_vocabulary([], 1), ["min_count=1", "no word"]),
        (lambda: count_words(["a dog runs"]), ["captions[0]='a dog runs'", "sentences of an image"]),
        (lambda: encode(["a"], build_vocabulary([("a",)], 1), 2), ["length=2", "3 or more"]),
        (lambda: encode([("a dog",)], build_vocabulary([("a",)], 1), 9), ["('a dog',)", "one string a row"]),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError) as error:
        call()
    for word in words:
        assert word in str(error.value)
