"""``evaluation.json`` and ``quantize.json`` of a caption run as types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from rnnedge.report import formats
from rnnedge.report.facts import Count, Facts, FormFacts, Positive, Quantization, Share

Score = Annotated[float, Field(ge=0)]
Whole = Annotated[int, Field(ge=1)]

SIGNATURES = ("encode", "decode")


class SceneFigures(Facts):
    """How true sentences are, where it is known what the images show; see ``rnnedge.captions.evaluate``."""

    attributes: Share
    exact: Share
    grammar: Share


class CaptionFigures(Facts):
    """One model's figures; see ``rnnedge.captions.evaluate.CaptionEvaluation``."""

    images: Whole
    skipped: Count
    beam: Whole
    bleu_1: Share
    bleu_2: Share
    bleu_3: Share
    bleu_4: Share
    rouge_l: Share
    cider_d: Score
    scenes: SceneFigures | None = None
    encode_us: Positive
    decode_us: Positive
    step_us: Positive

    @property
    def bleu(self) -> tuple[float, float, float, float]:
        """BLEU-1 to BLEU-4."""
        return self.bleu_1, self.bleu_2, self.bleu_3, self.bleu_4

    @property
    def sentence_us(self) -> float:
        """From image to sentence."""
        return self.encode_us + self.decode_us


class CaptionSample(Facts):
    """A test image (a PNG in base64) with its sentences.

    Attributes:
        attention: ``[T][P]``, where int8 looked for each of its T words, over the P places of a grid.
    """

    image: str
    id: str
    references: Annotated[list[str], Field(min_length=1)]
    float_: str = Field(alias="float")
    qat: str
    int8: str
    attention: list[Annotated[list[Share], Field(min_length=1)]] | None = None


class CaptionSizes(Facts):
    """Bytes of the ``.tflite`` files."""

    int8_tflite: Whole
    float32_tflite: Whole


class CaptionEvaluations(Facts):
    """``evaluation.json``: sentences of the same test images by the float, the QAT and the int8 model."""

    task: Literal["captions"]
    data: str
    split: str
    images: Whole
    float_: CaptionFigures = Field(alias="float")
    qat: CaptionFigures
    int8: CaptionFigures
    float_beam: CaptionFigures | None = None
    int8_beam: CaptionFigures | None = None
    token_agreement: Share
    same_captions: Share
    same_as_float: Share
    sizes: CaptionSizes
    grid: tuple[Whole, Whole] | None = None
    samples: list[CaptionSample] = Field(default_factory=list)

    @property
    def models(self) -> dict[str, CaptionFigures]:
        """The models' figures by key; with a wider beam where that was measured."""
        greedy = {"float": self.float_, "qat": self.qat, "int8": self.int8}
        wide = {"float_beam": self.float_beam, "int8_beam": self.int8_beam}
        return greedy | {key: found for key, found in wide.items() if found}

    @property
    def skipped(self) -> int:
        """Test images that could not be decoded."""
        return self.int8.skipped

    @property
    def tested(self) -> str:
        """``500 test images``."""
        return formats.of_split(self.images, self.split, "image")

    @model_validator(mode="after")
    def _agree(self) -> CaptionEvaluations:
        for name, found in self.models.items():
            if found.images != self.images:
                raise ValueError(f"{name}.images: {found.images}, but images is {self.images}")
            if (found.scenes is None) != (self.int8.scenes is None):
                raise ValueError(f"{name}.scenes: must be there for every model, or for none")
        for index, sample in enumerate(self.samples):
            self._check_attention(f"samples.{index}.attention", sample)
        return self

    def _check_attention(self, where: str, sample: CaptionSample) -> None:
        words, rows = sample.int8.split(), sample.attention
        if rows is None:
            return
        if len(rows) != len(words) or len({len(row) for row in rows}) > 1:
            raise ValueError(
                f"{where}: must be {len(words)} rows of one length, as int8's sentence has words"
            )
        if self.grid and rows and len(rows[0]) != self.grid[0] * self.grid[1]:
            raise ValueError(
                f"{where}: rows of {len(rows[0])}, but the grid is {self.grid[0]} x {self.grid[1]}"
            )


def _as_form(value: Any) -> Any:
    """A signature's audit, the way a form holds its own."""
    return {"size_bytes": value.get("size_bytes"), "audit": value} if isinstance(value, dict) else value


class DecoderFacts(Facts):
    """What the decoder is made of; see ``rnnedge_export.captions.settings.DecoderSettings``."""

    words: Whole
    image: Literal["first", "state", "attention"]
    cell: str
    units: Whole
    layers: Whole
    embedding: Whole
    attention: Count = 0


class CaptionQuantization(Quantization):
    """``quantize.json`` of a captioner: two signatures of one file take the place of the forms."""

    form: str = "encode"
    forms: dict[str, Annotated[FormFacts, BeforeValidator(_as_form)]] = Field(alias="audits")
    decoder: DecoderFacts

    @model_validator(mode="after")
    def _has_its_form(self) -> CaptionQuantization:
        missing = [name for name in SIGNATURES if name not in self.forms]
        if missing:
            raise ValueError(f"audits: {missing[0]!r} is not among them ({', '.join(self.forms)})")
        return self
