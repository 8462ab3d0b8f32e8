"""End-to-end training steps as the trainer takes them, against eager float32.

Claim (where the processor has AMX): 1.8 times the steps per second of eager float32 for the
default backbone at 4 clips of 16 frames, 3 times for ResNet-18, 1.8 times for CaffeNet. Both sides
do the same work: forward, backward and update of CNN, LSTM and classifier, on the same pixels,
each in a process of its own. Where the machine does other work too, processor time tells more.

    python benchmarks/joint_training.py [threads] [repeats]
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable

import torch

from lrcn.engine import autocast_train, choose_precision, keep_memory
from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.nn.backbone import freeze_batch_norm, set_trainable
from lrcn.structures import ClipBatch
from lrcn.tasks.activity import ActivityTask, TaskConfig
from lrcn.train.step import fitting_rows, split_batch

BACKBONES = ("efficientnet_lite0", "torchvision/resnet18", "caffenet")
CLIPS, FRAMES, CLASSES = 4, 16, 101


def make(name: str) -> ActivityModel:
    """An LRCN from random weights: what they are decides no time."""
    config = ActivityConfig(backbone=name, weights="random", hidden_size=256)
    model = create_model(config, [f"class {k}" for k in range(CLASSES)])
    assert model.backbone is not None
    set_trainable(model.backbone, True)
    return model.train()


def clips(model: ActivityModel) -> ClipBatch:
    """Noise of the right size."""
    assert model.preprocessing is not None
    side = model.preprocessing.input_px
    generator = torch.Generator().manual_seed(0)
    shape = (CLIPS, FRAMES, 3, side, side)
    valid_mask_BT = torch.ones(CLIPS, FRAMES, dtype=torch.bool)
    return ClipBatch(
        frames_BTCHW=torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
        features_BTD=None,
        valid_mask_BT=valid_mask_BT,
        reset_mask_BT=torch.zeros_like(valid_mask_BT),
        targets_BTK=torch.eye(CLASSES)[torch.arange(CLIPS)][:, None].expand(-1, FRAMES, -1),
        video_ids=tuple(str(n) for n in range(CLIPS)),
    )


def stepper(name: str, *, shipped: bool) -> tuple[Callable[[], float], str]:
    """One update, and how it computes."""
    model = make(name)
    batch = clips(model)
    device = torch.device("cpu")
    dtype, size = torch.float32, None
    if shipped:
        assert model.backbone is not None
        freeze_batch_norm(model.backbone)
        model.backbone.to(memory_format=torch.channels_last)
        dtype, size = choose_precision("auto", device), fitting_rows(batch)
    task = ActivityTask(TaskConfig(), model.class_names)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for part in split_batch(batch, size):
            with autocast_train(device, dtype):
                sums = task.losses(model, part)
            (sums.loss_sum / (CLIPS * FRAMES)).backward()
            total += float(sums.loss_sum.detach())
        optimizer.step()
        return total

    return step, str(dtype).removeprefix("torch.")


def measure(name: str, shipped: bool, threads: int, repeats: int) -> tuple[float, float, str]:
    """Median seconds of a step, by the clock and of the processor; in a process of its own."""
    torch.set_num_threads(threads)
    if shipped:
        keep_memory()
    step, precision = stepper(name, shipped=shipped)
    step()
    clock, processor = [], []
    for _ in range(repeats):
        started = time.perf_counter(), time.process_time()
        step()
        clock.append(time.perf_counter() - started[0])
        processor.append(time.process_time() - started[1])
    return statistics.median(clock), statistics.median(processor), precision


def main() -> None:
    arguments = [int(a) for a in sys.argv[1:]]
    threads = arguments[0] if arguments else torch.get_num_threads()
    repeats = arguments[1] if len(arguments) > 1 else 3
    print(
        f"torch {torch.__version__}, {threads} threads,"
        f" {CLIPS} clips of {FRAMES} frames, medians of {repeats}"
    )
    head = ("backbone", "eager s", "steps/s", "shipped s", "steps/s", "times", "of processor time")
    print(f"{head[0]:24}{head[1]:>10}{head[2]:>9}{head[3]:>11}{head[4]:>9}{head[5]:>7}  {head[6]}")
    spawn = multiprocessing.get_context("spawn")
    for name in BACKBONES:
        found = []
        for shipped in (False, True):
            with spawn.Pool(1) as pool:
                found.append(pool.apply(measure, (name, shipped, threads, repeats)))
        (a, a_processor, _), (b, b_processor, precision) = found
        print(
            f"{name:24}{a:10.2f}{1 / a:9.3f}{b:11.2f}{1 / b:9.3f}{a / b:7.2f}"
            f"  {a_processor:.2f} to {b_processor:.2f} s, {a_processor / b_processor:.2f} times"
            f" ({precision})",
            flush=True,
        )


if __name__ == "__main__":
    main()
