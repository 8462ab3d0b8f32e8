"""What a captioner's CNN learns from: photos and whole videos as pixels, read and varied."""

from __future__ import annotations

import torch
from torch import Tensor

from lrcn.data.cache import FrameCache
from lrcn.data.images import read_image
from lrcn.data.transforms import EvalTransform, TrainTransform, resized_size
from lrcn.data.video_frames import SMALL_PX, VideoFrames
from lrcn.data.visual_features import as_video
from lrcn.errors import MediaError
from lrcn.structures import CaptionItem, Media, Preprocessing, SkippedFile
from lrcn.train.caption_config import CaptionDataConfig


class CaptionPixels:
    """Reads items as frames; a photo is a video of one frame.

    Args:
        settings: How videos are thinned and frames varied, and whether small ones are kept.
        preprocessing: What the backbone wants.
        media: What the items are.
    """

    def __init__(
        self, settings: CaptionDataConfig, preprocessing: Preprocessing, media: Media
    ) -> None:
        self.media = media
        self.augment = TrainTransform(preprocessing, settings.transform)
        self._as_measured = EvalTransform(preprocessing)
        self._needed_px = max(resized_size(1, 1, preprocessing))
        keep = settings.cache != "none" and preprocessing.input_px <= SMALL_PX
        self._frames = VideoFrames(preprocessing, settings.sampling, FrameCache() if keep else None)

    def read(self, item: CaptionItem) -> Tensor | SkippedFile:
        """frames_TCHW uint8 before any variation, or why there are none."""
        try:
            if self.media == "video":
                return self._frames.whole(as_video(item))
            return read_image(item.path, for_px=self._needed_px)[None]
        except MediaError as error:
            reason = str(error).removeprefix(f"{item.path}: ").removeprefix(f"{item.path} ")
            return SkippedFile(path=item.path, reason=reason)

    def measured(self, item: CaptionItem) -> Tensor | SkippedFile:
        """frames_TCHW uint8 as evaluation sees them, or why there are none."""
        frames = self.read(item)
        return frames if isinstance(frames, SkippedFile) else self._as_measured(frames)[0]

    def blank(self) -> Tensor:
        """One frame in place of an item that cannot be read."""
        px = self._as_measured.preprocessing.input_px
        return torch.zeros((1, 3, px, px), dtype=torch.uint8)
