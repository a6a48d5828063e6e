"""``evaluation.json`` of a clip run as types: clips, frames and events by float, QAT and int8, and a few films."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rnnedge.evaluate import Evaluation
from rnnedge.report import formats
from rnnedge.report.facts import Count, Facts, Positive, Share, check_evaluation

Score = Annotated[float, Field(ge=0)]


class Frames(Facts):
    """Figures over labelled frames."""

    accuracy: Share
    balanced: Share
    frames: Annotated[int, Field(gt=0)]


class EventFigures(Facts):
    """How well events were found; see ``rnnedge.clips.event_scores``."""

    precision: Share
    recall: Share
    f1: Share
    delay_ms: float | None
    false_alarms_per_hour: Score | None
    events: Count
    detections: Count


class Events(EventFigures):
    """The same over all classes, with each class's."""

    iou: Share
    hours: Score
    classes: dict[str, EventFigures]


class ClipScores(Facts):
    """One model's figures; see ``rnnedge.clips.evaluate.ClipEvaluation``."""

    clips: Evaluation | None
    balanced: Share | None
    frames: Frames | None
    events: Events | None

    @property
    def accuracy(self) -> float:
        """Of clips where they have classes, else of frames."""
        found = self.clips or self.frames
        assert found is not None  # as checked below
        return found.accuracy


class SingleFrame(Facts):
    """How often one frame gives away its clip's label, by a model without a memory."""

    accuracy: Share
    best_frame: Share
    frames: Count


class StreamEqualsBatch(Facts):
    """The largest difference between frame by frame and all at once: of int8, and of the float model."""

    max_abs: Score
    float_max_abs: Score
    frames: Count


class CutFigures(Facts):
    """The scene-cut threshold and how often it is crossed within a clip and between two; None: no detector."""

    threshold: Positive | None
    false_rate: Share | None = None
    hit_rate: Share | None = None
    within: Count = 0
    between: Count = 0


class Rules(Facts):
    """From scores to events; ``val`` holds what tuning reached."""

    tuned: bool
    smooth_ms: Score
    on: Share
    off: Share
    min_ms: Score
    refractory_ms: Score
    val: Events | None = None


class Film(Facts):
    """A clip's int8 scores ``[T][K]`` at ``ts_ms [T]`` with its truths and some pictures (PNGs in base64)."""

    id: str
    label: str | None
    int8: str | None
    float_: str | None = Field(alias="float")
    ts_ms: Annotated[list[float], Field(min_length=1)]
    scores: list[list[Share]]
    truths: list[tuple[float, float, str]]
    pictures: Annotated[list[tuple[float, str]], Field(min_length=1)]

    @property
    def wrong(self) -> bool:
        """Is it called something else than it is?"""
        return self.int8 != self.label


class ClipEvaluations(Facts):
    """``evaluation.json``: the same test clips streamed through the float, the QAT and the int8 model."""

    task: Literal["clips"]
    data: str
    split: str
    labels: Annotated[list[str], Field(min_length=2)]
    rate: Positive
    head: Literal["last", "every", "both"]
    float_: ClipScores = Field(alias="float")
    qat: ClipScores
    int8: ClipScores
    memoryless: ClipScores | None = None
    single_frame: SingleFrame | None = None
    agreement: Share
    stream_equals_batch: StreamEqualsBatch
    step_us: Positive
    window_us: Positive
    window: Annotated[int, Field(gt=0)]
    size_bytes: Count
    scene_cut: CutFigures
    rules: Rules
    samples: list[Film] = Field(default_factory=list)

    @property
    def models(self) -> dict[str, ClipScores]:
        """The models' figures by key; the one without a memory where it was trained."""
        found = {"float": self.float_, "qat": self.qat, "int8": self.int8}
        return found | ({"memoryless": self.memoryless} if self.memoryless else {})

    @property
    def skipped(self) -> int:
        """Test videos that could not be decoded, as far as it is told."""
        return self.int8.clips.skipped if self.int8.clips else 0

    @property
    def tested(self) -> str:
        """``600 test clips``, or ``8,130 test frames`` where no clip has a class of its own."""
        if self.int8.clips:
            return formats.of_split(self.int8.clips.images, self.split, "clip")
        return formats.of_split(self.int8.frames.frames if self.int8.frames else 0, self.split, "frame")

    @model_validator(mode="after")
    def _agree(self) -> ClipEvaluations:
        for name, scores in self.models.items():
            if not (scores.clips or scores.frames):
                raise ValueError(f"{name}: needs figures of clips, of frames, or of both")
            for part in ("clips", "frames", "events"):
                if (getattr(scores, part) is None) != (getattr(self.int8, part) is None):
                    raise ValueError(f"{name}.{part}: must be there for every model, or for none")
            if scores.clips:
                check_evaluation(f"{name}.clips", scores.clips, self.labels)
            if scores.events and not set(scores.events.classes) <= set(self.labels):
                raise ValueError(f"{name}.events.classes: its names are not those in labels")
        for index, film in enumerate(self.samples):
            self._check_film(f"samples.{index}", film)
        return self

    def _check_film(self, where: str, film: Film) -> None:
        if len(film.scores) != len(film.ts_ms) or any(len(row) != len(self.labels) for row in film.scores):
            raise ValueError(
                f"{where}.scores: must be {len(film.ts_ms)} rows of {len(self.labels)}, as ts_ms and labels"
            )
        named = {film.label, film.int8, film.float_, *(label for *_, label in film.truths)} - {None}
        unknown = sorted(str(name) for name in named - set(self.labels))
        if unknown:
            raise ValueError(f"{where}: names {unknown[0]!r}, which is not among labels")
