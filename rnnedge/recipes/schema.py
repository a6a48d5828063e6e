"""What a recipe may hold. An unknown key, a wrong type or a value out of range is refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt

from rnnedge.data.augment import LIMITS, Augment
from rnnedge.data.clip_augment import ClipAugment
from rnnedge.recipes.clips import ClipSection, Events, ForegroundSection
from rnnedge.recipes.models import Captioner, ClipRnn, Model, RowRnn
from rnnedge.recipes.section import Above, Border, Section, Share, Whole
from rnnedge.recipes.tasks import KIND, ONLY, of_other_tasks
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.clip import ClipSpec
from rnnedge_device.errors import InputError
from rnnedge_device.events import EventRules
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.scene import SceneCut


class Data(Section):
    """Which images or clips, and how they become the model's input (``rnnedge_device.preprocess``).

    For clips, ``classes`` gathers labels of the data into classes, and ``fold`` of ``folds`` is the test split.
    """

    name: str = "digits"
    group: str = ""
    size: Annotated[list[Annotated[StrictInt, Field(ge=1)]], Field(min_length=2, max_length=2)] = [28, 28]
    color: Literal["gray", "rgb"] = "gray"
    fit: Literal["stretch", "pad", "crop"] = "stretch"
    mean: Annotated[list[StrictFloat | StrictInt], Field(max_length=3)] = []
    std: Annotated[list[StrictFloat | StrictInt], Field(max_length=3)] = []
    invert: bool = False
    equalize: bool = False
    classes: dict[str, list[str]] = {}
    fold: Annotated[int, Field(ge=-1)] = -1
    folds: Annotated[int, Field(ge=0)] = 0


class CaptionSection(Section):
    """Words and how a sentence is searched for; see ``rnnedge_device.caption``.

    ``length`` is the longest sentence in words, ``min_count`` how often a word must occur to be learned.
    """

    length: Whole = 20
    min_count: Whole = 1
    beam: Whole = 1
    length_penalty: Annotated[float, Field(ge=0)] = 0.7
    no_repeat: Annotated[int, Field(ge=0)] = 3
    interval_ms: Above = 2000.0
    scene_cut: bool = True


class Train(Section):
    """Optimisation. Steps are batches; a warm-up rises linearly from zero; ``beta_2`` is Adam's.

    ``class_weight = "balanced"`` lets every class count the same, ``sqrt`` takes the roots of those weights; ``carry``
    hands a long video's state from window to window; ``frame_weight`` is what a frame counts beside a clip's last with
    head ``both``, ``whole_share`` the share of the whole videos' windows in an epoch; ``with_val`` trains on ``val`` as
    well, when nothing is left to choose; ``keep`` is the epoch whose model stays: the best on ``val``, or the last.

    For captions, ``label_smoothing`` is the share of a word's probability that all words have, ``word_dropout`` the
    share of words read that are hidden, ``scheduled_sampling`` the share of words that the model reads from itself in
    the last epoch (none in the first), ``encoder_rate`` a factor on the encoder's learning rate. Of ``length_pool``
    batches the sentences are sorted by length, for less padding (of few where a length tells what the image shows and
    the encoder learns: its normalisation sees one kind at a time). ``init`` is a finished run whose weights are the
    beginning.
    """

    epochs: Whole = 20
    batch_size: Whole = 128
    optimizer: Literal["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    beta_2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine", "step", "exponential"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    step_epochs: Annotated[float, Field(gt=0)] = 10.0
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1
    clip: Literal["none", "norm", "global_norm", "value"] = "norm"
    clip_at: Annotated[float, Field(gt=0)] = 1.0
    patience: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    checkpoint_steps: Whole = 200
    class_weight: Literal["none", "sqrt", "balanced"] = "none"
    carry: bool = False
    with_val: bool = False
    frame_weight: Annotated[float, Field(ge=0)] = 1.0
    whole_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    keep: Literal["best", "last"] = "best"
    label_smoothing: Share = 0.0
    word_dropout: Share = 0.0
    length_pool: Whole = 1
    scheduled_sampling: Share = 0.0
    encoder_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    init: str = ""

    @property
    def class_power(self) -> float:
        """What balanced class weights are raised to; 0: every example counts the same."""
        return {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[self.class_weight]


def _limit(name: str) -> float:
    return float(LIMITS[name][0])


class AugmentSection(Section):
    """The largest random change of each kind; see :class:`rnnedge.data.Augment` and ``ClipAugment``."""

    shift: Annotated[float, Field(ge=0, le=_limit("shift"))] = 0.0
    rotate: Annotated[float, Field(ge=0, le=_limit("rotate"))] = 0.0
    scale: Annotated[float, Field(ge=0, le=_limit("scale"))] = 0.0
    shear: Annotated[float, Field(ge=0, le=_limit("shear"))] = 0.0
    brightness: Annotated[float, Field(ge=0, le=_limit("brightness"))] = 0.0
    contrast: Annotated[float, Field(ge=0, le=_limit("contrast"))] = 0.0
    blur: Annotated[float, Field(ge=0, le=_limit("blur"))] = 0.0
    erase: Annotated[float, Field(ge=0, le=_limit("erase"))] = 0.0
    border: Border = "replicate"
    flip: bool = False
    upside_down: bool = False
    trim: Annotated[float, Field(ge=0, le=0.4)] = 0.0
    extend: Annotated[float, Field(ge=0, le=100)] = 0.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    speed: Annotated[float, Field(ge=0, le=1)] = 0.0
    reverse: dict[str, str] = {}


class Quantize(Section):
    """Quantisation-aware fine-tuning and conversion, used by ``rnnedge quantize``.

    For captions, ``samples`` of the training images are used, 0 for all of them.
    """

    epochs: Annotated[int, Field(ge=0)] = 3
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    batch_size: Whole = 128
    form: Literal["auto", "loop", "unrolled", "step", "sequence", "fused"] = "auto"
    io: Literal["int8", "float32"] = "int8"
    samples: Annotated[int, Field(ge=0)] = 0


class Recipe(Section):
    """A whole training configuration."""

    name: str = "recipe"
    description: str = ""
    data: Data = Data()
    foreground: ForegroundSection = ForegroundSection()
    clip: ClipSection = ClipSection()
    caption: CaptionSection = CaptionSection()
    model: Model = RowRnn()
    train: Train = Train()
    augment: AugmentSection = AugmentSection()
    events: Events = Events()
    quantize: Quantize = Quantize()

    @property
    def task(self) -> Literal["classify", "clips", "captions"]:
        """``classify`` (images), ``clips`` or ``captions``; the model's kind decides."""
        if isinstance(self.model, Captioner):
            return "captions"
        return "clips" if isinstance(self.model, ClipRnn) else "classify"

    def preprocess(self) -> Preprocess:
        """The preprocessing that training, export and device share."""
        d = self.data
        return Preprocess(
            size=(d.size[0], d.size[1]),
            color=d.color,
            fit=d.fit,
            mean=tuple(d.mean),
            std=tuple(d.std),
            invert=d.invert,
            equalize=d.equalize,
            foreground=self.foreground.spec(),
        )

    def augmentation(self) -> Augment:
        """The training images' random changes."""
        return Augment(**self.augment.model_dump(exclude=set(ONLY["clips"]["augment"])))

    def clip_augmentation(self) -> ClipAugment:
        """The training clips' random changes."""
        a = self.augment
        return ClipAugment(
            self.augmentation(), a.flip, a.jitter, a.speed, a.reverse, a.upside_down, a.trim, a.extend
        )

    def clip_spec(self, scene_cut: SceneCut | None = None, events: EventRules | None = None) -> ClipSpec:
        """The manifest's temporal side, with what was measured on the data."""
        options = self.clip.model_dump(exclude={"scene_cut", "lead_ms"})
        return ClipSpec(**options, scene_cut=scene_cut, events=events or self.events.rules())

    def caption_spec(
        self, scene_cut: SceneCut | None = None, grid: tuple[int, int] | None = None
    ) -> CaptionSpec:
        """The manifest's caption side."""
        c = self.caption
        return CaptionSpec(
            max_length=c.length,
            beam=c.beam,
            length_penalty=c.length_penalty,
            no_repeat=c.no_repeat,
            interval_ms=c.interval_ms,
            scene_cut=scene_cut,
            grid=grid,
        )

    def check(self) -> None:
        """Refuse what a single key cannot show: colours that do not fit, settings of another task.

        Raises:
            InputError: names the key, its value and what is allowed.
        """
        self.preprocess()
        if self.foreground.learn and self.clip.scene_cut:
            raise InputError(
                f"foreground.learn={self.foreground.learn}, clip.scene_cut=True: "
                "a foreground is for a camera that does not move; must be false"
            )
        if self.task == "clips":
            self.clip_augmentation()
            self.clip_spec()
            if self.data.folds == 1 or not -1 <= self.data.fold < max(self.data.folds, 0):
                raise InputError(
                    f"data.fold={self.data.fold}, data.folds={self.data.folds}: "
                    "folds must be 2 or more and fold from 0 to folds - 1, or 0 and -1 for no folds"
                )
        else:
            self.augmentation()
        if self.task == "captions":
            self.caption_spec()
        for section, keys in of_other_tasks(self.task).items():
            values = getattr(self, section)
            for key in type(values).model_fields if keys is True else sorted(keys):
                if getattr(values, key) != type(values).model_fields[key].default:
                    raise InputError(
                        f"{section}.{key}={getattr(values, key)!r}: is for {self._owners(section, key)}, "
                        f"not for model.kind={self.model.kind!r}"
                    )

    def _owners(self, section: str, key: str) -> str:
        """Who has a key that this recipe's task has not."""
        owners = [
            t for t, own in ONLY.items() if section in own and (not own[section] or key in own[section])
        ]
        return " and ".join(f"{task} (model.kind={KIND[task]!r})" for task in owners)
