"""The vocabulary: words to ids and back, and nothing in it that could be two words or none."""

import pytest
from tiny_captions import VOCABULARY, WORDS

from rnnedge_device.errors import InputError
from rnnedge_device.vocabulary import END, PAD, SPECIALS, START, UNKNOWN, Vocabulary


def test_the_marks_come_first_and_words_are_found_by_their_place():
    assert VOCABULARY.words[:4] == SPECIALS
    assert (PAD, START, END, UNKNOWN) == (0, 1, 2, 3)
    assert len(VOCABULARY) == 4 + len(WORDS)
    assert VOCABULARY.ids(["a", "dog", "<end>", "zebra", "a"]) == [4, 5, END, UNKNOWN, 4]
    assert VOCABULARY.ids([]) == []


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ([4, 5, 7], "a dog runs"),
        ([START, 4, 5, END, 6, 7], "a dog"),
        ([4, UNKNOWN, 5, PAD, PAD], "a dog"),
        ([END], ""),
        ([], ""),
    ],
)
def test_a_sentence_stops_at_the_end_and_shows_no_marks(ids, sentence):
    assert VOCABULARY.sentence(ids) == sentence
    assert VOCABULARY.spoken(ids) == tuple(sentence.split())


def test_there_and_back_through_ids_and_text():
    assert VOCABULARY.sentence(VOCABULARY.ids(list(WORDS))) == " ".join(WORDS)
    text = VOCABULARY.to_text()
    assert text.splitlines() == [*SPECIALS, *WORDS]
    assert Vocabulary.from_text(text) == VOCABULARY
    assert Vocabulary.from_text(text.replace("\n", "\r\n")) == VOCABULARY
    foreign = Vocabulary((*SPECIALS, "köter", "läuft", "犬", "'s"))
    assert Vocabulary.from_text(foreign.to_text().encode().decode()) == foreign


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "words begin with"),
        (WORDS, "words begin with"),
        ((*SPECIALS[::-1], *WORDS), "words begin with"),
        ((*SPECIALS, "a", "dog", "a"), r"words\[6\] = 'a': must be there once"),
        ((*SPECIALS, "<pad>"), r"words\[4\] = '<pad>': must be there once"),
        ((*SPECIALS, "a dog"), r"words\[4\] = 'a dog': .* without whitespace"),
        ((*SPECIALS, "a\u00a0dog"), "without whitespace"),
        ((*SPECIALS, "dog\n"), "without whitespace"),
        ((*SPECIALS, ""), "not empty"),
        ((*SPECIALS, 7), r"words\[4\] = 7: must be a text"),
        ("<pad>", "not one text"),
    ],
)
def test_what_is_no_vocabulary_is_refused(words, message):
    with pytest.raises(InputError, match=f"^vocabulary: .*{message}"):
        Vocabulary(words)


@pytest.mark.parametrize("text", ["", "a\ndog\n", "<pad>\n<start>\n<end>\n<unk>\na\n\ndog\n"])
def test_a_text_that_is_no_vocabulary_is_refused(text):
    with pytest.raises(InputError, match=r"^vocabulary: words"):
        Vocabulary.from_text(text)


def test_one_text_is_not_a_list_of_words_and_ids_have_a_range():
    with pytest.raises(InputError, match="words = 'a dog': must be a list of words"):
        VOCABULARY.ids("a dog")
    for bad in (-1, len(VOCABULARY)):
        with pytest.raises(InputError, match=f"ids: {bad}: must be 0 to {len(VOCABULARY) - 1}"):
            VOCABULARY.sentence([4, bad])
