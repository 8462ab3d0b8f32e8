"""Live input: a frame in, an answer out, with a state that is a value.

Memory and time per frame are constant, however long the stream runs, and the answers are those of
one pass over the whole video. What is remembered can be taken out, put back and copied::

    before = stream.state
    stream.push(frames)
    stream.restore(before)      # as if they had not been seen
    other = stream.fork()       # goes its own way

A model of flow sees the motion from each frame to the next: the first frame of a stream gets no
answer, and the last frame is remembered.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.data.transforms import EvalTransform
from lrcn.errors import ModelError
from lrcn.models.activity import ActivityModel
from lrcn.models.segment_config import SegmentConfig
from lrcn.models.segments import NONE, next_label, smooth_step
from lrcn.nn.recurrent import State
from lrcn.video.flow import FlowEstimator
from lrcn.video.sampling import SamplingConfig, Thinner

DEFAULT_FPS = 25.0
"""Rate that is assumed where frames come without times."""


@dataclass(frozen=True, kw_only=True)
class StreamState:
    """All that a stream remembers."""

    model_state: State
    """Of the recurrent core, one row."""
    thinner: Thinner
    """Which frame is used next; not to be changed in place."""
    num_frames: int = 0
    """Frames pushed."""
    next_seconds: float = 0.0
    """Time of the next frame, where none is given."""
    seconds: float = 0.0
    """Time of the last frame used."""
    smooth_probs_K: Tensor | None = None
    label: int = NONE
    since_seconds: float = 0.0
    """Since when the label holds."""
    before_HW: NDArray[np.uint8] | None = None
    """For models of flow: the last frame, grey; not to be changed in place."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What happens at this moment, after smoothing and hysteresis."""

    class_name: str | None
    """None where no class is probable enough."""
    prob: float
    """Smoothed, of that class; of the most probable one where none holds."""
    since_seconds: float
    """When it began."""
    seconds: float
    """Now: the time of the last frame used."""


class Stream:
    """One live input to a model.

    The answer to a frame depends on it and on earlier ones only, so there is no delay but the time
    of computing (`latency_ms`). Decisions use exponential smoothing, which needs no later frame.
    """

    def __init__(
        self,
        model: ActivityModel,
        backbone: Callable[[Tensor], Tensor] | None,
        *,
        sampling: SamplingConfig,
        segments: SegmentConfig,
    ) -> None:
        """Begin.

        Args:
            model: In evaluation mode.
            backbone: uint8 frames_NCHW at the input size to features_ND; None for features only.
            sampling: Its `frame_stride` and `sample_fps` thin the stream.
            segments: Thresholds and smoothing of `decision`.
        """
        self.model = model
        self._backbone = backbone
        self._transform = EvalTransform(model.preprocessing) if model.preprocessing else None
        self._config = segments
        self._estimator = _estimator(model)
        self.latency_ms = 0.0
        """Time of computing per frame, in the last push."""
        self._state = StreamState(
            model_state=model.initial_state(1),
            thinner=Thinner(frame_stride=sampling.frame_stride, sample_fps=sampling.sample_fps),
        )

    @property
    def state(self) -> StreamState:
        """What is remembered, as a value: later pushes do not change it."""
        return self._state

    def restore(self, state: StreamState) -> None:
        """Go on from a state that was taken earlier, here or in another stream of the model."""
        self._state = state

    def fork(self) -> Stream:
        """A second stream that has seen the same frames."""
        return copy.copy(self)

    def push(self, frames: Any, *, seconds: float | None = None) -> Tensor:
        """See one frame or several.

        Args:
            frames: uint8 RGB, array H x W x 3 or T x H x W x 3, or tensor (channels first as well).
            seconds: Time of the first one; frames that follow, and all where no time is given,
                are 1/25 second apart.

        Returns:
            probs_TK of the frames that were used: all, unless the model's sampling thins them (and
            but for the very first one, where the model sees flow).

        Raises:
            ModelError: the model takes features: use `push_features`.
            ValueError: the frames are of another type or shape, or, for a model of flow, of another
                size than the frame before.
        """
        if self._backbone is None or self._transform is None:
            raise ModelError("this model takes features; give them with push_features")
        started = time.perf_counter()
        frames_TCHW = as_frames(frames)
        times, seen = self._clock(len(frames_TCHW), seconds)
        if self._estimator is not None:
            used_TCHW, used_times, seen = self._motion(self._estimator, frames_TCHW, times, seen)
        else:
            thinner = copy.copy(seen.thinner)
            kept = [t for t, instant in enumerate(times) if thinner.keeps(instant)]
            used_TCHW, used_times = frames_TCHW[kept], [times[t] for t in kept]
            seen = replace(seen, thinner=thinner)
        if used_times:
            features_TD = self._backbone(self._transform(used_TCHW)[0])
            probs_TK = self._advance(features_TD, used_times, seen)
        else:
            self._state = seen
            probs_TK = torch.empty(0, len(self.model.class_names))
        self.latency_ms = 1000 * (time.perf_counter() - started) / len(frames_TCHW)
        return probs_TK

    def push_features(self, features_TD: Tensor, *, seconds: float | None = None) -> Tensor:
        """See frames of which the features are known, float T x D; all are used.

        Returns:
            probs_TK.
        """
        times, seen = self._clock(len(features_TD), seconds)
        return self._advance(features_TD, times, seen)

    @property
    def decision(self) -> Decision:
        """What happens now."""
        state = self._state
        probs = [] if state.smooth_probs_K is None else state.smooth_probs_K.tolist()
        name = None if state.label == NONE else self.model.class_names[state.label]
        return Decision(
            class_name=name,
            prob=probs[state.label] if name is not None else max(probs, default=0.0),
            since_seconds=state.since_seconds,
            seconds=state.seconds,
        )

    def _clock(self, num_frames: int, seconds: float | None) -> tuple[list[float], StreamState]:
        """Times of new frames, and the state that has counted them."""
        state = self._state
        first = state.next_seconds if seconds is None else seconds
        times = [first + t / DEFAULT_FPS for t in range(num_frames)]
        return times, replace(
            state,
            num_frames=state.num_frames + num_frames,
            next_seconds=first + num_frames / DEFAULT_FPS,
        )

    def _motion(
        self,
        estimator: FlowEstimator,
        frames_TCHW: Tensor,
        times: list[float],
        state: StreamState,
    ) -> tuple[Tensor, list[float], StreamState]:
        """Flow images of the frames that are used, their times, and the state after them."""
        thinner, before_HW = copy.copy(state.thinner), state.before_HW
        images, used = [], []
        for frame_CHW, instant in zip(frames_TCHW, times, strict=True):
            after_HW = estimator.grey(frame_CHW.permute(1, 2, 0).cpu().numpy())
            if before_HW is not None and before_HW.shape != after_HW.shape:
                raise ValueError(
                    f"a frame gives flow images of {after_HW.shape} pixels, the one before of"
                    f" {before_HW.shape}; frames of one stream have one size. Resize them first"
                )
            if before_HW is not None and thinner.keeps(instant):
                images.append(torch.from_numpy(estimator.image(before_HW, after_HW)))
                used.append(instant)
            before_HW = after_HW
        images_TCHW = torch.stack(images).permute(0, 3, 1, 2) if images else frames_TCHW[:0]
        return images_TCHW, used, replace(state, thinner=thinner, before_HW=before_HW)

    def _advance(self, features_TD: Tensor, times: list[float], state: StreamState) -> Tensor:
        """One step of the core per frame, then of the decision."""
        weight = self.model.head.linear.weight
        rows = []
        model_state = state.model_state
        with torch.no_grad():
            for row_D in features_TD.to(device=weight.device, dtype=weight.dtype):
                logits_1K, model_state = self.model.step(row_D[None], model_state)
                rows.append(self.model.probabilities(logits_1K).cpu()[0])
        state = replace(state, model_state=model_state)
        for probs_K, seconds in zip(rows, times, strict=True):
            state = self._decided(state, probs_K, seconds)
        self._state = state
        return torch.stack(rows)

    def _decided(self, state: StreamState, probs_K: Tensor, seconds: float) -> StreamState:
        before_K = state.smooth_probs_K
        if before_K is not None and self._config.smoothing != "none":
            probs_K = smooth_step(before_K, probs_K, seconds - state.seconds, self._config)
        label = next_label(state.label, probs_K.tolist(), self._config)
        changed = label != state.label or before_K is None
        return replace(
            state,
            smooth_probs_K=probs_K,
            label=label,
            seconds=seconds,
            since_seconds=seconds if changed else state.since_seconds,
        )


def _estimator(model: ActivityModel) -> FlowEstimator | None:
    """What finds flow for a model that sees it."""
    own = model.preprocessing
    return FlowEstimator(own.flow) if own is not None and own.modality == "flow" else None


_TAKES = (
    "a stream takes uint8 RGB, H x W x 3 for one frame or T x H x W x 3 for several (or channels"
    " first)"
)


def as_frames(frames: Any) -> Tensor:
    """One frame or several as frames_TCHW uint8.

    Raises:
        ValueError: another type or shape.
    """
    try:
        tensor = frames if isinstance(frames, Tensor) else torch.tensor(np.asarray(frames))
    except (TypeError, ValueError) as error:
        raise ValueError(f"frames are no numbers but {type(frames).__name__}; {_TAKES}") from error
    if tensor.ndim == 3:
        tensor = tensor[None]
    if tensor.ndim == 4 and tensor.shape[1] != 3 and tensor.shape[3] == 3:
        tensor = tensor.permute(0, 3, 1, 2)
    if tensor.ndim != 4 or tensor.shape[1] != 3 or tensor.dtype != torch.uint8 or not len(tensor):
        raise ValueError(f"frames are {tensor.dtype} of shape {tuple(tensor.shape)}; {_TAKES}")
    return tensor
