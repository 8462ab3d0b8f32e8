"""Where one sentence ends and the next begins, found while the frames come in.

::

    frames, one after the other ─ a border? ─ it counts once what follows has lasted min_seconds
                                          └─► the interval before it, described

Nothing looks ahead further than `min_seconds` and `change_seconds`, so memory does not grow with
the video. An interval lasts from its first frame to the first frame of the next one, at the true
times of both.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from lrcn.errors import ConfigError
from lrcn.models.segment_config import SegmentConfig
from lrcn.models.segments import NONE, next_label
from lrcn.predict.narration_config import NarrationConfig
from lrcn.predict.narrators import Believer, Narrator, Said
from lrcn.predict.stream import Stream
from lrcn.predict.subtitles import Sentence

_MAX_FRAMES = 4096
"""Frames of one interval that are kept for its sentence; of a longer one every second, and so on.
At 1280 features 20 MB."""

_HAIR = 1e-6
"""Times are sums of frame durations: 0.3 may be 0.29999999."""


class Teller(ABC):
    """Takes frames in order and gives sentences as soon as they are certain."""

    def __init__(self, min_seconds: float, max_seconds: float | None) -> None:
        self._min_seconds = min_seconds
        self._max_seconds = math.inf if max_seconds is None else max_seconds
        self._start: float | None = None
        self._pending: float | None = None

    def push(self, seconds: float, features_D: Tensor) -> Sentence | None:
        """See one more frame.

        Args:
            seconds: Its time, not before the last one's.
            features_D: Its features.

        Returns:
            The sentence about an interval that is over; None while none is, or nothing was said.
        """
        border = self._due(seconds)
        told = None if border is None else self._cut(border)
        self._see(seconds, features_D)
        if self._start is None:
            self._start = seconds
        return told

    def finish(self, end_seconds: float) -> list[Sentence]:
        """The sentences that are left when the video ends, or when nobody goes on."""
        told = []
        if self._pending is not None and self._lasts(end_seconds):
            told.append(self._cut(self._pending))
        if self._start is not None:
            told.append(self._tell(end_seconds))
            self._start = None
        return [sentence for sentence in told if sentence is not None]

    def _due(self, seconds: float) -> float | None:
        """The border that has become certain with a frame at this time."""
        if self._start is None:
            return None
        if self._pending is not None and self._lasts(seconds):
            return self._pending
        if seconds - self._start >= self._max_seconds - _HAIR:
            return seconds if self._pending is None else self._pending
        return None

    def _lasts(self, seconds: float) -> bool:
        assert self._pending is not None
        return seconds - self._pending >= self._min_seconds - _HAIR

    def _cut(self, border: float) -> Sentence | None:
        """End the interval at the border, unless it is too short to stand alone."""
        assert self._start is not None
        told = None
        if border - self._start >= self._min_seconds - _HAIR:
            told = self._tell(border)
            self._start = border
        self._next(border)
        self._pending = None
        return told

    def _tell(self, end_seconds: float) -> Sentence | None:
        """The sentence about the interval under way, if it ends here."""
        assert self._start is not None
        said = self._say(end_seconds)
        if said is None or end_seconds <= self._start:
            return None
        return Sentence(
            start_seconds=self._start,
            end_seconds=end_seconds,
            text=said.text,
            log_prob=said.log_prob,
        )

    @abstractmethod
    def _see(self, seconds: float, features_D: Tensor) -> None:
        """Take a frame in, and set `_pending` where an interval may have ended.

        That is at this frame or one before it, but after `_start`.
        """

    @abstractmethod
    def _say(self, end_seconds: float) -> Said | None:
        """What to say of the frames before a time."""

    @abstractmethod
    def _next(self, border: float) -> None:
        """Forget the frames before the border, or let those after it decide about them."""


class BorderRule(Protocol):
    """Finds borders in the features."""

    def border(self, seconds: float, features_D: Tensor) -> float | None:
        """The time of a border, at this frame or a little before, if one is seen with it."""
        ...


class Windows:
    """A border at the first frame of every window of the same length."""

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._number = 0

    def border(self, seconds: float, features_D: Tensor) -> float | None:
        """See `BorderRule.border`."""
        del features_D  # only the clock counts
        number = math.floor(seconds / self._window_seconds + _HAIR)
        new = number > self._number
        self._number = number
        return seconds if new else None


class Changes:
    """A border where the mean features of the time before and after differ most.

    ::

        how far [t - s, t) is from [t, t + s)     ______^______^____ threshold
                                                    border  border
    """

    def __init__(self, side_seconds: float, threshold: float) -> None:
        self._side_seconds = side_seconds
        self._threshold = threshold
        self._times: deque[float] = deque()
        self._features: deque[Tensor] = deque()
        self._peak = 0.0
        self._peak_seconds = 0.0

    def border(self, seconds: float, features_D: Tensor) -> float | None:
        """See `BorderRule.border`."""
        self._times.append(seconds)
        self._features.append(features_D)
        while len(self._times) > 2 and self._times[1] <= seconds - 2 * self._side_seconds + _HAIR:
            self._times.popleft()
            self._features.popleft()
        middle = next(i for i, t in enumerate(self._times) if t > seconds - self._side_seconds)
        is_fair = self._times[middle] - self._times[0] >= self._side_seconds / 2
        distance = self._distance(middle) if middle and is_fair else 0.0
        if distance > self._threshold and distance > self._peak:
            self._peak, self._peak_seconds = distance, self._times[middle]
            return None
        # A peak is over when it lies a whole side back, or the pictures are alike again.
        is_over = seconds - self._peak_seconds >= 2 * self._side_seconds
        if self._peak and (is_over or distance < self._threshold):
            self._peak = 0.0
            return self._peak_seconds
        return None

    def _distance(self, middle: int) -> float:
        rows_TD = torch.stack(tuple(self._features))
        before_D, after_D = rows_TD[:middle].mean(0), rows_TD[middle:].mean(0)
        return 1.0 - float(F.cosine_similarity(before_D, after_D, dim=0))


class ByFeatures(Teller):
    """Keeps the features of the interval under way, and has a narrator describe them."""

    def __init__(
        self,
        narrator: Narrator,
        rule: BorderRule,
        *,
        min_seconds: float,
        max_seconds: float | None,
    ) -> None:
        super().__init__(min_seconds, max_seconds)
        self._narrator = narrator
        self._rule = rule
        self._times: list[float] = []
        self._features: list[Tensor] = []
        self._keep_every = 1
        self._count = 0

    def _see(self, seconds: float, features_D: Tensor) -> None:
        border = self._rule.border(seconds, features_D)
        started = self._start is not None and border is not None and border > self._start
        if started and self._pending is None:
            self._pending = border
        if self._count % self._keep_every == 0:
            self._times.append(seconds)
            self._features.append(features_D)
        self._count += 1
        if len(self._times) > _MAX_FRAMES:
            self._times, self._features = self._times[::2], self._features[::2]
            self._keep_every *= 2

    def _say(self, end_seconds: float) -> Said | None:
        count = sum(t < end_seconds for t in self._times)
        return self._narrator.describe(torch.stack(self._features[: max(count, 1)]))

    def _next(self, border: float) -> None:
        if self._start != border:
            return  # too short to stand alone: it becomes the beginning of what follows
        kept = [t for t, seconds in enumerate(self._times) if seconds >= border]
        self._times = [self._times[t] for t in kept]
        self._features = [self._features[t] for t in kept]
        self._keep_every, self._count = 1, 0


class ByState(Teller):
    """Follows what a recogniser believes, its state carried from the first frame to the last."""

    def __init__(
        self, believer: Believer, segments: SegmentConfig, *, max_seconds: float | None
    ) -> None:
        super().__init__(segments.min_seconds, max_seconds)
        self._believer = believer
        self._config = segments
        self._stream: Stream = believer.follow(segments)
        self._frame_labels: list[int] = []
        """As of the last frame: one, or with several at once one for each class."""
        self._labels: tuple[int, ...] = ()
        """That hold in the interval under way."""
        self._next_labels: tuple[int, ...] = ()
        self._sums_K: Tensor | None = None
        self._frames = 0
        self._next_sums_K: Tensor | None = None
        self._next_frames = 0

    def _see(self, seconds: float, features_D: Tensor) -> None:
        probs_K = self._stream.push_features(features_D[None], seconds=seconds)[0].double()
        labels = self._held()
        if self._sums_K is None or self._next_sums_K is None:
            self._labels = labels
            self._sums_K, self._next_sums_K = torch.zeros_like(probs_K), torch.zeros_like(probs_K)
        if labels == self._labels:
            self._forget_change()
        elif self._pending is None:
            self._pending = seconds
        if self._pending is None:
            self._sums_K = self._sums_K + probs_K
            self._frames += 1
        else:
            self._next_labels = labels
            self._next_sums_K = self._next_sums_K + probs_K
            self._next_frames += 1

    def _held(self) -> tuple[int, ...]:
        """The classes that hold now, with hysteresis."""
        smooth_K = self._stream.state.smooth_probs_K
        assert smooth_K is not None  # a frame was pushed
        probs = smooth_K.tolist()
        several = self._stream.model.multi_label
        if not self._frame_labels:
            self._frame_labels = [NONE] * (len(probs) if several else 1)
        if several:
            self._frame_labels = [
                next_label(label, [prob], self._config)
                for label, prob in zip(self._frame_labels, probs, strict=True)
            ]
            return tuple(k for k, label in enumerate(self._frame_labels) if label != NONE)
        self._frame_labels = [next_label(self._frame_labels[0], probs, self._config)]
        return tuple(label for label in self._frame_labels if label != NONE)

    def _forget_change(self) -> None:
        """It was a short one: its frames belong to the interval under way."""
        assert self._sums_K is not None
        assert self._next_sums_K is not None
        self._pending = None
        self._sums_K = self._sums_K + self._next_sums_K
        self._frames += self._next_frames
        self._next_sums_K = torch.zeros_like(self._next_sums_K)
        self._next_frames = 0

    def _say(self, end_seconds: float) -> Said | None:
        del end_seconds  # sums are kept apart from the pending border on
        assert self._sums_K is not None
        return self._believer.name(self._labels, (self._sums_K / max(self._frames, 1)).float())

    def _next(self, border: float) -> None:
        assert self._sums_K is not None
        assert self._next_sums_K is not None
        if self._start == border:
            self._sums_K, self._frames = torch.zeros_like(self._sums_K), 0
        if self._pending is not None:
            self._labels = self._next_labels
            self._forget_change()


def make_teller(narrator: Narrator, config: NarrationConfig, segments: SegmentConfig) -> Teller:
    """The teller that the settings ask for.

    Raises:
        ConfigError: the model has no state whose changes could be followed.
    """
    if config.cut == "state":
        if not isinstance(narrator, Believer):
            raise ConfigError(
                'cut is "state", and this model describes in sentences: it has no state between'
                ' them. Take "windows", or "features" for changes of the pictures'
            )
        return ByState(narrator, segments, max_seconds=config.max_seconds)
    rule: BorderRule = Windows(config.window)
    if config.cut == "features":
        rule = Changes(config.change_seconds, config.change)
    min_seconds = segments.min_seconds
    if config.cut == "windows":
        min_seconds = min(min_seconds, config.window)
    return ByFeatures(narrator, rule, min_seconds=min_seconds, max_seconds=config.max_seconds)
