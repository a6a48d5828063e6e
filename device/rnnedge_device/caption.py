"""What a caption model assumes about words: its vocabulary, how it is searched, and when it speaks again."""

from dataclasses import asdict, dataclass
from typing import Any

from rnnedge_device.errors import InputError
from rnnedge_device.fields import Fields, is_count, is_number, is_whole
from rnnedge_device.scene import SceneCut


@dataclass(frozen=True)
class CaptionSpec:
    """The caption side of a bundle.

    Args:
        vocabulary: the member with one word a line (`Vocabulary.to_text`).
        max_length: words; a longer caption is cut.
        beam: hypotheses kept a step; 1 is greedy.
        length_penalty: a hypothesis is scored log-probability / words ** penalty; 0 for none.
        no_repeat: n of the n-gram that must not come twice in a caption; 0 for no such rule.
        interval_ms: live, a new caption at latest so long after the last.
        scene_cut: the detector whose cuts call for a new caption at once; None for no detector.
        grid: (rows, columns) of the attention map; None without attention.

    Raises:
        InputError: a value out of its range.
    """

    vocabulary: str = "vocabulary.txt"
    max_length: int = 20
    beam: int = 1
    length_penalty: float = 0.7
    no_repeat: int = 3
    interval_ms: float = 2000.0
    scene_cut: SceneCut | None = None
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.grid, list):
            # Lists are welcome (JSON, TOML have no tuples); the object itself stays hashable.
            object.__setattr__(self, "grid", tuple(self.grid))
        if not isinstance(self.vocabulary, str) or not self.vocabulary:
            raise InputError(f"caption: vocabulary = {self.vocabulary!r}: must be the name of a member")
        for name in ("max_length", "beam"):
            if not is_count(getattr(self, name)):
                raise InputError(f"caption: {name} = {getattr(self, name)!r}: must be whole, above zero")
        if not is_whole(self.no_repeat):
            raise InputError(f"caption: no_repeat = {self.no_repeat!r}: must be whole, 0 or more")
        if not is_number(self.length_penalty) or self.length_penalty < 0:
            raise InputError(
                f"caption: length_penalty = {self.length_penalty!r}: must be a number, 0 or more"
            )
        if not is_number(self.interval_ms) or self.interval_ms <= 0:
            raise InputError(f"caption: interval_ms = {self.interval_ms!r}: must be a number above zero")
        if self.scene_cut is not None and not isinstance(self.scene_cut, SceneCut):
            raise InputError(f"caption: scene_cut = {self.scene_cut!r}: must be a SceneCut or None")
        if self.grid is not None and not (
            isinstance(self.grid, tuple) and len(self.grid) == 2 and all(map(is_count, self.grid))
        ):
            raise InputError(
                f"caption: grid = {self.grid!r}: must be (rows, columns), whole, above zero, or None"
            )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {**asdict(self), "grid": None if self.grid is None else list(self.grid)}

    @classmethod
    def from_dict(
        cls, data: Any, where: str = "caption", error: type[InputError] = InputError
    ) -> "CaptionSpec":
        """What `to_dict` wrote, every key and type checked.

        Raises:
            InputError (or `error`): a missing or unknown key, or a value out of its range.
        """
        fields = Fields(data, where, error)
        cut, grid = fields.raw("scene_cut"), fields.raw("grid")
        found: dict[str, Any] = {
            "vocabulary": fields.text("vocabulary"),
            "max_length": fields.integer("max_length"),
            "beam": fields.integer("beam"),
            "length_penalty": fields.number("length_penalty"),
            "no_repeat": fields.integer("no_repeat"),
            "interval_ms": fields.number("interval_ms"),
            "scene_cut": None if cut is None else SceneCut.from_dict(cut, f"{where}: scene_cut", error),
            "grid": None
            if grid is None
            else fields.list_of("grid", is_count, "two whole numbers above zero"),
        }
        fields.done()
        try:
            return cls(**found)
        except InputError as problem:
            raise error(f"{where}: {problem}") from None
