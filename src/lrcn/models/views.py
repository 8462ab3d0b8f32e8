"""From the features of a video's frames to the video's probabilities (paper 1.6, 2.6).

One rule for training's validation, evaluation and prediction: clips of `clip_length` frames every
`clip_stride`, the last one aligned to the end; probabilities at every step; their mean over the
voting steps of all clips and views. Frames went through the backbone once; overlapping clips
share their features, and clips are unrolled together as one batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lrcn.models.activity import ActivityModel
from lrcn.video.sampling import clip_starts


@dataclass(frozen=True, kw_only=True)
class ClipViews:
    """What a model says at every step of every clip of one video, in every view of it."""

    probs_VCTK: Tensor
    """float32 on the CPU; zero where padded."""
    valid_mask_CT: Tensor
    """bool, False where the clip runs over the end of a short video."""
    vote_mask_CT: Tensor
    """bool, the valid steps that count for the video: all, or the last one for mean pooling."""
    starts: tuple[int, ...]
    """Index of each clip's first frame."""
    num_frames: int
    """Of the video."""


def clip_probs(
    model: ActivityModel,
    features_VTD: Tensor,
    *,
    clip_length: int,
    clip_stride: int,
    last_clip_twice: bool = False,
    batch: int = 256,
) -> ClipViews:
    """The clip protocol: equal to sending every clip through the network on its own.

    Args:
        model: In evaluation mode.
        features_VTD: V views (1, or 10 crops) x T frames x D.
        clip_length: Frames per clip (paper: 16). A shorter video is one clip, padded.
        clip_stride: Frames from one clip's start to the next one's (paper: 8).
        last_clip_twice: Count the clip at the end twice, as the original's test programs do; a
            model of that `original_quirks` does it anyway. Single frames have no clips there.
        batch: Clips unrolled together; changes the memory used, not the result.

    Raises:
        ValueError: the model is in training mode, the video has no frames, a size is below 1, or
            the features are of another width than the model's.
    """
    num_views, num_frames = _check(model, features_VTD)
    if batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    starts = clip_starts(num_frames, clip_length=clip_length, clip_stride=clip_stride)
    own = model.preprocessing
    last_clip_twice |= own is not None and own.has_quirk("last_clip_twice")
    if last_clip_twice and model.config.kind != "single_frame":
        starts = [*starts, starts[-1]]
    # A short video is unrolled at its own length: what the padding would hold cannot matter.
    window = min(clip_length, num_frames)
    frames_CT = torch.tensor(starts)[:, None] + torch.arange(window)
    with torch.no_grad():
        if model.config.kind == "single_frame":
            # No step depends on its neighbours: the head sees each frame once.
            probs_VTK = _unrolled(model, features_VTD)
            probs_VCTK = probs_VTK[:, frames_CT]
        else:
            views = torch.arange(num_views).repeat_interleave(len(starts))
            rows_XT = frames_CT.repeat(num_views, 1)
            parts = [
                _unrolled(model, features_VTD[views[k : k + batch, None], rows_XT[k : k + batch]])
                for k in range(0, len(views), batch)
            ]
            probs_VCTK = torch.cat(parts).reshape(num_views, len(starts), window, -1)
    if window < clip_length:
        probs_VCTK = torch.nn.functional.pad(probs_VCTK, (0, 0, 0, clip_length - window))
    valid_mask_CT = (torch.arange(clip_length) < window).expand(len(starts), clip_length)
    return ClipViews(
        probs_VCTK=probs_VCTK,
        valid_mask_CT=valid_mask_CT,
        vote_mask_CT=model.loss_mask(valid_mask_CT),
        starts=tuple(starts),
        num_frames=num_frames,
    )


def whole_probs(model: ActivityModel, features_VTD: Tensor) -> ClipViews:
    """The whole video as one clip: one unroll, the state carried from the first frame to the last.

    Args:
        model: In evaluation mode.
        features_VTD: V views x T frames x D.

    Raises:
        ValueError: the model is in training mode, the video has no frames, or the features are of
            another width than the model's.
    """
    _, num_frames = _check(model, features_VTD)
    valid_mask_CT = torch.ones(1, num_frames, dtype=torch.bool)
    with torch.no_grad():
        probs_VTK = _unrolled(model, features_VTD)
    return ClipViews(
        probs_VCTK=probs_VTK[:, None],
        valid_mask_CT=valid_mask_CT,
        vote_mask_CT=model.loss_mask(valid_mask_CT),
        starts=(0,),
        num_frames=num_frames,
    )


def video_probs(views: ClipViews) -> Tensor:
    """The video's probabilities, K: the mean over voting steps, clips and views."""
    return views.probs_VCTK[:, views.vote_mask_CT].double().mean((0, 1)).float()


def frame_probs(views: ClipViews) -> Tensor:
    """Probabilities of every frame, T x K: the mean over the clips that cover it, and views.

    Frames that no clip covers (a `clip_stride` above `clip_length`) get those of the nearest
    covered frame.
    """
    clip_length = views.valid_mask_CT.shape[1]
    frames_CT = torch.tensor(views.starts)[:, None] + torch.arange(clip_length)
    frames_M = frames_CT[views.valid_mask_CT]
    probs_MK = views.probs_VCTK[:, views.valid_mask_CT].double().mean(0)
    total_TK = probs_MK.new_zeros(views.num_frames, probs_MK.shape[1])
    total_TK.index_add_(0, frames_M, probs_MK)
    covers_T = torch.bincount(frames_M, minlength=views.num_frames)
    mean_TK = total_TK / covers_T.clamp(min=1)[:, None]
    if not bool(covers_T.all()):
        mean_TK = mean_TK[_nearest(covers_T > 0)]
    return mean_TK.float()


def _nearest(covered_T: Tensor) -> Tensor:
    """For every place the nearest covered one; the earlier of two equally near."""
    covered = covered_T.nonzero()[:, 0]
    places = torch.arange(len(covered_T))
    after = torch.searchsorted(covered, places).clamp(max=len(covered) - 1)
    before = (after - 1).clamp(min=0)
    nearer_before = (places - covered[before]).abs() <= (covered[after] - places).abs()
    return torch.where(nearer_before, covered[before], covered[after])


def _unrolled(model: ActivityModel, features_BTD: Tensor) -> Tensor:
    """Probabilities B x T x K on the CPU."""
    weight = model.head.linear.weight
    logits_BTK, _ = model.unroll(features_BTD.to(device=weight.device, dtype=weight.dtype))
    return model.probabilities(logits_BTK).cpu()


def _check(model: ActivityModel, features_VTD: Tensor) -> tuple[int, int]:
    """V and T."""
    if model.training:
        raise ValueError("the model is in training mode (dropout is on); call model.eval() first")
    if features_VTD.ndim != 3 or features_VTD.shape[1] == 0 or features_VTD.shape[0] == 0:
        raise ValueError(
            "features_VTD must be views x frames x features with at least one view and frame,"
            f" not {tuple(features_VTD.shape)}"
        )
    return features_VTD.shape[0], features_VTD.shape[1]
