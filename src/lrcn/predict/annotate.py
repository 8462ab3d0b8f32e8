"""A copy of a video that shows, in every frame, what the model says of it, or subtitles."""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lrcn.errors import OutputError
from lrcn.predict.lettering import Font, Lettering, choose_lettering
from lrcn.predict.subtitles import Sentence
from lrcn.structures import Clip, Prediction, Segment
from lrcn.video.source import VideoSource, open_video
from lrcn.video.stills import DEFAULT_FPS
from lrcn.video.writer import VideoWriter

_MIN_SIDE_PX = 240
"""Smaller videos are enlarged by a whole factor, so that the text is readable."""

_WHITE, _GREY, _TRACK = (255, 255, 255), (190, 190, 190), (70, 70, 70)
_GREEN, _BLUE = (64, 176, 96), (70, 130, 200)


def annotate_video(
    source: Any, prediction: Prediction, out: str | os.PathLike[str], *, num_bars: int = 3
) -> None:
    """Write the video with the current segment, the most probable classes and the time on it.

    The copy has the source's frames, each at its own time, and no sound.

    Args:
        source: What the prediction was made of; anything that `open_video` takes but an iterator.
        prediction: With per-frame probabilities (no error).
        out: Video file to write; the ending decides the container. Replaced when complete.
        num_bars: Classes shown with a bar.

    Raises:
        MediaError: the source cannot be read.
        OutputError: the file cannot be written, or it is the source itself.
        ValueError: the prediction has no per-frame probabilities.
    """
    if prediction.probs_TK is None or prediction.pts_seconds_T is None:
        raise ValueError(f"nothing was predicted of {prediction.path}: {prediction.error}")
    _copy(source, out, lambda height, width, _: _Painter(prediction, num_bars, height, width))


def burn_in(
    source: Any,
    sentences: Sequence[Sentence],
    out: str | os.PathLike[str],
    *,
    stop: Callable[[], bool] = lambda: False,
) -> str:
    """Write the video with every sentence at the foot of the frames that it is about.

    The copy has the source's frames, each at its own time, and no sound.

    Args:
        source: What was narrated; anything that `open_video` takes but an iterator.
        sentences: In order, without overlap.
        out: Video file to write; the ending decides the container. Replaced when complete.
        stop: Asked at every frame; True ends the writing, and no file is made.

    Returns:
        The letters that no font here draws: boxes stand in their place. Empty where all are drawn.

    Raises:
        KeyboardInterrupt: it was stopped.
        MediaError: the source cannot be read.
        OutputError: the file cannot be written, or it is the source itself.
    """
    missing = ""

    def painter(height: int, width: int, begin: float) -> _Draws:
        nonlocal missing
        size_px = max(12, round(min(height, width) / 16))
        lettering = choose_lettering([sentence.text for sentence in sentences], size_px)
        missing = lettering.missing
        return _Subtitler(sentences, height, width, stop, begin=begin, lettering=lettering)

    _copy(source, out, painter)
    return missing


def check_copy(out: str | os.PathLike[str]) -> None:
    """Find out whether a copy can be written there, before any work is done for it.

    Raises:
        OutputError: the folder cannot be written, or the ending is none of a video of this kind.
    """
    VideoWriter(out, fps=DEFAULT_FPS, width=_MIN_SIDE_PX, height=_MIN_SIDE_PX).abort()


class _Draws(Protocol):
    def paint(self, pixels: NDArray[np.uint8], seconds: float) -> NDArray[np.uint8]:
        """The frame with what belongs to this time."""
        ...


def _copy(
    source: Any, out: str | os.PathLike[str], make_painter: Callable[[int, int, float], _Draws]
) -> None:
    is_path = isinstance(source, str | os.PathLike)
    if is_path and os.path.realpath(source) == os.path.realpath(out):
        raise OutputError(f"{out} is the video itself; give another name for the annotated copy")
    with open_video(source) as video:
        height, width = video.info.height, video.info.width
        factor = max(1, -(-_MIN_SIDE_PX // min(height, width)))
        painter = make_painter(height * factor, width * factor, video.info.start_seconds)
        fps, steady = _rate(video)
        with VideoWriter(
            Path(out),
            fps=fps,
            width=width * factor,
            height=height * factor,
            variable_rate=not steady,
        ) as writer:
            for pixels, seconds in _pictures(video.iterate()):
                large = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
                writer.write(painter.paint(large, seconds), pts_seconds=None if steady else seconds)


def _rate(video: VideoSource) -> tuple[float, bool]:
    """Frames per second, and whether every frame lies where that rate puts it."""
    fps = video.info.fps or DEFAULT_FPS
    times_T = video.pts_seconds()
    even_T = times_T[0] + torch.arange(len(times_T)) / fps
    rising = bool((times_T.diff() > 0).all())
    steady = not rising or float((times_T - even_T).abs().max()) < 0.5 / fps
    return fps, steady


def _pictures(clips: Iterator[Clip]) -> Iterator[tuple[NDArray[np.uint8], float]]:
    for clip in clips:
        for frame_CHW, seconds in zip(clip.frames_TCHW, clip.pts_seconds_T, strict=True):
            yield frame_CHW.permute(1, 2, 0).numpy(), float(seconds)


@dataclass
class _Painter:
    """Draws on frames of one size."""

    prediction: Prediction
    num_bars: int
    height: int
    width: int

    def __post_init__(self) -> None:
        self.size_px = max(12, round(min(self.height, self.width) / 18))
        self.lettering = choose_lettering(self.prediction.class_names, self.size_px)
        self.font = self.lettering.font
        assert self.prediction.probs_TK is not None
        assert self.prediction.pts_seconds_T is not None
        self.probs_TK = self.prediction.probs_TK
        self.times = self.prediction.pts_seconds_T.tolist()
        self.num_bars = min(self.num_bars, self.probs_TK.shape[1])

    def paint(self, pixels: NDArray[np.uint8], seconds: float) -> NDArray[np.uint8]:
        """The frame with a band over its foot: segment, time, and the best classes."""
        line = round(self.size_px * 1.3)
        band = line * (self.num_bars + 1) + line // 2
        image = Image.fromarray(pixels)
        dark = Image.new("RGB", (self.width, band), (0, 0, 0))
        box = (0, self.height - band, self.width, self.height)
        image.paste(Image.blend(image.crop(box), dark, 0.65), box)
        draw = ImageDraw.Draw(image)
        margin, top = line // 3, self.height - band + line // 4
        clock = f"{int(seconds // 60)}:{seconds % 60:04.1f}"
        clock_px = draw.textlength(clock, font=self.font)
        draw.text((self.width - clock_px - margin, top), clock, fill=_GREY, font=self.font)
        current = self._current(seconds)
        title = ", ".join(s.class_name for s in current) or "none"
        title = self.lettering.spell(title)
        title = _fitted(draw, title, self.width - clock_px - 4 * margin, self.font)
        draw.text((margin, top), title, fill=_WHITE, font=self.font)
        holding = {s.class_name for s in current}
        probs_K = self._probs_at(seconds)
        for row, k in enumerate(probs_K.argsort(descending=True)[: self.num_bars].tolist(), 1):
            name = self.prediction.class_names[k]
            self._bar(
                draw,
                top + row * line,
                self.lettering.spell(name),
                float(probs_K[k]),
                _GREEN if name in holding else _BLUE,
            )
        return np.asarray(image)

    def _bar(
        self,
        draw: ImageDraw.ImageDraw,
        top: int,
        name: str,
        prob: float,
        colour: tuple[int, int, int],
    ) -> None:
        margin = round(self.size_px * 0.43)
        half = self.width // 2
        draw.text(
            (margin, top),
            _fitted(draw, name, half - 2 * margin, self.font),
            fill=_GREY,
            font=self.font,
        )
        number = f"{100 * prob:3.0f} %"
        right = self.width - margin
        stop = right - round(draw.textlength("100 %", font=self.font)) - margin
        low, high = top + self.size_px // 4, top + self.size_px
        if stop > half:
            draw.rectangle((half, low, stop, high), fill=_TRACK)
            draw.rectangle((half, low, half + round((stop - half) * prob), high), fill=colour)
        number_px = draw.textlength(number, font=self.font)
        draw.text((right - number_px, top), number, fill=_GREY, font=self.font)

    def _current(self, seconds: float) -> list[Segment]:
        return [s for s in self.prediction.segments if s.start_seconds <= seconds < s.end_seconds]

    def _probs_at(self, seconds: float) -> torch.Tensor:
        """Those of the last used frame not after this time."""
        t = int(np.searchsorted(self.times, seconds + 1e-6, side="right")) - 1
        return self.probs_TK[max(t, 0)]


class _Subtitler:
    """Writes the sentence of the moment at the foot of frames of one size."""

    def __init__(
        self,
        sentences: Sequence[Sentence],
        height: int,
        width: int,
        stop: Callable[[], bool],
        *,
        begin: float,
        lettering: Lettering,
    ) -> None:
        self._sentences = sentences
        self._stop = stop
        self._begin = begin  # of the first frame; sentences have the file's times
        self._starts = [sentence.start_seconds for sentence in sentences]
        self._height, self._width = height, width
        self._lettering, self._font = lettering, lettering.font
        self._size_px = lettering.size_px

    def paint(self, pixels: NDArray[np.uint8], seconds: float) -> NDArray[np.uint8]:
        """The frame, with its sentence over a dark band, centred and in as many lines as needed."""
        if self._stop():
            raise KeyboardInterrupt
        seconds += self._begin
        place = bisect.bisect_right(self._starts, seconds + 1e-6) - 1
        if place < 0 or seconds + 1e-6 >= self._sentences[place].end_seconds:
            return pixels
        image = Image.fromarray(pixels)
        draw = ImageDraw.Draw(image)
        lines = self._lines(draw, self._sentences[place].text)
        line_px = round(self._size_px * 1.3)
        band = min(self._height, line_px * len(lines) + line_px // 2)
        box = (0, self._height - band, self._width, self._height)
        dark = Image.new("RGB", (self._width, band), (0, 0, 0))
        image.paste(Image.blend(image.crop(box), dark, 0.65), box)
        for row, line in enumerate(lines):
            left = (self._width - draw.textlength(line, font=self._font)) / 2
            top = self._height - band + line_px // 4 + row * line_px
            draw.text((left, top), line, fill=_WHITE, font=self._font)
        return np.asarray(image)

    def _lines(self, draw: ImageDraw.ImageDraw, text: str) -> list[str]:
        """The text broken between words; at most half the picture's height, and then cut."""
        room_px = self._width - self._size_px
        lines = [""]
        for word in self._lettering.spell(text).split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and draw.textlength(longer, font=self._font) > room_px:
                lines.append(word)
            else:
                lines[-1] = longer
        most = max(1, self._height // (3 * self._size_px))
        if len(lines) > most:
            lines[most - 1] = " ".join(lines[most - 1 :])
        return [_fitted(draw, line, room_px, self._font) for line in lines[:most]]


def _fitted(draw: ImageDraw.ImageDraw, text: str, room_px: float, font: Font) -> str:
    """The text, shortened until it fits."""
    if draw.textlength(text, font=font) <= room_px:
        return text
    while text and draw.textlength(text + "…", font=font) > room_px:
        text = text[:-1]
    return text + "…"
