"""Describing a folder of photos: ours against a plain eager float32 loop.

Claim: 640x480 JPEG photos from a folder, EfficientNet-Lite0, two layers of 1000 units, 8,801 words,
beam 5, sentences of 20 words: at least 3 times the photos per second of a loop that opens a photo,
resizes it, sends it through the network in eager float32 and searches for its sentence.

The loop is no straw man: its 5 hypotheses are one batch, and the state is kept. Weights of the
words are random and sentences may not end early: nobody gains by an early end.

    python benchmarks/captioning.py [photos] [threads] [repeats]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lrcn.checkpoint import SavedCaptioner
from lrcn.data.images import read_image
from lrcn.data.transforms import EvalTransform
from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.engine import set_threads
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.image_captioner import create_captioner
from lrcn.predict.describe import Describer
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCAB_SIZE, UNITS, BEAMS, WORDS = 8801, 1000, 5, 20


def make_captioner() -> SavedCaptioner:
    words = tuple(f"w{i}" for i in range(VOCAB_SIZE - len(SPECIAL_TOKENS)))
    config = CaptionerConfig(hidden_size=UNITS, embedding_size=UNITS)
    captioner = create_captioner(config, Vocabulary((*SPECIAL_TOKENS, *words)), seed=0).eval()
    options = DecodingOptions(beam_size=BEAMS, max_tokens=WORDS, min_tokens=WORDS - 1)
    return SavedCaptioner(captioner, decoding=options)


def write_photos(folder: Path, number: int) -> list[Path]:
    """Smooth noise with some grain: about 100 kB each, as photos of this size have."""
    paths = []
    for k in range(number):
        generator = np.random.default_rng(k)
        coarse = Image.fromarray(generator.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((640, 480), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = generator.integers(-12, 13, smooth.shape)
        pixels = (smooth + grain).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"{k:04}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=88)
    return paths


@torch.no_grad()
def plain_loop(saved: SavedCaptioner, paths: Sequence[Path]) -> list[str]:
    """One photo after the other, eager float32."""
    model, said = saved.model, []
    assert model.preprocessing is not None
    transform = EvalTransform(model.preprocessing)
    for path in paths:
        frames_1CHW = transform(read_image(path)[None])[0]
        features_BTD = model.features(frames_1CHW)[None]
        said.append(describe(model, features_BTD, options=saved.decoding)[0][0].text)
    return said


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    set_threads(int(sys.argv[2]) if len(sys.argv) > 2 else None)
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    saved = make_captioner()
    describer = Describer(saved, decode_threads=2)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), number)
        ours = lambda: list(describer.describe_many(paths))  # noqa: E731 - a line of the table
        prepared = seconds(ours)  # packs the weights, fuses the CNN
        # In turns, so that whatever else the machine does hits both.
        both = [(seconds(lambda: plain_loop(saved, paths)), seconds(ours)) for _ in range(repeats)]
    plain, fast = (statistics.median(times) for times in zip(*both, strict=True))
    print(f"{number} photos of 640x480, {torch.get_num_threads()} threads; {describer.description}")
    print(f"plain eager float32 loop  {number / plain:8.1f} photos/s")
    print(f"lrcn caption              {number / fast:8.1f} photos/s  {plain / fast:.2f} times")
    print(f"(the first time {prepared:.1f} s, with all that is prepared once)")


if __name__ == "__main__":
    main()
