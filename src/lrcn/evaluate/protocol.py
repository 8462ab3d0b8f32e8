"""How a model is measured, and on which part of which data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lrcn.errors import ConfigError
from lrcn.models.segment_config import DEFAULT_SEGMENTS, SegmentConfig
from lrcn.video.sampling import SamplingConfig

ProtocolName = Literal["clips", "whole_video", "classify_video", "lrcn_evaluate"]

CROPS_OF: Final[dict[ProtocolName, Literal[1, 10]]] = {"classify_video": 10, "lrcn_evaluate": 1}
"""The original's two test programs, which fix the number of crops (paper.md 2.7)."""


@dataclass(frozen=True, kw_only=True)
class ProtocolConfig:
    """From a video's frames to one answer. The defaults are the paper's (section 4)."""

    protocol: ProtocolName = "clips"
    """clips = the paper's text, mean over overlapping clips; classify_video = as the original's
    program of that name, ten crops, and the clip at the end counts twice; lrcn_evaluate = as its
    other program, the centre crop, likewise; whole_video = one pass with the state carried."""
    clip_length: int = 16
    """Frames in a clip."""
    clip_stride: int = 8
    """Frames from the start of one clip to the next; the last one is aligned to the end."""
    frame_stride: int = 1
    """Take every n-th frame, after `sample_fps`."""
    sample_fps: float | None = None
    """Thin the source to this rate first, by time; none = all frames."""
    num_crops: Literal[1, 10] = 1
    """1 = centre; 10 = corners and centre, each mirrored too (the paper's test code)."""
    batch_size: int = 32
    """Frames that go through the CNN at once; no score depends on it."""
    segments: bool = True
    """Where the truth has start and end: also measure frames and segments of whole videos."""
    segment_options: SegmentConfig = DEFAULT_SEGMENTS
    """How segments are found: as `lrcn predict` finds them."""
    num_resamples: int = 2000
    """Bootstrap draws behind every interval."""

    def __post_init__(self) -> None:
        problems = [
            f"evaluate.{name} must be at least 1, not {getattr(self, name)}"
            for name in ("clip_length", "clip_stride", "frame_stride", "batch_size")
            if getattr(self, name) < 1
        ]
        if self.sample_fps is not None and self.sample_fps <= 0:
            problems.append(f"evaluate.sample_fps must be above 0, not {self.sample_fps}")
        if self.num_crops not in (1, 10):
            problems.append(f"evaluate.num_crops must be 1 or 10, not {self.num_crops}")
        elif self.num_crops != CROPS_OF.get(self.protocol, self.num_crops):
            problems.append(
                f"evaluate.num_crops is {self.num_crops}, and {self.protocol} takes"
                f" {CROPS_OF[self.protocol]}: leave the crops out, or give protocol clips"
            )
        if self.num_resamples < 10:
            problems.append(f"evaluate.num_resamples must be at least 10: {self.num_resamples}")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def last_clip_twice(self) -> bool:
        """Whether the clip at the end of a video counts twice, as in both test programs."""
        return self.protocol in CROPS_OF

    @property
    def sampling(self) -> SamplingConfig:
        """Which frames make up which clip."""
        return SamplingConfig(
            clip_length=self.clip_length,
            clip_stride=self.clip_stride,
            frame_stride=self.frame_stride,
            sample_fps=self.sample_fps,
        )


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """Which part of the data a list of videos is, for the results file."""

    split: str = "all"
    """"test", "val", "train", or "all"."""
    how: str = "everything"
    """How the part was chosen: "official", "column", "by group", "by file", "everything"."""
    warnings: tuple[str, ...] = ()
    allow_leaks: bool = False
