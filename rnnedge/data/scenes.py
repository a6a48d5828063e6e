"""``Scene``: coloured shapes in words, the grammar of sentences about them, and how right a sentence is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from rnnedge.data.caption_text import tokens

COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
SIZES = ("small", "large")
# A shape's name, and its plural.
SHAPES = {"circle": "circles", "square": "squares", "triangle": "triangles", "cross": "crosses"}
COUNTS = {1: ("a", "one"), 2: ("two",), 3: ("three",)}
# A relation of one thing to another: how it is said before the other, and after it of the first.
RELATIONS = {
    "left": (("left of", "to the left of"), ("to its left", "on its left")),
    "right": (("right of", "to the right of"), ("to its right", "on its right")),
    "above": (("above", "over"), ("above it", "over it")),
    "below": (("below", "under"), ("below it", "under it")),
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}

OF_EQUALS = ("{a}", "there {are} {a}", "a picture of {a}", "the picture shows {a}", "we can see {a}")
OF_TWO = (
    "{a} is {near} {b}",
    "{a} {near} {b}",
    "there is {a} {near} {b}",
    "{near} {b} there is {a}",
    "a picture of {a} {near} {b}",
)
OF_TWO_TURNED = ("{b} with {a} {nearby}", "there is {b} with {a} {nearby}")


@dataclass(frozen=True)
class Thing:
    """A shape: one of :data:`COLOURS`, of :data:`SIZES` and of :data:`SHAPES`."""

    colour: str
    size: str
    shape: str

    def alike(self, other: Thing) -> int:
        """How many of the three attributes are the same."""
        return (self.colour == other.colour) + (self.size == other.size) + (self.shape == other.shape)


@dataclass(frozen=True)
class Scene:
    """What a picture shows: some equal things, or two with a relation.

    Attributes:
        things: one thing, or two.
        count: how many there are of a single thing, 1 to 3.
        relation: where the first of two things is, seen from the second: one of :data:`RELATIONS`; empty for one.
    """

    things: tuple[Thing, ...]
    count: int = 1
    relation: str = ""

    def turned(self) -> Scene:
        """The same scene told from the other thing: A left of B is B right of A."""
        return Scene(self.things[::-1], self.count, OPPOSITE[self.relation]) if self.relation else self

    def matches(self, other: Scene) -> bool:
        """Whether both describe the same picture."""
        return self in (other, other.turned())


def sentences(scene: Scene) -> list[str]:
    """Everything that the grammar can say of a scene, each sentence once, in a fixed order."""
    found = _of_two(scene) if scene.relation else _of_equals(scene)
    return list(dict.fromkeys(found))


def _of_equals(scene: Scene) -> Iterator[str]:
    thing, are = scene.things[0], "is" if scene.count == 1 else "are"
    noun = thing.shape if scene.count == 1 else SHAPES[thing.shape]
    for template, number in product(OF_EQUALS, COUNTS[scene.count]):
        for phrase in (
            f"{number} {thing.size} {thing.colour} {noun}",
            f"{number} {thing.colour} {noun} that {are} {thing.size}",
        ):
            yield template.format(a=phrase, are=are)


def _of_two(scene: Scene) -> Iterator[str]:
    for told in (scene, scene.turned()):
        a, b = (f"a {thing.size} {thing.colour} {thing.shape}" for thing in told.things)
        before, after = RELATIONS[told.relation]
        yield from (template.format(a=a, b=b, near=near) for template in OF_TWO for near in before)
        yield from (template.format(a=a, b=b, nearby=near) for template in OF_TWO_TURNED for near in after)


def parse(sentence: str) -> Scene | None:
    """The scene that a sentence describes; None if it is not one of :func:`sentences`.

    Case and punctuation do not matter. A scene of two things is told in the order in which they are named.
    """
    words = tokens(sentence)
    text = " ".join(words)
    return next((scene for scene in _candidates(words) if text in sentences(scene)), None)


def _candidates(words: list[str]) -> Iterator[Scene]:
    """The scenes that a sentence's attributes allow, whatever else it says."""
    singular = {plural: shape for shape, plural in SHAPES.items()} | {shape: shape for shape in SHAPES}
    things = [
        Thing(*attributes)
        for attributes in zip(
            [word for word in words if word in COLOURS],
            [word for word in words if word in SIZES],
            [singular[word] for word in words if word in singular],
            strict=False,
        )
    ]
    if len(things) == 1:
        yield from (Scene((things[0],), count) for count in COUNTS)
    elif len(things) == 2:
        yield from (Scene((things[0], things[1]), relation=relation) for relation in RELATIONS)


def attribute_accuracy(sentence: str, scene: Scene) -> tuple[int, int]:
    """How many attributes of a scene a sentence has right.

    Returns:
        ``(right, total)``. Of some equal things there are four: colour, size, shape and count; of two things seven:
        three each and the relation. An ungrammatical sentence has none right.
    """
    said = parse(sentence)
    total = 7 if scene.relation else 4
    if said is None:
        return 0, total
    if scene.relation and said.relation:
        return max(_same_of_two(told, scene) for told in (said, said.turned())), total
    best = max(a.alike(b) for a in said.things for b in scene.things)
    same_count = not said.relation and not scene.relation and said.count == scene.count
    return best + same_count, total


def _same_of_two(said: Scene, scene: Scene) -> int:
    alike = sum(a.alike(b) for a, b in zip(said.things, scene.things, strict=True))
    return alike + (said.relation == scene.relation)
