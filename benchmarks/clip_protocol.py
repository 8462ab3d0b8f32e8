"""The paper's protocol (16 frames, stride 8) with every frame once through the CNN.

    python benchmarks/clip_protocol.py

Claim: at least 1.85 times as fast as sending every clip through the CNN, probabilities equal to
1e-6. Both sides use the same network, prepared in the same way, and the same LSTM; turns are
interleaved and the best of five counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lrcn.engine import choose_device, choose_precision, fast_backbone, set_threads
from lrcn.models.activity import ActivityConfig, create_model
from lrcn.models.views import clip_probs, video_probs
from lrcn.video.sampling import clip_starts

NUM_FRAMES, CLIP_LENGTH, CLIP_STRIDE, ROUNDS = 250, 16, 8, 5


def main() -> None:
    """Measure two backbones and print the table."""
    device = choose_device("cpu")
    threads = set_threads(None)
    print(f"{threads} threads, {NUM_FRAMES} frames, clips of {CLIP_LENGTH} every {CLIP_STRIDE}")
    print(
        f"{'backbone':20} {'every clip, s':>13} {'shared, s':>10} {'ratio':>7}"
        f" {'of processor s':>15} {'differ':>8}"
    )
    for name in ("efficientnet_lite0", "caffenet"):
        model = create_model(ActivityConfig(backbone=name, weights="random"), tuple("abc")).eval()
        assert model.backbone is not None
        backbone = fast_backbone(
            model.backbone,
            device=device,
            precision=choose_precision("auto", device),
            batch_size=64,
        )
        size = model.backbone.preprocessing.input_px
        generator = torch.Generator().manual_seed(0)
        frames_TCHW = torch.randint(
            0, 256, (NUM_FRAMES, 3, size, size), dtype=torch.uint8, generator=generator
        ).contiguous(memory_format=torch.channels_last)

        def features(frames: Tensor, run=backbone) -> Tensor:
            return torch.cat([run(batch) for batch in torch.split(frames, 64)])

        def every_clip(frames=frames_TCHW, model=model, features=features) -> Tensor:
            starts = clip_starts(NUM_FRAMES, clip_length=CLIP_LENGTH, clip_stride=CLIP_STRIDE)
            clips = torch.cat([frames[s : s + CLIP_LENGTH] for s in starts])
            features_CTD = features(clips).unflatten(0, (len(starts), CLIP_LENGTH))
            with torch.no_grad():
                logits_CTK, _ = model.unroll(features_CTD)
            return model.probabilities(logits_CTK).mean((0, 1))

        def once(frames=frames_TCHW, model=model, features=features) -> Tensor:
            return video_probs(
                clip_probs(
                    model,
                    features(frames)[None],
                    clip_length=CLIP_LENGTH,
                    clip_stride=CLIP_STRIDE,
                )
            )

        seconds, found = interleaved([every_clip, once])
        ratio, processor_ratio = seconds[0] / seconds[1]
        differ = float((found[0] - found[1]).abs().max())
        print(
            f"{name:20} {seconds[0][0]:13.2f} {seconds[1][0]:10.2f} {ratio:6.2f}x"
            f" {processor_ratio:14.2f}x {differ:8.1e}"
        )


def interleaved(sides: list[Callable[[], Tensor]]) -> tuple[np.ndarray, list[Tensor]]:
    """Best (wall clock, processor) seconds of each side, and its result."""
    best = np.full((len(sides), 2), np.inf)
    found = [side() for side in sides]
    for _ in range(ROUNDS):
        for i, side in enumerate(sides):
            started = np.array([time.perf_counter(), time.process_time()])
            side()
            ended = np.array([time.perf_counter(), time.process_time()])
            best[i] = np.minimum(best[i], ended - started)
    return best, found


if __name__ == "__main__":
    main()
