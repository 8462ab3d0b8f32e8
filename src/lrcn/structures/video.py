"""What crosses a floor: small frozen dataclasses, checked when they are made.

Shape letters: **B** batch, **N** rows of a flattened batch, **T** frames, **C** channels,
**H**, **W** pixels, **D** visual feature, **K** classes, **V** views (crops) of one video.
Tensors are named with their letters; pixels are RGB, 0...255; times are float seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lrcn.structures.quirks import Quirk

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "val", "test"]

Modality = Literal["rgb", "flow"]
"""What a model sees: pictures, or the motion between them drawn as pictures."""

IGNORE_INDEX = -100
"""A target with this value is left out of the loss."""


def check(condition: bool, message: str) -> None:
    """Raise `ValueError` with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What is known of a video before its frames are read.

    Header fields lie: `num_frames` is None unless it was counted from the packets themselves.
    """

    height: int
    """Pixels, after rotation."""
    width: int
    """Pixels, after rotation."""
    fps: float | None = None
    """Mean frames per second; None where the source has no clock (arrays, iterators)."""
    num_frames: int | None = None
    """Frames that can be decoded; None until counted."""
    duration_seconds: float | None = None
    start_seconds: float = 0.0
    """When the first frame is shown, from where the file begins: its sound may begin earlier."""
    codec: str | None = None
    container: str | None = None


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames of one video with their places and times."""

    frames_TCHW: Tensor
    """uint8, RGB."""
    pts_seconds_T: Tensor
    """float64, presentation time of each frame, not decreasing."""
    frame_indices_T: Tensor
    """int64, 0-based places in the source."""
    truncated: bool = False
    """True when the source ended before it should, or lost packets on the way."""

    def __post_init__(self) -> None:
        shape = tuple(self.frames_TCHW.shape)
        check(len(shape) == 4 and shape[1] == 3, f"frames_TCHW must be T x 3 x H x W, not {shape}")
        for name in ("pts_seconds_T", "frame_indices_T"):
            found = tuple(getattr(self, name).shape)
            check(found == shape[:1], f"{name} must have shape {shape[:1]}, not {found}")

    def __len__(self) -> int:
        return int(self.frames_TCHW.shape[0])

    def __repr__(self) -> str:
        t, c, h, w = self.frames_TCHW.shape
        note = ", truncated" if self.truncated else ""
        return f"Clip({t} frames of {c}x{h}x{w}{note})"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """An interval of a video with a label: annotated, or predicted (then with `prob`)."""

    start_seconds: float
    end_seconds: float
    class_name: str
    prob: float | None = None

    def __post_init__(self) -> None:
        check(
            self.end_seconds >= self.start_seconds,
            f"a segment ends before it starts: {self.start_seconds} .. {self.end_seconds} seconds",
        )


@dataclass(frozen=True, kw_only=True)
class VideoItem:
    """One labelled line of a data set: a whole video, or an interval of one."""

    path: str
    """Where it lies: a video file, a folder of numbered images, or a feature file."""
    video_id: str
    """Stable id, unique in a list of whole videos: the path below the data set, no extension."""
    class_names: tuple[str, ...]
    """Its labels: one, or several for multi-label data, or none where there is no truth."""
    group: str | None = None
    """What must not be divided between train and test: the source of several clips."""
    split: Split | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    holds_flow: bool | None = None
    """Whether its pictures are flow images already; None: recognised when it is opened."""

    @property
    def is_segment(self) -> bool:
        """Whether the item is an interval of its video."""
        return self.start_seconds is not None or self.end_seconds is not None


@dataclass(frozen=True, kw_only=True)
class SkippedFile:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class VideoList:
    """A data set as read: its items, its classes, and what was left out."""

    items: tuple[VideoItem, ...]
    class_names: tuple[str, ...]
    """Index in this tuple = label."""
    layout: str
    """Name of the reader that understood it: "folder", "csv", "ucf101", ..."""
    source: str
    """The DATA argument as given."""
    multi_label: bool = False
    skipped: tuple[SkippedFile, ...] = ()
    official_split: bool = False
    """Whether the items' `split` comes from the data set's published lists."""
    grouping: str | None = None
    """How the groups were found ("column", "folder", "pattern ..."); None where there are none."""
    notes: tuple[str, ...] = ()
    """What a reader of the results should know: classes without a file, files of no use, ..."""

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped)} left out" if self.skipped else ""
        return (
            f"VideoList({len(self.items)} items of {len(self.class_names)} classes from "
            f"{self.source!r}, layout {self.layout}{left_out})"
        )


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """How motion becomes a flow image (paper.md 2.6): channels x, y, magnitude, in grey levels.

    ::

        x = 128 + 16 * u      u pixels to the right since the frame before
        y = 128 + 16 * v      v pixels down
        m = 128 + 16 * |(u, v)|

    each rounded and clipped. With the defaults motion beyond 7.9 pixels saturates.
    """

    method: Literal[
        "dis_ultrafast", "dis_fast", "dis_medium", "dis_precise", "farneback", "tvl1", "deepflow"
    ] = "dis_medium"
    """How flow is found. dis_medium: 0.3 px off in the mean, faster than a CNN on its frames;
    dis_precise: 0.1 px off, a fifth as fast; tvl1 and deepflow need OpenCV's contrib build."""
    scale: float = 16.0
    """Grey levels per pixel of motion."""
    centre: float = 128.0
    """Grey level of no motion."""
    short_px: int | None = 240
    """Frames with a larger short side are reduced to it before flow is found, so that the same
    motion gives the same grey levels whatever the resolution; none = never."""

    def __post_init__(self) -> None:
        check(
            0 < self.scale <= 1e6, f"flow.scale must be above 0 and at most 1e6, not {self.scale}"
        )
        check(
            1 <= self.centre <= 254 and (2 * self.centre) % 1 == 0,
            f"flow.centre must be a whole or half number from 1 to 254, not {self.centre}",
        )
        check(
            self.short_px is None or self.short_px >= 16,
            f"flow.short_px must be at least 16, or none, not {self.short_px}",
        )

    @property
    def lowest(self) -> int:
        """Smallest value of x and y. Paper: 0; here 1, so that mirroring is its own inverse."""
        return max(0, int(2 * self.centre) - 255)

    @property
    def highest(self) -> int:
        """Largest value of x and y."""
        return min(255, int(2 * self.centre))


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From frames of any size to what a backbone expects; stored in every model folder."""

    input_px: int
    """Side of the square that the backbone sees."""
    resize_mode: Literal["short_side", "squash", "exact"] = "short_side"
    """"short_side" keeps the aspect; "squash" goes to resize_height x resize_width (the paper:
    240 x 320); "exact" resizes straight to the input square."""
    resize_px: int = 256
    """Short side after resizing, for "short_side"."""
    resize_height: int = 240
    resize_width: int = 320
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Both with antialiasing, equal to Pillow's."""
    pixel_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """RGB, 0...255."""
    pixel_std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """RGB, in units of 0...255."""
    channel_order: Literal["rgb", "bgr"] = "rgb"
    """Of the backbone's input: "bgr" for Caffe's weights as they are. Mean and std stay RGB."""
    modality: Modality = "rgb"
    flow: FlowConfig = field(default_factory=FlowConfig)
    """For modality "flow": how the flow images are made."""
    original_quirks: tuple[Quirk, ...] = ()
    """Faults of the original code to reproduce (paper.md 2.4, 2.7); none by default."""

    def __post_init__(self) -> None:
        check(self.input_px > 0, f"input_px must be positive, not {self.input_px}")
        check(all(s > 0 for s in self.pixel_std), f"pixel_std must be positive: {self.pixel_std}")
        if self.resize_mode == "short_side":
            check(
                self.resize_px >= self.input_px,
                f"resize_px ({self.resize_px}) must be at least input_px ({self.input_px})",
            )

    def has_quirk(self, quirk: Quirk) -> bool:
        """Whether that fault of the original code is reproduced."""
        return quirk in self.original_quirks or "all" in self.original_quirks


@dataclass(frozen=True, kw_only=True)
class Example:
    """One item for training: a clip of pixels or of features, with a target at every step."""

    frames_TCHW: Tensor | None
    """uint8 or float, 0...255, at the backbone's input size; None when features are given."""
    features_TD: Tensor | None
    valid_mask_T: Tensor
    """bool, True where real, False where padding."""
    reset_mask_T: Tensor
    """bool, True where a new sequence starts (state set to zero); the first step always."""
    targets_TK: Tensor
    """float32: a distribution over classes, or 0/1 per class for multi-label."""
    video_id: str

    def __post_init__(self) -> None:
        check(
            (self.frames_TCHW is None) != (self.features_TD is None),
            "an example holds frames or features, one of the two",
        )


@dataclass(frozen=True, kw_only=True)
class ClipBatch:
    """Collated examples."""

    frames_BTCHW: Tensor | None
    features_BTD: Tensor | None
    valid_mask_BT: Tensor
    reset_mask_BT: Tensor
    targets_BTK: Tensor
    video_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        check(
            (self.frames_BTCHW is None) != (self.features_BTD is None),
            "a batch holds frames or features, one of the two",
        )
        shape = tuple(self.valid_mask_BT.shape)
        check(len(shape) == 2, f"valid_mask_BT must be B x T, not {shape}")
        inputs = self.frames_BTCHW if self.frames_BTCHW is not None else self.features_BTD
        for name, found in (
            ("inputs", tuple(inputs.shape[:2]) if inputs is not None else shape),
            ("reset_mask_BT", tuple(self.reset_mask_BT.shape)),
            ("targets_BTK", tuple(self.targets_BTK.shape[:2])),
        ):
            check(found == shape, f"{name} must start with shape {shape}, not {found}")

    def __len__(self) -> int:
        return int(self.valid_mask_BT.shape[0])

    def to(self, device: Any, *, non_blocking: bool = False) -> ClipBatch:
        """The same batch on another device."""

        def move(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=non_blocking)

        return ClipBatch(
            frames_BTCHW=move(self.frames_BTCHW),
            features_BTD=move(self.features_BTD),
            valid_mask_BT=self.valid_mask_BT.to(device, non_blocking=non_blocking),
            reset_mask_BT=self.reset_mask_BT.to(device, non_blocking=non_blocking),
            targets_BTK=self.targets_BTK.to(device, non_blocking=non_blocking),
            video_ids=self.video_ids,
        )


@dataclass(frozen=True, kw_only=True)
class VideoFeatures:
    """What the backbone says of every used frame of one video."""

    video_id: str
    features_VTD: Tensor
    """float32; V = 1 for the centre crop, 10 for corners, centre and their mirrors."""
    pts_seconds_T: Tensor
    frame_indices_T: Tensor
    info: VideoInfo
    truncated: bool = False

    def __post_init__(self) -> None:
        shape = tuple(self.features_VTD.shape)
        check(len(shape) == 3, f"features_VTD must be V x T x D, not {shape}")
        check(
            tuple(self.pts_seconds_T.shape) == shape[1:2],
            f"pts_seconds_T must have {shape[1]} entries, not {tuple(self.pts_seconds_T.shape)}",
        )

    def __len__(self) -> int:
        return int(self.features_VTD.shape[1])


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model says of one video, or why it could not (`error`)."""

    path: str
    video_id: str
    class_name: str | None = None
    """The most probable class; None when none reached the threshold, or on error."""
    prob: float | None = None
    top_k: tuple[tuple[str, float], ...] = ()
    probs_K: Tensor | None = field(default=None, repr=False)
    probs_TK: Tensor | None = field(default=None, repr=False)
    """Per-frame probabilities: the mean over the clips that cover a frame."""
    pts_seconds_T: Tensor | None = field(default=None, repr=False)
    segments: tuple[Segment, ...] = ()
    class_names: tuple[str, ...] = field(default=(), repr=False)
    truncated: bool = False
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of `lrcn predict --json`."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        result: dict[str, Any] = {
            "path": self.path,
            "video_id": self.video_id,
            "class_name": self.class_name,
            "prob": self.prob,
            "top_k": [{"class_name": name, "prob": prob} for name, prob in self.top_k],
            "segments": [
                {
                    "start_seconds": s.start_seconds,
                    "end_seconds": s.end_seconds,
                    "class_name": s.class_name,
                    "prob": s.prob,
                }
                for s in self.segments
            ],
        }
        if self.truncated:
            result["truncated"] = True
        return result
