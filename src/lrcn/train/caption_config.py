"""The settings of a captioner's training: data, network, loss, and how weights are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lrcn.data.caption_batches import CaptionMode
from lrcn.data.semantics import SemanticForm
from lrcn.data.transform_config import TransformConfig
from lrcn.decoding.options import DecodingOptions
from lrcn.errors import ConfigError
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.structures import Media
from lrcn.tasks.captioning import CaptioningConfig
from lrcn.train.config import Experiment, TrainConfig
from lrcn.video.sampling import SamplingConfig


@dataclass(frozen=True, kw_only=True)
class CaptionDataConfig:
    """Which sentences are learnt from, and about what."""

    data: str = ""
    """List of captions, or the folder of one."""
    images: str | None = None
    """Where the photos or videos lie, when not where the layout has them."""
    layout: str | None = None
    """Name of the layout; none = recognised from what is there."""
    media: Media | None = None
    """What the captions describe, image or video, where file names do not tell."""
    val_data: str | None = None
    """Captions for validation; none = the data's own, or a part of train by photo."""
    semantics: str | None = None
    """What recognisers believe of the items, in place of a CNN: .jsonl, .csv, .npz, MSVD's
    triplets or results files, several with commas between; none = the pictures are looked at."""
    semantic_form: SemanticForm = "prob"
    """What the network gets of them (paper 4): words of the best labels, max = one-hot vectors of
    the best labels, prob = the probabilities."""
    semantic_reversed: bool = False
    """Of semantic_form words: the last word first, as the paper draws it."""
    semantic_min_count: int = 1
    """Leave out labels that fewer training items have."""
    semantic_noise: float = 0.0
    """Most of a distribution that goes to false labels in training, 0 to 1: a share from 0 to this
    is drawn anew for every sentence."""
    train_parts: Literal["train", "trainval", "all"] = "train"
    """Which parts of the data are learnt from, where it has parts: its train part; validation too;
    all of it, as for a test server that keeps its own photos (paper: trainval)."""
    val_fraction: float = 0.1
    """Part of the photos held out for validation when the data names none; 0 = none."""
    missing: Literal["error", "skip"] = "error"
    """What happens when a listed file is absent or unreadable."""
    allow_leaks: bool = False
    """Go on although a photo or video stands on both sides; every result then says so."""
    max_examples: int | None = None
    """Use only so many training photos, for trying out."""
    tokenizer: str = "paper"
    """How sentences are split: paper, ptb, words (any language) or characters."""
    min_count: int = 5
    """Words that occur less often in the training captions become <unk> (paper: 5)."""
    max_size: int | None = None
    """Most words of the vocabulary, special ones included; none = no limit."""
    captions: CaptionMode = "each"
    """each = every caption of a photo once an epoch; all = likewise, those of a photo together in
    one batch, so that it is read once; one = a random one of them."""
    max_tokens: int = 20
    """Longest sentence learnt from, its end counted; longer ones lose their tail (paper: 20)."""
    bucket: bool = True
    """Put sentences of like length into one batch, so that little padding is computed."""
    cache: Literal["auto", "features", "none"] = "auto"
    """auto, features = the CNN runs once per photo while it is frozen; none = at every step."""
    num_workers: int = 1
    """Threads that decode photos ahead while the CNN learns."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Of videos: which frames are looked at."""
    transform: TransformConfig = field(default_factory=TransformConfig)
    """How photos are varied while the CNN learns. From cached features only mirror_prob and
    quarter_turns act (all views are kept); 0 and false where sentences tell left from right."""

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.val_fraction < 1:
            problems.append(f"val_fraction must be 0 or more and below 1, not {self.val_fraction}")
        for name in ("max_examples", "min_count", "semantic_min_count"):
            value = getattr(self, name)
            if value is not None and value < 1:
                problems.append(f"{name} must be at least 1, not {value}")
        if not 0 <= self.semantic_noise <= 1:
            problems.append(f"semantic_noise must be 0 to 1, not {self.semantic_noise}")
        if self.max_tokens < 2:
            problems.append(
                f"max_tokens must be at least 2, a word and the end, not {self.max_tokens}"
            )
        if self.num_workers < 1:
            problems.append(f"num_workers must be 1 or more, not {self.num_workers}")
        if self.transform.mixup_alpha > 0 or self.transform.cutmix_alpha > 0:
            problems.append(
                "sentences cannot be mixed: set transform.mixup_alpha and cutmix_alpha 0"
            )
        if problems:
            raise ConfigError("dataset: " + "; ".join(problems))


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """What is asked of the model between epochs."""

    decoding: DecodingOptions = field(
        default_factory=lambda: DecodingOptions(method="greedy", max_tokens=20)
    )
    """How validation photos are described; greedy is quick, a beam is what will be used."""
    max_items: int | None = 1000
    """Describe at most so many validation photos; none = all."""

    def __post_init__(self) -> None:
        if self.max_items is not None and self.max_items < 1:
            raise ConfigError(f"watch.max_items must be at least 1 or none, not {self.max_items}")


@dataclass(frozen=True, kw_only=True)
class CaptionExperiment:
    """One experiment with sentences, whole: running it again needs nothing else."""

    problem: Literal["caption"] = "caption"
    """What is learnt; tells this experiment from one with classes."""
    name: str = "custom"
    """The recipe it came from."""
    dataset: CaptionDataConfig = field(default_factory=CaptionDataConfig)
    """Data."""
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    """Network."""
    task: CaptioningConfig = field(default_factory=CaptioningConfig)
    """Loss."""
    train: TrainConfig = field(default_factory=lambda: TrainConfig(select_by="cider_d"))
    """Training."""
    watch: WatchConfig = field(default_factory=WatchConfig)
    """Validation."""
    decoding: DecodingOptions = field(
        default_factory=lambda: DecodingOptions(beam_size=3, length_penalty=0.7, max_tokens=30)
    )
    """How the finished model searches for sentences when nothing else is asked."""
    init: str | None = None
    """Model folder or run to start from: a captioner, a language model, or a recogniser's CNN."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """Published or measured scores, by result key."""

    def __post_init__(self) -> None:
        problems = []
        if self.train.select_by == "accuracy_top1":
            problems.append("train.select_by accuracy_top1 is for classes; captions have cider_d")
        if self.dataset.semantics is not None:
            problems += self._semantic_problems()
        sees = self.model.visual != "none"
        if sees and self.model.backbone == "none" and self.train.unfreeze_at is not None:
            problems.append(
                "train.unfreeze_at needs a CNN, but model.backbone is 'none' (feature files)"
            )
        if not sees and self.train.unfreeze_at is not None:
            problems.append("train.unfreeze_at needs a CNN, and a language model sees nothing")
        if not sees and self.train.select_by == "cider_d":
            problems.append("a language model says the same of every photo: select_by loss")
        if problems:
            raise ConfigError("; ".join(problems))

    def _semantic_problems(self) -> list[str]:
        """What contradicts learning from semantic predictions."""
        problems = []
        if self.dataset.semantic_form == "words" and not self.model.reads_frames:
            problems.append(
                "dataset.semantic_form words needs an encoder: set model.visual encoder or shared"
            )
        if self.model.visual == "none":
            problems.append("a language model sees no semantic predictions: leave one out")
        if self.train.unfreeze_at is not None:
            problems.append("train.unfreeze_at needs a CNN, and dataset.semantics replaces it")
        return problems


AnyExperiment = Experiment | CaptionExperiment
"""What a run is made from."""
