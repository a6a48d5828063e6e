"""The vocabulary of a caption model: words by id, with the marks that no sentence shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from rnnedge_device.errors import InputError
from rnnedge_device.fields import shown

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIALS = ("<pad>", "<start>", "<end>", "<unk>")


@dataclass(frozen=True)
class Vocabulary:
    """Words by their ids: a word's id is its place.

    Args:
        words: `SPECIALS` first, then the words, each once, without whitespace.

    Raises:
        InputError: anything else.

    Example:
        vocabulary = Vocabulary((*SPECIALS, "a", "dog", "runs"))
        vocabulary.ids(["a", "cat", "runs"])  # [4, 3, 6]
        vocabulary.sentence([1, 4, 5, 2])  # "a dog"
    """

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.words, str):
            raise InputError(
                f"vocabulary: words = {shown(self.words)}: must be a tuple of words, not one text"
            )
        object.__setattr__(self, "words", tuple(self.words))
        if self.words[: len(SPECIALS)] != SPECIALS:
            raise InputError(
                f"vocabulary: words begin with {shown(self.words[: len(SPECIALS)])}: must be "
                f"{', '.join(SPECIALS)}"
            )
        seen: set[str] = set()
        for number, word in enumerate(self.words):
            if not isinstance(word, str) or word.split() != [word]:
                raise InputError(
                    f"vocabulary: words[{number}] = {shown(word)}: must be a text, not empty and without "
                    "whitespace"
                )
            if word in seen:
                raise InputError(f"vocabulary: words[{number}] = {shown(word)}: must be there once")
            seen.add(word)

    def __len__(self) -> int:
        """How many ids there are, the marks included."""
        return len(self.words)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def ids(self, words: Sequence[str]) -> list[int]:
        """The id of each word; `UNKNOWN` for a word that is not in the vocabulary.

        Raises:
            InputError: `words` is one text and not a list of words.
        """
        if isinstance(words, str):
            raise InputError(f"words = {shown(words)}: must be a list of words, not one text")
        return [self._ids.get(word, UNKNOWN) for word in words]

    def spoken(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The words of the ids up to the first `END`, the marks left out.

        Raises:
            InputError: an id that is not in 0..len - 1.
        """
        found = []
        for number in ids:
            if not 0 <= number < len(self.words):
                raise InputError(f"ids: {number!r}: must be 0 to {len(self.words) - 1}")
            if number == END:
                break
            if number >= len(SPECIALS):
                found.append(self.words[number])
        return tuple(found)

    def sentence(self, ids: Iterable[int]) -> str:
        """The words of `spoken`, with a space between them; "" for none."""
        return " ".join(self.spoken(ids))

    def to_text(self) -> str:
        """One word a line, in the order of the ids."""
        return "".join(f"{word}\n" for word in self.words)

    @classmethod
    def from_text(cls, text: str) -> "Vocabulary":
        """What `to_text` wrote.

        Raises:
            InputError: an empty line, a word with whitespace or one that is there twice, or no marks.
        """
        return cls(tuple(text.splitlines()))
